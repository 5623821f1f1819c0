"""GraphFM's losses, views, probes and samples by brute force; nothing is trained."""

import jax
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from experiments.data.nodes import NodeData, Split
from experiments.graphs.graphfm import losses, probes
from experiments.graphs.graphfm.encoder import operator_of, problem_of
from experiments.graphs.graphfm.methods import METHODS, corrupted
from experiments.graphs.graphfm.sampling import sampled_view
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.features import SparseFeatures, times
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

GENERATOR = np.random.default_rng(0)
Z, OTHER = GENERATOR.normal(size=(2, 24, 5))


@pytest.mark.slow
def test_contrast_is_a_loop_over_nodes_and_a_mean_over_anchors():
    def direction(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    one, other, terms = direction(Z), direction(OTHER), []
    for x, y in ((one, other), (other, one)):
        for u in range(24):
            between = [np.exp(x[u] @ y[v] / 0.4) for v in range(24)]
            within = [np.exp(x[u] @ x[v] / 0.4) for v in range(24) if v != u]
            terms.append(-np.log(between[u] / (sum(between) + sum(within))))
    with float64():
        whole = float(losses.contrast_loss(Z, OTHER))
        parts = [
            float(losses.contrast_loss(Z, OTHER, anchors=part))
            for part in np.split(GENERATOR.permutation(24), 3)
        ]
    assert whole == pytest.approx(np.mean(terms), rel=1e-12)
    assert np.mean(parts) == pytest.approx(whole, rel=1e-12)


def test_the_factored_error_is_that_of_the_product_and_gradients_at_zero_are_small():
    kernel, x = GENERATOR.normal(size=(5, 40)), GENERATOR.normal(size=(24, 40))
    x[3], masked = 0, (GENERATOR.random(24) < 0.6).astype(float)
    masked[3] = 1

    def factored(hidden):
        lengths = np.linalg.norm(x, axis=1)
        return losses.factored_cosine_error(hidden, kernel, x @ kernel.T, lengths, masked)

    with float64():
        found = float(factored(Z))
        wanted = float(losses.scaled_cosine_error(Z @ kernel, x, masked))
        zero = np.zeros_like(Z)
        slopes = [np.asarray(jax.grad(factored)(zero))]
        slopes.append(np.asarray(jax.grad(lambda z: losses.bootstrap_loss(z, OTHER))(zero)))
    assert found == pytest.approx(wanted, rel=1e-12)
    assert max(float(abs(each).max()) for each in slopes) < 100


def test_padding_reaches_no_node_and_a_pair_left_out_is_left_out_of_degrees():
    data = contextual_sbm(np.random.default_rng(1), nodes=120, validation=20)
    graph = from_edges(data.edges, data.features)
    problem = problem_of(graph, room=len(data.edges) + 9)
    kept = (GENERATOR.random(len(data.edges)) < 0.7).astype(float)
    with float64():
        operator = operator_of(problem, np.r_[kept, np.zeros(9)])
        found = np.asarray(times(operator, np.eye(120)))
    fewer = from_edges(data.edges[kept > 0], data.features)
    np.testing.assert_allclose(found, dense(normalised(fewer)), atol=1e-12)
    with pytest.raises(ExperimentError, match="room for 3"):
        problem_of(graph, room=3)


def test_gca_spares_edges_and_features_of_central_nodes():
    star = np.array([[0, k] for k in range(1, 8)] + [[7, 8], [8, 9]])
    x = np.ones((10, 2), np.float32)
    x[0, 0] = 0  # so that the second feature is the hub's
    graph = from_edges(star, x)
    problem = problem_of(graph)
    found = corrupted(problem, METHODS["gca"], graph)
    hub = (problem.pairs == 0).any(1)
    assert found.edge_drop[0][hub].max() < found.edge_drop[0][~hub].min()
    assert found.feature_drop[0, 1] < found.feature_drop[0, 0]
    plain = corrupted(problem, METHODS["bgrl"], graph)
    assert set(plain.edge_drop.ravel().tolist()) == {np.float32(0.3)}


def test_edges_in_one_direction_weights_and_loops_are_refused():
    path = np.array([[0, 1], [1, 2]])
    for wrong in (
        from_edges(path, np.ones((3, 1)), directed=True),
        from_edges(np.array([[0, 1], [1, 1]]), np.ones((3, 1))),
        normalised(from_edges(path, np.ones((3, 1))), self_loops=False),
    ):
        with pytest.raises(ExperimentError, match="undirected"):
            problem_of(wrong)


def test_links_are_parts_of_the_edges_and_pairs_are_none():
    data = contextual_sbm(np.random.default_rng(2), nodes=120, validation=20)
    links = probes.split_links(data, np.random.default_rng(0))
    parts = [set(map(tuple, part.tolist())) for part in links[:3]]
    edges = set(map(tuple, data.edges.tolist()))
    assert set.union(*parts) == edges
    assert sum(map(len, parts)) == len(edges)
    for part, pairs in zip(links[:3], links.none, strict=True):
        found = set(map(tuple, pairs.tolist()))
        assert len(found) == len(pairs) == len(part)
        assert all(u < v for u, v in found)
    assert not edges & set(map(tuple, np.concatenate(links.none[1:]).tolist()))
    assert not parts[0] & set(map(tuple, links.none[0].tolist()))


def test_link_scores_are_counts_of_pairs_ties_too():
    # Embeddings of one column with two values: products tie.
    z = np.random.default_rng(3).integers(2, size=(60, 1)).astype(np.float32)
    edges = np.array([[i, j] for i in range(60) for j in range(i + 1, 60) if z[i, 0] == z[j, 0]])
    edges = edges[np.random.default_rng(4).permutation(len(edges))[:150]]
    data = NodeData("tied", z, np.zeros(60, np.int64), edges)
    links = probes.split_links(data, np.random.default_rng(5), validation=0.2, test=0.3)
    found = probes.probe_links(z, links)

    def product(pairs):
        rows = (z[:, 0].astype(float) - z.mean()) / z.std()
        return np.round(rows[pairs[:, 0]] * rows[pairs[:, 1]], 5)

    up, down = product(links.test), product(links.none[2])
    wins = (up[:, None] > down[None, :]) + 0.5 * (up[:, None] == down[None, :])
    assert found.auc == pytest.approx(wins.mean(), rel=1e-9)
    told = stats.mannwhitneyu(up, down).statistic
    assert found.auc == pytest.approx(told / len(up) / len(down), rel=1e-9)
    area, recall = 0.0, 0.0
    for threshold in sorted({*up.tolist(), *down.tolist()}, reverse=True):
        passed = (up >= threshold).sum()
        area += (passed / len(up) - recall) * passed / (passed + (down >= threshold).sum())
        recall = passed / len(up)
    assert found.ap == pytest.approx(area, rel=1e-9)


def test_mutual_information_and_rand_index_by_counting_pairs():
    one, other = GENERATOR.integers(3, size=30), GENERATOR.integers(4, size=30)
    table = np.array([[((one == i) & (other == j)).mean() for j in range(4)] for i in range(3)])

    def entropy(p):
        return -(p[p > 0] * np.log(p[p > 0])).sum()

    rows, columns = entropy(table.sum(1)), entropy(table.sum(0))
    shared = rows + columns - entropy(table.ravel())
    assert normalized_mutual_info_score(one, other) == pytest.approx(2 * shared / (rows + columns))
    up = np.triu_indices(30, 1)
    same = [(labels[:, None] == labels[None, :])[up] for labels in (one, other)]
    both, expected = (same[0] & same[1]).sum(), same[0].sum() * same[1].sum() / len(up[0])
    most = (same[0].sum() + same[1].sum()) / 2
    assert adjusted_rand_score(one, other) == pytest.approx((both - expected) / (most - expected))
    far = 20 * np.eye(3)[one] + GENERATOR.normal(size=(30, 3))
    for labels in (one, (one + 1) % 3):  # by another name the classes are the same
        told = probes.probe_clusters(far, labels, np.random.default_rng(0))
        assert (told.nmi, told.ari) == (1, 1)


def test_a_probe_of_nodes_scores_the_nodes_that_it_was_not_shown():
    labels = GENERATOR.integers(3, size=300)
    split = probes.split_nodes(np.where(np.arange(300) < 3, -1, labels), np.random.default_rng(0))
    assert not (split.train | split.validation | split.test)[:3].any()
    found = probes.probe_nodes(np.eye(3)[labels], labels, split)
    assert (found.train, found.validation, found.test) == (1, 1, 1)
    turned = np.where(split.test, (labels + 1) % 3, labels)
    assert probes.probe_nodes(np.eye(3)[labels], turned, split).test == 0
    assert isinstance(split, Split)


def test_the_best_of_equals_is_reported_too_high_by_the_expected_maximum():
    chances = stats.binom(300, 0.7)
    for candidates, published in ((4, 0.726), (50, 0.758), (200, 0.771)):
        counts = np.arange(301)
        mean = (1 - chances.cdf(counts[:-1]) ** candidates).sum() / 300
        assert mean == pytest.approx(published, abs=0.003)
    right = np.random.default_rng(0).random((50, 600)) < 0.7
    reported, fresh = probes.selection_inflation(right, np.random.default_rng(1), draws=100)
    assert reported == pytest.approx(0.758, abs=0.01)
    assert fresh == pytest.approx(0.7, abs=0.015)


def test_a_sample_is_of_neighbours_and_stands_for_all_of_them():
    star = from_edges(np.array([[0, k] for k in range(1, 9)] + [[1, 2]]), np.eye(9))
    drawn = sampled_view(star, np.array([0, 3]), (2, 3), np.random.default_rng(0))
    assert drawn.nodes[:2].tolist() == [0, 3]
    assert len(set(drawn.nodes.tolist())) == len(drawn.nodes)
    second, whole = drawn.view.operators[1], dense(normalised(star))
    assert isinstance(second, SparseFeatures)
    rows = np.zeros((2, 9))
    rows[:, drawn.nodes[: second.shape[1]]] = second.to_scipy().toarray()
    assert ((rows != 0).sum(1) == [3, 2]).all()
    chosen = rows[0] > 0
    np.testing.assert_allclose(rows[0, chosen][1:], 4 * whole[0, chosen][1:], rtol=1e-12)
    with pytest.raises(ExperimentError, match="fan-outs"):
        sampled_view(star, np.array([0]), (2,), np.random.default_rng(0))
