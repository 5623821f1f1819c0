"""Parallel tuning by its algebra: rows, padding, places, start; and the audit of what reaches a backbone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.transformer.decoder import Shape, initial, run
from experiments.language.unipt.audit import transposed_products
from experiments.language.unipt.fitting import drawn_order, tuned
from experiments.language.unipt.rivals import initial_adapters, inner_states, unrolled
from experiments.language.unipt.tuning import (
    ParallelTuning,
    answers,
    mean_of_real,
    num_tuned,
    predict_tuning,
    similarities,
)
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

WIDTHS = (6, 4, 8)
REAL = np.array([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4])


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 5, width)) for width in WIDTHS]


@pytest.fixture(scope="module")
def outputs():
    """The module in float64, compiled once, and its parameters."""
    module = ParallelTuning(3)
    with float64():
        rng = np.random.default_rng(1)
        first = [np.zeros((1, 5, width)) for width in WIDTHS]
        params = initial_by_numpy(module, rng, first)
        params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params)
        program = jax.jit(module.apply)

    def of(states, real):
        with float64():
            return np.asarray(program(params, states, real))

    return of


@pytest.mark.parametrize("similarity", ["relu", "softmax"])
def test_rows_are_shares_of_real_places_or_dead(similarity):
    rng = np.random.default_rng(2)
    anchor, layer = rng.normal(size=(2, 3, 5, 4))
    anchor[0, 0], layer[0] = -1, np.abs(layer[0])  # all products of the first query are below 0
    with float64():
        found = np.asarray(similarities(anchor, layer, REAL, similarity=similarity))
        told = np.asarray(answers(anchor, layer, REAL, similarity=similarity))
    assert (found >= 0).all()
    assert not found[1, :, 3:].any()
    sums = found.sum(-1)
    dead = sums == 0
    assert dead[0, 0] == (similarity == "relu")
    np.testing.assert_allclose(sums[~dead], 1, rtol=1e-12)
    np.testing.assert_allclose(told - layer, found @ layer, rtol=1e-10, atol=1e-12)


def test_padding_changes_nothing_before_it(layers, outputs):
    found = outputs(layers, REAL)
    harmed = [np.where(REAL[:, :, None], one, 1e3) for one in layers]
    again = outputs(harmed, REAL)
    np.testing.assert_allclose(again[REAL], found[REAL], rtol=0, atol=1e-10)
    assert np.abs(outputs(harmed, np.ones_like(REAL))[REAL] - found[REAL]).max() > 0.01


def test_places_are_a_set(layers, outputs):
    order = np.array([3, 1, 4, 0, 2])
    found = outputs(layers, np.ones_like(REAL))
    again = outputs([one[:, order] for one in layers], np.ones_like(REAL))
    np.testing.assert_allclose(again, found[:, order], rtol=0, atol=1e-10)


def test_parameters_are_as_many_as_the_formula_says():
    states = [np.zeros((1, 5, width), np.float32) for width in WIDTHS]
    for reduction in (1, 2, 4):
        shapes = jax.eval_shape(ParallelTuning(3, reduction).init, jax.random.key(0), states)
        assert num_parameters(shapes) == num_tuned(WIDTHS, 3, reduction=reduction)


def test_a_residual_module_begins_as_the_backbone():
    states = [np.ones((1, 2, 4), np.float32), np.arange(8, dtype=np.float32).reshape(1, 2, 4)]
    found, _ = ParallelTuning(4, residual=True).init_with_output(jax.random.key(0), states)
    np.testing.assert_array_equal(found, states[-1])
    with pytest.raises(ExperimentError, match="cannot be reduced"):
        ParallelTuning(3, residual=True).init(jax.random.key(0), states)


def test_the_loop_over_blocks_is_the_decoder():
    shape = Shape(blocks=2, width=8, heads=2, key_heads=1, hidden=8, vocabulary=11)
    rng = np.random.default_rng(0)
    params, tokens = (
        initial(shape, rng, deviation=0.3),
        rng.integers(0, 11, (2, 5)).astype(np.int32),
    )
    inner = jax.jit(
        lambda params, added: jnp.stack(
            inner_states(unrolled(params), shape, tokens, adapters=added)
        )
    )
    whole = run(params, shape, tokens, keep=True).inner
    np.testing.assert_allclose(inner(params, initial_adapters(shape, rng, 2)), whole, atol=1e-5)


def test_the_audit_sees_a_gradient_through_transposes_and_calls():
    rng = np.random.default_rng(0)
    weights, rows = [rng.normal(size=(4, 4)) for _ in range(2)], rng.normal(size=(3, 4))
    inner = jax.jit(lambda weight, rows: jnp.tanh(rows @ weight))

    def loss(weights, head, rows):
        return (inner(weights[0], rows) @ weights[1] @ head).sum()

    head = rng.normal(size=(4, 1))
    assert transposed_products(loss, weights, head, rows) == 0
    assert transposed_products(jax.grad(loss, 1), weights, head, rows) == 0
    assert transposed_products(jax.grad(loss, 2), weights, head, rows) == 2
    assert transposed_products(lambda weights, rows: rows @ weights[0].T, weights, rows) == 1
    assert transposed_products(lambda weights, rows: rows @ weights[0].T.T, weights, rows) == 0


def _scanned(stack, rows):
    return jax.lax.scan(lambda rows, weight: (jnp.tanh(rows @ weight), None), rows, stack)[0]


def _chosen(stack, rows):
    return jax.lax.cond(rows.sum() > 0, lambda: rows @ stack[0], lambda: rows @ stack[1])


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (_scanned, 1),
        (jax.checkpoint(_scanned), 1),
        (lambda stack, rows: jnp.tanh(jnp.tanh(rows @ stack[0]) @ (2 * stack)[1, :, :]), 2),
        (lambda stack, rows: rows @ jnp.squeeze(stack[1:2].astype(np.float16), 0), 1),
        (lambda stack, rows: rows @ jnp.asarray(stack)[rows.astype(int)[0, 0]], 1),
        (lambda stack, rows: rows @ jnp.stack(list(stack)).reshape(1, 2, 4, 4)[0, 1], 1),
        (_chosen, 2),
        (
            lambda stack, rows: jax.lax.fori_loop(
                0, 2, lambda turn, carry: (carry[0], carry[1] @ carry[0][turn].T), (stack, rows)
            )[1],
            None,
        ),
    ],
)
def test_the_audit_follows_stacked_matrices(made, count):
    rng = np.random.default_rng(0)
    stack, rows = rng.normal(size=(2, 4, 4)), rng.normal(size=(3, 4))
    if count is None:  # the loop itself goes along outputs
        assert transposed_products(made, stack, rows) == 1
        return
    assert transposed_products(made, stack, rows) == 0
    through = jax.grad(lambda stack, rows: made(stack, rows).sum(), 1)
    assert transposed_products(through, stack, rows) == count


def test_the_audit_sees_a_gradient_through_the_decoder_and_refuses_what_it_cannot_follow():
    rng = np.random.default_rng(0)
    shape = Shape(blocks=2, width=8, heads=2, key_heads=1, hidden=8, vocabulary=11)
    params, tokens = initial(shape, rng), rng.integers(0, 11, (2, 5))

    def loss(params, added, head):
        path = None if added else [0, 1, 1]
        return (run(params, shape, tokens, path=path, adapters=added).last @ head).sum()

    lora = {"value": {"down": np.zeros((2, 8, 2)), "up": np.zeros((2, 2, 4))}}
    head = np.zeros((8, 3))
    for added in (lora, None):
        assert transposed_products(loss, params, added, head) == 0
        assert transposed_products(jax.grad(loss, 2), params, added, head) == 0
    assert transposed_products(jax.grad(loss, 1), params, lora, head) >= 7  # all seven matrices
    rows = rng.normal(size=(3, 4))
    for unclear in (
        lambda table, rows: rows + table,
        lambda table, rows: (rows[:, :, None] * table.T[:3, None]).sum(0),
        lambda table, rows: rows @ (table.T @ table),
        lambda table, rows: rows @ table.reshape(2, 6).T.reshape(4, 3),
    ):
        with pytest.raises(ExperimentError, match="cannot be counted"):
            transposed_products(unclear, rng.normal(size=(3, 4)), rows)
    kernel, images = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(1, 5, 5, 2))
    layout = ("NHWC", "HWIO", "NHWC")

    def convolved(kernel, images):
        return jax.lax.conv_general_dilated(
            images, kernel, (1, 1), "SAME", dimension_numbers=layout
        ).sum()

    assert transposed_products(convolved, kernel, images) == 0
    assert transposed_products(jax.grad(convolved, 1), kernel, images) == 1


def test_means_are_of_real_places(layers):
    for text, count in enumerate(REAL.sum(1)):
        np.testing.assert_allclose(
            mean_of_real(jnp.asarray(layers[0]), jnp.asarray(REAL))[text],
            layers[0][text, :count].mean(0), rtol=1e-5,
        )  # fmt: skip


def test_an_order_has_every_text_as_often():
    order = drawn_order(np.random.default_rng(0), np.arange(3, 9), steps=4, batch=3)
    assert sorted(order[:2].ravel()) == sorted(order[2:].ravel()) == list(range(3, 9))
    with pytest.raises(ExperimentError, match="rate 1 ends in scores that are no numbers"):
        tuned(lambda params, frozen, rows: rows * params, np.float32("nan"), np.ones((9, 2)), [0] * 9,
              order, rate=1.0, tested=[0])  # fmt: skip
    with pytest.raises(ExperimentError, match="test 0 texts"):
        tuned(None, {}, {}, [0], order, rate=1.0, tested=[])


@pytest.mark.slow
def test_memory_is_foretold_for_other_widths():
    def temporary(batch, places, width, depth):
        states = [jax.ShapeDtypeStruct((batch, places, width), np.float32)] * (depth + 1)
        module = ParallelTuning(6)
        zeros = [np.zeros((1, places, width), np.float32)] * (depth + 1)
        params = initial_by_numpy(module, np.random.default_rng(0), zeros)

        def loss(params, states):
            return jnp.square(module.apply(params, states).mean(1)).sum()

        step = jax.jit(jax.value_and_grad(loss))
        return step.lower(params, states).compile().memory_analysis().temp_size_in_bytes

    for batch, places, width in ((16, 32, 64), (8, 64, 96)):
        told = predict_tuning([width] * 9, batch=batch, places=places)
        assert told == pytest.approx(temporary(batch, places, width, 8), rel=0.15)
