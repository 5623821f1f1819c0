"""A claim and the number that was measured for it: the shape of every check in the project."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

from ntkexec.errors import MissingExtraError

LOG = logging.getLogger("ntkexec")

Verdict = Literal["holds", "fails", "not measured"]
Relation = Literal["at most", "at least"]
Scale = Literal["quick", "standard", "full"]
"""How much work a measurement may do; the claim and its bound stay the same."""

Subject = TypeVar("Subject", contravariant=True)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What came out.

    Args:
        value: the number, to be compared with the bound; nan never passes.
        interval: a confidence interval for it, where it is statistical.
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
        """Whether the claim held: the whole interval must stay within the bound."""
        found, check = self.measurement, self.check
        if found.reason:
            return "not measured"
        low, high = (found.value, found.value) if found.interval is None else found.interval
        held = high <= check.bound if check.relation == "at most" else low >= check.bound
        return "holds" if held and not math.isnan(found.value) else "fails"

    def to_data(self) -> dict[str, Any]:
        """The outcome as plain data, for JSON."""
        check, found = self.check, self.measurement
        return {
            "name": check.name,
            "verdict": self.verdict,
            "claim": check.claim,
            "source": check.source,
            "how": check.how,
            "value": None if math.isnan(found.value) else found.value,
            "interval": None if found.interval is None else list(found.interval),
            "relation": check.relation,
            "bound": check.bound,
            "bound_from": check.bound_from,
            "reason": found.reason,
            "details": dict(found.details),
            "seconds": self.seconds,
        }


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
