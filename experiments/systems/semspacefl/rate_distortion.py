"""What no codec can beat on a Gaussian source: reverse water-filling; and the linear codec that it bounds."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments.systems.semspacefl.codec import channel, symbols
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
        ExperimentError: a variance is not positive.

    Source: Shannon, 1959; Cover and Thomas, Elements of Information Theory, section 10.3.3.
    """
    spread = np.sort(np.asarray(variances, float))[::-1]
    if spread.ndim != 1 or not len(spread) or not spread[-1] > 0:
        raise ExperimentError(f"variances are positive numbers, got {variances!r}")
    bits = symbols * np.log2(1 + 10 ** (snr / 10))
    logs = np.cumsum(np.log2(spread))
    count = np.arange(1, len(spread) + 1)
    # With the first m components above the level: sum of log2(variance / level) / 2 over them = bits.
    level = 2 ** ((logs - 2 * bits) / count)
    following = np.append(spread[1:], 0)
    active = int(np.flatnonzero((level <= spread) & (level >= following))[0])
    return float((active + 1) * level[active] + spread[active + 1 :].sum())


def linear_distortion(
    variances: Float[np.ndarray, "n"],
    num_symbols: int,
    snr: float,
    *,
    draws: int,
    generator: np.random.Generator,
    quieter: float = 1.0,
) -> float:
    """The mean squared error, in all, of the best linear code, measured over the channel of the codec.

    The components of largest variance are sent as they are, with the powers that are best, and estimated
    linearly; this meets `least_distortion` where all variances are alike and each has a real number.

    Args:
        variances, num_symbols, snr: as for `least_distortion`.
        draws: vectors that are sent.
        generator: of vectors and noise.
        quieter: what the noise is divided by; but 1 it is a mistake, for tests.
    """
    spread = np.sort(np.asarray(variances, float))[::-1]
    sent = min(2 * num_symbols, len(spread))
    noise = 10 ** (-snr / 10) / 2
    # A real number has mean power 1/2, over all 2 k of them; Lagrange: power_i ~ sqrt(variance_i) - cut.
    power = np.zeros(len(spread))
    for number in range(sent, 0, -1):
        root = np.sqrt(spread[:number])
        budget = num_symbols + number * noise
        power[:] = 0
        power[:number] = budget * root / root.sum() - noise
        if power[number - 1] >= 0:
            break
    scale = np.sqrt(power / spread)
    drawn = generator.normal(size=(draws, len(spread))) * np.sqrt(spread)
    lines = np.zeros((draws, 2 * num_symbols))
    lines[:, :sent] = (drawn * scale)[:, :sent]
    key = jax.random.key(int(generator.integers(2**31)))
    received = channel(symbols(jnp.asarray(lines, jnp.float32)), key, snr + 20 * np.log10(quieter))
    seen = np.stack([received.real, received.imag], -1).reshape(draws, -1)[:, :sent]
    guess = np.zeros_like(drawn)
    gain = scale * spread / (power + noise)
    guess[:, :sent] = seen * gain[:sent]
    return float(((guess - drawn) ** 2).sum(1).mean())
