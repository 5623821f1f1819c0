"""Formulas without a model are refuted, in proofs that are checked; others give their model."""

import multiprocessing
import pickle
import random

import pytest

from ntkexec.errors import MissingExtraError, ProofError, SatisfiableError
from ntkexec.prove import refutation
from ntkexec.prove.elaboration import NoPropagationError, elaborate
from ntkexec.prove.pool import refutations
from ntkexec.prove.refutation import refute
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem import lrat
from ntkexec.recheck.theorem.obligation import Formula
from tests.support.formulas import drawn_formula, models, pigeons


def test_what_has_a_model_by_trial_has_one_and_all_else_a_proof():
    source = random.Random(1)
    counts = [0, 0]
    for _ in range(600):
        formula = drawn_formula(source)
        model = next(models(formula), None)
        counts[model is None] += 1
        if model is None:
            lrat.check(formula.clauses, refute(formula))
        else:
            with pytest.raises(SatisfiableError) as raised:
                refute(formula)
            assert raised.value.model in models(formula)
    assert min(counts) > 100


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_pigeons_do_not_fit(count):
    formula = pigeons(count)
    lrat.check(formula.clauses, refute(formula))
    # With one hole more for one of them they do.
    free = formula.num_variables + 1
    fits = Formula(free, [[*formula.clauses[0], free], *formula.clauses[1:]])
    with pytest.raises(SatisfiableError):
        refute(fits)
    with pytest.raises(Rejected):
        lrat.check(fits.clauses, refute(formula))


@pytest.mark.parametrize("clauses", [[[]], [[1], [-1]], [[1, 1], [-1, -1]], [[1, -1], [2], []]])
def test_formulas_that_need_no_search(clauses):
    formula = Formula(2, clauses)
    assert refute(formula).count("\n") == 1
    lrat.check(clauses, refute(formula))


def test_a_formula_has_one_proof():
    assert refute(pigeons(5)) == refute(pigeons(5))


# What a solver may say that is no derivation by units.

# (1 or 2) and its like over two variables, and a third variable that nothing speaks of.
SQUARE = Formula(3, [[1, 2], [1, -2], [-1, 2], [-1, -2]])


def test_a_proof_by_hand_is_trimmed_and_numbered_on():
    proof = ["c a comment", "3 1 0", "1 0", "d 1 2 0", "d 9 0", "0"]
    assert elaborate(SQUARE, proof) == "5 1 0 1 2 0\n6 2 0 5 3 0\n7 0 5 6 4 0\n"


def test_forgotten_clauses_do_not_derive_anything():
    with pytest.raises(ProofError, match="empty clause"):
        elaborate(SQUARE, ["d 1 2 0", "d 1 -2 0", "-1 0"])


@pytest.mark.parametrize(
    ("proof", "error"),
    [
        # Satisfies as many as before (it is RAT), but follows from nothing.
        (["3 0", "0"], NoPropagationError),
        (["0"], NoPropagationError),
        (["4 0"], NoPropagationError),
        ([], ProofError),
        (["1 2 0"], ProofError),
    ],
)
def test_what_does_not_follow_by_units_is_no_proof(proof, error):
    clauses = [*SQUARE.clauses[:3], [-1, -2, -3]]
    with pytest.raises(error):
        elaborate(Formula(3, clauses), proof)


def test_where_one_solver_goes_beyond_units_another_proves(monkeypatch):
    asked = []

    def proof(formula, name=refutation.SOLVER):
        asked.append(name)
        return ["0"] if name == refutation.SOLVER else ["1 0", "0"]

    monkeypatch.setattr(refutation, "solver_proof", proof)
    lrat.check(SQUARE.clauses, refute(SQUARE))
    assert asked == [refutation.SOLVER, refutation.PLAIN]


def test_every_solver_that_is_asked_proves():
    formula = pigeons(4)
    for name in (refutation.SOLVER, refutation.PLAIN):
        lrat.check(formula.clauses, elaborate(formula, refutation.solver_proof(formula, name)))


def test_without_the_solvers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pysat.solvers", None)
    with pytest.raises(MissingExtraError, match=r"python-sat: install ntkexec\[prove\] \(in a"):
        refute(SQUARE)


# Several at once.


@pytest.mark.parametrize("jobs", [1, 2])
def test_proofs_come_in_the_order_of_their_formulas(jobs):
    formulas = [pigeons(count) for count in (5, 2, 4, 3)]
    proofs = list(refutations(formulas, jobs))
    assert proofs == [refute(formula) for formula in formulas]
    with pytest.raises(SatisfiableError) as raised:
        list(refutations([Formula(2, [[1], [-2]])], jobs))
    assert raised.value.model == [False, True, False]


def test_formulas_are_taken_as_they_are_needed():
    taken = []
    proofs = refutations((taken.append(count) or pigeons(count) for count in (2, 3, 4)), 1)
    next(proofs)
    assert taken == [2]


def test_processes_end_when_nobody_waits_for_them_any_more():
    # Twelve pigeons take longer than anybody would wait.
    proofs = refutations([pigeons(3), pigeons(12), pigeons(12)], 2)
    assert next(proofs) == refute(pigeons(3))
    proofs.close()
    assert multiprocessing.active_children() == []


def test_no_jobs_are_no_way_to_prove():
    with pytest.raises(ProofError, match="0 jobs"):
        next(refutations([], 0))


def test_a_model_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(SatisfiableError("it has one", [False, True])))
    assert (str(error), error.model) == ("it has one", [False, True])
