"""Breadth-first search with a queue, as every textbook has it."""

from collections import deque
from collections.abc import Hashable, Iterable

import networkx as nx

from ntkexec.programs.reference import Order, by_identifier


def expected(
    graph: nx.Graph, sources: Iterable[Hashable], *, order: Order = by_identifier
) -> dict[Hashable, dict[str, Hashable]]:
    """Distance, parent and place in the order of visits, each source with a queue of its own.

    Args:
        graph: directed or not; identifiers are the nodes themselves and must be comparable. A node
            puts its neighbours (successors) into the queue in `order`.
        sources: where the searches start, no two of which meet.
        order: of a node's neighbours; by default the smallest comes first.

    Returns:
        For every node `distance`, `parent` (the node that put it into the queue) and `order`, 0 at
        the source. All are -1 at nodes that are not reached, `parent` also at sources.
    """
    answer: dict[Hashable, dict[str, Hashable]]
    answer = {v: {"distance": -1, "parent": -1, "order": -1} for v in graph}
    for source in sources:
        distance = {source: 0}
        queue = deque([source])
        visits = 0
        while queue:
            node = queue.popleft()
            answer[node] |= {"distance": distance[node], "order": visits}
            visits += 1
            for child in order(node, graph[node]):
                if child not in distance:
                    distance[child] = distance[node] + 1
                    answer[child]["parent"] = node
                    queue.append(child)
    return answer
