"""Training of an ensemble on nothing but a program's templates."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from ntkexec import compilation
from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.schedule import schedule
from ntkexec.errors import EnsembleError
from ntkexec.precision import float64
from ntkexec.problem import LearningProblem, Stack

CHUNK_BYTES = 512 << 20
# Weights, their gradient, momentum, the update and the activations of the backward pass.
COPIES_WHILE_TRAINING = 8


@dataclasses.dataclass(frozen=True)
class EnsembleConfig:
    """How an ensemble is drawn and trained.

    Args:
        members: N, independently initialised networks for every learning problem.
        width: h, hidden units of a network.
        weight_std: standard deviation of the weights at initialisation.
        bias_std: likewise of the biases; 0 for none. Certificates need 0.
        seed: member i of any ensemble with this seed starts from the same weights, whatever N and
            however the work is cut; trained weights agree to rounding.
        tolerance: training stops when no output of a training pair is off by more.
        precision: float32 or float64.

    Raises:
        EnsembleError: a value out of range.
    """

    members: int
    width: int = 1024
    weight_std: float = 1.0
    bias_std: float = 0.0
    seed: int = 0
    tolerance: float = 1e-4
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("members", "width"):
            if getattr(self, name) < 1:
                raise EnsembleError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.weight_std < math.inf:
            raise EnsembleError(f"weight_std must be positive, got {self.weight_std}")
        if not self.bias_std >= 0:
            raise EnsembleError(f"bias_std cannot be negative, got {self.bias_std}")
        if not 0 < self.tolerance < 1:
            raise EnsembleError(f"tolerance must lie between 0 and 1, got {self.tolerance}")
        if self.precision not in ("float32", "float64"):
            raise EnsembleError(f"precision is float32 or float64, got {self.precision!r}")
        if not 0 <= self.seed < 1 << 32:
            raise EnsembleError(f"seed must lie between 0 and 2^32 - 1, got {self.seed}")


class Weights(NamedTuple):
    """Weights of some members of one stack, in the NTK parametrisation (unscaled).

    hidden: (members, components, n0, width).
    output: (members, components, width, outputs).
    hidden_bias, output_bias: without the middle axis, or None.
    residual: largest error on the training set; (members, components).
    steps: gradient steps taken; (members, components).
    """

    hidden: Float[np.ndarray, "e c i h"]
    output: Float[np.ndarray, "e c h o"]
    hidden_bias: Float[np.ndarray, "e c h"] | None
    output_bias: Float[np.ndarray, "e c o"] | None
    residual: Float[np.ndarray, "e c"]
    steps: Int[np.ndarray, "e c"]


def join(parts: Sequence[Weights]) -> Weights:
    """The members of several chunks of one stack as one."""
    fields: Any = zip(*parts, strict=True)
    return Weights._make(None if c[0] is None else np.concatenate(c) for c in fields)


class Chunk(NamedTuple):
    """A piece of the work: some members of one stack; both index ranges are half open."""

    stack: int
    first_member: int
    last_member: int


def chunks(
    problem: LearningProblem, config: EnsembleConfig, budget: int = CHUNK_BYTES
) -> list[Chunk]:
    """The work in pieces that fit in `budget` bytes; the cut changes weights by rounding only."""
    itemsize = np.dtype(config.precision).itemsize
    pieces = []
    for index, stack in enumerate(problem.stacks):
        weights = len(stack.components) * config.width * (stack.num_inputs + stack.num_outputs)
        size = max(1, budget // (weights * itemsize * COPIES_WHILE_TRAINING))
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
            f"width {config.width}; try width {_ample_width(stack, config.width)}"
        )
    return trained


def _ample_width(stack: Stack, width: int) -> int:
    return max(2 * width, 2 ** math.ceil(math.log2(16 * max(stack.num_inputs, stack.num_outputs))))


def _train_stack(
    problem: LearningProblem, config: EnsembleConfig, stack: Stack, chunk: Chunk
) -> Weights:
    network = TwoLayerNetwork(
        stack.num_inputs,
        config.width,
        stack.num_outputs,
        config.weight_std,
        config.bias_std,
        jnp.dtype(config.precision),
    )
    plan = schedule(
        stack.num_inputs,
        stack.num_outputs,
        config.width,
        weight_std=config.weight_std,
        bias_std=config.bias_std,
        tolerance=config.tolerance,
    )
    members = jnp.arange(chunk.first_member, chunk.last_member)
    (weights, residual, steps), _, _ = compilation.call(
        _train,
        jax.random.key(config.seed),
        members,
        jnp.asarray(stack.components),
        jnp.asarray(problem.targets(stack), config.precision),
        network=network,
        learning_rate=plan.learning_rate,
        momentum=plan.momentum,
        tolerance=config.tolerance,
        max_steps=20 * plan.predicted_steps + 200,
    )
    found = {name: np.asarray(value) for name, value in weights["params"].items()}
    return Weights(
        hidden=found["hidden"],
        output=found["output"],
        hidden_bias=found.get("hidden_bias"),
        output_bias=found.get("output_bias"),
        residual=np.asarray(residual),
        steps=np.asarray(steps),
    )


def _train(
    key: Array,
    members: Int[Array, "e"],
    components: Int[Array, "c"],
    targets: Float[Array, "c n0 o"],
    *,
    network: TwoLayerNetwork,
    learning_rate: float,
    momentum: float,
    tolerance: float,
    max_steps: int,
) -> tuple[Any, Float[Array, "e c"], Int[Array, "e c"]]:
    optimiser = optax.sgd(learning_rate, momentum)

    def loss(weights: Any, target: Float[Array, "n0 o"]) -> tuple[Array, Array]:
        outputs: Any = network.apply(weights, method="on_basis")
        error = outputs - target
        return 0.5 * jnp.sum(error**2), jnp.max(jnp.abs(error))

    slope = jax.grad(loss, has_aux=True)

    def train_one(member: Array, component: Array, target: Float[Array, "n0 o"]) -> Any:
        own_key = jax.random.fold_in(jax.random.fold_in(key, member), component)
        weights = network.init(own_key, method="on_basis")

        def keep_going(carry: Any) -> Array:
            *_, residual, step = carry
            # A residual that is not a number ends training too.
            return (residual > tolerance) & (step < max_steps)

        def descend(carry: Any) -> Any:
            weights, state, gradient, _, step = carry
            updates, state = optimiser.update(gradient, state)
            weights = optax.apply_updates(weights, updates)
            return weights, state, *slope(weights, target), step + 1

        start = (
            weights,
            optimiser.init(weights),
            *slope(weights, target),
            jnp.asarray(0, jnp.int32),
        )
        weights, _, _, residual, steps = jax.lax.while_loop(keep_going, descend, start)
        return weights, residual, steps

    over_components = jax.vmap(train_one, in_axes=(None, 0, 0))
    return jax.vmap(over_components, in_axes=(0, None, None))(members, components, targets)


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
