"""A claim and the number that was measured for it: the shape of every check in the project."""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

Verdict = Literal["holds", "fails", "not measured"]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What came out.

    Args:
        value: the number, to be compared with the bound; nan never passes.
        interval: a confidence interval for it, where it is statistical.
        reason: why nothing was measured, where nothing was.
    """

    value: float = math.nan
    interval: tuple[float, float] | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Check:
    """A claim that a measurement can refute.

    Args:
        name: short, for the command line.
        claim: the exact statement.
        source: theorem, section or paper.
        how: how it is measured.
        bound: the largest value with which the claim holds.
        bound_from: where that number comes from.
        measure: takes the measurement.
    """

    name: str
    claim: str
    source: str
    how: str
    bound: float
    bound_from: str
    measure: Callable[[], Measurement]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A check that was carried out."""

    check: Check
    measurement: Measurement

    @property
    def verdict(self) -> Verdict:
        """Whether the claim held: the whole interval must stay within the bound."""
        found = self.measurement
        if found.reason:
            return "not measured"
        largest = found.value if found.interval is None else found.interval[1]
        return "holds" if largest <= self.check.bound else "fails"


def carry_out(check: Check) -> Outcome:
    """Takes the measurement of a check."""
    return Outcome(check, check.measure())
