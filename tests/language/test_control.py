"""Statements of all phases, repeated phases, and the halt flag."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.isolated import run
from support.programs import FEW, expected_bits

from ntkexec import executor, graphs, pipeline
from ntkexec.errors import ProgramError
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.language import Builder, Flag, Sum, any_of, initial_states
from ntkexec.programs.sizes import sizes_of

# Always.


@pytest.mark.parametrize("num_phases", [1, 2, 3])
def test_what_is_always_done_is_done_in_every_phase(num_phases):
    p = Builder("always", slots=1, degree=0)
    count, mark = p.word("count", 3), p.flag("mark")
    for phase in range(num_phases):
        with p.phase(f"phase{phase}"):
            if phase == 1:
                p.set(mark)
    with p.always():
        p.assign(count, count + 1)
    program = p.compile()
    for steps in range(2 * num_phases):
        found = run(program, {"count": np.arange(8)}, steps)
        assert found["count"].tolist() == [(n + steps) % 8 for n in range(8)]
    # 1 + 2 + 3 products, whatever the phase.
    labels = [entry.label for entry in program.templates]
    assert sum(label.startswith("always (test_control.py:") for label in labels) == 6


def test_always_goes_together_with_a_phase_and_disagrees_with_it_at_most_once():
    def program(value):
        p = Builder("always", slots=1, degree=0)
        x, go, stop = p.word("x", 2), p.flag("go"), p.flag("stop")
        with p.always():
            p.assign(x, 2, when=go)
        with p.phase("one"):
            p.assign(x, value, when=go & stop)
        with p.phase("two"):
            p.assign(x, 1, when=~go)
        return p.compile()

    go, stop, x = np.array(list(itertools.product((0, 1), (0, 1), range(4)))).T
    for steps, otherwise in ((1, x), (2, 1)):
        found = run(program(2), {"go": go, "stop": stop, "x": x}, steps)["x"]
        assert np.array_equal(found, np.where(go, 2, otherwise))
    with pytest.raises(ProgramError, match=r"disagree on x\[0\] in phase 'one' when go\[0\], stop"):
        program(3)


def test_two_statements_for_all_phases_can_disagree():
    p = Builder("always", slots=1, degree=0)
    x = p.flag("x")
    with p.always():
        p.set(x)
        p.clear(x)
    with p.phase("one"):
        pass
    with pytest.raises(ProgramError, match=r"disagree on x\[0\] always when anything holds"):
        p.compile()


def test_always_reads_messages_in_every_step():
    p = Builder("always", slots=2, degree=1)
    on, heard = p.flag("on"), p.word("heard", 2)
    inbox = p.message(Flag("noise"))
    with p.always():
        p.assign(heard, heard + 1, when=any_of(inbox.noise))
    with p.phase("shout"):
        p.send(inbox.noise, on)
    with p.phase("rest"):
        pass
    found = run(p.compile(), {"on": [1, 0], "colour": 0}, 4)
    assert found["heard"].tolist() == [2, 0]


def test_statements_for_all_phases_can_ask_for_the_phase():
    p = Builder("ask", slots=1, degree=0)
    seen = p.flags("seen", 3)
    for name in ("one", "two", "three"):
        with p.phase(name):
            pass
    with p.always():
        for index, flag in enumerate(seen):
            p.set(flag, when=p.in_phase(index))
    for index in (-1, 3):
        with pytest.raises(ProgramError, match=f"no phase {index}; there are 3 so far"):
            p.in_phase(index)
    for steps in range(4):
        found = run(p.compile(), {"colour": [0]}, steps)["seen.set"]
        assert found.tolist() == [[index < steps for index in range(3)]]


# Repeat. A plan is a list of phases (their names) and of pairs (times, plan).

plans = st.recursive(
    st.just("phase"),
    lambda inner: st.tuples(st.integers(1, 3), st.lists(inner, min_size=1, max_size=2)),
    max_leaves=4,
)


def write_plan(p, plan, counters, path=()):
    """Phases that count how often they are carried out; turns are stored when a phase is."""
    for index, part in enumerate(plan):
        if part == "phase":
            count = p.word(f"count{len(counters)}", 5)
            counters.append((*path, index))
            with p.phase(f"phase{len(counters) - 1}"):
                p.assign(count, count + 1)
        else:
            with p.repeat(part[0]):
                write_plan(p, part[1], counters, (*path, index))


def unrolled(plan, path=()):
    for index, part in enumerate(plan):
        if part == "phase":
            yield (*path, index)
        else:
            for _ in range(part[0]):
                yield from unrolled(part[1], (*path, index))


@FEW
@given(st.lists(plans, min_size=1, max_size=3))
def test_a_repeated_block_is_the_block_written_out(plan):
    p, counters = Builder("plan", slots=1, degree=0), []
    write_plan(p, plan, counters)
    program, order = p.compile(), list(unrolled(plan))
    assert program.round_length == len(order)
    states, counts = initial_states(program, 1, {}), dict.fromkeys(counters, 0)
    for step in range(2 * len(order) + 1):
        fields = program.layout.unpack(states)
        for number, path in enumerate(counters):
            assert fields[f"count{number}"].tolist() == [counts[path] % 32]
        states = expected_bits(program, states)
        counts[order[step % len(order)]] += 1


@pytest.mark.parametrize("times", [1, 2, 4])
def test_the_turn_says_which_pass_it_is(times):
    p = Builder("turns", slots=1, degree=0)
    seen = p.flags("seen", 2 * times)
    with p.repeat(times) as turn:
        for part in range(2):
            with p.phase(f"part{part}"):
                for index, now in enumerate(turn):
                    p.set(seen[2 * index + part], when=now)
    program = p.compile()
    for step in range(2 * times + 1):
        found = run(program, {"colour": [0]}, step)["seen.set"]
        assert found.tolist() == [[i < step for i in range(2 * times)]]


def test_minimum_in_a_loop_needs_no_more_phases_than_its_body():
    # What a loop is for: the bits of the candidates are looked at one after the other.
    length, candidates = 3, 2
    p = Builder("loop", slots=1, degree=0)
    live = p.flags("live", candidates)
    numbers = [p.word(f"number{i}", length) for i in range(candidates)]
    zero_seen = p.flag("zero_seen", temporary=True)
    with p.repeat(length) as turn:

        def top(number: Sum):
            return any_of(now & bit for now, bit in zip(turn, reversed(number.bits)))

        with p.phase("look"):
            zeros = [
                one & any_of(now & ~bit for now, bit in zip(turn, reversed(number.bits)))
                for one, number in zip(live, numbers)
            ]
            p.set(zero_seen, when=any_of(zeros))
        with p.phase("drop"):
            for one, number in zip(live, numbers):
                p.clear(one, when=zero_seen & top(number))
    program = p.compile()
    found = sizes_of(program)
    assert (found.phases, found.steps) == (2, 2 * length)
    x, y = np.array(list(itertools.product(range(8), repeat=2))).T
    found = run(program, {"number0": x, "number1": y, "live.set": True}, learned=True)
    assert np.array_equal(found["live.set"], np.transpose([x <= y, y <= x]))


def test_a_repeat_needs_a_phase():
    p = Builder("empty", slots=1, degree=0)
    line = r"test_control\.py:\d+: a repeat without a phase"
    with pytest.raises(ProgramError, match=line), p.repeat(2):
        pass


# Halting.


def countdown():
    p = Builder("countdown", slots=1, degree=0)
    left, done = p.word("left", 3), p.flag("done")
    p.halt = done
    with p.phase("only"):
        p.assign(left, left + 1, when=left != 7)
        p.set(done, when=left == 7)
    return p


def test_a_program_carries_its_halt_flag_and_the_executor_finds_it():
    program = countdown().compile()
    assert program.halt == "done"
    no_edges = np.zeros(0, np.int32)
    states = initial_states(program, 3, {"left": [5, 2, 7]})
    graph = graphs_tuple(no_edges, no_edges, 3, nodes=states)
    engine = pipeline.make_engine("kernel", pipeline.certify(program, num_decisions=10**6))
    found = executor.execute(engine, program, graph, num_steps=100, until="halt")
    assert (found.stopped, found.steps) == ("halt", 6)
    assert program.layout.unpack(found.states)["left"].tolist() == [7, 7, 7]
    # Naming it is the same; a program without one must be given one.
    again = executor.execute(engine, program, graph, num_steps=100, until="halt", halt="done")
    assert again.steps == found.steps


def test_the_halt_flag_is_no_part_of_what_is_learned():
    p = countdown()
    program = p.compile()
    p._halt = None
    assert p.compile() == program
    assert p.compile().digest == program.digest
    with pytest.raises(ProgramError, match="a halt flag goes with until='halt'"):
        executor.execute(
            None,
            p.compile(),
            graphs.load("path:2").tuple._replace(nodes=initial_states(program, 2, {})),
            num_steps=1,
            until="halt",
        )
