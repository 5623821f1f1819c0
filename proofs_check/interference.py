"""The interference criterion is sharp: right everywhere inside it, wrong somewhere outside."""

from collections.abc import Iterator

import jax.numpy as jnp

from ntkexec import predictor
from ntkexec.certificate import Certificate
from ntkexec.check import Check, Measurement, Scale
from ntkexec.encoding import encode
from ntkexec.engines import decide, kernel_engine
from ntkexec.match_bound import state_bound
from ntkexec.problem import LearningProblem
from ntkexec.template import Program
from proofs_check.programs import collision_program, worst_state

MAX_WRITERS = 24
OTHERS = range(2, 12)


def edge_cases() -> Iterator[tuple[Program, bool]]:
    """Programs just inside and just outside w - 1 < C(m, n0), and which of the two they are."""
    for others in OTHERS:
        for writers in range(1, MAX_WRITERS):
            capacity = float(predictor.capacity(others + 1, writers + others))
            # C rises with n0 = w + others more slowly than w does: there is one crossing.
            if not writers - 1 < capacity:
                yield collision_program(writers - 1, others), True
                yield collision_program(writers, others), False
                break


def wrong_bits(certificate: Certificate) -> int:
    """Bits that the infinite ensemble gets wrong in the worst state, whichever writer it picks."""
    engine = kernel_engine(certificate)
    wrong = 0
    program = certificate.problem.program
    for pick in range(int(program.num_writers[program.layout.bit("target")])):
        matches = encode(engine.encoding, jnp.asarray(worst_state(program, pick)).T)
        wrong += int((decide(engine, matches).bits != (matches.active > 0)).sum())
    return wrong


def certificate_of(program: Program) -> Certificate:
    """The certificate of one network for the whole program, in all states."""
    problem = LearningProblem(program, "joint")
    return Certificate(problem, state_bound(problem))


def measure_inside(scale: Scale) -> Measurement:
    """Wrong bits of programs inside the criterion."""
    return Measurement(sum(wrong_bits(certificate_of(p)) for p, inside in edge_cases() if inside))


def measure_outside(scale: Scale) -> Measurement:
    """Programs outside the criterion that nevertheless make no mistake."""
    outside = [p for p, inside in edge_cases() if not inside]
    return Measurement(sum(wrong_bits(certificate_of(p)) == 0 for p in outside))


INSIDE = Check(
    name="interference-inside",
    claim="if w - 1 < C(m, n0) for every bit, no bit of any state is wrong",
    source="sign of a alpha + (w - a) beta at a = 1",
    how="wrong bits of the infinite ensemble in the worst states of programs one writer inside",
    bound=0,
    bound_from="the claim is exact",
    measure=measure_inside,
)

OUTSIDE = Check(
    name="interference-outside",
    claim="if w - 1 >= C(m, n0) for some bit with a state of m matches, that state goes wrong",
    source="sign of a alpha + (w - a) beta at a = 1",
    how="programs one writer outside in whose worst states no bit is wrong",
    bound=0,
    bound_from="the claim is exact",
    measure=measure_outside,
)
