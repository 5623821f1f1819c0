"""What users test their programs with: graphs within their bounds, and an assertion that can fail."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from ntkexec import graphs, testing
from ntkexec.programs.graph import bellman_ford, bfs, dfs

FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def most_neighbours(graph):
    return max(len(set(nx.all_neighbors(graph, node))) for node in graph)


@FEW
@given(data=st.data(), degree=st.integers(2, 5), directed=st.booleans(), connected=st.booleans())
def test_graphs_keep_to_their_bounds(data, degree, directed, connected):
    options = {"max_degree": degree, "directed": directed, "connected": connected}
    graph = data.draw(testing.bounded_graphs(min_nodes=2, max_nodes=7, **options))
    assert 2 <= len(graph) <= 7
    assert graph.is_directed() == directed
    assert most_neighbours(graph) <= degree
    assert not connected or nx.is_connected(graph.to_undirected())


@pytest.mark.parametrize(
    "holds",
    [lambda g: most_neighbours(g) == 3, lambda g: len(g) == 8, lambda g: not nx.is_connected(g)],
)
def test_graphs_reach_their_bounds(holds):
    options = settings(database=None, derandomize=True, max_examples=2000)
    graph = find(testing.bounded_graphs(max_nodes=8, max_degree=3), holds, settings=options)
    assert holds(graph)


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(testing.weighted_graphs(low=-2, high=4, max_nodes=6, max_degree=3, directed=True))
def test_weights_lie_between_their_bounds_and_bellman_ford_is_exact_on_them(graph):
    weights = nx.get_edge_attributes(graph, "weight")
    assert len(weights) == graph.number_of_edges()
    assert all(-2 <= weight <= 4 for weight in weights.values())
    loaded = graphs.from_networkx(graph, weight="weight" if weights else None)
    sizes = {"degree": 3, "slots": 7, "word": 8}
    if loaded.num_colours <= 7:
        testing.assert_exact(bellman_ford.instance(loaded, sources=[0], sizes=sizes))


@pytest.mark.parametrize("engine", ["kernel", "ensemble", "boolean"])
def test_a_right_program_passes(engine):
    graph = graphs.load("petersen")
    found = testing.assert_exact(bfs.instance(graph, sources=[3]), engine=engine)
    assert found.steps == 5


def test_a_wrong_answer_names_node_and_field():
    right = dfs.instance(graphs.load("florentine"), sources=[2])

    def decode(states):
        answer = dict(right.decode(states))
        answer["parent"] = np.where(np.arange(15) == 4, 11, answer["parent"])
        return answer

    with pytest.raises(AssertionError, match="parent of node 'Castellani' is 11"):
        testing.assert_exact(dataclasses.replace(right, decode=decode))


def test_too_few_steps_are_a_wrong_answer():
    right = bfs.instance(graphs.load("path:6"), sources=[0])
    with pytest.raises(
        AssertionError, match="distance of node 5 is -1, the reference says 5; 1 of 6"
    ):
        testing.assert_exact(dataclasses.replace(right, num_steps=right.num_steps - 2))


def test_messages_that_meet_are_noticed():
    # The ends of a path of three nodes share a colour, and both call the middle.
    graph = graphs.load("path:3")
    shared = dataclasses.replace(graph, colours=np.array([0, 1, 0], np.int32))
    with pytest.raises(AssertionError, match="messages met at 1 receptions"):
        testing.assert_exact(bfs.instance(shared, sources=[0, 2]))
