"""Bellman-Ford, as rounds in which all nodes relax at once."""

from collections.abc import Hashable, Iterable

import networkx as nx

from ntkexec.programs.reference import NONE, Order, by_identifier


def expected(
    graph: nx.Graph,
    sources: Iterable[Hashable],
    *,
    weight: str = "weight",
    order: Order = by_identifier,
) -> dict[Hashable, dict[str, Hashable]]:
    """Distance from the nearest source by weight, and parent.

    In a round every node looks at all neighbours (predecessors), in `order`, and at the distances
    that they had when the round began; a sum that is smaller than the best so far gives
    the new distance and the new parent. This is the order of the CLRS benchmark. After as many
    rounds as there are nodes but one, only a negative cycle lets a distance fall.

    Args:
        graph: directed or not; identifiers are the nodes themselves and must be comparable.
        sources: where distances start from.
        weight: edge attribute; edges without it weigh 1.
        order: of a node's neighbours; by default smallest first.

    Returns:
        For every node `distance` (`NONE` if it is not reached), `parent` (-1 if it has none) and
        `negative_cycle`: 1 at all nodes if a negative cycle can be reached from a source. No node
        has a distance or a parent then.
    """
    into = graph.predecessors if graph.is_directed() else graph.neighbors
    arcs = {v: [(u, graph.edges[u, v].get(weight, 1)) for u in order(v, into(v))] for v in graph}
    distance: dict[Hashable, int] = dict.fromkeys(sources, 0)
    parent: dict[Hashable, Hashable] = {}
    for _ in graph:
        before, has_fallen = dict(distance), False
        for v in graph:
            for u, length in arcs[v]:
                if u in before and (v not in distance or before[u] + length < distance[v]):
                    distance[v], parent[v], has_fallen = before[u] + length, u, True
        if not has_fallen:
            break
    else:
        # As many rounds as nodes, and none of them idle.
        nothing = {"distance": NONE, "parent": -1, "negative_cycle": 1}
        return {v: dict(nothing) for v in graph}
    return {
        v: {"distance": distance.get(v, NONE), "parent": parent.get(v, -1), "negative_cycle": 0}
        for v in graph
    }
