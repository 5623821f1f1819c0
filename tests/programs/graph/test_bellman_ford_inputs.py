"""What Bellman-Ford takes: sizes that hold all sums, sources, edges from nodes to themselves, weights."""

import networkx as nx
import numpy as np
import pytest
from support.weighted import (
    answered,
    connected_graphs,
    from_weighted,
    with_weights,
    without_negative_cycles,
)

from ntkexec import graphs
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs.graph import bellman_ford
from ntkexec.programs.reference import NONE


def test_the_word_counts_from_the_smallest_number():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -5), (1, 2, 9)])
    loaded = from_weighted(graph)
    # -5 to 4 are ten numbers, as many as 0 to 9.
    assert bellman_ford.range_of_sums(loaded, [0], rounds=3) == (-5, 4)
    assert bellman_ford.instance(loaded, sources=[0]).sizes["word"] == 4
    answer = answered(loaded, [0])
    assert answer["distance"].tolist() == [0, -5, 4]


def test_the_word_holds_sums_that_lose():
    # The edge from 2 back to 0 offers 0 a distance of 8, which needs 4 bits; distances need 2.
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, 1), (1, 2, 1), (2, 0, 6)])
    loaded = from_weighted(graph)
    assert bellman_ford.range_of_sums(loaded, [0], rounds=3) == (0, 8)
    assert bellman_ford.instance(loaded, sources=[0]).sizes["word"] == 4


def test_the_word_holds_what_a_negative_cycle_makes_of_distances():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -3), (1, 0, -3)])
    assert bellman_ford.range_of_sums(from_weighted(graph), [0], rounds=2) == (-6, 0)
    # A graph of eight nodes beside it makes it run for eight rounds.
    long = with_weights(nx.path_graph(8, nx.DiGraph), np.random.default_rng(0), 1, 1)
    both = graphs.batch([from_weighted(graph), from_weighted(long)])
    assert bellman_ford.range_of_sums(both, [0, 2], rounds=8) == (-24, 7)


@pytest.mark.parametrize("size, least", [("word", 3), ("degree", 3), ("slots", 4)])
def test_sizes_too_small_are_refused_with_the_number_that_fits(size, least):
    graph = graphs.load("complete:4,weights=2..2", weight="weight")
    # Distance 2 at most, and 4 as a sum on the way.
    sizes = {"degree": 3, "slots": 4, "word": 3}
    answered(graph, [0], sizes=sizes)
    with pytest.raises(ProgramError, match=f"needs {size} of at least {least}, .* {least - 1}"):
        bellman_ford.instance(graph, sources=[0], sizes=sizes | {size: least - 1})


def test_more_room_than_needed_does_no_harm():
    graph = graphs.load("star:4,weights=0..3", weight="weight")
    answered(graph, [1], sizes={"degree": 4, "slots": 6, "word": 6})


def test_inputs_that_make_no_sense_are_refused():
    graph = graphs.load("path:3")
    with pytest.raises(GraphError, match="at least one source"):
        bellman_ford.instance(graph, sources=[])
    with pytest.raises(GraphError, match="not all nodes"):
        bellman_ford.instance(graph, sources=[3])
    with pytest.raises(GraphError, match="either source or sources"):
        bellman_ford.prepare(graph, source=0, sources=[1])


def test_nodes_go_by_name():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([("a", "b", -1), ("b", "c", -2), ("a", "c", 0)])
    instance = bellman_ford.prepare(from_weighted(graph), source="a")
    assert instance.inputs == {"sources": ["a"]}
    assert instance.reference()["distance"].tolist() == [0, -1, -3]
    assert instance.formats["parent"](1) == "b"


# Edges from nodes to themselves.


def looped(arcs, *, kind=nx.DiGraph):
    graph = kind()
    graph.add_weighted_edges_from(arcs)
    return graphs.from_networkx(graph, weight="weight", self_loops="drop")


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph])
def test_a_dropped_loop_of_negative_weight_is_a_negative_cycle(kind):
    graph = looped([(0, 1, 1), (1, 1, -3), (1, 2, 1)], kind=kind)
    answer = answered(graph, [0])
    assert answer["negative_cycle"].tolist() == [1, 1, 1]
    assert answer["distance"].tolist() == [NONE] * 3
    # A loop that adds is no way to anywhere.
    answer = answered(looped([(0, 1, 1), (1, 1, 3), (1, 2, 1)], kind=kind), [0])
    assert answer["distance"].tolist() == [0, 1, 2]


def test_a_negative_loop_counts_where_a_source_reaches_it():
    graph = looped([(0, 1, 1), (1, 1, -3), (1, 2, 1), (2, 3, 4)])
    answer = answered(graph, [2])
    assert answer["negative_cycle"].tolist() == [0] * 4
    assert answer["distance"].tolist() == [NONE, NONE, 0, 4]
    assert answer["parent"].tolist() == [-1, -1, -1, 2]


def test_random_graphs_with_loops_are_exact():
    rng = np.random.default_rng(5)
    given = []
    for plain in connected_graphs(20, 3, seed=5, sizes=[6]):
        given.append(without_negative_cycles(plain, rng))
        for node in rng.integers(6, size=2).tolist():
            given[-1].add_edge(node, node, weight=int(rng.integers(-2, 4)))
    batch = graphs.batch(
        [graphs.from_networkx(graph, weight="weight", self_loops="drop") for graph in given]
    )
    starts = [part.start for part in batch.node_ranges()]
    answer = answered(batch, starts)
    # networkx sees the graphs with their loops, and knows nothing of how they were dropped.
    reached = [graph.subgraph(nx.descendants(graph, 0) | {0}).copy() for graph in given]
    expected = [nx.negative_edge_cycle(graph) for graph in reached]
    assert answer["negative_cycle"][starts].tolist() == expected
    assert {True, False} == set(expected)


def test_loops_keep_their_graph_in_a_batch():
    batch = graphs.batch(
        [looped([(0, 1, 1), (1, 1, -3)]), looped([(0, 1, 1)]), looped([(0, 0, -1), (0, 1, 2)])]
    )
    assert batch.loops.nodes.tolist() == [1, 4]
    answer = answered(batch, [0, 2, 5])
    assert answer["negative_cycle"].tolist() == [1, 1, 0, 0, 0, 0]


# Weights that nobody asked for.


def test_a_word_is_said_if_edges_have_weights_and_each_counts_one(caplog):
    graph = graphs.load(nx.Graph([("a", "b", {"weight": 3}), ("b", "c", {"weight": 3})]))
    assert bellman_ford.prepare(graph).reference()["distance"].tolist() == [0, 1, 2]
    (record,) = caplog.records
    assert "every edge of graph counts 1" in record.getMessage()
    assert "--weights weight" in record.getMessage()
    bellman_ford.prepare(graphs.load("path:3,weights=3..3", weight="weight"))
    bellman_ford.prepare(graphs.load("path:3,weights=1..1"))
    bellman_ford.prepare(graphs.load("petersen"))
    assert len(caplog.records) == 1
