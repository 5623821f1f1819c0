"""Linear operators over a graph's edges: adjacency, normalised, as weights; and their dense twins."""

from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Float, Float64

from experiments.kits.graph.convert import assembled
from experiments.kits.graph.segments import GraphsTuple, segment_sum
from ntkexec.errors import ExperimentError

How = Literal["sym", "row", "mean", "none"]
HOWS = ("sym", "row", "mean", "none")


def num_nodes(graph: GraphsTuple) -> int:
    """The number of nodes, from `n_node`, which must not be traced."""
    return int(np.asarray(graph.n_node).sum())


def normalised(graph: GraphsTuple, *, how: How = "sym", self_loops: bool = True) -> GraphsTuple:
    """The same nodes under a normalised adjacency, whose entries are the edges' weights.

    Runs in NumPy in double precision, once, before anything is compiled.

    Args:
        graph: `edges` are weights, or None for ones.
        how: with w the weights after self-loops, for an edge from u to v:
            `sym` w / sqrt(what u sends in all times what v receives in all);
            `row` w / what v receives in all, so that rows of the matrix sum to one;
            `mean` w / the number of edges that arrive at v;
            `none` w.
        self_loops: adds one of weight 1 to each node that has none.

    Returns:
        The graph with float64 weights, its edges sorted by receiver. A node without edges keeps a
        row of zeros.

    Raises:
        ExperimentError: `how` is none of the four, or a weight is negative where degrees divide.
    """
    if how not in HOWS:
        raise ExperimentError(f"{how!r} is none of {', '.join(HOWS)}")
    n = num_nodes(graph)
    senders, receivers = np.asarray(graph.senders), np.asarray(graph.receivers)
    weights = _weights(graph)
    if self_loops:
        missing = np.setdiff1d(np.arange(n), senders[senders == receivers])
        senders, receivers = np.r_[senders, missing], np.r_[receivers, missing]
        weights = np.r_[weights, np.ones(len(missing))]
    if how in ("sym", "row") and (weights < 0).any():
        raise ExperimentError(f"{how!r} divides by degrees, and a weight is {weights.min():g}")
    received = np.bincount(receivers, weights, n)[receivers]
    if how == "sym":
        scale = np.sqrt(np.bincount(senders, weights, n)[senders] * received)
    elif how == "row":
        scale = received
    elif how == "mean":
        scale = np.bincount(receivers, minlength=n)[receivers].astype(np.float64)
    else:
        scale = np.ones_like(weights)
    scaled = np.divide(weights, scale, out=np.zeros_like(weights), where=scale > 0)
    return assembled(graph.nodes, senders, receivers, scaled)


def propagate(graph: GraphsTuple, x: Float[Array, "n *c"]) -> Float[Array, "n *c"]:
    """Each node's sum over arriving edges of weight times the sender's row: the operator times `x`.

    Args:
        graph: `edges` are weights (E,), or None for ones; as `normalised` gives it.
        x: one row a node.
    """
    sent = jax.numpy.asarray(x)[graph.senders]
    if graph.edges is not None:
        weights = jax.numpy.asarray(graph.edges)
        sent = weights.reshape(-1, *(1,) * (sent.ndim - 1)).astype(sent.dtype) * sent
    return segment_sum(sent, graph.receivers, x.shape[0])


def to_scipy(graph: GraphsTuple) -> Any:
    """The operator as a SciPy CSR array of doubles: entry (i, j) is what i receives from j."""
    from scipy import sparse

    n = num_nodes(graph)
    positions = (np.asarray(graph.receivers), np.asarray(graph.senders))
    return sparse.csr_array(sparse.coo_array((_weights(graph), positions), shape=(n, n)))


def dense(graph: GraphsTuple) -> Float64[np.ndarray, "n n"]:
    """The operator as a matrix of doubles, for tests and small spectra."""
    matrix: np.ndarray = to_scipy(graph).toarray()
    return matrix


def _weights(graph: GraphsTuple) -> Float64[np.ndarray, " e"]:
    if graph.edges is None:
        return np.ones(len(np.asarray(graph.senders)))
    weights = np.asarray(graph.edges, np.float64)
    if weights.ndim != 1:
        raise ExperimentError(
            f"weights of edges have one axis, and these have shape {weights.shape}"
        )
    return weights
