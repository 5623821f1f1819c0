"""Spatial operations: what pools do at borders, to gradients and to turned pictures; one program for all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.vision.pflayer import Bottleneck, Spatial, mixed, with_operations
from experiments.vision.pflayer.spatial import CHOICES, PARAMETER_FREE, TRAINABLE
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(2, 7, 9, 20)).astype(np.float32)


def brute(images, operation, size, strides):
    """Windows one by one, of what lies within the picture."""
    number, height, width, channels = images.shape
    reach = size // 2
    rows, columns = range(0, height, strides), range(0, width, strides)
    out = np.zeros((number, len(rows), len(columns), channels), np.float32)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            window = images[
                :,
                max(0, row - reach) : row + reach + 1,
                max(0, column - reach) : column + reach + 1,
            ]
            out[:, i, j] = window.max((1, 2)) if operation == "max" else window.mean((1, 2))
    return out


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("operation", ["max", "average"])
def test_beyond_the_border_of_a_pool_lies_nothing(operation, strides, size):
    for images in (IMAGES, -np.abs(IMAGES) - 1):
        found = mixed(jnp.asarray(images), operation, size=size, strides=strides)
        np.testing.assert_allclose(
            found, brute(images, operation, size, strides), rtol=1e-5, atol=1e-6
        )
    if operation == "max":
        assert (np.asarray(found) <= -1).all()  # zeros would have won at the border


def test_a_maximum_passes_each_gradient_to_one_pixel_and_of_equal_ones_to_the_first():
    images = jnp.asarray(IMAGES)  # no two pixels of a channel are equal
    assert len(np.unique(IMAGES)) == IMAGES.size
    _, back = jax.vjp(lambda x: mixed(x, "max"), images)
    (selected,) = back(jnp.ones_like(images))
    counts = np.asarray(selected)
    assert (counts == counts.astype(int)).all()
    assert counts.max() <= 9
    assert (counts.sum((1, 2)) == 7 * 9).all()
    # The number of windows whose maximum a pixel is, by looking.
    maxima = brute(IMAGES, "max", 3, 1)
    by_looking = np.zeros_like(IMAGES)
    for row in range(7):
        for column in range(9):
            window = (
                slice(None),
                slice(max(0, row - 1), row + 2),
                slice(max(0, column - 1), column + 2),
            )
            by_looking[window] += IMAGES[window] == maxima[:, row, column][:, None, None]
    np.testing.assert_array_equal(counts, by_looking)
    (tied,) = jax.vjp(lambda x: mixed(x, "max"), jnp.zeros((1, 3, 3, 1)))[1](jnp.ones((1, 3, 3, 1)))
    np.testing.assert_array_equal(tied[0, :, :, 0], [[4, 2, 0], [2, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("operation", ["max", "average", "depthwise"])
def test_pools_commute_with_quarter_turns_and_mirrors_and_depthwise_convolutions_do_not(operation):
    with float64():
        x = jnp.asarray(IMAGES, jnp.float64)
        layer = Spatial(operation, normalised=False)
        variables = initial_by_numpy(layer, np.random.default_rng(1), x)
        run = lambda x: layer.apply(variables, x)  # noqa: E731
        for turn in (lambda x: jnp.rot90(x, 1, (1, 2)), lambda x: x[:, ::-1]):
            apart = float(jnp.abs(run(turn(x)) - turn(run(x))).max())
            assert (apart < 1e-14) == (operation != "depthwise")
        # On the torus every operation commutes with translation: away from the border.
        moved = jnp.roll(x, 1, 2)
        inner = (slice(None), slice(1, -1), slice(2, -1))
        assert jnp.abs(run(moved)[inner] - jnp.roll(run(x), 1, 2)[inner]).max() < 1e-14


def test_a_shift_moves_groups_of_channels_and_leaves_the_rest():
    found = np.asarray(mixed(jnp.asarray(IMAGES), "shift"))
    framed = np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for group in range(9):
        down, right = divmod(group, 3)
        channels = slice(2 * group, 2 * group + 2)
        np.testing.assert_array_equal(
            found[..., channels], framed[:, down : down + 7, right : right + 9, channels]
        )
    np.testing.assert_array_equal(found[..., 18:], IMAGES[..., 18:])


def test_every_operation_without_parameters_divides_the_size_and_keeps_constants_inside():
    for operation in PARAMETER_FREE:
        for strides in (1, 3):
            found = mixed(jnp.ones((1, 13, 12, 9)), operation, strides=strides)
            assert found.shape == (1, -(-13 // strides), -(-12 // strides), 9)
            np.testing.assert_allclose(found[:, 1:-1, 1:-1], 1, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("strides", [1, 2])
def test_one_program_computes_each_operation_as_the_block_that_has_only_it(strides):
    images = jnp.asarray(IMAGES)
    one = Bottleneck(6, "any", strides)
    generator = np.random.default_rng(2)
    start = initial_by_numpy(one, generator, images, rules={**FLAX, "index": zeros}, train=False)
    start = jax.tree.map(
        lambda leaf: (
            leaf + 0.1 * generator.random(leaf.shape).astype(leaf.dtype)
            if leaf.dtype == np.float32
            else leaf
        ),
        start,
    )
    run = jax.jit(one.apply)
    for operation in CHOICES:
        block = Bottleneck(6, operation, strides)
        variables = {name: dict(start[name]) for name in ("params", "batch_stats")}
        inner = start["params"]["spatial"]
        for name in variables:
            held = variables[name].pop("spatial")
            if operation in TRAINABLE:
                conv = {"conv": inner[operation]} if name == "params" else {}
                variables[name]["spatial"] = {operation: {**conv, "norm": held["norm"]}}
        found = run(with_operations(start, [operation]), images)
        np.testing.assert_allclose(found, block.apply(variables, images), rtol=1e-5, atol=1e-5)


def test_what_there_is_not_is_refused_by_name():
    with pytest.raises(ExperimentError, match="'median'"):
        mixed(jnp.asarray(IMAGES), "median")
    with pytest.raises(ExperimentError, match="'median'"):
        Spatial("median").init(jax.random.key(0), jnp.asarray(IMAGES))
    with pytest.raises(ExperimentError, match="4 and 1"):
        mixed(jnp.asarray(IMAGES), "max", size=4)
    with pytest.raises(ExperimentError, match="'any'"):
        with_operations({}, ["any"])
    with pytest.raises(ExperimentError, match="has 0 to choose"):
        with_operations({}, ["max"])
