"""Two tiers of averages: weights, types, names, and the same inside a mesh."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.harness.study import Trial
from experiments.systems.semspacefl.aggregation import (
    SCHEMES,
    effective_weights,
    over_mesh,
    two_tier_average,
    two_tiers_inside,
    weights_by,
)
from experiments.systems.semspacefl.study import STUDIES
from experiments.systems.semspacefl.study_exact import _beyond
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

RNG = np.random.default_rng(0)


def drawn(satellites=6, gateways=3):
    shares = RNG.dirichlet(np.ones(gateways), satellites) * RNG.uniform(0.2, 1, (satellites, 1))
    shares[0] = 0  # nobody sees it
    shares[:, 2] = 0  # it serves nobody
    return RNG.uniform(1, 9, satellites), shares


@pytest.mark.parametrize("scheme", SCHEMES)
def test_effective_weights_are_those_of_the_models_and_names_do_not_matter(scheme):
    samples, shares = drawn()
    weights = weights_by(scheme, samples, shares)
    effective = effective_weights(weights)
    assert effective.min() >= 0
    assert effective[0] == 0
    np.testing.assert_allclose(effective.sum(), 1, rtol=1e-12)
    with float64():
        models = {"a": RNG.normal(size=(6, 2, 2)), "b": RNG.normal(size=6)}
        cloud, held = two_tier_average(models, *weights)
        for name, leaf in models.items():
            np.testing.assert_allclose(cloud[name], np.tensordot(effective, leaf, 1), atol=1e-12)
        assert np.isfinite(held["a"]).all()
        satellites, gateways = RNG.permutation(6), np.array([1, 0, 2])
        moved = weights_by(scheme, samples[satellites], shares[satellites][:, gateways])
        mixed = jax.tree.map(lambda leaf: leaf[satellites], models)
        again = two_tier_average(mixed, *moved)[0]
        np.testing.assert_allclose(again["a"], cloud["a"], atol=1e-12)


def test_a_satellite_counts_once_and_by_the_naive_scheme_once_for_each_gateway():
    samples, shares = drawn()
    once = samples * shares.sum(1)
    ours = effective_weights(weights_by("mobility", samples, shares))
    np.testing.assert_allclose(ours, once / once.sum(), atol=1e-12)
    unbiased = effective_weights(weights_by("unbiased", samples, shares))
    served = samples * (shares.sum(1) > 0)
    np.testing.assert_allclose(unbiased, served / served.sum(), atol=1e-12)
    times = weights_by("naive", samples, shares)[0].sum(1) / samples
    np.testing.assert_allclose(times, (shares > 0).sum(1))


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_models_in_half_precision_have_both_averages_and_whole_numbers_none(dtype):
    samples, shares = drawn()
    weights = weights_by("mobility", 1e5 * samples, shares)
    cloud, held = two_tier_average(jnp.full((6, 2), 100, dtype), *weights)
    assert cloud.dtype == held.dtype == dtype
    assert np.asarray(cloud, float).tolist() == [100, 100]
    with pytest.raises(ExperimentError, match="floating-point"):
        two_tier_average(jnp.ones((6, 2), jnp.int32), *weights)


def test_a_gateway_that_served_nobody_keeps_its_model_and_without_anybody_nothing_is_lost():
    samples, shares = drawn()
    before = {"a": np.full((3, 2), 7.0, np.float32)}
    models = {"a": RNG.normal(size=(6, 2)).astype(np.float32)}
    cloud, held = two_tier_average(models, *weights_by("mobility", samples, shares), before=before)
    np.testing.assert_array_equal(held["a"][2], [7, 7])
    assert np.abs(cloud["a"]).max() < 7
    nobody = weights_by("mobility", samples, 0 * shares)
    assert np.array_equal(two_tier_average(models, *nobody, before=before)[0]["a"], [7, 7])
    with pytest.raises(ExperimentError, match="no gateway served"):
        effective_weights(nobody)
    with pytest.raises(ExperimentError, match="no scheme 'fair'"):
        weights_by("fair", samples, shares)
    with pytest.raises(ExperimentError, match="at most 1"):
        weights_by("mobility", samples, shares + 1)


def test_both_tiers_inside_a_mesh_are_the_dense_ones():
    samples, shares = drawn(6, 3)
    satellites, gateways = weights_by("mobility", samples, shares)
    models = RNG.normal(size=(6, 4)).astype(np.float32)
    cloud, held = two_tier_average(models, satellites, gateways)
    # Three gateways, and satellites in two blocks of three.
    columns = jax.vmap(two_tiers_inside, in_axes=(0, 0, None), axis_name="sat")
    both = jax.vmap(columns, in_axes=(None, 0, 0), axis_name="gateway")
    blocks = jnp.asarray(satellites.T.reshape(3, 2, 3), jnp.float32)
    over, means = jax.jit(both)(models.reshape(2, 3, 4), blocks, jnp.asarray(gateways, jnp.float32))
    np.testing.assert_allclose(over, np.broadcast_to(cloud, over.shape), atol=1e-6)
    np.testing.assert_allclose(means[:, 0], held, atol=1e-6)
    mesh = jax.make_mesh((1, 1), ("gateway", "sat"), devices=jax.devices()[:1])
    alone = (models, satellites[:, :1].astype(np.float32), gateways[:1].astype(np.float32))
    np.testing.assert_allclose(
        jax.jit(over_mesh(mesh))(*alone)[0], two_tier_average(*alone)[0], atol=1e-6
    )


@pytest.mark.slow
def test_over_eight_devices_the_models_are_the_dense_ones_and_each_tier_sends_one():
    config = dataclasses.replace(STUDIES.tiny, devices=2)
    mesh = STUDIES.functions["mesh"](config, Trial("mesh", 0))
    assert mesh["deviation"] < 1e-6 < mesh["unweighted"]
    assert mesh["beyond"] == 0 < mesh["gathered"]


def test_bytes_beyond_one_sum_for_each_tier_are_seen_also_where_both_have_groups_of_one_size():
    for columns in (2, 4):
        both = [["all-reduce", columns, 40], ["all-reduce", 4, 40]]
        assert _beyond(both, columns, 40) == 0
        assert _beyond(both[:1], columns, 40) == 40
        assert _beyond([*both, ["all-gather", 4, 8]], columns, 40) == 8
        assert _beyond([*both, ["all-reduce", 8, 8]], columns, 40) == 8
