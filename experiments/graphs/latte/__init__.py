"""LATTE: layers of attention over metapaths of growing order, which nobody has to write down."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.latte.explanation import explain_paths as explain_paths
    from experiments.graphs.latte.network import LATTE as LATTE
    from experiments.graphs.latte.network import LATTEConv as LATTEConv
    from experiments.graphs.latte.network import proximity_loss as proximity_loss
    from experiments.graphs.latte.paths import compose as compose
    from experiments.graphs.latte.paths import metapaths as metapaths
    from experiments.graphs.latte.paths import path_graph as path_graph

__all__, __getattr__, __dir__ = lazy(
    __name__,
    explanation=("explain_paths",),
    network=("LATTE", "LATTEConv", "proximity_loss"),
    paths=("compose", "metapaths", "path_graph"),
)
