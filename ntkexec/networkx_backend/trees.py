"""Breadth-first trees in the order of a queue, and depth-first trees."""

from collections.abc import Hashable, Iterator
from typing import Any

import networkx as nx

from ntkexec.networkx_backend.calls import Answer, Call
from ntkexec.programs.graph import bfs_queue, dfs, dfs_split
from ntkexec.result import Result

Edge = tuple[Hashable, Hashable]


def breadth_first(
    call: Call, source: Hashable, depth_limit: Any, sort_neighbors: Any
) -> tuple[list[Edge], Result]:
    """The edges of the tree, from parent to child, in the order in which children are found."""
    if source not in call.graph:
        raise nx.NetworkXError(f"The node {source} is not in the graph.")
    graph = call.converted(sort_neighbors=sort_neighbors)
    result = call.run(bfs_queue.instance(graph, sources=call.indices([source])))
    order, parent, distance = (
        call.column(result, field) for field in ("order", "parent", "distance")
    )
    visited = sorted((place, i) for i, place in enumerate(order) if place > 0)
    edges = [
        (graph.names[parent[i]], graph.names[i])
        for _, i in visited
        if depth_limit is None or distance[i] - 1 < depth_limit
    ]
    return edges, result


def bfs_edges(
    call: Call, source: Hashable, reverse: bool, depth_limit: Any, sort_neighbors: Any
) -> Iterator[Edge]:
    """As networkx's function of this name, like all that follow."""
    return iter(breadth_first(call, source, depth_limit, sort_neighbors)[0])


def bfs_tree(
    call: Call, source: Hashable, reverse: bool, depth_limit: Any, sort_neighbors: Any
) -> nx.DiGraph:
    tree = nx.DiGraph()
    tree.add_node(source)
    tree.add_edges_from(breadth_first(call, source, depth_limit, sort_neighbors)[0])
    return tree


def bfs_predecessors(
    call: Call, source: Hashable, depth_limit: Any, sort_neighbors: Any
) -> Iterator[Edge]:
    edges, _ = breadth_first(call, source, depth_limit, sort_neighbors)
    return iter([(child, parent) for parent, child in edges])


def bfs_successors(
    call: Call, source: Hashable, depth_limit: Any, sort_neighbors: Any
) -> Iterator[tuple[Hashable, list[Hashable]]]:
    edges, _ = breadth_first(call, source, depth_limit, sort_neighbors)
    # A source without children is there too, and the children of a node follow each other.
    children: dict[Hashable, list[Hashable]] = {source: []}
    for parent, child in edges:
        children.setdefault(parent, []).append(child)
    return iter(children.items())


def single_source_shortest_path(call: Call, source: Hashable, cutoff: Any) -> Answer:
    if source not in call.graph:
        raise nx.NodeNotFound(f"Source {source} not in G")
    edges, result = breadth_first(call, source, cutoff, None)
    paths = {source: [source]}
    for parent, child in edges:
        paths[child] = [*paths[parent], child]
    return Answer(paths, result)


def depth_first(
    call: Call, source: Any, sort_neighbors: Any
) -> tuple[list[Edge], list[Hashable], list[Hashable], Result]:
    """The edges of the tree or forest, and its nodes by discovery and by finish."""
    if source is not None and source not in call.graph:
        raise nx.NetworkXError(f"The node {source} is not in the graph.")
    graph = call.converted(sort_neighbors=sort_neighbors)
    if source is None:
        found = call.instance(dfs.forest_instance, dfs_split.forest_instance, graph)
    else:
        at = call.indices([source])
        found = call.instance(dfs.instance, dfs_split.instance, graph, sources=at)
    result = call.run(found)
    parent, discovery, finish = (
        call.column(result, field) for field in ("parent", "discovery", "finish")
    )
    reached = [i for i, time in enumerate(discovery) if time >= 0]
    first = sorted(reached, key=discovery.__getitem__)
    last = sorted(reached, key=finish.__getitem__)
    names = graph.names
    edges = [(names[parent[i]], names[i]) for i in first if parent[i] >= 0]
    return edges, [names[i] for i in first], [names[i] for i in last], result


def dfs_edges(call: Call, source: Any, depth_limit: None, sort_neighbors: Any) -> Iterator[Edge]:
    return iter(depth_first(call, source, sort_neighbors)[0])


def dfs_tree(call: Call, source: Any, depth_limit: None, sort_neighbors: Any) -> nx.DiGraph:
    edges, *_ = depth_first(call, source, sort_neighbors)
    tree = nx.DiGraph()
    tree.add_nodes_from(call.nodes if source is None else [source])
    tree.add_edges_from(edges)
    return tree


def dfs_predecessors(call: Call, source: Any, depth_limit: None, sort_neighbors: Any) -> Answer:
    edges, _, _, result = depth_first(call, source, sort_neighbors)
    return Answer(((child, parent) for parent, child in edges), result)


def dfs_successors(call: Call, source: Any, depth_limit: None, sort_neighbors: Any) -> Answer:
    edges, _, _, result = depth_first(call, source, sort_neighbors)
    children: dict[Hashable, list[Hashable]] = {}
    for parent, child in edges:
        children.setdefault(parent, []).append(child)
    return Answer(children, result)


def dfs_preorder_nodes(
    call: Call, source: Any, depth_limit: None, sort_neighbors: Any
) -> Iterator[Hashable]:
    return iter(depth_first(call, source, sort_neighbors)[1])


def dfs_postorder_nodes(
    call: Call, source: Any, depth_limit: None, sort_neighbors: Any
) -> Iterator[Hashable]:
    return iter(depth_first(call, source, sort_neighbors)[2])
