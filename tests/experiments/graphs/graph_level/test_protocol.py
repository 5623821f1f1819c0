"""Contrast by closed forms, scenarios by what they keep, comparisons by what every model is given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.data.graph_sets import Graph, GraphSet
from experiments.graphs.graph_level import contrast, motifs, protocol, scenarios
from experiments.kits.graph_sets.batches import padded_batch
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

PLANTED = motifs.planted_motifs(60, np.random.default_rng(0))


def test_the_contrasts_closed_forms():
    with float64():
        real, wide = np.ones(5, bool), np.eye(5, dtype=np.float64)
        nt_xent = jax.jit(contrast.nt_xent)
        alike = float(nt_xent(np.ones((5, 5)), np.ones((5, 5)), real))
        assert alike == pytest.approx(np.log(9), abs=1e-12)
        aligned = float(nt_xent(wide, 3 * wide, real, temperature=0.2))
        assert aligned == pytest.approx(np.log1p(8 * np.exp(-5)), abs=1e-12)
        one, other, turn = np.random.default_rng(0).normal(size=(3, 5, 5))
        turn, _ = np.linalg.qr(turn)
        loss = float(nt_xent(one, other, real))
        assert float(nt_xent(one @ turn, other @ turn, real)) == pytest.approx(loss)
        # A collapse is stationary: no gradient leads away from it.
        slope = jax.jit(jax.grad(lambda x: contrast.nt_xent(x, x, real)))(jnp.ones((5, 5)))
        assert np.abs(slope).max() < 1e-12
        # Empty places take no part, in the value or in the gradient.
        padded = [np.concatenate([x, np.zeros((2, 5))]) for x in (one, other)]
        there = np.arange(7) < 5
        assert float(nt_xent(*padded, there)) == pytest.approx(loss)
        slope = jax.jit(jax.grad(contrast.nt_xent))(jnp.asarray(padded[0]), padded[1], there)
        assert np.isfinite(slope).all()


def test_edges_are_dropped_as_often_as_said_and_alike_both_ways():
    graphs = PLANTED.graphs.graphs[:3]
    batch = padded_batch(graphs, num_graphs=4, num_nodes=64, num_edges=160)
    low = np.minimum(batch.senders, batch.receivers)
    scores = np.random.default_rng(0).random(64).astype(np.float32)[low]
    chances = contrast.drop_probabilities(scores, batch, contrast.Weights(rate=0.2))
    ends = np.cumsum(batch.n_edge)
    for i, graph in enumerate(graphs):
        mine = np.asarray(chances)[ends[i] - batch.n_edge[i] : ends[i]]
        assert mine.max() < contrast.MOST
        assert mine.sum() == pytest.approx(0.2 * 2 * len(graph.edges), rel=1e-5)
    assert (np.asarray(chances)[ends[2] :] == 0).all()
    masks = np.asarray(
        jax.vmap(lambda key: contrast.concrete_mask(chances, batch, key))(
            jax.random.split(jax.random.key(0), 2000)
        )
    )
    places = {pair: i for i, pair in enumerate(zip(batch.senders, batch.receivers))}
    twins = [places[r, s] for s, r in list(places)]
    np.testing.assert_array_equal(masks[:, list(places.values())], masks[:, twins])
    error = np.sqrt(np.maximum(chances * (1 - chances), 1e-9) / 2000)
    assert (np.abs((masks < 0.5).mean(0) - chances) < 4.5 * error).all()
    still = contrast.drop_probabilities(scores, batch, contrast.Weights(rate=0.0))
    assert (contrast.concrete_mask(still, batch, jax.random.key(0)) == 1).all()


def test_scenarios_keep_what_they_should():
    graphs, drawn = PLANTED.graphs, np.random.default_rng(0)
    fold = scenarios.drawn_fold(graphs, drawn)
    assert sorted(np.concatenate(list(fold.parts.values()))) == list(range(60))
    assert np.bincount(graphs.targets[fold.test]).tolist() == [3, 3]
    noisy, same = scenarios.applied(scenarios.Scenario("noisy", noise=0.3), graphs, fold, drawn)
    assert same.test.tolist() == fold.test.tolist()
    for one, other in zip(graphs.graphs, noisy.graphs):
        before, after = ({tuple(e) for e in g.edges.tolist()} for g in (one, other))
        assert len(before) == len(after)
        assert len(before - after) == round(0.3 * len(before))
    _, rare = scenarios.applied(scenarios.Scenario("rare", imbalance=8), graphs, fold, drawn)
    assert sorted(np.bincount(graphs.targets[rare.train])) == [3, 24]
    _, few = scenarios.applied(scenarios.Scenario("few", labels=2), graphs, fold, drawn)
    assert np.bincount(graphs.targets[few.train]).tolist() == [2, 2]
    assert few.test.tolist() == fold.test.tolist()
    full = Graph(3, np.array([[0, 1], [0, 2], [1, 2]]), None, np.array([0, 1, 1]))
    assert len(scenarios.with_moved_edges(full, 0.4, drawn).edge_labels) == 2
    numbers = GraphSet("numbers", graphs.graphs, np.zeros((60, 1), np.float32))
    with pytest.raises(ExperimentError, match="no classes to be rare or few"):
        scenarios.applied(scenarios.Scenario("few", labels=2), numbers, fold, drawn)
    with pytest.raises(ExperimentError, match="imbalance"):
        scenarios.Scenario("wrong", imbalance=0.5)


def test_every_model_is_given_the_same_and_differences_are_paired():
    seen = []

    def right(task):
        seen.append(task)
        return np.eye(2)[task.graphs.targets]

    def first(task):
        seen.append(task)
        return np.tile([1.0, 0.0], (60, 1))

    noisy = scenarios.Scenario("noisy", noise=0.5)
    models = {"right": right, "first": first}
    found = protocol.compare(models, [PLANTED.graphs], [scenarios.CLEAN, noisy], seeds=[0, 1, 2])
    assert [row.model for row in found.rows] == ["right", "first"] * 6
    for one, other in zip(seen[::2], seen[1::2]):
        assert one is other
    again = protocol.task_of(PLANTED.graphs, noisy, 2)
    assert [g.edges.tolist() for g in again.graphs.graphs] == [
        g.edges.tolist() for g in seen[-1].graphs.graphs
    ]
    # Of one seed the split is that of every scenario.
    assert again.fold.test.tolist() == seen[4].fold.test.tolist()
    gaps = {(d.scenario, d.metric): d for d in found.differences("first")}
    for scenario in ("clean", "noisy"):
        gap = gaps[scenario, "accuracy"]
        assert (gap.mean, gap.low, gap.high, gap.seeds) == (0.5, 0.5, 0.5, 3)
        assert gaps[scenario, "macro_f1"].mean == pytest.approx(1 - 1 / 3)
    assert "+0.500 [+0.500, +0.500], 3 seeds" in found.table("first")
    with pytest.raises(ExperimentError, match="'second'"):
        found.differences("second")
    with pytest.raises(ExperimentError, match=r"shape \(60,\)"):
        protocol.compare({"flat": lambda task: np.zeros(60)}, [PLANTED.graphs], seeds=[0])
    with pytest.raises(ExperimentError, match="no folds"):
        protocol.task_of(PLANTED.graphs, noisy, 0, own_folds=True)
    assert protocol.scores_of(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]])) == {
        "error": 1.0, "r2": pytest.approx(1 - 4 / 4.5),
    }  # fmt: skip
