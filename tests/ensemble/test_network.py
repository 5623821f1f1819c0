"""The learned function against formulas in NumPy and against its infinite-width kernels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.runtime.precision import float64
from ntkexec.theory import kernel

# Two float64 routes.
FLOAT64 = 1e-12
# Sampling: at 4.5 standard errors a true statement fails with probability 7e-6.
SIGMAS = 4.5


def formula(weights, x, *, weight_std, bias_std):
    """The network's output in NumPy."""
    num_inputs, width = weights["hidden"].shape
    before = weight_std * x @ weights["hidden"] / np.sqrt(num_inputs)
    if bias_std:
        before = before + bias_std * weights["hidden_bias"]
    outputs = weight_std * np.maximum(before, 0) @ weights["output"] / np.sqrt(width)
    return outputs + bias_std * weights["output_bias"] if bias_std else outputs


@pytest.mark.parametrize("bias_std", [0.0, 0.7])
@pytest.mark.parametrize("weight_std", [1.0, 1.3])
def test_the_output_is_the_formula(weight_std, bias_std):
    network = TwoLayerNetwork(5, 33, 3, weight_std, bias_std, jnp.float64)
    x = np.random.default_rng(0).normal(size=(7, 5))
    with float64():
        parameters = network.init(jax.random.key(0), method="on_basis")
        found = np.asarray(network.apply(parameters, jnp.asarray(x)))
        weights = jax.tree.map(np.asarray, parameters["params"])
    assert found.dtype == np.float64
    expected = formula(weights, x, weight_std=weight_std, bias_std=bias_std)
    np.testing.assert_allclose(found, expected, rtol=FLOAT64, atol=FLOAT64)
    for wrong in ({"weight_std": 1.1, "bias_std": bias_std}, {"weight_std": 1, "bias_std": 0.0}):
        if wrong != {"weight_std": weight_std, "bias_std": bias_std}:
            assert np.abs(formula(weights, x, **wrong) - expected).max() > 0.01


@pytest.mark.parametrize("bias_std", [0.0, 0.7])
def test_without_biases_there_are_no_bias_weights(bias_std):
    network = TwoLayerNetwork(5, 33, 3, 1.0, bias_std)
    weights = network.init(jax.random.key(0), method="on_basis")["params"]
    shapes = {"hidden": (5, 33), "output": (33, 3)}
    if bias_std:
        shapes |= {"hidden_bias": (33,), "output_bias": (3,)}
    assert {name: array.shape for name, array in weights.items()} == shapes


@pytest.mark.parametrize("bias_std", [0.0, 0.7])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_on_the_basis_it_is_the_call_with_the_identity(dtype, bias_std):
    network = TwoLayerNetwork(6, 40, 2, 1.1, bias_std, dtype)
    with float64():
        weights = network.init(jax.random.key(1), method="on_basis")
        basis = np.asarray(network.apply(weights, method="on_basis"))
        called = np.asarray(network.apply(weights, jnp.eye(6, dtype=dtype)))
        other = np.asarray(network.apply(weights, jnp.eye(6, dtype=dtype)[::-1]))
    # A product with the identity is exact; the sums that follow are the same.
    assert basis.dtype == dtype
    np.testing.assert_array_equal(basis, called)
    assert (basis != other).any()


# Kernels at initialisation.

NUM_INPUTS, MEMBERS = 4, 200
WIDTHS = (64, 256, 1024, 4096)
COSINE = 1 / np.sqrt(3)


def empirical_kernels(width, seed=0, weight_std=1.0):
    """NNGP and NTK of `MEMBERS` networks at two inputs of cosine 1/sqrt(3), times n0."""
    network = TwoLayerNetwork(NUM_INPUTS, width, 1, weight_std)
    x = jnp.asarray([[1.0, 0, 0, 0], [3**-0.5, 3**-0.5, 3**-0.5, 0]])

    @jax.jit
    def kernels(key):
        weights = network.init(key, method="on_basis")
        slopes = jax.jacobian(lambda w: network.apply(w, x)[:, 0])(weights)["params"]
        product = {name: jnp.sum(slope[0] * slope[1]) for name, slope in slopes.items()}
        return product["output"], product["output"] + product["hidden"]

    keys = jax.random.split(jax.random.key(seed), MEMBERS)
    nngp, ntk = jax.lax.map(kernels, keys, batch_size=8)
    return NUM_INPUTS * np.asarray(nngp, np.float64), NUM_INPUTS * np.asarray(ntk, np.float64)


@pytest.fixture(scope="module")
def kernels_by_width():
    return [empirical_kernels(width) for width in WIDTHS]


def slope_of_error(kernels, limit):
    """Of log(root mean square distance to the limit) against log(width), and its standard error.

    A kernel at width h is a mean of h independent terms, so its distance is nearly Gaussian, and
    the logarithm of a root mean square over S members has standard error 1 / sqrt(2 S). The terms
    are products of four Gaussians at worst; at h = 64 their excess kurtosis widens it by less than
    a third, for which a factor 1.5 stands.
    """
    x = np.log(WIDTHS) - np.mean(np.log(WIDTHS))
    errors = [np.sqrt(np.mean((found - limit) ** 2)) for found in kernels]
    return x @ np.log(errors) / (x @ x), 1.5 / np.sqrt(2 * MEMBERS * (x @ x))


@pytest.mark.parametrize("index, name", [(0, "nngp"), (1, "ntk")])
def test_kernels_at_initialisation_approach_the_closed_forms_as_one_over_the_root_of_the_width(
    kernels_by_width, index, name
):
    found = [kernels[index] for kernels in kernels_by_width]
    limit = getattr(kernel, name)(np.float64(COSINE))
    slope, error = slope_of_error(found, limit)
    assert abs(slope + 0.5) < SIGMAS * error
    # The twin: a limit that is 10% off stops the decay.
    wrong_slope, _ = slope_of_error(found, 1.1 * limit)
    assert abs(wrong_slope + 0.5) > SIGMAS * error


@pytest.mark.parametrize("index, name", [(0, "nngp"), (1, "ntk")])
def test_kernels_at_initialisation_have_the_closed_form_as_their_mean(
    kernels_by_width, index, name
):
    # Exact at every width, so only sampling error remains.
    limit = getattr(kernel, name)(np.float64(COSINE))
    for kernels in kernels_by_width:
        found = kernels[index]
        error = found.std(ddof=1) / np.sqrt(MEMBERS)
        assert abs(found.mean() - limit) < SIGMAS * error
    assert abs(kernels_by_width[-1][index].mean() - 1.03 * limit) > SIGMAS * error


def test_kernels_grow_with_the_fourth_power_of_the_weights():
    plain, scaled = empirical_kernels(64), empirical_kernels(64, weight_std=1.5)
    for found, expected in zip(scaled, plain):
        np.testing.assert_allclose(found, 1.5**4 * expected, rtol=1e-5)  # float32


def test_outputs_before_training_have_the_nngp_as_their_covariance():
    # Second moment of S Gaussian-like outputs f f': its own spread is measured from the sample.
    network, num = TwoLayerNetwork(NUM_INPUTS, 256, 1), 4000
    x = jnp.asarray([[1.0, 0, 0, 0], [3**-0.5, 3**-0.5, 3**-0.5, 0]])

    @jax.jit
    def outputs(key):
        return network.apply(network.init(key, method="on_basis"), x)[:, 0]

    keys = jax.random.split(jax.random.key(5), num)
    found = np.asarray(jax.lax.map(outputs, keys, batch_size=100), np.float64)
    products = NUM_INPUTS * found[:, 0] * found[:, 1]
    error = products.std(ddof=1) / np.sqrt(num)
    assert abs(products.mean() - kernel.nngp(np.float64(COSINE))) < SIGMAS * error
    assert abs(products.mean() - kernel.ntk(np.float64(COSINE))) > SIGMAS * error
