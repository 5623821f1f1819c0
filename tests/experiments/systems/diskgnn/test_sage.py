"""GraphSAGE on padded batches is GraphSAGE on the batch, wherever its rows come from."""

import numpy as np
import pytest

from experiments.kits.initialisation import initial_by_numpy
from experiments.systems.diskgnn import FeatureStore, Memory, neighbours_of, pack, sample_offline
from experiments.systems.diskgnn.fitting import Arm, InMemory
from experiments.systems.diskgnn.layout import Located
from experiments.systems.diskgnn.rivals import OnDemand
from experiments.systems.diskgnn.sage import BlockSAGE, Sizes, num_different, prepare
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(90, 6)).astype(np.float32)
LABELS = GENERATOR.integers(3, size=90)
GRAPH = neighbours_of(GENERATOR.integers(90, size=(200, 2)), 90)
PLAN = sample_offline(GRAPH, np.arange(20), batch=8, fanouts=(3, 2), generator=GENERATOR)
SIZES = Sizes.most(8, (3, 2), 90)


def test_padded_batches_have_the_logits_of_dense_matrices():
    assert Sizes((8, 32, 90), (64, 24)) == SIZES
    model = BlockSAGE(3, 5)
    for batch in PLAN.batches:
        padded = np.zeros((90, 6), np.float32)
        padded[: len(batch.nodes)] = X[batch.nodes]
        ready = prepare(batch, padded, LABELS, SIZES, device_rows=4)
        variables = initial_by_numpy(model, np.random.default_rng(1), ready, sizes=SIZES)
        found = np.asarray(model.apply(variables, ready, SIZES))[: batch.sizes[0]]
        h, params = X[batch.nodes].astype(np.float64), variables["params"]
        for layer in range(2):
            number = batch.sizes[1 - layer]
            mean = np.zeros((number, len(h)))
            np.add.at(mean, (batch.receivers[layer], batch.senders[layer]), 1)
            mean /= np.maximum(mean.sum(1, keepdims=True), 1)
            own, other = (params[f"Dense_{2 * layer + k}"] for k in (0, 1))
            h = h[:number] @ own["kernel"] + own["bias"] + mean @ h @ other["kernel"]
            h = h if layer else np.maximum(h, 0)
        np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)
        assert (
            ready.labels[: batch.sizes[0]].tolist()
            == LABELS[batch.nodes[: batch.sizes[0]]].tolist()
        )
        assert (ready.labels[batch.sizes[0] :] == -1).all()
    held = Located(np.array([1, 3]), np.array([5, 0]))
    ready = prepare(PLAN.batches[0], padded, LABELS, SIZES, held, 4)
    assert ready.places.tolist() == [1, 3, 90, 90]
    assert ready.slots.tolist() == [5, 0, 0, 0]


def test_labels_batches_and_widths_that_do_not_fit_the_network_are_refused():
    for labels, words in (
        (LABELS + 1, "a label is 3; classes are 0 to 2"),
        (LABELS - 2, "a label is -2"),
        (LABELS * 1.0, "whole numbers"),
    ):
        with pytest.raises(ExperimentError, match=words):
            Arm(BlockSAGE(3), SIZES, labels, width=6, learning_rate=0.1)
    for arm, words in (
        (Arm(BlockSAGE(3), SIZES, LABELS[:9], width=6, learning_rate=0.1), "90 nodes .* 9 labels"),
        (
            Arm(BlockSAGE(3), Sizes.most(4, (3, 2), 90), LABELS, width=6, learning_rate=0.1),
            "is larger than",
        ),
        (Arm(BlockSAGE(3), SIZES, LABELS - 1, width=7, learning_rate=0.1), "rows have 6 numbers"),
    ):
        with pytest.raises(ExperimentError, match=words):
            arm.trained(None, InMemory(X, PLAN), [0])


@pytest.mark.slow
def test_training_is_the_same_bits_from_memory_on_demand_and_packed_with_a_cache_on_the_device(
    tmp_path,
):
    np.save(tmp_path / "x.npy", X)
    arm = Arm(BlockSAGE(3, 5), SIZES, LABELS, width=6, learning_rate=0.01, device_rows=15)
    order, first = [2, 0, 1, 0], arm.first(GENERATOR)
    with (
        FeatureStore(tmp_path / "x.npy", Memory(1 << 22)) as store,
        pack(store, PLAN, tmp_path / "packed", device_rows=15, generator=GENERATOR) as packed,
    ):
        found = [
            arm.trained(first, packed, order, ahead=2),
            arm.trained(first, OnDemand(store, PLAN), order, ahead=1),
            arm.trained(first, InMemory(X, PLAN), order),
        ]
        assert packed.entries["device"].rows > 0
    for other in found[1:]:
        assert other.losses == found[0].losses
        assert num_different(other.state.params, found[0].state.params) == 0
    assert num_different(first.params, found[0].state.params) > 0
