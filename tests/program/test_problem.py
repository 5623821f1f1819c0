"""Learning problems: joint and factored division of a program among networks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY, TYPE_CHECKED_STRATEGIES, small_programs, written_table

from ntkexec.errors import ProgramError
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem, ragged_to_padded
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.vocabulary import KINDS

pytestmark = TYPE_CHECKED_STRATEGIES

PROBLEMS = st.builds(
    LearningProblem,
    small_programs(max_templates=12),
    st.sampled_from(KINDS),
    st.sampled_from((0, 1, 5)),
)


@MANY
@given(PROBLEMS)
def test_every_written_bit_is_learned_once_from_all_templates_that_write_it(problem):
    program = problem.program
    bits = [b for component in problem.components for b in component.bits]
    assert len(bits) == len(set(bits))
    written = {bit for entry in program.templates for bit in entry.outputs}
    everything = set(range(program.layout.num_bits))
    assert set(bits) == (everything if problem.kind == "joint" else written)
    for component in problem.components:
        writers = {
            index
            for index, entry in enumerate(program.templates)
            if not set(entry.outputs).isdisjoint(component.bits)
        }
        assert set(component.templates) == writers
        if problem.kind == "factored":
            assert len(component.bits) == 1


@MANY
@given(PROBLEMS)
def test_component_of_bit_names_the_component_that_has_the_bit(problem):
    for bit, owner in enumerate(problem.component_of_bit.tolist()):
        having = [i for i, component in enumerate(problem.components) if bit in component.bits]
        assert having == ([] if owner == -1 else [owner])


@MANY
@given(PROBLEMS)
def test_inputs_are_the_least_power_of_two_and_the_padding(problem):
    sizes = [len(component.templates) for component in problem.components]
    for size, num_inputs in zip(sizes, problem.num_inputs.tolist(), strict=True):
        unpadded = num_inputs - problem.padding
        if problem.kind == "joint":
            assert unpadded == size
        else:
            assert unpadded.bit_count() == 1
            assert unpadded / 2 < size <= unpadded
    sizes = [len(component.templates) for component in problem.components]
    assert problem.num_padding == problem.num_inputs.sum() - sum(sizes)
    assert problem.max_matches == max(sizes)


@MANY
@given(PROBLEMS)
def test_stacks_cover_every_component_once_and_hold_what_they_promise(problem):
    members = [index for stack in problem.stacks for index in stack.components]
    assert sorted(members) == list(range(len(problem.components)))
    sizes = [stack.num_inputs for stack in problem.stacks]
    assert sizes == sorted(set(sizes))
    for stack in problem.stacks:
        parts = [problem.components[index] for index in stack.components]
        assert {int(problem.num_inputs[i]) for i in stack.components} == {stack.num_inputs}
        assert stack.num_templates == max(len(part.templates) for part in parts)
        assert stack.num_outputs == max(len(part.bits) for part in parts)


@MANY
@given(PROBLEMS)
def test_targets_are_the_training_set_restricted_to_the_component(problem):
    _, full = problem.program.training_set()
    covered = np.zeros_like(full)
    for stack in problem.stacks:
        targets = problem.targets(stack)
        assert targets.dtype == np.float32
        assert targets.shape == (len(stack.components), stack.num_inputs, stack.num_outputs)
        for target, index in zip(targets, stack.components, strict=True):
            part = problem.components[index]
            where = np.ix_(part.templates, part.bits)
            np.testing.assert_array_equal(problem.writes(index), full[where])
            rows, columns = len(part.templates), len(part.bits)
            np.testing.assert_array_equal(target[:rows, :columns], full[where])
            assert not target[rows:].any()
            assert not target[:, columns:].any()
            covered[where] += target[:rows, :columns]
    # Nothing of the training set lies outside the blocks.
    np.testing.assert_array_equal(covered, full)
    np.testing.assert_array_equal(covered, written_table(problem.program))


def several_sizes(*sizes):
    """Components of the given sizes: `size` templates with different conditions write one bit."""
    layout = Layout(tuple(Flag(f"b{i}") for i in range(max(sizes) + len(sizes))))
    templates, reader = [], max(sizes)
    for index, size in enumerate(sizes):
        for bit in range(size):
            # The component's own bit in the condition keeps conditions pairwise different.
            templates.append(template({bit: 1, reader + index: 1}, [reader + index]))
    return Program("sizes", layout, tuple(templates))


def test_sizes_are_filled_up_to_powers_of_two_by_hand():
    program = several_sizes(1, 2, 3, 4, 5, 8, 9)
    factored = LearningProblem(program)
    assert factored.num_inputs.tolist() == [1, 2, 4, 4, 8, 8, 16]
    assert [stack.components for stack in factored.stacks] == [(0,), (1,), (2, 3), (4, 5), (6,)]
    assert factored.num_padding == 1 + 3 + 7
    padded = LearningProblem(program, padding=3)
    assert padded.num_inputs.tolist() == [4, 5, 7, 7, 11, 11, 19]
    joint = LearningProblem(program, "joint", 3)
    assert joint.num_inputs.tolist() == [35]
    assert joint.num_padding == 3
    assert factored.component_of_bit.tolist() == [-1] * 9 + list(range(7))
    assert joint.component_of_bit.tolist() == [0] * 16


def test_a_kind_that_does_not_exist_is_refused():
    # A TypeError where the type-checking hook is on, since the annotation lists the kinds.
    with pytest.raises((ProgramError, TypeError), match=r"'both'(?s:.*)factored(?s:.*)joint"):
        LearningProblem(several_sizes(1), "both")


@pytest.mark.parametrize("kind", KINDS)
def test_negative_padding_is_refused(kind):
    with pytest.raises(ProgramError, match="padding cannot be negative, got -1"):
        LearningProblem(several_sizes(1), kind, -1)


@MANY
@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4))
def test_padding_of_ragged_rows_keeps_the_rows(rows):
    padded = ragged_to_padded(rows, -1)
    assert padded.dtype == np.int32
    assert padded.shape == (len(rows), max([1, *map(len, rows)]))
    for row, found in zip(rows, padded.tolist(), strict=True):
        assert found == row + [-1] * (padded.shape[1] - len(row))
