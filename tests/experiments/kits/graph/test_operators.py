"""Graphs from all sources are one, and operators equal their dense formulas."""

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from experiments.kits.graph.convert import from_edges, from_networkx, from_scipy
from experiments.kits.graph.equivariance import equivariance_error, permuted
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.operators import HOWS, dense, normalised, propagate, to_scipy
from experiments.kits.graph.padding import padded
from experiments.kits.graph.segments import segment_softmax
from ntkexec.errors import ExperimentError

KARATE = nx.karate_club_graph()
UNWEIGHTED = nx.empty_graph(34)
UNWEIGHTED.add_edges_from(KARATE.edges)
FEATURES = np.random.default_rng(0).normal(size=(34, 3))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True) if a is not None)


def test_a_graph_is_the_same_from_edges_networkx_and_scipy():
    graph = from_edges(np.array(UNWEIGHTED.edges), FEATURES)
    assert same(graph, from_networkx(UNWEIGHTED, FEATURES))
    matrix = nx.to_scipy_sparse_array(UNWEIGHTED, dtype=float)
    assert same(graph, from_scipy(matrix, FEATURES)._replace(edges=None))
    assert np.array_equal(dense(graph), nx.to_numpy_array(UNWEIGHTED, weight=None))
    assert (np.diff(graph.receivers) >= 0).all()


def test_weights_of_networkx_are_kept():
    assert np.array_equal(dense(from_networkx(KARATE)), nx.to_numpy_array(KARATE))


def test_an_edge_of_a_directed_graph_goes_one_way():
    graph = from_networkx(nx.DiGraph([(0, 1), (1, 2)]))
    assert np.array_equal(dense(graph), np.eye(3, k=-1))
    assert same(graph, from_edges(np.array([[0, 1], [1, 2]]), graph.nodes, directed=True))


def test_an_edge_given_twice_and_a_loop_count_once():
    graph = from_edges(np.array([[0, 1], [1, 0], [0, 1], [1, 1]]), np.zeros((3, 2)))
    assert np.array_equal(dense(graph), [[0, 1, 0], [1, 1, 0], [0, 0, 0]])
    assert from_edges(np.zeros((0, 2), int), np.zeros((3, 2))).senders.shape == (0,)


def test_an_edge_that_leaves_the_nodes_is_named():
    with pytest.raises(ExperimentError, match="edge 1 - 3 leaves the nodes, which are 0 to 2"):
        from_edges(np.array([[0, 1], [1, 3]]), np.zeros((3, 2)))


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("how", HOWS)
def test_normalisation_is_the_formula_on_matrices(how, loops):
    graph = nx.gnp_random_graph(12, 0.3, seed=1, directed=True)
    graph.add_edge(2, 2)
    graph.add_node(12)
    weights = np.random.default_rng(0).uniform(0.5, 2, size=graph.number_of_edges())
    for (_, _, attributes), weight in zip(graph.edges(data=True), weights, strict=True):
        attributes["weight"] = weight
    matrix = nx.to_numpy_array(graph).T
    if loops:
        matrix[np.diag_indices(13)] = np.where(np.diag(matrix) == 0, 1, np.diag(matrix))
    with np.errstate(divide="ignore", invalid="ignore"):
        received, sent = matrix.sum(1, keepdims=True), matrix.sum(0, keepdims=True)
        expected = {
            "sym": matrix / np.sqrt(received * sent),
            "row": matrix / received,
            "mean": matrix / (matrix > 0).sum(1, keepdims=True),
            "none": matrix,
        }[how]
    found = dense(normalised(from_networkx(graph), how=how, self_loops=loops))
    np.testing.assert_allclose(found, np.nan_to_num(expected), rtol=1e-14)


def test_what_cannot_be_normalised_is_refused():
    graph = from_networkx(UNWEIGHTED)
    with pytest.raises(ExperimentError, match="'left' is none of sym"):
        normalised(graph, how="left")
    with pytest.raises(ExperimentError, match="a weight is -1"):
        normalised(graph._replace(edges=-np.ones(len(graph.senders))))


def test_propagation_is_the_matrix_product_and_so_is_its_gradient():
    with jax.enable_x64(True):
        graph = normalised(from_networkx(UNWEIGHTED, FEATURES), how="row")
        matrix = dense(graph)
        found, pull = jax.vjp(lambda x: propagate(graph, x), jnp.asarray(FEATURES))
        np.testing.assert_allclose(found, matrix @ FEATURES, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(
            pull(jnp.asarray(FEATURES))[0], matrix.T @ FEATURES, rtol=1e-13, atol=1e-14
        )
        assert np.array_equal(to_scipy(graph).toarray(), matrix)


def test_propagation_without_weights_adds_neighbours():
    graph = from_networkx(UNWEIGHTED)
    assert np.array_equal(
        propagate(graph, jnp.ones(34))[:, None], dense(graph).sum(1, keepdims=True)
    )


def test_softmax_sums_to_one_over_what_arrives():
    graph = from_networkx(UNWEIGHTED)
    scores = jnp.asarray(np.random.default_rng(0).normal(size=(len(graph.senders), 2)))
    shares = segment_softmax(scores, graph.receivers, 34)
    np.testing.assert_allclose(jax.ops.segment_sum(shares, graph.receivers, 34), 1, rtol=1e-5)


def test_a_permuted_graph_is_the_permuted_matrix_and_propagation_is_equivariant():
    generator = np.random.default_rng(0)
    graph = normalised(from_networkx(KARATE, FEATURES))
    order = generator.permutation(34)
    assert np.array_equal(dense(permuted(graph, order)), dense(graph)[np.ix_(order, order)])
    with jax.enable_x64(True):
        assert equivariance_error(lambda g: propagate(g, g.nodes), graph, generator) < 1e-14
        # A function that looks at numbers of nodes is found out.
        assert equivariance_error(lambda g: g.nodes + np.arange(34)[:, None], graph, generator) > 1
    with pytest.raises(ExperimentError, match="no order of 34 nodes"):
        permuted(graph, np.zeros(34, int))


def test_padding_changes_nothing_for_real_nodes():
    graph = normalised(from_networkx(UNWEIGHTED, FEATURES))
    longer = padded(graph, 40, 256)
    np.testing.assert_allclose(
        propagate(longer.graph, longer.graph.nodes)[longer.nodes],
        propagate(graph, graph.nodes),
        rtol=1e-6,
    )
    sparse_features = SparseFeatures.of(FEATURES)
    held = padded(graph._replace(nodes=sparse_features), 40, 256).graph.nodes
    assert np.array_equal(held.to_scipy().toarray(), longer.graph.nodes)
    assert longer.nodes.sum() == 34
    assert longer.graph.nodes.shape == (40, 3)
    with pytest.raises(ExperimentError, match="34 nodes and 256 edges do not hold"):
        padded(graph, 34, 256)


def test_entries_given_twice_are_added():
    matrix = sparse.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert np.array_equal(dense(from_scipy(matrix)), [[0, 3], [3, 0]])
    with pytest.raises(ExperimentError, match="square"):
        from_scipy(sparse.csr_array(np.zeros((2, 3))))
    with pytest.raises(ExperimentError, match="3 rows of features do not fit"):
        from_scipy(matrix, np.zeros((3, 1)))
