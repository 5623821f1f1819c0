"""LS convolutions by independent routes, their reach, merged branches, and counts by hand."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.convnets.walker import walk
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.lsnet import (
    LargeKernelPerception,
    LSConv,
    LSNet,
    far_field_share,
    fused,
    lsconv_multiplications,
    lsnet_variant,
    small_kernel_aggregation,
)
from experiments.vision.lsnet.aggregation import ROUTES
from experiments.vision.lsnet.claims import MULTIPLICATIONS, PARAMETERS
from experiments.vision.lsnet.network import VARIANTS
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

X, W = (np.random.default_rng(0).normal(size=shape) for shape in ((2, 5, 4, 6), (2, 5, 4, 3, 9)))


def by_loops(x, w, group_of):
    """The formula, position by position."""
    side = int(np.sqrt(w.shape[-1]))
    framed = np.pad(x, ((0, 0), *[(side // 2, side // 2)] * 2, (0, 0)))
    found = np.zeros_like(x)
    for n, i, j, c in np.ndindex(x.shape):
        window = framed[n, i : i + side, j : j + side, c]
        found[n, i, j, c] = window.ravel() @ w[n, i, j, group_of[c]]
    return found


def drawn(layer, shape, seed=0):
    """Variables, none of them at a special value, in float64."""
    given = initial_by_numpy(
        layer, np.random.default_rng(seed), jax.ShapeDtypeStruct(shape, np.float32)
    )
    generator = np.random.default_rng(seed + 1)
    return jax.tree.map(lambda leaf: np.abs(leaf) + generator.uniform(0.1, 1, leaf.shape), given)


@pytest.mark.parametrize(
    "grouping, group_of, side",
    [
        ("interleaved", np.arange(6) % 3, 3),
        ("contiguous", np.arange(6) // 2, 5),
        (np.array([2, 0, 0, 1, 2, 2]), np.array([2, 0, 0, 1, 2, 2]), 1),
    ],
)
def test_both_routes_are_the_formula(grouping, group_of, side):
    w = np.random.default_rng(1).normal(size=(2, 5, 4, 3, side**2))
    with float64():
        for route in ROUTES:
            found = small_kernel_aggregation(X, w, grouping=grouping, route=route)
            np.testing.assert_allclose(found, by_loops(X, w, group_of), atol=1e-12)


def test_both_routes_have_the_same_gradients():
    def loss(x, w, route):
        return jnp.sin(small_kernel_aggregation(x, w, route=route)).sum()

    with float64():
        slopes = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
        gradients = [slopes(X, W, route) for route in ROUTES]
        for one, other in zip(*gradients):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_the_gradient_is_plain_xla_for_every_kind_of_device():
    layer = LSConv()
    shape = jax.ShapeDtypeStruct((1, 6, 6, 8), jnp.float32)
    variables = jax.eval_shape(layer.init, jax.random.key(0), shape)
    step = jax.jit(jax.grad(lambda v, x: layer.apply(v, x).sum(), (0, 1), allow_int=True))
    exported = jax.export.export(step, platforms=("cpu", "cuda", "rocm", "tpu"))(variables, shape)
    assert "custom_call" not in exported.mlir_module()


def test_constant_weights_are_a_depthwise_convolution_and_a_centre_is_the_identity():
    kernel = np.random.default_rng(2).normal(size=(3, 9))
    with float64():
        found = small_kernel_aggregation(X, np.broadcast_to(kernel, (2, 5, 4, 3, 9)))
        tied = kernel[np.arange(6) % 3].T.reshape(3, 3, 1, 6)
        want = jax.lax.conv_general_dilated(
            X,
            tied,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=6,
        )
        np.testing.assert_allclose(found, want, atol=1e-12)
        centre = np.broadcast_to(np.eye(9)[4], (2, 5, 4, 3, 9))
        np.testing.assert_array_equal(small_kernel_aggregation(X, centre), X)


def test_groups_in_another_order_are_another_order_of_channels():
    order = np.arange(6).reshape(2, 3).T.ravel()  # contiguous channels of each interleaved group
    with float64():
        one = small_kernel_aggregation(X, W)[..., order]
        other = small_kernel_aggregation(X[..., order], W, grouping="contiguous")
        np.testing.assert_array_equal(one, other)


def test_weights_of_a_channel_each_are_shared_by_picking():
    """A layer of as many groups as channels, of which two are picked, is the layer of two groups."""
    x, every = np.random.default_rng(3).normal(size=(2, 5, 5, 8)), LSConv(share=1)
    with float64():
        variables = drawn(every, x.shape)
        few = jax.tree.map(np.copy, variables)
        part = few["params"]["perception"]
        for name in ("weights", "norm"):
            part[name] = {key: leaf[..., :18] for key, leaf in part[name].items()}
        want = jax.jit(every.apply)(variables, x, grouping=jnp.arange(8) % 2)
        np.testing.assert_allclose(jax.jit(LSConv(share=4).apply)(few, x), want, rtol=1e-10)


def test_only_group_normalisation_reaches_beyond_the_large_window():
    image = np.random.default_rng(4).normal(size=(9, 9, 8))
    with float64():
        for normalisation in ("position", "picture"):
            layer = LSConv(normalisation=normalisation)
            apply = functools.partial(layer.apply, drawn(layer, (1, *image.shape)))
            share, number = far_field_share(apply, image, radius=3)
            # Where a ReLU is off, nothing is passed on.
            assert (share == 0) == (number <= 49) == (normalisation == "position")


def by_hand(widths, depths, classes=1000, heads=4, key_dim=16, size=(224, 224)):
    """Parameters and multiplications from the paper's description, an operation at a time."""
    found, (height, width) = [0, 0], size

    def conv(window, inputs, outputs, groups=1, bias=False):
        kernel = window**2 * inputs * outputs // groups
        found[0] += kernel + (outputs if bias else 2 * outputs)
        found[1] += kernel * height * width

    def dense(inputs, outputs):
        found[0] += inputs * outputs + outputs
        found[1] += inputs * outputs

    before = 3
    for outputs in (widths[0] // 4, widths[0] // 2, widths[0]):
        height, width = height // 2, width // 2
        conv(3, before, outputs)
        before = outputs
    for stage, (c, depth) in enumerate(zip(widths, depths)):
        if stage:
            height, width = -(-height // 2), -(-width // 2)
            conv(3, before, before, before)
            conv(1, before, c)
            before = c
        for place in range(depth):
            if place % 2 == 0:
                conv(3, c, c, c)
                conv(1, c, c, c)
                dense(c, max(8, c // 4))
                dense(max(8, c // 4), c)
            elif stage < len(widths) - 1:
                conv(1, c, c // 2)
                conv(7, c // 2, c // 2, c // 2)
                conv(1, c // 2, c // 2)
                conv(1, c // 2, 9 * (c // 8), bias=True)
                found[0] += 2 * 9 * (c // 8) + 2 * c
                found[1] += 9 * c * height * width
            else:
                keys, places = heads * key_dim, height * width
                conv(1, c, 2 * keys + c)
                conv(3, keys, keys, keys)
                conv(1, c, c)
                found[0] += heads * places
                found[1] += places**2 * (keys + c)
            conv(1, c, 2 * c)
            conv(1, 2 * c, c)
    found[0] += 2 * widths[-1]
    dense(widths[-1], classes)
    return tuple(found)


@pytest.mark.slow
def test_a_fused_network_computes_the_same_and_has_fewer_parameters():
    sizes = {"widths": (8, 16, 16), "depths": (0, 2, 2)}
    model = LSNet(**sizes, num_classes=3, heads=2, key_dim=4)
    x = np.random.default_rng(5).normal(size=(2, 64, 32, 3))
    with float64():
        variables = drawn(model, x.shape)
        lighter = fused(variables)
        apply = jax.jit(model.apply)
        want = np.asarray(apply(variables, x))
        assert np.ptp(want) > 0.1
        np.testing.assert_allclose(apply(lighter, x), want, rtol=1e-9, atol=1e-10)
    count, multiplications = by_hand(**sizes, classes=3, heads=2, key_dim=4, size=(64, 32))
    assert num_parameters(variables["params"]) == count
    assert (
        walk(model, jax.ShapeDtypeStruct((1, 64, 32, 3), np.float32)).multiplications
        == multiplications
    )
    # Half of a normalisation's numbers go; of two branches one kernel and one bias are left.
    assert count - num_parameters(lighter["params"]) > 0.03 * count
    names = "".join(jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(lighter))
    assert "['merged']" in names
    assert "['wide']" not in names


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_networks_have_the_parameters_and_multiplications_claimed(name):
    assert by_hand(**VARIANTS[name]) == (PARAMETERS[name], MULTIPLICATIONS[name])


def test_what_does_not_fit_is_named():
    with pytest.raises(ExperimentError, match="no LSNet 'X'; there are T, S, B"):
        lsnet_variant("X")
    with pytest.raises(ExperimentError, match="6 channels cannot be shared out among 4 groups"):
        small_kernel_aggregation(X, np.zeros((2, 5, 4, 4, 9)))
    with pytest.raises(ExperimentError, match="with an odd k"):
        small_kernel_aggregation(X, W[..., :4])
    with pytest.raises(ExperimentError, match="no route 'fast'; there are shifted, patches"):
        small_kernel_aggregation(X, W, route="fast")
    with pytest.raises(ExperimentError, match="12 channels and shares weights among 8"):
        LSConv().init(jax.random.key(0), jnp.zeros((1, 4, 4, 12)))
    for layer in (LSConv(share=0), LSConv(large=6), LargeKernelPerception(groups=0)):
        with pytest.raises(ExperimentError, match=r"among 0|large=6|groups=0"):
            layer.init(jax.random.key(0), jnp.zeros((1, 4, 4, 16)))
    with pytest.raises(ExperimentError, match=r"one of 3 groups, got \[9, 9"):
        small_kernel_aggregation(X, W, grouping=np.full(X.shape[-1], 9))
    for channels, groups in ((15, 3), (16, 0), (16, 3)):
        with pytest.raises(ExperimentError, match=f"got {channels} channels and {groups} groups"):
            lsconv_multiplications(14, 14, channels, groups=groups)
    assert issubclass(LSConv, nn.Module)
