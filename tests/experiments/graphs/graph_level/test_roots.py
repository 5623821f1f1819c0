"""Roots that are paths: how many, what they count, what they tell apart, and what a network makes of them."""

import networkx as nx
import numpy as np
import pytest

from experiments.data.graph_sets import Graph, GraphSet
from experiments.graphs.graph_level import colours, network, paths
from experiments.kits.graph_sets import families
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError

WHOLE = nx.gnp_random_graph(9, 0.45, seed=4)
GRAPH = families.graph_of_networkx(WHOLE)


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_roots_are_the_simple_paths_of_networkx(k):
    found = paths.path_roots(GRAPH, k)
    wanted = {
        tuple(path)
        for u in WHOLE
        for v in WHOLE
        for path in nx.all_simple_paths(WHOLE, u, v, cutoff=k)
        if len(path) == k + 1
    }
    assert {tuple(path) for path in found.paths.tolist()} == (wanted or {(u,) for u in WHOLE})
    assert len(found.paths) == len(wanted or WHOLE)
    assert (found.weights == 1).all()
    degrees = GRAPH.degrees
    formula = {1: degrees.sum(), 2: (degrees * (degrees - 1)).sum()}
    assert len(found.paths) == formula.get(k, len(found.paths))


def test_capped_roots_estimate_a_sum_over_all_without_bias():
    value = np.random.default_rng(0).normal(size=(9, 9, 9))
    every = paths.path_roots(GRAPH, 2)
    wanted = value[tuple(every.paths.T)].sum()
    found, unweighted = [], []
    for seed in range(200):
        some = paths.path_roots(GRAPH, 2, cap=3, generator=np.random.default_rng(seed))
        assert np.bincount(some.paths[:, 0]).max() == 3
        found.append((some.weights * value[tuple(some.paths.T)]).sum())
        unweighted.append(value[tuple(some.paths.T)].sum())
    error = np.std(found, ddof=1) / 200**0.5
    assert abs(np.mean(found) - wanted) < 3 * error
    assert abs(np.mean(unweighted) - wanted) > 3 * error


def test_counts_are_exact_up_to_k_plus_4_nodes_and_not_beyond():
    cycles = np.bincount([len(c) for c in nx.simple_cycles(WHOLE, length_bound=7)], minlength=8)
    for k in (0, 1, 2):
        for nodes in range(max(3, k + 2), k + 5):
            assert paths.count_cycles(GRAPH, nodes, k) == cycles[nodes]
            assert 2 * paths.count_paths(GRAPH, nodes - 1, k) == len(
                paths.path_roots(GRAPH, nodes - 1).paths
            )
        assert paths.count_cycles(GRAPH, k + 5, k) > cycles[k + 5]
    with pytest.raises(ExperimentError, match="length 2"):
        paths.count_cycles(GRAPH, 2, 0)
    with pytest.raises(ExperimentError, match="of 1 edges"):
        paths.count_paths(GRAPH, 1, 2)


def test_colours_of_all_graphs_of_five_nodes_are_those_of_their_isomorphism_classes():
    atlas = [families.graph_of_networkx(g) for g in nx.graph_atlas_g()[1:53]]
    drawn = np.random.default_rng(0)
    copies = [
        Graph(g.num_nodes, np.sort(drawn.permutation(g.num_nodes)[g.edges], axis=1)) for g in atlas
    ]
    for k in (0, 1):
        found = colours.path_colours([*atlas, *copies], k)
        assert found[: len(atlas)].tolist() == found[len(atlas) :].tolist()
        # Graphs without paths of k edges look alike but for their size, which is counted as well.
        assert len(set(found)) == len(atlas) or k == 1
    labelled = [Graph(2, np.array([[0, 1]]), np.array(row)) for row in ([0, 0], [0, 1], [1, 0])]
    assert colours.path_colours(labelled, 0).tolist() == [0, 1, 1]


def test_the_smallest_k_is_found_and_its_cost_told_or_a_pair_that_no_k_tells_apart():
    rook = GraphSet("rook", families.rook_and_shrikhande(), np.array([0, 1]))
    found = colours.choose_k(rook)
    assert (found.k, found.confused, found.proof) == (1, (1, 1, 0), None)
    assert found.roots == (32, 192)
    assert found.bytes == (4 * 32 * 16 * 16, 4 * 32 * 96 * 16)
    same = GraphSet("same", (GRAPH, GRAPH), np.array([0, 1]))
    assert colours.choose_k(same, most=1).k is None
    assert colours.choose_k(same, most=1).proof == (0, 1)
    with pytest.raises(ExperimentError, match="generator"):
        colours.choose_k(rook, sample=1)


@pytest.mark.slow
def test_a_network_does_not_care_how_nodes_are_numbered_nor_for_padding():
    order = np.random.default_rng(1).permutation(9)
    graphs = [GRAPH, Graph(9, np.sort(order[GRAPH.edges], axis=1))]
    roots = [paths.path_roots(graph, 1) for graph in graphs]
    model = network.KPathGNN(3, 1, hidden=4, layers=2)
    number = len(roots[0].paths)
    batch = network.rooted_batch(graphs, roots, num_nodes=9, num_roots=number)
    variables = initial_by_numpy(model, np.random.default_rng(0), batch)
    found = np.asarray(model.apply(variables, batch))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    wide = network.rooted_batch(graphs, roots, num_nodes=12, num_roots=number + 5)
    np.testing.assert_allclose(model.apply(variables, wide), found, rtol=1e-4, atol=1e-5)
    with pytest.raises(ExperimentError, match="k = 0"):
        network.KPathGNN(3, 0).apply({"params": {}}, batch)
    with pytest.raises(ExperimentError, match="roots of 2 nodes"):
        network.rooted_batch(graphs, roots, num_nodes=9, num_roots=number - 1)
