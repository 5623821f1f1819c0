"""The interference criterion is sharp: right everywhere inside it, wrong somewhere outside."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping

import jax.numpy as jnp
import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.engines.kernel import KernelEngine, kernel_engine
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.theory import kernel, predictor
from ntkexec.theory.certificate import Certificate
from proofs_check.fixtures import threshold_tables
from proofs_check.fixtures.programs import (
    all_matches,
    collision_program,
    random_program,
    solved_means,
    worst_state,
)

MAX_WRITERS = 48
OTHERS: Mapping[Scale, range] = {
    "quick": range(2, 6),
    "standard": range(2, 12),
    "full": range(2, 20),
}
ROUNDING = 1e-13
FEWEST_BEYOND = 1000


def edge_cases(scale: Scale, shift: float = 0.0) -> Iterator[tuple[Program, bool]]:
    """Programs just inside and just outside w - 1 < C(m, n0), and which of the two they are.

    Args:
        scale: how many.
        shift: added to C, for counter-cases.
    """
    for others in OTHERS[scale]:
        for writers in range(1, MAX_WRITERS):
            capacity = float(predictor.capacity(others + 1, writers + others)) + shift
            # C rises with n0 = w + others more slowly than w does: there is one crossing.
            if not writers - 1 < capacity:
                yield collision_program(writers - 1, others), True
                yield collision_program(writers, others), False
                break


def wrong_bits(certificate: Certificate) -> int:
    """Bits that the infinite ensemble gets wrong in the worst state, whichever writer it picks."""
    return _wrong_bits(kernel_engine(certificate), certificate.problem.program)


def _wrong_bits(engine: KernelEngine, program: Program) -> int:
    wrong = 0
    for pick in range(int(program.num_writers[program.layout.bit("target")])):
        matches = encode(engine.encoding, jnp.asarray(worst_state(program, pick)).T)
        wrong += int((decide(engine, matches).bits != (matches.matched_writers > 0)).sum())
    return wrong


def certificate_of(program: Program) -> Certificate:
    """The certificate of one network for the whole program, in all states."""
    return threshold_tables.shared(LearningProblem(program, "joint"))


def measure_inside(scale: Scale, shift: float = 0.0) -> Measurement:
    """Wrong bits of programs inside the criterion."""
    cases = edge_cases(scale, shift)
    return Measurement(sum(wrong_bits(certificate_of(p)) for p, inside in cases if inside))


def measure_outside(scale: Scale, shift: float = 0.0) -> Measurement:
    """Programs outside the criterion that nevertheless make no mistake."""
    outside = [p for p, inside in edge_cases(scale, shift) if not inside]
    return Measurement(sum(wrong_bits(certificate_of(p)) == 0 for p in outside))


def measure_random(scale: Scale, factor: float = 1.0) -> Measurement:
    """Bits of random programs whose decision in the mean is not what the criterion says.

    Every state of every program is evaluated, by solving with the Gram matrix. At threshold 0 a bit
    that must be 1 comes out right exactly if a alpha > (w - a) |beta|, any other bit always. Every
    second program has a bit with so many writers that it is often on the far side. Decisions on that
    side that are fewer than `FEWEST_BEYOND` count as surprises too: without them nothing is tested.
    """
    rng = np.random.default_rng(1)
    surprises = decisions = beyond = 0
    for number in range({"quick": 150, "standard": 600, "full": 6000}[scale]):
        program = random_program(rng, crowded=number % 2 == 1)
        matched = all_matches(program)
        _, targets = program.training_set()
        m, n0 = matched.sum(axis=1), program.num_templates
        means = solved_means(program, matched)
        active = matched.astype(int) @ targets
        alpha, beta = predictor.coefficients(m, n0)
        pull = factor * (targets.sum(axis=0)[None] - active) * np.abs(beta)[:, None]
        claimed = (active == 0) | (active * alpha[:, None] > pull)
        right = (means > ROUNDING) == (active > 0)
        surprises += int((claimed != right).sum())
        decisions += claimed.size
        beyond += int((~right).sum())
    missing = max(0, FEWEST_BEYOND - beyond)
    return Measurement(
        surprises + missing, details={"decisions": decisions, "beyond the criterion": beyond}
    )


def measure_several(_: Scale, writers: int = 18, active: int = 4) -> Measurement:
    """Mean of a bit outside the criterion at 4 matches, by a linear solve.

    Args:
        writers: w of the bit; all templates but the matches that do not write it.
        active: writers among the four matches; in counter-cases one.
    """
    matches = 4
    n0 = writers + matches - active
    matched = np.zeros((1, n0))
    matched[0, [*range(active), *range(writers, n0)]] = matches**-0.5
    target = np.zeros(n0)
    target[:writers] = 1
    mean = kernel.ntk(matched) @ np.linalg.solve(kernel.ntk(np.eye(n0)), target)
    capacity = float(predictor.capacity(matches, n0))
    # Inside the criterion the case would show nothing.
    return Measurement(
        float(mean[0]) if writers - 1 >= capacity else math.nan,
        details={"w - 1": writers - 1, "C": capacity, "matched writers": active},
    )


def measure_threshold(scale: Scale, factor: float = 1.0) -> Measurement:
    """Wrong bits of programs inside the criterion under thresholds times a factor."""
    wrong = 0
    for program, inside in edge_cases(scale):
        if inside:
            engine = kernel_engine(certificate_of(program))
            engine = dataclasses.replace(engine, thresholds=factor * engine.thresholds)
            wrong += _wrong_bits(engine, program)
    return Measurement(wrong)


CHECKS = (
    Check(
        name="interference-inside",
        claim="if w - 1 < C(m, n0) for every bit, no bit of any state is wrong",
        formula=(
            r"w - 1 < C(m, n_0) = \frac{\lambda f_m + c (n_0 - m) \Delta_m}{c (m \Delta_m - \lambda)}"
            r" \;\Rightarrow\; \text{exact}"
        ),
        source="sign of a alpha + (w - a) beta at a = 1",
        how="wrong bits of the infinite ensemble in the worst states of programs one writer inside",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_inside,
        broken=functools.partial(measure_inside, shift=1.0),
    ),
    Check(
        name="interference-outside",
        claim="if w - 1 >= C(m, n0) for a bit, a state of m matches, one of them a writer, goes wrong",
        formula=r"w - 1 \ge C(m, n_0), \; a = 1 \;\Rightarrow\; \text{a wrong bit}",
        source="sign of a alpha + (w - a) beta at a = 1; with a > 1 it does not follow",
        how="programs one writer outside in whose worst states no bit is wrong",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_outside,
        broken=functools.partial(measure_outside, shift=-1.0),
    ),
    Check(
        name="interference-random",
        claim="a bit that must be 1 has a positive mean exactly if a alpha > (w - a) |beta|",
        formula=r"\mu > 0 \iff a \alpha > (w - a) |\beta|",
        source="mean a alpha + (w - a) beta",
        how="bits that contradict it, all 256 states of random programs, means by a linear solve; "
        f"at least {FEWEST_BEYOND:,} bits must lie on the far side",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_random,
        broken=functools.partial(measure_random, factor=1.2),
    ),
    Check(
        name="interference-several",
        claim="with several writers matched a bit can be right although w - 1 >= C(m, n0)",
        formula=r"w = n_0 = 18, \; m = a = 4: \quad w - 1 = 17 \ge C = 16.8, \quad \mu = 1.11",
        source="a alpha + (w - a) beta is positive if (w - a)/a < C: the criterion is for a = 1",
        how="mean of such a bit, by a linear solve",
        bound=1.0,
        bound_from="the value that training asks for; measured 1.11",
        relation="at least",
        measure=measure_several,
        broken=functools.partial(measure_several, writers=40, active=1),
    ),
    Check(
        name="threshold-half",
        claim="with the threshold at half the smallest mean of a 1 a certified program is exact",
        formula=r"\theta(m) = \tfrac{1}{2} \min_{\text{bits that are 1}} \mu",
        source="0-bits have means of at most 0",
        how="wrong bits in the worst states of programs one writer inside",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_threshold,
        broken=functools.partial(measure_threshold, factor=2.1),
    ),
)
