"""Gradient descent of one network until its largest error on the training set is small."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.schedule import Schedule


class Trained(NamedTuple):
    """Weights after training, largest error on the training set, and the steps that took."""

    weights: Any
    residual: Float[Array, ""]
    steps: Int[Array, ""]


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
    optimiser = optax.sgd(plan.learning_rate, plan.momentum)
    slope = _slope(network, target, plan.mean_weight)

    def step_down(carry: Any) -> Any:
        weights, state, _, step, _ = carry
        (_, error), gradient = slope(weights)
        residual = largest(error)
        # A residual that is not a number ends training too.
        going = (residual > tolerance) & (step < max_steps)
        updates, state = optimiser.update(gradient, state)
        moved = optax.apply_updates(weights, updates)
        # The last gradient only tells that it was the last: checking before would need a second
        # one in the compiled loop, and compile twice as long.
        weights = jax.tree.map(lambda new, old: jnp.where(going, new, old), moved, weights)
        return weights, state, residual, step + going.astype(step.dtype), going

    start = (
        weights,
        optimiser.init(weights),
        jnp.asarray(jnp.inf, target.dtype),
        jnp.asarray(0, jnp.int32),
        jnp.asarray(True),
    )
    weights, _, residual, steps, _ = jax.lax.while_loop(lambda carry: carry[-1], step_down, start)
    return Trained(weights, residual, steps)


def losses(
    network: TwoLayerNetwork,
    weights: Any,
    target: Float[Array, "n0 o"],
    plan: Schedule,
    *,
    num_steps: int,
) -> Float[Array, "s"]:
    """The loss before each of so many steps, to compare with the predicted rate."""
    optimiser = optax.sgd(plan.learning_rate, plan.momentum)
    slope = _slope(network, target, plan.mean_weight)

    def step_down(carry: Any, _: None) -> Any:
        weights, state = carry
        (loss, _), gradient = slope(weights)
        updates, state = optimiser.update(gradient, state)
        return (optax.apply_updates(weights, updates), state), loss

    return jax.lax.scan(step_down, (weights, optimiser.init(weights)), length=num_steps)[1]
