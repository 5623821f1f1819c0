"""Vectors in the tokens' places are read as the tokens are; a decoder can be cut behind any block."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.transformer.decoder import Shape, initial, normalised, run
from experiments.kits.transformer.embedded import first_blocks, run_embedded
from ntkexec.errors import ExperimentError

SHAPE = Shape(blocks=3, width=8, heads=2, key_heads=1, hidden=12, vocabulary=9)
# Compiled once for all rows of one size.
run_once = jax.jit(run_embedded, static_argnames="shape")


def test_vectors_are_read_as_tokens_are_and_first_blocks_are_the_first():
    params = jax.tree.map(jnp.asarray, initial(SHAPE, np.random.default_rng(0), deviation=0.5))
    tokens = np.array([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2]])
    inner = jax.jit(lambda: run(params, SHAPE, tokens, keep=True).inner)()
    for number in (2, 3):
        cut, shape = first_blocks(params, SHAPE, number)
        found = jax.jit(
            lambda cut=cut, shape=shape: run_embedded(cut, shape, cut["embedding"][tokens])
        )()
        known = normalised(inner[number], params["norm"], SHAPE.epsilon)
        np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-5)
    with pytest.raises(ExperimentError, match="no first 4"):
        first_blocks(params, SHAPE, 4)
    with pytest.raises(ExperimentError, match="for this decoder"):
        run_embedded(params, SHAPE, np.ones((2, 3, 7)))


@pytest.mark.parametrize("filling", [7.0, np.nan, np.inf, -np.inf])
def test_padding_may_hold_anything(filling):
    params = initial(SHAPE, np.random.default_rng(0), deviation=0.5)
    rows = np.random.default_rng(1).normal(size=(2, 5, 8)).astype(np.float32)
    real = np.ones((2, 5), bool)
    real[0, :2] = real[1, 4:] = False  # on the left, and on the right
    filled = np.where(real[..., None], rows, np.float32(filling))

    def states(rows, real):
        return np.asarray(run_once(params, SHAPE, rows, real=real))

    found = states(filled, real)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, states(np.where(real[..., None], rows, 0), real))
    # As if there were no padding: places are relative.
    alone = states(rows[:1, 2:], np.ones((1, 3), bool))
    np.testing.assert_allclose(found[0, 2:], alone[0], rtol=1e-4, atol=1e-5)


def test_what_may_not_be_seen_changes_nothing():
    params = initial(SHAPE, np.random.default_rng(0), deviation=0.5)
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(1, 4, 8)).astype(np.float32)
    sees = np.ones((1, 4, 4), bool)
    sees[0, 3, 1] = sees[0, 2, 1] = False
    read = jax.jit(lambda rows: run_embedded(params, SHAPE, rows, sees=sees))
    moved = rows.copy()
    moved[0, 1] += 1
    change = np.abs(read(moved) - read(rows)).max((0, 2))
    assert (change[[0, 2, 3]] == 0).all()
    assert change[1] > 1e-3
