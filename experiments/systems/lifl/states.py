"""Weighted sums of models: what an aggregator holds, folded in place, and merged in any tree."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ntkexec.errors import ExperimentError

CHUNK = 1 << 15
"""Numbers that are folded at a time, so that what lies between stays in the cache."""


def check_weight(weight: float, dtype: np.dtype | str) -> None:
    """Refuses what is no weight as a number of the models' type, or so small that products vanish.

    Raises:
        ExperimentError: it is neither 0 nor within the range, which the error names.
    """
    limits = np.finfo(dtype)
    least, most = float(limits.tiny / limits.eps), float(limits.max)
    if not (weight == 0 or least <= weight <= most):
        raise ExperimentError(
            f"a weight of {limits.dtype} models is 0 or a finite number from {least:.3g} to {most:.3g}, "
            f"not {weight!r}"
        )


def check_sum(total: Float[np.ndarray, "size"], weight: float) -> None:
    """Refuses a weighted sum that has left the numbers of its type.

    Raises:
        ExperimentError: some numbers overflowed, or the sum of the weights did.
    """
    check_weight(weight, total.dtype)
    if not np.isfinite(total).all():
        raise ExperimentError(
            f"a weighted sum of models is beyond {np.finfo(total.dtype).max:.3g}, the largest number of "
            f"{total.dtype}; take smaller weights, or float64"
        )


@dataclasses.dataclass(frozen=True)
class State:
    """A weighted sum of models and the sum of their weights; nothing else travels with an update.

    States merge associatively, up to rounding, and `State.nothing(size)` changes none.

    Args:
        total: sum of weight times model.
        weight: sum of the weights.

    Source: McMahan et al., arXiv:1602.05629, whose average is `mean` of the merged states.
    """

    total: Float[np.ndarray, "size"]
    weight: float

    @classmethod
    def nothing(cls, size: int, dtype: str = "float64") -> "State":
        """The state of no updates."""
        return cls(np.zeros(size, dtype), 0.0)

    @classmethod
    def of(cls, update: Float[np.ndarray, "size"], weight: float) -> "State":
        """The state of one update."""
        total = np.zeros_like(update)
        fold(total, update, weight)
        return cls(total, float(weight))

    def merged(self, other: "State") -> "State":
        """The state of both."""
        with np.errstate(over="ignore", invalid="ignore"):  # `mean` says so
            return State(self.total + other.total, self.weight + other.weight)

    def mean(self) -> Float[np.ndarray, "size"]:
        """The weighted mean.

        Raises:
            ExperimentError: all weights are 0, or the sum is not finite.
        """
        check_sum(self.total, self.weight)
        if not self.weight > 0:
            raise ExperimentError(
                f"a mean needs a weight above 0; those here sum to {self.weight:g}"
            )
        return self.total / self.total.dtype.type(self.weight)


def fold(
    total: Float[np.ndarray, "size"], update: Float[np.ndarray, "size"], weight: float
) -> None:
    """Adds weight times update to a sum, in place, chunk by chunk; a weight of 0 adds 0.

    Whoever uses the sum looks whether it is finite, see `check_sum`.
    """
    scratch = np.empty(min(CHUNK, total.size), total.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        factor = total.dtype.type(weight)
        for start in range(0, total.size, CHUNK):
            part = total[start : start + CHUNK]
            scaled = scratch[: part.size]
            np.multiply(update[start : start + CHUNK], factor, out=scaled)
            np.add(part, scaled, out=part)


def flat_average(
    updates: Sequence[Float[np.ndarray, "size"]], weights: Sequence[float]
) -> Float[np.ndarray, "size"]:
    """The weighted mean in one sum: what every tree of aggregators must arrive at.

    Raises:
        ExperimentError: all weights are 0, or the sum is not finite.
    """
    total = np.zeros_like(updates[0])
    for update, weight in zip(updates, weights, strict=True):
        fold(total, update, weight)
    return State(total, float(sum(weights))).mean()
