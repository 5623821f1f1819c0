"""The padding lemma: templates that never match make every conflict-free program exact."""

import dataclasses
import functools

from ntkexec.check import Check, Measurement, Scale
from ntkexec.theory.padding import padding_needed
from proofs_check.statements.interference import certificate_of, edge_cases, wrong_bits


def measure(scale: Scale, short: int = 0) -> Measurement:
    """Wrong bits, after padding, of programs that were outside the criterion before.

    Args:
        short: templates that the padding falls short by, for counter-cases.
    """
    wrong = 0
    for program, inside in edge_cases(scale):
        if not inside:
            plain = certificate_of(program)
            problem = dataclasses.replace(plain.problem, padding=padding_needed(plain) - short)
            wrong += wrong_bits(dataclasses.replace(plain, problem=problem))
    return Measurement(wrong)


CHECK = Check(
    name="padding",
    claim="padding raises C(m, n0) without bound, and so certifies any program with one threshold for all",
    formula=r"C(m, n_0) \to \infty \;\text{ as }\; n_0 \to \infty",
    source="C + 1 = (n0 + lambda/c) / (m - lambda/Delta_m); thresholds for each bit need no padding",
    how="wrong bits after padding, of programs that go wrong without",
    bound=0,
    bound_from="the claim is exact",
    measure=measure,
    broken=functools.partial(measure, short=1),
)
