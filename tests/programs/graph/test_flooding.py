"""The flooding program: its size, its meaning on small graphs, and what it refuses."""

import dataclasses
import itertools
import re

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY, expected_bits, valid_states

import ntkexec
from ntkexec import ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.errors import EnsembleError, GraphError, NtkexecError, ProgramError
from ntkexec.graphs import from_networkx
from ntkexec.programs import inputs
from ntkexec.programs.graph import flooding, floods
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


def started(program, colours, sources, message):
    """The states before the first step, field by field."""
    informed = np.isin(np.arange(len(colours)), sources)
    values = {"colour": colours, "informed": informed, "message": informed * message.value}
    return program.layout.pack(len(colours), values)


def flood(graph, sources, message, *, rounds, program=None):
    """The fields of all nodes after every round, by the naive semantics."""
    colouring = nx.greedy_color(nx.power(graph, 2))
    colours = np.array([colouring[node] for node in graph])
    program = program or small_program(max(colouring.values()) + 1, len(message))
    states = started(program, colours, sources, message)
    fields = [floods.answer(program, states)]
    for _ in range(rounds):
        for _ in range(flooding.STEPS_PER_ROUND):
            states = naive_step(program, graph, states)
        fields.append(floods.answer(program, states))
    return fields, states, program


# Sizes.


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
    states = started(program, np.array([0, 1, 0]), [0, 2], Message.parse("11"))
    with pytest.raises(AssertionError, match="two neighbours wrote the same message bit"):
        naive_step(program, graph, states)


@pytest.mark.parametrize("value", range(8))
def test_arrival_counts_on_from_every_number(value):
    program = small_program(arrival_bits=3)
    waiting = program.layout.pack(1, {"phase": 0, "arrival": value, "colour": 1})
    after = program.layout.unpack(naive_step(program, nx.empty_graph(1), waiting))
    assert after["arrival"].tolist() == [(value + 1) % 8]
    for kept in ({"phase": 1}, {"phase": 0, "informed": 1}):
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
    slots = program.layout.leaves["colour"].size
    return {
        bit: slot
        for slot in range(slots)
        for path in ("inbox.full", "inbox.message")
        for bit in program.layout.bits(path, slot=slot)
    }


def test_every_template_that_writes_a_slot_requires_its_colour():
    program = small_program(slots=4)
    slots, place = slot_of(program), program.layout.bits("colour")
    assert sorted(slots) == list(
        range(program.layout.num_computation_bits, program.layout.num_bits)
    )
    writing = 0
    for entry in program.templates:
        for bit in entry.outputs:
            if bit in slots:
                own = {(colour, value) for colour, value in entry.condition if colour in place}
                assert own == {(b, bool(slots[bit] + 1 >> i & 1)) for i, b in enumerate(place)}
                writing += 1
    assert writing == len(slots)


def test_no_valid_state_writes_to_a_slot_that_is_not_its_colour():
    program = small_program(slots=2, message_bits=1, arrival_bits=1, degree=1)
    states = valid_states(program.layout)
    colours = program.layout.unpack(states, strict=False)["colour"]
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


def test_a_run_begins_with_the_message_at_the_sources_and_nowhere_else():
    graph = from_networkx(nx.path_graph(3))
    found = flooding.instance(graph, sources=[2, 0], message=Message.parse("110"))
    fields = found.program.layout.unpack(found.initial)
    assert fields["colour"].tolist() == graph.colours.tolist()
    assert fields["informed"].tolist() == [True, False, True]
    assert fields["message"].tolist() == [6, 0, 6]
    for path in ("phase", "arrival", "inbox.full", "inbox.message"):
        assert not fields[path].any()


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
    found = flooding.instance(graph, sizes=fitting, **options)
    assert found.sizes == fitting
    assert found.program.digest == flooding.instance(graph, **options).program.digest
    with pytest.raises(error, match=message):
        flooding.instance(graph, sizes=fitting | sizes, **options)


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


def test_an_ensemble_of_another_version_of_the_program_is_refused(tmp_path):
    sizes = {"degree": 2, "slots": 3, "message_bits": 2, "arrival_bits": 2}
    today = small_program()
    assert today == flooding.program(**sizes)
    before = dataclasses.replace(today, templates=today.templates[:-1])
    for program, folder in ((before, tmp_path / "before"), (today, tmp_path / "today")):
        certificate = pipeline.certify(program, num_decisions=1)
        ensemble.train(
            certificate.problem,
            EnsembleConfig(1, 512),
            directory=folder,
            sizes=sizes,
            thresholds=thresholds.running(certificate),
            convention="bit",
        )
    options = {"message": "01", "engine": "ensemble"}
    assert ntkexec.run("flooding", "path:3", trained=tmp_path / "today", **options).exact
    with pytest.raises(EnsembleError, match=r"its templates have changed since.*: train it again"):
        ntkexec.run("flooding", "path:3", trained=tmp_path / "before", **options)
