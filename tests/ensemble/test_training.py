"""Training: reproducible members, true residuals, nothing but the templates, honest failures."""

import dataclasses
import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
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

from ntkexec.ensemble import Ensemble, training
from ntkexec.ensemble.descent import largest
from ntkexec.ensemble.training import Chunk, EnsembleConfig, chunks, join, train_chunk
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.graph import flooding

CONFIG = EnsembleConfig(members=5, width=64)
PROBLEMS = [LearningProblem(MIXED), joint(MIXED)]
IDS = ["factored", "joint"]
EXACT = dataclasses.replace(CONFIG, precision="float64")


def largest_difference(first, second):
    return max(np.abs(a - b).max() for a, b in zip(first, second) if a is not None)


def initial_weights(problem, config, chunk):
    """The weights before the first step, from the training code itself."""
    stack = problem.stacks[chunk.stack]
    start = jax.jit(
        functools.partial(
            training._train,
            network=training.network_for(config, stack),
            plan=training.plan_for(config, stack),
            draw="trained",
            tolerance=0.5,
            max_steps=0,
        )
    )
    parts = []
    for member in range(chunk.first_member, chunk.last_member):
        weights, _, steps, _ = start(
            np.array([member], np.uint32),
            np.uint32(config.seed),
            np.array(stack.components, np.uint32),
            problem.targets(stack),
        )
        assert not np.asarray(steps).any()
        parts.append(weights)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_the_initial_weights_are_unit_gaussian_draws():
    config = dataclasses.replace(CONFIG, width=4096)
    for name, array in initial_weights(joint(MIXED), config, Chunk(0, 0, 1)).items():
        # Kolmogorov-Smirnov; both together reject a true statement with probability 2e-4.
        assert stats.kstest(array.ravel(), "norm").pvalue > 1e-4, name


# Members do not depend on how the work is cut.


def test_a_member_starts_from_the_same_bits_whatever_the_cut():
    problem = LearningProblem(MIXED)
    whole = initial_weights(problem, CONFIG, Chunk(0, 0, 5))
    for first, last in ((0, 1), (4, 5), (1, 4)):
        part = initial_weights(problem, CONFIG, Chunk(0, first, last))
        for name, array in whole.items():
            np.testing.assert_array_equal(part[name], array[first:last])


@pytest.mark.parametrize("draw", ["trained", "linearised"])
@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_a_trained_member_has_the_same_bits_whatever_the_cut(problem, draw):
    config = dataclasses.replace(CONFIG, draw=draw)
    whole = train_chunk(problem, config, Chunk(0, 0, 5))
    for first, last in ((0, 1), (4, 5), (1, 4)):
        part = train_chunk(problem, config, Chunk(0, first, last))
        cut = training.Weights._make(None if a is None else a[first:last] for a in whole)
        assert equal_weights(part, cut)
    # The twin: another member has others.
    other = training.Weights._make(None if a is None else a[1:2] for a in whole)
    assert not equal_weights(train_chunk(problem, config, Chunk(0, 0, 1)), other)


@pytest.mark.parametrize("budget", [1, 20_000, 50_000, 1 << 29])
def test_the_chunks_cover_every_member_of_every_stack_once_within_the_budget(budget):
    problem = LearningProblem(MIXED)
    pieces = chunks(problem, CONFIG, budget)
    covered = [(c.stack, member) for c in pieces for member in range(c.first_member, c.last_member)]
    assert sorted(covered) == [(s, m) for s in range(len(problem.stacks)) for m in range(5)]
    assert len(covered) == len(set(covered))
    for piece in pieces:
        stack = problem.stacks[piece.stack]
        size = len(stack.components) * (stack.num_inputs + stack.num_outputs)
        one = 4 * 64 * training.COPIES_WHILE_TRAINING[CONFIG.draw] * size
        members = piece.last_member - piece.first_member
        assert members * one <= budget or members == 1
    assert (len(pieces) == len(problem.stacks)) == (budget == 1 << 29)


def test_the_budget_does_not_change_one_bit():
    # Components of 1, 2 and 1 templates: two stacks.
    problem = LearningProblem(program([[0], [1], [1], [2]]))
    whole = train_at_once(problem, CONFIG)
    pieces = dict(training.train_all(problem, CONFIG, budget=20_000))
    assert len(pieces) > len(problem.stacks)
    for index, weights in enumerate(whole):
        parts = join([pieces[chunk] for chunk in sorted(pieces) if chunk.stack == index])
        assert equal_weights(parts, weights)


def test_training_twice_gives_the_same_bits():
    first, second = (train_chunk(joint(MIXED), CONFIG, Chunk(0, 0, 2)) for _ in range(2))
    assert equal_weights(first, second)


def test_members_components_and_seeds_differ():
    problem = LearningProblem(program([[0], [1], [2]]))
    (stack,) = problem.stacks
    assert len(stack.components) == 3
    weights = train_chunk(problem, CONFIG, Chunk(0, 0, 5))
    rows = weights.hidden.reshape(15, -1).astype(np.float64)
    # Unit Gaussian draws of 64: correlations have standard deviation 1/8, and 105 pairs stay
    # within 5.5 of them with probability 1 - 4e-6. Equal draws would correlate at 1.
    correlation = np.corrcoef(rows) - np.eye(15)
    assert np.abs(correlation).max() < 5.5 / 8
    other = train_chunk(problem, dataclasses.replace(CONFIG, seed=1), Chunk(0, 0, 5))
    assert not (weights.hidden == other.hidden).any()
    again = train_chunk(problem, dataclasses.replace(CONFIG, seed=0), Chunk(0, 0, 5))
    assert equal_weights(weights, again)


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
        (LearningProblem(MIXED, padding=3), "float64", 1e-9, 0.5),
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

    call = training.compilation.call
    monkeypatch.setattr(training.compilation, "call", spy)
    problem = LearningProblem(program([[0], [1], [1], [2]]), padding=2)
    for index, stack in enumerate(problem.stacks):
        train_chunk(problem, CONFIG, Chunk(index, 0, 1))
        members, _, components, targets = seen.pop()
        assert members.tolist() == [0]
        assert components.tolist() == list(stack.components)
        for component, found in zip(stack.components, np.asarray(targets)):
            expected = targets_by_hand(problem, component)
            assert found.shape[0] == len(expected)
            np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)
            assert not found[:, expected.shape[1] :].any()


# Failures.


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
@pytest.mark.parametrize("width", [256, 2048])
def test_training_needs_no_more_memory_than_the_budget_assumes(draw, width):
    """As the compiler plans it, for one joint network of many templates."""
    problem = LearningProblem(flooding.program(**flooding.sizes(degree=3, word=3)), "joint")
    (stack,) = problem.stacks
    config = EnsembleConfig(members=1, width=width, draw=draw)
    compiled = jax.jit(
        functools.partial(
            training._train, network=training.network_for(config, stack),
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


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"members": 0}, "members must be at least 1, got 0"),
        ({"members": -3}, "members must be at least 1, got -3"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"weight_std": 0.0}, "weight_std must be positive, got 0.0"),
        ({"weight_std": -1.0}, "weight_std must be positive"),
        ({"weight_std": math.nan}, "weight_std must be positive, got nan"),
        ({"bias_std": -0.1}, "bias_std cannot be negative, got -0.1"),
        ({"bias_std": math.nan}, "bias_std cannot be negative, got nan"),
        ({"tolerance": 0.0}, "tolerance must lie between 0 and 1, got 0.0"),
        ({"tolerance": 1.0}, "tolerance must lie between 0 and 1"),
        ({"tolerance": math.nan}, "tolerance must lie between 0 and 1"),
        ({"precision": "float16"}, "precision is float32 or float64, got 'float16'"),
        ({"seed": -1}, "seed must lie between 0 and"),
        ({"seed": 1 << 32}, "seed must lie between 0 and"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(wrong, message):
    with pytest.raises(EnsembleError, match=re.escape(message)):
        EnsembleConfig(**{"members": 1} | wrong)


def test_the_extreme_options_are_accepted():
    EnsembleConfig(members=1, width=1, weight_std=1e-3, bias_std=0.0, seed=0, tolerance=0.999)
    EnsembleConfig(members=1, seed=(1 << 32) - 1, precision="float64")


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
