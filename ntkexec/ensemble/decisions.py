"""What trained networks decide at match sets: means against the thresholds that run."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float, Float64

from ntkexec.ensemble.evaluation import Evaluation, evaluate, networks_of
from ntkexec.ensemble.trained import Ensemble


@dataclasses.dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions of one component at match sets, all (sets, bits).

    Args:
        evaluation: the means, and bounds on the error of coarser evaluations.
        thresholds: what a mean must exceed; float32 numbers, so that comparing with them is exact.
        expected: what the program decides.
    """

    evaluation: Evaluation
    thresholds: Float64[np.ndarray, "s o"]
    expected: Bool[np.ndarray, "s o"]

    @functools.cached_property
    def distance(self) -> Float64[np.ndarray, "s o"]:
        """Of every mean to its threshold, negative on its wrong side.

        Infinite where every term is exactly 0, and what does not exceed its threshold is a 0.
        """
        gap = self.evaluation.mean - self.thresholds
        certain = self.evaluation.certain & ~self.expected & (self.thresholds >= 0)
        return np.where(certain, np.inf, np.where(self.expected, gap, -gap))

    @property
    def right(self) -> Bool[np.ndarray, "s o"]:
        """Which are decided as the program does, in exact arithmetic; what is no number is not."""
        return self.distance > 0


def decisions_of(
    ensemble: Ensemble,
    index: int,
    matched: Bool[np.ndarray, "s t"],
    thresholds: Float[np.ndarray, "k m"],
) -> Decisions:
    """The decisions of one component.

    Args:
        ensemble: the networks.
        index: which component of its learning problem.
        matched: its match sets, one a row.
        thresholds: those that run, by bit and number of matches.
    """
    bits = list(ensemble.problem.components[index].bits)
    return Decisions(
        evaluation=evaluate(networks_of(ensemble, index), matched),
        thresholds=thresholds[bits][:, matched.sum(axis=1)].T.astype(np.float64),
        expected=matched.astype(int) @ ensemble.problem.writes(index).astype(int) > 0,
    )
