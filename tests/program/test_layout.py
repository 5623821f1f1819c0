"""Layouts: every value goes into its own columns and comes back."""

import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from support.programs import (
    FEW,
    MANY,
    TYPE_CHECKED_STRATEGIES,
    all_states,
    fields_with_columns,
    is_valid,
    layouts,
    layouts_with_values,
)

from ntkexec.errors import LayoutError
from ntkexec.program.fields import INVALID, Code, Flag, OneHot, Table, Word
from ntkexec.program.layout import Layout

pytestmark = TYPE_CHECKED_STRATEGIES

SMALL = Layout(
    (Flag("on"), Word("count", 3), Word("offset", 3, signed=True), OneHot("colour", 3)),
    (Table("inbox", 2, (Flag("full"), Word("message", 2), OneHot("kind", 2))),),
)


@MANY
@given(layouts_with_values())
def test_unpack_gives_back_what_pack_was_given(drawn):
    layout, num_nodes, values = drawn
    states = layout.pack(num_nodes, values)
    assert states.shape == (num_nodes, layout.num_bits)
    assert states.dtype == bool
    unpacked = layout.unpack(states)
    assert unpacked.keys() == values.keys() == set(layout.paths)
    for path, value in values.items():
        np.testing.assert_array_equal(unpacked[path], value)


@FEW
@given(layouts(max_bits=8))
def test_pack_gives_back_every_valid_state(layout):
    valid = [state for state in all_states(layout.num_bits) if is_valid(layout, state)]
    states = np.array(valid).reshape(len(valid), layout.num_bits)
    values = layout.unpack(states)
    np.testing.assert_array_equal(layout.pack(len(states), values), states)


@MANY
@given(layouts_with_values())
def test_pack_sets_the_bits_that_a_loop_over_the_fields_sets(drawn):
    layout, num_nodes, values = drawn
    expected = np.zeros((num_nodes, layout.num_bits), bool)
    for path, leaf, table, slots in fields_with_columns(layout):
        for node in range(num_nodes):
            for slot, columns in enumerate(slots):
                value = int(values[path][node, slot] if table else values[path][node])
                for place, column in enumerate(columns):
                    if isinstance(leaf, OneHot):
                        expected[node, column] = value == place
                    else:
                        # A code is one more than its value, so that 0 is none.
                        value += isinstance(leaf, Code) and place == 0
                        expected[node, column] = value % 2**leaf.num_bits >> place & 1
    np.testing.assert_array_equal(layout.pack(num_nodes, values), expected)


def test_a_field_that_is_left_out_is_all_zeros():
    assert not SMALL.pack(2, {}).any()
    np.testing.assert_array_equal(SMALL.unpack(SMALL.pack(2, {}))["inbox.kind"], -np.ones((2, 2)))


def test_values_broadcast_over_nodes_and_slots():
    fields = SMALL.unpack(SMALL.pack(2, {"count": 5, "inbox.message": np.array([[1], [2]])}))
    np.testing.assert_array_equal(fields["count"], [5, 5])
    np.testing.assert_array_equal(fields["inbox.message"], [[1, 1], [2, 2]])


@MANY
@given(layouts(max_bits=20))
def test_columns_are_disjoint_and_complete(layout):
    columns = []
    for path, leaf, table, slots in fields_with_columns(layout):
        for slot, expected in enumerate(slots):
            found = layout.bits(path, slot=slot if table else None)
            assert list(found) == expected
            assert [
                layout.bit(path, i, slot=slot if table else None) for i in range(leaf.num_bits)
            ] == expected
            columns += found
    assert sorted(columns) == list(range(layout.num_bits))
    assert layout.num_bits == layout.num_computation_bits + layout.num_message_bits
    computation = [path for path, *_ in fields_with_columns(Layout(layout.computation))]
    for path, _, _, slots in fields_with_columns(layout):
        is_computation = {column < layout.num_computation_bits for row in slots for column in row}
        assert is_computation == {path in computation}


@MANY
@given(layouts(max_bits=20))
def test_every_bit_has_a_name_of_its_own(layout):
    assert len(layout.bit_names) == layout.num_bits
    assert len(set(layout.bit_names)) == layout.num_bits
    assert all(layout.bit_names)


def test_bit_names_say_table_slot_field_and_place():
    names = SMALL.bit_names
    assert names[SMALL.bit("on")] == "on"
    assert names[SMALL.bit("count", 2)] == "count[2]"
    assert names[SMALL.bit("colour", 1)] == "colour[1]"
    assert names[SMALL.bit("inbox.full", slot=1)] == "inbox[1].full"
    assert names[SMALL.bit("inbox.message", 1, slot=0)] == "inbox[0].message[1]"


def holds(invariant, state):
    return sum(any(state[bit] for bit in group) for group in invariant.groups) <= invariant.bound


@MANY
@given(layouts_with_values())
def test_invariants_hold_for_every_packed_state(drawn):
    layout, num_nodes, values = drawn
    for state in layout.pack(num_nodes, values):
        assert all(holds(invariant, state) for invariant in layout.invariants)


@FEW
@given(layouts(max_bits=8))
def test_invariants_hold_exactly_for_the_valid_states(layout):
    for state in all_states(layout.num_bits):
        kept = all(holds(invariant, state) for invariant in layout.invariants)
        assert kept == is_valid(layout, state)


def test_invariants_say_which_field_promises_what():
    inbox = Table("inbox", 3, (Flag("full"), Word("message", 2)), occupied=2)
    layout = Layout((OneHot("colour", 2),), (inbox,))
    reasons = {invariant.reason: invariant for invariant in layout.invariants}
    assert reasons.keys() == {"colour is one-hot", "at most 2 slots of inbox are occupied"}
    assert reasons["colour is one-hot"].groups == ((0,), (1,))
    occupied = reasons["at most 2 slots of inbox are occupied"]
    assert occupied.bound == 2
    assert occupied.groups == ((2, 3, 4), (5, 6, 7), (8, 9, 10))
    unbounded = Table("inbox", 3, inbox.fields, occupied=3)
    assert not Layout((), (unbounded,)).invariants


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"count": [0, 8]},
            "value 8 of 'count' at node 1 does not fit: a word of 3 bits holds 0 to 7",
        ),
        ({"offset": [-5, 0]}, "value -5 of 'offset' at node 0 .* a word of 3 bits holds -4 to 3"),
        ({"on": [0, 2]}, "value 2 of 'on' at node 1 .* a flag of 1 bit holds 0 to 1"),
        ({"colour": [0, 3]}, "value 3 of 'colour' at node 1 .* a one-hot of 3 bits holds -1 to 2"),
        ({"colour": -2}, "value -2 of 'colour' at node 0"),
        ({"inbox.message": [[0, 3], [4, 0]]}, "value 4 of 'inbox.message' at node 1"),
        ({"nowhere": 1}, "no field 'nowhere'; the layout has on, count, .*inbox.kind"),
        ({"inbox": 1}, "no field 'inbox'"),
        ({"count": [1, 2, 3]}, r"field 'count' takes shape \(2,\), got \(3,\)"),
        ({"count": [[1, 2]]}, r"field 'count' takes shape \(2,\), got \(1, 2\)"),
        ({"inbox.full": [1, 0, 1]}, r"field 'inbox.full' takes shape \(2, 2\), got \(3,\)"),
        ({"count": 1.0}, "field 'count' takes whole numbers, got float64 values"),
        ({"count": "1"}, "field 'count' takes whole numbers"),
    ],
)
def test_pack_names_the_value_the_field_the_node_and_the_rule(values, message):
    with pytest.raises(LayoutError, match=message):
        SMALL.pack(2, values)


@given(st.data())
@FEW
def test_a_single_value_out_of_range_is_found_at_its_node(data):
    node = data.draw(st.integers(0, 4))
    values = np.zeros(5, int)
    values[node] = data.draw(st.integers(8, 2**40) | st.integers(-(2**40), -1))
    with pytest.raises(LayoutError, match=f"value {values[node]} of 'count' at node {node} "):
        SMALL.pack(5, {"count": values})
    values[node] = abs(values[node]) % 8
    np.testing.assert_array_equal(SMALL.unpack(SMALL.pack(5, {"count": values}))["count"], values)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: SMALL.bits("nowhere"), "no field 'nowhere'; the layout has on, count"),
        (lambda: SMALL.bits("inbox.full"), "field 'inbox.full' has slots 0 to 1, not None"),
        (lambda: SMALL.bits("inbox.full", slot=2), "field 'inbox.full' has slots 0 to 1, not 2"),
        (lambda: SMALL.bits("inbox.full", slot=-1), "field 'inbox.full' has slots 0 to 1, not -1"),
        (lambda: SMALL.bits("count", slot=0), "field 'count' has no slots, but slot 0 was asked"),
        (lambda: SMALL.bit("count", 3), "field 'count' has bits 0 to 2, not 3"),
        (lambda: SMALL.bit("count", -1), "field 'count' has bits 0 to 2, not -1"),
        (lambda: SMALL.bit("on", 1), "field 'on' has bits 0 to 0, not 1"),
    ],
)
def test_a_column_that_does_not_exist_is_refused(ask, message):
    with pytest.raises(LayoutError, match=message):
        ask()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Layout((Flag("a"), Word("a", 2))), "field 'a' is declared twice"),
        (lambda: Layout((Flag("a"),), (Flag("a"),)), "field 'a' is declared twice"),
        (lambda: Layout((Table("t", 2, (Flag("a"), Flag("a"))),)), "field 'a' is declared twice"),
        (lambda: Layout((Flag("not a name"),)), "field name 'not a name' is not an identifier"),
        (lambda: Layout((Flag("1x"),)), "field name '1x' is not an identifier"),
        (lambda: Table("t", 2, (Flag("0"),)), "field name '0' is not an identifier"),
        (lambda: Layout((Word("a.b", 2),)), "field name 'a.b' is not an identifier"),
        (lambda: Table("t", 2, ()), "table 't' has no fields"),
        (
            lambda: Layout((Table("t", 2, (Flag("a"),)), Table("t", 2, (Flag("b"),)))),
            "field 't' is declared twice",
        ),
        (lambda: Layout((Flag(""),)), "field name '' is not an identifier"),
        (lambda: Word("w", 0), "word 'w' has 0 bits; 1 to 62 fit"),
        (lambda: Word("w", 63), "word 'w' has 63 bits; 1 to 62 fit"),
        (lambda: Code("c", 0), "code 'c' has 0 values; it needs at least 1"),
        (lambda: OneHot("o", 0), "one-hot 'o' has 0 values; it needs at least 1"),
        (lambda: Table("t", 0, (Flag("a"),)), "table 't' has 0 slots; it needs at least 1"),
        (lambda: Table("t", 2, (Flag("a"),), occupied=0), "table 't' lets 0 slots be occupied"),
    ],
)
def test_a_malformed_layout_is_refused(build, message):
    with pytest.raises(LayoutError, match=re.escape(message)):
        build()


def test_unpack_refuses_states_that_no_field_could_hold():
    with pytest.raises(LayoutError, match=r"states of 20 bits expected, got shape \(1, 3\)"):
        SMALL.unpack(np.zeros((1, 3), bool))
    state = SMALL.pack(1, {"colour": 1})
    state[0, SMALL.bit("colour", 2)] = True
    with pytest.raises(LayoutError, match="one-hot 'colour' has several bits set"):
        SMALL.unpack(state)


def test_a_choice_that_is_none_is_read_as_invalid_if_asked():
    layout = Layout((OneHot("place", 3), Code("kind", 2)))
    states = np.array([[0, 1, 1, 1, 1], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], bool)
    found = layout.unpack(states, strict=False)
    assert found["place"].tolist() == [INVALID, 1, -1]
    assert found["kind"].tolist() == [INVALID, 1, -1]
    with pytest.raises(LayoutError, match="code 'kind' has 2 values, its bits hold a larger one"):
        layout.unpack(states[:, [0, 0, 0, 3, 4]])


@FEW
@given(layouts(max_bits=12), layouts(max_bits=12))
def test_the_canonical_text_tells_layouts_apart(one, other):
    assert (one == other) == (one.to_json() == other.to_json())


@pytest.mark.parametrize(
    "changed",
    [
        Layout((Flag("b"),), (Table("t", 2, (Word("w", 2),)),)),
        Layout((Word("a", 1),), (Table("t", 2, (Word("w", 2),)),)),
        Layout((Flag("a"), Table("t", 2, (Word("w", 2),)))),
        Layout((Flag("a"),), (Table("t", 3, (Word("w", 2),)),)),
        Layout((Flag("a"),), (Table("t", 2, (Word("w", 2),), occupied=1),)),
        Layout((Flag("a"),), (Table("t", 2, (Word("w", 2, signed=True),)),)),
        Layout((Flag("a"),), (Table("t", 2, (OneHot("w", 2),)),)),
    ],
)
def test_the_canonical_text_changes_with_every_property(changed):
    base = Layout((Flag("a"),), (Table("t", 2, (Word("w", 2),)),))
    assert base.to_json() != changed.to_json()


def test_no_nodes_have_no_states():
    assert SMALL.pack(0, {"count": np.zeros(0, int)}).shape == (0, SMALL.num_bits)
