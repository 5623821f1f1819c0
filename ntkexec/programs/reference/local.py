"""What the shipped LOCAL algorithms must compute, on networkx graphs whose nodes are identifiers.

Every function takes a graph, the inputs of its nodes and the number of rounds, of which most read
only the graph, and returns the answer by node and field.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from ntkexec.programs.reference import bfs

Inputs = Sequence[Any] | None
ByNode = Mapping[Any, Mapping[str, Any]]


def leader_election(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """The smallest identifier of a node's component, and whether it is the node's own."""
    return {
        node: {"leader": min(component), "elected": int(node == min(component))}
        for component in nx.connected_components(graph)
        for node in component
    }


def components(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """The component's number, in the order of the components' smallest nodes' identifiers."""
    return {
        node: {"component": min(component)}
        for component in nx.connected_components(graph)
        for node in component
    }


def spanning_tree(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """The breadth-first tree of each component from its smallest node, and that root."""
    leaders = leader_election(graph)
    roots = [node for node, row in leaders.items() if row["elected"]]
    return {
        node: {
            "root": leaders[node]["leader"],
            "distance": row["distance"],
            "parent": row["parent"],
        }
        for node, row in bfs.expected(graph, roots).items()
    }


def greedy_colouring(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """The first-fit colouring in the order of identifiers."""
    colours = nx.greedy_color(graph, strategy=lambda g, _: sorted(g))
    return {node: {"colour": colours[node]} for node in graph}


def independent_set(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """The independent set that takes nodes in the order of identifiers while it can."""
    chosen: set[int] = set()
    for node in sorted(graph):
        if chosen.isdisjoint(graph[node]):
            chosen.add(node)
    return {node: {"member": int(node in chosen)} for node in graph}


def triangles(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """Whether the node lies on a triangle."""
    return {node: {"triangle": int(count > 0)} for node, count in nx.triangles(graph).items()}


def neighbourhood_size(graph: nx.Graph, inputs: Inputs, rounds: int) -> ByNode:
    """Nodes within as many hops as there are rounds, the node itself included."""
    return {
        node: {"size": len(nx.single_source_shortest_path_length(graph, node, cutoff=rounds))}
        for node in graph
    }


def eccentricity(graph: nx.Graph, inputs: Inputs = None, rounds: int = 0) -> ByNode:
    """The distance to the farthest node of the component."""
    return {
        node: {"eccentricity": value}
        for component in nx.connected_components(graph)
        for node, value in nx.eccentricity(graph.subgraph(component)).items()
    }


def bipartite(graph: nx.Graph, inputs: Sequence[bool], rounds: int) -> ByNode:
    """Whether the node's component has no odd cycle; if so, the node's side, the root's being 0.

    Every node's input is whether it is a root; both are -1 in components without one.
    """
    answer: dict[int, Mapping[str, int]] = {}
    for component in nx.connected_components(graph):
        part = graph.subgraph(component)
        root = next((node for node in component if inputs[node]), None)
        even = nx.is_bipartite(part)
        hops = {} if root is None else nx.single_source_shortest_path_length(part, root)
        for node in component:
            side = hops[node] % 2 if even and hops else -1
            answer[node] = {"bipartite": int(even) if hops else -1, "side": side}
    return answer


# Rounds of Cole and Vishkin's algorithm that take the colours 3, 4 and 5 away.
FINAL_ROUNDS = 6


def cole_vishkin(graph: nx.Graph, inputs: Sequence[int], rounds: int) -> ByNode:
    """The colours of Cole and Vishkin's algorithm, node by node on numbers.

    Every node's input is its parent's identifier, or -1 at a root.
    """
    colour = {node: node for node in graph}

    def above(node: int, missing: int) -> int:
        return colour[inputs[node]] if inputs[node] >= 0 else missing

    for _ in range(rounds - FINAL_ROUNDS):
        after = {}
        for node in graph:
            # A root does as if it had a parent that differs from it in the lowest bit.
            different = colour[node] ^ above(node, colour[node] ^ 1)
            place = (different & -different).bit_length() - 1
            after[node] = 2 * place + (colour[node] >> place & 1)
        colour = after
    for removed in (3, 4, 5):
        # Shift down, so that all children of a node have one colour, which was the node's own.
        before = colour
        colour = {node: above(node, min({0, 1, 2} - {before[node]})) for node in graph}
        colour = {
            node: min({0, 1, 2} - {above(node, -1), before[node]})
            if colour[node] == removed
            else colour[node]
            for node in graph
        }
    return {node: {"colour": colour[node]} for node in graph}


def life(graph: nx.Graph, inputs: Sequence[bool], rounds: int) -> ByNode:
    """Conway's rule on a graph: 3 live neighbours give birth, 2 or 3 keep alive.

    Every node's input is whether it lives at the start.
    """
    alive = {node for node in graph if inputs[node]}
    for _ in range(rounds):
        live = {node: sum(other in alive for other in graph[node]) for node in graph}
        alive = {v for v in graph if live[v] == 3 or (live[v] == 2 and v in alive)}
    return {node: {"alive": int(node in alive)} for node in graph}


def rule_110(graph: nx.Graph, inputs: Sequence[tuple[bool, int, int]], rounds: int) -> ByNode:
    """Wolfram's elementary cellular automaton 110 on rows, dead beyond their ends, or on a ring.

    Every node's input is whether it lives at the start, and more that is not read here. The cells
    stand in the order of their identifiers; where two that follow each other have no edge, one row
    ends and another begins.
    """
    row = [alive for alive, *_ in inputs]
    # Of two cells the edge is between the first and the second, and no ring.
    ring = len(row) > 2 and graph.has_edge(len(row) - 1, 0)
    joined = [graph.has_edge(i - 1, i) if i else ring for i in range(len(row))]
    for _ in range(rounds):
        left = [row[i - 1] and joined[i] for i in range(len(row))]
        right = [row[i] and joined[i] for i in [*range(1, len(row)), 0]]
        row = [
            bool(110 >> (4 * a + 2 * b + c) & 1) for a, b, c in zip(left, row, right, strict=True)
        ]
    return {node: {"alive": int(row[node])} for node in graph}
