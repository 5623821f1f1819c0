"""When updates arrive: sorted times in seconds, drawn; no clock is looked at."""

import numpy as np
from jaxtyping import Float

from ntkexec.errors import ExperimentError

Times = Float[np.ndarray, "N"]


def poisson(number: int, rate: float, generator: np.random.Generator) -> Times:
    """The first arrivals of a Poisson process: independent exponential gaps.

    Args:
        number: of arrivals, at least one.
        rate: arrivals a second, positive.
        generator: of the gaps.

    Raises:
        ExperimentError: names the number that does not fit.
    """
    _check(number, rate=rate)
    return np.cumsum(generator.exponential(1 / rate, number))


def burst(
    number: int,
    generator: np.random.Generator,
    *,
    bursts: int = 1,
    every: float = 10.0,
    spread: float = 0.1,
) -> Times:
    """Arrivals in bursts of nearly equal size at equal distances, uniform within each.

    Args:
        number: of arrivals, at least one for each burst.
        generator: of the places within bursts.
        bursts: how many, the first at 0.
        every: seconds from one's beginning to the next one's.
        spread: seconds that a burst takes, at most `every`.

    Raises:
        ExperimentError: as `poisson`.
    """
    _check(number, every=every, spread=spread)
    if not 1 <= bursts <= number or spread > every:
        raise ExperimentError(
            f"{number} arrivals do not make {bursts} bursts of {spread:g} seconds every {every:g}"
        )
    starts = np.arange(number) * bursts // number * every
    return np.sort(starts + generator.uniform(0, spread, number))


def stragglers(
    number: int,
    generator: np.random.Generator,
    *,
    seconds: float = 1.0,
    share: float = 0.1,
    slower: float = 10.0,
    deviation: float = 0.25,
) -> Times:
    """Clients that start together and take lognormal times, some of them several times as long.

    Args:
        number: of clients.
        generator: of who is slow, and of all times.
        seconds: the median of a client that is not slow.
        share: of slow clients; their number is rounded.
        slower: how many times as long those take, at least 1.
        deviation: of the times' logarithms.

    Raises:
        ExperimentError: as `poisson`.
    """
    _check(number, seconds=seconds, slower=slower)
    if not 0 <= share <= 1 or slower < 1 or not 0 <= deviation < np.inf:
        raise ExperimentError(
            f"a share of {share:g} of the clients cannot be {slower:g} times as slow, with a "
            f"deviation of {deviation:g}"
        )
    factor = np.ones(number)
    factor[generator.permutation(number)[: round(share * number)]] = slower
    return np.sort(seconds * factor * np.exp(deviation * generator.normal(size=number)))


def _check(number: int, **positive: float) -> None:
    if number < 1:
        raise ExperimentError(f"there is at least one arrival, not {number}")
    for name, value in positive.items():
        if not (np.isfinite(value) and value > 0):
            raise ExperimentError(f"{name} must be a positive number, not {value!r}")
