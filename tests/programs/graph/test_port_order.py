"""Searches on ports in networkx's order: what networkx itself finds, without sorted neighbours."""

import networkx as nx
import numpy as np
import pytest
from support.instances import is_right, kernel_engine_for

from ntkexec import executor, graphs
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs
from ntkexec.programs.local.examples import FAMILIES

# By hand: from 0 networkx goes on to 2 before 1, since that edge was put in first.
TRIANGLE = [(0, 2), (0, 1), (1, 2)]
SQUARE = [(0, 2), (0, 1), (2, 3), (1, 3)]
# Two components, the second of which begins at the smaller name.
APART = [(1, 2), (0, 3)]


def shuffled(seed, num_nodes=7):
    """A connected graph of degree at most three, its edges in no order."""
    drawn = np.random.default_rng(seed)
    graph = nx.random_regular_graph(3, 8, seed=seed)
    edges = list(graph.edges)
    again = nx.Graph()
    again.add_nodes_from(drawn.permutation(8).tolist())
    again.add_edges_from(edges[i][:: drawn.choice([1, -1])] for i in drawn.permutation(len(edges)))
    return again


def references(graph, source):
    """What the references say of depth-first and breadth-first search, by name."""
    loaded = graphs.from_networkx(graph, port_order="adjacency")
    names = list(graph)
    found = []
    for search in (dfs, bfs_queue):
        answer = search.instance(loaded, sources=[names.index(source)]).reference()
        parents = answer["parent"].tolist()
        found.append({v: names[p] for v, p in zip(names, parents) if p >= 0})
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_references_are_networkx(seed):
    graph = shuffled(seed)
    for source in graph:
        deep, wide = references(graph, source)
        assert deep == nx.dfs_predecessors(graph, source)
        assert wide == dict(nx.bfs_predecessors(graph, source))


def test_sorted_neighbours_would_find_something_else():
    graph = nx.Graph(TRIANGLE)
    assert references(graph, 0)[0] == {2: 0, 1: 2} == nx.dfs_predecessors(graph, 0)
    assert references(nx.Graph(SQUARE), 0)[1][3] == 2
    assert nx.dfs_predecessors(graph, 0, sort_neighbors=sorted) == {1: 0, 2: 1}


def executed(instance):
    return executor.execute(
        kernel_engine_for(instance.program),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
        until=instance.until,
    )


def on_ports(edges):
    """The same graph with ports in networkx's order, and by identifiers of the same numbering."""
    graph = nx.Graph(edges)
    followed = graphs.from_networkx(graph, port_order="adjacency")
    return followed, graphs.ports.by_identifiers(followed)


@pytest.mark.parametrize("search", [bfs, bfs_queue, dfs, bellman_ford])
def test_the_programs_follow_the_ports_and_so_does_the_verdict(search):
    # The search starts at 3, the first that was put in. Node 0 has the neighbours 2, 1.
    edges = [(3, 1), (3, 2), (0, 2), (0, 1)]
    if search in (dfs, bfs_queue):
        # What a node chooses here is where to go on, and 3 has the neighbours 4, 2, 1 for 4, 1, 2.
        edges = [(3, 4), (0, 1), (1, 2), (0, 2), (2, 3), (1, 3), (2, 4)]
    followed, plain = on_ports(edges)
    right = search.instance(followed, sources=[0])
    other = search.instance(plain, sources=[0])
    assert right.program.digest == other.program.digest
    found = executed(right)
    assert is_right(right, found)
    parents = right.decode(found.states)["parent"].tolist()
    assert parents != other.reference()["parent"].tolist()
    if search is bfs:
        assert followed.names[parents[3]] == 2


def test_a_forest_begins_where_networkx_does():
    followed, _ = on_ports(APART)
    answer = dfs.forest_instance(followed).reference()
    first = followed.names[int(answer["discovery"].argmin())]
    assert first == 1 == next(iter(nx.dfs_preorder_nodes(nx.Graph(APART))))


def test_local_algorithms_keep_to_identifiers():
    followed, plain = on_ports([(3, 1), (3, 2), (0, 2), (0, 1), (1, 2)])
    assert not np.array_equal(followed.edge_ports, plain.edge_ports)
    for family in FAMILIES:
        if family.name in ("cole-vishkin", "rule-110"):
            continue  # for trees and rows
        one, other = family.prepare(followed), family.prepare(plain)
        assert np.array_equal(one.initial, other.initial)
        for field, values in one.reference().items():
            assert np.array_equal(values, other.reference()[field])
