"""The clock of a program, its initial states, and what people and files see of it."""

import subprocess
import sys

import pytest
from support.places import here
from support.programs import expected_bits

from ntkexec.errors import LayoutError
from ntkexec.language import (
    Builder,
    idioms,
    initial_states,
)

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
