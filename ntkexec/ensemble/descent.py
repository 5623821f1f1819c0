"""Gradient descent of one network until its largest error on the training set is small."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.schedule import RECOVERY, Schedule


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


class _State(NamedTuple):
    """Where descent stands.

    momentum: Optax's state.
    rate: the learning rate, lowered whenever the loss has grown, and slowly raised again.
    loss: before the last step.
    """

    weights: Any
    momentum: Any
    rate: Float[Array, ""]
    loss: Float[Array, ""]


def _direction(plan: Schedule) -> optax.GradientTransformation:
    return optax.trace(plan.momentum) if plan.momentum else optax.identity()


def _start(weights: Any, plan: Schedule, dtype: Any) -> _State:
    rate, loss = jnp.asarray(plan.learning_rate, dtype), jnp.asarray(jnp.inf, dtype)
    return _State(weights, _direction(plan).init(weights), rate, loss)


def _advance(state: _State, plan: Schedule, loss: Array, gradient: Any) -> _State:
    rate = state.rate
    if plan.back_off < 1:
        # Never recovering would leave descent crawling long after the steep part.
        lower, higher = plan.back_off * rate, jnp.minimum(plan.learning_rate, RECOVERY * rate)
        rate = jnp.where(loss > state.loss, lower, higher)
    direction, momentum = _direction(plan).update(gradient, state.momentum)
    # A rate of the weights' own type: float32 weights stay float32.
    updates = jax.tree.map(lambda d: -rate.astype(d.dtype) * d, direction)
    return _State(optax.apply_updates(state.weights, updates), momentum, rate, loss)


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

    def step_down(carry: Any) -> Any:
        state, _, step, base, peak, _ = carry
        (loss, error), gradient = slope(state.weights)
        residual = largest(error)
        # A residual that is not a number ends training too.
        going = (residual > tolerance) & (step < max_steps)
        moved = _advance(state, plan, loss, gradient)
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
        _start(weights, plan, target.dtype),
        jnp.asarray(jnp.inf, target.dtype),
        jnp.asarray(0, jnp.int32),
        jnp.ones_like(target[0]),
        jnp.asarray(0, target.dtype),
        jnp.asarray(True),
    )
    state, residual, steps, _, peak, _ = jax.lax.while_loop(
        lambda carry: carry[-1], step_down, start
    )
    return Trained(state.weights, residual, steps, peak)


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

    def step_down(state: _State, _: None) -> Any:
        (loss, _), gradient = slope(state.weights)
        return _advance(state, plan, loss, gradient), loss

    return jax.lax.scan(step_down, _start(weights, plan, target.dtype), length=num_steps)[1]
