"""What a scaling is forecast to change, against fits of single weights and gradients of the whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.kits.images import blurred_noise
from experiments.vision.sgs.bias import excess_by_position, limit_of_descent
from experiments.vision.sgs.dependence import model_scalings
from experiments.vision.sgs.forecast import Forecast, energy_of, forecast
from experiments.vision.sgs.layers import Network
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

MODEL = Network((4, 6), 3)
CENTRE, CORNERS = np.zeros((3, 3)), np.zeros((3, 3))
CENTRE[1, 1] = 1
CORNERS[::2, ::2] = 1


@pytest.mark.parametrize("repeated", [False, True])
def test_excess_is_the_sum_over_teachers_with_a_single_weight(repeated):
    generator = np.random.default_rng(0)
    positions, channels = 4, 3
    with float64():
        rows = jnp.asarray(generator.normal(size=(5, positions, channels)))
        fresh = jnp.asarray(generator.normal(size=(7, positions, channels)))
        scaling = jnp.asarray(generator.uniform(0.2, 3, positions))
        flat, weights = rows.reshape(5, -1), jnp.repeat(scaling, channels)
        wanted = np.zeros(positions)
        for place, teacher in enumerate(jnp.eye(positions * channels)):
            fit = limit_of_descent(flat, flat @ teacher, weights)
            wanted[place // channels] += jnp.mean((fresh.reshape(7, -1) @ (fit - teacher)) ** 2)
        # Rows that repeat teach nothing new.
        given = jnp.concatenate([rows, rows[:2]]) if repeated else rows
        found = excess_by_position(given, fresh, scaling)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.fixture(scope="module")
def started():
    images = blurred_noise(24, 8, 2, sigma=0.7, generator=np.random.default_rng(1))
    labels = np.random.default_rng(2).integers(3, size=24)
    variables = jax.jit(functools.partial(MODEL.init, train=False))(jax.random.key(0), images[:2])
    return variables, images, labels, forecast(MODEL, variables, images, labels, train=False)


def test_every_kernel_has_its_scaling_and_the_moment_of_the_gradient_of_the_mean_loss(started):
    variables, images, labels, found = started
    rest = {name: value for name, value in variables.items() if name != "params"}

    def loss(params):
        logits = MODEL.apply({"params": params, **rest}, images, train=False)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    gradients = {
        jax.tree_util.keystr(where, simple=True, separator="/"): leaf
        for where, leaf in jax.tree_util.tree_leaves_with_path(jax.grad(loss)(variables["params"]))
    }
    measure = jax.jit(functools.partial(model_scalings, MODEL, train=False))
    scalings = measure(variables, images)
    assert len(found) == 2
    assert found.keys() == scalings.keys()
    for path, one in found.items():
        np.testing.assert_allclose(one.scaling, scalings[path], rtol=1e-4)
        np.testing.assert_allclose(one.moment, energy_of(gradients[path]), rtol=1e-3)


def test_a_central_scaling_gains_where_the_centre_is_to_be_learned_and_loses_elsewhere(started):
    for one in started[3].values():
        assert one.scaling.argmax() == 4
        assert one.gain(CORNERS) < 0 < one.gain(CENTRE)
        assert one.correlation(CORNERS) < 0 < one.correlation(CENTRE)
        # An energy has no unit.
        assert one.gain(3 * CENTRE) == pytest.approx(one.gain(CENTRE))


def test_no_scaling_gains_nothing():
    ones = np.ones((3, 3))
    one = Forecast(
        ones, ones, plain=np.arange(9.0).reshape(3, 3), scaled=np.arange(9.0).reshape(3, 3)
    )
    assert one.gain(CENTRE) == 0
    assert np.isnan(one.correlation(CENTRE))


def test_too_few_images_are_refused(started):
    variables, images, labels, _ = started
    with pytest.raises(
        ExperimentError, match="at least four images and as many labels are needed, got 3 and 3"
    ):
        forecast(MODEL, variables, images[:3], labels[:3], train=False)
    with pytest.raises(ExperimentError, match="got 24 and 5"):
        forecast(MODEL, variables, images, labels[:5], train=False)
