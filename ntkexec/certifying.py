"""Certificates for programs, for instances and for stored ensembles.

They are kept in the process by the program's digest and whatever else they depend on, and so are the
bounds on matches, whose integer programmes take most of the time: a second run certifies nothing anew.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Hashable
from typing import Any

import numpy as np

from ntkexec.ensemble import Ensemble, Manifest
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.executor.reachable import measured_bound
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.programs import Instance
from ntkexec.runtime import keywords, stages
from ntkexec.runtime.keeping import Kept, read_only
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.dot_product import TWO_LAYER_RELU, DotProductKernel
from ntkexec.theory.match_bound import MatchBound, given_bound, state_bound
from ntkexec.theory.padding import padded
from ntkexec.theory.union_bound import check_odds
from ntkexec.vocabulary import CONVENTIONS, Convention, Draw, Kind, Padding

DECISIONS = 1_000_000
"""Bits decided in runs of which nothing is known yet."""

MOST_KEPT = 64
"""Certificates, and bounds, that are kept."""

BOUNDS: Kept[MatchBound] = Kept(MOST_KEPT)
CERTIFICATES: Kept[Certificate] = Kept(MOST_KEPT)


@dataclasses.dataclass(frozen=True)
class Certifying:
    """How a program is certified: of which networks the certificate speaks, and for which states.

    Args:
        kind: one network for all templates (`joint`), or one for every bit (`factored`).
        bound: what bounds the matches, see `bound_for`. By default all valid states; for a joint
            network on an instance, whose many templates make that bound slow and loose, the states
            that occur.
        padding: padding templates for every network; `auto` takes none for a factored program or
            thresholds by bit, which are certified without, and else what makes the ensemble cheapest.
        threshold: convention of the thresholds, see `ntkexec.theory.thresholds`; by default `bit`, or
            that of a stored ensemble.
        weight_std: standard deviation of the networks' weights at initialisation; by default 1, or
            that of a stored ensemble.
        draw: whether networks are trained, linearised, or gaussian; see `EnsembleConfig`.
        delta: probability of any wrong bit in all decisions, by a union bound with the spread of
            infinite width and margins that are less the bias of the networks' width, where it is
            known. The padding `auto` and the number of networks are chosen for it.
    """

    kind: Kind = "factored"
    bound: str | int | None = None
    padding: Padding = "auto"
    threshold: Convention | None = None
    weight_std: float | None = None
    draw: Draw = "trained"
    delta: float = 1e-3


def bound_for(problem: LearningProblem, bound: str | int, instance: Instance | None) -> MatchBound:
    """The bound on the matches that a certificate rests on.

    Args:
        problem: templates divided among networks.
        bound: `states` for all valid states, `graph` for those that occur on the instance, a
            number for m <= that number.
        instance: what is executed, needed for `graph`.

    Raises:
        CertificateError: another word, or `graph` without an instance.
    """
    if isinstance(bound, int):
        return given_bound(problem, bound)
    of_problem = (problem.program.digest, problem.kind, problem.padding)
    if bound == "states":
        return BOUNDS.get(of_problem, functools.partial(state_bound, problem))
    if bound != "graph":
        raise CertificateError(f"the bound on matches is states, graph or a number, not {bound!r}")
    if instance is None:
        raise CertificateError("the bound 'graph' needs a graph; use 'states' or a number")
    return BOUNDS.get(
        (*of_problem, *_execution_of(instance)),
        functools.partial(
            measured_bound,
            problem,
            instance.graphs,
            num_steps=instance.num_steps,
            label=instance.executed_graph.label,
        ),
    )


@keywords.shows_fields_of(Certifying)
@stages.stage("certifying")
def certify(
    program: Program,
    certifying: Certifying | None = None,
    *,
    num_decisions: int | None = None,
    instance: Instance | None = None,
    given_thresholds: np.ndarray | None = None,
    kernel: DotProductKernel = TWO_LAYER_RELU,
    **fields: Any,
) -> Certificate:
    """The certificate of a program.

    Args:
        program: what is to be learned.
        certifying: how it is certified; by default as `Certifying` says.
        num_decisions: how many bits are decided; by default those of the instance, or a million.
        instance: what is executed, for the bound `graph`.
        given_thresholds: those of a stored ensemble, by bit and number of matches, instead.
        kernel: of the networks. Other ones than the two-layer ReLU network without biases are
            certified at infinite width alone: no engine runs them.
        fields: single fields of `Certifying`, such as `kind` and `delta`.

    Raises:
        CertificateError: delta or num_decisions out of range, or see `bound_for`.
    """
    asked = dataclasses.replace(certifying or Certifying(), **fields)
    if num_decisions is None:
        num_decisions = DECISIONS if instance is None else instance.num_decisions
    check_odds(asked.delta, num_decisions)
    joint_run = asked.kind == "joint" and instance is not None
    bound = ("graph" if joint_run else "states") if asked.bound is None else asked.bound
    problem = LearningProblem(program, asked.kind, 0 if asked.padding == "auto" else asked.padding)
    if given_thresholds is not None:
        # A copy: the caller may go on writing into the array, and the certificate is kept.
        given_thresholds = read_only(np.array(given_thresholds))

    def bare() -> Certificate:
        return Certificate(
            problem,
            bound_for(problem, bound, instance),
            weight_std=1.0 if asked.weight_std is None else asked.weight_std,
            convention="bit" if asked.threshold is None else asked.threshold,
            draw=asked.draw,
            given_thresholds=given_thresholds,
            kernel=kernel,
        )

    key = (
        *_shown_of(program),
        *(problem.kind, problem.padding, bound),
        *(asked.weight_std, asked.threshold, asked.draw, kernel),
        None if given_thresholds is None else _digest(given_thresholds),
        *(_execution_of(instance) if bound == "graph" and instance is not None else ()),
    )
    certificate = CERTIFICATES.get(key, bare)
    without = certificate.certified and (
        asked.kind == "factored" or certificate.convention == "bit"
    )
    if asked.padding == "auto" and not without:
        # Only the choice of the padding asks how many decisions there are.
        return CERTIFICATES.get(
            (*key, asked.delta, num_decisions),
            functools.partial(padded, certificate, delta=asked.delta, num_decisions=num_decisions),
        )
    return certificate


def _shown_of(program: Program) -> tuple[Hashable, ...]:
    """What a certificate depends on, and what it shows, of a program: names are not in its digest."""
    return program.digest, program.name, program.halt, tuple(t.label for t in program.templates)


def _execution_of(instance: Instance) -> tuple[Hashable, ...]:
    """What a bound that is measured on an instance depends on, and what it calls it."""
    graphs = instance.graphs
    arrays = (graphs.nodes, graphs.senders, graphs.receivers, graphs.n_node)
    return _digest(*arrays), instance.num_steps, instance.executed_graph.label


def _digest(*arrays: Any) -> str:  # Any: whatever is an array
    """SHA-256 of shapes, types and numbers."""
    found = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        found.update(f"{array.dtype} {array.shape};".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def certify_instance(
    instance: Instance, certifying: Certifying | None = None, **fields: Any
) -> Certificate:
    """The certificate of an instance's program, for as many decisions as it takes.

    Args:
        instance: what is executed.
        certifying: how it is certified; by default as `Certifying` says.
        fields: single fields of it, and other arguments of `certify`.

    Raises:
        CertificateError: as for `certify`.
    """
    return certify(
        instance.program,
        certifying,
        num_decisions=instance.num_decisions,
        instance=instance,
        **fields,
    )


def certify_stored(
    networks: Ensemble, manifest: Manifest, instance: Instance, certifying: Certifying
) -> Certificate:
    """The certificate of a stored ensemble, for its kind of network and the thresholds it runs with.

    Args:
        networks: the ensemble.
        manifest: what it says of itself.
        instance: what is executed.
        certifying: gives bound and delta, and the convention that is asked for, if any.

    Raises:
        EnsembleError: another convention is asked for than the one it was stored with.
        CertificateError: as for `certify`.
    """
    stored = manifest.convention
    if certifying.threshold not in (None, stored):
        raise EnsembleError(
            f"the ensemble runs with the thresholds {stored!r} that it was stored with, not "
            f"{certifying.threshold!r}"
        )
    problem, config = networks.problem, networks.config
    return certify_instance(
        instance,
        certifying,
        kind=problem.kind,
        padding=problem.padding,
        threshold=stored if stored in CONVENTIONS else "bit",
        weight_std=config.weight_std,
        draw=config.draw,
        given_thresholds=networks.thresholds,
    )
