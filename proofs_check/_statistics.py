"""Confidence intervals for measurements that are random. All are exact or stated as asymptotic."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from ntkexec.intervals import clopper_pearson

FALSE_ALARM = 1e-6
"""How often a statistical check may fail although its statement holds. Seeds are fixed, so a
check that passed passes again on the same machine; this is the chance that it was set up failing."""


def proportion(successes: int, trials: int, *, miss: float = FALSE_ALARM) -> tuple[float, float]:
    """Clopper-Pearson interval of a probability; it misses with probability at most `miss`."""
    return clopper_pearson(successes, trials, confidence=1 - miss)


def mean(
    values: Float[np.ndarray, "n"], *, miss: float = FALSE_ALARM
) -> tuple[float, tuple[float, float]]:
    """Mean and its Student interval, for independent Gaussian values."""
    found = float(np.mean(values))
    reach = float(stats.t.ppf(1 - miss / 2, len(values) - 1) * stats.sem(values))
    return found, (found - reach, found + reach)


def magnitude(interval: tuple[float, float]) -> tuple[float, float]:
    """The interval of an absolute value, from that of the value."""
    low, high = interval
    return max(0.0, low, -high), max(abs(low), abs(high))


def slope(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], *, miss: float = FALSE_ALARM
) -> tuple[float, tuple[float, float]]:
    """Least-squares slope of y over x and its Student interval, for independent Gaussian errors."""
    fit = stats.linregress(x, y)
    reach = float(stats.t.ppf(1 - miss / 2, len(x) - 2)) * float(fit.stderr)
    return float(fit.slope), (float(fit.slope) - reach, float(fit.slope) + reach)


def slope_with_errors(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    errors: Float[np.ndarray, "n"],
    *,
    miss: float = FALSE_ALARM,
) -> tuple[float, tuple[float, float]]:
    """Least-squares slope of y over x where the standard error of every y is known."""
    centred = x - x.mean()
    found = float(centred @ y / (centred @ centred))
    reach = float(stats.norm.ppf(1 - miss / 2) * np.linalg.norm(centred * errors))
    reach /= float(centred @ centred)
    return found, (found - reach, found + reach)


def joined(p_values: Float[np.ndarray, "t"]) -> float:
    """One p-value for several tests that need not be independent (Bonferroni)."""
    return min(1.0, len(p_values) * float(np.min(p_values)))
