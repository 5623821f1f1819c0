"""Statements that disagree, and senseless ones, are refused with their lines."""

import pathlib

import pytest
from support.places import here
from support.programs import expected_bits

from ntkexec.errors import LayoutError, ProgramError
from ntkexec.language import (
    Builder,
    Flag,
    Number,
    Word,
    initial_states,
)
from ntkexec.language.logic import FALSE, TRUE

FILE = pathlib.Path(__file__).name


def test_a_conflict_is_reported_with_both_lines_the_field_and_the_phase():
    p = Builder("quarrel", slots=1, degree=0)
    a, b, x = p.flag("a"), p.flag("b"), p.word("x", 2)
    with p.phase("calm"):
        p.set(x)
    with p.phase("storm"):
        first = here(p.assign(x, 2, when=a))
        second = here(p.assign(x, 3, when=b))
    with pytest.raises(ProgramError) as caught:
        p.compile()
    assert str(caught.value) == (
        f"quarrel: {first} and {second} disagree on x[0] in phase 'storm' when a[0], b[0]"
    )


def test_a_conflict_in_a_table_names_the_slot():
    p = Builder("quarrel", slots=1, degree=0)
    seats = p.table("seats", 3, Flag("taken"), Word("guest", 2))
    with p.phase("seat"):
        p.set(seats[1].guest)
        p.clear(seats[1].guest[1])
    with pytest.raises(ProgramError, match=r"disagree on seats\[1\]\.guest\[1\] .* when anything"):
        p.compile()


def test_statements_that_agree_where_they_meet_are_no_conflict():
    p = Builder("agreement", slots=1, degree=0)
    a, b, x = p.flag("a"), p.flag("b"), p.word("x", 2)
    with p.phase("both"):
        p.assign(x, 2, when=a)
        p.set(x[1], when=b)
        p.clear(x[0], when=a & b)
    p.compile()
    with p.phase("other"):
        p.assign(x, 1)  # another phase is another time
    p.compile()


@pytest.mark.parametrize("degree, refused", [(1, True), (0, False)])
def test_only_valid_states_count_for_a_conflict(degree, refused):
    # Two messages can be there at once only if a node has a neighbour.
    p = Builder("invariants", slots=3, degree=degree)
    x, inbox = p.word("x", 2), p.message(Flag("full"))
    with p.phase("receive"):
        p.assign(x, 1, when=inbox[0].full)
        p.assign(x, 2, when=inbox[1].full)
    if refused:
        with pytest.raises(ProgramError, match="disagree on x"):
            p.compile()
    else:
        p.compile()


def test_a_one_hot_field_needs_no_guards_against_its_other_values():
    p = Builder("colours", slots=3, degree=0)
    x = p.word("x", 2)
    with p.phase("only"):
        for slot in p.slots:
            p.assign(x, slot, when=p.colour[slot])
    program = p.compile()
    states = initial_states(program, 3, {"colour": [0, 1, 2], "x": 3})
    after = program.layout.unpack(expected_bits(program, states))
    assert after["x"].tolist() == [0, 1, 2]


# Errors name the source line.


def builder():
    p = Builder("errors", slots=2, degree=1)
    p.a, p.x, p.c = p.flag("a"), p.word("x", 2), p.choice("c", 3)
    p.s, p.k = p.word("s", 2, signed=True), p.word("k", 2, constant=True)
    p.t = p.flag("t", temporary=True)
    p.inbox = p.message(Word("number", 2))
    return p


IN_A_PHASE = {
    "4 does not fit in 2 bits; 0 to 3 do": lambda p: p.assign(p.x, 4),
    "-1 does not fit in 2 bits; 0 to 3 do": lambda p: p.assign(p.x, -1),
    "2 does not fit in 1 bits; 0 to 1 do": lambda p: p.assign(p.a, 2),
    "3 is no choice; 0 to 2 are": lambda p: p.assign(p.c, 3),
    "5 does not fit in 2 bits; 0 to 3 do": lambda p: p.send(p.inbox.number, 5),
    "2 bits cannot take a value of 1": lambda p: p.assign(p.x, p.a),
    "1 bits cannot take a value of 2": lambda p: p.assign(p.a, p.x),
    "2 bits cannot take a value of 3": lambda p: p.assign(p.x, Number((p.a, p.a, p.a))),
    "a number cannot take a choice, which has a bit for every value": lambda p: p.assign(p.x, p.c),
    "a choice cannot take a number; a choice has a bit for every value": lambda p: p.assign(
        p.c, p.x
    ),
    "-3 does not fit in 2 signed bits; -2 to 1 do": lambda p: p.assign(p.s, -3),
    "'k' is a constant and cannot be written": lambda p: p.set(p.k[1]),
    "'both' cannot be temporary and constant": lambda p: p.flag(
        "both", temporary=True, constant=True
    ),
    "only a flag that is kept can say that a node halts": lambda p: setattr(p, "halt", p.t),
    "a repeat begins inside phase 'outer'": lambda p: p.repeat(2).__enter__(),
    "'always' begins inside phase 'outer'": lambda p: p.always().__enter__(),
    "a block is repeated at least once, not 0 times": lambda p: p.repeat(0).__enter__(),
    "only a field can be assigned to, not a condition": lambda p: p.set(p.x == 1),
    "only a field can be assigned to, not a condition ": lambda p: p.set(~p.a),
    "only a field can be assigned to, not a condition  ": lambda p: p.clear(p.x + 1),
    "only a field can be assigned to, not a condition   ": lambda p: p.assign(p.a | p.x[0], 1),
    "only a field can be assigned to, not a condition    ": lambda p: p.set(TRUE),
    "phase 'inner' begins inside phase 'outer'": lambda p: p.phase("inner").__enter__(),
    "'phase' is a field that the compiler adds for its clock": lambda p: p.flag("phase"),
    "'turn7' is a field that the compiler adds for its clock": lambda p: p.word("turn7", 2),
}


@pytest.mark.parametrize("message, statement", IN_A_PHASE.items())
def test_a_senseless_statement_is_refused_with_its_line(message, statement):
    p = builder()
    with p.phase("outer"), pytest.raises(ProgramError) as caught:
        statement(p)
    assert str(caught.value) == f"{FILE}:{statement.__code__.co_firstlineno}: {message.strip()}"


OUTSIDE = [
    lambda p: p.assign(p.x, 1),
    lambda p: p.set(p.a),
    lambda p: p.clear(p.a),
    lambda p: p.send(p.inbox.number, p.x),
]


@pytest.mark.parametrize("statement", OUTSIDE)
def test_a_statement_outside_all_phases_is_refused_with_its_line(statement):
    p = builder()
    with p.phase("before"):
        statement(p)
    with pytest.raises(ProgramError) as caught:
        statement(p)
    line = statement.__code__.co_firstlineno
    assert str(caught.value) == f"{FILE}:{line}: a statement outside all phases"


def test_phases_and_guards_end_with_their_blocks_also_after_an_error():
    p = builder()
    with pytest.raises(KeyError), p.phase("broken"), p.when(FALSE):
        raise KeyError
    with p.phase("next"):
        p.set(p.a)
    program = p.compile()
    states = initial_states(program, 1, {"phase": 1})
    assert program.layout.unpack(expected_bits(program, states))["a"].all()


def test_a_program_needs_a_phase_and_different_fields():
    p = builder()
    with pytest.raises(ProgramError, match="'errors' has no phase"):
        p.compile()
    p.flag("a")
    with p.phase("only"), pytest.raises(LayoutError, match="'a' is declared twice"):
        p.compile()


def test_a_field_named_like_the_ports_is_declared_twice():
    p = Builder("ports", slots=2, degree=1)
    p.flag("port")
    p.ports()
    with p.phase("only"), pytest.raises(LayoutError, match="'port' is declared twice"):
        p.compile()
