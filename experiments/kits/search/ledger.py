"""What an evaluation costs is counted in one place, so that methods are compared at equal budgets."""

import dataclasses
import math
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float64

from experiments.kits.search.spaces import Candidate
from ntkexec.errors import ExperimentError


class Evaluator(Protocol):
    """Scores a candidate, more is better: a formula, a table, an hour of training."""

    def __call__(self, candidate: Candidate, /) -> float:
        """The candidate's score; a finite number."""


class BudgetSpentError(ExperimentError):
    """An evaluation was asked for after the last one that the budget allows."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """What a search did: its paid evaluations in order, and what it found.

    Args:
        candidates: evaluated, in order.
        values: of them, as they were seen.
        repeated: free answers: the candidate was known already.
        distinct: candidates among the evaluated ones.
    """

    candidates: tuple[Candidate, ...]
    values: Float64[np.ndarray, " t"]
    repeated: int
    distinct: int

    @property
    def incumbents(self) -> tuple[int, ...]:
        """After each evaluation, the place of the best so far; of equal ones the first."""
        found: list[int] = []
        for place, value in enumerate(self.values):
            found.append(place if not found or value > self.values[found[-1]] else found[-1])
        return tuple(found)

    @property
    def best_so_far(self) -> Float64[np.ndarray, " t"]:
        """The largest value after each evaluation; it never falls."""
        return np.maximum.accumulate(self.values)

    @property
    def best(self) -> Candidate:
        """The first candidate with the largest value."""
        return self.candidates[int(np.argmax(self.values))]

    @property
    def value(self) -> float:
        """The largest value seen. With a noisy evaluator it flatters: score the best one anew."""
        return float(self.values.max())


class Ledger:
    """Evaluates, and keeps the books: asks are answered until the budget is spent.

    Called like the evaluator that it holds. Methods ask while `spent` is false.

    Args:
        evaluator: what is maximised.
        budget: evaluations that are paid for.
        repeats: `free`: a candidate that is asked for again is answered from the books, at no cost
            (for evaluators that always say the same); `paid`: it is evaluated anew and counts (for
            noisy ones).
        patience: with free repeats, so many answers in a row without a new candidate end the
            search as well; a method that has converged would ask for ever.

    Raises:
        ExperimentError: the budget or the patience is below 1.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        budget: int,
        *,
        repeats: Literal["free", "paid"] = "free",
        patience: int = 1000,
    ) -> None:
        if budget < 1 or patience < 1 or repeats not in ("free", "paid"):
            raise ExperimentError(
                f"a budget and a patience of at least 1, repeats free or paid: got {budget}, "
                f"{patience}, {repeats!r}"
            )
        self.evaluator, self.budget = evaluator, budget
        self.repeats, self.patience = repeats, patience
        self._candidates: list[Candidate] = []
        self._values: list[float] = []
        self._known: dict[Candidate, float] = {}
        self._repeated = self._idle = 0

    @property
    def paid(self) -> int:
        """Evaluations so far that count."""
        return len(self._values)

    @property
    def spent(self) -> bool:
        """Whether nothing new is to be asked for."""
        return self.paid >= self.budget or self._idle >= self.patience

    def knows(self, candidate: Candidate) -> bool:
        """Whether the candidate was evaluated before."""
        return candidate in self._known

    def __call__(self, candidate: Candidate) -> float:
        """The candidate's score, evaluated or from the books.

        Raises:
            BudgetSpentError: it must be paid for, and nothing is left.
            ExperimentError: the evaluator gave no finite number.
        """
        if self.repeats == "free" and candidate in self._known:
            self._repeated += 1
            self._idle += 1
            return self._known[candidate]
        if self.paid >= self.budget:
            raise BudgetSpentError(
                f"{candidate!r} would be evaluation {self.paid + 1} of {self.budget}"
            )
        value = float(self.evaluator(candidate))
        if not math.isfinite(value):
            raise ExperimentError(
                f"{candidate!r} scored {value}: give a low number to one that fails"
            )
        self._candidates.append(candidate)
        self._values.append(value)
        self._known[candidate] = value
        self._idle = 0
        return value

    def trace(self) -> Trace:
        """The books so far.

        Raises:
            ExperimentError: nothing was evaluated yet.
        """
        if not self._values:
            raise ExperimentError("nothing was evaluated, so there is nothing to tell")
        return Trace(
            tuple(self._candidates), np.array(self._values), self._repeated, len(self._known)
        )
