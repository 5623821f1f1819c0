"""What algorithms have in common before they run: sources, sizes, distances, the reference's graph."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
import numpy as np
from jaxtyping import Bool, Int, Int32

from ntkexec.errors import GraphError, ProgramError
from ntkexec.graphs import Graph
from ntkexec.graphs.ports import heard_at
from ntkexec.program.fields import INVALID
from ntkexec.program.work import Work
from ntkexec.programs.instance import Instance

if TYPE_CHECKING:
    import scipy.sparse

FEW_EDGES = 20_000
"""Up to so many edges a search in Python takes less time than SciPy's import, a quarter of a second."""


def source_indices(
    graph: Graph, source: Hashable | None, sources: Sequence[Hashable] | None
) -> list[int]:
    """Sources by name as indices; the first node if none is given.

    Raises:
        GraphError: an unknown source, or both `source` and `sources`.
    """
    if source is not None and sources is not None:
        raise GraphError("give either source or sources, not both")
    if sources is None:
        return [0] if source is None else [graph.index(source)]
    return [graph.index(name) for name in sources]


def check_sources(graph: Graph, sources: Sequence[int]) -> None:
    """Raises GraphError unless there is a source and all are nodes of the graph."""
    if len(sources) == 0:
        raise GraphError("at least one source is needed")
    if not 0 <= min(sources) <= max(sources) < graph.num_nodes:
        raise GraphError(f"sources {list(sources)} are not all nodes 0 to {graph.num_nodes - 1}")


def is_source(graph: Graph, sources: Sequence[int]) -> Bool[np.ndarray, "n"]:
    """Which nodes are sources."""
    found = np.zeros(graph.num_nodes, bool)
    found[np.asarray(sources)] = True
    return found


def adjacency(graph: Graph) -> "scipy.sparse.csr_array":
    """Ones at (sender, receiver), over the whole batch; shape (n, n)."""
    from scipy.sparse import csr_array

    starts, indices = _rows(graph)
    return csr_array((np.ones(len(indices)), indices, starts), shape=(graph.num_nodes,) * 2)


def _rows(graph: Graph) -> tuple[Int[np.ndarray, "n+1"], Int32[np.ndarray, "e"]]:
    """Where the receivers of every sender begin, and all of them."""
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    if graph.directed:
        order = np.argsort(senders, kind="stable")
        senders, receivers = receivers[order], senders[order]
    # Symmetric, and sorted by receiver and then by sender: its rows as they stand.
    counts = np.bincount(receivers, minlength=graph.num_nodes)
    return np.append(0, np.cumsum(counts)), senders


def rounds_needed(graph: Graph, sources: Sequence[int]) -> int:
    """The largest finite distance from the sources: rounds until the last node is reached."""
    if len(graph.tuple.senders) <= FEW_EDGES:
        return _rounds_level_by_level(graph, sources)
    from scipy.sparse import csgraph, csr_array

    starts, indices = _rows(graph)
    start = graph.num_nodes
    # One more node, from which all sources are one step away.
    indices = np.append(indices, np.asarray(sources, indices.dtype))
    starts = np.append(starts, len(indices)).astype(indices.dtype)
    joined = csr_array((np.ones(len(indices)), indices, starts), shape=(start + 1, start + 1))
    order, before = csgraph.breadth_first_order(joined, start)
    # The order is by distance, so the last node is a farthest one.
    node, rounds = int(order[-1]), -1
    while node != start:
        node, rounds = int(before[node]), rounds + 1
    return rounds


def _rounds_level_by_level(graph: Graph, sources: Sequence[int]) -> int:
    receivers: list[list[int]] = [[] for _ in range(graph.num_nodes)]
    edges = (graph.tuple.senders, graph.tuple.receivers)
    for sender, receiver in zip(*(np.asarray(ends).tolist() for ends in edges), strict=True):
        receivers[sender].append(receiver)
    level = reached = {int(source) for source in sources}
    rounds = -1
    while level:
        level = {receiver for sender in level for receiver in receivers[sender]} - reached
        reached |= level
        rounds += 1
    return rounds


class Extents(NamedTuple):
    """What a search in one component from one source meets, for every component with a source.

    nodes: its number of nodes; shape (c,).
    eccentricities: the source's largest distance; shape (c,).
    sourced: whether a node's component has a source; shape (n,).
    """

    nodes: Int[np.ndarray, "c"]
    eccentricities: Int[np.ndarray, "c"]
    sourced: Bool[np.ndarray, "n"]


def component_extents(algorithm: str, graph: Graph, sources: Sequence[int]) -> Extents:
    """The sizes of the components that are searched.

    Raises:
        GraphError: two sources are connected.
    """
    from scipy.sparse import csgraph

    edges = adjacency(graph)
    _, component = csgraph.connected_components(edges, directed=False)
    found, first, count = np.unique(component[list(sources)], return_index=True, return_counts=True)
    if (count > 1).any():
        double = found[count > 1][0]
        names = [graph.names[s] for s in sources if component[s] == double]
        raise GraphError(
            f"{algorithm} takes one source for every component of graph {graph.label!r}; "
            f"{names[0]!r} and {names[1]!r} are connected"
        )
    distances = csgraph.dijkstra(
        edges, indices=[sources[i] for i in first], unweighted=True, min_only=True
    )
    reached = np.isfinite(distances)
    farthest = np.zeros(component.max() + 1)
    np.maximum.at(farthest, component[reached], distances[reached])
    return Extents(
        np.bincount(component)[found], farthest[found].astype(int), np.isin(component, found)
    )


def check_undirected(algorithm: str, graph: Graph) -> None:
    """Raises GraphError if the graph is directed."""
    if graph.directed:
        raise GraphError(
            f"{algorithm} passes a token back along edges, but graph {graph.label!r} is directed"
        )


def bits_for(largest: int) -> int:
    """The least number of bits that holds 0 to `largest`; at least 1."""
    return max(1, largest.bit_length())


def place_bits(degree: int, slots: int) -> int:
    """Bits, and templates, that hold a node's own colour and those of the neighbours at its ports."""
    return (max(1, degree) + 1) * slots.bit_length()


def sizes_for(
    graph: Graph, needed: Mapping[str, int], given: Mapping[str, int] | None
) -> dict[str, int]:
    """The sizes of the program: those that are given, if the graph fits, or the least that fit.

    Raises:
        ProgramError: another set of sizes, or one that is too small; says what would fit.
    """
    if not given:
        return dict(needed)
    if given.keys() != needed.keys():
        raise ProgramError(f"the program's sizes are {', '.join(needed)}, not {', '.join(given)}")
    for name, least in needed.items():
        if given[name] < least:
            raise ProgramError(
                f"graph {graph.label!r} needs {name} of at least {least}, the program has {given[name]}"
            )
    return dict(given)


def index_graph(graph: Graph) -> nx.DiGraph:
    """The graph on indices, with an edge each way where it is undirected; a batch as one graph."""
    edges = nx.DiGraph()
    edges.add_nodes_from(range(graph.num_nodes))
    edges.add_edges_from(
        zip(graph.tuple.senders.tolist(), graph.tuple.receivers.tolist(), strict=True)
    )
    return edges


def as_columns(by_node: Mapping[Any, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """An answer by node as arrays by field."""
    rows = [by_node[node] for node in range(len(by_node))]
    return {field: np.array([row[field] for row in rows]) for field in rows[0]}


def parents(graph: Graph, ports: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """The neighbours (indices) at the ports that nodes chose; -1 where they chose none.

    `INVALID` where they chose several, or a port without a neighbour.

    Args:
        graph: one graph or a batch.
        ports: the choice of every node, as read off its state.
    """
    neighbours = heard_at(graph, np.maximum(ports, 0))
    return np.where(ports < 0, ports, np.where(neighbours < 0, INVALID, neighbours))


def degree_and_word(
    algorithm: str,
    *,
    degree: int | None = None,
    word: int | None = None,
    slots: int | None = None,
) -> dict[str, int]:
    """The sizes of a program with numbers of one length, for every graph of a degree.

    Args:
        algorithm: its name, for messages.
        degree: D, most neighbours of a node.
        word: bits of its numbers.
        slots: colours; by default D^2 + 1, which a two-hop colouring never exceeds.

    Raises:
        ProgramError: degree or word is missing.
    """
    if degree is None or word is None:
        raise ProgramError(f"{algorithm} without a graph needs --degree and --word")
    return {"degree": degree, "slots": degree**2 + 1 if slots is None else slots, "word": word}


def degree_only(
    algorithm: str,
    *,
    degree: int | None = None,
    word: int | None = None,
    slots: int | None = None,
) -> dict[str, int]:
    """The sizes of a program without numbers: as `degree_and_word`, with a word of one bit.

    Raises:
        ProgramError: degree is missing, or a word is given.
    """
    if degree is None:
        raise ProgramError(f"{algorithm} without a graph needs --degree")
    if word is not None:
        raise ProgramError(f"{algorithm} has no numbers; only --degree and --slots are its sizes")
    return degree_and_word(algorithm, degree=degree, word=1, slots=slots)


def from_sources(
    instance: Callable[..., Instance],
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
) -> Instance:
    """An instance on a single graph whose only input is where to start, nodes by name.

    Args:
        instance: `instance(graph, *, sources, sizes)`, sources as indices.
        graph: where.
        sizes: sizes of the program, if they are given; by default the least that fit.
        source: the node to start from; by default the first.
        sources: several such nodes, instead of `source`.

    Raises:
        GraphError: an unknown source, both `source` and `sources`, or what `instance` refuses.
    """
    indices = source_indices(graph, source, sources)
    return instance(graph, sources=indices, sizes=sizes)


def work_from_sources(
    work: Callable[..., Work],
    graph: Graph,
    *,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
) -> Work:
    """What a run does whose only input is where to start, nodes by name; as `from_sources`.

    Args:
        work: `work(graph, *, sources)`, sources as indices.
    """
    return work(graph, sources=source_indices(graph, source, sources))
