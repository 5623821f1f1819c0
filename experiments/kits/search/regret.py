"""What searches leave on the table, with intervals over seeds; and whether a table can tell at all."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from experiments.kits.search.ledger import Trace
from experiments.kits.search.spaces import Candidate
from ntkexec.check.intervals import student_reach
from ntkexec.errors import ExperimentError

Regrets = Float64[np.ndarray, "seeds budget"]


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A mean over seeds for each number of evaluations, from 1 on, with pointwise intervals.

    Args:
        value: the mean.
        low, high: ends of Student's interval.
    """

    value: Float64[np.ndarray, " budget"]
    low: Float64[np.ndarray, " budget"]
    high: Float64[np.ndarray, " budget"]


def simple_regret(
    traces: Sequence[Trace],
    optimum: float | Sequence[float],
    *,
    budget: int,
    truth: Callable[[Candidate], float] | Sequence[Callable[[Candidate], float]] | None = None,
) -> Regrets:
    """How far below the optimum the best so far is, after each evaluation, seed by seed.

    Args:
        traces: one a seed.
        optimum: the largest true value; one for all, or one a seed where each has its own landscape.
        budget: evaluations; a search that stopped before keeps its last best one.
        truth: scores the best so far, where what searches see is noisy; likewise one, or one a seed.
            Without it, what was seen counts.

    Raises:
        ExperimentError: there is no trace, or an empty one, or another number of optima or truths, or no
            evaluation in the budget.
    """
    if budget < 1:
        raise ExperimentError(f"regret is told after each of at least one evaluation, not {budget}")
    # A scalar of NumPy or JAX is one number too.
    tops: list[Any] = [optimum] * len(traces) if np.ndim(optimum) == 0 else list(optimum)  # type: ignore[arg-type]
    scored = [truth] * len(traces) if truth is None or callable(truth) else list(truth)
    if not traces or len(tops) != len(traces) or len(scored) != len(traces):
        raise ExperimentError(
            f"{len(traces)} traces need as many optima and truths, got {len(tops)}, {len(scored)}"
        )
    if empty := [place for place, trace in enumerate(traces) if not len(trace.values)]:
        raise ExperimentError(f"trace {empty[0]} has no evaluation, and so no best one")
    rows = []
    for trace, top, of in zip(traces, tops, scored, strict=True):
        places = trace.incumbents[:budget]
        values = {p: trace.values[p] if of is None else of(trace.candidates[p]) for p in {*places}}
        row = [float(top - values[place]) for place in places]
        rows.append(row + [row[-1]] * (budget - len(row)))
    return np.array(rows)


def curve(regrets: Regrets, *, level: float = 0.95) -> Curve:
    """The mean regret by evaluations, with its interval.

    Raises:
        ExperimentError: of fewer than two seeds.
    """
    if regrets.ndim != 2 or len(regrets) < 2:
        raise ExperimentError(f"an interval needs at least two seeds, got shape {regrets.shape}")
    reach = student_reach(regrets, miss=1 - level)
    value = regrets.mean(0)
    return Curve(value, value - reach, value + reach)


def compare(control: Regrets, treated: Regrets, *, level: float = 0.95) -> Curve:
    """By how much a method's regret is below its rival's: above 0, it is better.

    Args:
        control, treated: of the rival and of the method, paired by seed: both under the same
            landscape, if seeds have one each.
        level: of the interval at each number of evaluations by itself.

    Raises:
        ExperimentError: shapes differ, or there are fewer than two seeds.
    """
    if control.shape != treated.shape:
        raise ExperimentError(f"regrets of shapes {control.shape} and {treated.shape} do not pair")
    return curve(control - treated, level=level)


def random_best(values: Float64[np.ndarray, " size"], budget: int) -> float:
    """The mean of the best of `budget` values drawn without replacement, exactly."""
    return float(np.sort(values) @ _of_largest(len(values), budget))


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Whether a table of noisy scores can tell search methods apart; see `can_rank`.

    Args:
        possible: the verdict.
        headroom: what random search leaves, on average, to the best entry, without the flattery of
            picking and scoring by one measurement.
        standard_error: of the mean of an entry that random search returns.
        reliability: share of the variance of entries' means that is not noise; 0 where noise
            explains all.
        rivals: entries whose mean is within two standard errors of a difference of the best one's.
    """

    possible: bool
    headroom: float
    standard_error: float
    reliability: float
    rivals: int


def can_rank(
    table: Float64[np.ndarray, "size repeats"], *, budget: int, errors: float = 2.0
) -> Ranking:
    """Whether anything found within a budget could beat random search by more than noise.

    No method gains more over random search than the best entry does. That *headroom* is measured
    fairly: entries are ordered by one half of the repeats and scored by the other, and the other way
    round, because the largest of many noisy means is large by luck. A table of pure noise has a
    headroom of 0 on average, though its best entry looks well above its median. Entries that are equal
    up to rounding keep the order of the table, so that its unit does not matter.

    A table of pure noise passes in about 2 % of cases if all entries are equally noisy; where a tenth of
    them is ten times noisier and repeats are few, in up to a quarter, since the noisiest look best.

    Args:
        table: scores by entry and independent repeat, such as seeds of training; at least two.
        budget: of the search, in entries.
        errors: standard errors that the headroom must exceed.

    Raises:
        ExperimentError: no table of finite numbers, fewer than two repeats or entries, or no such budget.
    """
    try:
        table = np.asarray(table, np.float64)
    except (TypeError, ValueError) as why:
        raise ExperimentError(f"scores are a table of numbers, (entries, repeats): {why}") from None
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ExperimentError(
            f"scores are a table of finite numbers, (entries, repeats), and this has shape {table.shape}"
        )
    size, repeats = table.shape
    if size < 2 or repeats < 2 or not 1 <= budget <= size:
        raise ExperimentError(
            f"two entries and two repeats at least, and a budget of at most the entries: got a "
            f"table of shape {table.shape} and a budget of {budget}"
        )
    weights, gains, errors_of = _of_largest(size, budget), [], []
    within = table.var(1, ddof=1) / repeats
    halves = table[:, ::2].mean(1), table[:, 1::2].mean(1)
    for picks, scores in (halves, halves[::-1]):
        order = _ascending(picks, 1e-12 * float(abs(table).max()))
        gains.append(scores[order[-1]] - scores[order] @ weights)
        errors_of.append(within[order] @ weights)
    means = table.mean(1)
    between, noise = float(means.var(ddof=1)), float(within.mean())
    error, headroom = math.sqrt(np.mean(errors_of)), float(np.mean(gains))
    return Ranking(
        possible=headroom > errors * error,
        headroom=headroom,
        standard_error=error,
        reliability=max(0.0, 1 - noise / between) if between > 0 else 0.0,
        rivals=int((means >= means.max() - 2 * math.sqrt(2) * error).sum()),
    )


def _ascending(values: Float64[np.ndarray, " size"], tolerance: float) -> np.ndarray:
    """Places in ascending order of values; those that rounding alone may tell apart in their own order."""
    order = np.argsort(values, kind="stable")
    groups = np.cumsum(np.diff(values[order], prepend=values[order[0]]) > tolerance)
    found: np.ndarray = order[np.lexsort([order, groups])]
    return found


def _of_largest(size: int, budget: int) -> Float64[np.ndarray, " size"]:
    """For values in ascending order, the probability of each to be the largest of those drawn."""
    if not 1 <= budget <= size:
        raise ExperimentError(f"{budget} of {size} values cannot be drawn without replacement")
    every = math.comb(size, budget)
    return np.array([math.comb(below, budget - 1) / every for below in range(size)])
