"""VoVNet: convolutions in a chain, whose outputs are concatenated once; memory access of any network."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.vovnet.access import lower_bound as lower_bound
    from experiments.vision.vovnet.access import memory_access as memory_access
    from experiments.vision.vovnet.network import NETWORKS as NETWORKS
    from experiments.vision.vovnet.network import OneShotAggregation as OneShotAggregation
    from experiments.vision.vovnet.network import VoVNet as VoVNet
    from experiments.vision.vovnet.rivals import DenseBlock as DenseBlock
    from experiments.vision.vovnet.rivals import DenseNet as DenseNet
    from experiments.vision.vovnet.rivals import as_dense_block as as_dense_block
    from experiments.vision.vovnet.rivals import matched_width as matched_width

__all__, __getattr__, __dir__ = lazy(
    __name__,
    access=("lower_bound", "memory_access"),
    network=("NETWORKS", "OneShotAggregation", "VoVNet"),
    rivals=("DenseBlock", "DenseNet", "as_dense_block", "matched_width"),
)
