"""Tables, messages and ports: who hears what from whom; kinds of fields and their values."""

import functools

import numpy as np
import pytest
from support.programs import expected_bits, valid_states

from ntkexec import executor, graphs, pipeline
from ntkexec.errors import ProgramError
from ntkexec.graphs.ports import in_neighbours, port_slots
from ntkexec.language import (
    Builder,
    Flag,
    OneHot,
    Word,
    either,
    initial_states,
)
from ntkexec.language.logic import FALSE


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
