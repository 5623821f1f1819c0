"""Graphs as arrays: the same rules as from networkx, and colourings that hold."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from ntkexec import graphs
from ntkexec.errors import ColouringError, GraphError
from ntkexec.graphs.colouring import parallel
from ntkexec.graphs.colouring.greedy import check_colours, colour_edges
from ntkexec.graphs.colouring.parallel import jones_plassmann


def edges_of(graph):
    return np.array(list(graph.edges), int).reshape(-1, 2).T


def arrays_equal(one, other):
    for left, right in zip(one.tuple[:-1], other.tuple[:-1]):
        if (left is None) != (right is None):
            return False
        if left is not None and not np.array_equal(left, right):
            return False
    return np.array_equal(one.tuple.n_edge, other.tuple.n_edge)


@st.composite
def random_graphs(draw, kind=nx.Graph):
    num_nodes = draw(st.integers(1, 12))
    ends = st.tuples(st.integers(0, num_nodes - 1), st.integers(0, num_nodes - 1))
    graph = kind()
    graph.add_nodes_from(range(num_nodes))
    graph.add_edges_from((u, v) for u, v in draw(st.lists(ends, max_size=25)) if u != v)
    return graph


@given(random_graphs())
def test_jones_plassmann_colours_the_square_with_few_colours(graph):
    colours = jones_plassmann(len(graph), *edges_of(graph))
    graphs.check_two_hop_colouring(graph, dict(enumerate(colours.tolist())))
    degree = max(dict(graph.degree).values())
    assert set(colours.tolist()) == set(range(colours.max() + 1))
    assert colours.max() + 1 <= degree**2 + 1


def test_jones_plassmann_needs_more_than_one_word_of_colours():
    star = nx.star_graph(150)
    colours = jones_plassmann(151, *edges_of(star))
    assert sorted(colours.tolist()) == list(range(151))


def test_jones_plassmann_depends_on_nothing_but_graph_and_seed():
    graph = nx.random_regular_graph(4, 200, seed=0)
    senders, receivers = edges_of(graph)
    first = jones_plassmann(200, senders, receivers)
    assert np.array_equal(first, jones_plassmann(200, receivers[::-1], senders[::-1]))
    assert not np.array_equal(first, jones_plassmann(200, senders, receivers, seed=1))


@given(random_graphs(), st.integers(0, 10**6))
def test_check_colours_agrees_with_the_check_in_networkx(graph, seed):
    colours = np.random.default_rng(seed).integers(len(graph), size=len(graph))
    for checked in (colours, colour_edges(len(graph), *edges_of(graph))):
        try:
            graphs.check_two_hop_colouring(graph, dict(enumerate(checked.tolist())))
            proper = True
        except ColouringError:
            proper = False
        if proper:
            check_colours(len(graph), *edges_of(graph), checked)
        else:
            with pytest.raises(ColouringError, match="share colour"):
                check_colours(len(graph), *edges_of(graph), checked)


def test_missing_and_negative_colours_are_refused():
    nothing = np.zeros(0, int)
    for colours in (np.zeros(2, int), np.array([0, 1, -1])):
        with pytest.raises(ColouringError, match="3 nodes need as many colours"):
            check_colours(3, nothing, nothing, colours)


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
@given(data=st.data())
def test_arrays_give_the_same_graph_as_networkx(kind, data):
    graph = data.draw(random_graphs(kind))
    senders, receivers = edges_of(graph)
    loaded = graphs.from_arrays(
        range(len(graph)),
        # An undirected edge may be given in any direction, and more than once.
        *(np.append(ends, ends[:1]) for ends in (senders, receivers)),
        directed=graph.is_directed(),
        strategy="largest_first",
    )
    expected = graphs.from_networkx(graph)
    assert arrays_equal(loaded, expected)
    assert np.array_equal(loaded.colours, expected.colours)
    assert (loaded.degree, loaded.names) == (expected.degree, expected.names)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((range(0), [], []), {}, "has no nodes"),
        ((range(2), [0], [2]), {}, "ends in 2; its nodes are 0 to 1"),
        ((range(2), [-1], [1]), {}, "ends in -1"),
        ((range(2), [0, 1], [1]), {}, r"arrays of \[1, 2\] entries do not match"),
        ((range(2), [1], [1]), {}, "has an edge to itself"),
        ((range(3), [0, 0], [1, 2]), {"degree": 1}, "has degree 2, above the bound 1"),
        ((range(3), [0], [1]), {"strategy": "paralel"}, "did you mean 'parallel'"),
    ],
)
def test_bad_arrays_are_refused(arguments, options, message):
    names, senders, receivers = arguments
    with pytest.raises(GraphError, match=message):
        graphs.from_arrays(names, np.array(senders, int), np.array(receivers, int), **options)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (3, 1), (2, 2), (5, 7)])
def test_grid_is_networkxs_in_at_most_five_colours(rows, columns):
    grid = graphs.grid(rows, columns)
    assert arrays_equal(grid, graphs.load(f"grid:{rows}x{columns}"))
    graphs.check_two_hop_colouring(grid.to_networkx(), dict(zip(grid.names, grid.colours.tolist())))
    assert grid.num_colours <= 5


@pytest.mark.parametrize(("num_nodes", "degree"), [(1, 0), (4, 3), (10, 3), (500, 4), (9, 8)])
def test_random_regular_graphs_are_simple_and_regular(num_nodes, degree):
    for seed in range(3):
        graph = graphs.random_regular(num_nodes, degree, seed=seed)
        degrees = np.bincount(graph.tuple.senders, minlength=num_nodes)
        assert (degrees == degree).all()
        assert (graph.tuple.senders != graph.tuple.receivers).all()
        assert len(set(zip(graph.tuple.senders, graph.tuple.receivers))) == num_nodes * degree
    again = graphs.random_regular(num_nodes, degree, seed=2)
    assert arrays_equal(graph, again)


def test_random_regular_graphs_that_do_not_exist_are_refused():
    for num_nodes, degree in [(3, 3), (5, 3), (4, -1)]:
        with pytest.raises(GraphError, match="there is no graph"):
            graphs.random_regular(num_nodes, degree, seed=0)


def test_a_sparse_matrix_is_a_graph():
    cycle = nx.cycle_graph(7)
    matrix = nx.to_scipy_sparse_array(cycle)
    assert arrays_equal(graphs.from_sparse(matrix), graphs.from_networkx(cycle))
    with pytest.raises(GraphError, match="not symmetric"):
        graphs.from_sparse(scipy.sparse.triu(matrix))
    with pytest.raises(GraphError, match="must be square"):
        graphs.from_sparse(scipy.sparse.csr_array((2, 3)))


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
@given(data=st.data())
def test_a_batch_at_once_is_the_batch_of_each(kind, data):
    parts = data.draw(st.lists(random_graphs(kind), min_size=1, max_size=4))
    for part in parts:
        for index, edge in enumerate(part.edges):
            part.edges[edge]["weight"] = index
    at_once = graphs.batch_from_networkx(parts, weight="weight")
    each = graphs.batch([graphs.from_networkx(part, weight="weight") for part in parts])
    assert arrays_equal(at_once, each)
    assert np.array_equal(at_once.tuple.n_node, each.tuple.n_node)
    assert (at_once.names, at_once.degree) == (each.names, each.degree)


def test_batches_that_disagree_are_refused():
    with pytest.raises(GraphError, match="needs at least one graph"):
        graphs.batch_from_networkx([])
    with pytest.raises(GraphError, match="directed as a whole"):
        graphs.batch_from_networkx([nx.path_graph(2), nx.DiGraph(nx.path_graph(2))])
    with pytest.raises(GraphError, match="graph 1 of 'batch'"):
        graphs.batch_from_networkx([nx.path_graph(2), nx.Graph()])


def around_hubs(num_leaves):
    """Two hubs with leaves of their own, and some in common, and a path that leads away."""
    leaves = np.arange(2, num_leaves)
    path = np.arange(num_leaves - 1, num_leaves + 9)
    senders = [np.zeros(2 * num_leaves // 3, int), np.ones(num_leaves // 2, int), path]
    receivers = [leaves[: len(senders[0])], leaves[-len(senders[1]) :], path + 1]
    return num_leaves + 10, np.concatenate(senders), np.concatenate(receivers)


def test_around_a_hub_one_after_the_other_choose_what_they_would_in_rounds(monkeypatch):
    ends = around_hubs(700)
    found = jones_plassmann(*ends)
    monkeypatch.setattr(parallel, "MANY_NEIGHBOURS", 10**9)
    np.testing.assert_array_equal(found, jones_plassmann(*ends))
    check_colours(*ends, found)
    assert found.max() + 1 < ends[0]


def test_around_a_hub_of_thousands_every_node_has_a_colour_of_its_own(monkeypatch):
    num_nodes, senders, receivers = around_hubs(12_000)
    found = graphs.from_arrays(range(num_nodes), senders, receivers)
    assert found.num_colours == num_nodes <= found.degree**2 + 1
    check_colours(num_nodes, senders, receivers, found.colours)
    # Where that were more than D^2 + 1, they choose.
    monkeypatch.setattr(parallel, "MAX_PAIRS", 3)
    path = np.arange(9)
    assert jones_plassmann(10, path, path + 1).max() <= 4
