"""The estimator of mutual information, against NumPy's histograms and what it must leave alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.images import blurred_noise
from experiments.vision.sgs import estimation
from experiments.vision.sgs.estimation import information, sharpened
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

# Compiled as a whole, which is much faster than operation by operation; sharpness is data.
measured_scaling = jax.jit(
    estimation.measured_scaling, static_argnames=("kernel_size", "padding", "dilation")
)
NONE = ((0, 0), (0, 0))


def entropy(p):
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def reference_ratio(x, y):
    bins = 1 + int(np.ceil(np.log2(len(x))))
    ranges = [(x.min(), x.max() + 1e-12), (y.min(), y.max() + 1e-12)]
    counts, _, _ = np.histogram2d(x, y, bins, ranges)
    joint = counts / counts.sum()
    both = entropy(joint.ravel())
    return (entropy(joint.sum(0)) + entropy(joint.sum(1)) - both) / both


def reference_scaling(images, padding, sharpness):
    """All nine displacements by plain loops, without using the symmetry."""
    padded = np.pad(images, ((0, 0), *padding, (0, 0)))
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
                    ratios.append(reference_ratio(*(np.concatenate(side) for side in zip(*pairs))))
                r = np.array(ratios)
                found[dy + 1, dx + 1] = np.mean(sharpness * r / ((sharpness - 1) * r + 1))
    return found / found.mean()


def noise(sigma=0.5):
    return blurred_noise(8, 9, 2, sigma=sigma, generator=np.random.default_rng(0)).astype(float)


def scaling(images, sharpness=5.0):
    with float64():
        return np.asarray(
            measured_scaling(jnp.asarray(images, float), padding=NONE, sharpness=sharpness)
        )


def test_scalings_equal_those_of_numpys_histograms():
    images = noise(0.8)
    np.testing.assert_allclose(scaling(images), reference_scaling(images, NONE, 5.0), atol=1e-12)
    assert np.abs(scaling(images) - reference_scaling(images, NONE, 6.0)).max() > 1e-3


@pytest.mark.slow
def test_the_zeros_that_a_layer_adds_are_counted():
    images, padding = noise(0.8), ((1, 1), (1, 1))
    with float64():
        found = measured_scaling(jnp.asarray(images), padding=padding, sharpness=5.0)
    np.testing.assert_allclose(found, reference_scaling(images, padding, 5.0), atol=1e-12)


def test_turned_images_have_the_turned_scaling_and_other_units_the_same():
    images = noise()
    images = images + np.roll(images, 1, axis=1)  # other along one axis than along the other
    found = scaling(images)
    assert np.abs(found - found.T).max() > 0.1
    np.testing.assert_allclose(found, found[::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(scaling(images.swapaxes(1, 2)), found.T, atol=1e-12)
    np.testing.assert_allclose(scaling(images[:, :, ::-1]), found[:, ::-1], atol=1e-12)
    # Zeros at the border would not move with a shift. Rounding may move a value to another cell.
    for factor, shift in ((4, 0.25), (-1, 0.5)):
        np.testing.assert_allclose(scaling(factor * images + shift), found, atol=1e-2)


def test_smooth_images_and_a_large_sharpness_give_flat_scalings():
    centres = [scaling(noise(sigma))[1, 1] for sigma in (0, 1, 4)]
    assert centres == sorted(centres, reverse=True)
    assert centres[0] > 2 * centres[-1]
    np.testing.assert_allclose(scaling(noise(), 1e6), np.ones((3, 3)), atol=1e-3)
    assert scaling(noise(), 1e-3)[1, 1] > 8.9


def test_constant_channels_are_left_out_and_nothing_but_them_scales_nothing():
    images = noise()
    with_constant = np.concatenate([images[..., :1], np.full_like(images[..., :1], 3.0)], -1)
    twice = np.concatenate([images[..., :1], images[..., :1]], -1)
    np.testing.assert_allclose(scaling(twice), scaling(with_constant), rtol=1e-12)
    np.testing.assert_array_equal(scaling(np.full_like(images, 3.0)), np.ones((3, 3)))


def test_the_largest_sample_is_counted_in_float32_too():
    values = jnp.asarray([1000.0, 1001.0, 1002.0, 1003.0])
    bits, ratio = jax.jit(information)(values, values)
    # Three cells hold 1, 1 and 2; without the largest sample they would hold 1, 1 and 1.
    assert float(bits) == pytest.approx(1.5)
    assert float(ratio) == pytest.approx(1)


def test_sharpening_multiplies_the_odds():
    r = np.linspace(0.01, 0.99, 50)
    odds = sharpened(r, 3.0) / (1 - sharpened(r, 3.0))
    np.testing.assert_allclose(odds, 3 * r / (1 - r), rtol=1e-12)
    np.testing.assert_allclose(sharpened(sharpened(r, 3), 5), sharpened(r, 15), rtol=1e-12)
    assert (sharpened(0.0, 5), sharpened(1.0, 5)) == (0, 1)


@pytest.mark.slow
def test_dilation_looks_as_far_as_the_kernel():
    images = np.random.default_rng(0).normal(size=(6, 9, 9, 1)).astype(np.float32)
    images = images + np.roll(images, 2, axis=2)
    far = measured_scaling(images, padding=((2, 2), (2, 2)), dilation=(2, 2))
    near = measured_scaling(images)
    assert far[1, 0] > 1.5 * far[0, 1]
    assert near[1, 0] < 1.5 * near[0, 1]


@pytest.mark.parametrize(
    "size, images, says",
    [((2, 3), (1, 4, 4, 1), "odd height and width"), ((3, 3), (1, 1, 1, 1), "have no pixels")],
)
def test_kernels_and_maps_that_do_not_fit_are_refused(size, images, says):
    with pytest.raises(ExperimentError, match=says):
        estimation.dependence(jnp.ones(images), size, padding=NONE)
