"""Packed execution equals plain execution, bit for bit, on every program."""

import dataclasses
import functools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.executions import executions
from support.programs import expected_bits

from ntkexec import executor, graphs, pipeline
from ntkexec.engines.packed import execution
from ntkexec.engines.packed.engine import packed_kernel_engine
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.engines.packed.reliance import kernel_is_union
from ntkexec.errors import CertificateError, ProgramError
from ntkexec.graphs import message_passing
from ntkexec.program.fields import Flag, OneHot, Table, Word
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs import ALGORITHMS
from ntkexec.programs.graph import bfs
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import given_bound

CASES = {
    "flooding": ("flooding", "random-bounded:n=45,d=3,seed=3", {"message": "101"}),
    "flooding, directed": ("flooding", "gnp:n=40,p=0.04,directed=1,seed=0", {}),
    "bfs, several components": ("bfs", "random-bounded:n=40,d=4,seed=1,connected=0", {}),
    "dfs": ("dfs", "tree:n=9,d=3,seed=0", {}),
    "bellman-ford": (
        "bellman-ford",
        "random-bounded:n=7,d=3,seed=0,weights=1..5",
        {"weights": "weight"},
    ),
    "one node": ("bfs", "path:1", {}),
    "no edges": ("flooding", "random-bounded:n=33,d=0,seed=0,connected=0", {}),
}


@functools.cache
def case(name):
    algorithm, spec, inputs = CASES[name]
    instance = pipeline.prepare(algorithm, spec, **inputs)
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    return (
        instance,
        pipeline.make_engine("kernel", certificate),
        pipeline.make_engine("kernel-packed", certificate),
    )


def run(engine, instance, **options):
    options = {"num_steps": instance.num_steps} | options
    return executor.execute(engine, instance.program, instance.graphs, **options)


# Programs of many templates, which take long to compile; the default suite has these engines run them
# by their own tests.
LONG = ("dfs", "bellman-ford")


# Small graphs take all steps in one call, large ones round by round.
@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in CASES]
)
def test_final_states_equal_those_of_the_kernel_engine(name, small, monkeypatch):
    if not small:
        monkeypatch.setattr(execution, "SMALL_NODES", 0)
    instance, kernel, packed = case(name)
    # Also one step more than whole rounds of the clock.
    for num_steps in (instance.num_steps, instance.num_steps + 1):
        one = run(kernel, instance, verify=False, num_steps=num_steps)
        other = run(packed, instance, verify=False, num_steps=num_steps)
        assert np.array_equal(one.states, other.states)
        assert (one.steps, one.stopped, one.collisions) == (
            other.steps,
            other.stopped,
            other.collisions,
        )


@pytest.mark.parametrize(
    "name",
    ["bfs, several components", pytest.param("flooding, directed", marks=pytest.mark.slow)],
)
def test_trace_and_verification_equal_those_of_the_kernel_engine(name):
    instance, kernel, packed = case(name)
    one, other = (run(engine, instance, trace=True) for engine in (kernel, packed))
    assert np.array_equal(one.trace, other.trace)
    for field in dataclasses.fields(one.verification):
        left, right = (getattr(found.verification, field.name) for found in (one, other))
        assert np.array_equal(left, right), field.name


def test_stopping_equals_that_of_the_kernel_engine():
    instance, kernel, packed = case("bfs, several components")
    for options in ({"until": "fixed-point"}, {"until": "halt", "halt": "reached"}):
        mask = instance.decode(run(kernel, instance).states)["distance"] >= 0
        one, other = (
            run(engine, instance, num_steps=200, node_mask=mask, verify=False, **options)
            for engine in (kernel, packed)
        )
        assert one.stopped == other.stopped == options["until"]
        assert one.steps == other.steps < 200
        assert np.array_equal(one.states[mask], other.states[mask])


def test_padded_batches_equal_those_of_the_kernel_engine():
    sample = [graphs.load(f"random-bounded:n={n},d=3,seed={n}") for n in (5, 9, 14)]
    batch = graphs.batch(sample)
    starts = [part.start for part in batch.node_ranges()]
    sizes = {"degree": 3, "slots": 10, "word": 4}
    instance = bfs.instance(batch, sources=starts, sizes=sizes)
    padded = message_passing.pad(instance.graphs, 40, 90)
    certificate = pipeline.certify(instance.program, num_decisions=1000)
    one, other = (
        executor.execute(
            pipeline.make_engine(name, certificate),
            instance.program,
            padded,
            num_steps=instance.num_steps,
            verify=False,
        )
        for name in ("kernel", "kernel-packed")
    )
    assert np.array_equal(one.states, other.states)


@given(executions(), st.integers(0, 7))
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
def test_random_programs_run_as_their_templates_say(drawn, num_steps):
    assert_as_templates_say(*drawn, num_steps)


@pytest.mark.slow
@given(executions(), st.integers(0, 7))
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_more_random_programs_run_as_their_templates_say(drawn, num_steps):
    assert_as_templates_say(*drawn, num_steps)


def assert_as_templates_say(program, inputs, num_steps):
    prepared = prepare(PackedProgram(program), inputs)
    found = prepared.run(num_steps)
    with mock.patch.object(execution, "SMALL_NODES", 0):
        large = prepared.run(num_steps)
    assert large.collisions == found.collisions
    assert np.array_equal(
        prepared.states(large.clock, large.rows), prepared.states(found.clock, found.rows)
    )
    states, collisions = np.array(inputs.nodes), 0
    split = program.layout.num_computation_bits
    for _ in range(num_steps):
        decided = expected_bits(program, states)
        states = decided.copy()
        received = decided[:, split:].astype(int)
        for sender, receiver in zip(inputs.senders, inputs.receivers):
            received[receiver] += decided[sender, split:]
        states[:, split:] = received > 0
        collisions += int((received > 1).any(axis=1).sum())
    assert np.array_equal(prepared.states(found.clock, found.rows), states)
    assert found.collisions == collisions


def test_a_wrong_colouring_is_noticed():
    instance, _, packed = case("flooding")
    states = np.array(instance.initial)
    colours = instance.program.layout.bits("colour")
    states[:, colours] = np.arange(len(colours)) == 0
    found = executor.execute(
        packed,
        instance.program,
        instance.graph.tuple._replace(nodes=states),
        num_steps=4,
        verify=False,
    )
    assert found.collisions > 0


def place_program(*, guarded):
    """Nodes send a flag into the slot of their place, a one-hot field, or into any."""
    layout = Layout(
        (OneHot("place", 3), Flag("on")), (Table("inbox", 3, (Flag("full"), Flag("odd"))),)
    )
    place, on = layout.bits("place"), layout.bit("on")
    templates = [template({bit: 1}, [bit]) for bit in (*place, on)]
    for slot, bit in enumerate(place):
        full, odd = (layout.bit(f"inbox.{name}", slot=slot) for name in ("full", "odd"))
        templates.append(template({bit: 1, on: 1}, [full, odd] if slot == 1 else [full]))
    if not guarded:
        templates.append(template({}, [layout.bit("inbox.full", slot=2)]))
    return Program("places", layout, tuple(templates))


def test_own_slots_are_proven_from_templates_and_initial_states():
    program = place_program(guarded=True)
    packed = PackedProgram(program)
    place, inbox = program.layout.bits("place"), program.layout.num_computation_bits
    # That a sender is on never changes either, and so belongs to what it requires.
    on = (program.layout.bit("on"), True)
    assert packed.own.guards == tuple(((bit, True), on) for bit in place)
    assert packed.own.bits == ((inbox, -1), (inbox + 2, inbox + 3), (inbox + 4, -1))
    # A flag that anyone may send leaves the proof for the other bits.
    some = PackedProgram(place_program(guarded=False)).own
    assert some.covered == packed.own.covered - {inbox + 4}
    nobody = Program("nobody", program.layout, (template({}, [inbox]),))
    assert PackedProgram(nobody).own is None
    states = np.zeros((40, program.layout.num_bits), bool)
    states[np.arange(40), np.arange(40) % 3] = states[:, 3] = True
    path = graphs.load("path:40").tuple
    assert prepare(packed, path._replace(nodes=states)).neighbours.slots is not None
    # A node in two places, or two neighbours in one, and messages could meet.
    for node, place in [(7, 2), (8, 0)]:
        broken = states.copy()
        broken[node, :3] = False
        broken[node, [place, (place + 1) % 3] if node == 7 else [place]] = True
        assert prepare(packed, path._replace(nodes=broken)).neighbours.slots is None


def test_places_in_binary_are_places_too():
    instance, _, packed = case("bfs, several components")
    guards = packed.packed.own.guards
    assert len(guards) == instance.program.layout.leaves["colour"].size
    assert all({bit for bit, _ in g} == set(instance.program.layout.bits("colour")) for g in guards)
    assert prepare(packed.packed, instance.graphs).neighbours.slots is not None


def test_a_search_calls_in_any_slot_but_announces_in_its_own():
    instance, _, packed = case("dfs")
    layout, own = instance.program.layout, packed.packed.own
    slots = range(len(own.guards))
    assert own.covered == {layout.bit("inbox.here", slot=slot) for slot in slots}
    prepared = prepare(packed.packed, instance.graphs)
    assert prepared.neighbours.slots is not None
    everything = frozenset(range(layout.num_bits))
    assert prepared.payload_rows(everything) == 1 + len(slots)


def test_a_small_graph_takes_one_call(monkeypatch):
    instance, _, packed = case("bfs, several components")
    calls = []
    call = execution.compilation.call
    monkeypatch.setattr(
        execution.compilation, "call", lambda *a, **k: calls.append(a[0]) or call(*a, **k)
    )
    run(packed, instance, verify=False, num_steps=instance.num_steps + 1)
    assert calls == [execution.run_small]


def test_another_program_is_refused():
    _, _, packed = case("flooding")
    other, _, _ = case("dfs")
    with pytest.raises(ProgramError, match="not Program"):
        executor.execute(packed, other.program, other.graphs, num_steps=1)


# Reliance.


def colliding_program(writers):
    """One bit with many writers, of which one may be alone among many other matches."""
    layout = Layout((Word("input", writers), Flag("out"), Word("other", writers)))
    out, inputs, others = layout.bit("out"), layout.bits("input"), layout.bits("other")
    templates = [template({bit: 1}, [out]) for bit in inputs]
    templates += [template({bit: 1}, [bit]) for bit in others]
    return Program("colliding", layout, tuple(templates))


def test_a_joint_program_beyond_its_capacity_is_refused_and_padding_mends_it():
    program = colliding_program(12)
    problem = LearningProblem(program, "joint")

    def packed(problem, max_matches, convention="shared"):
        bound = given_bound(problem, max_matches)
        return packed_kernel_engine(Certificate(problem, bound, convention=convention))

    with pytest.raises(CertificateError, match="the kernel does not decide"):
        packed(problem, 24)
    padded = LearningProblem(program, "joint", padding=4000)
    assert "every state" in packed(padded, 24).relies_on
    assert "bound of 1 matches" in packed(problem, 1).relies_on
    # With a threshold for each bit there is no such capacity.
    assert "every state" in packed(problem, 24, "bit").relies_on


def test_verification_notices_a_state_outside_the_bound():
    program = colliding_program(12)
    problem = LearningProblem(program, "joint")
    engine = packed_kernel_engine(
        Certificate(problem, given_bound(problem, 1), convention="shared")
    )
    states = np.ones((3, program.layout.num_bits), bool)
    states[:, 1:12] = False
    inputs = message_passing.graphs_tuple(np.zeros(0, int), np.zeros(0, int), 3, nodes=states)
    with pytest.raises(CertificateError, match="decides out otherwise than the plain engine"):
        executor.execute(engine, program, inputs, num_steps=1)
    within = np.zeros((3, program.layout.num_bits), bool)
    within[:, 0] = True
    fine = executor.execute(engine, program, inputs._replace(nodes=within), num_steps=1)
    assert fine.verification.exact


def test_reliance_is_read_off_the_engines_own_tables():
    instance, kernel, _ = case("bfs, several components")
    certificate = pipeline.certify(instance.program, num_decisions=1000)
    assert "every state" in kernel_is_union(kernel, certificate)
    broken = dataclasses.replace(kernel, thresholds=kernel.thresholds.at[:, 1].set(1.5))
    with pytest.raises(CertificateError, match="1 matches, 1 of them writers"):
        kernel_is_union(broken, certificate)


def test_packed_engines_are_engines():
    _, kernel, packed = case("dfs")
    assert isinstance(packed, executor.Engine)
    assert isinstance(packed, executor.OwnLoop)
    assert not isinstance(kernel, executor.OwnLoop)


# Nothing is counted while a program runs with a network for every bit: whatever matches, the sign of
# the mean is right. These run on any graph.
ANY_GRAPH = sorted(
    set(ALGORITHMS)
    - {"cole-vishkin", "rule-110", "permute", "add", "multiply", "sbn", "bellman-ford"}
)


@pytest.mark.parametrize("name", ANY_GRAPH)
def test_a_network_for_every_bit_is_right_in_every_state(name):
    instance = pipeline.prepare(name, "random-bounded:n=6,d=3,seed=0")
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    assert "every state" in pipeline.make_engine("kernel-packed", certificate).relies_on
