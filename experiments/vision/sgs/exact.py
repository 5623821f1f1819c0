"""Exact statements: one scaled kernel against branches, step by step, in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.experiment import Result, Trial
from experiments.vision.sgs.branches import (
    Branch,
    branch_optimiser,
    convolve,
    merge,
    predicted_scaling,
    sgd,
)
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.scaling import spatial_gradient_scaling, with_scalings
from ntkexec.runtime.precision import float64

Loss = Callable[[jax.Array], jax.Array]
RATE = 0.05
SETTINGS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "momentum, decay 5e-4": {"momentum": 0.9, "decay": 5e-4},
    "nesterov, decay 0.1": {"momentum": 0.9, "decay": 0.1, "nesterov": True},
}


def random_branches(generator: np.random.Generator, *, rates: bool) -> tuple[Branch, ...]:
    """A full, a row, a column and a centre branch with random factors, and rates if asked for."""
    full = np.ones((3, 3), int)
    row, column, centre = full * 0, full * 0, full * 0
    row[1], column[:, 1], centre[1, 1] = 1, 1, 1
    return tuple(
        Branch(
            tuple(tuple(int(v) for v in line) for line in mask),
            scale=float(generator.uniform(0.5, 1.5)),
            rate=float(generator.uniform(0.5, 2)) if rates else 1.0,
        )
        for mask in (full, row, column, centre)
    )


def random_loss(key: jax.Array) -> Loss:
    """A smooth loss of a 3x3 kernel with 2 inputs and 3 outputs: tanh features against targets.

    Its images and targets are leaves of a pytree, so that another loss compiles nothing anew.
    """
    inputs, targets = jax.random.split(key)
    images = jax.random.normal(inputs, (8, 6, 6, 2))
    wanted = jax.random.normal(targets, (8, 6, 6, 3))
    return jax.tree_util.Partial(_error, images, wanted)


def _error(images: jax.Array, wanted: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.mean((jnp.tanh(convolve(images, kernel)) - wanted) ** 2)


def descend(
    loss: Callable[[Any], jax.Array],
    weights: Any,
    optimiser: optax.GradientTransformation,
    num_steps: int,
    shown: Callable[[Any], jax.Array] = lambda weights: weights,
) -> jax.Array:
    """What `shown` makes of the weights after every step, shape (num_steps, ...)."""

    def step(state: Any, _: None) -> tuple[Any, jax.Array]:
        weights, memory = state
        updates, memory = optimiser.update(jax.grad(loss)(weights), memory, weights)
        weights = optax.apply_updates(weights, updates)
        return (weights, memory), shown(weights)

    return jax.lax.scan(step, (weights, optimiser.init(weights)), None, length=num_steps)[1]


def scaled_by(
    scaling: jax.Array, chain: optax.GradientTransformation
) -> optax.GradientTransformation:
    """A chain with one set of scalings, which starts with this one; it may be traced."""
    return optax.GradientTransformation(
        lambda params: with_scalings(chain.init(params), scaling), chain.update
    )


def trajectories(
    loss: Loss,
    branches: Sequence[Branch],
    weights: Sequence[jax.Array],
    num_steps: int,
    *,
    decay: jax.Array | float = 0.0,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """The merged kernel of trained branches, and the scaled kernel, after every step."""

    def descent(rate: Any, decay: Any = decay) -> optax.GradientTransformation:
        return sgd(rate, momentum=momentum, decay=decay, nesterov=nesterov)

    branched = descend(
        lambda us: loss(merge(branches, us)),
        list(weights),
        branch_optimiser(branches, descent, RATE),
        num_steps,
        lambda us: merge(branches, us),
    )
    scaling = jnp.asarray(predicted_scaling(branches))
    mean = scaling.mean()
    # Over its mean, with a learning rate times it and a decay over it: the same trajectory.
    chain = optax.chain(spatial_gradient_scaling(), descent(RATE * mean, decay / mean))
    optimiser = scaled_by(scaling / mean, chain)
    return branched, descend(loss, merge(branches, weights), optimiser, num_steps)


compiled_trajectories = jax.jit(trajectories, static_argnames=("num_steps", "momentum", "nesterov"))
"""The same, compiled once for every seed, decay, factor and rate."""


def lemma(config: SgsConfig, trial: Trial) -> Result:
    """Largest deviation between both trajectories, and how far the kernel moved.

    Every setting of momentum and decay, and unequal learning rates without decay.
    """
    found = {}
    cases = {name: (options, False) for name, options in SETTINGS.items()}
    cases["unequal rates"] = (SETTINGS["momentum"], True)
    for place, (name, (options, rates)) in enumerate(cases.items()):
        with float64():
            key = jax.random.fold_in(trial.key, place)
            branches = random_branches(trial.generator, rates=rates)
            start = jax.random.normal(key, (len(branches), 3, 3, 2, 3))
            loss = random_loss(jax.random.fold_in(key, 1))
            branched, scaled = compiled_trajectories(
                loss, branches, list(start), config.steps, **options
            )
            moved = jnp.abs(branched[-1] - merge(branches, list(start))).max()
            found[name] = {
                "deviation": float(jnp.abs(branched - scaled).max()),
                "moved": float(moved),
            }
        trial.report(name, place + 1, len(cases))
    return {"cases": found}
