"""Training on features that do not fit memory: sampled beforehand, packed by batch, read while computing."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.systems.diskgnn.accounts import ledger as ledger
    from experiments.systems.diskgnn.memory import Memory as Memory
    from experiments.systems.diskgnn.minhash import order_by_minhash as order_by_minhash
    from experiments.systems.diskgnn.packing import pack as pack
    from experiments.systems.diskgnn.pipeline import train_pipelined as train_pipelined
    from experiments.systems.diskgnn.raw import open_graph as open_graph
    from experiments.systems.diskgnn.reading import Packed as Packed
    from experiments.systems.diskgnn.sampling import neighbours_of as neighbours_of
    from experiments.systems.diskgnn.sampling import sample_offline as sample_offline
    from experiments.systems.diskgnn.store import FeatureStore as FeatureStore

__all__, __getattr__, __dir__ = lazy(
    __name__,
    accounts=("ledger",),
    memory=("Memory",),
    minhash=("order_by_minhash",),
    packing=("pack",),
    pipeline=("train_pipelined",),
    raw=("open_graph",),
    reading=("Packed",),
    sampling=("neighbours_of", "sample_offline"),
    store=("FeatureStore",),
)
