"""The `.npz` file of EXP: pairs of graphs of formulas, of which one can be satisfied."""

from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.graph_sets import Graph, GraphSet
from experiments.files.words import shown
from ntkexec.errors import ExperimentError


def read(path: Path, name: str, key: str = "") -> GraphSet:
    """Graphs with a kind for each node and a class each; graphs 2i and 2i + 1 are a pair.

    Args:
        path: of the archive, with `node_ptr` and `edge_ptr`, `edge_index` of shape (2, E) within each
            graph and in both directions, kinds of nodes `x` and classes `y`.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Abboud et al., The surprising power of graph neural networks with random node
        initialization, IJCAI 2021, arXiv:2010.01179; its public data.
    """
    where = shown(path)
    found = arrays.members(path, ("node_ptr", "edge_ptr", "edge_index", "x", "y"))
    labels = arrays.classes(found["y"], f"y in {where}")
    kinds = arrays.classes(found["x"], f"x in {where}")
    if min(labels.min(), kinds.min()) < 0:
        raise ExperimentError(f"{where} has a graph or a node of unknown kind, and knows all")
    ends = found["edge_index"]
    if ends.ndim != 2 or ends.shape[0] != 2 or not len(labels) or len(labels) % 2:
        raise ExperimentError(
            f"{where} needs an edge_index of two rows and pairs of graphs, got "
            f"{arrays.described(ends)} and {len(labels)} graphs"
        )
    nodes = parts(found["node_ptr"], len(labels), len(kinds), f"node_ptr in {where}")
    edges = parts(found["edge_ptr"], len(labels), ends.shape[1], f"edge_ptr in {where}")
    graphs = []
    for i, (of_nodes, of_edges) in enumerate(zip(nodes, edges, strict=True)):
        own = kinds[of_nodes]
        if not len(own):
            raise ExperimentError(f"graph {i} in {where} has no node")
        pairs = arrays.pairs(ends[:, of_edges].T, len(own), f"edges of graph {i} in {where}")
        graphs.append(Graph(len(own), pairs, own))
    return GraphSet(name, tuple(graphs), labels, ("unsatisfiable", "satisfiable"))


def parts(pointers: np.ndarray, number: int, total: int, where: str) -> list[slice]:
    """The rows of each graph in a table of all.

    Args:
        pointers: (number + 1,) where each begins, and the end.
        number: of graphs.
        total: rows of the table.
        where: they stand, for messages.

    Raises:
        ExperimentError: names `where`, if they do not divide the table.
    """
    found = arrays.vector(pointers, where, length=number + 1)
    if found[0] != 0 or (np.diff(found) < 0).any() or found[-1] != total:
        raise ExperimentError(f"{where} does not divide {total} rows among {number} graphs")
    return [slice(*ends) for ends in zip(found[:-1].tolist(), found[1:].tolist(), strict=True)]
