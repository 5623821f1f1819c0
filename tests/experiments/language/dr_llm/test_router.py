"""Routers: the retrofit changes nothing, the knob's marks, windows and their tail, losses and weights."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.kits.transformer import decoder
from experiments.kits.transformer.decoder import Shape
from experiments.language.dr_llm.knob import turned
from experiments.language.dr_llm.router import (
    PURE,
    class_weights,
    fit_routers,
    focal_loss,
    initial_routers,
    route,
    window_weights,
)
from ntkexec.errors import ExperimentError

SHAPE = Shape(3, 8, 2, 1, 12, 20)
TOKENS = np.array([[3, 1, 4, 1, 5, 9, 2, 6, 5, 3], [5, 8, 9, 7, 9, 3, 2, 3, 8, 4]])


def digest_of(tree):
    return hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(tree))).digest()


@pytest.mark.slow
def test_routers_that_begin_at_once_leave_the_decoder_what_it_was():
    params = decoder.initial(SHAPE, np.random.default_rng(0), deviation=0.5)
    found = route(params, SHAPE, initial_routers(SHAPE, None), TOKENS, [10, 7])
    assert (np.asarray(found.decisions) == 1).all()
    np.testing.assert_array_equal(found.last, decoder.run(params, SHAPE, TOKENS).last)
    drawn = initial_routers(SHAPE, np.random.default_rng(1))
    every = route(params, SHAPE, drawn, TOKENS, [10, 7], knob=1.0)
    np.testing.assert_array_equal(every.decisions, 2)
    given = np.array([[0, 2, 1], [1, 0, 0]])
    forced = route(params, SHAPE, drawn, TOKENS, [10, 7], given=given)
    np.testing.assert_array_equal(forced.decisions, given)
    with pytest.raises(ExperimentError, match=r"prompts of \[10, 11\] tokens"):
        route(params, SHAPE, drawn, TOKENS, [10, 11])


@pytest.mark.slow
def test_routers_are_taught_what_labels_say_and_the_decoder_is_not_touched():
    params = decoder.initial(SHAPE, np.random.default_rng(0), deviation=0.5)
    before = digest_of(params)
    labels = np.array([[0, 2, 1], [1, 1, 0]])
    begun = initial_routers(SHAPE, np.random.default_rng(1), hidden=16)
    read = route(params, SHAPE, begun, TOKENS, [10, 7], given=labels)
    taught = fit_routers(
        begun, read.windows, np.array([10, 7]), labels, seed=0, steps=200, rate=1e-2
    )
    found = route(params, SHAPE, taught, TOKENS, [10, 7])
    np.testing.assert_array_equal(found.decisions, labels)
    assert digest_of(params) == before


def test_a_router_has_the_published_number_of_parameters():
    shape = Shape(28, 3072, 24, 8, 8192, 128_256)
    sizes = jax.eval_shape(lambda: initial_routers(shape, None))
    assert sum(leaf.size for leaf in jax.tree.leaves(sizes)) == 11_024_468


def test_the_knob_turns_from_all_skip_over_the_routers_own_to_all_repeat():
    scores = np.random.default_rng(0).normal(size=(1000, 3)) * 3
    own = scores.argmax(-1)
    for knob, decided in ((-1.0, 0), (PURE, own), (0.5, 1), (1.0, 2)):
        np.testing.assert_array_equal(turned(scores, knob).argmax(-1), decided)
    for knob in np.linspace(-1, 1, 21):
        np.testing.assert_allclose(np.asarray(turned(scores, knob)).sum(-1), 1, rtol=1e-5)
    # From one mark to the next, decisions move toward it and never back.
    for low, high, end in ((-1.0, PURE, 0), (PURE, 0.5, 1), (0.5, 1.0, 2)):
        shares = [
            float((turned(scores, k).argmax(-1) == end).mean()) for k in np.linspace(low, high, 9)
        ]
        assert shares == sorted(shares, reverse=end == 0)


def test_windows_are_means_that_drop_the_tail_and_ragged_ones_hold_it():
    rows = np.random.default_rng(0).normal(size=(4, 21, 2))
    lengths = [1, 5, 8, 21]
    weights, counted = map(np.asarray, window_weights(lengths, 21))
    assert counted.sum(1).tolist() == [1, 5, 8, 8]
    means = np.einsum("bwt,btd->bwd", weights, rows)
    np.testing.assert_allclose(means[1, :5], rows[1, :5], rtol=1e-6)
    for window in range(8):  # 21 tokens are eight windows of two, and five are in none
        here = slice(2 * window, 2 * window + 2)
        np.testing.assert_allclose(means[3, window], rows[3, here].mean(0), rtol=1e-5)
    assert (weights[3, :, 16:] == 0).all()
    ragged, _ = map(np.asarray, window_weights(lengths, 21, ragged=True))
    assert ((ragged[3] > 0).sum(0) == 1).all()
    np.testing.assert_allclose(ragged.sum(-1), counted, rtol=1e-6)
    for row, length in enumerate(lengths):
        assert (ragged[row][:, length:] == 0).all()


@pytest.mark.slow
def test_losses_and_class_weights_are_their_formulas():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        scores, labels = rng.normal(size=(7, 3)), rng.integers(3, size=7)
        plain = optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
        assert float(focal_loss(scores, labels, np.ones(3), 0.0)) == pytest.approx(
            float(plain), rel=1e-12
        )
        weights = np.array([0.5, 1.0, 1.5])
        share = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        own = share[np.arange(7), labels]
        by_hand = (-weights[labels] * (1 - own) ** 2 * np.log(own)).mean()
        assert float(focal_loss(scores, labels, weights)) == pytest.approx(by_hand, rel=1e-10)
    slope = jax.grad(focal_loss)(jnp.array([[60.0, 0, 0]]), np.array([0]), np.ones(3))
    assert np.isfinite(slope).all()
    # The published counts: an imbalance of 83 to 1 is met with 1.3 to 1.
    counts = (4399, 120956, 1457)
    np.testing.assert_allclose(class_weights(counts), [0.916, 0.905, 1.179], atol=1e-3)
    np.testing.assert_allclose(class_weights(counts, 0.9999), [0.754, 0.268, 1.978], atol=1e-3)
    with pytest.raises(ExperimentError, match="labels from 0 to 2"):
        fit_routers(
            initial_routers(SHAPE, None), np.zeros((1, 3, 8, 8)), np.array([4]),
            np.array([[3, 1, 1]]), seed=0, steps=1,
        )  # fmt: skip
