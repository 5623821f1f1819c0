"""Which graphs a test tells apart: colour refinement of nodes (1-WL) and of pairs (2-FWL), vectors.

Colours are shared by all graphs of one call, so that those of two graphs can be compared. A graph's
`features` are not looked at; its labels are.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64, Num
from scipy.spatial import cKDTree

from experiments.data.graph_sets import Graph
from ntkexec.errors import ExperimentError

Colours: TypeAlias = tuple[np.ndarray, ...]
"""One array of int64 a graph: (n,) of nodes, or (n, n) of ordered pairs."""

# Prime, and with sums of up to 1,000 products of two remainders below 2^53: exact in float64.
PRIME = 2_097_143
LARGEST = 1000
"""Nodes of a graph for which sums of products are exact."""


def wl_colours(graphs: Sequence[Graph], *, rounds: int | None = None) -> Colours:
    """Stable colours of nodes under 1-WL, from degrees, node labels and edge labels; exact.

    Args:
        graphs: refined together.
        rounds: at most; until nothing changes where none is given.

    Returns:
        Colours of each graph's nodes, int64 of shape (n,).

    Source: Weisfeiler and Leman, 1968; the bound of message passing in Xu et al., arXiv:1810.00826.
    """
    if not graphs:
        return ()
    starts = np.cumsum([0, *(graph.num_nodes for graph in graphs)])
    edges = np.concatenate([g.edges + start for g, start in zip(graphs, starts, strict=False)])
    kinds = np.concatenate([_edge_labels(graph) for graph in graphs])
    receivers, senders = np.concatenate([edges, edges[:, ::-1]]).T
    order = np.argsort(receivers, kind="stable")
    senders, kinds = senders[order], np.tile(kinds, 2)[order]
    degrees = np.bincount(receivers, minlength=starts[-1])
    firsts = np.cumsum(degrees) - degrees
    colours = np.concatenate([_node_labels(graph) for graph in graphs])
    colours = _joined(colours, degrees)
    done = 0
    while rounds is None or done < rounds:
        around = _joined(kinds, colours[senders])
        refined, offset = np.empty_like(colours), 0
        for degree in np.unique(degrees):
            nodes = np.flatnonzero(degrees == degree)
            columns = np.sort(around[firsts[nodes, None] + np.arange(degree)], axis=1)
            found = _joined(colours[nodes], *columns.T)
            refined[nodes], offset = found + offset, offset + _number(found)
        stable = _number(refined) == _number(colours)
        colours, done = refined, done + 1
        if stable:
            break
    return tuple(np.split(colours, starts[1:-1]))


def fwl2_colours(
    graphs: Sequence[Graph], *, generator: np.random.Generator, rounds: int | None = None
) -> Colours:
    """Stable colours of ordered pairs of nodes under folklore 2-WL (the same power as 3-WL).

    The multiset of `(c(u, w), c(w, v))` over w is known by four sums of products of random numbers,
    exact in integers modulo a prime. So pairs of nodes that get different colours do differ; any two
    that differ get one colour with a probability below 2^-79 a round.

    Args:
        graphs: refined together, of at most 1,000 nodes each.
        generator: of the random numbers.
        rounds: at most; until nothing changes where none is given.

    Returns:
        Colours of each graph's pairs, int64 of shape (n, n). Graphs of different sizes share none.

    Raises:
        ExperimentError: a graph is larger.

    Source: Cai, Fuerer and Immerman, 1992; Maron et al., arXiv:1905.11136, whose PPGN is bounded by it.
    """
    if (largest := max((graph.num_nodes for graph in graphs), default=0)) > LARGEST:
        raise ExperimentError(f"a graph of {largest} nodes; pairs are coloured up to {LARGEST}")
    sizes = np.array([graph.num_nodes for graph in graphs], int)
    groups = [np.flatnonzero(sizes == size).tolist() for size in np.unique(sizes)]
    stacks = _numbered([tuple(np.stack([_pairs(graphs[i]) for i in g], 1)) for g in groups])
    done = 0
    while rounds is None or done < rounds:
        number = max((int(stack.max()) for stack in stacks), default=-1) + 1
        drawn = generator.integers(1, PRIME, (4, 2, number)).astype(float)
        refined = _numbered([(stack, *_sums(stack, drawn)) for stack in stacks])
        now = max((int(stack.max()) for stack in refined), default=-1) + 1
        stacks, done = refined, done + 1
        if now == number:
            break
    colours: list[np.ndarray] = [np.zeros((0, 0), np.int64)] * len(graphs)
    for group, stack in zip(groups, stacks, strict=True):
        for i, part in zip(group, stack, strict=True):
            colours[i] = part
    return tuple(colours)


def colour_classes(colours: Colours) -> Int64[np.ndarray, "G"]:
    """The class of each graph, from 0: graphs in one class have the same multiset of colours."""
    known: dict[bytes, int] = {}
    keys = [np.sort(part, axis=None).tobytes() for part in colours]
    return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)


def same_colours(
    first: Graph, second: Graph, *, colours: Callable[[Sequence[Graph]], Colours] = wl_colours
) -> bool:
    """Whether a refinement leaves two graphs the same.

    Args:
        first, second: the graphs.
        colours: `wl_colours`, or `functools.partial(fwl2_colours, generator=...)`.
    """
    classes = colour_classes(colours((first, second)))
    return bool(classes[0] == classes[1])


def undistinguished_pairs(
    vectors: Num[np.ndarray, "G"] | Num[np.ndarray, "G d"], *, tolerance: float = 0.0
) -> int:
    """How many of the G (G - 1) / 2 pairs of vectors lie within a tolerance of each other.

    Not pair by pair: equal rows are grouped by sorting, and others found by a k-d tree.

    Args:
        vectors: a row (or a number, such as a class) for each graph. Whole numbers are compared exactly.
        tolerance: the largest difference of one entry at which two rows count as the same.

    Raises:
        ExperimentError: numbers that are not finite, a tolerance below 0, or one for whole numbers.
    """
    rows = np.asarray(vectors)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if not tolerance >= 0 or (rows.dtype.kind in "biu" and tolerance):
        raise ExperimentError(
            f"a tolerance of {tolerance:g} for {rows.dtype}; whole numbers need 0"
        )
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise ExperimentError("vectors that are not finite are neither the same nor apart")
    if not rows.size:
        return len(rows) * (len(rows) - 1) // 2
    single, counts = np.unique(rows, axis=0, return_counts=True)
    found = int((counts * (counts - 1)).sum()) // 2
    if tolerance and len(single) > 1:
        weights = counts.astype(float)
        tree = cKDTree(single.astype(float))
        near = tree.count_neighbors(tree, tolerance, p=np.inf, weights=(weights, weights))
        found += round((near - float((weights**2).sum())) / 2)
    return found


def _sums(stack: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each draw the sum over w of one number of c(u, w) times another of c(w, v), by blocks."""
    block = max(1, 4_000_000 // max(1, stack[0].size))
    parts = [
        [np.rint(left[part] @ right[part]).astype(np.int64) % PRIME for left, right in drawn]
        for part in (stack[i : i + block] for i in range(0, len(stack), block))
    ]
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _numbered(groups: Sequence[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """One colour from 0 for each different tuple of entries; groups share none."""
    made, offset = [], 0
    for columns in groups:
        found = _joined(*columns)
        made.append(found + offset)
        offset += _number(found)
    return made


def _joined(*columns: np.ndarray) -> np.ndarray:
    """Numbers from 0 for the rows of these columns: equal exactly where all columns are."""
    shape = columns[0].shape
    ranks = [_ranks(column.ravel()) for column in columns]
    found = ranks[0]
    for rank in ranks[1:]:
        found = _ranks(found * (_number(rank) or 1) + rank)
    return found.reshape(shape)


def _ranks(column: np.ndarray) -> np.ndarray:
    return np.unique(column, return_inverse=True)[1].astype(np.int64)


def _number(ranks: np.ndarray) -> int:
    return int(ranks.max()) + 1 if ranks.size else 0


def _pairs(graph: Graph) -> np.ndarray:
    """(3, n, n): whether two nodes are one, joined (by which label) or neither; the labels of both."""
    n, labels = graph.num_nodes, _node_labels(graph)
    kinds = np.zeros((n, n), np.int64)
    for u, v in (graph.edges.T, graph.edges[:, ::-1].T):
        kinds[u, v] = _edge_labels(graph) + 2
    np.fill_diagonal(kinds, 1)
    return np.stack([kinds, *np.broadcast_arrays(labels[:, None], labels[None, :])])


def _node_labels(graph: Graph) -> np.ndarray:
    labels = graph.node_labels
    return np.zeros(graph.num_nodes, np.int64) if labels is None else labels


def _edge_labels(graph: Graph) -> np.ndarray:
    labels = graph.edge_labels
    return np.zeros(len(graph.edges), np.int64) if labels is None else labels
