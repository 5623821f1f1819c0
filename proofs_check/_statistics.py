"""Confidence intervals for measurements that are random. All are exact or stated as asymptotic."""

from collections.abc import Sequence

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


def largest(
    values: Float[np.ndarray, "n ..."], *, offset: float = 0.0, miss: float = FALSE_ALARM
) -> tuple[float, tuple[float, float], float]:
    """The largest absolute mean of many quantities, with simultaneous confidence limits.

    For equivalence: where the upper limit lies below a bound, all means do, but for a probability of
    `miss` that one does not. Student intervals of every quantity, joined by Bonferroni's inequality;
    asymptotic where values are not Gaussian.

    Args:
        values: independent observations along the first axis, one quantity in every place.
        offset: added to every mean.
        miss: probability that the interval misses.

    Returns:
        The largest; its interval; the largest half-width, which is the power: a quantity whose mean
        exceeds a bound is found to be within it with probability `miss` at most, and one that is
        closer to 0 than the bound by two half-widths is found within it nearly always.
    """
    flat = values.reshape(len(values), -1)
    found = np.abs(flat.mean(axis=0) + offset)
    quantile = stats.t.ppf(1 - miss / (2 * flat.shape[1]), len(flat) - 1)
    reach = quantile * flat.std(axis=0, ddof=1) / np.sqrt(len(flat))
    low, high = float(np.max(found - reach)), float(np.max(found + reach))
    return float(found.max()), (max(0.0, low), high), float(reach.max())


def largest_distance(
    standard: Float[np.ndarray, "n ..."], *, miss: float = FALSE_ALARM
) -> tuple[float, tuple[float, float], float]:
    """The largest Kolmogorov distance of many distributions from the normal one, likewise.

    Source: Dvoretzky, Kiefer and Wolfowitz 1956, with the constant of Massart 1990, for every
        distribution; Bonferroni.

    Args:
        standard: independent observations along the first axis.
        miss: probability that the interval misses.
    """
    flat = np.sort(standard.reshape(len(standard), -1), axis=0)
    reached, steps = stats.norm.cdf(flat), np.arange(len(flat) + 1)[:, None] / len(flat)
    found = float(np.maximum(steps[1:] - reached, reached - steps[:-1]).max())
    reach = float(np.sqrt(np.log(2 * flat.shape[1] / miss) / (2 * len(flat))))
    return found, (max(0.0, found - reach), found + reach), reach


def largest_difference(
    first: Sequence[tuple[int, int]],
    second: Sequence[tuple[int, int]],
    *,
    miss: float = FALSE_ALARM,
) -> tuple[float, tuple[float, float], float]:
    """The largest difference of pairs of probabilities, likewise; exact (Clopper-Pearson).

    Args:
        first: successes and trials of one of each pair.
        second: of the other.
        miss: probability that the interval misses.
    """
    share = miss / (2 * len(first))
    found, low, high, reach = 0.0, 0.0, 0.0, 0.0
    for one, other in zip(first, second, strict=True):
        a, b = proportion(*one, miss=share), proportion(*other, miss=share)
        ends = magnitude((a[0] - b[1], a[1] - b[0]))
        found = max(found, abs(one[0] / one[1] - other[0] / other[1]))
        low, high = max(low, ends[0]), max(high, ends[1])
        reach = max(reach, (a[1] - a[0] + b[1] - b[0]) / 2)
    return found, (low, high), reach


def magnitude(interval: tuple[float, float]) -> tuple[float, float]:
    """The interval of an absolute value, from that of the value."""
    low, high = interval
    return max(0.0, low, -high), max(abs(low), abs(high))


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
