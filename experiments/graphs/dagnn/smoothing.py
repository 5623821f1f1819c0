"""What many hops do to a graph's features: where they end, how fast, and how alike rows become.

SciPy is imported where it is used: who wants the network alone need not wait for it.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Shaped

from experiments.kits.graph.operators import normalised, to_scipy
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

# Rows whose distances to all others are held at once.
CHUNK = 1024


def smoothness(x: Float[np.ndarray, "n C"]) -> float:
    """The paper's SMV: half the mean distance of two different rows, each scaled to length 1.

    Returns:
        0 if all rows point one way, at most 1. Rows of zeros point nowhere and are left out; of
        fewer than two others it is not a number.

    Source: Liu, Gao and Ji, arXiv:2007.09296, equations 2 to 4.
    """
    from scipy.spatial.distance import cdist

    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    rows = np.asarray(x, np.float64)[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]
    if len(rows) < 2:
        return float("nan")
    total = sum(cdist(rows[i : i + CHUNK], rows).sum() for i in range(0, len(rows), CHUNK))
    return float(total) / (2 * len(rows) * (len(rows) - 1))


def stationary_limit(
    graph: GraphsTuple, x: Shaped[np.ndarray, "n C"], *, how: Literal["sym", "row"] = "sym"
) -> Float64[np.ndarray, "n C"]:
    """What `x` becomes under infinitely many hops, in closed form and in linear time.

    With d the degrees with self-loops, a connected graph's limit is sqrt(d) sqrt(d)' / sum(d) for
    `sym` and 1 d' / sum(d) for `row`; each component has its own.

    Args:
        graph: undirected, with weights or without; self-loops are added where there are none.
        x: one row a node.
        how: of the normalisation.

    Raises:
        ExperimentError: an edge has no way back of the same weight.

    Source: Liu, Gao and Ji, arXiv:2007.09296, theorems 3.1 and 3.2.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    matrix = to_scipy(normalised(graph, how="none"))
    if abs(matrix - matrix.T).max() > 0:
        raise ExperimentError(
            "the limit is that of undirected graphs, and this one has one-way edges"
        )
    degrees = np.asarray(matrix.sum(1)).reshape(-1)
    number, component = connected_components(matrix, directed=False)
    n = len(degrees)
    members = sparse.csr_array((np.ones(n), (component, np.arange(n))), shape=(number, n))
    left, right = (np.sqrt(degrees),) * 2 if how == "sym" else (np.ones(n), degrees)
    means = members @ (right[:, None] * np.asarray(x, np.float64)) / (members @ degrees)[:, None]
    return left[:, None] * means[component]


def second_eigenvalue(graph: GraphsTuple, *, seed: int = 0) -> float:
    """The rate |lambda_2| of convergence to the limit: each hop leaves that share of the distance.

    It is the largest magnitude of an eigenvalue whose eigenvector is not part of the limit.

    Args:
        graph: as for `stationary_limit`.
        seed: of the vector that the Lanczos iteration begins with.
    """
    from scipy.sparse.linalg import LinearOperator, eigsh

    operator = to_scipy(normalised(graph))
    n = operator.shape[0]
    if n < 8:
        limit = stationary_limit(graph, np.eye(n))
        return float(np.abs(np.linalg.eigvalsh(operator.toarray() - limit)).max())

    def without_limit(v: np.ndarray) -> np.ndarray:
        column = v.reshape(n, 1)
        return operator @ column - stationary_limit(graph, column)

    start = np.random.default_rng(seed).normal(size=n)
    rest = LinearOperator((n, n), matvec=without_limit, dtype=np.float64)
    found = eigsh(rest, 1, which="LM", v0=start, return_eigenvectors=False)
    return float(abs(found[0]))
