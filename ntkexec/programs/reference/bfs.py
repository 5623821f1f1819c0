"""Breadth-first search with the parents of the CLRS benchmark."""

from collections.abc import Hashable, Iterable

import networkx as nx

from ntkexec.programs.reference import Order, by_identifier


def expected(
    graph: nx.Graph, sources: Iterable[Hashable], *, order: Order = by_identifier
) -> dict[Hashable, dict[str, Hashable]]:
    """Distance from the nearest source, and parent.

    Args:
        graph: directed or not; identifiers are the nodes themselves and must be comparable.
        sources: where the search starts.
        order: of a node's neighbours; by default the smallest comes first.

    Returns:
        For every node `distance` and `parent`: the first neighbour (predecessor) on the
        previous level. Both are -1 at nodes that are not reached, `parent` also at sources.
    """
    answer: dict[Hashable, dict[str, Hashable]] = {v: {"distance": -1, "parent": -1} for v in graph}
    previous: set[Hashable] = set()
    into = graph.predecessors if graph.is_directed() else graph.neighbors
    for distance, layer in enumerate(nx.bfs_layers(graph, list(sources))):
        for node in layer:
            callers = [u for u in into(node) if u in previous]
            parent = order(node, callers)[0] if callers else -1
            answer[node] = {"distance": distance, "parent": parent}
        previous = set(layer)
    return answer
