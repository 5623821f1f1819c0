"""The estimator of mutual information, against NumPy's histograms and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.images import blurred_noise
from experiments.vision.sgs import dependence as library
from experiments.vision.sgs.dependence import information, sharpened
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

# Compiled as a whole, which is much faster than operation by operation.
OPTIONS = ("kernel_size", "padding", "dilation", "drop_zeros")
dependence = jax.jit(library.dependence, static_argnames=OPTIONS)
measured_scaling = jax.jit(library.measured_scaling, static_argnames=OPTIONS)


def entropy(p):
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def reference_ratio(x, y, drop_zeros):
    if drop_zeros:
        kept = (x != 0) & (y != 0)
        x, y = x[kept], y[kept]
        if not len(x):
            return 0.0
    bins = 1 + int(np.ceil(np.log2(len(x))))
    ranges = [(x.min(), x.max() + 1e-12), (y.min(), y.max() + 1e-12)]
    counts, _, _ = np.histogram2d(x, y, bins, ranges)
    if drop_zeros:
        np.fill_diagonal(counts, 0)
    joint = counts / counts.sum()
    both = entropy(joint.ravel())
    return (entropy(joint.sum(0)) + entropy(joint.sum(1)) - both) / both


def reference_scaling(images, padding, sharpness, drop_zeros):
    """All nine displacements by plain loops, without using the symmetry."""
    padded = np.pad(images, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
    height, width = padded.shape[1:3]
    found = np.ones((3, 3))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                ys = range(max(0, -dy), height - max(0, dy))
                xs = range(max(0, -dx), width - max(0, dx))
                ratios = []
                for channel in range(images.shape[-1]):
                    one = padded[..., channel]
                    pairs = [(one[:, y, x], one[:, y + dy, x + dx]) for y in ys for x in xs]
                    first, second = (np.concatenate(side) for side in zip(*pairs))
                    ratios.append(reference_ratio(first, second, drop_zeros))
                r = np.array(ratios)
                found[dy + 1, dx + 1] = np.nanmean(sharpness * r / ((sharpness - 1) * r + 1))
    return found / found.mean()


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("drop_zeros", [False, True])
def test_scalings_equal_those_of_numpys_histograms(padding, drop_zeros):
    images = blurred_noise(3, 7, 2, sigma=0.8, generator=np.random.default_rng(0)).astype(float)
    if drop_zeros:
        images = np.maximum(images, 0)
    with float64():
        found = measured_scaling(
            jnp.asarray(images), padding=((padding,) * 2,) * 2, drop_zeros=drop_zeros
        )
        expected = reference_scaling(images, padding, 5.0, drop_zeros)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        wrong = reference_scaling(images, padding, 6.0, drop_zeros)
        assert np.abs(np.asarray(found) - wrong).max() > 1e-3


def test_constant_channels_are_left_out_and_nothing_but_them_scales_nothing():
    images = np.random.default_rng(0).normal(size=(4, 6, 6, 1)).astype(np.float32)
    no_padding = ((0, 0), (0, 0))
    with_constant = np.concatenate([images, np.full_like(images, 3.0)], -1)
    twice = np.concatenate([images, images], -1)
    np.testing.assert_allclose(
        measured_scaling(jnp.asarray(twice), padding=no_padding),
        measured_scaling(jnp.asarray(with_constant), padding=no_padding),
        rtol=1e-6,
    )
    constant = measured_scaling(jnp.full((4, 6, 6, 2), 3.0), padding=no_padding)
    np.testing.assert_array_equal(constant, np.ones((3, 3)))


def test_the_largest_sample_is_counted_in_float32_too():
    values = jnp.asarray([1000.0, 1001.0, 1002.0, 1003.0])
    bits, ratio = information(values, values)
    # Three cells hold 1, 1 and 2; without the largest sample they would hold 1, 1 and 1.
    assert float(bits) == pytest.approx(1.5)
    assert float(ratio) == pytest.approx(1)


def test_samples_without_a_pair_of_numbers_tell_nothing():
    zeros = jnp.asarray([0.0, 1.0, 0.0, 2.0])
    bits, ratio = information(zeros, zeros[::-1], drop_zeros=True)
    assert (float(bits), float(ratio)) == (0, 0)


def test_sharpening_multiplies_the_odds():
    r = np.linspace(0.01, 0.99, 50)
    odds = sharpened(r, 3.0) / (1 - sharpened(r, 3.0))
    np.testing.assert_allclose(odds, 3 * r / (1 - r), rtol=1e-12)


def test_dilation_looks_as_far_as_the_kernel():
    images = jax.random.normal(jax.random.key(0), (6, 9, 9, 1))
    images = images + jnp.roll(images, 2, axis=2)
    far = dependence(images, padding=((2, 2), (2, 2)), dilation=(2, 2))
    near = dependence(images)
    assert far[1, 0] > 1.5 * far[0, 1]
    assert near[1, 0] < 1.5 * near[0, 1]


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: dependence(jnp.ones((1, 4, 4, 1)), (2, 3)), "odd height and width"),
        (
            lambda: dependence(jnp.ones((1, 1, 1, 1)), padding=((0, 0), (0, 0))),
            "have no pixels",
        ),
    ],
)
def test_kernels_and_maps_that_do_not_fit_are_refused(call, says):
    with pytest.raises(ExperimentError, match=says):
        call()
