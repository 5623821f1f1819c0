"""The encoder: beside the decoder where they must agree, blind to padding, changed between blocks; probes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.transformer import decoder
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.encoder import (
    PLACES,
    encode,
    fit_classifier,
    initial_encoder,
    pooled,
)
from ntkexec.errors import ExperimentError

SHAPE = Shape(blocks=3, width=8, heads=4, key_heads=2, hidden=12, vocabulary=11)
TOKENS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
REAL = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], bool)


# Compiled once for all texts of one size; what is refused is looked at outside.
encoded = jax.jit(encode, static_argnames=("shape", "after", "keep"))


@pytest.fixture(autouse=True)
def in_double():
    with jax.enable_x64(True):
        yield


@functools.cache
def params_of(places=None):
    params = initial_encoder(SHAPE, np.random.default_rng(0), places=places, deviation=0.5)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), params)


def test_its_last_token_is_the_decoders_as_long_as_only_the_last_asks():
    # With one block the last token of a decoder sees all, as every token of an encoder does.
    one = jax.tree.map(lambda x: x[:1], params_of()["blocks"])
    params, shape = {**params_of(), "blocks": one}, Shape(1, 8, 4, 2, 12, 11)
    both = encoded(params, shape, TOKENS).last, decoder.run(params, shape, TOKENS).last
    np.testing.assert_allclose(both[0][:, -1], both[1][:, -1], rtol=1e-13)
    assert np.abs(both[0][:, 0] - both[1][:, 0]).max() > 1e-3


def test_every_token_sees_every_other_and_no_padding():
    params = params_of()

    def outputs(table):
        return encode({**params, "embedding": table}, SHAPE, TOKENS, real=REAL).last.sum(-1)

    moved = np.abs(jax.jit(jax.jacobian(outputs))(params["embedding"])).max(-1) > 0
    for row, tokens in enumerate(TOKENS):
        seen = set(tokens[REAL[row]].tolist())
        for t in range(6):
            assert set(np.flatnonzero(moved[row, t]).tolist()) == seen | {int(tokens[t])}
    other = encoded(params, SHAPE, np.where(REAL, TOKENS, 7), real=REAL).last
    found = encoded(params, SHAPE, TOKENS, real=REAL).last
    np.testing.assert_array_equal(np.asarray(found)[REAL], np.asarray(other)[REAL])


def test_padding_is_as_if_it_were_not_there():
    for places in (None, 6):
        params = params_of(places)
        found = encoded(params, SHAPE, TOKENS, real=REAL).last
        shorter = encoded(params, SHAPE, TOKENS[:1, :4]).last
        np.testing.assert_allclose(found[:1, :4], shorter, rtol=1e-12, atol=1e-13)


def test_places_are_told_by_rotation_or_by_a_table_and_without_either_order_is_nothing():
    order = np.array([4, 2, 0, 5, 1, 3])

    def same(params):
        turned = np.asarray(encoded(params, SHAPE, TOKENS[:, order]).last)
        return np.abs(turned - np.asarray(encoded(params, SHAPE, TOKENS).last)[:, order]).max()

    assert same(params_of()) > 1e-3
    assert same(params_of(6)) > 1e-3
    assert same({**params_of(6), PLACES: np.zeros((6, 8))}) < 1e-13
    # Rotation tells distances alone.
    far = np.pad(TOKENS, ((0, 0), (3, 0)))
    real = np.pad(np.ones_like(TOKENS, bool), ((0, 0), (3, 0)))
    moved = encoded(params_of(), SHAPE, far, real=real).last[:, 3:]
    np.testing.assert_allclose(moved, encoded(params_of(), SHAPE, TOKENS).last, rtol=1e-12)


def test_what_follows_a_block_is_what_the_next_block_sees():
    params, maps = params_of(), np.random.default_rng(1).normal(size=(3, 8, 8))
    after = lambda hidden, own: jnp.tanh(hidden @ own)  # noqa: E731 # it has no other name
    found = encoded(params, SHAPE, TOKENS, after=after, adapted=maps, keep=True)
    hidden = params["embedding"][TOKENS]
    for block in range(3):  # each alone, from states that were put in as if they were tokens
        only = Shape(1, 8, 4, 2, 12, 12)
        own = jax.tree.map(lambda x, b=block: x[b : b + 1], params["blocks"])
        for row in range(2):
            alone = {**params, "blocks": own, "embedding": np.zeros((12, 8))}
            alone["embedding"][:6] = hidden[row]
            made = encoded(alone, only, np.arange(6)[None]).last[0]
            np.testing.assert_allclose(
                found.inner[block + 1, row], np.tanh(made @ maps[block]), rtol=1e-12
            )
        hidden = np.asarray(found.inner[block + 1])
    np.testing.assert_array_equal(found.inner[-1], found.last)
    np.testing.assert_array_equal(found.inner[0], params["embedding"][TOKENS])


def test_states_are_pooled_over_what_is_real_also_beside_what_is_not_finite():
    states = np.random.default_rng(2).normal(size=(3, 2, 6, 8))
    states[:, ~REAL] = np.nan
    for how, wanted in (
        ("mean", [states[:, 0, :4].mean(1), states[:, 1].mean(1)]),
        ("first", [states[:, 0, 0], states[:, 1, 0]]),
        ("last", [states[:, 0, 3], states[:, 1, 5]]),
    ):
        found = pooled(states, REAL, how=how)
        np.testing.assert_allclose(found, np.stack(wanted, 1), rtol=1e-13)
    np.testing.assert_allclose(pooled(states[0, 1:]), states[0, 1:].mean(1), rtol=1e-13)
    with pytest.raises(ExperimentError, match="not 'max'"):
        pooled(states, REAL, how="max")
    with pytest.raises(ExperimentError, match="without a real token"):
        pooled(states, np.zeros((2, 6), bool))


def test_a_classifier_is_the_minimum_of_its_loss_and_its_strength_is_picked_by_validation():
    generator = np.random.default_rng(3)
    rows = generator.normal(size=(200, 5)) * [1, 2, 3, 4, 100] + 7
    for classes in (2, 3):
        truth = (rows / rows.std(0)) @ generator.normal(size=(5, classes))
        labels = (truth - truth.mean(0) + generator.normal(size=(200, classes))).argmax(1)
        found = fit_classifier(rows, labels, strengths=(2.0,), steps=5000)
        told = found.logits(rows)
        shares = np.exp(told - told.max(1, keepdims=True))
        wrong = shares / shares.sum(1, keepdims=True) - np.eye(classes)[labels]
        # Of two classes one score is learned, and the penalty is on its weights, the difference.
        sides = found.weights * rows.std(0)[:, None] * (2 if classes == 2 else 1)
        slopes = ((rows - rows.mean(0)) / rows.std(0)).T @ wrong + 2.0 * sides
        assert np.abs(slopes).max() < 0.05  # scikit-learn's solver stops by its tolerance
        assert np.abs(wrong.sum(0)).max() < 0.05
        assert (found.logits(rows).argmax(1) == labels).mean() > 0.6
    held = rows[100:], labels[100:]
    picked = fit_classifier(rows[:100], labels[:100], strengths=(1e6, 1.0), validation=held)
    assert picked.strength == 1.0
    constant = np.full((200, 3), [0.1, 1e6 / 3, 0.0])  # its deviation is rounding, and not 0
    more = fit_classifier(np.concatenate([rows, constant], 1), labels)
    np.testing.assert_allclose(more.weights[5:], 0, atol=1e-9)
    np.testing.assert_allclose(more.weights[:5], fit_classifier(rows, labels).weights, rtol=1e-6)
    unseen = fit_classifier(rows, np.minimum(labels, 1), classes=4).logits(rows[None])
    assert unseen.shape == (1, 200, 4)
    assert (unseen[..., 2:] == -np.inf).all()


def test_what_does_not_fit_is_named():
    params, generator = params_of(4), np.random.default_rng(0)
    with pytest.raises(ExperimentError, match="6 tokens are longer than the table of 4 places"):
        encode(params, SHAPE, TOKENS)
    with pytest.raises(ExperimentError, match=r"shape \(6,\) are not those of texts"):
        encode(params_of(), SHAPE, TOKENS, real=np.ones(6, bool))
    with pytest.raises(ExperimentError, match="needs a function `after`"):
        encode(params_of(), SHAPE, TOKENS, adapted=np.ones(3))
    with pytest.raises(ExperimentError, match="not of 3 blocks"):
        encode(params_of(), SHAPE, TOKENS, after=lambda hidden, own: hidden, adapted=np.ones(2))
    with pytest.raises(ExperimentError, match="one at least, not 0"):
        initial_encoder(SHAPE, generator, places=0)
    for empty in ((np.zeros((0, 2)), np.zeros(0, int)), (np.zeros((4, 0)), np.zeros(4, int))):
        with pytest.raises(ExperimentError, match="no finite rows"):
            fit_classifier(*empty)
        with pytest.raises(ExperimentError, match="no finite rows"):
            fit_classifier(np.eye(2), np.arange(2), validation=empty)
    rows = np.ones((4, 2))
    for labels, given, words in (
        ([0, 1, 0], {}, "no finite rows"),
        ([0, 1, 2, 0], {"classes": 2}, "below 2"),
        ([1, 1, 1, 1], {}, "one class"),
        ([0, 1, 0, 1], {"strengths": (1.0, 2.0)}, "validation set"),
        ([0, 1, 0, 1], {"strengths": (0.0,)}, "above 0"),
    ):
        with pytest.raises(ExperimentError, match=words):
            fit_classifier(rows, np.array(labels), **given)
