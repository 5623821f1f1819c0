"""Training on sets of graphs: what is picked, what is refused, and one training in both kinds of batches."""

import numpy as np
import pytest

from experiments.data.graph_sets import Fold
from experiments.graphs.graph_level.motifs import planted_motifs
from experiments.kits.graph_sets import baselines, batches, fitting
from experiments.kits.graph_sets.inputs import node_inputs
from ntkexec.errors import ExperimentError


def test_gins_protocol_picks_the_epoch_of_the_best_mean_and_not_each_folds_best():
    found = fitting.picked_by_mean_curve([[0.5, 0.9, 0.6], [0.8, 0.5, 0.6]])
    assert (found.epoch, found.last) == (2, pytest.approx(0.6))
    assert found.mean == pytest.approx(0.7)
    assert found.deviation == pytest.approx(np.std([0.9, 0.5], ddof=1))
    assert fitting.picked_by_mean_curve([[0.5]]).deviation == 0


def test_nothing_to_train_on_is_refused():
    nothing = Fold(*np.zeros((3, 0), np.int64))
    with pytest.raises(ExperimentError, match="on 0 graphs"):
        fitting.fit(
            baselines.GIN(2), None, np.zeros(3, np.int64), nothing, limits=batches.Limits(2),
            generator=None, epochs=1, steps=1,
        )  # fmt: skip


@pytest.mark.slow
def test_dense_and_sparse_training_are_one_training_that_learns_a_motif():
    graphs = planted_motifs(80, np.random.default_rng(0), background=6).graphs
    inputs = node_inputs(graphs)
    fold = Fold(np.arange(50), np.arange(50, 60), np.arange(60, 80))
    found = [
        fitting.fit(
            baselines.GIN(2, hidden=16, layers=3), store, graphs.targets, fold,
            limits=batches.limits_for(graphs, 16), generator=np.random.default_rng(1), epochs=6, steps=20,
        )
        for store in (batches.stored(graphs, inputs), batches.dense_batch(graphs.graphs, 11, inputs))
    ]  # fmt: skip
    np.testing.assert_allclose(found[0].history["loss"][0], found[1].history["loss"][0], rtol=1e-2)
    for one in found:
        assert one.history["validation"].argmax() + 1 == one.epoch
        right = (one.outputs.argmax(1) == graphs.targets)[60:].mean()
        assert one.test == pytest.approx(float(right))
        assert one.history["train"].max() > 0.9
