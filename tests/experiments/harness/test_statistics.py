"""Intervals that cover as often as they say."""

import numpy as np
import pytest
from scipy import stats

from experiments.harness import statistics
from ntkexec.errors import ExperimentError


def test_the_t_interval_is_scipys():
    values = [0.1, 0.4, 0.3, 0.9]
    found = statistics.mean(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-12)


def test_the_t_interval_covers_the_mean_as_often_as_it_says():
    # 4,000 intervals at 95 %: the count is binomial; six deviations are passed once in 1e9.
    samples = np.random.default_rng(0).normal(size=(4000, 5))
    covered = sum(e.low <= 0 <= e.high for e in map(statistics.mean, samples))
    assert abs(covered - 3800) < 6 * (4000 * 0.95 * 0.05) ** 0.5


def test_equal_arms_are_no_difference_whatever_the_seeds():
    found = statistics.difference([0.9, 0.8, 0.7], [0.9, 0.8, 0.7], resolution=0.01)
    assert found.low < 0 < found.high
    assert statistics.difference([0.5] * 3, [0.5] * 3).low < 0


def test_pairing_removes_what_seeds_have_in_common():
    common = np.random.default_rng(0).normal(size=6)
    found = statistics.difference((common + 0.1).tolist(), common.tolist(), resolution=0.01)
    assert found.low > 0


def test_clopper_pearson_against_the_binomial_tails():
    found = statistics.proportion(3, 20)
    assert stats.binom.sf(2, 20, found.low) == pytest.approx(0.025)
    assert stats.binom.cdf(3, 20, found.high) == pytest.approx(0.025)
    assert statistics.proportion(0, 5).low == 0
    assert statistics.proportion(5, 5).high == 1


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval():
    sample = np.random.default_rng(0).normal(size=400)
    found = statistics.bootstrap(sample, np.mean, generator=np.random.default_rng(1))
    half = 1.96 * sample.std() / 20
    # 2,000 draws give the quantiles to a few hundredths of the deviation.
    np.testing.assert_allclose(
        [found.low, found.high], found.value + np.array([-half, half]), atol=0.01
    )


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: statistics.mean([1.0]), "at least two seeds, got 1"),
        (lambda: statistics.difference([1.0, 2.0], [1.0]), "2 observations are paired with 1"),
        (lambda: statistics.proportion(3, 2), "no proportion"),
    ],
)
def test_what_makes_no_interval_is_refused(call, says):
    with pytest.raises(ExperimentError, match=says):
        call()
