"""Members do not depend on how the work is cut, nor on each other."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from support.ensembles import (
    MIXED,
    equal_weights,
    joint,
    program,
    train_at_once,
)

from ntkexec.ensemble import training
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.schedule import Schedule
from ntkexec.ensemble.training import Chunk, chunks, train_chunk
from ntkexec.ensemble.weights import Weights, join
from ntkexec.program.problem import LearningProblem

CONFIG = EnsembleConfig(members=5, width=64)
PROBLEMS = [LearningProblem(MIXED), joint(MIXED)]
IDS = ["factored", "joint"]


@pytest.fixture
def initial_weights(monkeypatch):
    """The weights before the first step, chunk by chunk, from the training code itself."""

    def untrained(problem, config, chunks):
        # Another tolerance: code that was compiled for the usual number of steps would be found.
        quick = dataclasses.replace(config, tolerance=0.5)
        for chunk in chunks:
            stack = problem.stacks[chunk.stack]
            weights = training._train_stack(problem, quick, stack, chunk)
            assert not weights.steps.any()
            yield {name: getattr(weights, name) for name in ("hidden", "output")}

    monkeypatch.setattr(Schedule, "most_steps", 0)
    return untrained


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_the_initial_weights_are_unit_gaussian_draws(problem, initial_weights):
    config = dataclasses.replace(CONFIG, width=4096)
    (weights,) = initial_weights(problem, config, [Chunk(0, 0, 1)])
    for name, array in weights.items():
        # Kolmogorov-Smirnov; both together reject a true statement with probability 2e-4.
        assert stats.kstest(array.ravel(), "norm").pvalue > 1e-4, name


def test_a_member_starts_from_the_same_bits_whatever_the_cut(initial_weights):
    problem = LearningProblem(MIXED)
    cuts = ((0, 1), (4, 5), (1, 4))
    chunks_of_it = [Chunk(0, first, last) for first, last in ((0, 5), *cuts)]
    whole, *parts = initial_weights(problem, CONFIG, chunks_of_it)
    for (first, last), part in zip(cuts, parts, strict=True):
        for name, array in whole.items():
            np.testing.assert_array_equal(part[name], array[first:last])


@pytest.mark.parametrize(
    "problem, draw",
    [
        pytest.param(
            problem,
            draw,
            id=f"{name}-{draw}",
            marks=() if (name == "joint") == (draw == "trained") else pytest.mark.slow,
        )
        for problem, name in zip(PROBLEMS, IDS, strict=True)
        for draw in ("trained", "linearised")
    ],
)
def test_a_trained_member_has_the_same_bits_whatever_the_cut(problem, draw):
    config = dataclasses.replace(CONFIG, draw=draw)
    whole = train_chunk(problem, config, Chunk(0, 0, 5))
    for first, last in ((0, 1), (4, 5), (1, 4)):
        part = train_chunk(problem, config, Chunk(0, first, last))
        cut = Weights._make(None if a is None else a[first:last] for a in whole)
        assert equal_weights(part, cut)
    # The twin: another member has others.
    other = Weights._make(None if a is None else a[1:2] for a in whole)
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
