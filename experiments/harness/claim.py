"""Claims: statements that the records of several seeds can refute, made by a few factories.

Every factory gives its claim a *broken twin*: the same measurement with the effect taken out, or
with something put wrong. The twin must not hold, whatever was measured, or the claim cannot fail.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NotRequired, TypedDict, Unpack

import numpy as np

from experiments.harness import plots, statistics
from experiments.harness.about import Provenance
from experiments.harness.selectors import ManyOf, Of, many_of, value_of, values_of
from experiments.harness.statistics import Estimate
from experiments.harness.study import Records
from ntkexec.check import Check, Measurement
from ntkexec.errors import ExperimentError

Names = tuple[str, str]
EXACT = 1e-12
"""What rounding in float64 may make of no deviation, relative to what is compared."""


@dataclasses.dataclass(frozen=True)
class Claim(Check[Records]):
    """A check of a port's records, and where its statement comes from.

    Args:
        provenance: "paper", "public code", "reconstructed" or "ours".
        published: the paper's own figure, where there is one.
    """

    provenance: Provenance = "paper"
    published: float | None = None


class Words(TypedDict):
    """What every factory takes beside its numbers; see `Check` and `Claim` for each."""

    source: str
    how: str
    bound_from: NotRequired[str]
    provenance: NotRequired[Provenance]
    plot: NotRequired[Callable[[Measurement], Any]]
    formula: NotRequired[str]


def identity(
    name: str, claim: str, of: Of, *, broken: Of, tolerance: float = EXACT, **words: Unpack[Words]
) -> Claim:
    """An exact statement: the largest deviation under any seed is rounding.

    Args:
        name, claim: of the claim.
        of: the deviation, relative to the size of what is compared.
        broken: the same deviation, measured with a premise of the statement taken out.
        tolerance: what rounding may make of none.
        words: source, how and the others of `Words`.
    """

    def worst(which: Of) -> Callable[[Records], Measurement]:
        return lambda records: Measurement(_largest(values_of(records, which)))

    return _made(
        name, claim, tolerance, worst(of), worst(broken), "rounding; the statement is exact", words
    )


def equals(
    name: str, claim: str, of: Of, *, count: int, broken: Of | None = None, **words: Unpack[Words]
) -> Claim:
    """A whole number that is the same under every seed, such as a network's parameters.

    Args:
        name, claim: of the claim.
        of: the number that was counted.
        count: what it must be.
        broken: the number counted with something put wrong; if there is none, one farther off.
        words: source, how and the others of `Words`.
    """

    def off(which: Of, farther: int) -> Callable[[Records], Measurement]:
        def measure(records: Records) -> Measurement:
            found = values_of(records, which)
            deviation = _largest([value - count for value in found]) + farther
            return Measurement(deviation, details={"ours": found[0], "published": count})

        return measure

    twin = off(of, 1) if broken is None else off(broken, 0)
    made = _made(name, claim, 0.0, off(of, 0), twin, f"{count:,}, exactly", words)
    return dataclasses.replace(made, published=float(count))


def slope(
    name: str,
    claim: str,
    x: ManyOf,
    y: ManyOf,
    *,
    equals: float,
    within: float,
    log: bool = True,
    **words: Unpack[Words],
) -> Claim:
    """A rate: the least-squares slope of one list over another, seed by seed; the worst deviation.

    Args:
        name, claim: of the claim.
        x, y: lists of equal length, of at least two numbers.
        equals: the slope that theory gives.
        within: how far off it may be.
        log: whether logarithms are fitted, so that the slope is a power.
        words: source, how and the others of `Words`.
    """

    def off(farther: float) -> Callable[[Records], Measurement]:
        def measure(records: Records) -> Measurement:
            slopes = []
            for record in records:
                across, up = many_of(record, x), many_of(record, y)
                if log:
                    across, up = np.log(across), np.log(up)
                found = _slope(across, up)
                if farther:  # away from what it should be, on the side where it is
                    found = _slope(across, up + math.copysign(farther, found - equals) * across)
                slopes.append(found)
            deviation = _largest([found - equals for found in slopes])
            return Measurement(deviation, details={"slopes": slopes, "expected": equals})

        return measure

    bound_from = f"the slope is {equals:g}, up to {within:g}"
    return _made(name, claim, within, off(0.0), off(1.0 + within), bound_from, words)


def at_most(
    name: str, claim: str, of: Of, *, bound: float, broken: Of, resolution: float = 0.0,
    **words: Unpack[Words],
) -> Claim:  # fmt: skip
    """A number whose mean lies below a bound: Student's 95 % interval over seeds.

    Args:
        name, claim: of the claim.
        of: the number of one seed.
        bound: the largest mean with which the claim holds.
        broken: the same number, measured with the effect taken out.
        resolution: the smallest difference that one seed can show; see `statistics.mean`.
        words: source, how and the others of `Words`.
    """

    def over(which: Of) -> Callable[[Records], Measurement]:
        def measure(records: Records) -> Measurement:
            return statistics.mean(values_of(records, which), resolution=resolution).measurement()

        return measure

    return _made(name, claim, bound, over(of), over(broken), "stated by the claim", words)


def at_least(
    name: str, claim: str, of: Of, *, bound: float, broken: Of, resolution: float = 0.0,
    **words: Unpack[Words],
) -> Claim:  # fmt: skip
    """A number whose mean lies above a bound; see `at_most`."""
    made = at_most(name, claim, of, bound=bound, broken=broken, resolution=resolution, **words)
    return dataclasses.replace(made, relation="at least")


def beats(
    name: str, claim: str, treated: Of, control: Of, *, by: float = 0.0, resolution: float = 0.0,
    names: Names | None = None, **words: Unpack[Words],
) -> Claim:  # fmt: skip
    """A method that is better than its rival: paired differences, Student's 95 % interval.

    The twin puts the rival in the method's place.

    Args:
        name, claim: of the claim.
        treated, control: the method's number and its rival's under the same seed; more is better.
        by: how much better at least, not below 0.
        resolution: the smallest difference that one seed can show; see `statistics.mean`.
        names: of the two on the plot; by default what the paths say.
        words: source, how and the others of `Words`.

    Raises:
        ExperimentError: for a negative `by`, with which no twin could fail; see `no_worse`.
    """
    if by < 0:
        raise ExperimentError(f"{name}: {by:g} better is worse; use no_worse(margin={-by:g})")
    measure = _paired(treated, control, resolution, _as_it_is, names)
    twin = _paired(control, control, resolution, _as_it_is)
    bound_from = "the claim is a sign" if by == 0 else "stated by the claim"
    made = _made(name, claim, by, measure, twin, bound_from, _drawn(words))
    return dataclasses.replace(made, relation="at least")


def no_worse(
    name: str, claim: str, treated: Of, control: Of, *, margin: float, resolution: float = 0.0,
    names: Names | None = None, **words: Unpack[Words],
) -> Claim:  # fmt: skip
    """A method that loses at most a margin to its rival; paired as in `beats`.

    The twin is the rival made worse by twice the margin.
    """
    _check_margin(name, margin)
    measure = _paired(treated, control, resolution, _as_it_is, names)
    twin = _paired(lambda r: value_of(r, control) - 2 * margin, control, resolution, _as_it_is)
    bound_from = "the margin, fixed before measuring"
    made = _made(name, claim, -margin, measure, twin, bound_from, _drawn(words))
    return dataclasses.replace(made, relation="at least")


def equivalent(
    name: str, claim: str, one: Of, other: Of, *, within: float, resolution: float = 0.0,
    names: Names | None = None, **words: Unpack[Words],
) -> Claim:  # fmt: skip
    """Two methods that are as good as each other: two one-sided bounds on the paired difference.

    It holds if the whole 95 % interval of the difference lies within the margin, which is stricter
    than two tests at 5 % each. The twin is `other` made better by three times the margin.

    Args:
        name, claim: of the claim.
        one, other: the two numbers under the same seed.
        within: the margin on both sides.
        resolution: the smallest difference that one seed can show; see `statistics.mean`.
        names: of the two on the plot; by default what the paths say.
        words: source, how and the others of `Words`.
    """
    _check_margin(name, within)
    measure = _paired(one, other, resolution, _magnitude, names)
    twin = _paired(lambda r: value_of(r, other) + 3 * within, other, resolution, _magnitude)
    bound_from = "the margin, fixed before measuring"
    return _made(name, claim, within, measure, twin, bound_from, _drawn(words))


def reported(
    name: str, claim: str, of: Of, *, figure: float, within: float, unit: str = "", data: str = "",
    resolution: float = 0.0, **words: Unpack[Words],
) -> Claim:  # fmt: skip
    """A published figure, met again: the 95 % interval of our mean lies within a margin around it.

    The twin is our mean moved to three margins from the figure.

    Args:
        name, claim: of the claim.
        of: our number under one seed, in the figure's unit.
        figure: as published.
        within: the margin: one point of accuracy, or two of the published standard deviations where
            that is more. Fixed before measuring.
        unit: of the figure, for tables.
        data: the set on which both were measured.
        resolution: the smallest difference that one seed can show; see `statistics.mean`.
        words: source, how and the others of `Words`.
    """
    _check_margin(name, within)

    def off(moved: bool) -> Callable[[Records], Measurement]:
        def measure(records: Records) -> Measurement:
            found = statistics.mean(values_of(records, of), resolution=resolution)
            value, low, high = found.value, found.low, found.high
            if moved:
                low, high = (end - value + figure + 3 * within for end in (low, high))
                value = figure + 3 * within
            distance = _magnitude(Estimate(value - figure, low - figure, high - figure, found.num))
            return distance.measurement(
                ours=value, interval=[low, high], published=figure, unit=unit, data=data,
                num=found.num,
            )  # fmt: skip

        return measure

    bound_from = f"{figure:g} as published, up to {within:g}; fixed before measuring"
    made = _made(name, claim, within, off(False), off(True), bound_from, words)
    return dataclasses.replace(made, published=figure)


def _made(
    name: str,
    claim: str,
    bound: float,
    measure: Callable[[Records], Measurement],
    broken: Callable[[Records], Measurement],
    bound_from: str,
    words: Words,
) -> Claim:
    given: dict[str, Any] = {"bound_from": bound_from, **words}
    return Claim(name=name, claim=claim, bound=bound, measure=measure, broken=broken, **given)


def _drawn(words: Words) -> Words:
    """With a plot of both arms, unless another was given."""
    return words if "plot" in words else {**words, "plot": plots.arms("measured")}


def _paired(
    one: Of,
    other: Of,
    resolution: float,
    turned: Callable[[Estimate], Estimate],
    names: Names | None = None,
) -> Callable[[Records], Measurement]:
    first, second = names or (_label(one, "the method"), _label(other, "its rival"))

    def measure(records: Records) -> Measurement:
        ones, others = values_of(records, one), values_of(records, other)
        found = turned(statistics.difference(ones, others, resolution=resolution))
        columns = {first: ones, second: others}
        arms = statistics.arms(columns, resolution=resolution)
        return found.measurement(arms=arms, paired=True)

    return measure


def _as_it_is(found: Estimate) -> Estimate:
    return found


def _magnitude(found: Estimate) -> Estimate:
    """How far from 0, with the interval of that."""
    ends = sorted((abs(found.low), abs(found.high)))
    low = 0.0 if found.low <= 0 <= found.high else ends[0]
    return Estimate(abs(found.value), low, ends[1], found.num)


def _label(of: Of, otherwise: str) -> str:
    return of.partition(".")[2] if isinstance(of, str) else otherwise


def _largest(deviations: Sequence[float]) -> float:
    """The largest magnitude; nan if one is nan, since that never holds."""
    return float(np.max(np.abs(deviations)))


def _slope(across: np.ndarray, up: np.ndarray) -> float:
    return float(np.polyfit(across, up, 1)[0])


def _check_margin(name: str, margin: float) -> None:
    if not margin > 0:
        raise ExperimentError(f"{name}: a margin is more than 0, not {margin!r}")
