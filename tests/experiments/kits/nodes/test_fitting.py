"""Training: one program for all seeds and rates, the pick and the stop by their rules."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from experiments.data.nodes import NodeData, Split
from experiments.kits.graph.baselines import MLP
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.operators import normalised
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes import fitting
from experiments.kits.nodes.fitting import fit, graph_of
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.errors import ExperimentError

DATA = contextual_sbm(np.random.default_rng(0), nodes=120, validation=40)
GRAPH = normalised(graph_of(DATA))
STEPS = 12
COMMON = {"steps": STEPS, "weight_decay": 0.01, "rules": fitting.FLAX}


def fitted(seed=0, model=MLP(4, 8, dropout=0.0), fields=(("dropout", 0.0),), **options):  # noqa: B008
    given = COMMON | {"fields": dict(fields)} | options
    return fit(
        model, GRAPH, DATA.labels, DATA.splits[0], generator=np.random.default_rng(seed), **given
    )


def test_it_is_adam_with_decay_in_the_gradient_step_by_step():
    generator = np.random.default_rng(0)
    model = MLP(4, 8, dropout=0.0)
    params = initial_by_numpy(model, generator, GRAPH)["params"]
    train, labels = DATA.splits[0].train, DATA.labels

    def loss(params):
        logits = model.apply({"params": params}, GRAPH)
        return optax.softmax_cross_entropy_with_integer_labels(logits[train], labels[train]).mean()

    optimiser = optax.chain(optax.add_decayed_weights(0.01), optax.adam(0.01))
    state, losses = optimiser.init(params), []

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    for _ in range(STEPS):
        params, state, value = step(params, state)
        losses.append(value)
    found = fitted()
    np.testing.assert_allclose(found.history["loss"], losses, rtol=1e-5)


def test_the_picked_step_is_the_first_best_one_and_is_what_is_given_back():
    for pick, column, sign in (("accuracy", "validation", 1), ("loss", "validation_loss", -1)):
        found = fitted(pick=pick)
        assert found.step == 1 + int(np.argmax(sign * found.history[column]))
        assert found.test == pytest.approx(found.history["test"][found.step - 1])
        logits = MLP(4, 8).apply(found.variables, GRAPH)
        np.testing.assert_allclose(found.logits, logits, rtol=1e-5, atol=1e-6)
        right = found.logits.argmax(1) == DATA.labels
        assert right[DATA.splits[0].test].mean() == pytest.approx(found.test)


def test_seeds_splits_rates_and_rules_of_stopping_share_one_program():
    fitted()
    before = fitting._fit._cache_size()
    one = fitted(1, fields=(("dropout", 0.5),), learning_rate=0.1, patience=3, pick="loss")
    other = fitted(2, fields=(("dropout", 0.5),), weight_decay={"Dense_0": 0.1}, window=3)
    assert fitting._fit._cache_size() == before
    assert one.history["loss"][0] != other.history["loss"][0]


def test_patience_and_window_stop_by_their_rules():
    full = fitted(learning_rate=0.3)
    stopped = fitted(learning_rate=0.3, patience=3)
    assert stopped.steps - stopped.step == 3 or stopped.steps == STEPS
    assert np.array_equal(stopped.history["test"], full.history["test"][: stopped.steps])
    losses = full.history["validation_loss"]
    # After step t (from 1), past half of all, with two steps before it to compare with.
    expected = next(
        t
        for t in range(1, STEPS + 1)
        if t == STEPS or (t > STEPS // 2 and losses[t - 1] > losses[t - 3 : t - 1].mean())
    )
    assert fitted(learning_rate=0.3, window=2).steps == expected < STEPS


def test_what_cannot_be_fitted_is_refused():
    labels = np.where(DATA.splits[0].test, -1, DATA.labels)
    with pytest.raises(ExperimentError, match="a test node of the split has no label"):
        fit(MLP(4), GRAPH, labels, DATA.splits[0], generator=np.random.default_rng(0), steps=1)
    none = np.zeros(120, bool)
    with pytest.raises(ExperimentError, match="picked by 0"):
        fit(
            MLP(4),
            GRAPH,
            DATA.labels,
            Split(DATA.splits[0].train, none, none),
            generator=np.random.default_rng(0),
            steps=1,
        )
    with pytest.raises(ExperimentError, match="no part of the model is called first: it has Dense"):
        fitted(weight_decay={"first": 1.0})


def test_rows_are_divided_as_asked_and_stay_sparse():
    from scipy import sparse

    words = np.array([[1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0]], np.float32)
    data = NodeData("", words, np.zeros(3, np.int64), np.array([[0, 1]]), ())
    held = dataclasses.replace(data, features=sparse.csr_matrix(words))
    for rows, expected in (
        ("sum", words / [[4], [1], [2]]),
        ("norm", words / [[10**0.5], [1], [2]]),
    ):
        np.testing.assert_allclose(graph_of(data, rows=rows).nodes, expected, rtol=1e-6)
        found = graph_of(held, rows=rows).nodes
        assert isinstance(found, SparseFeatures)
        np.testing.assert_allclose(found.values, expected[expected > 0], rtol=1e-6)
    assert graph_of(data).edges is None
