"""Permutations, sums and products are exact on all inputs of a size, from few examples."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.instances import exact_answer, is_right, run
from support.programs import MANY

from ntkexec.errors import ProgramError
from ntkexec.program.program import Program
from ntkexec.programs import arithmetic
from ntkexec.programs.arithmetic import add, multiply, permute
from proofs_check.fixtures.size_formulas import FORMULAS

# Nodes that are executed together; their states and matches take some 50 MB.
CHUNK = 1 << 16

EXACT = {add: lambda a, b: {"sum": a + b}, multiply: lambda a, b: {"product": a * b}}


def all_pairs(bits):
    """All pairs of numbers, in chunks."""
    for start in range(0, 4**bits, CHUNK):
        pairs = np.arange(start, min(start + CHUNK, 4**bits))
        yield pairs >> bits, pairs & ((1 << bits) - 1)


def pairs_instance(module, a, b, bits):
    graph = arithmetic.nodes(range(len(a)), label="pairs")
    return module.prepare(graph, a=a, b=b, bits=bits)


def assert_equals(instance, expected, **options):
    """Runs an instance, and compares with the program, with its reference and with what is expected."""
    answer, reference = exact_answer(instance, **options), instance.reference()
    assert answer.keys() == expected.keys() == reference.keys()
    for field, values in expected.items():
        assert np.array_equal(answer[field], values)
        assert np.array_equal(reference[field], values)


def assert_exact_on_all_pairs(module, bits, **options):
    checked = 0
    for a, b in all_pairs(bits):
        instance = pairs_instance(module, a, b, bits)
        assert_equals(instance, EXACT[module](a, b), **options)
        checked += len(a)
    assert checked == instance.num_inputs == 4**bits
    examples = instance.program.num_templates
    assert examples == FORMULAS[module.ALGORITHM.name].templates(bits=bits)
    print(f"{module.__name__}: {bits} bits, {examples} examples, exact on {checked:,} inputs")


@pytest.mark.parametrize("module", EXACT, ids=lambda module: module.__name__)
@pytest.mark.parametrize("bits", [4])
def test_exact_on_all_pairs(module, bits):
    assert_exact_on_all_pairs(module, bits)


@pytest.mark.slow
@pytest.mark.parametrize("module", EXACT, ids=lambda module: module.__name__)
@pytest.mark.parametrize("bits", range(2, 11))
def test_exact_on_all_pairs_up_to_ten_bits(module, bits):
    assert_exact_on_all_pairs(module, bits)


def test_a_trained_ensemble_adds_all_pairs_of_two_bits():
    assert_exact_on_all_pairs(add, 2, engine="ensemble")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["factored", "joint"])
@pytest.mark.parametrize("module", EXACT, ids=lambda module: module.__name__)
@pytest.mark.parametrize("bits", range(1, 6))
def test_a_trained_ensemble_is_exact_on_all_pairs_up_to_five_bits(module, bits, kind):
    assert_exact_on_all_pairs(module, bits, engine="ensemble", kind=kind)


@pytest.mark.parametrize("module", EXACT, ids=lambda module: module.__name__)
def test_one_step_less_is_too_few(module):
    a, b = next(all_pairs(3))
    instance = pairs_instance(module, a, b, 3)
    assert not is_right(instance, run(instance, num_steps=instance.num_steps - 1))


@pytest.mark.parametrize("module", EXACT, ids=lambda module: module.__name__)
def test_every_example_is_needed(module):
    a, b = next(all_pairs(4))
    instance = pairs_instance(module, a, b, 4)
    program = instance.program
    for index in range(program.num_templates):
        rest = program.templates[:index] + program.templates[index + 1 :]
        shorter = Program(program.name, program.layout, rest)
        states = instance.initial
        for _ in range(instance.num_steps):
            states = step(shorter, states)
        expected = EXACT[module](a, b)
        assert any((instance.decode(states)[field] != expected[field]).any() for field in expected)


def step(program, states):
    """One step, template by template."""
    after = np.zeros_like(states)
    for entry in program.templates:
        matched = np.ones(len(states), bool)
        for bit, value in entry.condition:
            matched &= states[:, bit] == value
        after[np.ix_(matched, entry.outputs)] = True
    return after


def test_examples_grow_with_the_logarithm_of_the_inputs():
    for bits in (1, 2, 3, 5, 8, 13, 30):
        for module, growth in ((add, 3), (multiply, 19)):
            examples = FORMULAS[module.ALGORITHM.name].templates(bits=bits)
            assert examples == module.program(bits=bits).num_templates
            assert examples <= growth * math.log2(4**bits) / 2 + 2


# Permutations.


def assert_permutes_all(moves, **options):
    bits = len(moves)
    values = np.arange(1 << bits)
    graph = arithmetic.nodes(range(len(values)), label="strings")
    instance = permute.prepare(graph, values=values, permutation=moves)
    assert instance.program.num_templates == bits
    # The definition, on strings.
    expected = []
    for value in values.tolist():
        text = f"{value:0{bits}b}"[::-1]
        moved = ["0"] * bits
        for place, to in enumerate(moves):
            moved[to] = text[place]
        expected.append(int("".join(moved)[::-1], 2))
    assert_equals(instance, {"permuted": np.array(expected)}, **options)


def test_all_permutations_of_three_bits_are_exact_on_all_inputs():
    for moves in itertools.permutations(range(3)):
        assert_permutes_all(moves, engine="boolean")


@pytest.mark.parametrize("kind", ["factored", "joint"])
def test_a_random_permutation_of_ten_bits_is_exact_on_all_inputs(kind):
    assert_permutes_all(np.random.default_rng(0).permutation(10).tolist(), kind=kind)


@pytest.mark.slow
@pytest.mark.parametrize("bits", range(1, 11))
def test_random_permutations_are_exact_on_all_inputs(bits):
    rng = np.random.default_rng(bits)
    for _ in range(5):
        assert_permutes_all(rng.permutation(bits).tolist())


@pytest.mark.slow
@pytest.mark.parametrize("bits", range(1, 6))
def test_one_network_for_all_bits_permutes_all_inputs_up_to_five_bits(bits):
    moves = np.random.default_rng(bits).permutation(bits).tolist()
    assert_permutes_all(moves, engine="ensemble", kind="joint")


@given(st.integers(1, 12).flatmap(lambda n: st.permutations(range(n))))
@MANY
def test_a_permutation_has_a_number_and_comes_back(moves):
    number = permute.rank(moves)
    assert 0 <= number < math.factorial(len(moves))
    assert permute.permutation_of(number, len(moves)) == tuple(moves)


# What is refused.

ONE = arithmetic.nodes(["x"], label="one")


@pytest.mark.parametrize(
    ("prepare", "inputs", "message"),
    [
        (add.prepare, {"a": 1}, "b is missing"),
        (add.prepare, {"a": 8, "b": 1, "bits": 3}, "4 bits would hold it"),
        (add.prepare, {"a": -1, "b": 1}, "a = -1 does not fit"),
        (add.prepare, {"a": 1.5, "b": 1}, "whole numbers"),
        (add.prepare, {"a": [1, 2], "b": 1}, "one a for each of 1 nodes"),
        (add.prepare, {"a": 1, "b": 1, "bits": 40}, "1 to 30 bits, not 40"),
        (add.prepare, {"a": 1, "b": 1, "bits": 2, "sizes": {"bits": 3}}, "the program has 3"),
        (permute.prepare, {"values": 1}, "needs a permutation"),
        (permute.prepare, {"values": 1, "permutation": [0, 0]}, "1 is missing"),
        (permute.prepare, {"values": 4, "permutation": [1, 0]}, "does not fit in 2 bits"),
    ],
    # Not the functions: their addresses differ between processes.
    ids=lambda value: getattr(value, "__module__", None) or str(value),
)
def test_what_does_not_fit_is_refused(prepare, inputs, message):
    with pytest.raises(ProgramError, match=message):
        prepare(ONE, **inputs)


@pytest.mark.parametrize(("bits", "number"), [(0, 0), (63, 0), (3, 6), (3, -1)])
def test_a_permutation_that_there_is_not_is_refused(bits, number):
    with pytest.raises(ProgramError, match="not"):
        permute.program(bits=bits, permutation=number)
