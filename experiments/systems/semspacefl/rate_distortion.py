"""What no codec can beat on a Gaussian source: reverse water-filling."""

import numpy as np
from jaxtyping import Float

from ntkexec.errors import ExperimentError


def least_distortion(variances: Float[np.ndarray, "n"], symbols: int, snr: float) -> float:
    """The least mean squared error of a Gaussian vector, in all, sent over so many symbols.

    Args:
        variances: eigenvalues of its covariance, positive.
        symbols: complex ones, of the channel.
        snr: in decibels; the capacity is log2(1 + SNR) bits a symbol.

    Returns:
        The sum over components of min(level, variance), where the level makes the rate equal the
        capacity; a single vector at a time can only do worse.

    Raises:
        ExperimentError: a variance is not positive, there is no symbol, or the SNR is not one within
            300 dB.

    Source: Shannon, 1959; Cover and Thomas, Elements of Information Theory, section 10.3.3.
    """
    spread = np.sort(np.asarray(variances, float))[::-1]
    if spread.ndim != 1 or not len(spread) or not spread[-1] > 0:
        raise ExperimentError(f"variances are positive numbers, got {variances!r}")
    if symbols < 1 or not abs(snr) <= 300:
        raise ExperimentError(f"{symbols!r} symbols at {snr!r} dB are no channel")
    bits = symbols * np.log2(1 + 10 ** (snr / 10))
    logs = np.cumsum(np.log2(spread))
    count = np.arange(1, len(spread) + 1)
    # With the first m components above the level: sum of log2(variance / level) / 2 over them = bits.
    level = 2 ** ((logs - 2 * bits) / count)
    following = np.append(spread[1:], 0)
    active = int(np.flatnonzero((level <= spread) & (level >= following))[0])
    return float((active + 1) * level[active] + spread[active + 1 :].sum())
