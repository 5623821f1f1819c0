"""A language model adapted to a task that is no language: an encoder, low-rank weights and a head.

The decoder is frozen and is given as data, so that a pretrained one, one at random start and one that
answers other tasks are the same compiled program: `adapt(..., Backbone(shape, initial(...)))` is the control.

Source: Wu et al., NetLLM, arXiv:2402.02338, section 4.3; low-rank weights on queries and values.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from experiments.kits.transformer.decoder import Params, Shape
from experiments.kits.transformer.embedded import run_embedded
from experiments.kits.transformer.lora import initial_lora
from ntkexec.errors import ExperimentError

DECAY = 1e-4
CLIP = 0.25
"""Norm to which a gradient is cut, once an update; the public code cuts a running sum after every part."""


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A decoder that is not trained.

    Args:
        shape, params: see `experiments.kits.transformer.decoder`.
    """

    shape: Shape
    params: Params


class Task(Protocol):
    """What a backbone is adapted to: hashable, since a program is compiled for it."""

    def initial(self, generator: np.random.Generator, width: int) -> Params:
        """Parameters of encoders and heads for a backbone of this width."""

    def tokens(
        self, params: Params, inputs: Any
    ) -> tuple[Float[Array, "B T D"], Bool[Array, "B T"] | None]:
        """Vectors that the backbone reads, and which of them are no padding."""

    def outputs(self, params: Params, states: Float[Array, "B T D"], inputs: Any) -> Any:
        """What the heads make of the backbone's states."""

    def loss(self, outputs: Any, inputs: Any) -> Float[Array, ""]:
        """What is minimised, a mean over the batch."""


@dataclasses.dataclass(frozen=True)
class Adapted:
    """A backbone that answers a task.

    Args:
        task, backbone: of it.
        trained: parameters: `task`'s, `adapters`, and `backbone` where all of it was tuned.
        losses: of every step.
    """

    task: Any
    backbone: Backbone
    trained: Params
    losses: Float[np.ndarray, "steps"]

    def outputs(self, inputs: Any) -> Any:
        """What the heads say of a batch, in one call of the backbone."""
        return _outputs(self.task, self.backbone.shape, self.backbone.params, self.trained, inputs)


def initial_trained(
    task: Task, shape: Shape, generator: np.random.Generator, *, rank: int, scale: float
) -> Params:
    """What is trained, before it: encoders and heads at random, adapters that change nothing."""
    adapters = initial_lora(shape, generator, rank=rank, scale=scale)
    return {"task": task.initial(generator, shape.width), "adapters": adapters}


def outputs_of(
    task: Task,
    shape: Shape,
    params: Params,
    trained: Params,
    inputs: Any,
    *,
    checkpoint: bool = False,
) -> Any:
    """What the heads say of a batch; pure, for loops of your own.

    Args:
        task: encoders and heads.
        shape, params: of the backbone.
        trained: see `Adapted`.
        inputs: of the task, a pytree with one leading axis.
        checkpoint: see `run_embedded`.
    """
    tokens, real = task.tokens(trained["task"], inputs)
    states = run_embedded(
        trained.get("backbone", params), shape, tokens, real=real,
        adapters=trained.get("adapters"), checkpoint=checkpoint,
    )  # fmt: skip
    return task.outputs(trained["task"], states, inputs)


def adapt(
    task: Task,
    backbone: Backbone,
    examples: Any,
    *,
    seed: int,
    steps: int,
    batch: int = 16,
    rate: float = 1e-3,
    rank: int = 8,
    scale: float = 1.0,
    everything: bool = False,
    checkpoint: bool = False,
    start: Params | None = None,
) -> Adapted:
    """Trains encoders, low-rank weights and heads on examples that were collected before.

    Args:
        task: hashable; see `Task`.
        backbone: frozen.
        examples: a pytree of arrays with one leading axis, drawn from at random.
        seed: of initial parameters and draws, which are the same for every backbone of one shape.
        steps, batch: of AdamW.
        rate: the largest; it rises over the first tenth and falls as a cosine.
        rank, scale: of the low-rank weights, scale alpha / rank.
        everything: whether the whole backbone is tuned instead, without low-rank weights.
        checkpoint: whether gradients compute states again instead of keeping them.
        start: parameters to go on from.

    Raises:
        ExperimentError: no steps, no batch or no example.
    """
    sizes = {len(leaf) for leaf in jax.tree.leaves(examples)}
    if len(sizes) != 1 or not min(sizes) or min(steps, batch) < 1:
        raise ExperimentError(
            f"cannot adapt in {steps} steps of {batch} with arrays of {sorted(sizes)} examples"
        )
    generator = np.random.default_rng([seed, 1])
    if start is None:
        start = initial_trained(task, backbone.shape, generator, rank=rank, scale=scale)
        if everything:
            start = {"task": start["task"], "backbone": backbone.params}
    rows = np.random.default_rng([seed, 2]).integers(min(sizes), size=(steps, batch))
    trained, losses = _trained(
        task, backbone.shape, checkpoint, backbone.params, start,
        jax.tree.map(jnp.asarray, examples), jnp.asarray(rows), jnp.asarray(rate, jnp.float32),
    )  # fmt: skip
    return Adapted(task, backbone, trained, np.asarray(losses))


def loss_of(
    task: Task,
    shape: Shape,
    params: Params,
    trained: Params,
    inputs: Any,
    *,
    checkpoint: bool = False,
) -> Float[Array, ""]:
    """What a batch costs; see `outputs_of`."""
    outputs = outputs_of(task, shape, params, trained, inputs, checkpoint=checkpoint)
    return task.loss(outputs, inputs)


def updated(
    loss: Callable[[Any], Array], trained: Any, state: Any, rate: Any
) -> tuple[Any, Any, Array]:
    """One step of AdamW: the new parameters, the optimiser's state, the loss before."""
    value, gradient = jax.value_and_grad(loss)(trained)
    change, state = optimiser().update(gradient, state, trained)
    change = jax.tree.map(lambda leaf: leaf * rate, change)
    return optax.apply_updates(trained, change), state, value


@functools.cache
def optimiser() -> optax.GradientTransformation:
    """AdamW at rate 1; the caller scales its updates."""
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adamw(1.0, weight_decay=DECAY))


@functools.partial(jax.jit, static_argnames=("task", "shape", "checkpoint"))
def _trained(
    task: Task, shape: Shape, checkpoint: bool, params: Params, start: Params, examples: Any,
    rows: Array, rate: Array,
) -> tuple[Params, Array]:  # fmt: skip
    # One vector for the optimiser: a pass over it is one kernel, and a fraction of the program.
    begun, unravelled = ravel_pytree(start)
    steps = rows.shape[0]

    def step(carry: Any, at: Any) -> tuple[Any, Array]:
        number, chosen = at
        inputs = jax.tree.map(lambda leaf: leaf[chosen], examples)
        done = number / steps
        now = rate * jnp.minimum(10 * (done + 1 / steps), 1.0) * 0.5 * (1 + jnp.cos(jnp.pi * done))

        def loss(vector: Array) -> Array:
            return loss_of(task, shape, params, unravelled(vector), inputs, checkpoint=checkpoint)

        before, state = carry
        after, state, value = updated(loss, before, state, now)
        return (after, state), value

    (vector, _), losses = jax.lax.scan(
        step, (begun, optimiser().init(begun)), (jnp.arange(steps), rows)
    )
    return unravelled(vector), losses


@functools.partial(jax.jit, static_argnames=("task", "shape"))
def _outputs(task: Task, shape: Shape, params: Params, trained: Params, inputs: Any) -> Any:
    return outputs_of(task, shape, params, trained, inputs)
