"""One step of descent by Optax, at a rate that gives way when the loss has grown."""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ntkexec.ensemble.schedule import RECOVERY


class Pace(Protocol):
    """What of a `Schedule` a step depends on; numbers, or scalars of compiled code."""

    @property
    def learning_rate(self) -> Any: ...

    @property
    def back_off(self) -> Any: ...


class Position(NamedTuple):
    """Where descent stands.

    weights: a pytree of arrays.
    momentum: Optax's state.
    rate: the learning rate, lowered whenever the loss has grown, and slowly raised again: a scalar,
        or of a shape that broadcasts against the weights.
    loss: before the last step; of the same shape.
    """

    weights: Any
    momentum: Any
    rate: Float[Array, "..."]
    loss: Float[Array, "..."]


def optimiser(momentum: Any) -> optax.GradientTransformation:
    """Gradient descent, or the heavy ball; `momentum` is a number, or a scalar of compiled code."""
    if isinstance(momentum, float | int) and not momentum:
        return optax.identity()
    return optax.trace(momentum)


def start(
    weights: Any, transformation: optax.GradientTransformation, rate: Float[Array, "..."]
) -> Position:
    """Before the first step."""
    return Position(weights, transformation.init(weights), rate, jnp.full_like(rate, jnp.inf))


def advance(
    position: Position,
    pace: Pace,
    transformation: optax.GradientTransformation,
    loss: Float[Array, "..."],
    gradient: Any,
) -> Position:
    """After one step."""
    # Never recovering would leave descent crawling long after the steep part.
    lower = pace.back_off * position.rate
    higher = jnp.minimum(pace.learning_rate, RECOVERY * position.rate)
    rate = jnp.where(loss > position.loss, lower, higher)
    direction, momentum = transformation.update(gradient, position.momentum)
    # A rate of the weights' own type: float32 weights stay float32.
    updates = jax.tree.map(lambda d: -rate.astype(d.dtype) * d, direction)
    return Position(optax.apply_updates(position.weights, updates), momentum, rate, loss)
