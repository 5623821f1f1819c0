"""Losses: minima where the papers say, equal to plain formulas, extremes without overflow."""

import jax
import numpy as np
import pytest
from scipy import special

from experiments.kits.detection import losses
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


@jax.jit
def distributions(logits, targets):
    loss = losses.distribution_focal(logits, targets)
    slope = jax.grad(lambda it: losses.distribution_focal(it, targets).sum())(logits)
    return loss, slope, losses.expected_distance(logits)


def test_a_distribution_is_two_bins_whose_mean_is_the_target():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 4, 8))
    targets = generator.uniform(0, 7, (6, 4))
    targets[0] = [0, 3, 7, 9.5]  # ends, a whole number, and one that is clipped
    inside = np.clip(targets, 0, 7)
    low = np.minimum(np.floor(inside), 6).astype(int)
    weights = np.zeros_like(logits)
    np.put_along_axis(weights, low[..., None], (low + 1 - inside)[..., None], -1)
    np.put_along_axis(weights, low[..., None] + 1, (inside - low)[..., None], -1)
    wanted = -(weights * special.log_softmax(logits, -1)).sum(-1)
    with float64():
        loss, slope, mean = map(np.asarray, distributions(logits, targets))
        best = np.log(np.maximum(weights, 1e-300))
        least, flat, hit = map(np.asarray, distributions(best, targets))
    np.testing.assert_allclose(loss, wanted, rtol=1e-12)
    np.testing.assert_allclose(slope, special.softmax(logits, -1) - weights, atol=1e-12)
    np.testing.assert_allclose(mean, special.softmax(logits, -1) @ np.arange(8), rtol=1e-12)
    np.testing.assert_allclose(least, special.entr(weights).sum(-1), atol=1e-12)
    np.testing.assert_allclose(flat, 0, atol=1e-12)
    np.testing.assert_allclose(hit, inside, atol=1e-12)


@jax.jit
def entropies(logits, quality):
    focal = losses.quality_focal(logits, quality)
    slope = jax.grad(lambda it: losses.quality_focal(it, quality).sum())(logits)
    plain = losses.quality_focal(logits, quality, beta=0)
    return losses.binary_cross_entropy(logits, quality), plain, focal, slope


def test_quality_focal_is_least_at_the_quality_and_without_beta_the_entropy():
    logits = np.array([-800.0, -1, 0, 2, 800])
    quality = np.array([0.0, 0.3, 0.5, 0.9, 0])
    with float64():
        entropy, plain, focal, slope = map(np.asarray, entropies(logits, quality))
    inside = special.expit(logits)
    wanted = special.xlogy(quality, inside) + special.xlogy(1 - quality, special.expit(-logits))
    np.testing.assert_allclose(entropy[:4], -wanted[:4], rtol=1e-12)
    assert entropy[4] == 800  # the formula would take the logarithm of 0
    np.testing.assert_array_equal(plain, entropy)
    np.testing.assert_allclose(focal, entropy * (quality - inside) ** 2, rtol=1e-12)
    assert slope[2] == 0
    # Below its quality a logit is pushed up, above it down.
    assert slope[1] < 0
    assert slope[4] > 0
    with pytest.raises(ExperimentError, match=r"beta is 0, or 1 or more, got 0\.5"):
        losses.quality_focal(logits, quality, beta=0.5)


def test_dice_is_of_areas_and_empty_masks_agree():
    mask = np.zeros((3, 4, 5))
    mask[0, :2], mask[1] = 1, 1
    logits = np.where(np.roll(mask, 1, 1) > 0, 900.0, -900.0)
    with float64():
        found = np.asarray(jax.jit(losses.dice)(logits, mask))
    # 10 pixels each and 5 shared; the same 20; none, where both are empty.
    np.testing.assert_allclose(found, [1 - 11 / 21, 0, 0], atol=1e-15)
