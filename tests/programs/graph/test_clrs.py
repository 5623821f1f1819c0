"""The references against the implementations of the CLRS benchmark, where these are installed.

There a root and a node that is not reached are their own parents, and a weight of 0 is no edge.
"""

import os

import networkx as nx
import numpy as np
import pytest

from ntkexec import graphs
from ntkexec.programs.reference import NONE, bellman_ford, bfs, dfs


@pytest.fixture(scope="module")
def clrs():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return pytest.importorskip("clrs._src.algorithms.graphs", reason="needs ntkexec[clrs]")


def random_graphs(seed, number, *, low=1, high=1, directed=False):
    """Graphs of 1 to 12 nodes with whole weights, a third of them not connected, and a source."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        n, degree = int(rng.integers(1, 13)), int(rng.integers(2, 5))
        graph = graphs.generators.samplers.random_bounded(n, degree, rng, connected=bool(index % 3))
        graph = graph.to_directed() if directed else graph
        for u, v in graph.edges:
            graph.edges[u, v]["weight"] = int(rng.integers(low, high + 1))
        yield graph, int(rng.integers(n))


def matrix(graph):
    return nx.to_numpy_array(graph, nodelist=range(len(graph)), weight="weight")


def parents(found, graph):
    """Parents as the benchmark writes them."""
    return [v if found[v]["parent"] == -1 else found[v]["parent"] for v in range(len(graph))]


def final_hint(probes, name):
    """What a hint was in the end, in units of whole steps."""
    return probes["hint"]["node"][name]["data"][-1]


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
def test_breadth_first_parents_are_those_of_the_benchmark(clrs, directed):
    for graph, source in random_graphs(0, 200, directed=directed):
        if directed:
            graph.remove_edges_from([edge for edge in list(graph.edges) if sum(edge) % 3 == 0])
        theirs, probes = clrs.bfs(matrix(graph), source)
        ours = bfs.expected(graph, [source])
        assert theirs.tolist() == parents(ours, graph)
        reached = final_hint(probes, "reach_h")
        assert [ours[v]["distance"] >= 0 for v in range(len(graph))] == (reached == 1).tolist()


def test_depth_first_parents_and_times_are_those_of_the_benchmark(clrs):
    for graph, _ in random_graphs(1, 200):
        theirs, probes = clrs.dfs(matrix(graph))
        ours = dfs.expected_forest(graph)
        assert theirs.tolist() == parents(ours, graph)
        # The benchmark's clock ticks by 0.01.
        for field, hint in (("discovery", "d"), ("finish", "f")):
            times = np.rint(100 * final_hint(probes, hint)).astype(int)
            assert times.tolist() == [ours[v][field] for v in range(len(graph))]


def test_bellman_ford_parents_and_distances_are_those_of_the_benchmark(clrs):
    ties = 0
    for graph, source in random_graphs(2, 300, low=1, high=3, directed=True):
        theirs, probes = clrs.bellman_ford(matrix(graph), source)
        ours = bellman_ford.expected(graph, [source])
        assert theirs.tolist() == parents(ours, graph)
        reached = final_hint(probes, "msk") == 1
        distances = np.where(reached, final_hint(probes, "d"), NONE).astype(int)
        assert distances.tolist() == [ours[v]["distance"] for v in range(len(graph))]
        ties += sum(_several_shortest(graph, ours, v) for v in graph)
    assert ties > 100


def _several_shortest(graph, found, node):
    """Whether two neighbours could be the parent."""
    ends = [
        u
        for u in graph.predecessors(node)
        if found[u]["distance"] != NONE
        and found[u]["distance"] + graph.edges[u, node]["weight"] == found[node]["distance"]
    ]
    return len(ends) > 1


def test_other_conventions_are_told_apart(clrs):
    # Queue order instead of smallest identifier, and a source in the middle instead of node 0.
    queue, first = 0, 0
    for graph, source in random_graphs(3, 200):
        fifo = dict(nx.bfs_predecessors(graph, source, sort_neighbors=sorted))
        theirs, _ = clrs.bfs(matrix(graph), source)
        queue += theirs.tolist() != [fifo.get(v, v) for v in range(len(graph))]
        largest = {v: {"parent": max(graph[v], default=-1)} for v in graph}
        first += clrs.dfs(matrix(graph))[0].tolist() != parents(largest, graph)
    assert min(queue, first) > 10
