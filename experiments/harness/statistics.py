"""Confidence intervals for the numbers of a few seeds."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ntkexec.check import Measurement
from ntkexec.check.intervals import clopper_pearson, student_reach
from ntkexec.errors import ExperimentError

LEVEL = 0.95
ROUNDING = 64 * float(np.finfo(float).eps)
"""Differences that float64 cannot tell from none, relative to the observations or to 1."""


class TooFewError(ExperimentError):
    """Observations that are too few for an interval; a check of such records is not measured."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval.

    Args:
        value: the estimate.
        low, high: ends of the interval.
        num: observations behind it.
    """

    value: float
    low: float
    high: float
    num: int

    def measurement(self, **details: Any) -> Measurement:
        """As what a check returns."""
        return Measurement(self.value, (self.low, self.high), details=details)

    def to_data(self) -> dict[str, float]:
        return dataclasses.asdict(self)


def mean(values: Sequence[float], *, resolution: float = 0.0, level: float = LEVEL) -> Estimate:
    """The mean of independent observations with Student's t interval.

    Args:
        values: at least two, nearly normal; one seed says nothing of how seeds differ.
        resolution: the smallest difference that one observation can show, for example one over the
            number of test images. The interval is never narrower than what that allows: a few equal
            observations do not make certainty. Nor is it ever narrower than rounding.
        level: of confidence.

    Raises:
        TooFewError: for fewer than two observations.
    """
    sample = np.asarray(values, float)
    if sample.ndim != 1 or sample.size < 2:
        raise TooFewError(f"an interval needs at least two seeds, got {sample.size}")
    centre = float(sample.mean())
    half = float(student_reach(sample, miss=1 - level))
    half = max(half, resolution / sample.size, ROUNDING * max(1.0, float(np.abs(sample).max())))
    return Estimate(centre, centre - half, centre + half, int(sample.size))


def difference(
    treated: Sequence[float],
    control: Sequence[float],
    *,
    resolution: float = 0.0,
    level: float = LEVEL,
) -> Estimate:
    """The mean of paired differences, treated minus control, seed by seed; see `mean`."""
    if len(treated) != len(control):
        raise ExperimentError(f"{len(treated)} observations are paired with {len(control)}")
    pairs = np.asarray(treated, float) - np.asarray(control, float)
    return mean(pairs.tolist(), resolution=resolution, level=level)


def bootstrap(
    values: Sequence[float],
    statistic: Callable[[np.ndarray], float],
    *,
    generator: np.random.Generator,
    draws: int = 2000,
    level: float = LEVEL,
) -> Estimate:
    """A statistic of independent observations with the percentile bootstrap's interval."""
    sample = np.asarray(values, float)
    if sample.size < 2:
        raise TooFewError(f"an interval needs at least two observations, got {sample.size}")
    found = [
        statistic(sample[generator.integers(sample.size, size=sample.size)]) for _ in range(draws)
    ]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(statistic(sample)), float(low), float(high), int(sample.size))


def proportion(successes: int, trials: int, *, level: float = LEVEL) -> Estimate:
    """A probability with the exact interval of Clopper and Pearson (Biometrika, 1934)."""
    if not 0 <= successes <= trials or trials == 0:
        raise ExperimentError(f"{successes} successes of {trials} trials are no proportion")
    low, high = clopper_pearson(successes, trials, confidence=level)
    return Estimate(successes / trials, low, high, trials)


def arms(values: Mapping[str, Sequence[float]], *, resolution: float = 0.0) -> dict[str, Any]:
    """The mean of every arm with its interval, as details of a measurement and for plots."""
    return {name: mean(v, resolution=resolution).to_data() for name, v in values.items()}
