"""Rounding errors of float32 stay within their bound, in whatever order sums are taken."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec import roundoff
from ntkexec.complete import evaluation
from ntkexec.complete.evaluation import Networks, evaluate
from ntkexec.errors import CertificateError


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
    assert (off <= found.error).all()
    assert off.max() > found.error.max() / 1000  # the bound is no wild guess


def test_half_precision_breaks_the_bound_for_float32():
    nets = networks()
    found = evaluate(nets, ALL_SETS)
    half = naively(nets, ALL_SETS, np.float16, range(3 * 64))
    assert (np.abs(half - found.mean) > found.error).any()
    wider = evaluate(nets, ALL_SETS, roundoff=2.0**-11)
    assert (np.abs(half - wider.mean) <= wider.error).all()


def test_the_mean_is_that_of_the_members():
    nets = networks()
    alone = [Networks(nets.hidden[i : i + 1], nets.output[i : i + 1], 1.3) for i in range(3)]
    means = [evaluate(one, ALL_SETS).mean for one in alone]
    np.testing.assert_allclose(evaluate(nets, ALL_SETS).mean, np.mean(means, axis=0), rtol=1e-12)


def test_without_a_match_the_output_is_0_and_certain():
    found = evaluate(networks(), ALL_SETS[:1])
    assert not found.mean.any()
    assert not found.error.any()


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
        roundoff.growth(1 << 23, roundoff.FLOAT32)
    assert roundoff.growth(100, 2.0**-24) == pytest.approx(100 * 2.0**-24, rel=1e-4)


@pytest.mark.parametrize("products, kind", [("bfloat16", jnp.bfloat16), ("float32", jnp.float32)])
def test_products_of_rounded_factors_stay_within_their_bound(products, kind):
    """Factors in bfloat16, sums in float32: what matrix units do."""
    nets = networks()
    members, num_inputs, width = nets.hidden.shape
    found = evaluation.sums(nets, ALL_SETS)
    first = jnp.concatenate(list(nets.hidden), axis=1) * np.float32(1.3 / num_inputs**0.5)
    second = jnp.concatenate(list(nets.output)) * np.float32(1.3 / width**0.5 / members)
    x = ALL_SETS / np.sqrt(np.maximum(ALL_SETS.sum(axis=1, keepdims=True), 1))

    def product(left, right):
        return jnp.matmul(
            left.astype(kind), right.astype(kind), preferred_element_type=jnp.float32,
            precision=jax.lax.Precision.HIGHEST,
        )  # fmt: skip

    off = np.abs(product(jax.nn.relu(product(jnp.asarray(x), first)), second) - found.mean)
    bound = found.error(factors=roundoff.PRODUCTS[products])
    assert (off <= bound).all()
    if products == "bfloat16":
        assert (off > found.error()).any()
