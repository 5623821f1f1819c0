"""Obligations of theorems in tests: what is proved, what fails."""

from collections.abc import Mapping, Sequence
from typing import Any

from pysat.solvers import Solver

from ntkexec.complete.storage import program_data
from ntkexec.program.program import Program
from ntkexec.prove.solve import SOLVER, model_of
from ntkexec.recheck import program as rechecked
from ntkexec.recheck.theorem.circuit import TRUE
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


def dropped(program: rechecked.Program, every: int = 1) -> list[rechecked.Program]:
    """The program without one of its templates, for every so manieth of them."""
    each = range(0, len(program.templates), every)
    kept = (program.templates[:i] + program.templates[i + 1 :] for i in each)
    return [program._replace(templates=templates) for templates in kept]


def refuted(build: Any, names: Sequence[str], program: rechecked.Program, sizes: Any) -> bool:
    """Whether some obligation of these, the likeliest first, does not hold of a program."""
    obligations = (build(name, program, sizes) for name in names)
    return any(model_of(o.formula(part)) is not None for o in obligations for part in o.parts)


class Possible:
    """Whether the assumptions of an obligation allow given values of its inputs."""

    def __init__(self, obligation: Obligation) -> None:
        clauses = [[TRUE], *([literal] for literal, _ in obligation.assumptions)]
        for output, gate in obligation.circuit.gates.items():
            clauses += gate.clauses(output)
        self.inputs = obligation.inputs
        self.solver = Solver(name=SOLVER, bootstrap_with=clauses)

    def __call__(self, **values: int) -> bool:
        fixed = [
            bit if values[name] >> place & 1 else -bit
            for name in values
            for place, bit in enumerate(self.inputs[name])
        ]
        return bool(self.solver.solve(assumptions=fixed))
