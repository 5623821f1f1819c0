"""Formulas without a model are refuted, in proofs that are checked; others give their model."""

import itertools
import random

import pytest

from ntkexec.errors import SatisfiableError
from ntkexec.prove.refutation import refute
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem import lrat
from ntkexec.recheck.theorem.obligation import Formula


def models(formula):
    """All of them, by trying everything."""
    for values in itertools.product((False, True), repeat=formula.num_variables):
        if all(any(values[abs(one) - 1] == (one > 0) for one in own) for own in formula.clauses):
            yield [False, *values]


def drawn(random_source, most_variables=7):
    """A formula near the threshold of 3-SAT, with shorter clauses, doubles and tautologies."""
    n = random_source.randint(1, most_variables)
    literals = [sign * variable for variable in range(1, n + 1) for sign in (1, -1)]
    count = random_source.randint(1, 5 * n)
    return Formula(
        n,
        [
            random_source.choices(literals, k=random_source.choice((2, 3, 3, 3, 1)))
            for _ in range(count)
        ],
    )


def pigeons(count):
    """So many pigeons in one hole fewer, no two in one: Haken (1985)."""
    holes = range(count - 1)
    at = {pair: i for i, pair in enumerate(itertools.product(range(count), holes), 1)}
    clauses = [[at[pigeon, hole] for hole in holes] for pigeon in range(count)]
    for hole, (a, b) in itertools.product(holes, itertools.combinations(range(count), 2)):
        clauses.append([-at[a, hole], -at[b, hole]])
    return Formula(len(at), clauses)


def test_what_has_a_model_by_trial_has_one_and_all_else_a_proof():
    source = random.Random(1)
    counts = [0, 0]
    for _ in range(600):
        formula = drawn(source)
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
    # With one hole more they do.
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
    formula = pigeons(5)
    assert refute(formula) == refute(formula)
