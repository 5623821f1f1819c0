"""Only what every step preserves is assumed of states."""

import pytest
from hypothesis import given
from support.programs import (
    MANY,
    TYPE_CHECKED_STRATEGIES,
    all_states,
    expected_bits,
    keeps,
    small_programs,
)

from ntkexec import pipeline
from ntkexec.program.layout import Flag, Layout, OneHot, Table
from ntkexec.program.program import Program, template
from ntkexec.program.promises import promises_kept

pytestmark = TYPE_CHECKED_STRATEGIES


@MANY
@given(small_programs())
def test_no_step_leads_out_of_what_is_promises_kept(program):
    invariants = promises_kept(program)
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
    assert promises_kept(program) == CHOICE.invariants


def test_a_choice_that_two_templates_write_at_once_is_not_assumed():
    entries = (template({0: 1}, [0]), template({2: 1}, [1]))
    assert promises_kept(Program("p", CHOICE, entries)) == ()


def test_promises_that_rest_on_a_broken_one_fall_with_it():
    layout = Layout((OneHot("first", 2), OneHot("second", 2), Flag("go")))
    follow = [template({0: 1}, [2]), template({1: 1}, [3])]
    sound = Program("p", layout, (*follow, template({4: 1}, [0])))
    assert promises_kept(sound) == layout.invariants
    broken = Program("p", layout, (*follow, template({4: 1}, [0]), template({2: 0}, [1])))
    assert promises_kept(broken) == ()


def test_a_node_that_writes_two_slots_voids_the_bound_on_occupied_slots():
    layout = Layout((OneHot("colour", 3),), (Table("inbox", 3, (Flag("full"),), occupied=2),))
    own = [template({s: 1}, [3 + s]) for s in range(3)]
    assert len(promises_kept(Program("p", layout, tuple(own)))) == 2
    both = [*own[:2], template({2: 1}, [4, 5])]
    assert layout.invariants[1] not in promises_kept(Program("p", layout, tuple(both)))


@pytest.mark.parametrize("name", ["flooding", "bfs", "dfs", "bellman-ford"])
def test_of_the_algorithms_only_the_search_sends_more_than_one_node_can_see(name):
    algorithm = pipeline.find_algorithm(name)
    program = algorithm.program(**algorithm.sizes(degree=3, word=3))
    promised = {one.reason for one in program.layout.invariants}
    kept = {one.reason for one in promises_kept(program)}
    assert {one for one in promised if one.startswith(("colour", "phase"))} <= kept
    # The search's token is one in the whole graph, which no node can see.
    assert ("at most 4 slots of inbox are occupied" in kept) == (name != "dfs")
