"""SIR-GCN: messages that depend on both ends, and which inputs a layer may map together."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.sir_gcn.collisions import find_collisions as find_collisions
    from experiments.graphs.sir_gcn.layers import SIRConv as SIRConv
    from experiments.graphs.sir_gcn.layers import SIREdgeConv as SIREdgeConv
    from experiments.graphs.sir_gcn.soft import soft_distance as soft_distance

__all__, __getattr__, __dir__ = lazy(
    __name__,
    layers=("SIRConv", "SIREdgeConv"),
    soft=("gaussian", "polynomial", "soft_distance"),
    collisions=("find_collisions",),
)
