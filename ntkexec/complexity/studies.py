"""The ensemble complexity of a program: the distribution of the smallest number of networks."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from ntkexec.complexity import tables
from ntkexec.complexity.bounds import Bounds, bounds_of
from ntkexec.complexity.cases import Cases
from ntkexec.complexity.margins import Margins, margins_of
from ntkexec.complexity.probability import CONFIDENCE, Certainty, certainty
from ntkexec.complexity.records import StudyRecord
from ntkexec.complexity.sampling import Prefixes, exact_prefixes
from ntkexec.ensemble import EnsembleConfig
from ntkexec.errors import CertificateError
from ntkexec.runtime.tables import as_html
from ntkexec.vocabulary import Convention

if TYPE_CHECKING:
    from pandas import DataFrame

# More than the union bound, so that next to no repetition ends without an answer.
HEADROOM = 1.5
FEWEST_MEMBERS = 8


@dataclasses.dataclass(frozen=True, repr=False)
class Study:
    """How many networks executed a program exactly on all graphs, over repetitions.

    Args:
        algorithm: name of the program.
        sizes: of the program.
        kind: joint or factored.
        draw: trained, linearised or gaussian.
        width: hidden units; None at infinite width.
        threshold: the convention of the thresholds.
        weight_std: standard deviation of the networks' weights at initialisation.
        num_inputs: n0 of the largest component, padding included.
        max_matches: the largest m that occurs.
        max_writers: the most templates that write one bit.
        num_graphs, num_nodes, num_steps: the executions; nodes of all graphs, most steps.
        num_states: distinct match sets.
        num_decisions: bits that are decided, in all executions.
        noise_ratio: largest sigma^2 / mu^2 of a decision.
        smallest_margin: smallest distance of a mean to its threshold; infinite if no output is random.
        members: the largest N that was tried.
        delta: probability of an error that `bounds.certificate` and `bounds.union` allow.
        bounds: what theory says.
        first: by repetition, the smallest N such that the first N networks are exact; None if none
            up to `members` is.
        stable: by repetition, the smallest N from which on the first N, N + 1, ... `members` are.
        certainty: probability of exactness by N.
        seconds: time for drawing and evaluating all networks.
        own_bounds: somebody's own bounds by name, None where one says nothing.
        numbers: N of which it was asked how often they are exact.
    """

    algorithm: str
    sizes: Mapping[str, int]
    kind: str
    draw: str
    width: int | None
    threshold: Convention
    weight_std: float
    num_inputs: int
    max_matches: int
    max_writers: int
    num_graphs: int
    num_nodes: int
    num_steps: int
    num_states: int
    num_decisions: int
    noise_ratio: float
    smallest_margin: float
    members: int
    delta: float
    bounds: Bounds
    first: tuple[int | None, ...]
    stable: tuple[int | None, ...]
    certainty: Certainty
    seconds: float
    own_bounds: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
    numbers: tuple[int, ...] = ()

    @property
    def median(self) -> float:
        """Median over repetitions of the stable N; infinite if most never became exact."""
        return float(np.median(as_floats(self.stable)))

    @property
    def median_interval(self) -> tuple[float, float]:
        """95 % confidence interval of that median, from order statistics."""
        return median_interval(as_floats(self.stable))

    def quantile(self, q: float) -> float:
        """Quantile of the stable N over repetitions."""
        return float(np.quantile(as_floats(self.stable), q, method="inverted_cdf"))

    def shares_exact(self) -> dict[int, float]:
        """By N that was asked for, the share of repetitions in which the first N networks are exact.

        Of an N that was not tried (see `Certainty.members`) the next smaller one that was stands.
        """
        tried = np.array(self.certainty.members)
        at = (int(tried[np.searchsorted(tried, n, side="right") - 1]) for n in self.numbers)
        shares = dict(zip(self.certainty.members, self.certainty.measured, strict=True))
        return {n: shares[n] for n in at}

    def to_frame(self) -> "DataFrame":
        """The study as a row of a table of pandas; `Sweep.to_frame` has one for each study.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return tables.as_frame([tables.row(self.to_data())])

    def to_data(self) -> StudyRecord:
        """The study as plain data, for JSON; numbers that are not finite are None."""
        return StudyRecord(
            algorithm=self.algorithm,
            parameters=dict(self.sizes),
            kind=self.kind,
            draw=self.draw,
            width=self.width,
            threshold=self.threshold,
            weight_std=self.weight_std,
            num_inputs=self.num_inputs,
            max_matches=self.max_matches,
            max_writers=self.max_writers,
            num_graphs=self.num_graphs,
            num_nodes=self.num_nodes,
            num_steps=self.num_steps,
            num_states=self.num_states,
            num_decisions=self.num_decisions,
            noise_ratio=_finite(self.noise_ratio),
            smallest_margin=_finite(self.smallest_margin),
            members=self.members,
            delta=self.delta,
            bounds=self.bounds.to_data(),
            first=list(self.first),
            stable=list(self.stable),
            certainty=self.certainty.to_data(),
            seconds=self.seconds,
            own_bounds=dict(self.own_bounds),
            exact_at={str(n): share for n, share in self.shares_exact().items()},
            median=_finite(self.median),
            quantile_99=_finite(self.quantile(0.99)),
            median_interval=[_finite(bound) for bound in self.median_interval],
        )

    def __repr__(self) -> str:
        width = "" if self.width is None else f", width {self.width}"
        return (
            f"Study({self.algorithm}, {self.kind}, {self.draw}{width}, thresholds {self.threshold}: "
            f"{len(self.stable)} repetitions on {self.num_graphs:,} graphs, median N {self.median:g})"
        )

    def _repr_html_(self) -> str:
        low, high = self.median_interval
        rows = {
            "sizes": " ".join(f"{name} {size}" for name, size in self.sizes.items()),
            "networks": f"{self.kind}, {self.draw}, thresholds {self.threshold}"
            + ("" if self.width is None else f", width {self.width}"),
            "executions": f"{self.num_graphs:,} graphs, {self.num_nodes:,} nodes, "
            f"at most {self.num_steps} steps",
            "N measured": f"{self.median:g} ({low:g} to {high:g}) in {len(self.stable)} repetitions",
            **{
                f"N by {name}": "none is enough" if bound is None else f"{bound:,}"
                for name, bound in dataclasses.asdict(self.bounds).items()
            },
            **{
                f"N by {name}": "nothing is said" if bound is None else f"{bound:,.0f}"
                for name, bound in self.own_bounds.items()
            },
        }
        return as_html(rows.items(), title=f"Study of {self.algorithm}")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_floats(numbers: tuple[int | None, ...]) -> np.ndarray:
    """Numbers of networks, infinite where none was enough."""
    return np.array([np.inf if n is None else float(n) for n in numbers])


def median_interval(values: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The distribution-free confidence interval of a median, at least as wide as asked for.

    The j-th smallest of n values lies above the median with the probability that a fair coin shows
    fewer than j heads in n throws.
    """
    ordered, size = np.sort(values), len(values)
    j = int(stats.binom.ppf((1 - confidence) / 2, size, 0.5))
    if j < 1:
        # Too few values for any interval between two of them.
        return 0.0, math.inf
    return float(ordered[j - 1]), float(ordered[size - j])


def smallest_numbers(
    prefixes: Prefixes,
) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    """First and stable N of every repetition, among those that were tried; see `Study`."""
    first: list[int | None] = []
    stable: list[int | None] = []
    for row in prefixes.exact:
        first.append(int(prefixes.numbers[row.argmax()]) if row.any() else None)
        wrong = np.flatnonzero(~row)
        start = 0 if len(wrong) == 0 else int(wrong[-1]) + 1
        stable.append(int(prefixes.numbers[start]) if start < len(row) else None)
    return tuple(first), tuple(stable)


def members_needed(found: Margins, delta: float) -> int:
    """How many members a study should draw: somewhat more than the union bound asks for.

    Raises:
        CertificateError: no number of networks is enough.
    """
    return max(FEWEST_MEMBERS, math.ceil(HEADROOM * found.members_for(delta)))


def study(
    cases: Cases,
    config: EnsembleConfig,
    *,
    sizes: Mapping[str, int],
    repeat: int = 50,
    convention: Convention = "bit",
    delta: float = 1e-3,
    members: int | None = None,
    numbers: Sequence[int] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Study:
    """Measures the ensemble complexity of a program on given executions.

    Args:
        cases: the match sets that occur.
        config: how networks are drawn; its `members` does not matter.
        sizes: the program's sizes, for the record.
        repeat: repetitions, each with networks of its own.
        convention: of the thresholds, see `ntkexec.theory.thresholds`.
        delta: probability of an error that the union bounds allow.
        members: the largest N to try; by default `members_needed`, or the largest of `numbers`.
        numbers: N of which to tell how often they are exact.
        report: called with how much of the work is done, and all.

    Raises:
        CertificateError: no number of networks is enough, or one of `numbers` is none.
        EnsembleError: see `exact_prefixes`.
    """
    if wrong := [n for n in numbers if n < 1]:
        raise CertificateError(f"an ensemble has at least 1 network; asked for {wrong[0]}")
    found = margins_of(cases, convention, weight_std=config.weight_std, draw=config.draw)
    largest = members or max(numbers, default=0) or members_needed(found, delta)
    start = time.perf_counter()
    prefixes = exact_prefixes(
        found, dataclasses.replace(config, members=largest), repeat, report=report
    )
    seconds = time.perf_counter() - start
    first, stable = smallest_numbers(prefixes)
    return Study(
        algorithm=cases.problem.program.name,
        sizes=dict(sizes),
        kind=cases.problem.kind,
        draw=config.draw,
        width=None if config.draw == "gaussian" else config.width,
        threshold=convention,
        weight_std=config.weight_std,
        num_inputs=int(cases.problem.num_inputs.max()),
        max_matches=max(int(c.count.max(initial=0)) for c in cases.components),
        max_writers=int(cases.problem.program.num_writers.max()),
        num_graphs=cases.num_graphs,
        num_nodes=cases.num_nodes,
        num_steps=cases.num_steps,
        num_states=cases.num_states,
        num_decisions=cases.num_decisions,
        noise_ratio=found.noise_ratio,
        smallest_margin=min(
            float(p.margins[p.random].min()) for p in found.components if p.random.any()
        )
        if len(found.z)
        else math.inf,
        members=largest,
        delta=delta,
        bounds=bounds_of(found, delta=delta),
        first=first,
        stable=stable,
        certainty=certainty(found, prefixes, seed=config.seed),
        seconds=seconds,
        numbers=tuple(sorted(set(numbers))),
    )
