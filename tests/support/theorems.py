"""Obligations of theorems in tests: what is proved, what fails."""

from collections.abc import Mapping
from typing import Any

from ntkexec.complete.storage import program_data
from ntkexec.program.program import Program
from ntkexec.prove.solve import model_of
from ntkexec.recheck import program as rechecked
from ntkexec.recheck.theorem.obligation import Obligation
from ntkexec.recheck.theorem.statements import STATEMENTS
from ntkexec.recheck.theorem.theorem import Theorem


def as_rechecked(program: Program) -> rechecked.Program:
    """The program as `recheck` sees it."""
    return rechecked.parse_program(program_data(program))


def theorem_of(
    name: str, program: Program, sizes: Mapping[str, int], specification: Any = None
) -> Theorem:
    """What the statement says about a program."""
    return STATEMENTS[name](as_rechecked(program), sizes, specification)


def failing(obligation: Obligation) -> list[str]:
    """The parts that do not follow from the assumptions."""
    return [part for part in obligation.parts if model_of(obligation.formula(part)) is not None]


def vacuous(obligation: Obligation) -> bool:
    """Whether the assumptions contradict each other, so that anything follows."""
    return model_of(obligation.formula(None)) is None
