"""TANGNN: neighbourhoods beside attention over the m nodes that an auxiliary vector selects."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.tangnn.layers import TANGNNLayer as TANGNNLayer
    from experiments.graphs.tangnn.network import TANGNN as TANGNN
    from experiments.graphs.tangnn.network import auxiliary_rules as auxiliary_rules
    from experiments.graphs.tangnn.selection import TopM as TopM
    from experiments.graphs.tangnn.selection import looked_away as looked_away
    from experiments.graphs.tangnn.stability import far_attention as far_attention
    from experiments.graphs.tangnn.stability import replacement_cost as replacement_cost
    from experiments.graphs.tangnn.stability import selection_report as selection_report

__all__, __getattr__, __dir__ = lazy(
    __name__,
    layers=("TANGNNLayer",),
    network=("TANGNN", "auxiliary_rules"),
    selection=("TopM", "looked_away"),
    stability=("far_attention", "replacement_cost", "selection_report"),
)
