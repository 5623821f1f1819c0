"""A claim and the number that was measured for it: the shape of every check in the project."""

import dataclasses
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar

from ntkexec.errors import MissingExtraError

LOG = logging.getLogger("ntkexec")

Verdict = Literal["holds", "fails", "undecided", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("holds", "fails", "undecided", "not measured")
COLOURS: Mapping[Verdict, str] = {
    "holds": "#1a6b2f",
    "fails": "#b00020",
    "undecided": "#9a5b00",
    "not measured": "#5f6368",
}
"""Green, red, amber and grey, on pages and terminals; dark enough to be read on white."""
ON_DARK: Mapping[Verdict, str] = {
    "holds": "#56c98a",
    "fails": "#ff7b87",
    "undecided": "#e3a73b",
    "not measured": "#9da7b3",
}
"""The same on a dark page."""
Relation = Literal["at most", "at least"]

Subject = TypeVar("Subject", contravariant=True)

ROUNDING = 16 * sys.float_info.epsilon
"""What float64 may add to a value that meets its bound: sixteen roundings, 3.6e-15.

A difference of rates that is 0 comes out as 1e-16, and a sum of sixteenths as 1 + 1e-16. That
refutes nothing. The tolerance is relative to the larger of 1 and the bound, since values are made of
numbers up to about 1 (shares, ratios, margins) or of the bound's size by few sums. No count, and no
statistic, can be that close to its bound without meeting it.
"""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What came out.

    Args:
        value: the number, to be compared with the bound; nan never passes.
        interval: a confidence interval for it, where it is statistical. Two-sided, or with one
            end at the end of what the value can be: an interval that reaches down to 0 although 0
            is excluded would leave undecided what is refuted.
        reason: why nothing was measured, where nothing was.
        details: what lies behind the number, for tables and plots; plain data that JSON can hold.
    """

    value: float = math.nan
    interval: tuple[float, float] | None = None
    reason: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Check(Generic[Subject]):
    """A claim that a measurement can refute.

    Args:
        name: short, for the command line.
        claim: the exact statement.
        source: theorem, section or paper.
        how: how it is measured.
        bound: the largest value with which the claim holds; the smallest, for `at least`.
        bound_from: where that number comes from.
        measure: takes the measurement. For the theory its argument is the `Scale`, for an
            experiment the records of its runs.
        broken: the same measurement with something put wrong on purpose, which must fail: it shows
            that the check can.
        relation: on which side of the bound the value must lie.
        formula: the claim in LaTeX, for pages.
        plot: draws a measurement and returns a matplotlib figure.
    """

    name: str
    claim: str
    source: str
    how: str
    bound: float
    bound_from: str
    measure: Callable[[Subject], Measurement]
    broken: Callable[[Subject], Measurement] | None = None
    relation: Relation = "at most"
    formula: str = ""
    plot: Callable[[Measurement], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A check that was carried out, and how long that took."""

    check: Check[Any]
    measurement: Measurement
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Whether the claim held.

        It holds if the whole interval lies within the bound, fails if all of it lies beyond (or the
        value is not a number), and is undecided, neither right nor wrong, if the interval contains
        the bound. A bound is met up to `ROUNDING`.
        """
        found, check = self.measurement, self.check
        if found.reason:
            return "not measured"
        ends = (found.value, found.value) if found.interval is None else found.interval
        if any(math.isnan(number) for number in (found.value, *ends)):
            return "fails"
        tolerance = ROUNDING * max(1.0, abs(check.bound))
        sign = 1 if check.relation == "at most" else -1
        beyond = sorted(sign * (end - check.bound) for end in ends)
        if beyond[1] <= tolerance:
            return "holds"
        return "fails" if beyond[0] > tolerance else "undecided"

    def to_data(self) -> dict[str, Any]:
        """The outcome as plain data, for JSON."""
        check, found = self.check, self.measurement
        return {
            "name": check.name,
            "verdict": self.verdict,
            "claim": check.claim,
            "source": check.source,
            "how": check.how,
            "value": _finite(found.value),
            "interval": None
            if found.interval is None
            else [_finite(end) for end in found.interval],
            "relation": check.relation,
            "bound": check.bound,
            "bound_from": check.bound_from,
            "reason": found.reason,
            "details": dict(found.details),
            "seconds": self.seconds,
        }


def _finite(number: float) -> float | None:
    """A number that JSON has, or None for nan and infinities, which it has not."""
    return float(number) if math.isfinite(number) else None


def counts(outcomes: Iterable[Outcome]) -> dict[Verdict, int]:
    """How many outcomes have each verdict, in the order of `VERDICTS`."""
    found = [outcome.verdict for outcome in outcomes]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def in_words(outcomes: Iterable[Outcome]) -> str:
    """The counts as a sentence has them: `9 hold, 1 fails, 0 undecided, 0 not measured`."""
    number = counts(outcomes)
    return (
        f"{number['holds']} hold{'s' * (number['holds'] == 1)}, "
        f"{number['fails']} fail{'s' * (number['fails'] == 1)}, "
        f"{number['undecided']} undecided, {number['not measured']} not measured"
    )


def carry_out(check: Check[Subject], subject: Subject) -> Outcome:
    """Takes the measurement of a check; without an extra that it needs, nothing is measured."""
    LOG.info("%s ...", check.name)
    start = time.perf_counter()
    try:
        measurement = check.measure(subject)
    except MissingExtraError as error:
        measurement = Measurement(reason=str(error))
    outcome = Outcome(check, measurement, time.perf_counter() - start)
    LOG.info("%s: %s, %.1f s", check.name, outcome.verdict, outcome.seconds)
    return outcome
