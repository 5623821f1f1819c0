"""A trained ensemble: its learning problem, how it was trained, and its weights."""

import dataclasses

import numpy as np
from jaxtyping import Float32

from ntkexec.ensemble import regime
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.training import plan_for
from ntkexec.ensemble.weights import WEIGHT_FIELDS, Weights
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem


@dataclasses.dataclass(frozen=True, repr=False)
class Ensemble:
    """A trained ensemble.

    Args:
        problem: what it learned.
        config: how it was trained.
        weights: by stack.
        thresholds: with which it runs, by bit and number of matches, if it was stored with any; if
            not, it runs with those of a certificate.

    Raises:
        EnsembleError: another number of stacks, or thresholds of another shape.
    """

    problem: LearningProblem
    config: EnsembleConfig
    weights: tuple[Weights, ...]
    thresholds: Float32[np.ndarray, "k m"] | None = None

    def __post_init__(self) -> None:
        shape = (self.problem.program.layout.num_bits, self.problem.max_matches + 1)
        if self.thresholds is not None and self.thresholds.shape != shape:
            raise EnsembleError(
                f"thresholds by bit and number of matches have shape {shape}, not "
                f"{self.thresholds.shape}"
            )
        if len(self.weights) != len(self.problem.stacks):
            raise EnsembleError(
                f"{len(self.weights)} stacks of weights for a problem with {len(self.problem.stacks)}"
            )

    def __repr__(self) -> str:
        config, problem = self.config, self.problem
        return (
            f"Ensemble({problem.program.name}, {problem.kind}: {len(problem.components)} problem(s) x "
            f"{config.members} network(s), width {config.width}, {config.draw})"
        )

    @property
    def residual(self) -> float:
        """Largest error of any network on its training set."""
        return max(float(w.residual.max()) for w in self.weights)

    @property
    def max_steps(self) -> int:
        """Most gradient steps, or iterations of the solver, that any network took."""
        return max(int(w.steps.max()) for w in self.weights)

    @property
    def predicted_steps(self) -> int | None:
        """Gradient steps predicted from the spectrum of the train Gram; None if not descended."""
        if not self.config.descended:
            return None
        return max(plan_for(self.config, s).predicted_steps for s in self.problem.stacks)

    @property
    def peak(self) -> float | None:
        """How high outputs that are to be 1 rose in training; see `regime.peak`."""
        return regime.peak(self.weights)

    @property
    def overshoot(self) -> str | None:
        """What was wrong with the training, in a sentence; None if nothing was."""
        return regime.alarm(self.problem, self.config, self.weights)

    @property
    def num_parameters(self) -> int:
        arrays = (getattr(w, field) for w in self.weights for field in WEIGHT_FIELDS)
        return sum(array.size for array in arrays if array is not None)

    def first(self, members: int) -> "Ensemble":
        """The ensemble of the first `members` networks, the same as if trained with fewer.

        Raises:
            EnsembleError: there are not that many.
        """
        if not 1 <= members <= self.config.members:
            raise EnsembleError(f"the ensemble has {self.config.members} members, not {members}")
        kept = tuple(
            Weights._make(None if array is None else array[:members] for array in weights)
            for weights in self.weights
        )
        config = dataclasses.replace(self.config, members=members)
        return dataclasses.replace(self, config=config, weights=kept)
