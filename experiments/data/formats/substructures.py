"""The `.npz` file of random graphs whose substructures were counted."""

from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.formats.formula_graphs import parts
from experiments.data.graph_sets import Fold, Graph, GraphSet
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

TARGETS = ("star", "triangle", "tailed_triangle", "chordal_cycle", "attributed_triangle")


def read(path: Path, name: str, key: str = "") -> GraphSet:
    """Graphs with five counts each, and the one split of the public code.

    Args:
        path: of the archive, with `n_nodes`, `edges` of shape (m, 2) within each graph, `edge_ptr`, a
            row for each count, and `train_idx`, `val_idx`, `test_idx`.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Chen et al., Can graph neural networks count substructures?, NeurIPS 2020,
        arXiv:2002.04025; its public data. Stars, triangles and attributed triangles need not be
        induced; the others are.
    """
    where = shown(path)
    indices = ("train_idx", "val_idx", "test_idx")
    found = arrays.members(path, ("n_nodes", "edges", "edge_ptr", *TARGETS, *indices))
    sizes = arrays.vector(found["n_nodes"], f"n_nodes in {where}")
    if not len(sizes) or sizes.min() < 1:
        raise ExperimentError(f"n_nodes in {where} holds a graph of no node, or no graph")
    edges = found["edges"]
    of_graph = parts(found["edge_ptr"], len(sizes), len(edges), f"edge_ptr in {where}")
    graphs = tuple(
        Graph(int(size), arrays.pairs(edges[part], int(size), f"edges of graph {i} in {where}"))
        for i, (size, part) in enumerate(zip(sizes, of_graph, strict=True))
    )
    columns = [
        arrays.table(found[target].reshape(-1, 1), f"{target} in {where}", rows=len(sizes))
        for target in TARGETS
    ]
    listed = [
        np.flatnonzero(arrays.chosen(found[part], len(sizes), f"{part} in {where}"))
        for part in indices
    ]
    if np.unique(np.concatenate(listed)).size < sum(map(len, listed)):
        raise ExperimentError(f"{where} has a graph in two parts of its split")
    return GraphSet(name, graphs, np.concatenate(columns, axis=1), TARGETS, (Fold(*listed),))
