"""Certificates for programs and instances, and the networks that they ask for."""

import math
from typing import Any, Literal

import numpy as np

from ntkexec.ensemble import Descent, Draw, Ensemble, EnsembleConfig, Manifest, limits
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.executor.reachable import measured_bound
from ntkexec.program.problem import Kind, LearningProblem
from ntkexec.program.program import Program
from ntkexec.programs import Instance
from ntkexec.runtime import stages
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate, check_odds
from ntkexec.theory.match_bound import MatchBound, given_bound, state_bound
from ntkexec.theory.padding import padded
from ntkexec.vocabulary import CONVENTIONS, Convention

MIN_WIDTH = 1024
# A network's kernel is close to its limit if it is much wider than its training set is large.
WIDTH_PER_TEMPLATE = 16


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
    if bound == "states":
        return state_bound(problem)
    if bound != "graph":
        raise CertificateError(f"the bound on matches is states, graph or a number, not {bound!r}")
    if instance is None:
        raise CertificateError("the bound 'graph' needs a graph; use 'states' or a number")
    graphs, label = instance.graphs, instance.graph.label
    return measured_bound(problem, graphs, num_steps=instance.num_steps, label=label)


@stages.stage("certifying")
def certify(
    program: Program,
    *,
    kind: Kind = "factored",
    bound: str | int | None = None,
    padding: int | Literal["auto"] = "auto",
    delta: float = 1e-3,
    num_decisions: int,
    instance: Instance | None = None,
    threshold: Convention = "bit",
    weight_std: float = 1.0,
    draw: Draw = "trained",
    given_thresholds: np.ndarray | None = None,
) -> Certificate:
    """The certificate of a program.

    Args:
        program: what is to be learned.
        kind: one network for all templates, or one for every bit.
        bound: see `bound_for`. By default all valid states; for a joint network on an instance,
            whose many templates make that bound slow and loose, the states that occur.
        padding: padding templates for every network; `auto` takes none for a factored program or
            thresholds by bit, which are certified without, and else what makes the ensemble cheapest.
        delta: probability of an error to choose it for.
        num_decisions: how many bits are decided.
        instance: what is executed, for the bound `graph`.
        threshold: convention of the thresholds, see `ntkexec.theory.thresholds`.
        weight_std: standard deviation of the networks' weights at initialisation.
        draw: how they are drawn; see `EnsembleConfig`.
        given_thresholds: those of a stored ensemble, by bit and number of matches, instead.

    Raises:
        CertificateError: delta or num_decisions out of range, or see `bound_for`.
    """
    check_odds(delta, num_decisions)
    if bound is None:
        bound = "graph" if kind == "joint" and instance is not None else "states"
    problem = LearningProblem(program, kind, 0 if padding == "auto" else padding)
    certificate = Certificate(
        problem,
        bound_for(problem, bound, instance),
        weight_std=weight_std,
        convention=threshold,
        draw=draw,
        given_thresholds=given_thresholds,
    )
    without = certificate.certified and (kind == "factored" or threshold == "bit")
    if padding == "auto" and not without:
        return padded(certificate, delta=delta, num_decisions=num_decisions)
    return certificate


def certify_stored(
    networks: Ensemble, manifest: Manifest, *, threshold: Convention | None = None, **options: Any
) -> Certificate:
    """The certificate of a stored ensemble, for its kind of network and the thresholds it runs with.

    Args:
        networks: the ensemble.
        manifest: what it says of itself.
        threshold: the convention that is asked for, if any.
        options: bound, delta, num_decisions and instance, as for `certify`.

    Raises:
        EnsembleError: another convention is asked for than the one it was stored with.
        CertificateError: as for `certify`.
    """
    stored = manifest.convention
    if threshold is not None and threshold != stored:
        raise EnsembleError(
            f"the ensemble runs with the thresholds {stored!r} that it was stored with, not "
            f"{threshold!r}"
        )
    problem, config = networks.problem, networks.config
    return certify(
        problem.program,
        kind=problem.kind,
        padding=problem.padding,
        threshold=stored if stored in CONVENTIONS else "bit",
        weight_std=config.weight_std,
        draw=config.draw,
        given_thresholds=networks.thresholds,
        **options,
    )


def default_width(certificate: Certificate, descent: Descent = "auto") -> int:
    """The width that training uses if none is asked for.

    It grows with the problem's size, and is at least what keeps the bias of a finite width small
    against every margin, where that is known; see `ntkexec.theory.at_width`.
    """
    problem = certificate.problem
    largest = max(max(s.num_inputs, s.num_outputs) for s in problem.stacks)
    width = MIN_WIDTH * math.ceil(WIDTH_PER_TEMPLATE * largest / MIN_WIDTH)
    needed = AtWidth(certificate, width, descent).width_needed()
    if needed.covered and needed.value > width:
        width = MIN_WIDTH * math.ceil(needed.value / MIN_WIDTH)
    return width


def at_width(
    certificate: Certificate, width: int | None = None, descent: Descent = "auto"
) -> AtWidth:
    """What a certificate says of networks of a width, by default `default_width`.

    Raises:
        EnsembleError: a width below 1.
    """
    if width is not None and width < 1:
        raise EnsembleError(f"width must be at least 1, got {width}")
    if width is None:
        width = default_width(certificate, descent)
    return AtWidth(certificate, width, descent)


def ensemble_config(
    finite: AtWidth, *, members: int | None, seed: int, delta: float, num_decisions: int
) -> EnsembleConfig:
    """How to draw networks of that width: as many as are asked for, or what delta needs.

    Raises:
        CertificateError: the bias of that width eats a margin.
    """
    certificate = finite.certificate
    if members is None:
        members = finite.ensemble_size(delta=delta, num_decisions=num_decisions)
    else:
        finite.require()
    config = EnsembleConfig(
        members=members,
        width=finite.width,
        weight_std=certificate.weight_std,
        seed=seed,
        draw=certificate.draw,
        descent=finite.descent,  # type: ignore[arg-type]
    )
    limits.check_ensemble(certificate.problem, config)
    return config
