"""Confidence intervals: they cover what they say, by counting and by another library's route."""

import numpy as np
import pytest
from scipy import stats

from ntkexec.check.intervals import clopper_pearson, student_reach


@pytest.mark.parametrize("trials", [1, 5, 20, 50])
def test_the_interval_of_a_frequency_covers_the_truth(trials):
    intervals = [clopper_pearson(k, trials, confidence=0.95) for k in range(trials + 1)]
    for p in np.linspace(0, 1, 41):
        weights = stats.binom.pmf(np.arange(trials + 1), trials, p)
        covered = sum(w for w, (low, high) in zip(weights, intervals) if low <= p <= high)
        assert covered >= 0.95 - 1e-12
    # The twin: the naive interval of Wald fails somewhere.
    k = np.arange(trials + 1)
    slack = 1.96 * np.sqrt(k / trials * (1 - k / trials) / trials)
    p = 0.5 / trials
    inside = (k / trials - slack <= p) & (p <= k / trials + slack)
    assert stats.binom.pmf(k, trials, p)[inside].sum() < 0.95


@pytest.mark.parametrize("miss", [0.05, 1e-6])
def test_the_interval_of_a_mean_is_the_one_of_scipy(miss):
    values = np.random.default_rng(0).normal(size=(7, 3, 2))
    low, high = stats.t.interval(1 - miss, 6, values.mean(axis=0), stats.sem(values, axis=0))
    reach = student_reach(values, miss=miss)
    np.testing.assert_allclose(values.mean(axis=0) - reach, low, rtol=1e-8)
    np.testing.assert_allclose(values.mean(axis=0) + reach, high, rtol=1e-8)
