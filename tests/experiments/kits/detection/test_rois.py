"""RoIAlign: a ramp is returned as it is, and anything else as SciPy samples it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from experiments.kits.detection.rois import roi_align
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

HEIGHT, WIDTH, STRIDE = 9, 12, 4.0
align = jax.jit(functools.partial(roi_align, bins=(3, 5), sampling=2, stride=STRIDE))


def aligned(features, boxes):
    with float64():
        return np.asarray(align(features, boxes))


def boxes_of(generator, number=6):
    start = generator.uniform([2, 2], [20, 16], (number, 2))
    return np.concatenate([start, start + generator.uniform(1, 18, (number, 2))], 1)


def middles(boxes):
    """Of each box's bins: x by column, y by row."""
    left, top, right, bottom = boxes.T
    x = left[:, None] + (right - left)[:, None] * (np.arange(5) + 0.5) / 5
    y = top[:, None] + (bottom - top)[:, None] * (np.arange(3) + 0.5) / 3
    return x, y


def test_a_ramp_is_returned_at_the_middle_of_each_bin():
    boxes = boxes_of(np.random.default_rng(0))
    rows, columns = (np.mgrid[:HEIGHT, :WIDTH] + 0.5) * STRIDE
    found = aligned(np.stack([rows, columns, 3 * columns - rows + 1], -1), boxes)
    x, y = middles(boxes)
    assert found.shape == (6, 3, 5, 3)
    grid = np.broadcast_arrays(y[:, :, None], x[:, None])
    np.testing.assert_allclose(found[..., 0], grid[0], rtol=1e-12)
    np.testing.assert_allclose(found[..., 1], grid[1], rtol=1e-12)
    np.testing.assert_allclose(found[..., 2], 3 * grid[1] - grid[0] + 1, rtol=1e-12)


def test_anything_is_the_mean_of_bilinear_samples_at_the_border_too():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(HEIGHT, WIDTH, 3))
    boxes = np.concatenate([boxes_of(generator, 3), [[-3, -2, 60, 50], [40, 30, 46, 36]]])
    boxes = np.concatenate([boxes, [[-90, 0, -60, 9]]])  # wholly outside
    found = aligned(features, boxes)
    steps_y, steps_x = (np.arange(6) + 0.5) / 6, (np.arange(10) + 0.5) / 10
    for box, pooled in zip(boxes, found):
        y = (box[1] + (box[3] - box[1]) * steps_y) / STRIDE - 0.5
        x = (box[0] + (box[2] - box[0]) * steps_x) / STRIDE - 0.5
        at = np.stack(np.meshgrid(y, x, indexing="ij"))
        inside = (at[0] >= -1) & (at[0] <= HEIGHT) & (at[1] >= -1) & (at[1] <= WIDTH)
        for channel in range(3):
            taken = ndimage.map_coordinates(features[..., channel], at, order=1, mode="nearest")
            wanted = np.where(inside, taken, 0).reshape(3, 2, 5, 2).mean((1, 3))
            np.testing.assert_allclose(pooled[..., channel], wanted, atol=1e-12)
    assert (found[-1] == 0).all()


def test_no_bin_and_no_stride_are_refused():
    for words in ({"bins": 0}, {"bins": (2, 0)}, {"bins": 1, "sampling": 0}):
        with pytest.raises(ExperimentError, match="a region has a bin"):
            roi_align(np.zeros((2, 2, 1)), np.zeros((1, 4)), **words)
    with pytest.raises(ExperimentError, match=r"stride=0\.0"):
        roi_align(np.zeros((2, 2, 1)), np.zeros((1, 4)), 1, stride=0.0)


def test_places_are_exact_where_features_are_of_half_precision():
    values = np.random.default_rng(0).uniform(size=600).astype(jnp.bfloat16)
    box = np.array([[301.3, 0, 303.3, 1]], np.float32)
    found = jax.jit(lambda features: roi_align(features, box, (1, 2)))(values[None, :, None])
    assert found.dtype == jnp.bfloat16
    at = 301.3 - 0.5 + np.array([[0.25, 0.75], [1.25, 1.75]])
    expected = np.interp(at, np.arange(600), values.astype(float)).mean(1)
    np.testing.assert_allclose(found[0, 0, :, 0].astype(float), expected, atol=0.01)
