"""Flooding, as plain breadth-first layers."""

from collections.abc import Hashable, Iterable

import networkx as nx


def expected(
    graph: nx.Graph, sources: Iterable[Hashable], message: int
) -> dict[Hashable, dict[str, int]]:
    """What every node knows when the flood has passed.

    Args:
        graph: directed (messages follow the edges) or not.
        sources: the nodes that hold the message.
        message: the message as a number.

    Returns:
        For every node `informed` (0 or 1), `message`, and `arrival`: the number of rounds until the
        message came, which is the distance from the nearest source. Both are -1 if it never comes.
    """
    answer = {node: {"informed": 0, "message": -1, "arrival": -1} for node in graph}
    for distance, layer in enumerate(nx.bfs_layers(graph, list(sources))):
        for node in layer:
            answer[node] = {"informed": 1, "message": message, "arrival": distance}
    return answer
