"""Graphs as wholes: roots that are paths, a contrast that keeps what matters, and paired comparisons."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.graph_level.colours import choose_k as choose_k
    from experiments.graphs.graph_level.colours import path_colours as path_colours
    from experiments.graphs.graph_level.contrast import UnifiedContrast as UnifiedContrast
    from experiments.graphs.graph_level.contrast import Weights as Weights
    from experiments.graphs.graph_level.contrast import contrastive as contrastive
    from experiments.graphs.graph_level.contrast import nt_xent as nt_xent
    from experiments.graphs.graph_level.network import KPathGNN as KPathGNN
    from experiments.graphs.graph_level.network import rooted_batch as rooted_batch
    from experiments.graphs.graph_level.paths import count_cycles as count_cycles
    from experiments.graphs.graph_level.paths import count_paths as count_paths
    from experiments.graphs.graph_level.paths import path_roots as path_roots
    from experiments.graphs.graph_level.protocol import Trainer as Trainer
    from experiments.graphs.graph_level.protocol import compare as compare
    from experiments.graphs.graph_level.scenarios import Scenario as Scenario

__all__, __getattr__, __dir__ = lazy(
    __name__,
    paths=("path_roots", "count_cycles", "count_paths"),
    colours=("path_colours", "choose_k"),
    network=("KPathGNN", "rooted_batch"),
    contrast=("UnifiedContrast", "Weights", "contrastive", "nt_xent"),
    protocol=("compare", "Trainer"),
    scenarios=("Scenario",),
)
