"""Depth-first search, smallest identifier first unless told otherwise, with the times of the textbook."""

from collections.abc import Hashable, Iterable, Iterator

import networkx as nx

from ntkexec.programs.reference import Order, by_identifier


def expected(
    graph: nx.Graph, sources: Iterable[Hashable], *, order: Order = by_identifier
) -> dict[Hashable, dict[str, Hashable]]:
    """Parent, discovery and finish time, each source by its own clock.

    Args:
        graph: directed or not; identifiers are the nodes themselves and must be comparable.
        sources: where the searches start, no two of which meet.
        order: in which a node tries its neighbours; by default smallest first.

    Returns:
        For every node `parent`, `discovery` and `finish`, -1 at nodes that are not reached, `parent`
        also at sources. A source is discovered at 1, and every discovery and every finish
        takes 1: with n nodes found, the source finishes at 2n.

    Source: DFS-Visit of Cormen et al., Introduction to Algorithms, with an explicit stack.
    """
    answer: dict[Hashable, dict[str, Hashable]]
    answer = {v: {"parent": -1, "discovery": -1, "finish": -1} for v in graph}
    for source in sources:
        _visit(graph, source, 1, answer, order)
    return answer


def expected_forest(
    graph: nx.Graph, *, order: Order = by_identifier
) -> dict[Hashable, dict[str, Hashable]]:
    """Parent, discovery and finish time, with one clock for the whole graph.

    The sources are all nodes that are not found yet when their turn comes, smallest first.

    Args:
        graph: directed or not; identifiers are the nodes themselves and must be comparable.
        order: as in `expected`.

    Returns:
        For every node `parent`, -1 at sources, `discovery` and `finish`; times run from 1 to 2n.

    Source: DFS of Cormen et al., Introduction to Algorithms.
    """
    answer: dict[Hashable, dict[str, Hashable]]
    answer = {v: {"parent": -1, "discovery": -1, "finish": -1} for v in graph}
    time = 0
    for source in sorted(graph):
        if answer[source]["discovery"] == -1:
            time = _visit(graph, source, time + 1, answer, order)
    return answer


def _visit(
    graph: nx.Graph,
    source: Hashable,
    time: int,
    answer: dict[Hashable, dict[str, Hashable]],
    order: Order,
) -> int:
    """Enters into `answer` what is found from a source, from a time on; returns the time it ends."""
    answer[source]["discovery"] = time
    stack: list[tuple[Hashable, Iterator[Hashable]]]
    stack = [(source, iter(order(source, graph[source])))]
    while stack:
        node, untried = stack[-1]
        time += 1
        for child in untried:
            if answer[child]["discovery"] == -1:
                answer[child] |= {"parent": node, "discovery": time}
                stack.append((child, iter(order(child, graph[child]))))
                break
        else:
            answer[node]["finish"] = time
            stack.pop()
    return time
