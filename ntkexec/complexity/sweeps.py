"""Sweeps: a study for every combination of sizes, networks and thresholds."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ntkexec.complexity import tables
from ntkexec.complexity.cases import collect
from ntkexec.complexity.growth import Trend, trends
from ntkexec.complexity.own_bounds import OwnBound, with_own_bounds
from ntkexec.complexity.samples import random_instances
from ntkexec.complexity.studies import Study, study
from ntkexec.ensemble import EnsembleConfig
from ntkexec.errors import CertificateError, GraphError, LayoutError, NtkexecError, ProgramError
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.instance import Instance
from ntkexec.vocabulary import CONVENTIONS

if TYPE_CHECKING:
    from pandas import DataFrame

MAX_STUDIES = 256
"""Studies of one sweep; each may take from a second to minutes."""

Executions = Callable[[], list[Instance]]
"""Makes the executions of one program, when they are needed."""


@dataclasses.dataclass(frozen=True)
class RandomExecutions:
    """Those of an algorithm of these sizes on random graphs, see `random_instances`."""

    algorithm: str
    degree: int
    word: int | None
    # Any: the settings of `random_instances`.
    settings: Mapping[str, Any]

    def __call__(self) -> list[Instance]:
        return random_instances(self.algorithm, degree=self.degree, word=self.word, **self.settings)

    def __str__(self) -> str:
        return f"degree {self.degree}" + ("" if self.word is None else f" word {self.word}")


class Refused(NamedTuple):
    """What has no answer, and why: thresholds with which no number of networks is exact, or a size."""

    kind: str
    sizes: str
    threshold: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Studies, and what no number of networks makes exact.

    Args:
        studies: one for every combination.
        refused: combinations without an answer.
    """

    studies: tuple[Study, ...]
    refused: tuple[Refused, ...] = ()

    @functools.cached_property
    def trends(self) -> tuple[Trend, ...]:
        """How the number of networks grows, for each kind, draw and convention of its own."""
        groups: dict[tuple[str, str, str], list[Study]] = {}
        for one in self.studies:
            groups.setdefault((one.kind, one.draw, one.threshold), []).append(one)
        return tuple(trend for group in groups.values() for trend in trends(group))

    def rows(self) -> list[dict[str, tables.Cell]]:
        """A row of plain values for each study."""
        return [tables.row(one.to_data()) for one in self.studies]

    def to_frame(self) -> "DataFrame":
        """A row for each study, as a table of pandas.

        Raises:
            MissingExtraError: pandas is not installed; `rows()` holds the same.
        """
        return tables.as_frame(self.rows())


class Variant(NamedTuple):
    """Which networks are studied.

    Args:
        kind: joint or factored.
        padding: templates for each problem.
        draw: how networks are drawn.
        weight_std: of their weights.
        width: hidden units; whatever it is, for `gaussian`.
    """

    kind: str
    padding: int
    draw: str
    weight_std: float
    width: int


def variants(
    kinds: Sequence[str],
    paddings: Sequence[int],
    draws: Sequence[str],
    weight_stds: Sequence[float],
    widths: Sequence[int],
) -> list[Variant]:
    """Every combination, once: networks of infinite width have no other."""
    found = {
        Variant(kind, padding, draw, weight_std, 1 if draw == "gaussian" else width): None
        for kind, padding, draw, weight_std, width in itertools.product(
            kinds, paddings, draws, weight_stds, widths
        )
    }
    return list(found)


def check_number(factors: Mapping[str, int]) -> int:
    """How many studies a sweep has.

    Args:
        factors: by what varies, how many values it has.

    Raises:
        CertificateError: more than `MAX_STUDIES`; names the factors.
    """
    total = math.prod(factors.values())
    if total > MAX_STUDIES:
        several = " x ".join(f"{count} {name}" for name, count in factors.items() if count > 1)
        raise CertificateError(
            f"{several} make {total:,} studies; {MAX_STUDIES} fit into one sweep: give fewer values, or "
            "several commands"
        )
    return total


# Any: the settings of `random_instances`, passed on.
def random_executions(
    algorithm: str, degrees: Sequence[int], words: Sequence[int | None], **settings: Any
) -> list[Executions]:
    """By size of the program, what makes its executions on random graphs."""
    return [
        RandomExecutions(algorithm, degree, word, settings)
        for degree, word in itertools.product(degrees, words)
    ]


Report = Callable[[str], Callable[[int, int], None]]
"""Given the title of what is done, gives what is called with how much of it is done, and of how much."""


# Any: the settings of `study`, passed on.
def sweep(
    executions: Sequence[Executions],
    *,
    of: Sequence[Variant],
    thresholds: Sequence[str] = ("bit",),
    seed: int = 0,
    own: Sequence[OwnBound] = (),
    report: Report = lambda title: lambda done, total: None,
    **settings: Any,
) -> Sweep:
    """One study for every program with its executions, every variant and every convention.

    Of several conventions for the thresholds one that no number of networks makes exact is told
    beside the others' studies, and so is one of several sizes that the graphs do not fit.

    Args:
        executions: see `random_executions`.
        of: the networks, see `variants`.
        thresholds: conventions.
        seed: of the networks.
        own: bounds of one's own, evaluated for each study.
        report: told what is done.
        settings: `repeat`, `members` and `delta`, see `study`.

    Raises:
        CertificateError: too many studies, or the only convention has no answer.
        NtkexecError: the graphs do not fit the only size, or any.
        EnsembleError: networks that there are not.
    """
    total = check_number(
        {
            "programs": len(executions),
            "kinds of networks": len(of),
            "conventions": len(thresholds),
        }
    )
    studies: list[Study] = []
    refused: list[Refused] = []
    misfit: NtkexecError | None = None
    number = 0
    for made in executions:
        try:
            instances = made()
        except (GraphError, LayoutError, ProgramError) as error:
            number += len(of) * len(thresholds)
            misfit = error
            refused.append(Refused("no networks", str(made), "no thresholds", str(error)))
            continue
        for (kind, padding), networks in _by_problem(of):
            # The library checks the words of kind, draw and threshold.
            problem = LearningProblem(instances[0].program, kind, padding)  # type: ignore[arg-type]
            cases = collect(
                problem,
                instances,
                report=report(f"study {number + 1} of {total}: running the program"),
            )
            for variant, threshold in itertools.product(networks, thresholds):
                number += 1
                config = EnsembleConfig(
                    members=1,
                    width=variant.width,
                    weight_std=variant.weight_std,
                    seed=seed,
                    draw=variant.draw,  # type: ignore[arg-type]
                )
                title = f"study {number} of {total}, thresholds {threshold}: drawing networks"
                try:
                    found = study(
                        cases,
                        config,
                        sizes=instances[0].sizes,
                        convention=threshold,  # type: ignore[arg-type]
                        report=report(title),
                        **settings,
                    )
                except CertificateError as error:
                    if len(thresholds) == 1 or threshold not in CONVENTIONS:
                        raise
                    told = " ".join(f"{n} {v}" for n, v in instances[0].sizes.items())
                    refused.append(Refused(kind, told, threshold, str(error)))
                else:
                    studies.append(with_own_bounds(found, own))
    if misfit is not None and not studies:
        raise misfit
    return Sweep(tuple(studies), tuple(refused))


def _by_problem(of: Sequence[Variant]) -> Iterator[tuple[tuple[str, int], list[Variant]]]:
    """Variants that learn the same problem, whose match sets are collected once."""
    groups: dict[tuple[str, int], list[Variant]] = {}
    for one in of:
        groups.setdefault((one.kind, one.padding), []).append(one)
    yield from groups.items()
