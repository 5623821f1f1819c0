"""Rounding errors of float32 stay within their bound, in whatever order sums are taken."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.ensembles import MIXED, by_engine, train_at_once

from ntkexec.ensemble import DRAWS, Ensemble, EnsembleConfig, evaluation
from ntkexec.ensemble.evaluation import Networks, evaluate
from ntkexec.errors import CertificateError
from ntkexec.program.problem import LearningProblem
from ntkexec.theory import rounding


def networks(seed=0, members=3, num_inputs=8, width=64, outputs=2):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(members, num_inputs, width)).astype(np.float32)
    return Networks(hidden, rng.normal(size=(members, width, outputs)).astype(np.float32), 1.3)


ALL_SETS = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1


def naively(nets, matched, dtype, order):
    """The ensemble's mean with every operation rounded to `dtype`, sums one term after another."""
    members, num_inputs, width = nets.hidden.shape
    scale = dtype(nets.weight_std / np.sqrt(num_inputs))
    outer = dtype(nets.weight_std / np.sqrt(width) / members)
    x = matched.astype(dtype) / np.sqrt(np.maximum(matched.sum(axis=1), 1)).astype(dtype)[:, None]
    total = np.zeros((len(matched), nets.output.shape[2]), dtype)
    for member, unit in ((i // width, i % width) for i in order):
        before = np.zeros(len(matched), dtype)
        for i in range(matched.shape[1]):
            before += x[:, i] * (scale * nets.hidden[member, i, unit].astype(dtype))
        after = np.maximum(before, dtype(0))[:, None]
        total += after * (outer * nets.output[member, unit].astype(dtype))[None]
    return total.astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_float32_sums_in_any_order_stay_within_the_bound(seed):
    nets = networks(seed)
    found = evaluate(nets, ALL_SETS)
    order = np.random.default_rng(seed).permutation(3 * 64)
    off = np.abs(naively(nets, ALL_SETS, np.float32, order) - found.mean)
    assert (off <= found.error()).all()
    assert off.max() > found.error().max() / 1000  # the bound is no wild guess


def test_half_precision_breaks_the_bound_for_float32():
    nets = networks()
    found = evaluate(nets, ALL_SETS)
    half = naively(nets, ALL_SETS, np.float16, range(3 * 64))
    assert (np.abs(half - found.mean) > found.error()).any()
    wider = evaluate(nets, ALL_SETS)
    assert (np.abs(half - wider.mean) <= wider.error(2.0**-11)).all()


def test_the_mean_is_that_of_the_members():
    nets = networks()
    alone = [Networks(nets.hidden[i : i + 1], nets.output[i : i + 1], 1.3) for i in range(3)]
    means = [evaluate(one, ALL_SETS).mean for one in alone]
    np.testing.assert_allclose(evaluate(nets, ALL_SETS).mean, np.mean(means, axis=0), rtol=1e-12)


def test_without_a_match_the_output_is_0_and_certain():
    found = evaluate(networks(), ALL_SETS[:1])
    assert not found.mean.any()
    assert not found.error().any()


def test_padding_inputs_do_not_enter():
    nets = networks()
    few = ALL_SETS[:32, :5]
    padded = np.pad(few, ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        evaluate(nets, few).mean, evaluate(nets, padded).mean, rtol=1e-12, atol=1e-15
    )


def test_chunks_do_not_matter(monkeypatch):
    whole = evaluate(networks(), ALL_SETS)
    monkeypatch.setattr(evaluation, "ACTIVATION_BYTES", 8 * 192 * 7)
    parts = evaluate(networks(), ALL_SETS)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12, atol=1e-15)


def test_an_evaluation_of_too_many_operations_has_no_bound():
    with pytest.raises(CertificateError, match="have no bound"):
        rounding.growth(1 << 23, rounding.FLOAT32)
    assert rounding.growth(100, 2.0**-24) == pytest.approx(100 * 2.0**-24, rel=1e-4)


@pytest.mark.parametrize("products, kind", [("bfloat16", jnp.bfloat16), ("float32", jnp.float32)])
def test_products_of_rounded_factors_stay_within_their_bound(products, kind):
    """Factors in bfloat16, sums in float32: what matrix units do."""
    nets = networks()
    members, num_inputs, width = nets.hidden.shape
    found = evaluate(nets, ALL_SETS)
    first = jnp.concatenate(list(nets.hidden), axis=1) * np.float32(1.3 / num_inputs**0.5)
    second = jnp.concatenate(list(nets.output)) * np.float32(1.3 / width**0.5 / members)
    x = ALL_SETS / np.sqrt(np.maximum(ALL_SETS.sum(axis=1, keepdims=True), 1))

    def product(left, right):
        return jnp.matmul(
            left.astype(kind), right.astype(kind), preferred_element_type=jnp.float32,
            precision=jax.lax.Precision.HIGHEST,
        )  # fmt: skip

    off = np.abs(product(jax.nn.relu(product(jnp.asarray(x), first)), second) - found.mean)
    bound = found.error(factors=rounding.PRODUCTS[products])
    assert (off <= bound).all()
    if products == "bfloat16":
        assert (off > found.error()).any()


# What is judged is what runs.

WITH_WEIGHTS = [draw for draw in DRAWS if draw != "gaussian"]
PROBLEM = LearningProblem(MIXED, padding=2)


def trained(draw, **options):
    config = EnsembleConfig(members=2, width=256, draw=draw, **options)
    return Ensemble(PROBLEM, config, train_at_once(PROBLEM, config))


def by_component(networks, states):
    """Means and errors of every component's bit, by the evaluation of certificates."""
    matched = states[:, : PROBLEM.program.num_templates]
    for index, component in enumerate(PROBLEM.components):
        own = matched[:, list(component.templates)]
        found = evaluate(evaluation.networks_of(networks, index), own)
        yield component.bits[0], found.mean, found.error()


ALL_STATES = np.zeros((128, MIXED.layout.num_bits), bool)
ALL_STATES[:, :7] = (np.arange(128)[:, None] >> np.arange(7)) & 1


# Both at once say what each does alone, and no bias what none does.
BOTH = {"weight_std": 1.4, "bias_std": 0.1}
EACH = [
    *(
        pytest.param(draw, BOTH, marks=() if draw == "trained" else pytest.mark.slow)
        for draw in WITH_WEIGHTS
    ),
    ("antisymmetric", {}),
    *(
        pytest.param(draw, options, marks=pytest.mark.slow)
        for draw in WITH_WEIGHTS
        for options in ({}, {"weight_std": 1.4}, {"bias_std": 0.1})
        if (draw, options) != ("antisymmetric", {})
    ),
]


@pytest.mark.parametrize("draw, options", EACH, ids=str)
def test_every_draw_is_evaluated_as_the_engine_runs_it(draw, options, monkeypatch):
    networks = trained(draw, **options)
    runs = by_engine(networks, ALL_STATES)
    for bit, mean, error in by_component(networks, ALL_STATES):
        assert (np.abs(runs[bit] - mean[:, 0]) <= error[:, 0]).all()
        assert error.max() < 1e-2
    # Twins: every array matters, so that one left out would be noticed.
    weights = networks.weights[1]
    for name in ("hidden_bias", "output_bias", "hidden_shift", "hidden_bias_shift"):
        array = getattr(weights, name)
        if array is not None:
            less = weights._replace(**{name: np.zeros_like(array)})
            other = Ensemble(PROBLEM, networks.config, (networks.weights[0], less))
            assert any(
                (np.abs(runs[bit] - mean[:, 0]) > error[:, 0]).any()
                for bit, mean, error in by_component(other, ALL_STATES)
            )


def test_a_linearised_unit_on_the_edge_may_fall_on_either_side():
    """Where rounding decides whether a unit is active, all it passes on is uncertain."""
    hidden = np.array([[[1.0], [-1.0]]], np.float32)
    nets = Networks(
        hidden,
        np.zeros((1, 1, 1), np.float32),
        1.0,
        hidden_shift=np.array([[[8.0], [8.0]]], np.float32),
        initial_output=np.ones((1, 1, 1), np.float32),
    )
    both, one = np.array([[True, True]]), np.array([[True, False]])
    passes_on = 8 * np.sqrt(2) / np.sqrt(2)
    assert evaluate(nets, both).error().item() > passes_on
    assert evaluate(nets, one).error().item() < 1e-4


@pytest.mark.parametrize("weight_std", [1e25, 1e200, 1e-40, 1e-200])
def test_what_leaves_the_range_of_float32_has_no_bound(weight_std):
    """Run in float32, such networks give infinities, nan or nothing."""
    nets = networks()._replace(weight_std=weight_std)
    with np.errstate(over="ignore", invalid="ignore"):
        error = evaluate(nets, ALL_SETS).error()
    assert not error[0].any()
    assert not np.isfinite(error[1:]).any()
    # The twin: far from both ends there is one.
    assert np.isfinite(evaluate(nets._replace(weight_std=1e5), ALL_SETS).error()).all()


@pytest.mark.parametrize("drop", ["truncated", "rounded"])
def test_factors_that_lose_13_bits_stay_within_the_bound_for_tf32(drop):
    """Tensor cores drop the last 13 bits of a factor; its bound is that, not that of rounding."""

    def tf32(values):
        bits = np.asarray(values, np.float32).view(np.uint32)
        up = 0 if drop == "truncated" else 1 << 12
        return ((bits + np.uint32(up)) & np.uint32(0xFFFFE000)).view(np.float32).astype(float)

    values = np.random.default_rng(0).uniform(1, 2, size=10_000)
    loss = np.abs(tf32(values) / np.float32(values) - 1).max()
    assert 2.0**-12 < loss <= rounding.PRODUCTS["tf32"] == 2.0**-10
    assert (loss > 2.0**-11) == (drop == "truncated")
    nets = networks()
    members, num_inputs, width = nets.hidden.shape
    first = np.concatenate(list(nets.hidden), axis=1) * (1.3 / num_inputs**0.5)
    second = np.concatenate(list(nets.output)) * (1.3 / width**0.5 / members)
    active = tf32(np.maximum(tf32(evaluation.encoded(ALL_SETS)) @ tf32(first), 0))
    found = evaluate(nets, ALL_SETS)
    off = np.abs(active @ tf32(second) - found.mean)
    assert (off <= found.error_with("tf32")).all()
    assert (off > found.error()).any()
