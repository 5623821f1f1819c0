"""Training: true residuals, nothing but the templates, honest failures."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.ensembles import (
    EPS32,
    MIXED,
    all_chunks,
    equal_weights,
    joint,
    member_outputs,
    program,
    train_at_once,
)

from ntkexec.ensemble import Ensemble, stacks, training
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.descent import largest
from ntkexec.ensemble.training import Chunk, train_chunk
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.graph import flooding

CONFIG = EnsembleConfig(members=5, width=64)
EXACT = dataclasses.replace(CONFIG, precision="float64")


# What was learned.


def targets_by_hand(problem, component):
    """Row i is what template i of a component writes, by walking over the templates."""
    part = problem.components[component]
    rows = np.zeros((problem.num_inputs[component], len(part.bits)))
    for row, index in enumerate(part.templates):
        for bit in set(problem.program.templates[index].outputs) & set(part.bits):
            rows[row, part.bits.index(bit)] = 1
    return rows


@pytest.mark.parametrize(
    "problem, precision, tolerance, bias_std",
    [
        (LearningProblem(MIXED), "float32", 1e-4, 0.0),
        pytest.param(
            *(LearningProblem(MIXED, padding=3), "float64", 1e-9, 0.5), marks=pytest.mark.slow
        ),
        (joint(MIXED), "float32", 1e-4, 0.5),
        (joint(MIXED), "float64", 1e-9, 0.0),
    ],
    ids=["factored", "padded, with biases", "joint, with biases", "joint"],
)
def test_the_residual_is_true_and_within_the_tolerance(problem, precision, tolerance, bias_std):
    config = dataclasses.replace(
        CONFIG, members=2, precision=precision, tolerance=tolerance, bias_std=bias_std
    )
    # Sums of 64 products of size 1 in the given precision.
    rounding = 64 * float(np.finfo(precision).eps)
    for stack, weights in zip(problem.stacks, train_at_once(problem, config)):
        arrays = [a for a in weights[:5] if a is not None]
        assert all(array.dtype == precision for array in arrays)
        assert len(arrays) == (5 if bias_std else 3)
        for member in range(2):
            for place, component in enumerate(stack.components):
                basis = np.eye(stack.num_inputs)
                found = member_outputs(weights, config, member, place, basis)
                expected = np.zeros_like(found)
                target = targets_by_hand(problem, component)
                expected[:, : target.shape[1]] = target
                error = np.abs(found - expected).max()
                assert error <= tolerance + rounding
                assert abs(error - weights.residual[member, place]) < rounding
                # The twin: one flipped target.
                expected[0, 0] = 1 - expected[0, 0]
                assert np.abs(found - expected).max() > 0.5


def test_float64_is_computed_in_float64():
    config = dataclasses.replace(EXACT, tolerance=1e-12)
    weights = train_chunk(joint(MIXED), config, Chunk(0, 0, 2))
    assert weights.residual.max() <= 1e-12
    # In float32 that cannot be reached; see below.
    assert (weights.hidden != weights.hidden.astype(np.float32)).any()


def test_the_training_set_is_nothing_but_the_templates():
    outputs = [[0], [0, 1], [1], [2]]
    conditions = [{0: 0, 1: 1}, {2: 1}, {3: 0, 0: 1}, {1: 0, 2: 0, 3: 0}]
    plain, other = program(outputs), program(outputs, conditions=conditions)
    assert plain.digest != other.digest
    for kind in ("joint", "factored"):
        first, second = LearningProblem(plain, kind), LearningProblem(other, kind)
        for chunk in all_chunks(first, 2):
            a, b = (train_chunk(problem, CONFIG, chunk) for problem in (first, second))
            assert equal_weights(a, b)
    # The twin: another output of one template changes what is learned.
    changed = joint(program([[0], [0, 1], [0], [2]]))
    a, b = (train_chunk(p, CONFIG, Chunk(0, 0, 2)) for p in (joint(plain), changed))
    assert not equal_weights(a, b)


def test_the_training_inputs_are_the_standard_basis_and_the_targets_the_outputs(monkeypatch):
    seen = []

    def spy(function, *args, **static):
        seen.append(args)
        return call(function, *args, **static)

    call = stacks.compilation.call
    monkeypatch.setattr(stacks.compilation, "call", spy)
    problem = LearningProblem(program([[0], [1], [1], [2]]), padding=2)
    config = dataclasses.replace(CONFIG, bias_std=0.1)
    for index, stack in enumerate(problem.stacks):
        train_chunk(problem, config, Chunk(index, 0, 1))
        members, _, components, targets = seen.pop()
        assert members.tolist() == [0]
        assert components.tolist() == list(stack.components)
        for component, found in zip(stack.components, np.asarray(targets)):
            expected = targets_by_hand(problem, component)
            assert found.shape[0] == len(expected)
            np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)
            assert not found[:, expected.shape[1] :].any()


# Failures.


# That a width is suggested, and which, is said by the next test too.
@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2])
def test_too_narrow_a_network_is_refused_and_the_suggested_width_works(width):
    problem = joint(program([[i] for i in range(8)]))
    narrow = EnsembleConfig(members=2, width=width)
    with pytest.raises(EnsembleError, match=rf"at width {width}; try width \d+$") as caught:
        train_chunk(problem, narrow, Chunk(0, 0, 2))
    wider = int(re.search(r"try width (\d+)", str(caught.value))[1])
    assert wider > width
    trained = train_chunk(problem, dataclasses.replace(narrow, width=wider), Chunk(0, 0, 2))
    assert trained.residual.max() <= narrow.tolerance


def test_a_tolerance_below_rounding_is_refused_with_the_residual_that_was_reached():
    config = dataclasses.replace(CONFIG, tolerance=1e-10)
    with pytest.raises(EnsembleError, match=r"tolerance 1e-10\) .* try width 256") as caught:
        train_chunk(joint(MIXED), config, Chunk(0, 0, 1))
    reached = float(re.search(r"residual of (\S+) after", str(caught.value))[1])
    assert 1e-10 < reached < 64 * 8 * EPS32


@pytest.mark.parametrize("shape", [(3, 1), (600, 100)])
def test_the_largest_error_is_not_a_number_if_one_is_not(shape):
    errors = np.ones(shape, np.float32)
    assert jax.jit(largest)(jnp.asarray(errors)) == 1
    errors[-1, 0] = np.nan
    assert np.isnan(jax.jit(largest)(jnp.asarray(errors)))
    # XLA's maximum alone gives -inf for this one.
    assert np.isnan(jax.jit(largest)(jnp.full(shape, jnp.nan)))


@pytest.mark.parametrize("draw", ["trained", "linearised"])
@pytest.mark.parametrize("width", [pytest.param(256, marks=pytest.mark.slow), 2048])
def test_training_needs_no_more_memory_than_the_budget_assumes(draw, width):
    """As the compiler plans it, for one joint network of many templates."""
    problem = LearningProblem(flooding.program(**flooding.sizes(degree=3, word=3)), "joint")
    (stack,) = problem.stacks
    config = EnsembleConfig(members=1, width=width, draw=draw)
    compiled = jax.jit(
        functools.partial(
            stacks._train, network=stacks.network_for(config, stack),
            plan=training.plan_for(config, stack), draw=draw, tolerance=1e-4,
        )
    ).lower(
        np.zeros(1, np.uint32), np.uint32(0), np.zeros(1, np.uint32),
        problem.targets(stack).astype(np.float32),
    ).compile()  # fmt: skip
    needed = compiled.memory_analysis()
    weights = 4 * width * (stack.num_inputs + stack.num_outputs)
    # What does not grow with the width: targets, errors, outputs.
    fixed = 16 * 4 * stack.num_inputs * stack.num_outputs
    total = needed.temp_size_in_bytes + needed.output_size_in_bytes
    assert total <= training.COPIES_WHILE_TRAINING[draw] * weights + fixed


def test_a_residual_that_is_not_a_number_is_refused():
    # Weights this large overflow float32 in the first gradient.
    config = dataclasses.replace(CONFIG, weight_std=1e15)
    with pytest.raises(EnsembleError, match=r"residual of (nan|inf)"):
        train_chunk(joint(MIXED), config, Chunk(0, 0, 1))


# Progress and sizes.


def test_progress_counts_networks_and_ends_with_all():
    problem, seen = LearningProblem(MIXED), []
    for _ in training.train_all(problem, CONFIG, report=seen.append, budget=20_000):
        pass
    total = len(problem.components) * CONFIG.members
    assert [p.total for p in seen] == [total] * len(seen)
    assert [p.done for p in seen] == sorted({p.done for p in seen})
    assert seen[-1].done == total
    assert all(p.seconds >= 0 for p in seen)


def test_finished_chunks_are_not_trained_again(monkeypatch):
    problem = LearningProblem(MIXED)
    pieces = dict(training.train_all(problem, CONFIG, budget=20_000))
    calls, train = [], training.train_chunk

    def count(problem, config, chunk):
        calls.append(chunk)
        return train(problem, config, chunk)

    monkeypatch.setattr(training, "train_chunk", count)
    kept = {chunk: w for chunk, w in pieces.items() if chunk.first_member == 0}
    again = dict(training.train_all(problem, CONFIG, finished=kept.get, budget=20_000))
    assert calls == [chunk for chunk in pieces if chunk not in kept]
    assert calls
    assert all(equal_weights(again[chunk], pieces[chunk]) for chunk in pieces)


def test_an_ensemble_knows_its_size_residual_and_steps():
    problem = LearningProblem(MIXED)
    weights = tuple(
        training.Weights(
            hidden=np.zeros((5, len(s.components), s.num_inputs, 64)),
            output=np.zeros((5, len(s.components), 64, s.num_outputs)),
            hidden_bias=None,
            output_bias=None,
            residual=np.random.default_rng(0).random((5, len(s.components))),
            steps=np.random.default_rng(1).integers(9, size=(5, len(s.components))),
        )
        for s in problem.stacks
    )
    trained = Ensemble(problem, CONFIG, weights)
    assert trained.residual == max(w.residual.max() for w in weights)
    assert trained.max_steps == max(w.steps.max() for w in weights)
    assert trained.num_parameters == sum(
        5 * 64 * len(s.components) * (s.num_inputs + s.num_outputs) for s in problem.stacks
    )
    with pytest.raises(EnsembleError, match=r"1 stacks of weights for a problem with 2"):
        Ensemble(problem, CONFIG, weights[:1])
