"""Cuts of a group along an edge: two connected halves, the first of which can be executed first."""

from collections import deque
from typing import TypeAlias

from experiments.systems.op_fusion.graph import Group, OpGraph, members

Cut: TypeAlias = tuple[Group, Group]
PER_EDGE = 24
VISITED = 400


def edge_cuts(
    graph: OpGraph, group: Group, edge: tuple[int, int], *, most: int = PER_EDGE
) -> list[Cut]:
    """Ways to cut a group such that the edge is cut, those with the smallest first half first.

    A first half is closed under predecessors in the group, so cutting keeps a plan executable.
    Where the edge is on a cycle (a skip connection, or what it skips), other edges are cut as well.

    Args:
        graph: the network.
        group: connected.
        edge: inside the group.
        most: cuts that are returned; at most 400 first halves are looked at.

    Source: section 3 of arXiv:2501.00636, "handling skip connections", as an enumeration of down-sets
        instead of a case distinction; the same cuts on its figure 2.
    """
    start = graph.ancestors(edge[0], group)
    banned = graph.descendants(edge[1], group)
    found: list[Cut] = []
    seen = {start}
    queue = deque([start])
    while queue and len(found) < most:
        first = queue.popleft()
        second = group & ~first
        if graph.is_connected(first) and graph.is_connected(second):
            found.append((first, second))
        if len(seen) >= VISITED:
            continue
        for v in members(second & ~banned):
            larger = first | 1 << v
            if not graph.predecessors[v] & group & ~first and larger not in seen:
                seen.add(larger)
                queue.append(larger)
    return found


def all_cuts(graph: OpGraph, group: Group) -> list[Cut]:
    """The distinct cuts along all edges of a group."""
    found = (cut for edge in graph.inner_edges(group) for cut in edge_cuts(graph, group, edge))
    return list(dict.fromkeys(found))
