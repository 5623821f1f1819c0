"""How many networks it takes that no decision goes wrong: a Gaussian tail and a union bound.

One network's output at infinite width is Gaussian with a variance sigma^2, its decision right unless
it strays from its mean by the margin g. The mean of N networks does that with a probability of at
most exp(-N g^2 / (2 sigma^2)). So the largest sigma^2 / g^2 over all decisions says it all.
"""

import math

import numpy as np
from jaxtyping import Float64

from ntkexec.errors import CertificateError


def check_odds(delta: float, num_decisions: int) -> None:
    """Raises CertificateError unless 0 < delta < 1 and something is decided."""
    if not 0 < delta < 1:
        raise CertificateError(f"delta must lie between 0 and 1, got {delta}")
    if num_decisions < 1:
        raise CertificateError(f"at least one decision is needed, got {num_decisions}")
    if not math.isfinite(num_decisions / delta):
        raise CertificateError(f"delta {delta:g} is too small for {num_decisions} decisions")


def largest_ratio(
    variances: Float64[np.ndarray, "k m"], margins: Float64[np.ndarray, "k m"]
) -> float:
    """The largest variance over squared margin of all decisions.

    Args:
        variances: of one network's output; where it is 0 nothing strays.
        margins: of the mean, infinite where nothing is decided.

    Returns:
        Infinite if a mean that strays is not on the right side at all.
    """
    random = np.isfinite(margins) & (variances > 0)
    hopeless = random & (margins <= 0)
    ratio = np.divide(variances, margins**2, where=random & ~hopeless, out=np.zeros(random.shape))
    return float(np.where(hopeless, np.inf, ratio).max())


def networks_needed(ratio: float, *, delta: float, num_decisions: int) -> int:
    """Networks enough that all decisions are right with probability at least 1 - delta.

    Args:
        ratio: see `largest_ratio`; finite.
        delta: probability of any error, in (0, 1).
        num_decisions: how many bits are decided.
    """
    return max(1, math.ceil(2 * ratio * math.log(num_decisions / delta)))


def failure_probability(ratio: float, *, num_members: int, num_decisions: int) -> float:
    """The bound turned round: probability of any error with `num_members` networks."""
    if ratio == 0:
        return 0.0
    return min(1.0, num_decisions * math.exp(-num_members / (2 * ratio)))
