"""Ports: by identifiers as ever, or in the order in which networkx walks."""

import random

import jaxtyping
import networkx as nx
import numpy as np
import pytest

from ntkexec import graphs
from ntkexec.errors import GraphError
from ntkexec.graphs.ports import by_identifiers, port_order

WRONG_TYPE = (GraphError, jaxtyping.TypeCheckError)


def shuffled(seed, kind=nx.Graph, num_nodes=9, num_edges=14):
    """A graph whose nodes and edges were put in in no order, with names that have one."""
    drawn = random.Random(seed)
    graph = kind()
    graph.add_nodes_from(drawn.sample(range(100), num_nodes))
    names = list(graph)
    for _ in range(num_edges):
        graph.add_edge(*drawn.sample(names, 2))
    return graph


def heard(graph):
    """The names of the nodes that each node hears, by port."""
    rows = graphs.in_neighbours(graph, graph.degree).tolist()
    return [[graph.names[i] for i in row if i >= 0] for row in rows]


def walked(graph):
    """The same as networkx has it."""
    pred = graph.pred if graph.is_directed() else graph.adj
    return [[other for other in pred[node] if other != node] for node in graph]


KINDS = (nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph)


@pytest.mark.parametrize("kind", KINDS)
def test_ports_follow_networkx_if_they_are_asked_to_and_identifiers_if_not(kind):
    unlike = 0
    for seed in range(30):
        graph = shuffled(seed, kind)
        followed = graphs.from_networkx(graph, port_order="adjacency")
        assert list(followed.names) == list(graph)
        assert heard(followed) == walked(graph)
        plain = graphs.from_networkx(graph)
        assert plain.ports is None
        assert heard(plain) == [sorted(walked(graph)[list(graph).index(v)]) for v in sorted(graph)]
        unlike += heard(plain) != walked(graph)
    assert unlike == 30


@pytest.mark.parametrize("kind", KINDS)
def test_dropped_loops_take_no_port(kind):
    graph = kind([(2, 0), (0, 0), (0, 1), (1, 1), (1, 2)])
    followed = graphs.from_networkx(graph, port_order="adjacency", self_loops="drop")
    assert heard(followed) == walked(graph)
    assert followed.loops.nodes.tolist() == [1, 2]


def test_weights_and_slots_stand_at_the_ports_of_their_neighbours():
    graph = nx.Graph()
    graph.add_weighted_edges_from([(0, 2, 7), (0, 1, 5), (2, 1, 3)])
    followed = graphs.from_networkx(graph, weight="weight", port_order="adjacency")
    names, slots = graphs.in_neighbours(followed, 2), graphs.port_slots(followed, 2)
    assert (followed.colours[names] == slots).all()
    of_edge = {
        (followed.names[r], p): w
        for r, p, w in zip(followed.tuple.receivers, followed.edge_ports, followed.tuple.edges)
    }
    assert [of_edge[0, p] for p in (0, 1)] == [7, 5]
    assert [of_edge[2, p] for p in (0, 1)] == [7, 3]


def test_a_batch_keeps_the_ports_of_its_parts():
    one, other = shuffled(1), shuffled(2)
    parts = [graphs.from_networkx(one, port_order="adjacency"), graphs.from_networkx(other)]
    both = graphs.batch(parts)
    assert heard(both) == walked(one) + heard(parts[1])
    assert graphs.batch([parts[1], parts[1]]).ports is None


def test_the_order_of_some_neighbours_is_that_of_their_ports():
    graph = graphs.from_networkx(shuffled(3), port_order="adjacency")
    order, rows = port_order(graph), graphs.in_neighbours(graph, graph.degree)
    for node, row in enumerate(rows.tolist()):
        own = [i for i in row if i >= 0]
        assert order(node, set(own)) == own
        assert order(node, [node, *reversed(own)]) == [*own, node]
        assert port_order(by_identifiers(graph))(node, own) == sorted(own)


def test_any_numbering_from_0_is_one_and_no_other():
    path = graphs.load("path:3")
    swapped = graphs.with_ports(path, np.array([0, 1, 0, 0]))
    assert heard(swapped) == [[1], [2, 0], [1]]
    assert heard(by_identifiers(swapped)) == heard(path)
    for wrong, word in (
        ([0, 0, 0, 0], r"node 1 of graph 'path:3' has the ports \[0, 0\]; 0 to 1, each once"),
        ([0, 1, 2, 0], r"node 1"),
        ([1, 0, 1, 0], r"node 0"),
        ([0, -1, 0, 0], r"node 1"),
        ([0, 1, 0], r"takes 4 ports"),
    ):
        with pytest.raises(GraphError, match=word):
            graphs.with_ports(path, np.array(wrong))
    with pytest.raises(WRONG_TYPE):
        graphs.with_ports(path, np.array([0.0, 1.0, 0.0, 0.0]))
    with pytest.raises(WRONG_TYPE):
        graphs.from_networkx(nx.path_graph(2), port_order="names")


def test_a_function_orders_neighbours_as_sort_neighbors_does():
    graph = shuffled(4)
    falling = graphs.from_networkx(graph, port_order=lambda near: sorted(near, reverse=True))
    assert list(falling.names) == list(graph)
    assert heard(falling) == [sorted(near, reverse=True) for near in walked(graph)]
    with pytest.raises(GraphError, match="each once, would fit"):
        graphs.from_networkx(graph, port_order=lambda near: list(near)[1:])
    with pytest.raises(GraphError, match="each once, would fit"):
        graphs.from_networkx(graph, port_order=lambda near: [next(near)] * 2 + list(near)[1:])
