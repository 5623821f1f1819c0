"""Graphs of a million nodes, straight as arrays."""

import numpy as np

from ntkexec.errors import GraphError
from ntkexec.graphs.conversion import from_arrays
from ntkexec.graphs.graph import Graph


def grid(rows: int, columns: int) -> Graph:
    """A grid, numbered row by row, in 5 colours, the fewest that a two-hop colouring can have.

    Args:
        rows: at least 1.
        columns: at least 1.
    """
    if rows < 1 or columns < 1:
        raise GraphError(f"a grid of {rows} x {columns} has no nodes")
    index = np.arange(rows * columns).reshape(rows, columns)
    senders = np.append(index[:, :-1].ravel(), index[:-1].ravel())
    receivers = np.append(index[:, 1:].ravel(), index[1:].ravel())
    # Along a row colours count up by 1, along a column by 2: -2, -1, 0, 1 and 2 differ modulo 5.
    row, column = np.divmod(index.ravel(), columns)
    return from_arrays(
        range(rows * columns),
        senders,
        receivers,
        colours=_without_gaps((column + 2 * row) % 5),
        label=f"grid:{rows}x{columns}",
    )


def _without_gaps(colours: np.ndarray) -> np.ndarray:
    """The same colours, numbered from 0."""
    present = np.bincount(colours) > 0
    return (np.cumsum(present) - 1)[colours]


def random_regular(num_nodes: int, degree: int, *, seed: int) -> Graph:
    """A random simple graph in which every node has `degree` neighbours.

    The ends of edges are paired at random; pairs that repeat an edge or join a node to itself swap
    ends with random other pairs until there are none. The distribution is close to uniform, as the
    share of such pairs vanishes with the number of nodes.

    Args:
        num_nodes: n, more than `degree`.
        degree: D; n * D must be even.
        seed: of all draws.

    Raises:
        GraphError: there is no such graph.
    """
    if not 0 <= degree < num_nodes or num_nodes * degree % 2:
        raise GraphError(
            f"there is no graph on {num_nodes} nodes in which each has {degree} neighbours; n > d "
            "and an even n * d are needed"
        )
    label = f"random-regular:n={num_nodes},d={degree},seed={seed}"
    if 2 * degree > num_nodes:
        # So dense a graph is drawn by what it lacks; hardly any swap would fit.
        present = ~np.eye(num_nodes, dtype=bool)
        rest = random_regular(num_nodes, num_nodes - 1 - degree, seed=seed).tuple
        present[rest.senders, rest.receivers] = False
        return from_arrays(range(num_nodes), *np.nonzero(np.triu(present)), label=label)
    rng = np.random.default_rng(seed)
    ends = rng.permutation(np.repeat(np.arange(num_nodes), degree)).reshape(-1, 2)
    while len(bad := _repeated(ends, num_nodes)):
        # Two pairs swap their second ends; a swap at a time, so that none undoes another.
        for pair, other in zip(bad, rng.integers(len(ends), size=len(bad)), strict=True):
            ends[pair, 1], ends[other, 1] = ends[other, 1], ends[pair, 1]
    return from_arrays(range(num_nodes), ends[:, 0], ends[:, 1], label=label)


def _repeated(ends: np.ndarray, num_nodes: int) -> np.ndarray:
    """Indices of pairs that are loops, or the same edge as an earlier pair."""
    keys = ends.min(axis=1) * num_nodes + ends.max(axis=1)
    order = np.argsort(keys, kind="stable")
    again = order[1:][np.diff(keys[order]) == 0]
    return np.union1d(np.flatnonzero(ends[:, 0] == ends[:, 1]), again)
