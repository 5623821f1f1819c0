"""Confidence intervals that several parts of the project state."""

from scipy import stats


def clopper_pearson(successes: int, trials: int, *, confidence: float) -> tuple[float, float]:
    """The exact confidence interval of a probability.

    Args:
        successes: of so many trials.
        trials: at least 1.
        confidence: probability, at least, with which the interval holds the true value.

    Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    missing = trials - successes
    high = stats.beta.ppf(1 - tail, successes + 1, missing) if missing else 1.0
    return float(low), float(high)
