"""VoVNet: published sizes, counts by hand, special cases of its block, and refusals."""

import itertools
import math

import flax.linen as nn
import jax
import numpy as np
import pytest

from experiments.kits.convnets.walker import walk
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.vovnet import study
from experiments.vision.vovnet.access import lower_bound, memory_access
from experiments.vision.vovnet.network import NETWORKS, OneShotAggregation, VoVNet
from experiments.vision.vovnet.rivals import DenseBlock, DenseNet, as_dense_block, matched_width
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, np.float32)


SIZES = {
    "27-slim": (3_012_736, 513_000),
    "39": (21_575_296, 1_025_000),
    "57": (35_615_296, 1_025_000),
}


@pytest.mark.parametrize("name", SIZES)
def test_published_networks_have_their_published_parameters(name):
    backbone, classifier = SIZES[name]
    variables = jax.eval_shape(NETWORKS[name].init, jax.random.key(0), shape(1, 64, 64, 3))
    assert num_parameters(variables["params"]) == backbone + classifier
    assert num_parameters(variables["params"]["head"]) == classifier


def test_pools_count_windows_that_jut_out():
    backbone = VoVNet((2,) * 4, (3,) * 4, (1,) * 4, 1, num_classes=None)
    # 228: 57 pixels, 28, 14, and 7; 100: 25, 12, 6, and 3, where whole windows would leave 2.
    for size, left in ((228, 7), (100, 3)):
        maps = jax.eval_shape(backbone.init_with_output, jax.random.key(0), shape(1, size, size, 3))
        assert maps[0].shape == (1, left, left, 3)


def test_a_block_is_counted_as_a_person_counts_it():
    found = walk(OneShotAggregation(6, 10, 3), shape(1, 8, 8, 4))
    chain, joined = [(4, 6), (6, 6), (6, 6)], (4 + 3 * 6, 10)
    kernels = [9 * i * o for i, o in chain] + [joined[0] * joined[1]]
    assert found.multiplications == 64 * sum(kernels)
    assert found.parameters == sum(kernels) + 2 * (3 * 6 + 10)
    assert found.memory_access == sum(kernels) + 64 * sum(i + o for i, o in [*chain, joined])
    dense = walk(DenseBlock(6, 10, 3), shape(1, 8, 8, 4))
    kernels = [9 * i * 6 for i in (4, 10, 16)] + [22 * 10]
    assert dense.multiplications == 64 * sum(kernels)


def test_densenet_40_by_hand():
    found = walk(DenseNet(), shape(1, 32, 32, 3))
    access, weights, channels = 32 * 32 * (3 + 16) + 9 * 3 * 16, 9 * 3 * 16, 16
    for side in (32, 16, 8):
        for into in range(channels, channels + 144, 12):
            access += side**2 * (into + 12) + 9 * into * 12
            weights += 9 * into * 12
        channels += 144
        if side > 8:
            access += 2 * side**2 * channels + channels**2
            weights += channels**2
    assert (access, weights, channels) == (3_679_504, 997_136, 448)
    assert sum(layer.memory_access for layer in found.of("convolution")) == access
    assert found.parameters == 1_019_722  # DenseNet's own figure is 1.0 million


def test_the_bound_is_met_at_equal_widths_only_and_holds_of_counted_layers():
    for side, size, into in itertools.product((1, 7), (1, 3, 5), (1, 2, 8, 32)):
        for out in (1, 8, 32):
            access = side**2 * (into + out) + size**2 * into * out
            least = lower_bound(size**2 * side**2 * into * out, pixels=side**2, taps=size**2)
            assert (access == pytest.approx(least, rel=1e-12)) == (into == out)
            assert access >= least * (1 - 1e-12)
    (layer,) = memory_access(
        nn.Conv(18, (3, 3), strides=2, use_bias=False), shape(2, 8, 8, 2)
    ).layers
    counts = {"pixels": 2 * 16, "taps": 9, "read": 2 * 64}
    assert layer.bound == pytest.approx(lower_bound(layer.layer.multiplications, **counts))
    assert layer.excess == (256 + 324 + 576) / layer.bound > 1
    (product,) = memory_access(nn.Dense(5), shape(7, 20)).layers
    assert product.bound == pytest.approx(lower_bound(7 * 20 * 5, pixels=7))


def test_special_cases_of_the_block():
    """With its 1 x 1 kernel zero on all but the last layer it is a chain; on all layers, a pixelwise map."""
    generator = np.random.default_rng(0)
    block = OneShotAggregation(3, 2, 2)
    with float64():
        images = generator.normal(size=(1, 4, 4, 3))
        drawn = initial_by_numpy(block, generator, images)
        variables = jax.tree.map(lambda leaf: leaf.astype(np.float64), drawn)
        params = variables["params"]
        kernel = params["aggregate"]["conv"]["kernel"]
        chained = kernel * (np.arange(9) >= 6)[None, None, :, None]
        params["aggregate"]["conv"]["kernel"] = chained
        found = np.asarray(block.apply(variables, images))
        shrink = np.sqrt(1 + 1e-5)  # by batch statistics of 0 and 1

        def convolved(x, weights):
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            taps = (
                padded[:, i : i + 4, j : j + 4] @ weights[i, j] for i in range(3) for j in range(3)
            )
            return np.maximum(sum(taps) / shrink, 0)

        x = images
        for number in range(2):
            x = convolved(x, params[f"layer_{number}"]["conv"]["kernel"])
        expected = np.maximum(x @ chained[0, 0, 6:] / shrink, 0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        params["aggregate"]["conv"]["kernel"] = kernel * (np.arange(9) < 3)[None, None, :, None]
        expected = np.maximum(images @ kernel[0, 0, :3] / shrink, 0)
        np.testing.assert_allclose(block.apply(variables, images), expected, rtol=0, atol=1e-12)


def test_a_block_as_a_dense_block_keeps_identity_and_statistics():
    block = OneShotAggregation(3, 4, 2, identity=True)
    images = np.random.default_rng(1).normal(size=(1, 4, 4, 4)).astype(np.float32)
    variables = initial_by_numpy(block, np.random.default_rng(2), images)
    dense, same = as_dense_block(block, variables)
    assert dense == DenseBlock(3, 4, 2, True)
    assert jax.tree.map(np.shape, same) == jax.tree.map(
        np.shape, jax.eval_shape(dense.init, jax.random.key(0), images)
    )
    np.testing.assert_allclose(
        dense.apply(same, images), block.apply(variables, images), rtol=0, atol=1e-5
    )


def parameters_of(model, picture):
    shapes = jax.eval_shape(lambda shown: model.init(jax.random.key(0), shown), picture)
    return num_parameters(shapes["params"])


@pytest.mark.slow
def test_the_matched_width_is_the_nearest():
    def make(width):
        return DenseBlock(width, 6, 1)

    shown = shape(1, 4, 4, 5)
    counts = {width: parameters_of(make(width), shown) for width in range(1, 6)}
    for wanted in (1, 10**6):
        with pytest.raises(
            ExperimentError, match=f"from 1 to 5 have .* parameters, not {wanted:,}"
        ):
            matched_width(make, wanted, shown, most=5)
    for wanted in (counts[1], counts[3], counts[3] + 1, counts[5]):
        width = matched_width(make, wanted, shown, most=5)
        assert width == min(counts, key=lambda width: abs(counts[width] - wanted))
    one, other = (
        parameters_of(model, shape(1, 16, 16, 3)) for model in study._arms(study.QUICK).values()
    )
    assert abs(other / one - 1) < 0.03


def test_evenness_and_profile_of_known_weights():
    assert study.evenness(np.full(5, 0.2)) == pytest.approx(1)
    assert study.evenness(np.array([0, 0, 1.0, 0])) == pytest.approx(1 / 4)
    kernel = np.repeat([1.0, -2.0, 3.0], [4, 2, 2])[:, None] * np.ones((8, 5))
    np.testing.assert_allclose(study.profile(kernel, 2, 2), [1 / 6, 2 / 6, 3 / 6])


def test_layers_are_timed_once_each_and_what_makes_no_sense_is_refused():
    model = nn.Sequential([nn.Conv(4, (1, 1)), nn.Conv(4, (1, 1))])
    first, second = memory_access(model, shape(1, 3, 3, 4), repeats=2).layers
    assert first.seconds == second.seconds > 0
    assert math.isnan(memory_access(model, shape(1, 3, 3, 4)).layers[0].seconds)
    with pytest.raises(ExperimentError, match="-1 times"):
        memory_access(model, shape(1, 3, 3, 4), repeats=-1)
    with pytest.raises(ExperimentError, match="4 channels cannot be added to 6"):
        walk(OneShotAggregation(2, 6, 1, identity=True), shape(1, 4, 4, 4))
    with pytest.raises(ExperimentError, match="2 widths, 1 features"):
        walk(VoVNet((1, 2), (3,), (1, 1)), shape(1, 8, 8, 3))
    with pytest.raises(ExperimentError, match="stem of 1 convolutions"):
        walk(VoVNet((1,), (3,), (1,), stem=(4,)), shape(1, 8, 8, 3))
    with pytest.raises(ExperimentError, match="a layer at least, got 0"):
        walk(OneShotAggregation(2, 6, 0), shape(1, 4, 4, 4))
    with pytest.raises(ExperimentError, match="0 pixels"):
        lower_bound(10, pixels=0)
