"""Shortest walks of a graph and of its split graph are the same, ties and fewest hops included."""

import functools
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np
from jaxtyping import Int

from ntkexec.check import Check, Measurement, Scale
from ntkexec.graphs import Graph, from_networkx
from ntkexec.graphs.ports import in_neighbours
from ntkexec.graphs.splitting import SplitGraph, split
from ntkexec.programs.graph.bellman_ford_split import first_neighbours, num_rounds, with_hops
from ntkexec.programs.graph.relaxing import UNREACHED, by_port, relax
from ntkexec.programs.reference import NONE, bellman_ford

Weigh = Callable[[SplitGraph, Graph, int], Int[np.ndarray, "e"]]
# 2^6 hops are more than the graphs have nodes.
HOP_BITS = 6


def some_graphs(scale: Scale) -> Iterator[nx.DiGraph]:
    """Random graphs of up to 30 nodes and any degree without negative cycles, ties in plenty."""
    rng = np.random.default_rng(2028)
    for _ in range({"quick": 60, "standard": 400, "full": 3000}[scale]):
        size = int(rng.integers(2, 31))
        # Around a cycle the heights cancel.
        height = rng.integers(0, 3, size)
        graph = nx.DiGraph()
        graph.add_nodes_from(range(size))
        for u, v in np.argwhere(rng.random((size, size)) < rng.uniform(0.1, 0.7)).tolist():
            if u != v:
                weight = int(rng.integers(0, 3)) + int(height[u] - height[v])
                graph.add_edge(u, v, weight=weight)
        yield graph


def measure_answers(scale: Scale, weigh: Weigh = with_hops) -> Measurement:
    """Nodes whose distance or parent is another on the split graph."""
    wrong = 0
    for graph in some_graphs(scale):
        trees = split(from_networkx(graph, weight="weight"))
        weights = weigh(trees, trees.graph, HOP_BITS)
        sources = np.flatnonzero(trees.owner == 0).tolist()
        distances = relax(trees.graph, weights, sources, rounds=num_rounds(trees)).distances
        heard = in_neighbours(trees.graph, trees.most)
        ends = distances[np.maximum(heard, 0)]
        is_reached = (heard >= 0) & (ends != UNREACHED)
        sums = np.where(is_reached, ends, 0) + by_port(trees.graph, weights, trees.most)
        is_tight = is_reached & trees.outer & (sums == distances[:, None])
        at_roots = distances[trees.roots]
        found = np.where(at_roots == UNREACHED, NONE, at_roots >> HOP_BITS)
        parents = first_neighbours(trees, is_tight)
        expected = bellman_ford.expected(graph, [0])
        for node in range(len(graph)):
            row = expected[node]
            wrong += (found[node], parents[node]) != (row["distance"], row["parent"])
    return Measurement(int(wrong))


def _without_hops(trees: SplitGraph, graph: Graph, hop_bits: int) -> Int[np.ndarray, "e"]:
    return with_hops(trees, graph, hop_bits) >> hop_bits << hop_bits


CHECK = Check(
    name="split-distances",
    claim="with weights w 2^b + 1 between trees and 0 within, where 2^b exceeds the hops of every shortest "
    "walk, all nodes of a tree have the distance d 2^b + h, and the first leaf at which a sum equals "
    "it is the parent of Bellman-Ford in rounds, also where several neighbours are as near",
    formula=r"D(v) = 2^b d(v) + h(v), \quad "
    r"\operatorname{parent}(v) = \min\{u : D(u) + 2^b w_{uv} + 1 = D(v)\}",
    source="`ntkexec.programs.graph.bellman_ford_split`; the order of the CLRS benchmark",
    how="nodes with another distance or parent than plain Bellman-Ford in rounds finds, over random "
    "directed graphs with negative weights and many ties",
    bound=0,
    bound_from="the claim is exact",
    measure=measure_answers,
    broken=functools.partial(measure_answers, weigh=_without_hops),
)
