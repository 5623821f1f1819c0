"""Training a small network on given states, or through a backbone: one compiled loop for each shape."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.kits.transformer.decoder import Shape, normalised, run
from experiments.kits.transformer.features import hidden_states as hidden_states
from experiments.kits.transformer.features import predict_memory as predict_memory
from experiments.language.unipt.tuning import mean_of_real
from ntkexec.errors import ExperimentError

Logits = Callable[[Any, Any, Any], Array]
"""Of (what is trained, what is frozen, rows of the data); hashable, so that it is compiled once."""


@dataclasses.dataclass(frozen=True)
class OnStates:
    """Scores of classes from states that were made before; rows are (states of each layer, real).

    Args:
        module: `ParallelTuning`, or another of its call; its outputs are averaged over real places.
    """

    module: nn.Module

    def __call__(self, params: Any, frozen: Any, rows: Any) -> Float[Array, "B c"]:
        states, real = rows
        kind = jnp.promote_types(states[0].dtype, jnp.float32)
        outputs = self.module.apply(params, [one.astype(kind) for one in states], real)
        return mean_of_real(jnp.asarray(outputs), real)


@dataclasses.dataclass(frozen=True)
class OnTheFly:
    """The same with states made anew at every step; rows are (tokens, real).

    Args:
        module: as of `OnStates`.
        backbone: `backbone(frozen, tokens)` gives the states of each layer.
    """

    module: nn.Module
    backbone: Callable[[Any, Array], Any]

    def __call__(self, params: Any, frozen: Any, rows: Any) -> Float[Array, "B c"]:
        tokens, real = rows
        states = [jnp.asarray(one) for one in self.backbone(frozen, tokens)]
        return OnStates(self.module)(params, None, (states, real))


@dataclasses.dataclass(frozen=True)
class ByLoRA:
    """Scores from a decoder with low-rank adapters and a linear head; rows are (tokens, real).

    Args:
        shape: of the decoder.
        first: the token that is read before every text.
    """

    shape: Shape
    first: int

    def __call__(self, params: Any, frozen: Any, rows: Any) -> Float[Array, "B c"]:
        tokens, real = rows
        before = jnp.full((len(tokens), 1), self.first, tokens.dtype)
        tokens = jnp.concatenate([before, tokens], 1)
        last = run(frozen, self.shape, tokens, adapters=params["lora"]).last[:, 1:]
        last = mean_of_real(normalised(last, frozen["norm"], self.shape.epsilon), real)
        return last @ params["head"] + params["bias"][None]


def tuned(
    logits: Logits,
    params: Any,
    data: Any,
    labels: Int[ArrayLike, "N"],
    order: Int[ArrayLike, "steps B"],
    *,
    rate: float,
    tested: Int[ArrayLike, "M"],
    frozen: Any = None,
    decay: float = 0.01,
) -> tuple[Any, Float[np.ndarray, " steps"], Float[np.ndarray, "M c"]]:
    """What training leaves, the loss of every step, and the scores of the texts to test with.

    Args:
        logits: `OnStates`, `OnTheFly`, `ByLoRA`, or another function of its kind.
        params: to begin with.
        data: a pytree of arrays with a first axis of texts.
        labels: of all texts.
        order: texts of every step.
        rate: of AdamW with that decay, falling as a cosine to nothing.
        tested: texts to be scored after training.
        frozen: given to `logits` beside the parameters.

    Raises:
        ExperimentError: no steps, nothing to test, or scores that are no numbers, of which the first class
            would be taken for the best.
    """
    order, tested = np.asarray(order), np.asarray(tested)
    if order.ndim != 2 or not order.size or not tested.size:
        raise ExperimentError(
            f"cannot train by an order of shape {order.shape} and test {tested.size} texts"
        )
    size = order.shape[1]
    filled = np.resize(tested, -(-tested.size // size) * size).reshape(-1, size)
    found = _tuned(logits, params, frozen, data, np.asarray(labels), order, filled, rate, decay)
    trained, losses, scores = jax.tree.map(np.asarray, found)
    scores = scores.reshape(-1, scores.shape[-1])[: tested.size]
    if np.isnan(scores).any():
        raise ExperimentError(f"training at rate {rate:g} ends in scores that are no numbers")
    return trained, losses, scores


@functools.partial(jax.jit, static_argnums=0)
def _tuned(
    logits: Logits,
    params: Any,
    frozen: Any,
    data: Any,
    labels: Array,
    order: Array,
    tested: Array,
    rate: Array,
    decay: Array,
) -> tuple[Any, Array, Array]:
    steps = len(order)

    def pace(count: Array) -> Array:
        return rate * (0.5 + 0.5 * jnp.cos(jnp.pi * count / steps))

    optimiser = optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(decay),
        optax.scale_by_learning_rate(pace),
    )

    def at(rows: Array) -> Any:
        return jax.tree.map(lambda leaf: leaf[rows], data)

    def step(carry: tuple[Any, Any], rows: Array) -> tuple[tuple[Any, Any], Array]:
        params, state = carry

        def loss(params: Any) -> Array:
            scores = logits(params, frozen, at(rows))
            return optax.softmax_cross_entropy_with_integer_labels(scores, labels[rows]).mean()

        found, slopes = jax.value_and_grad(loss)(params)
        moves, state = optimiser.update(slopes, state, params)
        return (optax.apply_updates(params, moves), state), found

    (params, _), losses = jax.lax.scan(step, (params, optimiser.init(params)), order)
    scores = jax.lax.map(lambda rows: logits(params, frozen, at(rows)), tested)
    return params, losses, scores


def drawn_order(
    generator: np.random.Generator, rows: Int[np.ndarray, "n"], steps: int, batch: int
) -> Int[np.ndarray, "steps B"]:
    """Texts of every step: all of them in a new order again and again."""
    rounds = -(-steps * batch // len(rows))
    drawn = np.concatenate([generator.permutation(rows) for _ in range(rounds)])
    return drawn[: steps * batch].reshape(steps, batch)
