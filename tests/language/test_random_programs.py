"""Programs written in the language do what their statements say, and senseless ones are refused.

The oracle carries out the statements of a random program on values, one after another, knowing
nothing of templates; the compiled program is run by the naive semantics of `programs`.
"""

import itertools

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.programs import MANY, expected_bits, fields_with_columns

from ntkexec.errors import ProgramError
from ntkexec.language import (
    Builder,
    Flag,
    equal,
)
from ntkexec.language.logic import TRUE

# Random programs. Fields: the colour (2 slots), flags a and b, words x and y of 2 bits, a message m.

FLAGS, WORDS, SLOTS = ("a", "b"), ("x", "y"), 2
VALUES = {
    "colour": [(False, False), (True, False), (False, True)],
    "m": [(False, False), (True, False), (False, True)],  # of 2 slots one is occupied: D = 0
    **{flag: [(False,), (True,)] for flag in FLAGS},
    **{word: list(itertools.product((False, True), repeat=2)) for word in WORDS},
}
STATES = [
    {(name, i): bit for name, bits in zip(VALUES, values) for i, bit in enumerate(bits)}
    for values in itertools.product(*VALUES.values())
]

leaves = st.one_of(
    st.tuples(st.just("bit"), st.sampled_from(FLAGS), st.just(0)),
    st.tuples(st.just("bit"), st.sampled_from((*WORDS, "colour", "m")), st.integers(0, 1)),
    st.tuples(st.sampled_from(("eq", "ne")), st.sampled_from(WORDS), st.integers(0, 3)),
    st.just(("same",)),
)
conditions = st.recursive(
    leaves,
    lambda c: st.tuples(st.just("not"), c) | st.tuples(st.sampled_from(("and", "or")), c, c),
    max_leaves=3,
)
guards = st.lists(conditions, max_size=2)
flag_values = st.one_of(st.tuples(st.just("const"), st.integers(0, 1)), conditions)
word_values = st.one_of(
    st.tuples(st.just("const"), st.integers(0, 3)),
    st.tuples(st.just("word"), st.sampled_from(WORDS)),
    st.tuples(st.just("next"), st.sampled_from(WORDS)),
    st.tuples(st.just("where"), st.sampled_from(WORDS), conditions),
)
statements = st.one_of(
    st.tuples(st.just("assign"), st.sampled_from(FLAGS), flag_values, guards),
    st.tuples(st.just("assign"), st.sampled_from(WORDS), word_values, guards),
    st.tuples(st.sampled_from(("set", "clear")), st.sampled_from(FLAGS + WORDS), guards),
    st.tuples(st.just("send"), flag_values, guards),
)
random_programs = st.tuples(
    st.sets(st.sampled_from(FLAGS + WORDS), max_size=2),  # which fields are temporary
    st.lists(st.lists(statements, max_size=4), min_size=1, max_size=3),  # statements by phase
)


def write(temporary, phases):
    """The random program in the language, not yet compiled."""
    p = Builder("random", slots=SLOTS, degree=0)
    fields = {flag: p.flag(flag, temporary=flag in temporary) for flag in FLAGS}
    fields |= {word: p.word(word, 2, temporary=word in temporary) for word in WORDS}
    inbox = p.message(Flag("m"))

    def condition(c):
        match c:
            case ("bit", "colour", i):
                return p.colour[i]
            case ("bit", "m", i):
                return inbox[i].m
            case ("bit", name, i):
                return fields[name] if name in FLAGS else fields[name][i]
            case ("eq", name, number):
                return fields[name] == number
            case ("ne", name, number):
                return fields[name] != number
            case ("same",):
                return equal(fields["x"], fields["y"])
            case ("not", one):
                return ~condition(one)
            case ("and", one, other):
                return condition(one) & condition(other)
            case ("or", one, other):
                return condition(one) | condition(other)

    def value(v):
        match v:
            case ("const", number):
                return number
            case ("word", name):
                return fields[name]
            case ("next", name):
                return fields[name] + 1
            case ("where", name, c):
                return fields[name].where(condition(c))
            case _:
                return condition(v)

    def carry_out(statement, when):
        match statement:
            case ("assign", target, v, _):
                p.assign(fields[target], value(v), when=when)
            case ("set", target, _):
                p.set(fields[target], when=when)
            case ("clear", target, _):
                p.clear(fields[target], when=when)
            case ("send", v, _):
                p.send(inbox.m, value(v), when=when)

    for index, block in enumerate(phases):
        with p.phase(f"phase{index}"):
            for statement in block:
                # The first guard as a block around the statement, the second as its argument.
                around, own, *_ = [*map(condition, statement[-1]), TRUE, TRUE]
                with p.when(around):
                    carry_out(statement, own)
    return p


def holds(c, state):
    """A condition's value in a state."""
    match c:
        case ("bit", name, i):
            return state[name, i]
        case ("eq", name, number):
            return number_in(name, state) == number
        case ("ne", name, number):
            return number_in(name, state) != number
        case ("same",):
            return number_in("x", state) == number_in("y", state)
        case ("not", one):
            return not holds(one, state)
        case ("and", one, other):
            return holds(one, state) and holds(other, state)
        case ("or", one, other):
            return holds(one, state) or holds(other, state)


def number_in(name, state):
    return state[name, 0] + 2 * state[name, 1]


def number_of(v, state):
    """A value's number in a state."""
    match v:
        case ("const", number):
            return number
        case ("word", name):
            return number_in(name, state)
        case ("next", name):
            return (number_in(name, state) + 1) % 4
        case ("where", name, c):
            return number_in(name, state) if holds(c, state) else 0
        case _:
            return int(holds(v, state))


def length_of(name):
    return len(VALUES[name][0])


def writes(statement, state):
    """What a statement writes in a state: pairs of a bit and its value."""
    if not all(holds(c, state) for c in statement[-1]):
        return
    match statement:
        case ("assign", target, v, _):
            for i in range(length_of(target)):
                yield (target, i), bool(number_of(v, state) >> i & 1)
        case ("set" | "clear" as verb, target, _):
            for i in range(length_of(target)):
                yield (target, i), verb == "set"
        case ("send", v, _):
            for slot in range(SLOTS):
                if state["colour", slot]:
                    yield ("m", slot), bool(number_of(v, state))


class ConflictError(Exception):
    """Two statements of a phase give a bit different values."""


def oracle_step(temporary, block, state):
    """The next state of an isolated node: fields keep their values, temporaries are over."""
    written = {}
    for statement in block:
        for bit, value in writes(statement, state):
            if written.setdefault(bit, value) != value:
                raise ConflictError
    passing = {*temporary, "m"}
    return {bit: value and bit[0] not in passing for bit, value in state.items()} | written


def columns_of(program):
    """The column of every bit of the random program, by field and position."""
    found = {}
    for path, _, table, slots in fields_with_columns(program.layout):
        for slot, columns in enumerate(slots):
            for position, column in enumerate(columns):
                found[("m", slot) if table else (path, position)] = column
    return found


def as_rows(program, states, phase):
    columns, num_phases = columns_of(program), program.round_length
    rows = np.zeros((len(states), program.layout.num_bits), bool)
    for row, state in zip(rows, states):
        for bit, value in state.items():
            row[columns[bit]] = value
    if num_phases == 2:
        rows[:, columns["phase", 0]] = phase % 2
    elif num_phases > 2:
        rows[:, columns["phase", phase % num_phases]] = True
    return rows


@settings(MANY, max_examples=200)
@given(random_programs)
def test_a_program_does_what_its_statements_say_or_is_refused_for_a_conflict(case):
    temporary, phases = case
    p = write(temporary, phases)
    try:
        after = [[oracle_step(temporary, block, s) for s in STATES] for block in phases]
    except ConflictError:
        event("refused")
        with pytest.raises(ProgramError, match=r"disagree on .* in phase 'phase\d' when "):
            p.compile()
        return
    try:
        program = p.compile()
    except ProgramError as error:
        # Which values are lost is the subject of tests of their own; one phase loses none.
        if "lives for one step" not in str(error) or len(phases) == 1:
            raise
        event("lost")
        return
    event("compiled")
    assert program.round_length == len(phases)
    for phase, following in enumerate(after):
        found = expected_bits(program, as_rows(program, STATES, phase))
        assert np.array_equal(found, as_rows(program, following, phase + 1))


@MANY
@given(random_programs)
def test_a_round_is_its_phases_one_after_another(case):
    temporary, phases = case
    states = STATES
    try:
        for block in phases:
            states = [oracle_step(temporary, block, state) for state in states]
        program = write(temporary, phases).compile()
    except (ConflictError, ProgramError):
        return  # which programs are refused is the subject of the test above
    rows = as_rows(program, STATES, 0)
    for _ in phases:
        rows = expected_bits(program, rows)
    assert np.array_equal(rows, as_rows(program, states, 0))
