"""Modules of the paper: special cases, rules of resampling, gates, masks, and what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.convnets.walker import walk
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.catnet import (
    FPN,
    CatDetector,
    ContextAggregation,
    DenseFPN,
    HierarchicalFusion,
    SingleLevelRoI,
    adaptive_max_pool,
    detector_costs,
    matched,
    pasted,
)
from experiments.vision.catnet.arms import ARMS, parameters_of
from experiments.vision.catnet.pyramids import bottom_up_sums, from_coarse, top_down_sums
from experiments.vision.catnet.regions import level_of_size
from experiments.vision.catnet.resampling import between, resized
from experiments.vision.catnet.training import mask_targets
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)


def levels_of(*sides, channels=3):
    return [
        jnp.asarray(GENERATOR.normal(size=(2, side, side, channels)), jnp.float32) for side in sides
    ]


@pytest.mark.parametrize(("length", "bins"), [(25, 13), (8, 4), (3, 5)])
def test_bins_of_an_adaptive_maximum_lie_by_pytorchs_rule(length, bins):
    image = np.asarray(levels_of(length)[0])
    found = np.asarray(adaptive_max_pool(jnp.asarray(image), (bins, bins)))
    for row in range(bins):
        for column in range(bins):
            down, across = (
                slice(one * length // bins, -(-(one + 1) * length // bins)) for one in (row, column)
            )
            np.testing.assert_array_equal(found[:, row, column], image[:, down, across].max((1, 2)))


def test_bilinear_values_are_those_between_the_middles_of_pixels():
    # PyTorch's documented formula, half pixels on both sides, with the border repeated.
    for length, number in ((2, 4), (13, 25), (1, 3), (5, 5)):
        at = np.maximum((np.arange(number) + 0.5) * length / number - 0.5, 0)
        low = np.minimum(at.astype(int), length - 1)
        high = np.minimum(low + 1, length - 1)
        values = GENERATOR.normal(size=length)
        expected = values[low] * (1 - (at - low)) + values[high] * (at - low)
        np.testing.assert_allclose(between(length, number) @ values, expected, atol=1e-12)
    image = levels_of(4)[0]
    assert resized(image, (4, 4)) is image


def test_one_hot_weights_make_the_classical_sum_of_raw_levels_and_a_classical_pyramid_of_two():
    fine, middle, coarse = levels_of(8, 4, 2)
    weights = [np.array([1.0, 0.0]), np.array([1.0]), np.array([])]
    sums = top_down_sums([fine, middle, coarse], weights)
    np.testing.assert_allclose(sums[0], fine + resized(middle, (8, 8)), atol=1e-6)
    np.testing.assert_array_equal(sums[2], coarse)

    def repeated(x):
        return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)

    classical = from_coarse([fine, middle, coarse])
    np.testing.assert_allclose(classical[1], middle + repeated(coarse), atol=1e-6)
    # Of three levels the finest hears the coarsest too, through the fused middle one; of two it cannot.
    np.testing.assert_allclose(classical[0], fine + repeated(classical[1]), atol=1e-6)
    flat = [jnp.ones_like(fine), 2 * jnp.ones_like(middle), 4 * jnp.ones_like(coarse)]
    assert float(from_coarse(flat)[0][0, 0, 0, 0]) == 7
    assert float(top_down_sums(flat, weights)[0][0, 0, 0, 0]) == 3
    two = top_down_sums(flat[:2], [np.ones(1), np.array([])])
    for one, other in zip(two, from_coarse(flat[:2]), strict=True):
        np.testing.assert_array_equal(one, other)
    ups = bottom_up_sums(flat, flat, [np.array([]), np.ones(1), np.array([0.25, 0.75])])
    assert [float(level[0, 0, 0, 0]) for level in ups] == [2, 5, 8 + 0.25 + 1.5]


def test_spatial_context_commutes_with_every_permutation_of_places_and_keeps_constants_apart():
    layer, x = ContextAggregation(), levels_of(4)[0]
    drawn = initial_by_numpy(layer, GENERATOR, x)  # Flax's rules: W_m is drawn too
    order = GENERATOR.permutation(16)

    def permuted(x):
        return x.reshape(2, 16, 3)[:, order].reshape(2, 4, 4, 3)

    run = jax.jit(layer.apply)
    np.testing.assert_allclose(run(drawn, permuted(x)), permuted(run(drawn, x)), atol=1e-5)
    shown = np.asarray(run(drawn, jnp.ones((2, 4, 4, 3))))
    np.testing.assert_allclose(shown, np.broadcast_to(shown[:, :1, :1], shown.shape), atol=1e-6)


def test_stages_share_their_weights_unless_told_and_necks_of_the_retina_form_begin_at_stride_8():
    maps = [jax.ShapeDtypeStruct((1, side, side, 8), jnp.float32) for side in (8, 4, 2)]
    one, other = (
        jax.eval_shape(DenseFPN(4, 5, 2, shared=shared).init, jax.random.key(0), maps)["params"]
        for shared in (True, False)
    )
    names = {name: leaf["logits"].shape for name, leaf in one.items() if "logits" in leaf}
    assert names == {
        "down_0": (4,), "down_1": (3,), "down_2": (2,), "up_2": (2,), "up_3": (3,), "up_4": (4,)
    }  # fmt: skip
    assert other["down_0"]["logits"].shape == (2, 4)
    assert "extra_3" in one["laterals"]
    assert "extra_4" in one["laterals"]
    with pytest.raises(ExperimentError, match="got 3"):
        jax.eval_shape(DenseFPN(4, 2, 1).init, jax.random.key(0), maps)
    with pytest.raises(ExperimentError, match="'outputs'"):
        jax.eval_shape(FPN(4, 5, "outputs").init, jax.random.key(0), maps)


def test_gates_are_of_channels_and_bins_and_single_levels_go_by_size():
    found = levels_of(3, 3)
    cost = walk(HierarchicalFusion(), found)
    assert cost.parameters == 2 * (6 * 3 + 3)
    assert cost.multiplications == 2 * 2 * 9 * 6 * 3
    with pytest.raises(ExperimentError, match="'sideways'"):
        walk(HierarchicalFusion("sideways"), found)
    sides = np.array([1, 55, 112, 224, 447, 449, 5000.0])
    boxes = jnp.asarray(np.stack([0 * sides, 0 * sides, sides, sides], 1))
    assert level_of_size(boxes, 4).tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert level_of_size(jnp.zeros((1, 4)), 4).tolist() == [0]
    with pytest.raises(ExperimentError, match="2 levels have 3 strides"):
        SingleLevelRoI((4, 8, 16)).apply({}, found, jnp.zeros((2, 1, 4)))


def test_a_mask_that_is_read_on_a_grid_and_pasted_back_is_the_mask():
    masks = np.zeros((1, 2, 32, 32), bool)
    masks[0, 0, 4:12, 8:24] = True
    masks[0, 1, 16:32, 0:16] = np.tri(16, dtype=bool)
    boxes = jnp.asarray([[[8, 4, 24, 12], [0, 16, 16, 32]]], jnp.float32)

    @jax.jit
    def back(masks, boxes):
        return pasted(mask_targets(masks, boxes, 16), boxes, (32, 32))

    found = np.asarray(back(masks, boxes))
    np.testing.assert_array_equal(found[0, 0], masks[0, 0])
    assert (found & masks).sum() / (found | masks).sum() > 0.95
    # A box without a width holds nothing, whatever its grid says.
    assert not np.asarray(back(np.ones_like(masks), boxes.at[..., 2].set(boxes[..., 0]))).any()


@pytest.mark.slow
def test_arms_differ_in_width_and_not_in_parameters_and_unknown_ones_are_refused():
    goal = parameters_of(matched("all", 8, stages=1))
    for arm in ("fpn", "dense"):
        network = matched(arm, 8, stages=1)
        assert abs(parameters_of(network) / goal - 1) < 0.06
        assert (network.neck == "dense") == (ARMS[arm].get("neck") == "dense")
    with pytest.raises(ExperimentError, match="'bifpn'"):
        matched("bifpn", 8)
    with pytest.raises(ExperimentError, match="'bifpn'"):
        parameters_of(CatDetector(neck="bifpn"))
    with pytest.raises(ExperimentError, match="'three-stage'"):
        detector_costs("three-stage", context_aware=True)
