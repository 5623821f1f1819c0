"""Weighted sums of models: what an aggregator holds, folded in place, and merged in any tree."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ntkexec.errors import ExperimentError

CHUNK = 1 << 15
"""Numbers that are folded at a time, so that what lies between stays in the cache."""


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
        return State(self.total + other.total, self.weight + other.weight)

    def mean(self) -> Float[np.ndarray, "size"]:
        """The weighted mean.

        Raises:
            ExperimentError: all weights are 0.
        """
        if not self.weight > 0:
            raise ExperimentError(
                f"a mean needs a weight above 0; those here sum to {self.weight:g}"
            )
        return self.total / self.total.dtype.type(self.weight)


def fold(
    total: Float[np.ndarray, "size"], update: Float[np.ndarray, "size"], weight: float
) -> None:
    """Adds weight times update to a sum, in place, chunk by chunk; a weight of 0 adds 0."""
    scratch = np.empty(min(CHUNK, total.size), total.dtype)
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
        ExperimentError: all weights are 0.
    """
    total = np.zeros_like(updates[0])
    for update, weight in zip(updates, weights, strict=True):
        fold(total, update, weight)
    return State(total, float(sum(weights))).mean()
