"""LIFL: a federated aggregator in shared memory, whose processes sleep until a key comes."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.systems.lifl.aggregator import Aggregator as Aggregator
    from experiments.systems.lifl.cluster import Cluster as Cluster
    from experiments.systems.lifl.gateway import Gateway as Gateway
    from experiments.systems.lifl.placement import place_best_fit as place_best_fit
    from experiments.systems.lifl.rounds import run_round as run_round
    from experiments.systems.lifl.scaling import scale as scale
    from experiments.systems.lifl.shards import client_shards as client_shards
    from experiments.systems.lifl.states import State as State

__all__, __getattr__, __dir__ = lazy(
    __name__,
    aggregator=("Aggregator",),
    cluster=("Cluster",),
    gateway=("Gateway",),
    placement=("place_best_fit",),
    rounds=("run_round",),
    scaling=("scale",),
    shards=("client_shards",),
    states=("State",),
)
