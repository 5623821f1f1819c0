"""Graphs by name: what each spec promises, and what a wrong one says."""

import re

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkexec.errors import GraphError
from ntkexec.graphs import from_networkx, parse
from ntkexec.graphs.generators.named import GENERATORS, describe
from ntkexec.graphs.generators.samplers import with_uniform_weights

EXAMPLES = [generator.example for generator in describe()]


def with_option(example, option):
    return f"{example}{',' if ':' in example else ':'}{option}"


def largest_degree(graph):
    return max(degree for _, degree in graph.degree)


@pytest.mark.parametrize("generator", describe(), ids=lambda generator: generator.name)
def test_every_generator_has_an_example_that_converts_and_a_line_of_help(generator):
    graph = parse(generator.example)
    assert from_networkx(graph).num_nodes == len(graph) > 1
    assert generator.help
    assert "\n" not in generator.help
    assert generator.usage.startswith(generator.name)
    for parameter in generator.all_parameters:
        assert parameter.name in generator.usage


@pytest.mark.parametrize("example", EXAMPLES)
def test_weights_are_integers_in_the_range_and_leave_the_graph_alone(example):
    plain = parse(with_option(example, "seed=3") if "seed" not in example else example)
    spec = with_option(example, "weights=-1..2")
    weighted = parse(with_option(spec, "seed=3") if "seed" not in spec else spec)
    assert {frozenset(e) for e in weighted.edges} == {frozenset(e) for e in plain.edges}
    weights = [weight for _, _, weight in weighted.edges(data="weight")]
    assert all(type(weight) is int and -1 <= weight <= 2 for weight in weights)
    assert from_networkx(weighted, weight="weight").weighted


def test_both_ends_of_the_weight_range_occur():
    weights = {w for _, _, w in parse("grid:8x8,weights=0..3").edges(data="weight")}
    assert weights == {0, 1, 2, 3}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_same_spec_gives_the_same_graph(example):
    spec = with_option(example, "weights=0..9")
    assert nx.utils.graphs_equal(parse(spec), parse(spec))


@pytest.mark.parametrize("name", ["random-regular", "random-bounded", "gnp", "tree"])
def test_the_seed_changes_the_graph(name):
    example = GENERATORS[name].example
    graphs = [parse(re.sub(r"seed=\d+", f"seed={seed}", example)) for seed in range(5)]
    assert len({frozenset(map(frozenset, graph.edges)) for graph in graphs}) == 5


def test_the_seed_changes_weights_and_directions():
    for option in ("weights=0..99", "directed=1"):
        first, second = (parse(f"grid:5x5,{option},seed={seed}") for seed in (0, 1))
        assert not nx.utils.graphs_equal(first, second)


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
def test_weights_do_not_depend_on_the_order_of_edges(kind):
    edges = [(0, 1), (2, 1), (2, 3), (3, 0)]
    backwards = edges[::-1] if kind is nx.DiGraph else [(v, u) for u, v in edges[::-1]]
    first, second = (
        with_uniform_weights(kind(order), 0, 99, np.random.default_rng(0))
        for order in (edges, backwards)
    )
    assert nx.utils.graphs_equal(first, second)


@pytest.mark.parametrize("example", EXAMPLES)
def test_directed_graphs_keep_the_edges(example):
    graph, directed = parse(example), parse(with_option(example, "directed=1"))
    assert directed.is_directed()
    assert set(directed) == set(graph)
    if not example.startswith("gnp"):  # which draws both directions of a pair
        assert {frozenset(e) for e in directed.edges} == {frozenset(e) for e in graph.edges}
        assert directed.number_of_edges() == graph.number_of_edges()


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_random_bounded_keeps_the_bound_and_connects(num_nodes, degree, seed, connected):
    degree = max(degree, min(num_nodes - 1, 2)) if connected else degree
    graph = parse(f"random-bounded:n={num_nodes},d={degree},seed={seed},connected={int(connected)}")
    assert sorted(graph) == list(range(num_nodes))
    assert largest_degree(graph) <= degree
    assert nx.is_connected(graph) or not connected


def test_random_bounded_reaches_its_bound_and_has_cycles():
    for seed in range(20):
        graph = parse(f"random-bounded:n=30,d=3,seed={seed}")
        assert largest_degree(graph) == 3
        assert graph.number_of_edges() > 30


@settings(deadline=None)
@given(st.integers(1, 40), st.none() | st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_trees_are_trees_within_their_bound(num_nodes, degree, seed):
    bound = "" if degree is None else f",d={degree}"
    tree = parse(f"tree:n={num_nodes},seed={seed}{bound}")
    assert sorted(tree) == list(range(num_nodes))
    assert nx.is_tree(tree)
    assert degree is None or largest_degree(tree) <= degree


@pytest.mark.parametrize(("bound", "num_trees"), [("", 16), (",d=2", 12)])
def test_all_labelled_trees_on_four_nodes_occur(bound, num_trees):
    """Cayley: 4**2 = 16 trees, of which 4!/2 = 12 are paths."""
    trees = {
        frozenset(map(frozenset, parse(f"tree:n=4,seed={seed}{bound}").edges))
        for seed in range(300)
    }
    assert len(trees) == num_trees


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("path:5", nx.path_graph(5)),
        ("path:n=5,directed=1", nx.path_graph(5, create_using=nx.DiGraph)),
        ("cycle:4,directed=1", nx.cycle_graph(4, create_using=nx.DiGraph)),
        ("star:5", nx.star_graph(4)),
        ("complete:4", nx.complete_graph(4)),
        ("petersen", nx.petersen_graph()),
        ("grid:2x3", nx.Graph([(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)])),
        ("grid:2,3", nx.Graph([(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)])),
        ("grid:rows=1,columns=3", nx.path_graph(3)),
        ("balanced-tree:r=2,h=2", nx.balanced_tree(2, 2)),
        ("hypercube:2", nx.Graph([(0, 1), (0, 2), (1, 3), (2, 3)])),
        ("hypercube:0", nx.empty_graph(1)),
        ("caterpillar:2,2", nx.Graph([(0, 1), (0, 2), (0, 3), (1, 4), (1, 5)])),
        ("lollipop:3,1", nx.lollipop_graph(3, 1)),
        ("barbell:3,0", nx.barbell_graph(3, 0)),
        (" path : n = 2 ", nx.path_graph(2)),
    ],
)
def test_small_graphs_are_as_drawn_by_hand(spec, expected):
    assert nx.utils.graphs_equal(parse(spec), expected)


def test_tori_and_hypercubes_are_regular():
    for spec, degree in (("torus:3x5", 4), ("hypercube:5", 5), ("random-regular:20,3", 3)):
        assert {d for _, d in parse(spec).degree} == {degree}
    assert nx.is_isomorphic(parse("torus:4x5"), nx.grid_2d_graph(4, 5, periodic=True))
    assert nx.is_isomorphic(parse("hypercube:4"), nx.hypercube_graph(4))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("karat", r"'karat' is not a generator \(karate, .*did you mean 'karate'\?"),
        ("", r"'' is not a generator"),
        ("gnp:n=10", r"p is missing; gnp takes n, p, seed, directed, weights, for example gnp:n"),
        ("gnp:n=10,p=0.1,sed=3", r"'sed' is unknown; gnp takes .*; did you mean 'seed'"),
        ("gnp:n=ten,p=0.1", r"n is 'ten'; expected an integer in 1\.\.20000000"),
        ("gnp:n=10,p=1.5", r"p is '1.5'; expected a number in 0\.\.1"),
        ("gnp:n=10,p=nan", r"p is 'nan'"),
        ("gnp:n=10,p=x", r"p is 'x'"),
        ("path:0", r"n is '0'; expected an integer in 1\.\."),
        ("path:-3", r"n is '-3'"),
        ("path:2.0", r"n is '2.0'"),
        ("path:", r"n is missing"),
        ("path:,", r"2 unnamed arguments|n is ''"),
        ("path:1,1,1", r"3 unnamed arguments are too many; path takes n"),
        ("path:3,n=4", r"n is given twice"),
        ("path:directed=1,3", r"unnamed argument '3' follows a named one"),
        ("path:3,directed=yes", r"directed is 'yes'; expected 0 or 1"),
        ("path:3,seed=-1", r"seed is '-1'"),
        ("path:3,weights=3", r"weights is '3'; expected integers low\.\.high"),
        ("path:3,weights=3..1", r"weights is '3\.\.1'"),
        ("path:3,weights=0..3000000000", r"weights is '0\.\.3000000000'; .*2147483647"),
        ("cycle:2", r"n is '2'; expected an integer in 3\.\."),
        ("torus:2x5", r"rows is '2'; expected an integer in 3\.\."),
        ("random-regular:5,3", r"n \* d is 5 \* 3, which is odd"),
        ("random-regular:4,4", r"d is 4; .* n=4 nodes has d of at most 3"),
        ("random-bounded:5,1", r"d is 1; to connect n=5 nodes it must be at least 2"),
        ("tree:n=3,d=1", r"d is 1; to connect n=3 nodes"),
        ("complete:1000000", r"about 5e\+11 nodes and edges; at most 2e\+07"),
        ("balanced-tree:r=10,h=1000000", r"about .* nodes and edges"),
        ("grid:20000000x20000000", r"nodes and edges"),
        ("karate:3", r"1 unnamed arguments are too many"),
    ],
)
def test_a_wrong_spec_is_refused_with_what_would_be_valid(spec, message):
    with pytest.raises(GraphError, match=message) as caught:
        parse(spec)
    assert "\n" not in str(caught.value)
    assert name_or_whole(spec) in str(caught.value)


def name_or_whole(spec):
    return repr(spec) if spec.partition(":")[0] in GENERATORS else repr(spec.partition(":")[0])
