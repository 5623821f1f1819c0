"""The flag aggregator by two routes, its invariances, rivals by definition, and on a mesh."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.gradients import WORKERS, drawn

from experiments.kits.mesh.children import run_with_devices
from experiments.systems.flag_aggregator.attacks import ATTACKS
from experiments.systems.flag_aggregator.gram import gap_dimension, gram_flag, stacked_gram
from experiments.systems.flag_aggregator.meshes import aggregated_on_devices
from experiments.systems.flag_aggregator.reference import svd_flag
from experiments.systems.flag_aggregator.rules import RULES
from experiments.systems.flag_aggregator.sharded import predicted_bytes, sharded_flag
from experiments.systems.flag_aggregator.transforms import aggregate_by, flag_aggregate
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


@functools.cache
def weighed(iterations=5, pair_weight=0.0):
    return jax.jit(functools.partial(gram_flag, iterations=iterations, pair_weight=pair_weight))


@jax.jit
def updated(rows):
    return flag_aggregate(WORKERS).update({"w": rows}, optax.EmptyState())


def test_the_gram_form_is_the_definition():
    with float64():
        for seed, dimension in itertools.product(range(3), (1, 4, WORKERS)):
            gradients = drawn(seed)
            found = weighed()(stacked_gram(jnp.asarray(gradients)), dimension)
            expected = svd_flag(gradients, dimension)
            direction = np.asarray(found.coefficients) @ gradients
            np.testing.assert_allclose(direction, expected.direction, atol=1e-10)
            np.testing.assert_allclose(found.captured, expected.captured, atol=1e-10)
            np.testing.assert_allclose(found.objectives, expected.objectives, atol=1e-9)


def test_gradients_of_deficient_rank_lose_nothing():
    """Five times the same gradient and one other: whatever the subspace has to spare is unused."""
    gradients = drawn()[[0, 0, 0, 0, 0, 1, 1]]
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    with float64():
        gram = stacked_gram(jnp.asarray(gradients))
        for dimension in (2, 4, 7):
            found = np.asarray(weighed()(gram, dimension).coefficients) @ gradients
            np.testing.assert_allclose(found, units.sum(0) / dimension, atol=1e-9)
        assert gap_dimension(gram) == 2


def test_the_scale_of_all_and_of_one_changes_nothing_in_float32():
    """A power of two not a bit; any other length what rounding does, whether squares fit or not."""
    gradients = drawn().astype(np.float32)
    expected = updated(gradients)[0]["w"]
    for exponent in (-100, -66, 66, 120):
        scaled = np.ldexp(gradients, exponent).astype(np.float32)
        np.testing.assert_array_equal(updated(scaled)[0]["w"], expected)
    lengths = np.float32([1e-30, 1e30, 1e-22, 1e19, 1, 1e-20, 1e36])[:, None]
    np.testing.assert_allclose(updated(gradients * lengths)[0]["w"], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_types_are_kept_and_the_state_is_what_a_scan_can_carry():
    """With 64 bits and without, for leaves of all types at once and for one without entries."""
    for wide in (False, True):
        with jax.enable_x64(wide):
            shapes = {
                dtype: jax.ShapeDtypeStruct((WORKERS, 3), dtype)
                for dtype in ("float16", "bfloat16", "float32", *["float64"] * wide)
            }
            shapes["none"] = jax.ShapeDtypeStruct((WORKERS, 0), "float16")
            expected = {
                name: jax.ShapeDtypeStruct(one.shape[1:], one.dtype) for name, one in shapes.items()
            }
            options = ({}, {"dimension": "gap", "length": "median", "pair_weight": 1.0})
            for rule in (
                *(flag_aggregate(WORKERS, **one) for one in options),
                *(aggregate_by(one, 1) for one in RULES.values()),
            ):
                state = jax.eval_shape(rule.init, {})
                assert jax.eval_shape(rule.update, shapes, state) == (expected, state)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, 1e-40])
def test_a_worker_without_a_length_has_no_vote(bad):
    """Alone or with zeros in the place of its gradient, the aggregate of the others is the same."""
    gradients = np.vstack([drawn()[:-1], np.full((1, 40), bad)]).astype(np.float32)
    without = np.vstack([drawn()[:-1], np.zeros((1, 40))]).astype(np.float32)
    one, other = updated(gradients), updated(without)
    assert np.isfinite(one[0]["w"]).all()
    np.testing.assert_array_equal(one[0]["w"], other[0]["w"])
    assert one[1].captured[-1] == 0


def test_equal_gradients_make_the_pair_term_a_constant_and_none_is_the_plain_path():
    with float64():
        gram = jnp.ones((WORKERS, WORKERS))
        plain, paired = weighed()(gram, 2), weighed(pair_weight=3.0)(gram, 2)
        # Each ordered pair counts sqrt(1 - 0) / (p (p - 1)).
        np.testing.assert_allclose(paired.objectives - plain.objectives, 3, atol=1e-6)
        some = stacked_gram(jnp.asarray(drawn()))
        assert not np.allclose(
            weighed(pair_weight=30.0)(some, 2).captured, weighed()(some, 2).captured
        )


def test_with_half_as_many_dimensions_as_workers_a_lonely_attacker_is_captured_best():
    """So what is captured is no mark of quality: an attacker alone owns a dimension."""
    generator = np.random.default_rng(0)
    honest = generator.normal(size=400) / 2 + generator.normal(size=(15, 400))
    honest[12:] = generator.normal(size=(3, 400))
    captured = svd_flag(honest, 8).captured
    assert captured[12:].min() > 0.95
    assert captured[:12].mean() < 0.8


TREE = {"kernel": drawn(length=12).reshape(WORKERS, 4, 3), "bias": drawn(1, length=3)}
OPTIONS = {"dimension": "gap", "length": "median"}


@jax.jit
def on_a_mesh_and_stacked(tree):
    """With vmap for a mesh."""
    stacked = flag_aggregate(WORKERS, **OPTIONS)
    own = flag_aggregate(WORKERS, axis_name="worker", **OPTIONS)
    mesh = jax.vmap(lambda each: own.update(each, own.init(None)), axis_name="worker")(tree)
    return mesh, stacked.update(tree, stacked.init(None))


def test_on_a_mesh_the_aggregate_is_the_same():
    """15 numbers among 7 workers leave the last slice short."""
    with float64():
        (found, seen), (expected, state) = on_a_mesh_and_stacked(jax.tree.map(jnp.asarray, TREE))
    for worker in range(WORKERS):
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one[worker], other, rtol=1e-9)
        np.testing.assert_allclose(seen.captured[worker], state.captured, rtol=1e-6)


def test_the_update_has_the_workers_median_length_where_that_is_asked_for():
    lengths = np.array([1.0, 1, 1, 1, 2, 3, 1e6])
    with float64():
        given = {"kernel": np.ones((WORKERS, 4, 3)), "bias": np.ones((WORKERS, 3))}
        given = {
            k: jnp.asarray(x * lengths.reshape(-1, *[1] * (x.ndim - 1))) for k, x in given.items()
        }
        _, (found, _) = on_a_mesh_and_stacked(given)
        # Who has no vote has no length either.
        given = {k: x.at[:4].set(jnp.array([0, jnp.nan, 0, 0])[:, None] if x.ndim == 2 else jnp.nan)
                 for k, x in given.items()}  # fmt: skip
        (divided, _), (fewer, _) = on_a_mesh_and_stacked(given)
    for leaf in found.values():
        np.testing.assert_allclose(leaf, 1, rtol=1e-6)
    for leaf in (*divided.values(), *fewer.values()):
        np.testing.assert_allclose(leaf, 3, rtol=1e-6)


@pytest.mark.slow
def test_as_the_first_transformation_of_a_chain_it_trains_against_reversed_gradients():
    """And any rule does so by `aggregate_by`; the mean does not."""
    target, faulty = jnp.arange(3.0), jnp.arange(WORKERS) >= 5

    def ended(aggregate):
        optimiser = optax.chain(aggregate, optax.sgd(0.1))
        params = jnp.zeros(3)
        state = optimiser.init(params)
        for step in range(60):
            gradients = (params - target)[None] + jax.random.normal(
                jax.random.key(step), (WORKERS, 3)
            )
            sent = ATTACKS["reverse"](gradients, faulty, jax.random.key(step))
            updates, state = optimiser.update(sent, state, params)
            params = optax.apply_updates(params, updates)
        return float(jnp.linalg.norm(params - target))

    assert ended(flag_aggregate(WORKERS, 1)) < 0.8
    assert ended(aggregate_by(RULES["median"], 2)) < 0.8
    assert ended(aggregate_by(RULES["mean"], 2)) > 100


def test_what_makes_no_sense_is_refused():
    for options in (
        *({"dimension": one} for one in (8, 0, 2.5, True, "Gap")),
        *({"pair_weight": one} for one in (-3.0, np.nan)),
        *({"epsilon": one} for one in (0.0, np.inf)),
        {"iterations": 0},
        {"length": "long"},
    ):
        with pytest.raises(ExperimentError):
            flag_aggregate(WORKERS, **options)
    for workers in (0, -1, 2.5):
        with pytest.raises(ExperimentError):
            flag_aggregate(workers)
    for few in (RULES["median"], RULES["trimmed mean"]):
        with pytest.raises(ExperimentError, match="-1 workers"):
            aggregate_by(few, -1)
    with pytest.raises(ExperimentError, match=r"first axis; one has the shape \(3,\)"):
        flag_aggregate(WORKERS).update(jnp.ones(3), optax.EmptyState())
    for rule in (flag_aggregate(WORKERS), aggregate_by(RULES["median"], 1)):
        for dtype in (int, complex):
            leaves = {"w": jnp.ones((WORKERS, 2)), "b": jnp.ones(WORKERS, dtype)}
            with pytest.raises(ExperimentError, match=r"\['b'\] is of (int|complex)"):
                rule.update(leaves, optax.EmptyState())
        assert rule.update({}, optax.EmptyState())[0] == {}
    with pytest.raises(ExperimentError, match="'Krum' is no rule; RULES has flag, "):
        aggregate_by("Krum", 1)
    for alone in (gram_flag, svd_flag):
        for dimension in (0, 8):
            with pytest.raises(ExperimentError, match="1 to 7 fit"):
                alone(np.eye(WORKERS), dimension)
    with pytest.raises(ExperimentError, match="of 2 workers are stacked"):
        aggregate_by(RULES["median"], 1).update((jnp.ones((2, 1)), jnp.ones((3, 1))), None)


def test_a_mesh_of_another_number_of_workers_is_refused():
    def update(own):
        return flag_aggregate(8, axis_name="worker").update(own, None)[0]

    for devices in (4, 15):
        with pytest.raises(ExperimentError, match=rf"8 workers, and {devices} devices"):
            jax.eval_shape(jax.vmap(update, axis_name="worker"), jnp.ones((devices, 3)))
    one = functools.partial(sharded_flag, axis_name="worker", weigh=np.int64(1))
    rows = jax.ShapeDtypeStruct((3, 5), jnp.float32)
    assert jax.eval_shape(jax.vmap(one, axis_name="worker"), rows)[0].shape == (3, 5)


@pytest.mark.slow
def test_a_single_worker_gives_its_direction():
    rule = flag_aggregate(1, "gap", pair_weight=1.0)
    np.testing.assert_allclose(rule.update(jnp.array([[3.0, 4]]), None)[0], [0.6, 0.8], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "processes"), [(8, 1), (4, 2)])
def test_on_real_devices_and_processes_too_with_the_bytes_of_the_formula(devices, processes):
    rows = np.random.default_rng(0).normal(size=(8, 1001)).astype(np.float32)
    found = run_with_devices(aggregated_on_devices, rows, 4, devices=devices, processes=processes)
    expected, _ = flag_aggregate(8).update(jnp.asarray(rows), optax.EmptyState())
    for one in found.values():
        assert (one["devices"], one["processes"]) == (8, processes)
        np.testing.assert_allclose(one["aggregate"], expected, rtol=1e-4, atol=1e-6)
    assert found["sharded"]["bytes"] == predicted_bytes(1001, 8)
    assert found["gathered"]["bytes"] == {"all-gather": 7 * 1001 * 4}
