"""Proofs that a formula has no model."""

from ntkexec.errors import SatisfiableError
from ntkexec.prove.elaboration import NoPropagationError, elaborate
from ntkexec.prove.solve import SOLVER, solver_of, values_of
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
    with solver_of(formula, name, with_proof=True) as solver:
        values = values_of(solver, formula)
        if values is not None:
            raise SatisfiableError("the formula has a model", values)
        return list(solver.get_proof())
