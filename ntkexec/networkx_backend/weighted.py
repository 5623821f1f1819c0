"""Distances by weight: integers, negative ones too."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import networkx as nx

from ntkexec.graphs import Graph, from_networkx
from ntkexec.networkx_backend.calls import Answer, Call
from ntkexec.programs.graph import bellman_ford, bellman_ford_split
from ntkexec.programs.reference import NONE
from ntkexec.result import Result

Length = Callable[[Hashable, Hashable], Any]
"""`length(u, v)`: of the edge from u to v; Any, since a caller's function gives it."""


def lengths_of(graph: nx.Graph, weight: Any, *, against: bool = False) -> Length:
    """The lengths of edges as networkx means them.

    Args:
        graph: any; of parallel edges the shortest counts.
        weight: the attribute, 1 where there is none, or a function of both ends and their edge's data.
        against: the edges of a directed graph turned round, which is how the function gets them too.
    """
    adjacency = graph.pred if against else graph.adj
    if callable(weight):
        return lambda u, v: weight(u, v, adjacency[u][v])
    if graph.is_multigraph():
        return lambda u, v: min(data.get(weight, 1) for data in adjacency[u][v].values())
    return lambda u, v: adjacency[u][v].get(weight, 1)


def converted(call: Call, weight: Any, *, reverse: bool = False) -> Graph:
    """The graph as programs take it, with weights; loops are dropped, of which negative ones count."""
    against = reverse and call.graph.is_directed()
    length = lengths_of(call.graph, weight, against=against)
    plain = nx.DiGraph() if call.graph.is_directed() else nx.Graph()
    plain.add_nodes_from(call.nodes)
    for node in call.nodes:
        for other in call.graph.adj[node]:
            ends = (other, node) if against else (node, other)
            plain.add_edge(*ends, weight=int(length(*ends)))
    return from_networkx(
        plain, weight="weight", port_order="adjacency", self_loops="drop", label=call.label
    )


def searched(
    call: Call, sources: Iterable[Hashable], weight: Any, *, reverse: bool = False
) -> tuple[dict[Hashable, int], dict[Hashable, Hashable], Result]:
    """Distances of the nodes that are reached, nearest first, and the parents of those that have one.

    Raises:
        NetworkXUnbounded: a negative cycle is reached.
    """
    graph = converted(call, weight, reverse=reverse)
    programs = bellman_ford.instance, bellman_ford_split.instance
    result = call.run(call.instance(*programs, graph, sources=call.indices(sources)))
    if any(call.column(result, "negative_cycle")):
        raise nx.NetworkXUnbounded("Negative cycle detected.")
    distance, parent = call.column(result, "distance"), call.column(result, "parent")
    nearest = sorted((d, i) for i, d in enumerate(distance) if d != NONE)
    names = graph.names
    return (
        {names[i]: d for d, i in nearest},
        {names[i]: names[parent[i]] for _, i in nearest if parent[i] >= 0},
        result,
    )


def lengths(
    call: Call, sources: Iterable[Hashable], weight: Any, *, reverse: bool = False
) -> Answer:
    """The distances alone."""
    distance, _, result = searched(call, sources, weight, reverse=reverse)
    return Answer(distance, result)


def paths(
    call: Call, source: Hashable, weight: Any
) -> tuple[dict[Hashable, int], dict[Hashable, list[Hashable]], Result]:
    """Distances, and a shortest path to every node that is reached."""
    distance, parent, result = searched(call, [source], weight)
    found: dict[Hashable, list[Hashable]] = {source: [source]}
    for node in distance:
        # Along edges of length 0 a parent may come later in the order of distances.
        missing = [node]
        while missing[-1] not in found:
            missing.append(parent[missing[-1]])
        for above, below in zip(missing[::-1], missing[-2::-1], strict=False):
            found[below] = [*found[above], below]
    return distance, {node: found[node] for node in distance}, result


def single_source_bellman_ford_path_length(call: Call, source: Hashable, weight: Any) -> Answer:
    """As networkx's function of this name, like all that follow."""
    _check(call, source, f"Source {source} not in G")
    return lengths(call, [source], weight)


def all_pairs_bellman_ford_path_length(
    call: Call, weight: Any
) -> Iterator[tuple[Hashable, Answer]]:
    return iter([(node, lengths(call, [node], weight)) for node in call.nodes])


def single_source_bellman_ford_path(call: Call, source: Hashable, weight: Any) -> Answer:
    _check(call, source, f"Source {source} not in G")
    _, found, result = paths(call, source, weight)
    return Answer(found, result)


def single_source_bellman_ford(
    call: Call, source: Hashable, target: Any, weight: Any
) -> tuple[Any, Any]:
    if source == target:
        _check(call, source, f"Node {source} is not found in the graph")
        return 0, [source]
    _check(call, source, f"Source {source} not in G")
    distance, found, result = paths(call, source, weight)
    if target is None:
        return Answer(distance, result), Answer(found, result)
    if target not in distance:
        raise nx.NetworkXNoPath(f"Node {target} not reachable from {source}")
    return distance[target], found[target]


def bellman_ford_path(
    call: Call, source: Hashable, target: Hashable, weight: Any
) -> list[Hashable]:
    path: list[Hashable] = single_source_bellman_ford(call, source, target, weight)[1]
    return path


def bellman_ford_path_length(call: Call, source: Hashable, target: Hashable, weight: Any) -> int:
    length: int = single_source_bellman_ford(call, source, target, weight)[0]
    return length


def bellman_ford_predecessor_and_distance(
    call: Call, source: Hashable, target: Any, weight: Any, heuristic: bool
) -> tuple[dict[Hashable, list[Hashable]], Answer]:
    _check(call, source, f"Node {source} is not found in the graph")
    graph, length = call.graph, lengths_of(call.graph, weight)
    # networkx refuses these wherever they are.
    if any(node in graph.adj[node] and length(node, node) < 0 for node in graph):
        raise nx.NetworkXUnbounded("Negative cycle detected.")
    distance = lengths(call, [source], weight)
    into = graph.pred if graph.is_directed() else graph.adj
    tight = {
        node: [
            other
            for other in into[node]
            if other != node
            and other in distance
            and distance[other] + length(other, node) == distance[node]
        ]
        for node in distance
    }
    if tight[source]:
        raise NotImplementedError(
            "a cycle of length 0 through the source: which predecessors the source has then depends "
            "on the order in which networkx works"
        )
    return tight, distance


def negative_edge_cycle(call: Call, weight: Any, heuristic: bool) -> bool:
    try:
        # From everywhere at once, as from a node with an edge of one length to all others.
        lengths(call, call.nodes, weight)
    except nx.NetworkXUnbounded:
        return True
    return False


def multi_source_dijkstra_path_length(call: Call, sources: Any, cutoff: Any, weight: Any) -> Answer:
    starts = list(dict.fromkeys(sources))
    if not starts:
        raise ValueError("sources must not be empty")
    for start in starts:
        _check(call, start, f"Node {start} not found in graph")
    distance = lengths(call, starts, weight)
    if cutoff is None:
        return distance
    near = ((v, d) for v, d in distance.items() if not d > cutoff or v in starts)
    return Answer(near, distance.run)


def single_source_dijkstra_path_length(
    call: Call, source: Hashable, cutoff: Any, weight: Any
) -> Answer:
    return multi_source_dijkstra_path_length(call, [source], cutoff, weight)


def dijkstra_path_length(call: Call, source: Hashable, target: Hashable, weight: Any) -> int:
    _check(call, source, f"Node {source} not found in graph")
    if source == target:
        return 0
    distance = lengths(call, [source], weight)
    if target not in distance:
        raise nx.NetworkXNoPath(f"Node {target} not reachable from {source}")
    length: int = distance[target]
    return length


def _check(call: Call, node: Hashable, message: str) -> None:
    if node not in call.graph:
        raise nx.NodeNotFound(message)
