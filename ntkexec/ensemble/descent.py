"""Gradient descent of one network until its largest error on the training set is small."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntkexec.ensemble import steps
from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.schedule import Schedule


class Trained(NamedTuple):
    """Weights after training, and what it took.

    residual: largest error on the training set.
    steps: gradient steps.
    peak: the highest that an output came on the way, relative to what it is to be, in the mean
        over the pairs that want a 1 of it; over outputs and steps. Where the untrained network's
        was higher than 1, relative to that. Slow descent keeps it at 1.
    """

    weights: Any
    residual: Float[Array, ""]
    steps: Int[Array, ""]
    peak: Float[Array, ""]


def largest(error: Float[Array, "n0 o"]) -> Float[Array, ""]:
    """The largest absolute value; nan if there is one, which XLA's maximum on CPUs may pass over."""
    return jnp.where(jnp.any(jnp.isnan(error)), jnp.nan, jnp.max(jnp.abs(error)))


# Any: the pytree of weights that Flax makes.
def _slope(network: TwoLayerNetwork, target: Float[Array, "n0 o"], mean_weight: float) -> Any:
    def loss(weights: Any) -> tuple[Array, Array]:
        outputs: Any = network.apply(weights, method="on_basis")
        error = outputs - target
        total = jnp.sum(error**2)
        if mean_weight != 1:
            total -= (1 - mean_weight) * len(target) * jnp.sum(jnp.mean(error, axis=0) ** 2)
        return 0.5 * total, error

    return jax.value_and_grad(loss, has_aux=True)


def _heights(error: Float[Array, "n0 o"], target: Float[Array, "n0 o"]) -> Float[Array, "o"]:
    """Every output's mean over the pairs that want a 1 of it, relative to that; 0 if none does."""
    square = jnp.sum(target**2, axis=0)
    some = square > 0
    ratio = 1 + jnp.sum(error * target, axis=0) / jnp.where(some, square, 1)
    return jnp.where(some, ratio, 0)


def descend(
    network: TwoLayerNetwork,
    weights: Any,
    target: Float[Array, "n0 o"],
    plan: Schedule,
    *,
    tolerance: float,
    max_steps: int,
) -> Trained:
    """Descends on the loss of the plan until no output is off by more than the tolerance."""
    slope = _slope(network, target, plan.mean_weight)
    transformation = steps.optimiser(plan.momentum)

    def step_down(carry: Any) -> Any:
        state, _, step, base, peak, _ = carry
        (loss, error), gradient = slope(state.weights)
        residual = largest(error)
        # A residual that is not a number ends training too.
        going = (residual > tolerance) & (step < max_steps)
        moved = steps.advance(state, plan, transformation, loss, gradient)
        # The last gradient only tells that it was the last: checking before would need a second
        # one in the compiled loop, and compile twice as long.
        weights = jax.tree.map(
            lambda new, old: jnp.where(going, new, old), moved.weights, state.weights
        )
        heights = _heights(error, target)
        base = jnp.where(step > 0, base, jnp.maximum(1, heights))
        peak = jnp.where(step > 0, jnp.maximum(peak, jnp.max(heights / base)), peak)
        return (
            moved._replace(weights=weights),
            residual,
            step + going.astype(step.dtype),
            base,
            peak,
            going,
        )

    start = (
        steps.start(weights, transformation, jnp.asarray(plan.learning_rate, target.dtype)),
        jnp.asarray(jnp.inf, target.dtype),
        jnp.asarray(0, jnp.int32),
        jnp.ones_like(target[0]),
        jnp.asarray(0, target.dtype),
        jnp.asarray(True),
    )
    state, residual, taken, _, peak, _ = jax.lax.while_loop(
        lambda carry: carry[-1], step_down, start
    )
    return Trained(state.weights, residual, taken, peak)


def losses(
    network: TwoLayerNetwork,
    weights: Any,
    target: Float[Array, "n0 o"],
    plan: Schedule,
    *,
    num_steps: int,
) -> Float[Array, "s"]:
    """The loss before each of so many steps, to compare with the predicted rate."""
    slope = _slope(network, target, plan.mean_weight)
    transformation = steps.optimiser(plan.momentum)

    def step_down(position: steps.Position, _: None) -> Any:
        (loss, _), gradient = slope(position.weights)
        return steps.advance(position, plan, transformation, loss, gradient), loss

    rate = jnp.asarray(plan.learning_rate, target.dtype)
    first = steps.start(weights, transformation, rate)
    return jax.lax.scan(step_down, first, length=num_steps)[1]
