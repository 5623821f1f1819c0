"""Training of an ensemble on nothing but a program's templates."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from ntkexec.ensemble import linearised
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.descent import descend
from ntkexec.ensemble.network import TwoLayerNetwork, initial
from ntkexec.ensemble.schedule import Schedule, schedule_for
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.runtime import compilation, devices
from ntkexec.runtime.precision import float64
from ntkexec.vocabulary import Draw

CHUNK_BYTES = 512 << 20
# Of the weights: the result, the current ones, momentum, gradient, and activations, which on the
# basis are no larger than the weights. Blocks of hidden units would save this last one only.
COPIES_WHILE_TRAINING: dict[Draw, int] = {"trained": 6, "antisymmetric": 6, "linearised": 10}
WEIGHT_FIELDS = (
    "hidden",
    "output",
    "hidden_bias",
    "output_bias",
    "hidden_shift",
    "hidden_bias_shift",
    "initial_output",
)


class Weights(NamedTuple):
    """Weights of some members of one stack, in the NTK parametrisation (unscaled).

    hidden: (members, components, n0, width).
    output: (members, components, width, outputs).
    hidden_bias, output_bias: without the middle axis, or None.
    residual: largest error on the training set; (members, components).
    steps: gradient steps, or iterations of the solver; (members, components).
    hidden_shift, hidden_bias_shift, initial_output: of a linearised network, the change of its
        hidden weights and biases, which are the initial ones, and its initial output weights;
        None for trained ones. The output is that of `hidden` and `output`, plus what the shift
        passes on through the units that are active, weighted by `initial_output`.
    peak: of networks that descended, how high the outputs that are to be 1 rose on the way, see
        `Trained`; (members, components).
    """

    hidden: Float[np.ndarray, "e c i h"]
    output: Float[np.ndarray, "e c h o"]
    hidden_bias: Float[np.ndarray, "e c h"] | None
    output_bias: Float[np.ndarray, "e c o"] | None
    residual: Float[np.ndarray, "e c"]
    steps: Int[np.ndarray, "e c"]
    hidden_shift: Float[np.ndarray, "e c i h"] | None = None
    hidden_bias_shift: Float[np.ndarray, "e c h"] | None = None
    initial_output: Float[np.ndarray, "e c h o"] | None = None
    peak: Float[np.ndarray, "e c"] | None = None


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


def network_for(config: EnsembleConfig, stack: Stack) -> TwoLayerNetwork:
    """The network that learns one component of a stack."""
    return TwoLayerNetwork(
        stack.num_inputs,
        config.width,
        stack.num_outputs,
        config.weight_std,
        config.bias_std,
        jnp.dtype(config.precision),
    )


def _train_stack(
    problem: LearningProblem, config: EnsembleConfig, stack: Stack, chunk: Chunk
) -> Weights:
    together = devices.mesh().size
    others = (
        devices.place(np.asarray(config.seed, np.uint32), None),
        devices.place(np.asarray(stack.components, np.uint32), None),
        devices.place(problem.targets(stack).astype(config.precision), None),
    )
    parts = []
    # One member a device and call: the compiled code, and so every rounding error, is then the same
    # however the members are divided among calls, chunks, devices and processes.
    for first in range(chunk.first_member, chunk.last_member, together):
        (weights, residual, steps, peak), _, _ = compilation.call(
            _train,
            devices.place(np.arange(first, first + together, dtype=np.uint32), 0),
            *others,
            network=network_for(config, stack),
            plan=plan_for(config, stack),
            draw=config.draw,
            tolerance=config.tolerance,
        )
        found = devices.gather(weights)
        part = Weights(
            **{field: found.get(field) for field in WEIGHT_FIELDS},
            residual=devices.gather(residual),
            steps=devices.gather(steps),
            peak=devices.gather(peak) if config.descended else None,
        )
        kept = min(together, chunk.last_member - first)
        parts.append(Weights._make(None if a is None else a[:kept] for a in part))
    return join(parts)


def _train(
    members: Integer[Array, "e"],
    seed: Integer[Array, ""],
    components: Integer[Array, "c"],
    targets: Float[Array, "c n0 o"],
    *,
    network: TwoLayerNetwork,
    plan: Schedule,
    draw: Draw,
    tolerance: float,
    max_steps: int | None = None,
) -> tuple[
    dict[str, Float[Array, "e c ..."]],
    Float[Array, "e c"],
    Int[Array, "e c"],
    Float[Array, "e c"],
]:
    limit = 20 * plan.predicted_steps + 200 if max_steps is None else max_steps

    def train_one(
        key: Array, member: Array, component: Array, target: Float[Array, "n0 o"]
    ) -> tuple[dict[str, Array], Array, Array, Array]:
        own_key = jax.random.fold_in(jax.random.fold_in(key, member), component)
        weights = initial(network, own_key, antisymmetric=draw == "antisymmetric")
        if draw == "linearised":
            solved = linearised.solve(
                network, weights, target, tolerance=tolerance, max_steps=limit
            )
            start, shift = weights["params"], solved.shift["params"]
            # The output is linear in the weights and biases after the hidden units.
            found = {n: a + shift[n] if "output" in n else a for n, a in start.items()}
            found |= {f"{n}_shift": shift[n] for n in start if "hidden" in n}
            found["initial_output"] = start["output"]
            return found, solved.residual, solved.steps, jnp.zeros_like(solved.residual)
        trained = descend(network, weights, target, plan, tolerance=tolerance, max_steps=limit)
        return dict(trained.weights["params"]), *trained[1:]

    def on_one_device(members: Array, seed: Array, components: Array, targets: Array) -> Any:
        train_all_components = jax.vmap(train_one, in_axes=(None, None, 0, 0))
        return jax.vmap(train_all_components, in_axes=(None, 0, None, None))(
            jax.random.key(seed), members, components, targets
        )

    return devices.over_members(on_one_device)(members, seed, components, targets)


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
