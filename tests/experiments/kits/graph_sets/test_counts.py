import itertools
import math

import networkx as nx
import numpy as np
import pytest

from experiments.kits.graph_sets.counts import (
    automorphisms,
    node_counts,
    subgraph_counts,
    tailed_triangle,
)
from experiments.kits.graph_sets.families import graph_of_networkx, rook_and_shrikhande
from ntkexec.errors import ExperimentError

DRAWN = [nx.gnp_random_graph(n, p, seed=n) for n, p in ((9, 0.5), (8, 0.6), (7, 0.3), (1, 0.0))]
GRAPHS = [graph_of_networkx(graph) for graph in DRAWN]


@pytest.mark.parametrize("length", range(3, 9))
@pytest.mark.parametrize("induced", [False, True])
def test_cycles_are_those_that_networkx_lists(length, induced):
    def fits(graph, cycle):
        chords = graph.subgraph(cycle).number_of_edges() - length
        return len(cycle) == length and not (induced and chords)

    expected = [
        sum(fits(graph, cycle) for cycle in nx.simple_cycles(graph, length_bound=length))
        for graph in DRAWN
    ]
    found = subgraph_counts(GRAPHS, nx.cycle_graph(length), induced=induced)
    assert found.tolist() == expected
    through = node_counts(GRAPHS, nx.cycle_graph(length), induced=induced)
    assert [part.sum() for part in through] == [length * number for number in expected]


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
def test_paths_are_those_that_networkx_lists(nodes):
    expected = [
        sum(
            len(path) == nodes
            for u, v in itertools.combinations(graph, 2)
            for path in nx.all_simple_paths(graph, u, v, cutoff=nodes)
        )
        for graph in DRAWN
    ]
    if nodes == 1:
        expected = [len(graph) for graph in DRAWN]
    assert subgraph_counts(GRAPHS, nx.path_graph(nodes)).tolist() == expected


def test_cliques_and_stars_are_counted():
    for size in (3, 4, 5):
        expected = [sum(len(c) == size for c in nx.enumerate_all_cliques(g)) for g in DRAWN]
        for induced in (False, True):
            found = subgraph_counts(GRAPHS, nx.complete_graph(size), induced=induced)
            assert found.tolist() == expected
    for leaves in (2, 3, 4):
        expected = [sum(math.comb(d, leaves) for _, d in graph.degree) for graph in DRAWN]
        assert subgraph_counts(GRAPHS, nx.star_graph(leaves)).tolist() == expected


@pytest.mark.parametrize("pattern", [tailed_triangle(), nx.diamond_graph(), nx.star_graph(3)])
def test_induced_copies_are_sets_of_nodes_that_are_isomorphic(pattern):
    expected = [
        sum(
            nx.faster_could_be_isomorphic(graph.subgraph(nodes), pattern)
            and nx.is_isomorphic(graph.subgraph(nodes), pattern)
            for nodes in itertools.combinations(graph, 4)
        )
        for graph in DRAWN
    ]
    assert subgraph_counts(GRAPHS, pattern, induced=True).tolist() == expected


def test_a_pattern_has_its_automorphisms():
    patterns = (nx.cycle_graph(7), nx.complete_graph(4), nx.path_graph(5), tailed_triangle())
    assert [automorphisms(pattern) for pattern in patterns] == [14, 24, 2, 2]


def test_the_rook_graph_has_eight_cliques_of_four_and_shrikhandes_none():
    assert subgraph_counts(rook_and_shrikhande(), nx.complete_graph(4)).tolist() == [8, 0]
    per_node, _ = node_counts(rook_and_shrikhande(), nx.complete_graph(4))
    assert per_node.tolist() == [2] * 16


def test_blocks_change_nothing_and_no_graph_is_no_count():
    many = GRAPHS * 200
    found = subgraph_counts(many, nx.path_graph(4))
    np.testing.assert_array_equal(found, np.tile(subgraph_counts(GRAPHS, nx.path_graph(4)), 200))
    assert subgraph_counts([], nx.path_graph(4)).shape == (0,)


@pytest.mark.parametrize(
    "pattern", [nx.Graph(), nx.Graph([(0, 0)]), nx.empty_graph(2), nx.path_graph(11)]
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(ExperimentError, match="a pattern is connected"):
        subgraph_counts(GRAPHS, pattern)
