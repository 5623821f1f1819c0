"""Two-hop colouring: the colour of a node is its slot in the messages of its neighbourhood."""

import functools
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import networkx as nx
import numpy as np
from jaxtyping import Int, Int32

from ntkexec.errors import ColouringError, GraphError, did_you_mean, shown
from ntkexec.graphs.colouring.one_by_one import first_free
from ntkexec.graphs.colouring.parallel import MANY_NEIGHBOURS, MAX_PAIRS, jones_plassmann
from ntkexec.graphs.nodes import ordered_nodes

if TYPE_CHECKING:
    import scipy.sparse

# Orders in which nodes choose the smallest free colour, besides `LARGEST_FIRST`. DSATUR,
# `saturation_largest_first`, often saves a colour, but it and `independent_set` take O(n^2): for
# small graphs.
STRATEGIES: dict[str, Callable[[nx.Graph, dict[int, int]], Iterable[int]]] = {
    "smallest_last": nx.coloring.strategy_smallest_last,
    "independent_set": nx.coloring.strategy_independent_set,
    "connected_sequential_bfs": nx.coloring.strategy_connected_sequential_bfs,
    "connected_sequential_dfs": nx.coloring.strategy_connected_sequential_dfs,
    "saturation_largest_first": nx.coloring.strategy_saturation_largest_first,
    "random_sequential": functools.partial(nx.coloring.strategy_random_sequential, seed=0),
}

LARGEST_FIRST = "largest_first"
PARALLEL = "parallel"

# Up to so many, sets of neighbours take less time than SciPy's import, a tenth of a second.
FEW_PAIRS = 200_000


class _SharedEdgeGraph(nx.Graph):
    """A graph whose edges share one empty attribute dictionary, which saves most of the memory."""

    _no_attributes: ClassVar[dict[str, object]] = {}

    def edge_attr_dict_factory(self) -> dict[str, object]:
        return self._no_attributes


def two_hop_colouring(graph: nx.Graph, strategy: str = "largest_first") -> dict[Hashable, int]:
    """Colours for which every closed neighbourhood is rainbow: nodes within two hops differ.

    Args:
        graph: any networkx graph; the direction of edges, their multiplicity and self-loops do not
            matter.
        strategy: the order in which nodes choose the smallest free colour, `largest_first` or one of
            `STRATEGIES`; `parallel` colours a million nodes in seconds.

    Returns:
        A colour for each node, in the order of identifiers (`nodes.ordered_nodes`), numbered from 0
        without gaps; at most `D**2 + 1` of them if every node has at most `D` neighbours. The
        same graph gets the same colours in every run, as `from_networkx` gives them.

    Raises:
        GraphError: the strategy is unknown, or the graph has too many pairs within two hops. Where D^2 + 1
            colours are as many as nodes, as with a hub of thousands, every node has one of its own instead.
    """
    names = ordered_nodes(graph)
    index = {name: i for i, name in enumerate(names)}
    ends = np.fromiter((index[v] for u, w in graph.edges() for v in (u, w)), np.int64)
    colours = colour_edges(len(names), ends[::2], ends[1::2], strategy)
    return dict(zip(names, colours.tolist(), strict=True))


def colour_edges(
    num_nodes: int,
    senders: Int[np.ndarray, "e"],
    receivers: Int[np.ndarray, "e"],
    strategy: str = "largest_first",
) -> Int32[np.ndarray, "n"]:
    """`two_hop_colouring` of a graph given as arrays.

    Args:
        num_nodes: number of nodes.
        senders: one end of each edge; an edge may be given once or in both directions.
        receivers: the other end.
        strategy: `largest_first`, one of `STRATEGIES`, or `parallel`, for large graphs (`jones_plassmann`).

    Raises:
        GraphError: as `two_hop_colouring`.
    """
    if strategy == PARALLEL:
        return jones_plassmann(num_nodes, senders, receivers)
    if strategy != LARGEST_FIRST and strategy not in STRATEGIES:
        known = (LARGEST_FIRST, *STRATEGIES, PARALLEL)
        raise GraphError(
            f"strategy {shown(strategy)} is unknown; a two-hop colouring takes one of "
            f"{', '.join(known)}{did_you_mean(str(strategy), known)}"
        )
    if strategy == LARGEST_FIRST and _few_pairs(num_nodes, senders, receivers):
        return _largest_first_of_few(num_nodes, senders, receivers)
    adjacency = _adjacency(num_nodes, senders, receivers)
    if _num_pairs(adjacency) > MAX_PAIRS:
        return _one_each(adjacency)
    if strategy == LARGEST_FIRST:
        return _largest_first(adjacency)
    square = _SharedEdgeGraph()
    square.add_nodes_from(range(num_nodes))
    square.add_edges_from(_pairs_within_two_hops(adjacency))
    colours = nx.greedy_color(square, STRATEGIES[strategy])
    return np.fromiter((colours[node] for node in range(num_nodes)), np.int32, num_nodes)


def check_two_hop_colouring(graph: nx.Graph, colours: Mapping[Hashable, int]) -> None:
    """Raises unless nodes within two hops, in the underlying undirected graph, have other colours.

    Args:
        graph: any networkx graph.
        colours: a colour for each node.

    Raises:
        ColouringError: names both nodes, the colour they share and where they meet, or the node
            that has no colour.
    """
    for node in graph:
        if node not in colours:
            raise ColouringError(f"node {shown(node)} has no colour; every node needs one")
    for centre in graph:
        owner = {colours[centre]: centre}
        for node in nx.all_neighbors(graph, centre):
            other = owner.setdefault(colours[node], node)
            if other != node:
                meeting = (
                    "are adjacent" if other == centre else f"are both neighbours of {shown(centre)}"
                )
                raise ColouringError(
                    f"nodes {shown(other)} and {shown(node)} share colour {shown(colours[node])} "
                    f"and {meeting}; "
                    f"nodes within two hops must differ"
                )


def check_colours(
    num_nodes: int,
    senders: Int[np.ndarray, "e"],
    receivers: Int[np.ndarray, "e"],
    colours: Int[np.ndarray, "n"],
) -> None:
    """`check_two_hop_colouring` of a graph given as arrays, its nodes called by their identifiers.

    Args:
        num_nodes: number of nodes.
        senders: one end of each edge, each edge in both directions or in one.
        receivers: the other end.
        colours: of every node.

    Raises:
        ColouringError: a colour is negative or missing, or nodes within two hops share one.
    """
    if len(colours) != num_nodes or (num_nodes and colours.min() < 0):
        raise ColouringError(f"{num_nodes} nodes need as many colours, numbered from 0")
    own = np.arange(num_nodes)
    centres = np.concatenate([senders, receivers, own]).astype(np.int64)
    members = np.concatenate([receivers, senders, own])
    # An edge may be given twice: every member of a neighbourhood counts once.
    seen = np.sort(centres * num_nodes + members)
    seen = seen[np.append(True, np.diff(seen) > 0)[: len(seen)]]
    centres, members = seen // num_nodes, seen % num_nodes
    keys = centres * (int(colours.max(initial=0)) + 1) + colours[members]
    order = np.argsort(keys, kind="stable")
    equal = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(equal):
        first, second = members[order[equal[0] : equal[0] + 2]]
        raise ColouringError(
            f"nodes {first} and {second}, both within one hop of {centres[order[equal[0]]]}, share "
            f"colour {colours[first]}; nodes within two hops must differ"
        )


def _num_pairs(adjacency: "scipy.sparse.csr_array") -> int:
    """At most so many pairs of nodes lie within two hops."""
    degrees = np.diff(adjacency.indptr).astype(np.int64)
    return min(int(np.sum(degrees**2)), len(degrees) ** 2)


def _one_each(adjacency: "scipy.sparse.csr_array") -> Int32[np.ndarray, "n"]:
    """A colour of its own for every node, where that is within D^2 + 1: of a graph with a large hub.

    No program has so many slots; but the graph can be split, which needs no colours of it.

    Raises:
        GraphError: D^2 + 1 is less.
    """
    num_nodes, degree = adjacency.shape[0], int(np.diff(adjacency.indptr).max())
    if num_nodes > degree**2 + 1:
        raise GraphError(
            f"a graph of {num_nodes} nodes with largest degree {degree} has up to "
            f"{_num_pairs(adjacency)} pairs within two hops; a two-hop colouring takes at most {MAX_PAIRS}"
        )
    return np.arange(num_nodes, dtype=np.int32)


def _largest_first(adjacency: "scipy.sparse.csr_array") -> Int32[np.ndarray, "n"]:
    """Nodes with most others within two hops choose first, among equals the smallest identifier.

    What `networkx.greedy_color` gives on the square graph, of which only the degrees are formed.
    """
    order = np.argsort(-_num_others(adjacency), kind="stable")
    starts, members = adjacency.indptr.tolist(), adjacency.indices.tolist()
    return first_free(order.tolist(), lambda node: members[starts[node] : starts[node + 1]])


def _num_others(adjacency: "scipy.sparse.csr_array") -> Int[np.ndarray, "n"]:
    """By node how many others lie within two hops."""
    degrees = np.diff(adjacency.indptr)
    some = alike = np.arange(len(degrees))
    if degrees.max(initial=0) >= MANY_NEIGHBOURS:
        # Those with the same neighbours, such as the leaves of a hub, have equally many: one of them
        # is counted. Should the sums of others meet by chance, some node has another one's turn.
        marks = np.random.default_rng(0).integers(1 << 62, size=len(degrees), dtype=np.uint64)
        _, some, alike = np.unique(adjacency @ marks, return_index=True, return_inverse=True)
    rows = adjacency[some]
    within = np.diff((rows @ adjacency + rows).indptr)
    # Whoever has a neighbour lies within two hops of itself.
    return within[alike] - (degrees > 0)


def _few_pairs(
    num_nodes: int, senders: Int[np.ndarray, "e"], receivers: Int[np.ndarray, "e"]
) -> bool:
    """Whether so few pairs of nodes lie within two hops that SciPy's import would take longer."""
    ends = np.concatenate([senders, receivers]).astype(np.int64)
    degrees = np.bincount(ends, minlength=num_nodes)
    return int(np.sum(degrees**2)) <= min(FEW_PAIRS, MAX_PAIRS)


def _largest_first_of_few(
    num_nodes: int, senders: Int[np.ndarray, "e"], receivers: Int[np.ndarray, "e"]
) -> Int32[np.ndarray, "n"]:
    """`_largest_first` without a matrix."""
    around: list[set[int]] = [set() for _ in range(num_nodes)]
    for one, other in zip(
        np.asarray(senders).tolist(), np.asarray(receivers).tolist(), strict=True
    ):
        around[one].add(other)
        around[other].add(one)
    others = [
        len(near.union(*(around[other] for other in near)) - {node})
        for node, near in enumerate(around)
    ]
    order = sorted(range(num_nodes), key=lambda node: -others[node])
    return first_free(order, around.__getitem__)


def _pairs_within_two_hops(adjacency: "scipy.sparse.csr_array") -> Iterable[tuple[int, int]]:
    """Each unordered pair of distinct nodes at distance one or two, once."""
    import scipy.sparse  # here, so that importing the package stays light

    square = scipy.sparse.triu(adjacency @ adjacency + adjacency, k=1, format="coo")
    # In the order of rows, so that the colours do not depend on the order of the edges.
    order = np.lexsort((square.col, square.row))
    return zip(square.row[order].tolist(), square.col[order].tolist(), strict=True)


def _adjacency(
    num_nodes: int, senders: Int[np.ndarray, "e"], receivers: Int[np.ndarray, "e"]
) -> "scipy.sparse.csr_array":
    """The symmetric adjacency matrix."""
    import scipy.sparse

    ends = (np.concatenate([senders, receivers]), np.concatenate([receivers, senders]))
    # Booleans, since counts would overflow a small type and cost memory in a large one.
    return scipy.sparse.csr_array((np.ones(len(ends[0]), bool), ends), shape=(num_nodes, num_nodes))
