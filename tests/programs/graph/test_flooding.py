"""The flooding program: its size, its meaning on small graphs, and what it refuses."""

import itertools
import re

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY, expected_bits, valid_states

from ntkexec.errors import GraphError, LayoutError, NtkexecError, ProgramError
from ntkexec.graphs import from_networkx
from ntkexec.programs import inputs
from ntkexec.programs.graph import flooding
from ntkexec.programs.graph.flooding import Message

SMALL_GRAPHS = [graph for graph in nx.graph_atlas_g()[1:53] if len(graph) <= 4]


def small_program(slots=3, message_bits=2, arrival_bits=2, degree=2):
    return flooding.program(
        degree=degree, slots=slots, message_bits=message_bits, arrival_bits=arrival_bits
    )


def naive_step(program, graph, states):
    """Theory, section 1, one node at a time: match, write, and sum over closed neighbourhoods."""
    own = []
    for state in states:
        written = set()
        for entry in program.templates:
            if all(bool(state[bit]) == value for bit, value in entry.condition):
                written |= set(entry.outputs)
        own.append(written)
    after = np.zeros_like(states)
    for node in graph:
        for bit in range(program.layout.num_bits):
            if bit < program.layout.num_computation_bits:
                after[node, bit] = bit in own[node]
            else:
                writers = [other for other in (node, *graph[node]) if bit in own[other]]
                assert len(writers) <= 1, "two neighbours wrote the same message bit"
                after[node, bit] = len(writers) == 1
    return after


def flood(graph, sources, message, *, rounds, program=None):
    """The fields of all nodes after every round, by the naive semantics."""
    colouring = nx.greedy_color(nx.power(graph, 2))
    colours = np.array([colouring[node] for node in graph])
    program = program or small_program(max(colouring.values()) + 1, len(message))
    states = flooding.initial_states(program, colours, sources, message)
    fields = [flooding.answer(program, states)]
    for _ in range(rounds):
        for _ in range(flooding.STEPS_PER_ROUND):
            states = naive_step(program, graph, states)
        fields.append(flooding.answer(program, states))
    return fields, states, program


# Sizes.


def test_templates_and_state_bits_are_those_of_the_formulas():
    for slots, message_bits, arrival_bits in itertools.product((1, 2, 5), (1, 2, 4), (1, 2, 3, 6)):
        sizes = {"slots": slots, "message_bits": message_bits, "arrival_bits": arrival_bits}
        for degree in (0, 2, 4):
            program = flooding.program(degree=degree, **sizes)
            assert program.num_templates == flooding.num_templates(**sizes)
            assert program.layout.num_bits == flooding.num_state_bits(**sizes)
            assert program.round_length == flooding.STEPS_PER_ROUND
    assert flooding.num_steps(3) == 3 * flooding.STEPS_PER_ROUND


def test_the_degree_bounds_the_occupied_slots():
    for degree, slots in ((1, 5), (3, 10), (3, 4), (6, 4)):
        program = small_program(slots=slots, degree=degree)
        reasons = [invariant.reason for invariant in program.layout.invariants]
        said = f"at most {degree + 1} slots of inbox are occupied"
        assert (said in reasons) == (degree + 1 < slots)


def test_arrival_bits_are_the_least_that_can_count():
    for rounds in range(40):
        bits = inputs.bits_for(rounds)
        assert 2**bits - 1 >= rounds
        assert bits == 1 or 2 ** (bits - 1) - 1 < rounds


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"slots": 0}, "flooding needs slots of at least 1, got 0"),
        ({"message_bits": 0}, "flooding needs message_bits of at least 1, got 0"),
        ({"arrival_bits": -1}, "flooding needs arrival_bits of at least 1, got -1"),
        ({"degree": -1}, "flooding needs a degree of at least 0, got -1"),
    ],
)
def test_a_size_that_is_too_small_is_refused(sizes, message):
    with pytest.raises(ProgramError, match=message):
        small_program(**sizes)


# Meaning.


@pytest.mark.parametrize(
    ("graph", "sources", "arrival"),
    [
        (nx.path_graph(1), [0], [0]),
        (nx.path_graph(3), [0], [0, 1, 2]),
        (nx.path_graph(3), [1], [1, 0, 1]),
        (nx.path_graph(4), [0, 3], [0, 1, 1, 0]),
        (nx.cycle_graph(5), [2], [2, 1, 0, 1, 2]),
        (nx.star_graph(3), [1], [1, 0, 2, 2]),
        (nx.complete_graph(4), [3], [1, 1, 1, 0]),
        (nx.empty_graph(2), [0], [0, -1]),
    ],
    ids=str,
)
def test_a_message_arrives_after_as_many_rounds_as_hops(graph, sources, arrival):
    fields, _, _ = flood(graph, sources, Message.parse("10"), rounds=3)
    assert fields[-1]["arrival"].tolist() == arrival
    assert fields[-1]["informed"].tolist() == [time >= 0 for time in arrival]
    assert fields[-1]["message"].tolist() == [2 if time >= 0 else -1 for time in arrival]


def test_a_path_of_three_is_informed_one_node_a_round():
    fields, _, _ = flood(nx.path_graph(3), [0], Message.parse("11"), rounds=3)
    informed = [field["informed"].tolist() for field in fields]
    expected = [[True, False, False], [True, True, False], [True, True, True], [True, True, True]]
    assert informed == expected
    assert [field["arrival"].tolist() for field in fields] == [
        [0, -1, -1],
        [0, 1, -1],
        [0, 1, 2],
        [0, 1, 2],
    ]


@pytest.mark.parametrize("graph", SMALL_GRAPHS, ids=str)
def test_every_small_graph_is_flooded_in_the_distances_from_its_sources(graph):
    message = Message.parse("01")
    for size in (1, 2):
        for sources in itertools.combinations(graph, size):
            fields, _, _ = flood(graph, sources, message, rounds=len(graph))
            distance = nx.multi_source_dijkstra_path_length(graph, set(sources))
            expected = [distance.get(node, -1) for node in graph]
            assert fields[-1]["arrival"].tolist() == expected
            values = [message.value if node in distance else -1 for node in graph]
            assert fields[-1]["message"].tolist() == values


def test_a_colouring_that_repeats_within_two_hops_makes_messages_meet():
    program = small_program(slots=3)
    graph = nx.path_graph(3)
    states = flooding.initial_states(program, np.array([0, 1, 0]), [0, 2], Message.parse("11"))
    with pytest.raises(AssertionError, match="two neighbours wrote the same message bit"):
        naive_step(program, graph, states)


@pytest.mark.parametrize("value", range(8))
def test_arrival_counts_on_from_every_number(value):
    program = small_program(arrival_bits=3)
    waiting = program.layout.pack(1, {"receiving": 1, "arrival": value, "colour": 1})
    after = program.layout.unpack(naive_step(program, nx.empty_graph(1), waiting))
    assert after["arrival"].tolist() == [(value + 1) % 8]
    for kept in ({"receiving": 0}, {"receiving": 1, "informed": 1}):
        states = program.layout.pack(1, {"arrival": value, "colour": 1} | kept)
        after = program.layout.unpack(naive_step(program, nx.empty_graph(1), states))
        assert after["arrival"].tolist() == [value]


def test_a_flooded_graph_repeats_every_round():
    graph = nx.cycle_graph(5)
    _, before, program = flood(graph, [0], Message.parse("1"), rounds=3)
    after = naive_step(program, graph, naive_step(program, graph, before))
    np.testing.assert_array_equal(after, before)


# Slots.


def slot_of(program):
    """By message bit, the slot that it belongs to."""
    slots = len(program.layout.bits("colour"))
    return {
        bit: slot
        for slot in range(slots)
        for path in ("inbox.full", "inbox.message")
        for bit in program.layout.bits(path, slot=slot)
    }


def test_every_template_that_writes_a_slot_requires_its_colour():
    program = small_program(slots=4)
    slots = slot_of(program)
    assert sorted(slots) == list(
        range(program.layout.num_computation_bits, program.layout.num_bits)
    )
    writing = 0
    for entry in program.templates:
        for bit in entry.outputs:
            if bit in slots:
                colour = program.layout.bit("colour", slots[bit])
                assert (colour, True) in entry.condition
                writing += 1
    assert writing == len(slots)


def test_no_valid_state_writes_to_a_slot_that_is_not_its_colour():
    program = small_program(slots=2, message_bits=1, arrival_bits=1, degree=1)
    states = valid_states(program.layout)
    colours = program.layout.unpack(states)["colour"]
    bits = expected_bits(program, states)
    sent = set()
    for colour, row in zip(colours.tolist(), bits, strict=True):
        used = {slot for bit, slot in slot_of(program).items() if row[bit]}
        assert used <= {colour}
        sent |= used
    assert sent == {0, 1}


# Input.


@pytest.mark.parametrize(
    ("text", "bits", "value"),
    [("1", (True,), 1), ("0", (False,), 0), ("1011", (True, False, True, True), 11)],
)
def test_a_message_is_read_highest_bit_first(text, bits, value):
    message = Message.parse(text)
    assert message.bits == bits
    assert message.value == value == int(text, 2)
    assert len(message) == len(text)
    assert str(message) == text


@MANY
@given(st.text("01", min_size=1, max_size=70))
def test_parse_and_str_are_inverse(text):
    assert str(Message.parse(text)) == text
    assert Message.parse(text).value == int(text, 2)


@pytest.mark.parametrize("text", ["", "2", "10a", " 1", "0b1", "1\n", "１"])  # noqa: RUF001
def test_a_message_of_other_characters_is_refused(text):
    message = f"a message is a string of 0s and 1s such as 1011, got {text!r}"
    with pytest.raises(ProgramError, match=re.escape(message)):
        Message.parse(text)


def test_initial_states_inform_the_sources_and_nobody_else():
    program = small_program(message_bits=3)
    states = flooding.initial_states(program, np.array([0, 1, 2]), [2, 0], Message.parse("110"))
    fields = program.layout.unpack(states)
    assert fields["colour"].tolist() == [0, 1, 2]
    assert fields["informed"].tolist() == [True, False, True]
    assert fields["message"].tolist() == [6, 0, 6]
    for path in ("receiving", "arrival", "inbox.full", "inbox.message"):
        assert not fields[path].any()


@pytest.mark.parametrize(
    ("colours", "text", "message"),
    [
        ([0, 3], "10", "value 3 of 'colour' at node 1 does not fit: .* holds -1 to 2"),
        ([0, 1], "100", "message 100 has 3 bits, the program takes 2"),
    ],
)
def test_initial_states_that_do_not_fit_are_refused(colours, text, message):
    with pytest.raises(LayoutError, match=message):
        flooding.initial_states(small_program(), np.array(colours), [0], Message.parse(text))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "at least one source is needed"),
        ([2], r"sources \[2\] are not all nodes 0 to 1"),
        ([0, -1], r"sources \[0, -1\] are not all nodes 0 to 1"),
    ],
)
def test_sources_that_do_not_exist_are_refused(sources, message):
    graph = from_networkx(nx.path_graph(2))
    with pytest.raises(GraphError, match=message):
        flooding.instance(graph, sources=sources, message=Message.parse("1"))
    flooding.instance(graph, sources=[0, 1], message=Message.parse("1"))


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ({"degree": 1}, NtkexecError, "needs degree of at least 2, the program has 1"),
        ({"slots": 2}, NtkexecError, "needs slots of at least 3, the program has 2"),
        ({"arrival_bits": 1}, ProgramError, "arrival_bits of at least 2, the program has 1"),
        ({"message_bits": 3}, ProgramError, "message 01 has 2 bits, the program takes 3"),
        ({"message_bits": 1}, ProgramError, "message 01 has 2 bits, the program takes 1"),
        (
            {"colours": 3},
            ProgramError,
            "the program's sizes are degree, slots, message_bits, arrival_bits, not degree",
        ),
    ],
)
def test_an_instance_that_does_not_fit_the_given_sizes_is_refused(sizes, error, message):
    graph = from_networkx(nx.path_graph(3))
    fitting = {"degree": 2, "slots": 3, "message_bits": 2, "arrival_bits": 2}
    options = {"sources": [0], "message": Message.parse("01")}
    found = flooding.instance(graph, parameters=fitting, **options)
    assert found.parameters == fitting
    assert found.program.digest == flooding.instance(graph, **options).program.digest
    with pytest.raises(error, match=message):
        flooding.instance(graph, parameters=fitting | sizes, **options)


@pytest.mark.parametrize("graph", SMALL_GRAPHS, ids=str)
def test_an_instance_answers_what_the_naive_semantics_answers(graph):
    message = Message.parse("01")
    found = flooding.instance(from_networkx(graph), sources=[0], message=message)
    states = found.initial
    for _ in range(found.num_steps):
        states = naive_step(found.program, graph, states)
    decoded, expected = found.decode(states), found.reference()
    assert decoded.keys() == expected.keys()
    for field, value in expected.items():
        np.testing.assert_array_equal(decoded[field], value)


# Known defects: strict, so that whoever repairs one is told to drop the mark.


@pytest.mark.parametrize("text", ["001", "1" * 64], ids=len)
def test_a_message_longer_than_the_programs_is_refused(text):
    with pytest.raises(LayoutError):
        flooding.initial_states(small_program(), np.array([0]), [0], Message.parse(text))
