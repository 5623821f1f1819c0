"""Theorems about programs of one node: proved for all inputs, and refused where they are wrong."""

import itertools
import random

import pytest
from support.theorems import as_rechecked, failing, theorem_of, vacuous

from ntkexec.programs.arithmetic import add, multiply, permute, sbn
from ntkexec.programs.reference import sbn as reference
from ntkexec.prove.solve import model_of
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem.clockwork import controls_of
from ntkexec.recheck.theorem.obligation import Obligation
from ntkexec.recheck.theorem.statements import multiply as of_products
from ntkexec.recheck.theorem.statements import permute as of_permutations
from ntkexec.recheck.theorem.statements import sbn as of_machines

MODULES = {"add": add, "multiply": multiply, "permute": permute, "sbn": sbn}
SMALL = {"word": 3, "cells": 3, "code": 3}
# What the machine works out or keeps and then does not read: the last carry, a bit that is used up.
UNREAD = {"subtract_carry0[2]", "a[0]"}
slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("add", {"bits": 1}),
        ("add", {"bits": 6}),
        ("multiply", {"bits": 1}),
        ("multiply", {"bits": 3}),
        ("permute", {"bits": 5, "permutation": 77}),
        ("sbn", {"word": 1, "cells": 1, "code": 1}),
        ("sbn", SMALL),
        pytest.param("add", {"bits": 30}, marks=slow),
        pytest.param("multiply", {"bits": 8}, marks=slow),
        pytest.param("sbn", {"word": 8, "cells": 16, "code": 64}, marks=slow),
    ],
)
def test_programs_of_one_node_are_right_for_all_inputs(name, sizes):
    theorem = theorem_of(name, MODULES[name].program(**sizes), sizes)
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


def refuted(name, program, sizes):
    """Whether an obligation fails of a program."""
    theorem = theorem_of(name, program, sizes)
    return any(
        model_of(obligation.formula(part)) is not None
        for obligation in (build() for build in theorem.obligations.values())
        for part in obligation.parts
    )


@pytest.mark.parametrize(
    ("name", "sizes", "every"),
    [
        ("add", {"bits": 4}, 1),
        ("permute", {"bits": 5, "permutation": 77}, 1),
        ("multiply", {"bits": 4}, 9),
        ("sbn", SMALL, 9),
        pytest.param("multiply", {"bits": 4}, 1, marks=slow),
        pytest.param("sbn", SMALL, 1, marks=slow),
    ],
)
def test_every_template_of_what_is_read_is_needed(name, sizes, every):
    program = MODULES[name].program(**sizes)
    for index in range(0, len(program.templates), every):
        templates = program.templates[:index] + program.templates[index + 1 :]
        one = type(program)(program.name, program.layout, templates)
        written = {program.layout.bit_names[bit] for bit in program.templates[index].outputs}
        unread = name == "sbn" and written <= UNREAD
        assert refuted(name, one, sizes) or unread, program.templates[index]


def test_another_permutation_or_another_length_is_not_what_the_program_does():
    program = permute.program(bits=4, permutation=5)
    assert refuted("permute", program, {"bits": 4, "permutation": 6})
    with pytest.raises(Rejected, match="no permutation 24"):
        theorem_of("permute", program, {"bits": 4, "permutation": 24})


def test_places_are_the_permutations_in_the_order_of_dictionaries():
    found = [tuple(of_permutations.places_of(rank, 4)) for rank in range(24)]
    assert found == list(itertools.permutations(range(4)))


def test_a_hypothesis_about_products_that_comes_a_step_early_fails():
    sizes = {"bits": 3}
    program = as_rechecked(multiply.program(**sizes))
    names = theorem_of("multiply", multiply.program(**sizes), sizes).obligations
    parts = {
        part for name in names for part in failing(of_products.build(name, program, sizes, late=1))
    }
    assert {"carry", "high"} <= parts


def test_the_machine_that_subtracts_the_other_way_round_is_another():
    program = as_rechecked(sbn.program(**SMALL))
    control = controls_of(program, SMALL["word"] + 4)[0]
    cycle = of_machines.build("cycle", program, SMALL, control, wrong=True)
    assert failing(cycle) == ["counter", "memory"]


def test_the_specified_machine_is_the_reference():
    word, cells, code = 4, 3, 4
    obligation = Obligation("machine")
    machine = of_machines.Machine(obligation, {"word": word, "cells": cells, "code": code})
    machine.cycle()
    rng = random.Random(0)
    for _ in range(300):
        program = [
            (rng.randrange(cells), rng.randrange(cells), rng.randrange(code + 1))
            for _ in range(code)
        ]
        memory = [rng.randrange(-4, 4) for _ in range(cells)]
        start = rng.randrange(code + 1)
        given = {"counter": 1 << start}
        given |= {f"cell{i}": value % (1 << word) for i, value in enumerate(memory)}
        for i, (a, b, aim) in enumerate(program):
            given |= {f"a{i}": a, f"b{i}": b, f"aim{i}": aim}
        assert obligation.failing(given) == []
        free = {
            bit: bool(value >> place & 1)
            for name, value in given.items()
            for place, bit in enumerate(obligation.inputs[name])
        }
        values = obligation.circuit.values(free)

        def number(bits, values=values):
            return sum((values[abs(b)] == (b > 0)) << place for place, b in enumerate(bits))

        # An instruction at the start, after which the rest follows, whatever came before.
        rotated = [(a, b, aim - start) for a, b, aim in program[start:]]
        run = reference.run(rotated, memory, max_cycles=1)
        place = run.place + start if run.cycles else start
        assert number(machine.counter) == 1 << place
        assert [number(cell) for cell in machine.memory] == [v % (1 << word) for v in run.memory]


def test_a_product_has_no_bits_of_which_nothing_is_said():
    program = as_rechecked(multiply.program(bits=2))
    longer = program.fields | {"low": [*program.fields["low"], *range(3)]}
    theorem = of_products.theorem(program._replace(fields=longer), {"bits": 2})
    with pytest.raises(ValueError, match="`low` has"):
        theorem.obligations["final"]()
