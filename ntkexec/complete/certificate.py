"""The complete certificate of a trained ensemble: all its decisions, checked one by one.

What is proven is that the learned update equals the program's update in every state, so that the
ensemble executes the program exactly on every graph, as long as no two neighbours of a node write the
same message bit. That the program computes what its name says
is another matter: see docs/proofs.md.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from ntkexec.complete.runs import ProgramRun, sets_on
from ntkexec.complete.scope import condition_of, scope_of
from ntkexec.ensemble import Ensemble
from ntkexec.ensemble.decisions import decisions_of
from ntkexec.ensemble.thresholds import shared_by
from ntkexec.errors import CertificateError
from ntkexec.program.invariants import NOTHING, AtMost, Invariants
from ntkexec.program.match_sets import MAX_SETS, all_match_sets
from ntkexec.program.problem import Component, LearningProblem
from ntkexec.theory import rounding
from ntkexec.theory.certificate import Certificate


@dataclasses.dataclass(frozen=True)
class Tightest:
    """The decision with the least left of its margin after the rounding error.

    Args:
        bit_name: which bit.
        matched: the templates that match, in words.
        mean: of the ensemble, in float64.
        threshold: what it must exceed, or not.
        margin: distance to the threshold; negative on its wrong side.
        rounding: bound on the error of a float32 evaluation.
    """

    bit_name: str
    matched: tuple[str, ...]
    mean: float
    threshold: float
    margin: float
    rounding: float

    @property
    def guaranteed(self) -> float:
        """What is left of the margin; if positive, every float32 evaluation decides right."""
        return self.margin - self.rounding


@dataclasses.dataclass(frozen=True, eq=False)
class ComponentDecisions:
    """All possible match sets of one component, and what the ensemble makes of them.

    Args:
        component: its templates and bits.
        num_inputs: n0.
        matched: the sets, one a row; shape (sets, templates).
        thresholds: with which the decisions are taken; shape (sets, bits).
        wrong: decisions on the wrong side of the threshold, evaluated in float64.
        unsure: decisions on the right side, but by less than the rounding error.
        smallest_margin: smallest distance to the threshold, infinite if nothing ever matches.
        largest_rounding: largest bound on the error of a float32 evaluation.
        tightest: the decision that comes closest.
        unproven: by how matrix products are taken (`rounding.PRODUCTS`), the decisions that are
            wrong or right by less than the error then allowed for.
    """

    component: Component
    num_inputs: int
    matched: Bool[np.ndarray, "s t"]
    thresholds: Float64[np.ndarray, "s o"]
    wrong: int
    unsure: int
    smallest_margin: float
    largest_rounding: float
    tightest: Tightest
    unproven: Mapping[str, int]

    @property
    def num_decisions(self) -> int:
        return len(self.matched) * len(self.component.bits)


@dataclasses.dataclass(frozen=True, eq=False)
class CompleteCertificate:
    """Every decision that an ensemble can ever be asked for, or, joint, on given executions.

    Args:
        ensemble: the networks.
        invariants: what is assumed of states; every step preserves it.
        components: the lists, one for each learning problem.
        executions: on what the match sets were met, for a joint ensemble; empty for all states.
        seconds: time to make it.
    """

    ensemble: Ensemble
    invariants: tuple[AtMost, ...]
    components: tuple[ComponentDecisions, ...]
    executions: tuple[ProgramRun, ...] = ()
    seconds: float = 0.0

    @property
    def problem(self) -> LearningProblem:
        return self.ensemble.problem

    @property
    def num_sets(self) -> int:
        return sum(len(one.matched) for one in self.components)

    @property
    def num_decisions(self) -> int:
        return sum(one.num_decisions for one in self.components)

    @property
    def wrong(self) -> int:
        return sum(one.wrong for one in self.components)

    @property
    def unsure(self) -> int:
        return sum(one.unsure for one in self.components)

    @property
    def exact(self) -> bool:
        """Whether the learned update equals the program's on everything that is listed."""
        return self.wrong == self.unsure == 0

    @property
    def unproven(self) -> dict[str, int]:
        """Decisions that are not proven right, by how matrix products are taken."""
        return {
            name: sum(one.unproven[name] for one in self.components) for name in rounding.PRODUCTS
        }

    @property
    def tightest(self) -> Tightest:
        return min((one.tightest for one in self.components), key=lambda found: found.guaranteed)

    @property
    def smallest_margin(self) -> float:
        return min(one.smallest_margin for one in self.components)

    @property
    def largest_rounding(self) -> float:
        return max(one.largest_rounding for one in self.components)

    @property
    def scope(self) -> str:
        """For what the listed decisions are all that there are."""
        return scope_of(self.problem.program.layout, self.invariants, self.executions)

    def verdict(self) -> str:
        """One sentence: exact, and on what; or what is missing."""
        if self.wrong:
            return (
                f"NOT EXACT: {self.wrong} of {self.num_decisions:,} decisions are wrong, first at "
                f"{self.tightest.bit_name}"
            )
        if self.unsure:
            return (
                f"NOT PROVEN: all {self.num_decisions:,} decisions are right, but {self.unsure} by less "
                f"than the rounding error of float32, first at {self.tightest.bit_name}"
            )
        if self.executions:
            return f"EXACT on {self.scope}: every decision that occurs there is right"
        kept = condition_of(self.problem.program.layout)
        return f"EXACT on {self.scope}: any number of nodes and steps{kept}"


def complete(
    ensemble: Ensemble,
    certificate: Certificate | None = None,
    *,
    all_states: bool = False,
    executions: Sequence[ProgramRun] = (),
    limit: int = MAX_SETS,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> CompleteCertificate:
    """Evaluates an ensemble on every match set that any state can have.

    Args:
        ensemble: trained networks without biases.
        certificate: gives the thresholds with which it runs; not needed if it is stored with some.
        all_states: assume nothing of states, not even what every step preserves.
        executions: instead of all states, the match sets that occur when the program itself runs:
            for a joint ensemble whose match sets over all states are too many.
        limit: most match sets of one component, see `match_sets`.
        report: called after every component with how many are done, and how many there are.

    Raises:
        CertificateError: biases; too many match sets to list; a certificate for another problem, or
            none where the ensemble has no thresholds of its own; thresholds below 0 for a bit that
            no network learns.
        EnsembleError: the certificate's thresholds are not those of the ensemble.
    """
    problem, config = ensemble.problem, ensemble.config
    if config.bias_std:
        raise CertificateError(
            f"a complete certificate is for networks without biases, not bias_std {config.bias_std}"
        )
    thresholds = _running(ensemble, certificate)
    _check_unlearned(problem, thresholds)
    start = time.perf_counter()
    invariants = NOTHING if all_states or executions else problem.program.kept_invariants
    occurring = sets_on(problem, executions) if executions else None
    listed = []
    for index, component in enumerate(problem.components):
        if occurring is not None:
            matched = occurring[index]
        else:
            matched = _listed_sets(problem, component, invariants, limit)
        listed.append(judged(ensemble, index, matched, thresholds))
        report(len(listed), len(problem.components))
    return CompleteCertificate(
        ensemble,
        invariants,
        tuple(listed),
        tuple(executions),
        time.perf_counter() - start,
    )


def _running(ensemble: Ensemble, certificate: Certificate | None) -> Float32[np.ndarray, "k m"]:
    """The thresholds with which the ensemble runs."""
    if certificate is None:
        if ensemble.thresholds is None:
            raise CertificateError(
                "this ensemble was not stored with thresholds; give the certificate with which it runs"
            )
        return ensemble.thresholds
    if certificate.problem != ensemble.problem:
        raise CertificateError("the ensemble and the certificate are for different problems")
    return shared_by(ensemble.thresholds, certificate)


def _check_unlearned(problem: LearningProblem, thresholds: Float32[np.ndarray, "k m"]) -> None:
    """Raises CertificateError unless bits that no network learns, whose output is 0, are 0."""
    wrong = (problem.component_of_bit < 0) & ~(thresholds >= 0).all(axis=1)
    if wrong.any():
        bit = int(np.flatnonzero(wrong)[0])
        raise CertificateError(
            f"no network learns bit {problem.program.layout.bit_names[bit]}, whose output is 0, but it "
            f"runs with a threshold of {thresholds[bit].min():g}"
        )


def _listed_sets(
    problem: LearningProblem, component: Component, invariants: Invariants, limit: int
) -> Bool[np.ndarray, "s t"]:
    entries = [problem.program.templates[t] for t in component.templates]
    try:
        return all_match_sets(entries, invariants, limit=limit)
    except CertificateError as error:
        bit = problem.program.layout.bit_names[component.bits[0]]
        hint = "; name a graph to cover instead" if problem.kind == "joint" else ""
        raise CertificateError(f"bit {bit}: {error}{hint}") from None


def judged(
    ensemble: Ensemble,
    index: int,
    matched: Bool[np.ndarray, "s t"],
    thresholds: Float32[np.ndarray, "k m"],
) -> ComponentDecisions:
    """The decisions of one component on its match sets.

    Args:
        ensemble: the networks.
        index: which component.
        matched: its match sets.
        thresholds: those that run, by bit and number of matches.
    """
    problem, program = ensemble.problem, ensemble.problem.program
    component = problem.components[index]
    decided = decisions_of(ensemble, index, matched, thresholds)
    errors = {name: decided.evaluation.error_with(name) for name in rounding.PRODUCTS}
    error, distance = errors["float32"], decided.distance
    left = distance - error
    # Not a number is neither right nor wide enough.
    row, column = np.unravel_index(np.argmin(np.nan_to_num(left, nan=-np.inf)), left.shape)
    tightest = Tightest(
        bit_name=program.layout.bit_names[component.bits[column]],
        matched=tuple(
            program.describe(component.templates[t]) for t in np.flatnonzero(matched[row])
        ),
        mean=float(decided.evaluation.mean[row, column]),
        threshold=float(decided.thresholds[row, column]),
        margin=float(distance[row, column]),
        rounding=float(error[row, column]),
    )
    return ComponentDecisions(
        component=component,
        num_inputs=int(problem.num_inputs[index]),
        matched=matched,
        thresholds=decided.thresholds,
        wrong=int((~decided.right).sum()),
        unsure=int((decided.right & ~(left > 0)).sum()),
        smallest_margin=float(distance.min()),
        largest_rounding=float(error.max()),
        tightest=tightest,
        unproven={name: int((~(distance > bound)).sum()) for name, bound in errors.items()},
    )
