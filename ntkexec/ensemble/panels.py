"""Small networks side by side in the rows of a panel: one compiled program trains them all.

A row is a training pair of some network: the hidden weights of its basis vector, and a copy of the
network's output weights. On the standard basis the pairs of a network share nothing else. So all is
done row by row, but for what is summed over a network's pairs: the loss, and the gradient by the
output weights. The networks of a panel have blocks of rows of equal size, a power of two, which is
data like all else. The code depends on the width alone, and serves components of any size, of any
program: it is compiled once, where one stack after the other would be compiled for itself.

The networks are those of `stacks`, up to rounding: same draws, same loss, same steps.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int32, UInt32

from ntkexec.ensemble import draws, steps
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.schedule import Schedule
from ntkexec.ensemble.weights import Weights
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.runtime import compilation, devices

ROWS = 256
"""Rows of a panel."""

ENTRIES = 1 << 20
"""Hidden weights of a panel: networks so wide that its rows have more get panels of fewer rows."""

TILE = 32
"""Rows that are drawn at a time, so that only those are drawn that there are."""


class Rows(NamedTuple):
    """The rows of a panel; of several panels, one for each device, with a leading axis.

    networks: how many there are.
    keys, place: of what is drawn: the output weights of every network, then the hidden weights row
        by row; `place` is the number of the row in its network. What is not drawn is 0.
    target: what the pair's output is to be.
    real: False in rows that hold no pair.
    """

    networks: Int32[Array, "*e"]
    keys: UInt32[Array, "*e d 2"]
    place: UInt32[Array, "*e d"]
    target: Float32[Array, "*e r"]
    real: Bool[Array, "*e r"]


class Task(NamedTuple):
    """What the networks of a stack have in common, all scalars.

    doublings: log2 of the rows of a block.
    num_inputs: n0.
    inner, outer: factors of the hidden and of the output weights.
    learning_rate, momentum, mean_weight, back_off: see `Schedule`.
    tolerance, max_steps: when descent ends.
    """

    doublings: Int32[Array, ""]
    num_inputs: Float32[Array, ""]
    inner: Float32[Array, ""]
    outer: Float32[Array, ""]
    learning_rate: Float32[Array, ""]
    momentum: Float32[Array, ""]
    mean_weight: Float32[Array, ""]
    back_off: Float32[Array, ""]
    tolerance: Float32[Array, ""]
    max_steps: Int32[Array, ""]


def num_rows(width: int) -> int:
    """Rows of a panel of networks of this width; a power of two."""
    return min(ROWS, 1 << max(0, (ENTRIES // width).bit_length() - 1))


def suits(config: EnsembleConfig, stack: Stack) -> bool:
    """Whether the networks of a stack can be trained in panels."""
    plain = config.descended and not config.bias_std and config.precision == "float32"
    small = stack.num_outputs == 1 and _block(stack) <= num_rows(config.width)
    return plain and small and draws.are_those_of_jax()


def _block(stack: Stack) -> int:
    return 1 << (stack.num_inputs - 1).bit_length()


def train(
    problem: LearningProblem, config: EnsembleConfig, stack: Stack, plan: Schedule, members: range
) -> Weights:
    """Trains some members of all components of a stack.

    A row is calculated with alone, wherever it is: the weights are the same bit for bit however
    the members are divided among calls, chunks, devices and processes.

    Args:
        problem: what is learned.
        config: how the networks are drawn.
        stack: which components; it must suit.
        plan: how they descend.
        members: which members.
    """
    num_components, n0, block = len(stack.components), stack.num_inputs, _block(stack)
    num_devices = devices.mesh().size
    # Networks by member, then by component, and so many in a call.
    member = np.repeat(np.array(members, np.uint32), num_components)
    component = np.tile(np.array(stack.components, np.uint32), len(members))
    target = np.tile(problem.targets(stack)[:, :, 0], (len(members), 1))
    together = num_devices * num_rows(config.width) // block
    task = Task._make(devices.place(value, None) for value in _task(config, stack, plan))
    parts = []
    for first in range(0, len(member), together):
        some = slice(first, first + together)
        keys = draws.network_keys(config.seed, member[some], component[some])
        rows = _rows(keys, target[some], block, together, num_devices)
        (weights, *facts), _, _ = compilation.call(
            _train,
            Rows._make(devices.place(array, 0) for array in rows),
            task,
            width=config.width,
            opposite_halves=config.draw == "antisymmetric",
            with_momentum=plan.momentum > 0,
        )
        hidden, output, residual, taken, peak = (
            devices.gather(array).reshape(together, block, -1)[: len(keys)]
            for array in (weights["hidden"], weights["output"], *facts)
        )
        parts.append((hidden[:, :n0], output[:, 0], residual[:, 0], taken[:, 0], peak[:, 0]))
    shape = (len(members), num_components)
    hidden, output, *numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
    residual, taken, peak = (array.reshape(shape) for array in numbers)
    return Weights(
        hidden=hidden.reshape(*shape, n0, -1),
        output=output.reshape(*shape, -1, 1),
        hidden_bias=None,
        output_bias=None,
        residual=residual,
        steps=taken,
        peak=peak,
    )


def _task(config: EnsembleConfig, stack: Stack, plan: Schedule) -> Iterator[np.ndarray]:
    yield np.asarray(_block(stack).bit_length() - 1, np.int32)
    for number in (
        stack.num_inputs,
        config.weight_std / stack.num_inputs**0.5,
        config.weight_std / config.width**0.5,
        plan.learning_rate,
        plan.momentum,
        plan.mean_weight,
        plan.back_off,
        config.tolerance,
    ):
        yield np.asarray(number, np.float32)
    yield np.asarray(plan.most_steps, np.int32)


def _rows(
    keys: UInt32[np.ndarray, "k 2 2"],
    target: Float32[np.ndarray, "k n0"],
    block: int,
    together: int,
    num_devices: int,
) -> tuple[np.ndarray, ...]:
    """The fields of `Rows`: panels of `together` blocks in all, one for each device.

    The first blocks hold networks.
    """
    num, n0 = target.shape
    each, rows = together // num_devices, together // num_devices * block
    filled = np.zeros((together, block), np.float32)
    filled[:num, :n0] = target
    real = np.zeros((together, block), bool)
    real[:num, :n0] = True
    networks = np.clip(num - each * np.arange(num_devices), 0, each).astype(np.int32)
    drawn = np.zeros((num_devices, 2 * rows, 2), np.uint32)
    place = np.zeros((num_devices, 2 * rows), np.uint32)
    for device, first in enumerate(range(0, num, each)):
        hidden, output = keys[first : first + each].swapaxes(0, 1)
        used = len(output) * (1 + block)
        drawn[device, :used] = np.concatenate([output, np.repeat(hidden, block, axis=0)])
        place[device, len(output) : used] = np.tile(np.arange(block), len(output))
    by_device = (array.reshape(num_devices, -1) for array in (filled, real))
    return networks, drawn, place, *by_device


# Named as that of `stacks`, for whoever shows progress.
def _train(
    rows: Rows, task: Task, *, width: int, opposite_halves: bool, with_momentum: bool
) -> tuple[dict[str, Float32[Array, "e r h"]], Array, Array, Array]:
    """Weights of every row, and its network's residual, steps and peak, (e, r, 1) each."""

    def on_one_device(rows: Rows, task: Task) -> Any:
        own = Rows._make(array[0] for array in rows)
        weights = _initial(own, task, width, opposite_halves=opposite_halves)
        found = _descend(weights, own, task, with_momentum=with_momentum)
        return jax.tree.map(lambda a: a[None], found)

    return devices.over_members(on_one_device)(rows, task)


def _initial(
    rows: Rows, task: Task, width: int, *, opposite_halves: bool
) -> dict[str, Float32[Array, "r h"]]:
    """The weights before training, as `network.initial` draws them."""
    units = width // 2 if opposite_halves else width
    tile = min(TILE, len(rows.place))
    wanted = rows.networks * (1 + jnp.left_shift(jnp.int32(1), task.doublings))

    def draw(index: Array, drawn: Array) -> Array:
        keys, place = (
            jax.lax.dynamic_slice_in_dim(array, index * tile, tile)
            for array in (rows.keys, rows.place)
        )
        values = draws.normal(keys, place * np.uint32(units), units)
        return jax.lax.dynamic_update_slice_in_dim(drawn, values, index * tile, 0)

    nothing = jnp.zeros((len(rows.place), units), jnp.float32)
    drawn = jax.lax.fori_loop(np.int32(0), (wanted + tile - 1) // tile, draw, nothing)
    row = jnp.arange(len(rows.target), dtype=jnp.int32)
    network = jnp.right_shift(row, task.doublings)
    output, hidden = (
        drawn.at[place].get(mode="promise_in_bounds") for place in (network, rows.networks + row)
    )
    if opposite_halves:
        hidden = jnp.concatenate([hidden, hidden], axis=1)
        output = jnp.concatenate([output, -output], axis=1)
    return {"hidden": hidden, "output": output}


def _over_blocks(
    combine: Callable[[Array, Array], Array], values: Array, doublings: Int[Array, ""]
) -> Array:
    """What the rows of every block combine to, in each of them: the same in all, bit for bit."""
    row = jnp.arange(len(values), dtype=jnp.int32)

    def join_halves(level: Array, values: Array) -> Array:
        partner = row ^ jnp.left_shift(jnp.int32(1), level)
        return combine(values, values.at[partner].get(mode="promise_in_bounds"))

    return jax.lax.fori_loop(np.int32(0), doublings, join_halves, values)


class _State(NamedTuple):
    """Where descent stands; all but the weights are (rows, 1), alike in a network's rows."""

    position: steps.Position
    residual: Float32[Array, "r 1"]
    taken: Int32[Array, "r 1"]
    base: Float32[Array, "r 1"]
    peak: Float32[Array, "r 1"]
    going: Bool[Array, "r 1"]


# Any: weights by name, and compiled code for them.
def _descend(
    weights: dict[str, Array], rows: Rows, task: Task, *, with_momentum: bool
) -> tuple[Any, Array, Array, Array]:
    """As `descent.descend`, for every network of the panel."""
    target, real = rows.target[:, None], rows.real[:, None]
    transformation = steps.optimiser(task.momentum if with_momentum else 0)
    square = _over_blocks(jnp.add, target**2, task.doublings)
    ones = jnp.ones_like(target)

    def outputs(weights: dict[str, Array]) -> Array:
        active = jax.nn.relu(task.inner * weights["hidden"])
        return task.outer * jnp.sum(active * weights["output"], axis=1, keepdims=True)

    def step_down(state: _State) -> _State:
        old = state.position.weights
        found, pull_back = jax.vjp(outputs, old)
        error = jnp.where(real, found - target, 0)
        summed = jnp.concatenate([error, error**2, error * target], axis=1)
        sums = _over_blocks(jnp.add, summed, task.doublings)
        # A residual that is not finite ends training too.
        size = jnp.where(jnp.isnan(error), jnp.inf, jnp.abs(error))
        residual = _over_blocks(jnp.maximum, size, task.doublings)
        going = (residual > task.tolerance) & (residual < jnp.inf)
        going &= state.taken < task.max_steps
        mean, lighter = sums[:, :1] / task.num_inputs, 1 - task.mean_weight
        loss = 0.5 * (sums[:, 1:2] - lighter * task.num_inputs * mean**2)
        (gradient,) = pull_back(jnp.where(real, error - lighter * mean, 0))
        gradient["output"] = _over_blocks(jnp.add, gradient["output"], task.doublings)
        moved = steps.advance(state.position, task, transformation, loss, gradient)
        kept = jax.tree.map(lambda new, old: jnp.where(going, new, old), moved.weights, old)
        height = jnp.where(square > 0, 1 + sums[:, 2:] / jnp.where(square > 0, square, 1), 0)
        first = state.taken == 0
        base = jnp.where(first, jnp.maximum(1, height), state.base)
        peak = jnp.where(first, state.peak, jnp.maximum(state.peak, height / base))
        return _State(
            moved._replace(weights=kept),
            residual,
            state.taken + going.astype(state.taken.dtype),
            base,
            peak,
            going,
        )

    rate = task.learning_rate * ones
    start = _State(
        steps.start(weights, transformation, rate),
        residual=jnp.inf * ones,
        taken=jnp.zeros_like(target, jnp.int32),
        base=ones,
        peak=jnp.zeros_like(target),
        going=real | True,
    )
    end = jax.lax.while_loop(lambda state: jnp.any(state.going), step_down, start)
    return end.position.weights, end.residual, end.taken, end.peak
