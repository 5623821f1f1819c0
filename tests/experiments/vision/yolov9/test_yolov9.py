"""Counts by hand, fusion, chained pools, what a branch adds and sends, its inverse, the information probe."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import records

from experiments.harness.study import Trial
from experiments.kits.convnets.layers import max_pool
from experiments.kits.convnets.walker import walk_function
from experiments.kits.costs import num_parameters
from experiments.kits.detection.assigners import atss
from experiments.kits.detection.criterion import DetectionLoss
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.yolov9 import (
    GELAN,
    PLANS,
    ADown,
    GuidedLoss,
    ProgrammableGradient,
    ReversibleBranch,
    fused,
    information,
    information_curve,
    initial_rules,
    small_plan,
    without_auxiliary,
)
from experiments.vision.yolov9.claims import COUNTED
from experiments.vision.yolov9.guidance import KINDS, WEIGHT, Auxiliary, Guides
from experiments.vision.yolov9.layers import chained_pools, two_branched
from experiments.vision.yolov9.network import Plan, Stage
from experiments.vision.yolov9.reversible import depth_to_space, space_to_depth
from experiments.vision.yolov9.study_config import TINY
from experiments.vision.yolov9.study_exact import paths, spread
from experiments.vision.yolov9.study_information import steadiness
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

PICTURE = jax.ShapeDtypeStruct((1, 640, 640, 3), jnp.float32)
SMALL = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)


def shapes(model, *inputs):
    return jax.eval_shape(model.init, jax.random.key(0), *inputs)


@pytest.mark.slow
def test_gelan_c_has_the_numbers_that_were_counted_by_hand():
    model = GELAN(PLANS["C"])
    variables = shapes(model, PICTURE)
    assert num_parameters(variables["params"]) == 25_498_736
    found = walk_function(model.apply, jax.eval_shape(fused, variables), PICTURE)
    assert (found.parameters, found.multiplications) == COUNTED["GELAN-C"]


def test_the_stored_counts_are_those_by_hand():
    for record in records.read("yolov9")[1]:
        for name, (parameters, multiplications) in COUNTED.items():
            row = record["counts"][name]
            assert (row["fused_parameters"], row["multiplications"]) == (
                parameters,
                multiplications,
            )


@pytest.mark.slow
def test_the_published_branch_has_the_numbers_that_were_counted_by_hand():
    model = ProgrammableGradient(PLANS["C"])
    small = jax.eval_shape(fused, shapes(model, PICTURE))
    found = walk_function(lambda v, x: model.apply(v, x, both=True), small, PICTURE)
    assert (found.parameters, found.multiplications) == COUNTED["with the branch"]


def test_downsampling_has_two_and_a_half_weights_for_each_pair_of_channels():
    params = shapes(ADown(24), jax.ShapeDtypeStruct((1, 8, 8, 16), jnp.float32))["params"]
    kernels = [params[name]["conv"]["kernel"].size for name in ("strided", "pooled")]
    assert sum(kernels) == 2.5 * 16 * 24


@pytest.mark.parametrize("strides", [1, 2])
def test_two_branches_are_one_kernel(strides):
    generator = np.random.default_rng(0)
    layer = two_branched(4, strides=strides)
    images = generator.normal(size=(2, 6, 6, 3))
    with float64():
        variables = spread(initial_by_numpy(layer, generator, images), generator)
        merged = fused(variables)
        gap = np.abs(layer.apply(merged, images) - layer.apply(variables, images)).max()
    assert set(merged["params"]) == {"merged"}
    assert "batch_stats" not in merged
    assert gap < 1e-12


def test_five_by_five_pools_in_a_row_are_wider_pools():
    images = np.random.default_rng(0).normal(size=(1, 15, 14, 2)).astype(np.float32)
    for place, pooled in enumerate(chained_pools(images)):
        window = 4 * place + 1
        np.testing.assert_array_equal(pooled, max_pool(images, window, 1, window // 2))


def test_guides_are_sums_of_what_is_there_and_deeper():
    generator = np.random.default_rng(0)
    levels = [generator.normal(size=(1, 4, 4, 3)), generator.normal(size=(1, 2, 2, 5))]
    with float64():
        variables = initial_by_numpy(Guides((2, 4)), generator, levels)
        variables = spread(variables, generator)
        found = Guides((2, 4)).apply(variables, levels)
    near, far = (variables["params"][f"level_{place}"] for place in range(2))
    own = levels[0] @ near["kernel"][0, 0] + near["bias"]
    deep = levels[1] @ far["kernel"][0, 0] + far["bias"]
    for down, across in np.ndindex(4, 4):
        wanted = own[0, down, across] + deep[0, down // 2, across // 2, :2]
        np.testing.assert_allclose(found[0][0, down, across], wanted, rtol=1e-12)
    np.testing.assert_allclose(found[1], deep[..., 2:], rtol=1e-12)


@pytest.mark.slow
def test_every_branch_leaves_the_main_network_as_it_is_and_predicts_for_the_same_points():
    plan = Plan(3, (4, 4), (Stage(4, 4, 4), Stage(8, 4, 4)), levels=1, pooled=4)
    alone = shapes(GELAN(plan), SMALL)
    for kind in KINDS:
        model = ProgrammableGradient(plan, kind)
        variables = shapes(model, SMALL)
        assert jax.tree.map(str, without_auxiliary(variables)) == jax.tree.map(str, alone)
    both = jax.eval_shape(lambda v, x: model.apply(v, x, both=True), variables, SMALL)
    one, other = map(jax.tree.leaves, both)
    assert [leaf.shape for leaf in one] == [leaf.shape for leaf in other]
    with pytest.raises(ExperimentError, match="'sideways'; there are deep, pyramid"):
        shapes(ProgrammableGradient(plan, "sideways"), SMALL)
    with pytest.raises(ExperimentError, match="no main branch"):
        without_auxiliary(alone)


def test_heads_begin_with_few_objects():
    plan = small_plan(16)
    rules = initial_rules(plan, 64)
    chances = [rules[f"classes_{place}/bias"](None, (10,), 1) for place in range(2)]
    expected = sum(10 * 64 // s * 64 // s * np.exp(c[0]) for s, c in zip(plan.strides, chances))
    assert expected == pytest.approx(5 * 2)  # five on each level
    for wrong in ({"bins": 1}, {"groups": 3}):
        with pytest.raises(ExperimentError, match=f"not {next(iter(wrong.values()))}"):
            dataclasses.replace(plan, **wrong)


def test_the_auxiliary_loss_is_a_share():
    loss = GuidedLoss(lambda predictions, truth, priors: predictions + truth)
    assert loss(2.0, 1.0, None) == 3
    assert loss((2.0, 4.0), 1.0, None) == 3 + WEIGHT * 5
    assert loss((2.0, 4.0), 1.0, None, jnp.array(0.5)) == 3 + 0.5 * 5


@pytest.mark.slow
def test_a_bypassed_branch_is_deep_supervision():
    generator = np.random.default_rng(0)
    plan = Plan(2, (4, 4), (Stage(4, 4, 4), Stage(4, 4, 4)), levels=1, pooled=4, bins=2)
    given = generator.normal(size=(1, 16, 16, 3)), [generator.normal(size=(1, 2, 2, 4))]
    branch, deep = Auxiliary(plan, "integrated"), Auxiliary(plan, "deep")
    variables = initial_by_numpy(branch, generator, *given)
    head = {name: {"head": tree["head"]} for name, tree in variables.items()}
    wanted = [deep.apply(head, *given), branch.apply(variables, *given)]
    for share, expected in enumerate(map(jax.tree.leaves, wanted)):
        found = jax.tree.leaves(branch.apply(variables, *given, share=share))
        assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))
    assert not np.array_equal(*[each.scores_logits for each in wanted])
    with pytest.raises(ExperimentError, match="not for 'deep'"):
        deep.apply(head, *given, share=1)


@pytest.mark.slow
def test_the_auxiliary_loss_reaches_the_backbone_alone():
    found = paths(TINY, Trial("paths", 3))
    arrays = found["arrays"]
    assert found["auxiliary"] == {**arrays, "neck": 0, "head": 0}
    assert found["main"] == {**arrays, "auxiliary": 0}
    assert found["differing"] == 0 < found["differing_after_a_step"]


def test_a_training_looks_at_the_assigners_of_the_loss_that_is_guided():
    assert GuidedLoss(DetectionLoss(atss)).assigners == (atss,)
    assert GuidedLoss(lambda *given: 0).assigners == ()


def test_a_reversible_branch_gives_back_the_picture_from_each_level():
    generator = np.random.default_rng(0)
    branch = ReversibleBranch((2, 4), blocks=2, inner=3)
    with float64():
        images = generator.normal(size=(1, 8, 8, 3))
        sums = [generator.normal(size=(1, 8 // s, 8 // s, 2 * s**2)) for s in (2, 4)]
        variables = spread(initial_by_numpy(branch, generator, images, sums), generator)
        maps = branch.apply(variables, images, sums)
        for level in range(2):
            back = branch.apply(variables, maps[level], sums, level=level, method=branch.inverse)
            np.testing.assert_allclose(back[..., :3], images, atol=1e-9)
            np.testing.assert_allclose(back[..., 3], 0, atol=1e-9)
            assert maps[level].size == 4 / 3 * images.size
    np.testing.assert_array_equal(depth_to_space(space_to_depth(images, 4), 4), images)
    with pytest.raises(ExperimentError, match="double"):
        shapes(ReversibleBranch((4, 16)), SMALL)


@pytest.mark.slow
def test_information_is_that_of_gaussians_in_closed_form():
    generator = np.random.default_rng(0)
    inputs, noise = generator.normal(size=(2, 500, 2))
    assert information(inputs, inputs @ [[2.0, 1], [1, -3]]).linear == pytest.approx(1)
    assert abs(information(inputs, noise).linear) < 0.05
    # rho^2 = 1 / (1 + 0.5^2) for each of both numbers; five standard errors of 200 examples held out.
    found = information(inputs, inputs + 0.5 * noise)
    assert found.linear == pytest.approx(0.8, abs=5 * 0.2 * np.sqrt(2 / 400))
    assert found.nats == pytest.approx(-np.log(0.2), abs=5 * np.sqrt(2 / 400))
    assert information(inputs[:50], inputs[:50]).dependence == pytest.approx(1)
    with pytest.raises(ExperimentError, match="not finite"):
        information(inputs[:50], np.full((50, 1), np.nan))


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(4, name="layer")
        return nn.Dense(1, name="last")(layer(layer(x)))


def test_the_curve_names_the_layers_of_any_model_in_order():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(60, 4)).astype(np.float32)
    variables = initial_by_numpy(Twice(), generator, inputs)
    found = information_curve(Twice(), variables, inputs)
    assert [layer.path for layer in found.layers] == ["layer", "layer:2", "last"]
    assert found.at("layer").linear > 0.999 > found.at("last").linear
    assert found.largest_rise < 1e-3
    assert "layer:2" in found.table()
    asked = information_curve(Twice(), variables, inputs, of=inputs[:, :1] @ np.ones((1, 2)))
    assert asked.at("layer:2").linear > 0.999
    with pytest.raises(ExperimentError, match="takes a path such as 'last'"):
        information_curve(Twice(), variables, inputs, layers=lambda path: False)
    with pytest.raises(ExperimentError, match="no layer 'first', but layer"):
        found.at("first")


def test_gradients_are_steady_if_they_point_one_way():
    assert steadiness(np.outer([1.0, 2, 3], [1.0, -1])) == pytest.approx(1)
    assert steadiness(np.eye(3)) == pytest.approx(0)
