"""Bounds on the matches: integer programming against the enumeration of all states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import (
    MANY,
    TYPE_CHECKED_STRATEGIES,
    all_states,
    expected_bits,
    keeps,
    matched_table,
    small_programs,
    valid_states,
    written_table,
)

from ntkexec.errors import CertificateError
from ntkexec.program.fields import Flag, OneHot, Table
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs.graph import flooding
from ntkexec.theory import compatible_sets
from ntkexec.theory.match_bound import NEVER, given_bound, state_bound
from ntkexec.vocabulary import KINDS
from proofs_check.fixtures.programs import collision_program

pytestmark = TYPE_CHECKED_STRATEGIES

PROBLEMS = st.builds(LearningProblem, small_programs(max_templates=12), st.sampled_from(KINDS))


def counts(problem, states):
    """Matches of every component and active writers of every bit, (states, c) and (states, k)."""
    matched = matched_table(problem.program, states)
    count = np.stack(
        [matched[:, list(c.templates)].sum(axis=1) for c in problem.components], axis=1
    )
    return count, matched.astype(int) @ written_table(problem.program)


def violations(problem, bound, states):
    """Decisions for a 1 that the bound says cannot be."""
    count, active = counts(problem, states)
    found = []
    for bit, owner in enumerate(problem.component_of_bit.tolist()):
        for m, a in {*zip(count[:, owner].tolist(), active[:, bit].tolist(), strict=True)}:
            allowed = bound.min_matched_writers[bit, m]
            if a and (m > bound.max_matches[owner] or allowed == NEVER or a < allowed):
                found.append((bit, m, a))
    return found


def states_that_keep(program):
    """States that keep what the program provably keeps of its layout's promises."""
    states = all_states(program.layout.num_bits)
    return states[keeps(program.kept_invariants, states)]


@MANY
@given(PROBLEMS)
def test_the_largest_number_of_matches_is_that_of_the_enumeration(problem):
    program = problem.program
    everywhere = all_states(program.layout.num_bits)
    for only_valid, states in ((True, states_that_keep(program)), (False, everywhere)):
        bound = state_bound(problem, only_valid=only_valid)
        count, _ = counts(problem, states)
        np.testing.assert_array_equal(bound.max_matches, count.max(axis=0))


@MANY
@given(PROBLEMS)
def test_no_state_has_fewer_active_writers_than_the_bound_says(problem):
    layout = problem.program.layout
    assert not violations(problem, state_bound(problem), states_that_keep(problem.program))
    everywhere = all_states(layout.num_bits)
    assert not violations(problem, state_bound(problem, only_valid=False), everywhere)
    assert not violations(problem, given_bound(problem, problem.max_matches), everywhere)


@MANY
@given(PROBLEMS)
def test_nor_has_any_state_that_follows_a_valid_one(problem):
    bound, program = state_bound(problem), problem.program
    states = valid_states(program.layout)
    for _ in range(4):
        assert not violations(problem, bound, states)
        states = np.unique(expected_bits(program, states), axis=0)


def test_a_program_that_breaks_its_layouts_promise_is_certified_for_what_it_does():
    """A step that sets all choices of a one-hot field matches all that read them in the next."""
    layout = Layout((OneHot("choice", 12), Flag("go"), Flag("any"), Flag("none")))
    choices = layout.bits("choice")
    any_choice, none = layout.bit("any"), layout.bit("none")
    templates = (
        template({layout.bit("go"): 1}, choices),
        *(template({bit: 1}, [any_choice]) for bit in choices),
        template({layout.bit("go"): 0}, [none]),
    )
    problem = LearningProblem(Program("all at once", layout, templates), "joint")
    bound = state_bound(problem)
    assert bound.max_matches.tolist() == [13]
    assert bound.basis == "all states (integer programming)"
    start = layout.pack(1, {"choice": -1, "go": True})
    after = expected_bits(problem.program, start)
    assert counts(problem, after)[0].tolist() == [[13]]
    assert not violations(problem, bound, after)
    # The twin: a program that keeps one choice is certified for one choice.
    kept = (*(template({bit: 1}, [bit, any_choice]) for bit in choices), templates[-1])
    bound = state_bound(LearningProblem(Program("kept", layout, kept), "joint"))
    assert bound.max_matches.tolist() == [2]
    assert "where choice is one-hot, which every step keeps" in bound.basis


@MANY
@given(PROBLEMS, st.integers(1, 4))
def test_a_given_bound_covers_exactly_the_states_with_so_few_matches(problem, max_matches):
    bound = given_bound(problem, max_matches)
    states = all_states(problem.program.layout.num_bits)
    count, active = counts(problem, states)
    owner = problem.component_of_bit
    within = [
        not any(active[i, b] and count[i, owner[b]] > max_matches for b in range(len(owner)))
        for i in range(len(states))
    ]
    assert not violations(problem, bound, states[within])
    sizes = [len(component.templates) for component in problem.components]
    assert bound.max_matches.tolist() == [min(size, max_matches) for size in sizes]
    for state in states[np.logical_not(within)]:
        assert violations(problem, bound, state[None])


@pytest.mark.parametrize(("writers", "others"), [(2, 1), (3, 4), (5, 3)])
def test_the_bound_is_attained_in_the_worst_state(writers, others):
    problem = LearningProblem(collision_program(writers, others), "joint")
    bound = state_bound(problem)
    target = problem.program.layout.bit("target")
    assert bound.max_matches.tolist() == [others + 1]
    assert bound.min_matched_writers[target].tolist() == [
        NEVER,
        *[1] * (others + 1),
        *[NEVER] * (writers - 1),
    ]
    # A bound that is lower by one does not cover the worst state.
    valid = all_states(problem.program.layout.num_bits)
    assert not violations(problem, bound, valid)
    assert violations(problem, given_bound(problem, others), valid)


def test_matches_outside_the_writers_leave_the_rest_to_the_writers():
    # Three writers and one other template: of m matches at least m - 1 write the bit.
    layout = Layout(tuple(Flag(f"b{i}") for i in range(5)))
    templates = [template({i: 1}, [4]) for i in range(3)] + [template({3: 1}, [3])]
    problem = LearningProblem(Program("p", layout, tuple(templates)), "joint")
    bound = state_bound(problem)
    assert bound.min_matched_writers[4].tolist() == [NEVER, 1, 1, 2, 3]
    assert bound.min_matched_writers[3].tolist() == [NEVER, 1, 1, 1, 1]
    assert (bound.min_matched_writers[:3] == NEVER).all()


def test_invariants_lower_the_bound_and_are_named():
    layout = Layout(
        (OneHot("colour", 4), Flag("seen")), (Table("inbox", 4, (Flag("full"),), occupied=2),)
    )
    templates = [template({bit: 1}, [4]) for bit in (*range(4), *range(5, 9))]
    problem = LearningProblem(Program("p", layout, tuple(templates)))
    valid, everywhere = state_bound(problem), state_bound(problem, only_valid=False)
    assert valid.max_matches.tolist() == [1 + 2]
    assert everywhere.max_matches.tolist() == [8]
    assert "colour is one-hot" in valid.basis
    assert "at most 2 slots of inbox are occupied" in valid.basis
    assert everywhere.basis == "all states (integer programming)"
    assert given_bound(problem, 5).basis == "given: m <= 5"


def test_contradicting_conditions_never_match_together():
    layout = Layout((Flag("a"), Flag("b"), Flag("c")))
    # A cycle in which each template excludes the next: at most one of three.
    conditions = [{0: 1, 1: 0}, {1: 1, 2: 0}, {2: 1, 0: 0}]
    templates = tuple(template(when, [0]) for when in conditions)
    assert state_bound(LearningProblem(Program("p", layout, templates))).max_matches.tolist() == [1]
    templates += (template({}, [0]),)
    assert state_bound(LearningProblem(Program("p", layout, templates))).max_matches.tolist() == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_of_a_small_flooding_program_is_that_of_the_enumeration(kind):
    program = flooding.program(degree=1, slots=2, message_bits=1, arrival_bits=1)
    problem = LearningProblem(program, kind)
    count, _ = counts(problem, valid_states(program.layout))
    np.testing.assert_array_equal(state_bound(problem).max_matches, count.max(axis=0))


@pytest.mark.parametrize("max_matches", [0, -3])
def test_a_bound_below_one_is_refused(max_matches):
    problem = LearningProblem(collision_program(2, 1))
    with pytest.raises(CertificateError, match=f"is at least 1, got {max_matches}"):
        given_bound(problem, max_matches)
    given_bound(problem, 1)


def test_a_search_without_time_still_gives_a_bound(monkeypatch):
    monkeypatch.setattr(compatible_sets, "MOST_TEMPLATES", 0)
    problem = LearningProblem(collision_program(5, 3), "joint")
    hurried, exact = state_bound(problem, time_limit=0.0), state_bound(problem)
    assert (hurried.max_matches >= exact.max_matches).all()
    assert "upper bound" in hurried.basis
