import jax
import numpy as np
import pytest

from experiments.graphs.tangnn.layers import sampled
from experiments.graphs.tangnn.selection import TopM, cosines, looked_away
from experiments.graphs.tangnn.stability import far_attention, selection_report
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph_sets.batches import DenseBatch
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


def of_vector(a):
    return {"params": {"auxiliary": np.asarray(a, float)}}


def test_the_selected_are_numpys_on_a_thousand_graphs_and_none_that_is_not_there():
    generator = np.random.default_rng(0)
    x, a = generator.normal(size=(1000, 12, 5)), generator.normal(size=5)
    x[..., :2] = abs(x[..., :2])  # so that no two have but one positive feature, and tie
    mask = np.arange(12) < generator.integers(3, 13, (1000, 1))
    with float64():
        found = TopM(4, "random").apply(of_vector(a), x, mask)
    rectified = np.maximum(x, 0)
    scores = rectified @ a / np.maximum(np.linalg.norm(rectified, axis=-1), 1e-300)
    scores /= np.linalg.norm(a)
    np.testing.assert_allclose(found.scores, scores, atol=1e-14)
    order = np.argsort(np.where(mask, -scores, np.inf), axis=1, kind="stable")[:, :4]
    assert not np.asarray(found.tied).any()
    enough = mask.sum(1) >= 4
    np.testing.assert_array_equal(found.indices[enough], order[enough])
    np.testing.assert_array_equal(found.chosen, np.take_along_axis(mask, order, 1))
    np.testing.assert_array_equal(found.gates, found.chosen)


def test_nodes_with_one_positive_feature_tie_which_is_said():
    # To a cosine they are alike, whatever their size and their negative features are.
    x = np.array([[2.0, -1.0], [5.0, -3.0], [-1.0, 1.0]])
    assert bool(TopM(1, "random").apply(of_vector([1.0, 0.5]), x).tied)
    for m in (2, 3):
        assert not bool(TopM(m, "random").apply(of_vector([1.0, 0.5]), x).tied)


def test_given_ranks_replace_the_cosine_where_they_are_numbers():
    x, a = np.eye(4), np.array([0.1, 0.4, 0.2, 0.3])
    ranks = np.array([9.0, np.nan, np.nan, -9.0])
    found = TopM(3).apply(of_vector(a), x, ranks=ranks)
    assert np.asarray(found.indices).tolist() == [0, 1, 2]
    gates = 1 / (1 + np.exp(-4 * a[[0, 1, 2]] / np.linalg.norm(a)))
    np.testing.assert_allclose(found.gates, gates, rtol=1e-6)


def test_looking_away_turns_at_every_call_to_train_from_the_mean_of_all_so_far():
    generator = np.random.default_rng(1)
    top, xs = TopM(2, "rotate", momentum=0.9), generator.normal(size=(3, 6, 4))
    mask = np.array([True] * 5 + [False])
    a, mean = generator.normal(size=4), np.zeros(4)
    state = {"batch_stats": {"auxiliary": a, "mean": mean}}
    with float64():
        for x in xs:
            _, state = top.apply(state, x, mask, train=True, mutable=["batch_stats"])
            mean = 0.9 * mean + 0.1 * x[mask].mean(0)
            a = a - (a @ mean) / (mean @ mean) * mean
            a = a / np.linalg.norm(a)
            np.testing.assert_allclose(state["batch_stats"]["auxiliary"], a, atol=1e-14)
            np.testing.assert_allclose(state["batch_stats"]["mean"], mean, atol=1e-14)
        assert abs(np.asarray(looked_away(a + mean, mean)) @ mean) < 1e-14


def test_sparse_features_score_as_dense_ones():
    generator = np.random.default_rng(2)
    x = generator.normal(size=(7, 5)) * (generator.random((7, 5)) < 0.5)
    x[3], a = 0, generator.normal(size=5)
    with float64():
        wanted = np.asarray(cosines(x, a))
        np.testing.assert_allclose(cosines(SparseFeatures.of(x), a), wanted, atol=1e-14)
    assert wanted[3] == 0


@pytest.mark.parametrize("fields", [{"mode": "best"}, {"m": -1}])
def test_what_cannot_be_selected_is_refused(fields):
    with pytest.raises(ExperimentError, match=str(next(iter(fields.values())))):
        TopM(**{"m": 2, **fields}).apply({}, np.ones((3, 2)))


def test_neighbours_are_drawn_without_replacement_in_both_forms():
    star = from_edges(np.array([[0, k] for k in range(1, 7)] + [[1, 2]]), np.ones((7, 1)))
    matrix = np.zeros((1, 7, 7))
    matrix[0, star.receivers, star.senders] = 1
    key = jax.random.key(0)
    kept = np.zeros((7, 7))
    kept[star.receivers, star.senders] = sampled(star, 3, key).edges
    dense = DenseBatch(matrix, np.ones((1, 7, 1)), np.ones((1, 7), bool))
    for found in (kept, np.asarray(sampled(dense, 3, key).adjacency)[0]):
        assert found.sum(1).tolist() == [3, 2, 2, 1, 1, 1, 1]
        assert (found <= matrix[0]).all()


def test_reports_count_turnover_coverage_and_attention_that_leaves_the_hops():
    path = from_edges(np.array([[0, 1], [1, 2], [2, 3], [4, 5]]), np.ones((6, 1)))
    selected = np.array([[0, 1], [1, 2], [1, 2]])
    report = selection_report(selected, path, np.array([0, 0, 1, 1, 1, -1]))
    assert report.turnover == (0.5, 0.0)
    assert report.components == 0.5
    assert report.kept == pytest.approx(1 / 3)
    assert report.classes == pytest.approx(((4 / 6) / (2 / 5), (2 / 6) / (3 / 5)))
    shares = np.full((6, 2), [0.25, 0.75])  # to nodes 0 and 3
    found = far_attention(shares, np.array([0, 3]), path, hops=1)
    assert found.tolist() == [0.75, 0.75, 0.25, 0.25, 1.0, 1.0]
    with pytest.raises(ExperimentError, match="nodes 0 to 5"):
        selection_report(np.array([[6]]), path, np.zeros(6, int))
