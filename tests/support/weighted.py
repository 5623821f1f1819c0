"""Graphs with weights, with or without negative cycles, and Bellman-Ford's exact answers on them."""

import networkx as nx
import numpy as np
from support.instances import exact_answer

from ntkexec import graphs
from ntkexec.programs.graph import bellman_ford


def with_weights(graph, rng, low, high):
    """A copy with integer weights, drawn uniformly from low to high."""
    copy = graph.copy()
    for _, _, data in copy.edges(data=True):
        data["weight"] = int(rng.integers(low, high + 1))
    return copy


def without_negative_cycles(graph, rng, spread=6):
    """A directed copy, each edge in one direction or both, whose cycles all weigh at least 0."""
    height = {node: int(rng.integers(0, spread)) for node in graph}
    copy = nx.DiGraph()
    copy.add_nodes_from(graph)
    for u, v in graph.to_directed().edges:
        if rng.random() < 0.7:
            # Around a cycle the heights cancel.
            copy.add_edge(u, v, weight=int(rng.integers(0, spread - 1)) + height[u] - height[v])
    return copy


def from_weighted(graph):
    return graphs.from_networkx(graph, weight="weight")


def connected_graphs(number, degree, seed, sizes=range(4, 10)):
    """Connected random graphs of bounded degree, without weights."""
    rng = np.random.default_rng(seed)
    return [
        graphs.parse(f"random-bounded:n={rng.choice(sizes)},d={degree},seed={index}")
        for index in range(number)
    ]


def answered(graph, sources, *, sizes=None, **options):
    """The answer, asserted to be exact; options as for `testing.assert_exact`."""
    instance = bellman_ford.instance(graph, sources=sources, sizes=sizes)
    return exact_answer(instance, **options)
