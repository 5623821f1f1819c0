"""What the shipped LOCAL algorithms must compute, on networkx graphs whose nodes are identifiers.

Every function takes a graph and the inputs of its nodes, and returns the answer by node and field.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from ntkexec.reference.bfs import bfs

ByNode = Mapping[Any, Mapping[str, Any]]


def leader_election(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """The smallest identifier of a node's component, and whether it is the node's own."""
    return {
        node: {"leader": min(component), "elected": int(node == min(component))}
        for component in nx.connected_components(graph)
        for node in component
    }


def components(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """The component's number, in the order of the components' smallest nodes' identifiers."""
    return {
        node: {"component": min(component)}
        for component in nx.connected_components(graph)
        for node in component
    }


def spanning_tree(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """The breadth-first tree of each component from its smallest node, and that root."""
    leaders = leader_election(graph)
    roots = [node for node, row in leaders.items() if row["elected"]]
    return {
        node: {
            "root": leaders[node]["leader"],
            "distance": row["distance"],
            "parent": row["parent"],
        }
        for node, row in bfs(graph, roots).items()
    }


def greedy_colouring(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """The first-fit colouring in the order of identifiers."""
    colours = nx.greedy_color(graph, strategy=lambda g, _: sorted(g))
    return {node: {"colour": colours[node]} for node in graph}


def independent_set(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """The independent set that takes nodes in the order of identifiers while it can."""
    chosen: set[int] = set()
    for node in sorted(graph):
        if chosen.isdisjoint(graph[node]):
            chosen.add(node)
    return {node: {"member": int(node in chosen)} for node in graph}


def triangles(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """Whether the node lies on a triangle."""
    return {node: {"triangle": int(count > 0)} for node, count in nx.triangles(graph).items()}


def neighbourhood_size(graph: nx.Graph, inputs: Sequence[int]) -> ByNode:
    """Nodes within k hops, the node itself included; every node's input is k."""
    return {
        node: {"size": len(nx.single_source_shortest_path_length(graph, node, cutoff=hops))}
        for node, hops in zip(sorted(graph), inputs, strict=True)
    }


def eccentricity(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """The distance to the farthest node of the component."""
    return {
        node: {"eccentricity": value}
        for component in nx.connected_components(graph)
        for node, value in nx.eccentricity(graph.subgraph(component)).items()
    }


def bipartite(graph: nx.Graph, inputs: Sequence[Any] | None = None) -> ByNode:
    """Whether the node's component has no odd cycle; if so, the node's side, the root's being 0."""
    answer: dict[int, Mapping[str, int]] = {}
    for component in nx.connected_components(graph):
        part = graph.subgraph(component)
        even = nx.is_bipartite(part)
        hops = nx.single_source_shortest_path_length(part, min(component))
        for node in component:
            answer[node] = {"bipartite": int(even), "side": hops[node] % 2 if even else -1}
    return answer


def cole_vishkin(graph: nx.Graph, inputs: Sequence[tuple[int, int]]) -> ByNode:
    """The colours of Cole and Vishkin's algorithm, node by node on numbers.

    Every node's input is its parent's identifier, or -1, and how many rounds reduce bits.
    """
    parent = {node: inputs[node][0] for node in graph}
    reductions = inputs[0][1] if len(inputs) else 0
    colour = {node: node for node in graph}

    def above(node: int) -> int:
        # A root does as if it had a parent that differs from it in the lowest bit.
        return colour[parent[node]] if parent[node] >= 0 else colour[node] ^ 1

    for _ in range(reductions):
        places = {
            v: ((colour[v] ^ above(v)) & -(colour[v] ^ above(v))).bit_length() - 1 for v in graph
        }
        colour = {v: 2 * places[v] + (colour[v] >> places[v] & 1) for v in graph}
    for removed in (5, 4, 3):
        # Shift down, so that all children of a node have one colour, which was the node's own.
        before = colour
        colour = {
            v: before[parent[v]] if parent[v] >= 0 else min({0, 1, 2} - {before[v]}) for v in graph
        }
        shifted = colour
        colour = {
            v: min({0, 1, 2} - {shifted[parent[v]] if parent[v] >= 0 else -1, before[v]})
            if shifted[v] == removed
            else shifted[v]
            for v in graph
        }
    return {node: {"colour": colour[node]} for node in graph}


def automaton(
    graph: nx.Graph, inputs: Sequence[Any], generations: int, born: set[int], survives: set[int]
) -> ByNode:
    """An outer totalistic cellular automaton: a cell's next state by its number of live neighbours.

    Every node's input is whether it lives at the start.
    """
    alive = {node for node in graph if inputs[node]}
    for _ in range(generations):
        live = {node: sum(other in alive for other in graph[node]) for node in graph}
        alive = {v for v in graph if live[v] in (survives if v in alive else born)}
    return {node: {"alive": int(node in alive)} for node in graph}


def elementary_automaton(
    rule: int, cells: Sequence[bool], generations: int, *, ring: bool
) -> list[bool]:
    """Wolfram's elementary cellular automaton on a row of cells, dead beyond its ends, or a ring."""
    row = list(cells)
    for _ in range(generations):
        padded = [row[-1], *row, row[0]] if ring else [False, *row, False]
        row = [
            bool(rule >> (4 * padded[i] + 2 * padded[i + 1] + padded[i + 2]) & 1)
            for i in range(len(row))
        ]
    return row
