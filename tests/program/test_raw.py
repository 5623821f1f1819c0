"""Raw templates: rows as they stand in a paper, kept, counted and refused by row and column."""

import re

import numpy as np
import pytest
from hypothesis import given
from support.programs import MANY, all_states
from support.raw import FREE, matched_rows, raw_matrices

from ntkexec.errors import LayoutError, ProgramError
from ntkexec.program.fields import Bits, Flag, Table, Word
from ntkexec.program.layout import Layout
from ntkexec.program.match_sets import all_match_sets
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import Template, template
from ntkexec.programs.sizes import sizes_of
from ntkexec.recheck.program import possible_sets
from ntkexec.theory.match_bound import NEVER, state_bound


def raw(conditions, targets, message_start=None, **options):
    start = np.shape(targets)[1] if message_start is None else message_start
    return Program.from_arrays(conditions, targets, message_start=start, **options)


# Rows and templates.


@MANY
@given(raw_matrices())
def test_the_rows_come_back_whatever_their_type(drawn):
    conditions, targets, start = drawn
    program = raw(conditions, targets, start)
    back, written = program.to_arrays()
    np.testing.assert_array_equal(back, conditions)
    np.testing.assert_array_equal(written, targets)
    assert program.layout.num_computation_bits == start
    floats = np.where(conditions == FREE, np.nan, conditions)
    for same in (
        raw(conditions.tolist(), targets.tolist(), start),
        raw(floats, targets.astype(float), start),
        raw(conditions.astype(np.int8), targets.astype(bool), np.int64(start)),
    ):
        assert same == program
        assert same.digest == program.digest


@MANY
@given(raw_matrices())
def test_rows_that_write_nothing_or_repeat_a_condition_are_counted(drawn):
    conditions, targets, start = drawn
    program = raw(conditions, targets, start)
    rows = conditions.tolist()
    assert program.idle == tuple(i for i in range(len(rows)) if not targets[i].any())
    assert program.repeated == tuple(i for i in range(len(rows)) if rows[i] in rows[:i])
    assert program.num_templates == len(rows)
    np.testing.assert_array_equal(program.num_writers, targets.sum(axis=0))
    told = bool(program.idle or program.repeated)
    assert told == bool(program.remarks)
    assert program.remarks in repr(program)
    assert program.remarks in program._repr_html_()


def test_they_are_told_wherever_sizes_are():
    program = raw([[0, FREE], [0, FREE], [0, FREE], [1, 1]], [[1, 0], [0, 0], [0, 1], [0, 0]], 1)
    assert program.remarks == "2 write nothing, 2 repeat a condition"
    assert repr(program) == (
        "Program('raw', 4 templates (2 write nothing, 2 repeat a condition), 2 bits, at most 1 "
        "writers a bit)"
    )
    assert program.listing().splitlines() == [
        "0  !state[0] -> state[0]",
        "1  !state[0] -> nothing",
        "2  !state[0] -> inbox[0]",
        "3  state[0] & inbox[0] -> nothing",
    ]
    counts = sizes_of(program)
    assert (counts.idle, counts.repeated) == (2, 2)
    assert (counts.joint_matches, counts.factored_matches) == (3, 1)
    assert "; 2 write nothing, 2 repeat a condition" in str(counts)
    one = raw([[0], [1], [1]], [[1], [0], [1]])
    assert one.remarks == "1 writes nothing, 1 repeats a condition"
    # The twin: of a program without such rows nothing is said.
    plain = raw([[0], [1]], [[1], [1]])
    assert (plain.remarks, plain.idle, plain.repeated) == ("", (), ())
    assert "nothing" not in repr(plain) + str(sizes_of(plain))


def test_the_language_s_templates_must_write_something_but_a_template_need_not():
    with pytest.raises(ProgramError, match=r"writes no bit; Program\.from_arrays takes those"):
        template({0: 1}, [])
    layout = Layout((Flag("a"), Flag("b")))
    program = Program("p", layout, (Template(((0, True),), ()), template({0: 1}, [1])))
    assert (program.idle, program.repeated) == ((0,), (1,))


def test_labels_name_rows_and_are_no_part_of_the_program():
    named = raw([[0], [1]], [[1], [0]], labels=["wake", "sleep"])
    assert named.describe(1) == "sleep: state[0] -> nothing"
    assert named.digest == raw([[0], [1]], [[1], [0]]).digest


@pytest.mark.parametrize(
    ("conditions", "targets", "options", "message"),
    [
        ([[0, 2]], [[1, 0]], {}, "row 0 of conditions has 2 in column 1; 0, 1 or free (-1 or nan)"),
        ([[0, 1], [0.5, 1]], [[1, 0]] * 2, {}, "row 1 of conditions has 0.5 in column 0"),
        ([[0, np.inf]], [[1, 0]], {}, "row 0 of conditions has inf in column 1"),
        ([[0, 1]], [[1, -1]], {}, "row 0 of targets has -1 in column 1; 0 or 1 fits"),
        ([[0, 1]], [[1, np.nan]], {}, "row 0 of targets has nan in column 1; 0 or 1 fits"),
        ([[True, False]], [[1, 0]], {}, "conditions are truth values, which have none for a bit"),
        ([["0", "1"]], [[1, 0]], {}, "conditions are whole numbers or floats, not <U1 values"),
        ([[0, None]], [[1, 0]], {}, "conditions are whole numbers or floats, not object values"),
        ([[0, 1], [0]], [[1, 0]], {}, "conditions are no matrix"),
        ([0, 1], [1, 0], {"message_start": 1}, "not the shape (2,)"),
        ([[0, 1]], [[1]], {}, "conditions have the shape (1, 2) and targets (1, 1)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}, "there are no templates"),
        (np.zeros((2, 0)), np.zeros((2, 0)), {}, "has at least one bit"),
        ([[0, 1]], [[0, 0]], {}, "no template of program 'raw' writes a bit"),
        ([[0, 1]], [[1, 0]], {"message_start": 3}, "message_start is a number from 0 to 2"),
        ([[0, 1]], [[1, 0]], {"message_start": -1}, "message_start is a number from 0 to 2"),
        ([[0, 1]], [[1, 0]], {"message_start": True}, "not True; 2 where there are none"),
        ([[0, 1]], [[1, 0]], {"message_start": 1.5}, "where messages begin, not 1.5"),
        ([[0, 1]], [[1, 0]], {"round_length": 0}, "a round takes at least one step, not 0"),
        ([[0, 1]], [[1, 0]], {"labels": ["a", "b"]}, "there are 2 labels for 1 templates"),
        ([[0, 1]], [[1, 0]], {"round_length": 2**31 - 1}, "a round takes at most 2,147,483,646"),
        ([[0, 1]], [[1, 0]], {"round_length": 10**400}, "a round takes at most 2,147,483,646"),
        ([[0, 1]], [[1, 0]], {"labels": "a"}, "a text for each template, not one text, 'a'"),
        (np.ma.masked_equal([[0, 2]], 2), [[1, 0]], {}, "conditions are masked"),
    ],
)
def test_a_row_that_is_none_is_named(conditions, targets, options, message):
    with pytest.raises(ProgramError, match=re.escape(message)):
        raw(conditions, targets, **options)


def test_what_is_too_large_is_refused(monkeypatch):
    monkeypatch.setenv("NTKEXEC_LITERALS", "3")
    raw([[0, 1]], [[1, 0]])
    with pytest.raises(ProgramError, match="have 4 conditions and outputs; the limit is 3"):
        raw([[0, 1]], [[1, 1]])


# Bits without a meaning.


def test_bits_are_rows_of_truth_values_however_many():
    layout = Layout((Bits("state", 70),), (Table("inbox", 2, (Bits("says", 3), Flag("full"))),))
    rng = np.random.default_rng(0)
    values = {"state": rng.random((5, 70)) < 0.5, "inbox.says": rng.random((5, 2, 3)) < 0.5}
    states = layout.pack(5, values)
    np.testing.assert_array_equal(states[:, :70], values["state"])
    found = layout.unpack(states)
    for path, value in values.items():
        np.testing.assert_array_equal(found[path], value)
    assert layout.bit_names[69:73] == ("state[69]", *(f"inbox[0].says[{i}]" for i in range(3)))
    assert layout.rows()[0] == ("state", "bits", "70", "no")
    with pytest.raises(LayoutError, match=r"takes shape \(5, 70\), got \(5, 71\)"):
        layout.pack(5, {"state": np.zeros((5, 71), int)})
    with pytest.raises(LayoutError, match="value 2 of 'state' at node 1 does not fit"):
        layout.pack(2, {"state": np.full((2, 70), [[0], [2]])})
    with pytest.raises(LayoutError, match="at least 1 is needed"):
        Bits("state", 0)
    with pytest.raises(LayoutError, match="1 to 62 fit, and more in a field of Bits"):
        Word("x", 63)


def test_flags_and_bits_may_be_zeros_and_ones_among_floats():
    layout = Layout((Flag("on"), Bits("state", 2), Word("count", 2)))
    states = layout.pack(2, {"on": np.array([0.0, 1.0]), "state": np.array([[1.0, 0.0]] * 2)})
    np.testing.assert_array_equal(states[:, :3], [[0, 1, 0], [1, 1, 0]])
    for wrong in (0.5, np.nan, -1.0, 2.0):
        with pytest.raises(LayoutError, match=f"value {wrong} of 'on' at node 0 does not fit"):
            layout.pack(1, {"on": np.array([wrong])})
    with pytest.raises(LayoutError, match="'count' takes whole numbers, got float64"):
        layout.pack(1, {"count": np.array([1.0])})


# What is counted of all states.


@MANY
@given(raw_matrices())
def test_the_most_matches_and_the_fewest_writers_are_those_of_all_states(drawn):
    conditions, targets, start = drawn
    program = raw(conditions, targets, start)
    states = all_states(conditions.shape[1]).astype(int)
    matched = matched_rows(conditions, states)
    for kind in ("joint", "factored"):
        problem = LearningProblem(program, kind)
        bound = state_bound(problem)
        rows = [list(component.templates) for component in problem.components]
        if kind == "factored":
            assert rows == [np.flatnonzero(column).tolist() for column in targets.T if any(column)]
        counts = np.stack([matched[:, own].sum(axis=1) for own in rows], axis=1)
        np.testing.assert_array_equal(bound.max_matches, counts.max(axis=0))
        for bit, owner in enumerate(problem.component_of_bit):
            for m, a in zip(counts[:, owner], matched @ targets[:, bit], strict=True):
                if owner >= 0 and a:
                    assert NEVER != bound.min_matched_writers[bit, m] <= a
                if owner >= 0 and not a and m:
                    assert bound.can_be_zero[bit, m]


@MANY
@given(raw_matrices())
def test_the_match_sets_are_those_of_all_states_by_both_routes(drawn):
    conditions, targets, start = drawn
    program = raw(conditions, targets, start)
    matched = matched_rows(conditions, all_states(conditions.shape[1]).astype(int))
    places = 1 << np.arange(len(conditions))
    expected = sorted({int(number) for number in matched @ places})
    assert (all_match_sets(program.templates) @ places).tolist() == expected
    read = [dict(entry.condition) for entry in program.templates]
    assert sorted(possible_sets(read, [])) == expected


def test_bits_that_nothing_reads_count_too(monkeypatch):
    monkeypatch.setenv("NTKEXEC_LITERALS", "3")
    raw([[1, -1, -1]], [[1, 0, 0]])
    with pytest.raises(ProgramError, match="a state has 4 bits; the limit is 3"):
        raw([[1, -1, -1, -1]], [[1, 0, 0, 0]])
