"""Convolutions pad as written, pools end where PyTorch's do, and folding changes no output."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.convnets.folding import fold_tree
from experiments.kits.convnets.layers import ConvBN, max_pool, mean_pool
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        x = ConvBN(8, strides=2, name="stem")(x, train=train)
        x = x + ConvBN(8, 5, groups=8, activation=None, name="depthwise")(x, train=train)
        return nn.Dense(3)(ConvBN(6, 1, groups=2)(x, train=train).mean((1, 2)))


def test_folded_variables_give_the_same_outputs_and_hold_fewer_numbers():
    generator, x = np.random.default_rng(0), np.random.default_rng(1).normal(size=(2, 7, 9, 4))
    with float64():
        given = initial_by_numpy(Net(), generator, jax.ShapeDtypeStruct(x.shape, np.float32))
        drawn = jax.tree.map(lambda leaf: generator.uniform(0.5, 2, leaf.shape), given)
        folded = fold_tree(drawn)
        want, got = (np.asarray(Net().apply(each, x)) for each in (drawn, folded))
    assert np.abs(want).max() > 1
    np.testing.assert_allclose(got, want, rtol=1e-10)
    assert "batch_stats" not in folded
    assert set(folded["params"]["stem"]) == {"conv"}
    with pytest.raises(ExperimentError, match="nothing to fold"):
        fold_tree(folded)
    with pytest.raises(ExperimentError, match=r"the model/\w+ has no running averages"):
        fold_tree({"params": drawn["params"]})


@pytest.mark.parametrize("size, strides, kernel", [(7, 2, 3), (8, 2, 3), (8, 1, 4), (9, 3, 5)])
def test_padding_is_half_the_window_on_both_sides(size, strides, kernel):
    layer = ConvBN(2, kernel, strides=strides)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    out = jax.eval_shape(layer.apply, shapes, jnp.zeros((1, size, size, 3)))
    assert out.shape[1] == (size + 2 * (kernel // 2) - kernel) // strides + 1
    with pytest.raises(ExperimentError, match="must divide both"):
        jax.eval_shape(ConvBN(4, groups=2).init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))


def starts_of(size, window, strides, padding, ceil):
    """Where windows begin; with `ceil` also one past the frame's end, if it begins inside the picture."""
    whole = [p for p in range(-padding, size, strides) if p + window <= size + padding]
    further = whole[-1] + strides
    return (
        [*whole, further]
        if ceil and whole[-1] + window < size + padding and further < size
        else whole
    )


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("window, strides, padding", [(3, 2, 0), (3, 2, 1), (2, 2, 0), (2, 3, 1)])
def test_pools_take_the_windows_that_begin_inside(window, strides, padding, ceil):
    for size in (5, 6, 7, 8):
        pixels = -1 - np.random.default_rng(size).random((size, size))
        starts = starts_of(size, window, strides, padding, ceil)

        def table(of, fill, pixels=pixels, starts=starts):
            framed = np.pad(pixels, (padding, padding + window), constant_values=fill)
            at = [slice(start + padding, start + padding + window) for start in starts]
            return np.array([[of(framed[rows, columns]) for columns in at] for rows in at])

        def inside(more, size=size, starts=starts):
            ends = [min(start + window, size + more) - max(start, -more) for start in starts]
            return np.outer(ends, ends)

        given = (pixels[None, :, :, None].astype(np.float32), window, strides, padding)
        largest = max_pool(*given, ceil=ceil)
        np.testing.assert_allclose(largest[0, ..., 0], table(np.max, -np.inf), rtol=1e-6)
        for counted, more in ((True, padding), (False, 0)):
            mean = mean_pool(*given, ceil=ceil, count_padding=counted)
            want = table(np.sum, 0) / inside(more)
            np.testing.assert_allclose(mean[0, ..., 0], want, rtol=1e-6)


def test_a_window_that_does_not_fit_is_named():
    with pytest.raises(ExperimentError, match="window of 5 does not fit into 4"):
        max_pool(jnp.zeros((1, 4, 4, 1)), 5, 1)
    with pytest.raises(ExperimentError, match="more than half"):
        mean_pool(jnp.zeros((1, 4, 4, 1)), 2, 1, 2)


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_a_window_of_one_pixel_is_a_product_and_counts_no_pixel_twice(strides):
    x = np.random.default_rng(0).normal(size=(2, 7, 8, 4)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(1, 1, 4, 6)).astype(np.float32)
    layer = ConvBN(6, 1, strides=strides, activation=None)
    found = layer.apply({"params": {"conv": {"kernel": kernel, "bias": np.zeros(6)}}}, x)
    want = np.einsum("nhwi,io->nhwo", x[:, :: strides[0], :: strides[1]], kernel[0, 0])
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)
