"""Training of an ensemble on nothing but a program's templates."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ntkexec.ensemble import panels
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.schedule import Schedule, schedule_for
from ntkexec.ensemble.weights import Weights
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.runtime.precision import float64
from ntkexec.vocabulary import Draw

CHUNK_BYTES = 512 << 20
# Of the weights: the result, the current ones, momentum, gradient, and activations, which on the
# basis are no larger than the weights. Blocks of hidden units would save this last one only.
COPIES_WHILE_TRAINING: dict[Draw, int] = {"trained": 6, "antisymmetric": 6, "linearised": 10}


class Chunk(NamedTuple):
    """A piece of the work: some members of one stack; both index ranges are half open."""

    stack: int
    first_member: int
    last_member: int


def chunks(
    problem: LearningProblem, config: EnsembleConfig, budget: int = CHUNK_BYTES
) -> list[Chunk]:
    """The work in pieces that fit in `budget` bytes. The cut does not change any weight."""
    itemsize = np.dtype(config.precision).itemsize
    pieces = []
    for index, stack in enumerate(problem.stacks):
        weights = len(stack.components) * config.width * (stack.num_inputs + stack.num_outputs)
        size = max(1, budget // (weights * itemsize * COPIES_WHILE_TRAINING[config.draw]))
        starts = range(0, config.members, size)
        pieces += [Chunk(index, first, min(first + size, config.members)) for first in starts]
    return pieces


def train_chunk(problem: LearningProblem, config: EnsembleConfig, chunk: Chunk) -> Weights:
    """Trains some members of one stack until every residual is within tolerance.

    Raises:
        EnsembleError: the loss diverges or stalls; a larger width helps.
    """
    stack = problem.stacks[chunk.stack]
    scope = float64() if config.precision == "float64" else contextlib.nullcontext()
    with scope:
        trained = _train_stack(problem, config, stack, chunk)
    worst = float(np.max(trained.residual))
    if not worst <= config.tolerance:
        raise EnsembleError(
            f"training left a residual of {worst:.3g} after {int(trained.steps.max())} steps (tolerance "
            f"{config.tolerance:.3g}) for {stack.num_inputs} templates and {stack.num_outputs} outputs at "
            f"width {config.width}; try width {_ample_width(stack, config.width)}{_other_descent(config)}"
        )
    return trained


def _ample_width(stack: Stack, width: int) -> int:
    return max(2 * width, 2 ** math.ceil(math.log2(16 * max(stack.num_inputs, stack.num_outputs))))


def _other_descent(config: EnsembleConfig) -> str:
    if not config.descended or config.descent == "auto":
        return ""
    return f" or descent auto instead of {config.descent}"


def plan_for(config: EnsembleConfig, stack: Stack) -> Schedule:
    """Step size, momentum and predicted number of steps for the networks of a stack."""
    return schedule_for(
        stack.num_inputs,
        stack.num_outputs,
        config.independent_units,
        weight_std=config.weight_std,
        bias_std=config.bias_std,
        tolerance=config.tolerance,
        descent=config.descent,
    )


def _train_stack(
    problem: LearningProblem, config: EnsembleConfig, stack: Stack, chunk: Chunk
) -> Weights:
    members, plan = range(chunk.first_member, chunk.last_member), plan_for(config, stack)
    if panels.suits(config, stack):
        return panels.train(problem, config, stack, plan, members)
    from ntkexec.ensemble import stacks  # here, so that panels do not wait for Flax

    return stacks.train(problem, config, stack, plan, members)


class Progress(NamedTuple):
    """Where training stands: networks done, all, and seconds so far."""

    done: int
    total: int
    seconds: float


def train_all(
    problem: LearningProblem,
    config: EnsembleConfig,
    *,
    finished: Callable[[Chunk], Weights | None] = lambda _: None,
    report: Callable[[Progress], None] = lambda _: None,
    budget: int = CHUNK_BYTES,
) -> Iterator[tuple[Chunk, Weights]]:
    """Trains chunk after chunk.

    Args:
        problem: what to learn.
        config: how.
        finished: gives the weights of a chunk that was trained before, or None.
        report: called after every chunk.
        budget: bytes that training may use.
    """
    work = chunks(problem, config, budget)
    size = [
        len(problem.stacks[c.stack].components) * (c.last_member - c.first_member) for c in work
    ]
    start, done = time.perf_counter(), 0
    for chunk, networks in zip(work, size, strict=True):
        weights = finished(chunk)
        if weights is None:
            weights = train_chunk(problem, config, chunk)
        done += networks
        report(Progress(done, sum(size), time.perf_counter() - start))
        yield chunk, weights
