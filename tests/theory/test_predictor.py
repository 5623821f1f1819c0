"""The closed-form predictor against a dense solve in NumPy and against neural-tangents."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkexec.engines import neural_tangents
from ntkexec.runtime import precision
from ntkexec.theory import kernel, predictor
from ntkexec.theory.dot_product import DotProductKernel

# Two float64 routes.
FLOAT64 = 1e-12
SIZES = [1, 2, 5, 21, 46, 100]


def float32_bound(num_templates):
    """Eight units in the last place, times the condition number of the system that is solved."""
    condition = 1 + kernel.NTK_ORTHOGONAL * num_templates / kernel.NTK_GAP
    return max(1e-6, 8 * np.finfo(np.float32).eps * condition)


def dense_kernels(cosines):
    """NNGP and NTK, written down once more."""
    angle = np.arccos(np.clip(cosines, -1, 1))
    kappa_0 = 1 - angle / np.pi
    kappa_1 = (np.sin(angle) + (np.pi - angle) * cosines) / np.pi
    return kappa_1 / 2, kappa_1 / 2 + cosines * kappa_0 / 2


def dense_prediction(states):
    """The linear map from targets to means, and the covariance, by a solve with the Gram matrix.

    Lee et al., arXiv:1902.06720, equation 16: K_tt + A K_dd A^T - A K_dt - (A K_dt)^T.
    """
    num_templates = states.shape[1]
    nngp_train, ntk_train = dense_kernels(np.eye(num_templates))
    nngp_cross, ntk_cross = dense_kernels(states)
    nngp_test, _ = dense_kernels(states @ states.T)
    weights = np.linalg.solve(ntk_train, ntk_cross.T).T
    cross = weights @ nngp_cross.T
    covariance = nngp_test + weights @ nngp_train @ weights.T - cross - cross.T
    return weights, covariance / num_templates


def encoded(matched):
    """Rows of 1/sqrt(m) where a template matches; no row may be without one."""
    return matched / np.sqrt(matched.sum(axis=1, keepdims=True))


def some_states(num_templates, *, empty):
    """For every m up to 13 one state, its matches in random places."""
    counts = np.arange(0 if empty else 1, min(num_templates, 13) + 1)
    order = np.random.default_rng(num_templates).random((len(counts), num_templates)).argsort(1)
    return counts, order < counts[:, None]


def largest_error(num_templates):
    """Of alpha, beta and the variance, over some states, against the dense solve."""
    counts, matched = some_states(num_templates, empty=False)
    weights, covariance = dense_prediction(encoded(matched))
    alpha, beta = predictor.coefficients(counts, num_templates)
    found = np.where(matched, alpha[:, None], beta[:, None])
    variance = predictor.variance(counts, num_templates)
    return max(np.abs(found - weights).max(), np.abs(variance - np.diag(covariance)).max())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data(), num_templates=st.integers(1, 60), weight_std=st.floats(0.5, 2))
def test_mean_and_variance_are_those_of_the_dense_solve(data, num_templates, weight_std):
    matched = np.zeros((1, num_templates))
    target = np.zeros(num_templates)
    matched[0, list(data.draw(st.sets(st.integers(0, num_templates - 1), min_size=1)))] = 1
    target[list(data.draw(st.sets(st.integers(0, num_templates - 1))))] = 1
    weights, covariance = dense_prediction(encoded(matched))
    m, active = int(matched.sum()), int(matched[0] @ target)
    found = predictor.mean(m, num_templates, int(target.sum()), active)
    assert abs(found - weights[0] @ target) < FLOAT64
    variance = predictor.variance(m, num_templates, weight_std=weight_std)
    assert abs(variance - weight_std**4 * covariance[0, 0]) < FLOAT64 * weight_std**4


@pytest.mark.parametrize("num_templates", SIZES)
def test_every_template_contributes_as_in_the_dense_solve(num_templates):
    assert largest_error(num_templates) < FLOAT64


def test_a_wrong_constant_is_noticed(monkeypatch):
    wrong = property(lambda _: kernel.NTK_ORTHOGONAL * (1 + 1e-9))
    monkeypatch.setattr(DotProductKernel, "orthogonal", wrong)
    assert largest_error(21) > FLOAT64


def test_a_wrong_kernel_before_training_is_noticed(monkeypatch):
    wrong = lambda _, cosine: kernel.nngp(cosine) * (1 + 1e-9)  # noqa: E731
    monkeypatch.setattr(DotProductKernel, "prior", wrong)
    assert largest_error(21) > FLOAT64


# In float32, which is bounded less sharply, at fewer sizes.
@pytest.mark.parametrize(
    "num_templates, dtype",
    [
        *((size, np.float64) for size in SIZES),
        *(
            pytest.param(size, np.float32, marks=() if size in (2, 46) else pytest.mark.slow)
            for size in SIZES
        ),
    ],
)
def test_mean_and_variance_are_those_of_neural_tangents(num_templates, dtype):
    counts, matched = some_states(num_templates, empty=True)
    m, n0 = counts.astype(dtype), np.asarray(num_templates, dtype)
    alpha, beta = predictor.coefficients(m, n0)
    mean = np.where(matched, alpha[:, None], beta[:, None])
    variance = predictor.variance(m, n0)
    assert mean.dtype == variance.dtype == dtype
    states = matched / np.sqrt(np.maximum(counts, 1))[:, None]
    # Only float64 needs the scope; inside it neural-tangents would promote float32.
    with precision.float64() if dtype == np.float64 else contextlib.nullcontext():
        inputs = jnp.asarray(states, dtype)
        # Compiled, as in the executor: fused arithmetic must not cost accuracy.
        found = jax.jit(neural_tangents.predict)(jnp.eye(num_templates, dtype=dtype), inputs)
        assert found.mean.dtype == found.covariance.dtype == dtype
        found_mean, found_covariance = np.asarray(found.mean), np.asarray(found.covariance)
    bound = FLOAT64 if dtype == np.float64 else float32_bound(num_templates)
    np.testing.assert_allclose(found_mean, mean, rtol=0, atol=bound)
    # The variance has the factor 1/n0; its error is judged without it.
    errors = num_templates * np.abs(np.diag(found_covariance) - variance)
    assert errors.max() < bound


def test_the_covariance_of_two_states_is_that_of_the_dense_solve():
    _, matched = some_states(21, empty=False)
    _, expected = dense_prediction(encoded(matched))
    with precision.float64():
        found = jax.jit(neural_tangents.predict)(
            jnp.eye(21), jnp.asarray(encoded(matched))
        ).covariance
        np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=FLOAT64)


def test_every_output_has_the_same_covariance_whatever_its_targets():
    _, matched = some_states(8, empty=False)
    targets = np.random.default_rng(0).normal(size=(8, 3))
    with precision.float64():
        states, predict = jnp.asarray(encoded(matched)), jax.jit(neural_tangents.predict)
        together = predict(jnp.asarray(targets), states)
        for output in range(3):
            alone = predict(jnp.asarray(targets[:, output : output + 1]), states)
            assert np.abs(np.asarray(alone.covariance - together.covariance)).max() < FLOAT64
            difference = np.asarray(alone.mean[:, 0] - together.mean[:, output])
            assert np.abs(difference).max() < FLOAT64


ALL_SIZES = np.arange(1, 2001)


def test_without_a_match_the_output_is_exactly_zero():
    alpha, beta = predictor.coefficients(0, ALL_SIZES)
    assert (alpha == 0).all()
    assert (beta == 0).all()
    assert (predictor.variance(0, ALL_SIZES) == 0).all()
    assert (predictor.mean(0, ALL_SIZES, 3, 0) == 0).all()
    assert (predictor.capacity(0, ALL_SIZES) == np.inf).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_one_match_the_network_interpolates(dtype):
    alpha, beta = predictor.coefficients(dtype(1), ALL_SIZES.astype(dtype))
    assert np.abs(alpha - 1).max() <= 2 * np.finfo(dtype).eps
    assert (beta == 0).all()
    assert (predictor.variance(1, ALL_SIZES) == 0).all()
    assert (predictor.capacity(1, ALL_SIZES) == np.inf).all()


def test_from_two_matches_on_matched_templates_help_and_others_hurt():
    # Every m <= n0 up to 300.
    m, n0 = np.meshgrid(np.arange(2, 301), np.arange(2, 301), indexing="ij")
    m, n0 = m[m <= n0], n0[m <= n0]
    alpha, beta = predictor.coefficients(m, n0)
    assert (alpha > 0).all()
    assert (beta < 0).all()
    assert (predictor.variance(m, n0) > 0).all()


def test_a_bit_is_safe_exactly_below_the_capacity():
    m, n0 = np.meshgrid(np.arange(2, 31), np.arange(31, 61), indexing="ij")
    capacity = predictor.capacity(m, n0)
    below, above = np.ceil(capacity), np.floor(capacity) + 2  # w - 1 < C and w - 1 > C
    assert (predictor.mean(m, n0, below, 1) > 0).all()
    assert (predictor.mean(m, n0, above, 1) < 0).all()


def test_the_capacity_falls_with_matches_and_grows_with_templates():
    capacity = predictor.capacity(np.arange(2, 201)[:, None], np.arange(200, 401)[None, :])
    assert (np.diff(capacity, axis=0) < 0).all()
    assert (np.diff(capacity, axis=1) > 0).all()


def test_the_capacity_tends_to_unmatched_templates_per_match():
    m = np.array([1e4, 1e6, 1e8])
    n0 = m**2
    excess = predictor.capacity(m, n0) * m / (n0 - m) - 1
    # alpha/|beta| = ((n0 - m) Delta + ...) / (m Delta - gap), with Delta about 1 / (2 sqrt m).
    np.testing.assert_allclose(excess * np.sqrt(m), 2 * kernel.NTK_GAP, rtol=0.1)
    assert abs(excess[-1] * np.sqrt(m[-1]) / (2 * kernel.NTK_GAP) - 1) < 1e-3


def test_jax_arrays_give_the_same_under_jit():
    m = np.arange(14)
    functions = (
        lambda m: predictor.coefficients(m, 21),
        lambda m: predictor.variance(m, 21, weight_std=1.5),
        lambda m: predictor.capacity(m, 21),
        functools.partial(predictor.mean, num_templates=21, num_writers=3, num_matched_writers=1),
    )
    for function in functions:
        with precision.float64():
            found = np.asarray(jax.jit(function)(jnp.asarray(m)))
        np.testing.assert_allclose(found, function(m), rtol=0, atol=1e-11)
        single = np.asarray(jax.jit(function)(jnp.asarray(m)))
        assert single.dtype == np.float32
        # The largest value is a capacity of 283, a quotient of two numbers of this accuracy.
        np.testing.assert_allclose(single, function(m), rtol=1e-4, atol=1e-6)
