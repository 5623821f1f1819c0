"""Graphs as `jraph.GraphsTuple`, from lists of edges, networkx and SciPy.

Every graph here is ONE graph: `nodes` are the features (n, F), `edges` None or weights (E,),
`senders` and `receivers` (E,) the directed edges sorted by receiver, an undirected edge both ways.
"""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Int, Shaped

from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    import networkx as nx


def from_edges(
    edges: Int[np.ndarray, "m 2"], features: Any, *, directed: bool = False
) -> GraphsTuple:
    """The graph with these edges.

    Args:
        edges: pairs of nodes below n; a pair that is there twice counts once.
        features: (n, F) array, or a pytree whose leaves all have n rows, or something with a `shape`
            (n, F); it is not copied.
        directed: pairs are (sender, receiver), and nothing is added to them; otherwise each pair
            stands for both directions, and a self-loop for one.

    Raises:
        ExperimentError: names the first edge that leaves the nodes.
    """
    num_nodes = _rows(features)
    pairs = np.asarray(edges, np.int64).reshape(-1, 2)
    wrong = np.flatnonzero(((pairs < 0) | (pairs >= num_nodes)).any(1))
    if wrong.size:
        first, second = pairs[wrong[0]].tolist()
        raise ExperimentError(
            f"edge {first} - {second} leaves the nodes, which are 0 to {num_nodes - 1}"
        )
    if not directed:
        pairs = np.concatenate([pairs, pairs[:, ::-1]])
    return assembled(features, *np.unique(pairs[:, ::-1], axis=0).T[::-1])


def from_networkx(graph: "nx.Graph", features: Any = None) -> GraphsTuple:
    """A networkx graph, its nodes in its own order, weights of edges in `edges` if all have one.

    Args:
        graph: directed or not; of parallel edges the weights are added.
        features: (n, F); without them, one column of ones.
    """
    import networkx as nx

    weighted = graph.number_of_edges() > 0 and all(
        "weight" in attributes for *_, attributes in graph.edges(data=True)
    )
    matrix = nx.to_scipy_sparse_array(
        graph, dtype=np.float64, weight="weight" if weighted else None, format="coo"
    )
    found = from_scipy(matrix.T, features)
    return found if weighted else found._replace(edges=None)


def from_scipy(matrix: Any, features: Any = None) -> GraphsTuple:
    """The graph of a matrix: entry (i, j) is the weight of what node i receives from node j.

    Args:
        matrix: square, SciPy sparse; entries given twice are added, stored zeros are edges.
        features: (n, F); without them, one column of ones.

    Raises:
        ExperimentError: the matrix is not square, or has another number of nodes.
    """
    if matrix.shape[0] != matrix.shape[1]:
        raise ExperimentError(f"a graph's matrix is square, and this one is {matrix.shape}")
    if features is None:
        features = np.ones((matrix.shape[0], 1), np.float32)
    if _rows(features) != matrix.shape[0]:
        raise ExperimentError(
            f"{_rows(features)} rows of features do not fit a graph of {matrix.shape[0]} nodes"
        )
    entries = matrix.tocoo().tocsr().tocoo()  # adds what is given twice
    return assembled(features, entries.col, entries.row, entries.data)


def assembled(
    features: Any,
    senders: Int[np.ndarray, " e"],
    receivers: Int[np.ndarray, " e"],
    weights: Shaped[np.ndarray, " e"] | None = None,
) -> GraphsTuple:
    """One graph of these directed edges as they are, sorted by receiver, then by sender."""
    order = np.lexsort((senders, receivers))
    return GraphsTuple(
        nodes=features,
        edges=None if weights is None else np.asarray(weights)[order],
        senders=np.asarray(senders)[order].astype(np.int32),
        receivers=np.asarray(receivers)[order].astype(np.int32),
        n_node=np.array([_rows(features)], np.int32),
        n_edge=np.array([len(order)], np.int32),
        globals=None,
    )


def _rows(features: Any) -> int:
    # Sparse features have a shape of their own.
    leaves = jax.tree.leaves(features, is_leaf=lambda part: hasattr(part, "shape"))
    return int(leaves[0].shape[0])
