"""from_networkx: nothing is lost or made up on the way, and every broken rule is named."""

import subprocess
import sys
from fractions import Fraction

import jaxtyping
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkexec.errors import GraphError
from ntkexec.graphs import check_two_hop_colouring, from_networkx, parse

# The test hook for array types refuses a wrong argument before we do.
WRONG_TYPE = (GraphError, jaxtyping.TypeCheckError)
ATLAS = nx.graph_atlas_g()[1:209]


@st.composite
def weighted_graphs(draw, kinds=(nx.Graph, nx.DiGraph)):
    kind = draw(st.sampled_from(kinds))
    num_nodes = draw(st.integers(1, 9))
    node, weight = st.integers(0, num_nodes - 1), st.integers(-(2**31), 2**31 - 1)
    pairs = st.tuples(node, node, weight).filter(lambda edge: edge[0] != edge[1])
    graph = kind()
    graph.add_nodes_from(range(num_nodes))
    graph.add_weighted_edges_from(draw(st.lists(pairs, max_size=25)))
    return graph


def same(first, second):
    return (
        type(first) is type(second)
        and list(first) == list(second)
        and nx.utils.graphs_equal(first, second)
    )


def test_the_atlas_survives_the_round_trip():
    for atlas_graph in ATLAS:
        graph = nx.Graph(atlas_graph.edges)
        graph.add_nodes_from(atlas_graph)
        back = from_networkx(graph).to_networkx()
        assert list(back) == sorted(graph)
        assert nx.utils.graphs_equal(back, graph)
        for edge in list(graph.edges):
            graph.remove_edge(*edge)
            assert not nx.utils.graphs_equal(back, graph)


@settings(deadline=None)
@given(weighted_graphs())
def test_nodes_edges_directions_and_weights_survive_the_round_trip(graph):
    converted = from_networkx(graph, weight="weight")
    assert same(converted.to_networkx(), graph)
    assert converted.num_edges == graph.number_of_edges()
    unweighted = type(graph)()
    unweighted.add_nodes_from(graph)
    unweighted.add_edges_from(graph.edges)
    assert same(from_networkx(graph).to_networkx(), unweighted)


@settings(deadline=None)
@given(weighted_graphs())
def test_the_arrays_describe_the_graph(graph):
    converted = from_networkx(graph, weight="weight")
    arrays = converted.tuple
    for array in (arrays.senders, arrays.receivers, arrays.edges, converted.colours):
        assert array.dtype == np.int32
    assert (np.diff(arrays.receivers) >= 0).all()
    triples = set(zip(*(a.tolist() for a in (arrays.senders, arrays.receivers, arrays.edges))))
    directed = graph.to_directed()
    assert triples == set(directed.edges(data="weight"))
    assert len(arrays.senders) == directed.number_of_edges()
    assert arrays.nodes is None
    assert converted.directed == graph.is_directed()
    underlying = graph.to_undirected()
    assert converted.degree == max(degree for _, degree in underlying.degree)
    assert converted.num_components == nx.number_connected_components(underlying)
    assert converted.num_colours == converted.colours.max() + 1
    check_two_hop_colouring(graph, dict(zip(converted.names, converted.colours.tolist())))


@settings(deadline=None)
@given(weighted_graphs(kinds=(nx.MultiGraph, nx.MultiDiGraph)))
def test_parallel_edges_become_one_with_the_smallest_weight(graph):
    expected = nx.DiGraph() if graph.is_directed() else nx.Graph()
    expected.add_nodes_from(graph)
    for u, v in graph.edges():
        weights = [data["weight"] for data in graph[u][v].values()]
        expected.add_edge(u, v, weight=min(weights))
    assert same(from_networkx(graph, weight="weight").to_networkx(), expected)


def test_names_without_an_order_are_kept():
    graph = nx.Graph([("b", 1), (1, ("a", 2))])
    converted = from_networkx(graph)
    assert converted.names == ("b", 1, ("a", 2))
    assert same(converted.to_networkx(), graph)


def test_whole_numbers_of_any_type_are_weights():
    graph = nx.Graph()
    values = [3, np.int64(3), np.uint8(3), 3.0, np.float32(3), -(2**31), 2**31 - 1]
    graph.add_weighted_edges_from((i, i + 1, value) for i, value in enumerate(values))
    back = from_networkx(graph, weight="weight").to_networkx()
    assert [w for _, _, w in back.edges(data="weight")] == [3] * 5 + [-(2**31), 2**31 - 1]


@pytest.mark.parametrize(
    "value",
    [True, np.True_, 1.5, float("nan"), float("inf"), "3", 2**31, -(2**31) - 1, Fraction(3), 1j],
    ids=repr,
)
def test_what_is_no_int32_is_no_weight(value):
    graph = nx.Graph()
    graph.add_edge("a", "b", cost=1)
    graph.add_edge("b", "c", cost=value)
    with pytest.raises(GraphError) as caught:
        from_networkx(graph, weight="cost", label="roads")
    for part in ("'b'-'c'", "'roads'", repr(value), "'cost'", "-2147483648..2147483647"):
        assert part in str(caught.value)
    from_networkx(graph)  # not looked at


def test_a_missing_weight_is_named_with_its_edge():
    with pytest.raises(
        GraphError, match=r"edge 0-1 of graph 'graph' has no 'weight'; a weight must"
    ):
        from_networkx(nx.path_graph(3), weight="weight")


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph])
def test_self_loops_are_refused_by_name_or_dropped(kind):
    graph = kind([("a", "b"), ("b", "b"), ("b", "c")])
    with pytest.raises(GraphError, match=r"node 'b' of graph 'graph' has an edge to itself.*drop"):
        from_networkx(graph)
    dropped = from_networkx(graph, self_loops="drop")
    assert list(dropped.to_networkx().edges) == [("a", "b"), ("b", "c")]
    assert dropped.degree == 2
    weighted = nx.Graph()
    weighted.add_weighted_edges_from([(0, 0, 5), (0, 1, 6), (1, 1, 7), (1, 2, 8)])
    kept = from_networkx(weighted, weight="weight", self_loops="drop").to_networkx()
    assert list(kept.edges(data="weight")) == [(0, 1, 6), (1, 2, 8)]
    with pytest.raises(GraphError, match="self_loops is 'keep'; it must be 'refuse' or 'drop'"):
        from_networkx(graph, self_loops="keep")


def test_a_degree_above_the_bound_is_refused_with_the_bound_that_fits():
    star = nx.star_graph(["hub", "a", "b", "c"])
    with pytest.raises(GraphError, match=r"node 'hub' .* degree 3, above the bound 2; degree=3"):
        from_networkx(star, degree=2)
    assert from_networkx(star, degree=3).degree == 3
    assert from_networkx(star, degree=7).degree == 3
    with pytest.raises(GraphError, match="degree is True"):
        from_networkx(star, degree=True)


def test_the_degree_counts_neighbours_in_or_out_once():
    both_ways = nx.DiGraph([(0, 1), (1, 0), (2, 0)])
    assert from_networkx(both_ways, degree=2).degree == 2


def test_no_graph_and_no_nodes_are_refused():
    with pytest.raises(WRONG_TYPE, match=r"must be a networkx graph, not dict|Type-check error"):
        from_networkx({0: [1]})
    with pytest.raises(GraphError, match="'void' has no nodes"):
        from_networkx(nx.Graph(), label="void")


def test_an_unknown_strategy_is_refused():
    with pytest.raises(GraphError, match="did you mean 'smallest_last'"):
        from_networkx(nx.path_graph(2), strategy="smallest_lst")


def test_a_large_graph_converts():
    graph = parse("random-bounded:n=20000,d=4,seed=0")
    converted = from_networkx(graph, degree=4)
    assert converted.num_edges == graph.number_of_edges()
    assert converted.num_colours <= 17
    assert converted.num_components == 1


def test_the_package_imports_without_plotting_and_without_tensorflow():
    program = (
        "import sys, ntkexec.graphs;"
        "print([m for m in ('matplotlib', 'tensorflow', 'neural_tangents') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert run.stdout.strip() == b"[]"
