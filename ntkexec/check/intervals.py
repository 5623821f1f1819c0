"""Confidence intervals of what is measured: of a probability that was counted, of a mean.

Whoever measures adds what the number is for; the intervals themselves are here.
"""

import numpy as np
from jaxtyping import Float
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


def student_reach(values: Float[np.ndarray, "n ..."], *, miss: float) -> Float[np.ndarray, "..."]:
    """How far Student's interval of a mean reaches to either side.

    Args:
        values: at least two independent observations along the first axis.
        miss: probability, if they are Gaussian, that the interval misses the true mean.

    Source: Student, Biometrika 6 (1908).
    """
    quantile = stats.t.ppf(1 - miss / 2, len(values) - 1)
    return quantile * values.std(axis=0, ddof=1) / len(values) ** 0.5
