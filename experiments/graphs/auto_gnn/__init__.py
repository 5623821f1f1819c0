"""Auto-GNN: a space of graph networks, and a conservative search that changes its best step by step."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.auto_gnn.controller import Controller as Controller
    from experiments.graphs.auto_gnn.controller import rcnas as rcnas
    from experiments.graphs.auto_gnn.model import SearchedGNN as SearchedGNN
    from experiments.graphs.auto_gnn.model import build as build
    from experiments.graphs.auto_gnn.searching import search as search
    from experiments.graphs.auto_gnn.sharing import inherit as inherit
    from experiments.graphs.auto_gnn.sharing import transferable as transferable
    from experiments.graphs.auto_gnn.space import ArchitectureSpace as ArchitectureSpace
    from experiments.graphs.auto_gnn.space import Layer as Layer
    from experiments.graphs.auto_gnn.table import stored_table as stored_table

__all__, __getattr__, __dir__ = lazy(
    __name__,
    controller=("Controller", "rcnas"),
    model=("SearchedGNN", "build"),
    searching=("search",),
    sharing=("inherit", "transferable"),
    space=("ArchitectureSpace", "Layer"),
    table=("stored_table",),
)
