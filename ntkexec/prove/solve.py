"""Whether a formula has a model, by a solver."""

from typing import Any

from ntkexec.errors import MissingExtraError
from ntkexec.recheck.theorem.obligation import Formula

# CaDiCaL 1.9.5 gave the shortest proofs of what python-sat brings (glucose, lingeling, minisat).
SOLVER = "cadical195"


def solver_of(formula: Formula, name: str = SOLVER, *, with_proof: bool = False) -> Any:
    """One of python-sat's solvers with the formula in it, to be closed, as `with` does.

    Raises:
        MissingExtraError: python-sat is not there.
    """
    try:
        from pysat.solvers import Solver
    except ImportError as error:
        raise MissingExtraError("proving needs python-sat: install ntkexec[prove]") from error
    return Solver(name=name, bootstrap_with=formula.clauses, with_proof=with_proof)


def values_of(solver: Any, formula: Formula) -> list[bool] | None:
    """Values of the formula in a solver, by variable, index 0 being none; None if there are none."""
    if not solver.solve():
        return None
    true = set(solver.get_model())
    return [False, *(number in true for number in range(1, formula.num_variables + 1))]


def model_of(formula: Formula) -> list[bool] | None:
    """Values under which every clause is true, by variable, index 0 being none; None if there are none.

    Raises:
        MissingExtraError: as `solver_of` does.
    """
    with solver_of(formula) as solver:
        return values_of(solver, formula)
