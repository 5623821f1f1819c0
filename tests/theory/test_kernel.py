"""The closed-form kernels are Gaussian integrals and keep their argument's precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from ntkexec.engines import neural_tangents
from ntkexec.runtime import precision
from ntkexec.theory import kernel

# Adaptive quadrature was asked for an absolute error of 1e-13.
QUADRATURE = 1e-12
# Two routes in the same precision: a few units in the last place of numbers of size 1.
FLOAT64, FLOAT32 = 1e-14, 1e-6
CLOSED_FORMS = (kernel.arccosine_0, kernel.arccosine_1, kernel.nngp, kernel.ntk)
COSINES = np.array([-0.99, -0.8, -0.3, 0.0, 0.1, 0.5, 1 / np.sqrt(2), 0.9, 0.99])


def mean_given_first(cosine, of_second):
    """Twice the integral over x > 0 of the density of x times `of_second(mean, spread)`.

    Given the first Gaussian x, the second has mean u x and standard deviation sqrt(1 - u^2).
    """
    spread = np.sqrt(1 - cosine**2)
    found, _ = integrate.quad(
        lambda x: 2 * stats.norm.pdf(x) * of_second(x, cosine * x, spread),
        0,
        12,  # beyond, the density is 1e-32
        epsabs=1e-13,
        epsrel=1e-13,
        points=[0.1, 1, 3],
    )
    return found


def step_and_step(first, mean, spread):
    return stats.norm.cdf(mean / spread)


def relu_and_relu(first, mean, spread):
    ratio = mean / spread
    return first * (mean * stats.norm.cdf(ratio) + spread * stats.norm.pdf(ratio))


@pytest.mark.parametrize("cosine", COSINES)
def test_kappa_0_is_twice_the_mean_of_two_steps(cosine):
    expected = mean_given_first(cosine, step_and_step)
    assert abs(kernel.arccosine_0(np.asarray(cosine)) - expected) < QUADRATURE


@pytest.mark.parametrize("cosine", COSINES)
def test_kappa_1_is_twice_the_mean_of_two_relus(cosine):
    expected = mean_given_first(cosine, relu_and_relu)
    assert abs(kernel.arccosine_1(np.asarray(cosine)) - expected) < QUADRATURE


@pytest.mark.parametrize("cosine", COSINES)
def test_the_quadrature_tells_kappa_0_from_kappa_1(cosine):
    expected = mean_given_first(cosine, relu_and_relu)
    assert abs(kernel.arccosine_0(np.asarray(cosine)) - expected) > 1e-3


def test_the_kernels_are_those_of_neural_tangents():
    first = np.array([[1.0, 0.0]])
    second = np.stack([COSINES, np.sqrt(1 - COSINES**2)], axis=1)
    with precision.float64():
        compiled = jax.jit(lambda x1, x2: neural_tangents.kernels(x1, x2, weight_std=1.3))
        found = compiled(jnp.asarray(first), jnp.asarray(second))
        found = [np.asarray(k)[0] * 2 / 1.3**4 for k in found]
    np.testing.assert_allclose(kernel.nngp(COSINES), found[0], atol=FLOAT64)
    np.testing.assert_allclose(kernel.ntk(COSINES), found[1], atol=FLOAT64)
    found = jax.jit(neural_tangents.kernels)(
        jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32)
    )
    cosines = COSINES.astype(np.float32)
    np.testing.assert_allclose(kernel.nngp(cosines), 2 * found.nngp[0], atol=FLOAT32)
    np.testing.assert_allclose(kernel.ntk(cosines), 2 * found.ntk[0], atol=FLOAT32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_values_at_opposite_orthogonal_and_equal_inputs(xp, dtype):
    expected = {
        kernel.arccosine_0: [0, 1 / 2, 1],
        kernel.arccosine_1: [0, 1 / np.pi, 1],
        kernel.nngp: [0, 1 / (2 * np.pi), 1 / 2],
        kernel.ntk: [0, 1 / (2 * np.pi), 1],
    }
    with precision.float64():
        for closed_form, values in expected.items():
            found = np.asarray(closed_form(xp.asarray([-1, 0, 1], dtype=dtype)))
            np.testing.assert_allclose(found, values, rtol=0, atol=2 * np.finfo(dtype).eps)
            # Equal inputs give the exact value: the angle is not a root of a rounding error.
            assert found[2] == values[2]


@pytest.mark.parametrize("closed_form", CLOSED_FORMS)
def test_float32_next_to_equal_inputs_is_as_good_as_elsewhere(closed_form):
    cosines = np.float32(1) - np.arange(1000, dtype=np.float32) * np.float32(2**-24)
    expected = closed_form(cosines.astype(np.float64))
    bound = 4 * np.finfo(np.float32).eps
    assert np.abs(closed_form(cosines) - expected).max() < bound
    assert np.abs(np.asarray(closed_form(jnp.asarray(cosines))) - expected).max() < bound


def test_one_unit_in_the_last_place_of_the_cosine_would_show_there():
    cosines = np.float32(1) - np.arange(1000, dtype=np.float32) * np.float32(2**-24)
    expected = kernel.arccosine_0(cosines.astype(np.float64))
    shifted = kernel.arccosine_0(np.nextafter(cosines, np.float32(0)))
    assert np.abs(shifted - expected).max() > 100 * np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("closed_form", CLOSED_FORMS)
def test_library_precision_and_shape_are_kept(closed_form, shape, dtype):
    with precision.float64():
        host = closed_form(np.full(shape, 0.5, dtype))
        device = closed_form(jnp.full(shape, 0.5, dtype))
        assert isinstance(host, np.ndarray | np.generic)
        assert isinstance(device, jnp.ndarray)
        assert host.dtype == device.dtype == dtype
        assert host.shape == device.shape == shape
        np.testing.assert_allclose(host, device, rtol=4 * np.finfo(dtype).eps)


def test_both_kernels_of_orthogonal_inputs_are_the_constant():
    zero = np.zeros(())
    assert abs(kernel.ntk(zero) - kernel.NTK_ORTHOGONAL) < FLOAT64
    assert abs(kernel.nngp(zero) - kernel.NTK_ORTHOGONAL) < FLOAT64
    assert kernel.NTK_GAP + kernel.NTK_ORTHOGONAL == 1


@pytest.mark.parametrize("num_inputs", [1, 2, 3, 8, 50])
def test_the_train_gram_has_the_gap_and_one_large_eigenvalue(num_inputs):
    found = np.linalg.eigvalsh(kernel.ntk(np.eye(num_inputs)))
    expected = np.full(num_inputs, kernel.NTK_GAP)
    expected[-1] += kernel.NTK_ORTHOGONAL * num_inputs
    np.testing.assert_allclose(found, expected, rtol=1e-13)
