"""Sums of products against truth tables, and what `minimise` promises of its result."""

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY

from ntkexec.language import cubes
from ntkexec.language.logic import FALSE, TRUE, Sum, all_of, any_of, literal, minimise

BITS = "abcde"
ASSIGNMENTS = [
    dict(zip(BITS, values)) for values in itertools.product((False, True), repeat=len(BITS))
]

terms = st.dictionaries(st.sampled_from(BITS), st.booleans()).map(lambda d: frozenset(d.items()))
term_lists = st.lists(terms, max_size=8)
sums = term_lists.map(lambda found: Sum(frozenset(found)))


def truth(function):
    """The value at every assignment, by the definition of a sum of products."""
    return [
        any(all(state[bit] == value for bit, value in term) for term in function.terms)
        for state in ASSIGNMENTS
    ]


def without_literals(function):
    """The function with one literal of one term left out, in every way."""
    for term in function.terms:
        for entry in term:
            yield Sum(function.terms - {term} | {term - {entry}})


def is_irredundant(function):
    """Whether every term and every literal is needed."""
    table = truth(function)
    fewer_terms = (Sum(function.terms - {term}) for term in function.terms)
    smaller = itertools.chain(fewer_terms, without_literals(function))
    return all(truth(other) != table for other in smaller)


@MANY
@given(sums, sums)
def test_and_or_not_and_value_agree_with_truth_tables(one, other):
    table, others = truth(one), truth(other)
    assert truth(one & other) == [a and b for a, b in zip(table, others)]
    assert truth(one | other) == [a or b for a, b in zip(table, others)]
    assert truth(~one) == [not a for a in table]
    assert [one.value(state) for state in ASSIGNMENTS] == table


@MANY
@given(st.lists(sums, max_size=4))
def test_any_of_and_all_of_agree_with_truth_tables(functions):
    tables = [truth(function) for function in functions]
    assert truth(any_of(functions)) == [any(row[i] for row in tables) for i in range(32)]
    assert truth(all_of(functions)) == [all(row[i] for row in tables) for i in range(32)]


@MANY
@given(sums, sums)
def test_no_result_holds_a_contradiction_or_a_term_that_another_absorbs(one, other):
    for function in (one & other, one | other, ~one):
        for term in function.terms:
            assert len({bit for bit, _ in term}) == len(term)
            assert not any(wider < term for wider in function.terms)


def test_constants_and_literals():
    assert all(truth(TRUE))
    assert not any(truth(FALSE))
    assert truth(literal("b")) == [state["b"] for state in ASSIGNMENTS]
    assert truth(literal("b", False)) == [not state["b"] for state in ASSIGNMENTS]
    assert any_of([]) == FALSE
    assert all_of([]) == TRUE
    assert ~TRUE == FALSE
    assert ~FALSE == TRUE


@MANY
@given(sums)
def test_bits_are_those_that_occur_and_the_value_depends_on_no_other(function):
    assert function.bits == {bit for term in function.terms for bit, _ in term}
    for state, value in zip(ASSIGNMENTS, truth(function)):
        read = {bit: state[bit] for bit in function.bits}
        assert function.value(read) == value


@MANY
@given(sums, st.sampled_from(BITS))
def test_possible_drops_just_the_impossible_terms(function, forbidden):
    kept = function.possible(lambda term: (forbidden, True) in term)
    assert kept.terms == {term for term in function.terms if (forbidden, True) not in term}


def test_a_condition_has_no_truth_value():
    for function in (TRUE, FALSE, literal("a")):
        for use in (bool, lambda f: not f, lambda f: f and TRUE, lambda f: 1 if f else 0):
            with pytest.raises(TypeError, match="no truth value"):
                use(function)


@MANY
@given(sums)
def test_minimise_keeps_the_function_and_leaves_nothing_redundant(function):
    smallest = minimise(function)
    assert truth(smallest) == truth(function)
    assert is_irredundant(smallest)
    assert len(smallest.terms) <= len(function.terms)
    assert minimise(smallest) == smallest


def test_the_check_of_irredundance_can_fail():
    a, b, c = (literal(bit) for bit in "abc")
    assert not is_irredundant(Sum((a | (~a & b)).terms))  # ~a can be dropped
    assert not is_irredundant((a & b) | (~a & c) | (b & c))  # b & c is the consensus of the others
    assert is_irredundant((a & b) | (~a & c))


def test_minimise_finds_the_known_forms():
    a, b, c = (literal(bit) for bit in "abc")
    assert minimise((a & b) | (a & ~b)) == a
    assert minimise(a | ~a) == TRUE
    assert minimise(a | (~a & b)) == a | b
    assert minimise((a & b) | (~a & c) | (b & c)) == (a & b) | (~a & c)
    assert minimise(FALSE) == FALSE


def test_minimise_of_every_function_of_three_bits():
    states = list(itertools.product((False, True), repeat=3))
    points = [frozenset(zip("abc", state)) for state in states]
    for chosen in itertools.product((False, True), repeat=8):
        function = Sum(frozenset(p for p, one in zip(points, chosen) if one))
        smallest = minimise(function)
        assert truth(smallest) == truth(function)
        assert is_irredundant(smallest)
        assert len(smallest.terms) <= 4  # parity needs four, no function of three bits needs more


@MANY
@given(term_lists.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_minimise_does_not_depend_on_the_order_of_terms(case):
    found, permuted = (Sum(frozenset(order)) for order in case)
    assert minimise(found) == minimise(permuted)


def plain_minimise(function):
    """The same two steps on sets of literals, with containment by trying every assignment."""

    def order(term):
        return -len(term), sorted(map(repr, term))

    def holds_wherever(terms, term):
        return all(
            any(all(state[b] == v for b, v in other) for other in terms)
            for state in ASSIGNMENTS
            if all(state[b] == v for b, v in term)
        )

    terms = sorted(function.terms, key=order)
    for index, term in enumerate(terms):
        for entry in sorted(term, key=repr):
            if holds_wherever(set(terms), terms[index] - {entry}):
                terms[index] = terms[index] - {entry}
    kept = {term for term in terms if not any(other < term for other in terms)}
    for term in sorted(kept, key=order):
        if holds_wherever(kept - {term}, term):
            kept.remove(term)
    return kept


@MANY
@given(sums)
def test_minimise_gives_the_very_terms_of_the_plain_algorithm(function):
    # Not only an equivalent sum: programs, and so their digests, must not change with its speed.
    absorbed = function | FALSE
    assert minimise(absorbed).terms == plain_minimise(absorbed)


literal_sets = st.sets(st.tuples(st.integers(0, 5), st.booleans()), max_size=4).map(frozenset)


@MANY
@given(st.lists(literal_sets, max_size=60))
def test_absorb_keeps_the_terms_of_which_no_other_is_a_part(found):
    assert cubes.absorb(found) == {t for t in found if not any(other < t for other in found)}


def run_python(source, seed):
    """What a program prints in a process of its own, with the given hash seed."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_minimise_does_not_depend_on_the_hash_seed():
    source = """
import random
from ntkexec.language.logic import Sum, minimise
rng = random.Random(0)
for _ in range(200):
    terms = [{b: rng.random() < .5 for b in rng.sample("abcde", rng.randint(1, 4))} for _ in range(7)]
    found = minimise(Sum(frozenset(frozenset(t.items()) for t in terms)))
    print(sorted(sorted(term) for term in found.terms))
"""
    printed = {run_python(source, seed) for seed in (0, 1, 2)}
    assert len(printed) == 1
    assert printed.pop().count("\n") == 200


@pytest.fixture
def count_covers(monkeypatch):
    """Counts how many cubes `minimise` asks about, Shannon expansion included."""
    calls = []
    decide = cubes.is_tautology

    def counting(products):
        calls.append(products)
        assert len(calls) < 100_000, "minimise takes exponentially many steps"
        return decide(products)

    monkeypatch.setattr(cubes, "is_tautology", counting)
    return calls


def test_minimise_is_quick_on_a_priority_choice_among_twenty(count_covers):
    # The function has 2^20 rows: nothing may enumerate them.
    c = [literal(f"c{i}") for i in range(20)]
    first = [one & ~any_of(c[:index]) for index, one in enumerate(c)]
    assert minimise(any_of(first)) == any_of(c)
    for product in first:
        assert minimise(product) == product
    assert len(count_covers) < 20_000


def test_minimise_is_quick_where_a_kept_bit_is_set_by_priority(count_covers):
    c, state, ready = [literal(f"c{i}") for i in range(19)], literal("s"), literal("r")
    first = c[-1] & ~any_of(c[:-1])
    function = (first & ready) | (state & ~(first & ready))
    smallest = minimise(function)
    assert smallest == (first & ready) | state
    assert len(count_covers) < 5_000


def test_minimise_is_quick_where_any_of_many_conditions_sets_a_kept_bit(count_covers):
    # As `reached` in breadth-first search. Splitting on every condition would take 2^20 steps,
    # since both halves are true; a bit that occurs with one value only needs no split.
    c, reached = [literal(f"c{i}") for i in range(20)], literal("r")
    assert minimise(reached | (any_of(c) & ~reached)) == reached | any_of(c)
    assert len(count_covers) < 5_000


def test_minimise_is_quick_on_a_function_with_exponentially_many_primes(count_covers):
    # Each of the 2^10 products that take a_i or b_i for every i is a prime of this function.
    a = [literal(f"a{i}") for i in range(10)]
    b = [literal(f"b{i}") for i in range(10)]
    function = all_of(a) | any_of(~one & other for one, other in zip(a, b))
    assert len(minimise(function).terms) == 11
    assert len(count_covers) < 5_000
