"""Proofs that a formula has no model."""

from typing import Any

from ntkexec.errors import MissingExtraError, SatisfiableError
from ntkexec.prove.elaboration import NoPropagationError, elaborate
from ntkexec.prove.solve import SOLVER
from ntkexec.recheck.theorem.obligation import Formula

# Without steps before and between searches, so that each of its clauses follows by unit propagation.
PLAIN = "glucose4"


def refute(formula: Formula) -> str:
    """A proof in LRAT that no values satisfy all clauses, trimmed.

    Raises:
        SatisfiableError: some do; it holds them.
        MissingExtraError: python-sat is not there.
    """
    try:
        return elaborate(formula, solver_proof(formula))
    except NoPropagationError:
        return elaborate(formula, solver_proof(formula, PLAIN))


def solver_proof(formula: Formula, name: str = SOLVER) -> list[str]:
    """The lines of a solver's own proof, in DRAT.

    Raises:
        SatisfiableError, MissingExtraError: as `refute` does.
    """
    try:
        from pysat.solvers import Solver
    except ImportError as error:
        raise MissingExtraError(
            'proving needs python-sat: pip install "ntkexec[prove]" from a checkout\'s path'
        ) from error
    solver: Any
    with Solver(name=name, bootstrap_with=formula.clauses, with_proof=True) as solver:
        if solver.solve():
            true = set(solver.get_model())
            values = [number in true for number in range(1, formula.num_variables + 1)]
            raise SatisfiableError("the formula has a model", [False, *values])
        return list(solver.get_proof())
