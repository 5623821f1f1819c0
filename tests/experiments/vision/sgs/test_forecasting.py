"""What a scaling is forecast to change, against fits of single weights and gradients of the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.kits.images import blurred_noise
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.sgs.forecasting import (
    Forecast,
    excess_by_position,
    forecast,
    limit_of_descent,
)
from experiments.vision.sgs.layers import Network
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

MODEL = Network((4,), 3)
CENTRE, CORNERS = np.zeros((3, 3)), np.zeros((3, 3))
CENTRE[1, 1] = 1
CORNERS[::2, ::2] = 1


@pytest.mark.slow
@pytest.mark.parametrize("repeated", [False, True])
def test_excess_is_the_sum_over_teachers_with_a_single_weight(repeated):
    generator = np.random.default_rng(0)
    positions, channels = 4, 3
    with float64():
        rows = jnp.asarray(generator.normal(size=(5, positions, channels)))
        fresh = jnp.asarray(generator.normal(size=(7, positions, channels)))
        scaling = jnp.asarray(generator.uniform(0.2, 3, positions))
        flat, weights = rows.reshape(5, -1), jnp.repeat(scaling, channels)
        teachers = jnp.eye(positions * channels)
        off = limit_of_descent(flat, flat @ teachers, weights) - teachers
        errors = np.mean((fresh.reshape(7, -1) @ off) ** 2, 0)
        wanted = errors.reshape(positions, channels).sum(1)
        # Rows that repeat teach nothing new.
        given = jnp.concatenate([rows, rows[:2]]) if repeated else rows
        found = excess_by_position(given, fresh, scaling)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.slow
def test_scaled_descent_ends_where_its_limit_says():
    generator = np.random.default_rng(0)
    inputs, targets = generator.normal(size=(6, 12)), generator.normal(size=6)
    scaling = generator.uniform(0.2, 3, 12)
    with float64():
        limit = np.asarray(limit_of_descent(*map(jnp.asarray, (inputs, targets, scaling))))
    spectrum = np.linalg.eigvalsh((inputs * scaling) @ inputs.T)
    weights = np.zeros(12)
    # Modes of the scaled problem die out as (1 - rate * eigenvalue) ** steps; 40 leave exp(-40).
    for _ in range(int(np.ceil(40 * spectrum[-1] / spectrum[0]))):
        weights -= scaling * (inputs.T @ (inputs @ weights - targets)) / spectrum[-1]
    np.testing.assert_allclose(weights, limit, atol=1e-10)
    plain = inputs.T @ np.linalg.solve(inputs @ inputs.T, targets)
    assert np.abs(weights - plain).max() > 0.01


@pytest.mark.slow
def test_a_kernel_has_its_gradients_moment_and_gains_where_its_scaling_is_large():
    images = blurred_noise(24, 8, 2, sigma=0.7, generator=np.random.default_rng(1))
    labels = np.random.default_rng(2).integers(3, size=24)
    variables = initial_by_numpy(MODEL, np.random.default_rng(3), images, train=False)
    ((path, one),) = forecast(MODEL, variables, images, labels, train=False).items()
    assert path == "BranchedConv_0/Conv_0/kernel"
    rest = {name: value for name, value in variables.items() if name != "params"}

    @jax.jit
    @jax.grad
    def gradient(params):
        logits = MODEL.apply({"params": params, **rest}, images, train=False)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    kernel = gradient(variables["params"])["BranchedConv_0"]["Conv_0"]["kernel"]
    squares = np.square(np.asarray(kernel, float)).mean((2, 3))
    np.testing.assert_allclose(one.moment, squares / squares.mean(), rtol=1e-3)
    assert one.scaling.argmax() == 4
    assert one.gain(CORNERS) < 0 < one.gain(CENTRE)
    # An energy has no unit.
    assert one.gain(3 * CENTRE) == pytest.approx(one.gain(CENTRE))


def test_no_scaling_gains_nothing():
    left = np.arange(9.0).reshape(3, 3)
    assert Forecast(np.ones((3, 3)), np.ones((3, 3)), plain=left, scaled=left).gain(CENTRE) == 0


def test_too_few_images_are_refused():
    for images, labels in ((3, 3), (24, 5)):
        with pytest.raises(ExperimentError, match=f"labels are needed, got {images} and {labels}"):
            forecast(MODEL, {}, np.zeros((images, 8, 8, 2)), np.zeros(labels, int), train=False)
