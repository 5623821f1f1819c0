"""What invariants allow, and that only what every step preserves is assumed of states."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import (
    FEW,
    MANY,
    TYPE_CHECKED_STRATEGIES,
    all_states,
    expected_bits,
    keeps,
    layouts,
    matched_table,
    small_programs,
    valid_states,
)

from ntkexec import pipeline
from ntkexec.program.fields import Flag, OneHot, Table
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template

pytestmark = TYPE_CHECKED_STRATEGIES


@FEW
@given(layouts(max_bits=8))
def test_ones_break_an_invariant_exactly_if_no_valid_state_has_them(layout):
    states, valid = all_states(layout.num_bits), valid_states(layout)
    for state in states:
        ones = np.flatnonzero(state).tolist()
        broken = layout.invariants.broken_by(ones)
        assert (broken is None) == valid[:, ones].all(axis=1).any()
        if broken is not None:
            assert not keeps([broken], state[None]).any()
            first = layout.invariants.index(broken)
            assert keeps(layout.invariants[:first], state[None]).all()


@MANY
@given(small_programs(max_bits=8))
def test_templates_are_compatible_exactly_if_some_valid_state_matches_both(program):
    matched = matched_table(program, valid_states(program.layout)).astype(int)
    together = matched.T @ matched > 0
    for (i, one), (j, other) in itertools.product(enumerate(program.templates), repeat=2):
        assert program.layout.invariants.compatible(one, other) == together[i, j]


@MANY
@given(layouts(max_bits=8), st.sets(st.integers(0, 7)))
def test_what_is_left_among_some_bits_says_the_same_of_states_without_others(layout, bits):
    left = layout.invariants.among(bits)
    states = all_states(layout.num_bits)
    others = [bit for bit in range(layout.num_bits) if bit not in bits]
    states = states[~states[:, others].any(axis=1)]
    np.testing.assert_array_equal(keeps(left, states), keeps(layout.invariants, states))
    # Nothing superfluous is left: every group can hold a 1, and every bound can be broken.
    for one in left:
        assert len(one.groups) > one.bound
        assert all(group and bits.issuperset(group) for group in one.groups)


@MANY
@given(small_programs())
def test_no_step_leads_out_of_what_is_kept(program):
    invariants = program.kept_invariants
    states = all_states(program.layout.num_bits)
    good = states[keeps(invariants, states)]
    after = expected_bits(program, good)
    first_message = program.layout.num_computation_bits
    own = [one for one in invariants if max(max(g) for g in one.groups) < first_message]
    assert keeps(own, after).all()
    # A node writes to one slot at most, so D + 1 nodes occupy D + 1 slots.
    for one in (one for one in invariants if one not in own):
        assert sum(after[:, list(group)].any(axis=1).astype(int) for group in one.groups).max() <= 1


CHOICE = Layout((OneHot("choice", 2), Flag("go")))


def test_a_choice_that_is_kept_stays_one():
    program = Program("p", CHOICE, (template({0: 1}, [0]), template({1: 1}, [1])))
    assert program.kept_invariants == CHOICE.invariants


def test_a_choice_that_two_templates_write_at_once_is_not_assumed():
    entries = (template({0: 1}, [0]), template({2: 1}, [1]))
    assert Program("p", CHOICE, entries).kept_invariants == ()


def test_promises_that_rest_on_a_broken_one_fall_with_it():
    layout = Layout((OneHot("first", 2), OneHot("second", 2), Flag("go")))
    follow = [template({0: 1}, [2]), template({1: 1}, [3])]
    sound = Program("p", layout, (*follow, template({4: 1}, [0])))
    assert sound.kept_invariants == layout.invariants
    broken = Program("p", layout, (*follow, template({4: 1}, [0]), template({2: 0}, [1])))
    assert broken.kept_invariants == ()


def test_a_node_that_writes_two_slots_voids_the_bound_on_occupied_slots():
    layout = Layout((OneHot("colour", 3),), (Table("inbox", 3, (Flag("full"),), occupied=2),))
    own = [template({s: 1}, [3 + s]) for s in range(3)]
    assert len(Program("p", layout, tuple(own)).kept_invariants) == 2
    both = [*own[:2], template({2: 1}, [4, 5])]
    assert layout.invariants[1] not in Program("p", layout, tuple(both)).kept_invariants


@pytest.mark.parametrize("name", ["flooding", "bfs", "dfs", "bellman-ford"])
def test_of_the_algorithms_only_the_search_sends_more_than_one_node_can_see(name):
    algorithm = pipeline.find_algorithm(name)
    program = algorithm.program(**algorithm.sizes(degree=3, word=3))
    promised = {one.reason for one in program.layout.invariants}
    kept = {one.reason for one in program.kept_invariants}
    assert {one for one in promised if one.startswith(("colour", "phase"))} <= kept
    # The search's token is one in the whole graph, which no node can see.
    assert ("at most 4 slots of inbox are occupied" in kept) == (name != "dfs")
