"""E2GC: groups are blocks, the model's closed forms, whole numbers of published networks, and plans."""

import itertools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.convnets.walker import walk
from experiments.vision.e2gc.energy_model import (
    Convolution,
    arithmetic_intensity,
    balanced_group_size,
    energy,
)
from experiments.vision.e2gc.grouping import (
    DENSE,
    DEPTHWISE,
    BlockConv,
    GroupConv,
    Grouping,
    block_diagonal,
)
from experiments.vision.e2gc.networks import MobileNetV1
from experiments.vision.e2gc.planning import cheapest_group_sizes, plan_groups
from experiments.vision.e2gc.study import E2gcConfig, _equal, _multiplications
from experiments.vision.e2gc.study_tables import TABLED, grouped_layers, walked
from ntkexec.errors import ExperimentError


def convolve(images, kernel, strides=1, groups=1):
    return jax.lax.conv_general_dilated(
        images, kernel, (strides, strides), [(1, 1)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
    )  # fmt: skip


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_a_grouped_convolution_is_a_dense_one_of_blocks_however_it_is_computed():
    with jax.enable_x64(True):
        for groups, strides in ((1, 1), (2, 1), (4, 2), (8, 1)):
            images, kernel = drawn(2, 5, 5, 8), drawn(3, 3, 8 // groups, 16, seed=1)
            want = np.asarray(convolve(images, kernel, strides, groups))
            whole = block_diagonal(jnp.asarray(kernel), groups)
            np.testing.assert_allclose(convolve(images, whole, strides), want, rtol=0, atol=1e-12)
            layer = GroupConv(16, Grouping("fixed", groups), strides=strides)
            found = layer.apply({"params": {"conv": {"kernel": kernel}}}, images)
            np.testing.assert_allclose(found, want, rtol=0, atol=1e-12)
            if strides == 1:
                # What lies outside of the blocks is masked away, whatever it is.
                filled = np.where(whole == 0, 7.0, whole)
                found = BlockConv(16).apply({"params": {"kernel": filled}}, images, groups)
                np.testing.assert_allclose(found, want, rtol=0, atol=1e-12)


def test_groups_are_isolated_from_each_other():
    """Groups that change places with their weights and outputs change nothing; mixed channels do."""
    with jax.enable_x64(True):
        images, kernel = drawn(1, 4, 4, 8), drawn(3, 3, 2, 12, seed=1)
        order = np.array([2, 0, 3, 1])
        inputs, outputs = ((order[:, None] * n + np.arange(n)).ravel() for n in (2, 3))
        want = np.asarray(convolve(images, kernel, 1, 4))[..., outputs]
        found = convolve(images[..., inputs], kernel[..., outputs], 1, 4)
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-12)
        mixed = convolve(images[..., np.roll(np.arange(8), 1)], kernel, 1, 4)
        assert np.abs(np.asarray(mixed) - np.asarray(convolve(images, kernel, 1, 4))).max() > 1e-3


def test_number_and_size_of_groups_are_not_mistaken_for_each_other():
    assert Grouping("fixed", 32).groups(128, 256) == Grouping("constant", 4).groups(128, 256) == 32
    assert (DENSE.groups(12, 8), DEPTHWISE.groups(12, 24)) == (1, 12)
    for policy, value, says in (("fixed", 3, "into 3 groups"), ("constant", 3, "into groups of 3")):
        with pytest.raises(ExperimentError, match=f"8 channels to 8 .* {says}"):
            Grouping(policy, value).groups(8, 8)
    with pytest.raises(ExperimentError, match="no grouping 'size' of 8"):
        Grouping("size", 8)


def test_the_balance_is_no_minimum_and_tends_to_two_rho_over_the_window():
    for side, rho in itertools.product((8, 28, 112), (4.0, 32.0)):
        layers = [Convolution(side**2, side**2, 9, 64, 64).grouped(n) for n in (1, 4, 16, 64)]
        total = [energy(layer, rho) for layer in layers]
        each = [energy(layer, rho) / layer.multiplications for layer in layers]
        assert total == sorted(total)
        assert each == sorted(each, reverse=True)
        balanced = balanced_group_size(layers[0], rho)
        assert balanced == pytest.approx(2 * side**2 * rho / (9 * (side**2 - rho)), rel=1e-12)
    assert balanced_group_size(Convolution(10**8, 10**8, 9, 4, 4), 32) == pytest.approx(
        64 / 9, rel=1e-6
    )
    small = Convolution(16, 16, 9, 64, 64)
    assert balanced_group_size(small, 16.0) == math.inf
    assert balanced_group_size(small, 16.0, batch=64) < 64
    # Weights that are read once for a batch weigh less, in the end nothing.
    assert arithmetic_intensity(small, batch=10**9) == pytest.approx(16 * 9 * 64 / 32, rel=1e-6)


def test_published_networks_multiply_as_often_as_published():
    """Howard et al.: 569 million; with 32 groups and groups of 8 the totals of the formulas by hand."""
    depthwise = walked("mobilenet", DEPTHWISE)
    assert (depthwise.multiplications, depthwise.parameters) == (568_740_352, 4_231_976)
    totals = {
        (network, grouping.policy): sum(
            one.multiplications for one in grouped_layers(network, grouping)
        )
        for network, grouping in TABLED
    }
    assert list(totals.values()) == [133_668_864, 139_087_872, 231_211_008, 198_696_960]
    found = walk(
        MobileNetV1(width=0.25, num_classes=10), jax.ShapeDtypeStruct((1, 32, 32, 3), "float32")
    )
    assert [layer.groups for layer in found.layers if "grouped12" in layer.path][:1] == [256]


def test_the_two_arms_of_equal_cost_cost_the_same():
    for config in (E2gcConfig(), E2gcConfig(width=32, sizes=(1, 32), fixed=8)):
        counts = {name: _multiplications(config, groups) for name, groups in _equal(config).items()}
        assert counts["equal"] == counts["fixed"] > 0
        assert len(set(_equal(config)["fixed"])) == 1 < len(set(_equal(config)["equal"].tolist()))


class Two(nn.Module):
    """A first layer that stays, one that is planned, and a pointwise one."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(16, (3, 3), name="first")(images)
        x = nn.Conv(16, (3, 3), feature_group_count=16, name="deep")(x)
        return nn.Conv(8, (1, 1), name="point")(x)


PICTURE = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)


def test_a_plan_names_layers_keeps_its_budget_and_counts_the_whole_network():
    now = walk(Two(), PICTURE)
    free = plan_groups(Two(), PICTURE, rho=32.0)
    assert free.group_sizes == {"deep": 8}
    assert free.layers[0].balanced == pytest.approx(2 * 256 * 32 / (9 * (256 - 32)))
    assert free.multiplications(planned=False) == now.multiplications
    assert free.energy(planned=False) == now.multiplications + 32.0 * now.memory_access
    assert free.multiplications() == now.multiplications + 256 * 9 * 16 * 7
    assert free.saving() < 0 < free.energy() / free.multiplications()
    for size in (1, 2, 4):
        budget = now.multiplications + 256 * 9 * 16 * (size - 1)
        for spare in (0, 100):
            plan = plan_groups(Two(), PICTURE, rho=32.0, multiplications=budget + spare)
            assert plan.group_sizes == {"deep": size}
            assert plan.multiplications() <= budget + spare
    assert "deep" in free.table()
    assert "rho 32" in free.table()


class Shared(nn.Module):
    """A kernel that is used at two resolutions, and a transposed convolution, which stays."""

    @nn.compact
    def __call__(self, images):
        shared = nn.Conv(16, (3, 3), name="shared")
        x = nn.ConvTranspose(16, (2, 2), (2, 2), name="up")(images)
        return shared(shared(x)[:, ::4, ::4])


def test_a_kernel_that_is_used_twice_has_one_size_and_what_is_transposed_stays():
    picture = jax.ShapeDtypeStruct((1, 16, 16, 16), jnp.float32)
    plan = plan_groups(Shared(), picture, rho=8.0)
    assert [layer.path for layer in plan.layers] == ["shared", "shared"]
    assert len({(layer.balanced, layer.after.group_size) for layer in plan.layers}) == 1
    each = [balanced_group_size(layer.before, 8.0) for layer in plan.layers]
    assert plan.layers[0].balanced == pytest.approx(math.sqrt(math.prod(each)))
    now = walk(Shared(), picture)
    assert plan.multiplications(planned=False) == now.multiplications


def test_what_cannot_be_planned_is_refused_with_the_reason():
    two = jax.ShapeDtypeStruct((2, 16, 16, 3), jnp.float32)
    for arguments, settings, says in (
        ((PICTURE,), {"rho": 0.0}, "a rho above 0"),
        ((PICTURE,), {"multiplications": 1000}, "36,864 multiplications at least"),
        ((PICTURE,), {"least_channels": 64}, "Two has no convolution"),
        ((two,), {}, "first reads 2 pictures; plan for one"),
    ):
        with pytest.raises(ExperimentError, match=says):
            plan_groups(Two(), *arguments, **settings)
    with pytest.raises(ExperimentError, match="cannot multiply 1,000,000 times"):
        cheapest_group_sizes([Convolution(4, 4, 9, 4, 4)], 32.0, least_multiplications=10**6)
    with pytest.raises(ExperimentError, match="0 layers cannot multiply 5 times"):
        cheapest_group_sizes([], 32.0, least_multiplications=5)
    with pytest.raises(ExperimentError, match="3 groups"):
        Convolution(4, 4, 9, 4, 4, groups=3)
    with pytest.raises(ExperimentError, match="4 outputs cannot be in 0 groups"):
        block_diagonal(np.ones((3, 3, 2, 4)), groups=0)
    with pytest.raises(ExperimentError, match="a rho above 0, got 0"):
        plan_groups(Two(), PICTURE).saving(0)


def test_the_cheapest_group_sizes_are_those_of_trying_all():
    layers = [
        Convolution(64, 64, 9, 8, 8),
        Convolution(64, 16, 9, 16, 8),
        Convolution(9, 9, 9, 16, 16),
    ]
    for rho, share in itertools.product((1.0, 32.0), (0.2, 0.5, 0.9)):
        most = sum(layer.grouped(layer.channels).multiplications for layer in layers)
        least = int(share * most)
        tried = [
            [one.grouped(n) for one, n in zip(layers, sizes, strict=True)]
            for sizes in itertools.product(*(layer.feasible for layer in layers))
        ]
        allowed = [made for made in tried if sum(one.multiplications for one in made) >= least]
        want = min(sum(energy(one, rho) for one in made) for made in allowed)
        sizes = cheapest_group_sizes(layers, rho, least_multiplications=least)
        found = [one.grouped(n) for one, n in zip(layers, sizes, strict=True)]
        assert sum(energy(one, rho) for one in found) == pytest.approx(want, rel=1e-12)
        assert sum(one.multiplications for one in found) >= least
