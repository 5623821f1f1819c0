"""Two-hop colouring: proper, few colours, the same in every run, and a check that can fail."""

import os
import re
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkexec.errors import ColouringError, GraphError
from ntkexec.graphs import check_two_hop_colouring, two_hop_colouring
from ntkexec.graphs.colouring import greedy
from ntkexec.graphs.colouring.greedy import LARGEST_FIRST, STRATEGIES

ALL = (LARGEST_FIRST, *sorted(STRATEGIES))
ATLAS = nx.graph_atlas_g()[1:209]  # every graph on one to six nodes


@st.composite
def any_graphs(draw):
    """Graphs of all four networkx classes on up to 12 nodes, with self-loops and isolated nodes."""
    kind = draw(st.sampled_from([nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]))
    num_nodes = draw(st.integers(1, 12))
    node = st.integers(0, num_nodes - 1)
    graph = kind()
    graph.add_nodes_from(range(num_nodes))
    graph.add_edges_from(draw(st.lists(st.tuples(node, node), max_size=30)))
    return graph


def simple(graph):
    """The underlying undirected graph without self-loops."""
    underlying = nx.Graph(graph.to_undirected())
    underlying.remove_edges_from(list(nx.selfloop_edges(underlying)))
    return underlying


def assert_proper_and_small(graph, colours):
    underlying = simple(graph)
    assert all(colours[u] != colours[v] for u, v in nx.power(underlying, 2).edges)
    largest = max(degree for _, degree in underlying.degree)
    assert set(colours) == set(graph)
    assert set(colours.values()) == set(range(max(colours.values()) + 1))
    assert len(set(colours.values())) <= largest**2 + 1


def test_the_atlas_is_all_208_graphs_on_up_to_six_nodes():
    assert len(ATLAS) == 208
    assert {len(graph) for graph in ATLAS} == {1, 2, 3, 4, 5, 6}
    assert len(nx.graph_atlas_g()[209]) == 7


@pytest.mark.parametrize("strategy", ALL)
def test_every_strategy_colours_the_square_with_at_most_d_squared_plus_one(strategy):
    for graph in ATLAS:
        colours = two_hop_colouring(graph, strategy)
        check_two_hop_colouring(graph, colours)
        assert_proper_and_small(graph, colours)


@settings(deadline=None)
@given(any_graphs(), st.sampled_from(ALL))
def test_direction_multiplicity_and_self_loops_do_not_matter(graph, strategy):
    colours = two_hop_colouring(graph, strategy)
    check_two_hop_colouring(graph, colours)
    assert_proper_and_small(graph, colours)
    assert colours == two_hop_colouring(simple(graph), strategy)


@pytest.mark.parametrize("few", [-1, greedy.FEW_PAIRS], ids=["matrix", "sets"])
def test_the_colours_are_those_of_networkx_on_the_square(few, monkeypatch):
    monkeypatch.setattr(greedy, "FEW_PAIRS", few)
    for graph in ATLAS:
        assert two_hop_colouring(graph) == nx.greedy_color(nx.power(graph, 2))
    for seed in range(20):
        graph = nx.gnp_random_graph(70, 0.06, seed=seed)
        assert two_hop_colouring(graph) == nx.greedy_color(nx.power(graph, 2))


def test_a_moore_graph_needs_all_d_squared_plus_one_colours():
    assert len(set(two_hop_colouring(nx.petersen_graph()).values())) == 10


def test_the_check_fails_as_soon_as_two_nodes_within_two_hops_agree():
    for graph in ATLAS:
        colours = two_hop_colouring(graph)
        square = nx.power(graph, 2)
        for u, v in square.edges:
            spoilt = colours | {v: colours[u]}
            with pytest.raises(ColouringError, match=f"share colour {colours[u]} and") as caught:
                check_two_hop_colouring(graph, spoilt)
            first, second = map(int, re.findall(r"\d+", str(caught.value).split(" share")[0]))
            assert v in (first, second)  # perhaps with a third node of that colour
            assert square.has_edge(first, second)
            assert spoilt[first] == spoilt[second]


@settings(deadline=None)
@given(any_graphs(), st.data())
def test_the_check_accepts_exactly_the_colourings_of_the_square(graph, data):
    colours = {node: data.draw(st.integers(0, 8)) for node in graph}
    is_proper = all(colours[u] != colours[v] for u, v in nx.power(simple(graph), 2).edges)
    try:
        check_two_hop_colouring(graph, colours)
    except ColouringError:
        assert not is_proper
    else:
        assert is_proper


def test_the_check_says_where_nodes_meet():
    with pytest.raises(ColouringError, match=r"'a' and 'b' share colour 1 and are adjacent"):
        check_two_hop_colouring(nx.Graph([("a", "b")]), {"a": 1, "b": 1})
    star = nx.DiGraph([("a", "hub"), ("b", "hub")])
    with pytest.raises(ColouringError, match=r"'a' and 'b' share .* both neighbours of 'hub'"):
        check_two_hop_colouring(star, {"a": 1, "b": 1, "hub": 0})
    with pytest.raises(ColouringError, match="node 'b' has no colour"):
        check_two_hop_colouring(star, {"a": 1, "hub": 0})


@settings(deadline=None)
@given(any_graphs(), st.randoms(use_true_random=False))
def test_the_order_in_which_edges_were_added_does_not_matter(graph, random):
    nodes, edges = list(graph), list(graph.edges())
    random.shuffle(nodes)
    random.shuffle(edges)
    other = type(graph)()
    other.add_nodes_from(nodes)
    other.add_edges_from(edges)
    assert two_hop_colouring(other) == two_hop_colouring(graph)


def test_the_colours_do_not_depend_on_the_hash_seed_of_the_process():
    program = (
        "from ntkexec.graphs import *; from ntkexec.graphs.colouring.greedy import STRATEGIES;"
        "print([two_hop_colouring(parse('davis'), s) for s in ('largest_first', *STRATEGIES)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_no_nodes_need_no_colours():
    assert two_hop_colouring(nx.Graph()) == {}


def test_a_star_of_two_thousand_nodes_has_a_colour_for_each():
    assert sorted(two_hop_colouring(nx.star_graph(1999)).values()) == list(range(2000))


def test_an_unknown_strategy_is_named_with_the_valid_and_the_nearest():
    with pytest.raises(
        GraphError, match=r"'largest_frist' is unknown.*smallest_last.*did you mean"
    ):
        two_hop_colouring(nx.path_graph(3), "largest_frist")


def test_a_star_of_six_thousand_nodes_is_coloured_without_its_square():
    assert len(set(two_hop_colouring(nx.star_graph(6000)).values())) == 6001


@pytest.mark.parametrize("strategy", [LARGEST_FIRST, "smallest_last"])
def test_a_square_too_large_for_memory_gives_every_node_a_colour_of_its_own_or_is_refused(
    monkeypatch, strategy
):
    monkeypatch.setattr(greedy, "MAX_PAIRS", 50)
    wheel = nx.wheel_graph(12)
    colours = two_hop_colouring(wheel, strategy)
    check_two_hop_colouring(wheel, colours)
    assert sorted(colours.values()) == [*range(12)]
    # On a long path that would be more than D^2 + 1.
    with pytest.raises(GraphError, match="26 nodes with largest degree 2 has up to 98 pairs"):
        two_hop_colouring(nx.path_graph(26), strategy)


def test_leaves_of_a_hub_are_counted_once_and_all_choose_as_if_each_were(monkeypatch):
    graph = nx.disjoint_union(nx.barabasi_albert_graph(200, 1, seed=0), nx.petersen_graph())
    graph.add_edges_from([(0, leaf) for leaf in range(210, 300)])
    ends = np.array(list(graph.edges)).T
    expected = nx.greedy_color(nx.power(graph, 2))
    monkeypatch.setattr(greedy, "FEW_PAIRS", 0)
    for hub in (1, 10**9):
        monkeypatch.setattr(greedy, "MANY_NEIGHBOURS", hub)
        found = greedy.colour_edges(len(graph), *ends)
        assert found.tolist() == [expected[node] for node in range(len(graph))]
