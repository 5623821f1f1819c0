"""The listed match sets are those of all states, no more and no fewer."""

import numpy as np
import pytest
from hypothesis import given
from support.programs import (
    MANY,
    TYPE_CHECKED_STRATEGIES,
    all_states,
    is_valid,
    matched_table,
    small_programs,
)

from ntkexec.errors import CertificateError
from ntkexec.program.fields import Flag, OneHot, Word
from ntkexec.program.layout import Layout, Table
from ntkexec.program.match_sets import all_match_sets
from ntkexec.program.templates import template
from ntkexec.recheck.program import mask, possible_sets

pytestmark = TYPE_CHECKED_STRATEGIES


def brute_force(program, states):
    matched = matched_table(program, states)
    return set((matched @ (1 << np.arange(matched.shape[1], dtype=object))).tolist())


def masks(*arguments, **options):
    """The listed sets as numbers, the first template the lowest bit."""
    sets = all_match_sets(*arguments, **options)
    return (sets @ (1 << np.arange(sets.shape[1], dtype=object))).tolist()


def independently(program, invariants):
    assumed = [(one.bound, tuple(map(mask, one.groups))) for one in invariants]
    return possible_sets([dict(t.condition) for t in program.templates], assumed)


@MANY
@given(small_programs())
def test_over_all_states_they_are_those_of_every_assignment_of_the_bits(program):
    expected = brute_force(program, all_states(program.layout.num_bits))
    found = masks(program.templates)
    assert found == sorted(expected)
    assert independently(program, ()) == expected


@MANY
@given(small_programs())
def test_over_valid_states_they_are_those_of_every_valid_state(program):
    states = all_states(program.layout.num_bits)
    valid = states[[is_valid(program.layout, state) for state in states]]
    expected = brute_force(program, valid)
    found = masks(program.templates, program.layout.invariants)
    assert found == sorted(expected)
    assert independently(program, program.layout.invariants) == expected


def test_overlapping_invariants_are_both_counted():
    fields = (Flag("full"), OneHot("choice", 2))
    layout = Layout((), (Table("inbox", 3, fields, occupied=1),))
    entries = [template({b: 1}, [b]) for b in range(layout.num_bits)]
    found = all_match_sets(entries, layout.invariants).reshape(-1, 3, 3)
    assert len(found) == 1 + 3 * (2 * 3 - 1)
    assert (found.any(axis=2).sum(axis=1) <= 1).all()
    assert (found[..., 1:].sum(axis=2) <= 1).all()


def test_sets_leave_out_what_cannot_be():
    layout = Layout((OneHot("choice", 3), Word("free", 2), Flag("out")))
    choice, free, out = layout.bits("choice"), layout.bits("free"), layout.bit("out")
    entries = [
        *(template({bit: 1}, [out]) for bit in choice),
        template({free[0]: 1}, [out]),
        template({free[0]: 0, free[1]: 1}, [out]),
    ]
    # None or one of three choices, and nothing or one of two that contradict each other.
    assert len(all_match_sets(entries, layout.invariants)) == 4 * 3
    # Without the invariant any of the choices may hold at once.
    assert len(all_match_sets(entries)) == 8 * 3


def test_too_many_sets_are_refused():
    layout = Layout((Word("state", 12),))
    entries = [template({b: 1}, [b]) for b in range(layout.num_bits)]
    assert len(all_match_sets(entries, limit=4096)) == 4096
    with pytest.raises(CertificateError, match="12 templates over 12 bits are too many"):
        all_match_sets(entries, limit=4095)


def test_too_many_templates_are_refused():
    entries = [template({0: 1, b: 1}, [b]) for b in range(1, 66)]
    with pytest.raises(CertificateError, match="up to 64 templates can be listed, not of 65"):
        all_match_sets(entries)
    # Of a one-hot field no two bits are set, so of bit 0 and another never both.
    one_hot = Layout((OneHot("one", 66),)).invariants
    assert masks([template({b: 1}, [b]) for b in range(64)], one_hot) == [
        0,
        *(1 << b for b in range(64)),
    ]
