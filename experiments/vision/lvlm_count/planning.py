"""How finely to divide, before a model is asked: from the error that it was seen to make."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class ErrorCurve:
    """A counter's error on n objects: a mean of `bias * n**bias_power` and an independent spread.

    Args:
        bias: of the mean error's size at one object.
        bias_power: p; parts lessen the bias if it is above 1.
        spread: standard deviation at one object.
        spread_power: q; parts lessen the spread if it is above 1/2.
    """

    bias: float
    bias_power: float
    spread: float
    spread_power: float

    def expected_error(self, number: float, parts: int) -> float:
        """Root mean squared error of the sum over equal parts, `parts` of them, of `number` objects.

        Source: this folder's README, "When it helps".
        """
        each = number / parts
        bias = parts * self.bias * each**self.bias_power
        spread = parts**0.5 * self.spread * each**self.spread_power
        return float(np.hypot(bias, spread))

    def best_parts(self, number: int, *, most: int) -> int:
        """The number of equal parts, at most `most` (what may be asked), with the least expected error."""
        if number < 1 or most < 1:
            raise ExperimentError(f"cannot divide {number} objects into at most {most} parts")
        return min(range(1, min(number, most) + 1), key=lambda m: self.expected_error(number, m))

    def best_cap(self, number: int, *, most: int) -> int:
        """The cap for `recursive_division` that comes of `best_parts`."""
        return -(-number // self.best_parts(number, most=most))


def fit_error_curve(numbers: Int[np.ndarray, "k"], errors: Float[np.ndarray, "k r"]) -> ErrorCurve:
    """The curve through measured errors, by least squares on logarithms.

    Args:
        numbers: of objects, at least two different ones, all positive.
        errors: signed, of repeated counts of pictures with so many objects; two or more each.

    Raises:
        ExperimentError: for too few numbers or counts.
    """
    if len(set(np.asarray(numbers).tolist())) < 2 or np.min(numbers) < 1 or errors.shape[1] < 2:
        raise ExperimentError(
            f"a curve needs two positive numbers of objects and two counts of each, got {numbers} "
            f"and {errors.shape[1]}"
        )

    def power_law(values: np.ndarray) -> tuple[float, float]:
        # Where nothing was seen there is no logarithm; a perfect counter has the curve 0.
        seen = values > 0
        if seen.sum() < 2:
            return float(values.mean()), 0.0
        power, start = np.polyfit(np.log(np.asarray(numbers)[seen]), np.log(values[seen]), 1)
        return float(np.exp(start)), float(power)

    return ErrorCurve(
        *power_law(np.abs(errors.mean(axis=1))), *power_law(errors.std(axis=1, ddof=1))
    )
