"""Programs written in the language do what their statements say, and senseless ones are refused.

The oracle carries out the statements of a random program on values, one after another, knowing
nothing of templates; the compiled program is run by the naive semantics of `programs`.
"""

import functools
import itertools
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.programs import MANY, expected_bits, fields_with_columns, valid_states

from ntkexec import executor, graphs, pipeline
from ntkexec.errors import LayoutError, ProgramError
from ntkexec.graphs.ports import in_neighbours, port_slots
from ntkexec.language import (
    Builder,
    Flag,
    Number,
    OneHot,
    Word,
    either,
    equal,
    idioms,
    initial_states,
)
from ntkexec.language.logic import FALSE, TRUE

FILE = pathlib.Path(__file__).name

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


# Conflicts.


def here(_):
    """The place of the call, as messages name it."""
    return f"{FILE}:{sys._getframe(1).f_lineno}"


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


# Tables, messages and ports.


def test_tables_give_records_and_columns():
    p = Builder("tables", slots=2, degree=1)
    seats = p.table("seats", 3, Flag("taken"), Word("guest", 2))
    assert len(seats) == len(seats.taken) == len(list(seats)) == 3
    assert seats.guest[2].bits == seats[2].guest.bits
    for ask in (lambda: seats.missing, lambda: seats[0].missing):
        with pytest.raises(ProgramError, match="has the fields taken, guest, not 'missing'"):
            ask()


@pytest.mark.parametrize("slots, degree, occupied", [(5, 2, 3), (5, 4, 5), (2, 4, 2), (1, 0, 1)])
def test_a_node_hears_from_at_most_its_degree_and_itself(slots, degree, occupied):
    p = Builder("inbox", slots=slots, degree=degree)
    p.message(Flag("full"))
    with p.phase("only"):
        pass
    (table,) = p.compile().layout.messages
    assert (table.slots, table.occupied) == (slots, occupied)


def test_send_writes_only_the_own_slot():
    p = Builder("send", slots=3, degree=2)
    x, ready = p.word("x", 2), p.flag("ready")
    inbox = p.message(Word("number", 2), Flag("full"))
    with p.phase("only"):
        p.send(inbox.number, x, when=ready)
        p.send(inbox.full)
    program = p.compile()
    states = valid_states(program.layout)
    before = program.layout.unpack(states)
    after = program.layout.unpack(expected_bits(program, states))
    slots = np.arange(3)[None]
    own = before["colour"][:, None] == slots
    assert np.array_equal(after["inbox.full"], own)
    number = before["x"] * before["ready"]
    assert np.array_equal(after["inbox.number"], np.where(own, number[:, None], 0))


@functools.cache
def engine_of(program):
    return pipeline.make_engine("kernel", pipeline.certify(program, num_decisions=10**6))


def run(program, graph, values, num_steps):
    """Final fields by the kernel engine, every step compared with the program."""
    states = initial_states(program, graph.num_nodes, values)
    found = executor.execute(
        engine_of(program),
        program,
        graph.tuple._replace(nodes=states),
        num_steps=num_steps,
    )
    assert found.verification.wrong_bits == found.collisions == 0
    return program.layout.unpack(found.states)


@pytest.mark.parametrize("directed", [0, 1])
def test_at_port_reads_the_message_of_the_neighbour_at_that_port(directed):
    graph = graphs.load(f"gnp:n=9,p=0.3,seed=5,directed={directed}")
    p = Builder("ports", slots=graph.num_colours, degree=graph.degree)
    own, parity, third = p.word("own", 4), p.flag("parity"), p.choice("third", 3)
    inbox = p.message(Word("number", 4), Flag("parity"), OneHot("third", 3))
    heard = p.table("heard", graph.degree, Word("number", 4), Flag("parity"), OneHot("third", 3))
    with p.phase("send"):
        p.send(inbox.number, own)
        p.send(inbox.parity, parity)
        p.send(inbox.third, third)
    with p.phase("receive"):
        for port, record in enumerate(heard):
            p.assign(record.number, p.at_port(port, inbox.number))
            p.assign(record.parity, p.at_port(port, inbox.parity))
            p.assign(record.third, p.at_port(port, inbox.third))
    with p.phase("rest"):
        pass
    nodes = np.arange(graph.num_nodes)
    values = {"own": nodes, "parity": nodes % 2, "third": nodes % 3, "colour": graph.colours}
    values["port.slot"] = port_slots(graph, graph.degree)
    found = run(p.compile(), graph, values, 3)
    # in_neighbours is tested with the graphs; here networkx says it again.
    into = graph.to_networkx()
    into = into.predecessors if directed else into.neighbors
    neighbours = in_neighbours(graph, graph.degree)
    for node in nodes:
        expected = sorted(into(node))
        assert [u for u in neighbours[node] if u >= 0] == expected
        free = graph.degree - len(expected)
        assert found["heard.number"][node].tolist() == expected + [0] * free
        assert found["heard.parity"][node].tolist() == [u % 2 for u in expected] + [0] * free
        assert found["heard.third"][node].tolist() == [u % 3 for u in expected] + [-1] * free
    assert not found["inbox.parity"].any()  # a message lasts for one step


def test_a_call_reaches_the_neighbour_at_the_port_and_an_address_is_read_by_it_alone():
    graph = graphs.load("gnp:n=9,p=0.3,seed=5")
    slots, degree = graph.num_colours, graph.degree
    p = Builder("calls", slots=slots, degree=degree)
    own, callers = p.word("own", 4), p.flags("calls", degree)
    told, asked = p.word("told", 4), p.table("asked", degree, Flag("here")).here
    inbox = p.message(Word("number", 4), OneHot("to", slots))
    with p.phase("call"):
        for port, calls in enumerate(callers):
            p.call(port, inbox.number, own, when=calls)
    with p.phase("called"):
        p.assign(told, p.called(inbox.number))
    with p.phase("address"):
        p.address(degree - 1, inbox.to)
    with p.phase("addressed"):
        mine = p.addressed(inbox.to)
        for port, flag in enumerate(asked):
            p.assign(flag, p.at_port(port, mine))
    program = p.compile()
    neighbours, nodes = in_neighbours(graph, degree), np.arange(graph.num_nodes)
    values = {"own": nodes + 1, "colour": graph.colours}
    values["port.slot"] = port_slots(graph, degree)
    for node, port in np.argwhere(neighbours >= 0):
        callers = np.zeros((graph.num_nodes, degree), bool)
        callers[node, port] = True
        found = run(program, graph, values | {"calls.set": callers}, 4)
        told = np.where(nodes == neighbours[node, port], node + 1, 0)
        assert np.array_equal(found["told"], told)
        # All nodes with a neighbour at the last port address it, at the same time.
        for one, row in enumerate(neighbours):
            last = [bool(u >= 0 and neighbours[u, -1] == one) for u in row]
            assert found["asked.here"][one].tolist() == last


def test_any_number_of_flags_is_a_table():
    p = Builder("flags", slots=1, degree=0)
    many = p.flags("many", 70)
    assert len(many) == 70
    with p.phase("shift"):
        for one, other in zip(many, (*many[1:], FALSE)):
            p.assign(one, other)
    program = p.compile()
    values = np.eye(70, dtype=bool)
    after = expected_bits(program, initial_states(program, 70, {"many.set": values}))
    assert np.array_equal(program.layout.unpack(after)["many.set"], np.eye(70, k=-1, dtype=bool))


def test_a_signed_word_is_decoded_in_twos_complement_and_takes_negative_constants():
    p = Builder("signed", slots=1, degree=0)
    x, low = p.word("x", 3, signed=True), p.flag("low")
    with p.phase("only"):
        p.assign(low, x < -2)
        p.assign(x, -4, when=x == 3)
        p.assign(x, x + 1, when=x != 3)
    program = p.compile()
    x = np.arange(-4, 4)
    after = expected_bits(program, initial_states(program, 8, {"x": x}))
    fields = program.layout.unpack(after)
    assert fields["x"].tolist() == [*range(-3, 4), -4]
    assert np.array_equal(fields["low"], x < -2)


def test_a_constant_is_kept_and_read():
    p = Builder("constants", slots=1, degree=0)
    k, t, x = p.word("k", 2, constant=True), p.table("t", 2, Flag("f"), constant=True), p.flag("x")
    with p.phase("only"):
        p.assign(x, (k == 2) & t[1].f)
    program = p.compile()
    states = initial_states(
        program, 4, {"k": [0, 1, 2, 2], "t.f": [[0, 1], [1, 1], [0, 1], [1, 0]]}
    )
    before = program.layout.unpack(states)
    after = program.layout.unpack(expected_bits(program, states))
    assert after["x"].tolist() == [False, False, True, False]
    for name in ("k", "t.f"):
        assert np.array_equal(after[name], before[name])


def test_ports_are_one_table_and_constant():
    p = Builder("ports", slots=3, degree=2)
    assert p.ports() is p.ports()
    with p.phase("only"):
        pass
    program = p.compile()
    states = initial_states(program, 1, {"port.slot": [[2, -1]]})
    after = program.layout.unpack(expected_bits(program, states))
    assert after["port.slot"].tolist() == [[2, -1]]


def test_a_choice_is_assigned_by_number():
    p = Builder("choice", slots=1, degree=0)
    c, d = p.choice("c", 3), p.choice("d", 3)
    with p.phase("one"):
        p.assign(c, 2)
        p.assign(d, either([c.where(c[1]), d.where(~c[1])]))
    with p.phase("two"):
        p.clear(c)
    program = p.compile()
    states = initial_states(program, 4, {"c": [-1, 0, 1, 2], "d": 0})
    after = expected_bits(program, states)
    found = program.layout.unpack(after)
    assert found["c"].tolist() == [2, 2, 2, 2]
    assert found["d"].tolist() == [0, 0, 1, 0]
    assert program.layout.unpack(expected_bits(program, after))["c"].tolist() == [-1] * 4


# The clock.


@pytest.mark.parametrize("num_phases", [2, 3, 4])
def test_the_phase_ring_runs_round(num_phases):
    p = Builder("clock", slots=1, degree=0)
    seen = p.flags("seen", num_phases, temporary=True)
    for index, flag in enumerate(seen):
        with p.phase(f"phase{index}"):
            p.set(flag)
    program = p.compile()
    assert program.round_length == num_phases
    states = initial_states(program, 1, {})
    for step in range(2 * num_phases + 1):
        fields = program.layout.unpack(states)
        assert fields["phase"].tolist() == [step % num_phases]
        last = (step - 1) % num_phases if step else -1
        assert fields["seen.set"].tolist() == [[i == last for i in range(num_phases)]]
        states = expected_bits(program, states)


def test_a_program_of_one_phase_has_no_ring():
    p = Builder("still", slots=1, degree=0)
    x = p.word("x", 2)
    with p.phase("only"):
        p.assign(x, x + 1)
    program = p.compile()
    assert program.round_length == 1
    assert program.layout.paths == ("colour", "x")
    states = initial_states(program, 4, {"x": [0, 1, 2, 3]})
    after = program.layout.unpack(expected_bits(program, states))
    assert after["x"].tolist() == [1, 2, 3, 0]


def test_initial_states_are_in_the_first_phase_with_the_given_values():
    p = Builder("initial", slots=2, degree=1)
    p.word("x", 3)
    for name in ("one", "two"):
        with p.phase(name):
            pass
    program = p.compile()
    states = initial_states(program, 2, {"x": [5, 6], "colour": [1, 0]})
    fields = program.layout.unpack(states)
    assert {name: values.tolist() for name, values in fields.items()} == {
        "phase": [0, 0],
        "colour": [1, 0],
        "x": [5, 6],
    }
    with pytest.raises(LayoutError, match="no field 'y'"):
        initial_states(program, 2, {"y": 1})
    with pytest.raises(LayoutError, match="value 8 of 'x' at node 1 does not fit"):
        initial_states(program, 2, {"x": [5, 8]})


# What people and files see of a program.


def test_labels_carry_phase_file_and_line():
    p = Builder("labels", slots=1, degree=0)
    a, b, x = p.flag("a"), p.flag("b", temporary=True), p.word("x", 1)
    with p.phase("first"):
        line = here(p.set(b, when=a))
    with p.phase("second"):
        on = here(p.set(x, when=b))
        off = here(p.clear(x, when=a & ~b))
    program = p.compile()
    labels = {program.describe(i) for i in range(program.num_templates)}
    assert "after first: !phase -> phase" in labels
    assert "keep: a -> a" in labels
    assert f"first ({line}): !phase & a -> b" in labels
    assert f"second ({on}, {off}): phase & b -> x[0]" in labels


def test_statements_of_idioms_carry_the_line_of_their_caller():
    p = Builder("labels", slots=1, degree=0)
    live, numbers = p.flags("live", 2), [p.word(name, 1) for name in "xy"]
    line = here(idioms.minimum(p, live, numbers))
    labels = {entry.label for entry in p.compile().templates}
    assert f"minimum 0: look ({line})" in labels


def test_equal_conditions_are_one_template_with_both_outputs():
    p = Builder("joined", slots=1, degree=0)
    a, b, c = p.flag("a"), p.flag("b", temporary=True), p.flag("c", temporary=True)
    with p.phase("only"):
        p.set(b, when=a)
        p.set(c, when=a)
    program = p.compile()
    described = [entry for entry in program.listing().splitlines() if "a -> a, b, c" in entry]
    assert len(described) == 1


PRINT_PROGRAMS = """
from ntkexec.language import Builder, Flag, idioms
from ntkexec.programs import bfs
p = Builder("seeds", slots=3, degree=2)
live, numbers = p.flags("live", 3), [p.word(name, 2) for name in "xyz"]
inbox = p.message(Flag("full"))
idioms.minimum(p, live, numbers)
idioms.add(p, numbers[:2], [(numbers[0], numbers[1]), (numbers[1], numbers[2])])
with p.phase("last"):
    for slot, first in enumerate(idioms.priority(inbox.full)):
        p.set(live[slot], when=first & (numbers[slot] != 2))
for program in (p.compile(), bfs.program(degree=3, slots=5, word=3)):
    print(program.digest)
    print(program.listing())
"""


def test_compilation_does_not_depend_on_the_hash_seed():
    printed = {
        subprocess.run(
            [sys.executable, "-c", PRINT_PROGRAMS],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1)
    }
    assert len(printed) == 1
    assert "<string>:7" in printed.pop()
