"""Graphs with hubs, for programs that run on split graphs."""

import dataclasses

import networkx as nx
import numpy as np

from ntkexec.graphs import SplitGraph


def random_cases(
    *, number: int, seed: int, directed: bool = False
) -> list[tuple[nx.Graph, list[int]]]:
    """Random graphs of 1 to 13 nodes, some with hubs, some not connected, with one to three sources."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(number):
        size = int(rng.integers(1, 14))
        graph = nx.gnp_random_graph(
            size, rng.random() ** 2, seed=1000 * seed + index, directed=directed
        )
        most = int(rng.integers(1, min(3, size) + 1))
        found.append((graph, rng.choice(size, most, replace=False).tolist()))
    return found


def hubs() -> list[nx.Graph]:
    """Hubs of several degrees, next to each other and at the ends of paths."""
    return [
        nx.star_graph(13),
        nx.complete_graph(8),
        nx.complete_bipartite_graph(4, 9),
        nx.wheel_graph(11),
        nx.barbell_graph(6, 2),
        nx.barabasi_albert_graph(25, 2, seed=11),
    ]


def mirrored(parts: SplitGraph) -> SplitGraph:
    """The same trees, every node listing its neighbours from right to left."""
    graph = parts.graph
    receivers = np.asarray(graph.tuple.receivers)
    heard = np.bincount(receivers, minlength=graph.num_nodes)
    ports = heard[receivers] - 1 - graph.edge_ports
    outer, upper = np.zeros_like(parts.outer), np.zeros_like(parts.upper)
    outer[receivers, ports] = parts.outer[receivers, graph.edge_ports]
    upper[receivers, ports] = parts.upper[receivers, graph.edge_ports]
    listed = dataclasses.replace(graph, ports=ports.astype(np.int32))
    return dataclasses.replace(parts, graph=listed, outer=outer, upper=upper)
