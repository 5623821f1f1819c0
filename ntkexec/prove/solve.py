"""Whether a formula has a model, by a solver."""

from ntkexec.recheck.theorem.obligation import Formula

# CaDiCaL 1.9.5 gave the shortest proofs of what python-sat brings (glucose, lingeling, minisat).
SOLVER = "cadical195"


def model_of(formula: Formula) -> list[bool] | None:
    """Values under which every clause is true, by variable, index 0 being none; None if there are none."""
    from pysat.solvers import Solver

    with Solver(name=SOLVER, bootstrap_with=formula.clauses) as solver:
        if not solver.solve():
            return None
        true = set(solver.get_model())
    return [False, *(number in true for number in range(1, formula.num_variables + 1))]
