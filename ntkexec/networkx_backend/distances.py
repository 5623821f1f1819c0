"""Distances in hops, and what follows from them."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any

import networkx as nx

from ntkexec.networkx_backend import weighted
from ntkexec.networkx_backend.calls import Answer, Call
from ntkexec.programs.graph import bfs, bfs_split


def levels(
    call: Call, sources: Collection[Hashable], *, reverse: bool = False, cutoff: Any = None
) -> Answer:
    """The distance of every node that is reached, in networkx's order: nearest first, as they are met.

    Args:
        call: where.
        sources: nodes of the graph.
        reverse: against the directions.
        cutoff: as networkx has it: no level is opened from one at this distance or beyond.
    """
    graph = call.converted(reverse=reverse)
    sought = call.indices(sources)
    result = call.run(call.instance(bfs.instance, bfs_split.instance, graph, sources=sought))
    distance = {
        node: d
        for node, d in zip(graph.names, call.column(result, "distance"), strict=True)
        if d >= 0 and (cutoff is None or d == 0 or d - 1 < cutoff)
    }
    near = call.graph.pred if reverse and call.graph.is_directed() else call.graph.adj
    return Answer({node: distance[node] for node in _as_met(distance, sources, near)}, result)


def _as_met(
    distance: Mapping[Hashable, int],
    sources: Iterable[Hashable],
    near: Mapping[Hashable, Iterable[Hashable]],
) -> list[Hashable]:
    """The nodes that have a distance: after the sources, by the first neighbour one level nearer."""
    met = dict.fromkeys(sources)
    level = list(met)
    while level:
        further = dict.fromkeys(
            other
            for node in level
            for other in near[node]
            if distance.get(other) == distance[node] + 1
        )
        met |= further
        level = list(further)
    return list(met)


def single_source_shortest_path_length(call: Call, source: Hashable, cutoff: Any) -> Answer:
    """As networkx's function of this name, like all that follow."""
    if source not in call.graph:
        raise nx.NodeNotFound(f"Source {source} is not in G")
    return levels(call, [source], cutoff=cutoff)


def single_target_shortest_path_length(call: Call, target: Hashable, cutoff: Any) -> Answer:
    if target not in call.graph:
        raise nx.NodeNotFound(f"Target {target} is not in G")
    return levels(call, [target], reverse=True, cutoff=cutoff)


def all_pairs_shortest_path_length(call: Call, cutoff: Any) -> Iterator[tuple[Hashable, Answer]]:
    return iter([(node, levels(call, [node], cutoff=cutoff)) for node in call.nodes])


def has_path(call: Call, source: Hashable, target: Hashable) -> bool:
    for end, what in ((source, "Source"), (target, "Target")):
        if end not in call.graph:
            raise nx.NodeNotFound(f"{what} {end} is not in G")
    return target in levels(call, [source])


def shortest_path_length(call: Call, source: Any, target: Any, weight: Any, method: str) -> Any:
    if method not in ("dijkstra", "bellman-ford"):
        raise ValueError(f"method not supported: {method}")
    if weight is not None and source is not None and target is not None:
        if method == "dijkstra":
            return weighted.dijkstra_path_length(call, source, target, weight)
        return weighted.bellman_ford_path_length(call, source, target, weight)
    for end, what in ((source, "Source"), (target, "Target")):
        if end is not None and end not in call.graph:
            raise nx.NodeNotFound(f"{what} {end} is not in G")

    def from_one(node: Hashable, *, reverse: bool = False) -> Answer:
        if weight is None:
            return levels(call, [node], reverse=reverse)
        return weighted.lengths(call, [node], weight, reverse=reverse)

    if source is None and target is None:
        return iter([(node, from_one(node)) for node in call.nodes])
    if source is None:
        return from_one(target, reverse=True)
    distance = from_one(source)
    if target is None:
        return distance
    if target not in distance:
        raise nx.NetworkXNoPath(f"No path between {source} and {target}.")
    return distance[target]


def bfs_layers(call: Call, sources: Any) -> Iterator[list[Hashable]]:
    # networkx takes several sources in the order of a set.
    starts = [sources] if sources in call.graph else list(set(sources))
    for start in starts:
        _check_node(call, start)
    if not starts:
        return iter(())
    by_level: dict[int, list[Hashable]] = {}
    for node, distance in levels(call, starts).items():
        by_level.setdefault(distance, []).append(node)
    return iter(by_level.values())


def descendants_at_distance(call: Call, source: Hashable, distance: int) -> set[Hashable]:
    _check_node(call, source)
    return {node for node, d in levels(call, [source]).items() if d == distance}


def descendants(call: Call, source: Hashable) -> set[Hashable]:
    _check_node(call, source)
    return set(levels(call, [source])) - {source}


def ancestors(call: Call, source: Hashable) -> set[Hashable]:
    _check_node(call, source)
    return set(levels(call, [source], reverse=True)) - {source}


def eccentricity(call: Call, v: Any, sp: Any, weight: Any) -> Any:
    def of(node: Hashable) -> int:
        distance = levels(call, [node])
        if len(distance) != len(call.graph):
            kind = "digraph is not strongly" if call.graph.is_directed() else "graph is not"
            raise nx.NetworkXError(f"Found infinite path length because the {kind} connected")
        return max(distance.values())

    if v is not None and v in call.graph:
        return of(v)
    return {node: of(node) for node in call.graph.nbunch_iter(v)}


def _check_node(call: Call, node: Hashable) -> None:
    if node not in call.graph:
        raise nx.NetworkXError(f"The node {node} is not in the graph.")
