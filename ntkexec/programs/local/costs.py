"""What the theorem says of a compiled LOCAL algorithm: how large everything is, with its bound."""

import dataclasses
import math
from typing import Any

from ntkexec.programs.local.algorithm import Gather
from ntkexec.programs.local.compiler import Compiled, steps_counted
from ntkexec.programs.local.tabulation import TableSize
from ntkexec.programs.local.types import Optional
from ntkexec.theory.certificate import Certificate


@dataclasses.dataclass(frozen=True)
class Cost:
    """Sizes of a compiled algorithm and their bounds.

    Args:
        rounds: T.
        templates: size of the training set, n0.
        templates_bound: what it is at most; None where a body in the instruction language, which
            may be anything, stands in for a table, and for a `Gather`.
        state_bits: K.
        state_bits_bound: likewise.
        steps_per_round: r.
        steps_per_round_bound: likewise.
        steps: T * r.
        ensemble_size: networks per learning problem that the certificate asks for.
        ensemble_size_bound: 8 n0 log(decisions / delta), from a variance of at most n0 times the
            squared mean and a threshold at half the mean.
        tables: the functions that were tabulated.
    """

    rounds: int
    templates: int
    templates_bound: int | None
    state_bits: int
    state_bits_bound: int | None
    steps_per_round: int
    steps_per_round_bound: int | None
    steps: int
    ensemble_size: int
    ensemble_size_bound: int
    tables: tuple[TableSize, ...]

    def to_data(self) -> dict[str, Any]:
        """The sizes as plain data."""
        return dataclasses.asdict(self)


def cost(
    compiled: Compiled,
    certificate: Certificate,
    *,
    rounds: int,
    num_decisions: int,
    delta: float = 1e-3,
) -> Cost:
    """The sizes of a compiled algorithm, counted, beside their bounds as formulas.

    With S and M the bits of a state and of an optional message, P = max(1, D) ports, s slots and A
    addresses (P if messages are addressed, else 1):

        r  <= 3 + (P for every Fold, 1 for every other stage)
        K  <= r + s (1 + P) + P^2 + S + M (A s + P + A)
        n0 <= r + s (1 + P) + P^2 + S + M (A s + A s P + P) + cases * output bits, over all tables

    Args:
        compiled: the algorithm and its program.
        certificate: of the program.
        rounds: T.
        num_decisions: bits decided in a run.
        delta: probability of any wrong bit to allow for.

    Raises:
        CertificateError: not certified, or delta or num_decisions out of range.
    """
    program, algorithm = compiled.program, compiled.algorithm
    ports, slots = max(1, compiled.degree), compiled.slots
    addresses = ports if algorithm.addressed else 1
    state, message = algorithm.state.num_bits, Optional(algorithm.message).num_bits
    r = steps_counted(algorithm, compiled.degree)
    constants = r + slots * (1 + ports) + ports**2 + state
    tables = sum(
        table.cases * (message if table.function.startswith("send") else state)
        for table in compiled.tables
    )
    bits = constants + message * (addresses * slots + ports + addresses)
    templates = constants + message * (addresses * slots * (1 + ports) + ports) + tables
    has_body = any(
        isinstance(stage, Gather) or getattr(stage, "body", None) is not None
        for stage in algorithm.stages
    )
    learned = int(certificate.problem.num_inputs.max())
    return Cost(
        rounds=rounds,
        templates=program.num_templates,
        templates_bound=None if has_body else templates,
        state_bits=program.layout.num_bits,
        state_bits_bound=None if has_body else bits,
        steps_per_round=compiled.steps_per_round,
        steps_per_round_bound=None if has_body else r,
        steps=rounds * compiled.steps_per_round,
        ensemble_size=certificate.ensemble_size(delta=delta, num_decisions=num_decisions),
        ensemble_size_bound=math.ceil(8 * learned * math.log(num_decisions / delta)),
        tables=compiled.tables,
    )
