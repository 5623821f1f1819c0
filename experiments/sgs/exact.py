"""Exact statements: one scaled kernel against branches, step by step, in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.experiment import Result, Trial
from experiments.sgs.branches import (
    Branch,
    branch_optimiser,
    convolve,
    merge,
    predicted_scaling,
    sgd,
)
from experiments.sgs.config import SgsConfig
from experiments.sgs.scaling import spatial_gradient_scaling
from ntkexec.precision import float64

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
    """A smooth loss of a 3x3 kernel with 2 inputs and 3 outputs: tanh features against targets."""
    inputs, targets = jax.random.split(key)
    images = jax.random.normal(inputs, (8, 6, 6, 2))
    wanted = jax.random.normal(targets, (8, 6, 6, 3))
    return lambda kernel: jnp.mean((jnp.tanh(convolve(images, kernel)) - wanted) ** 2)


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

    return jax.jit(
        lambda start: jax.lax.scan(step, (start, optimiser.init(start)), None, length=num_steps)[1]
    )(weights)


def trajectories(
    loss: Loss,
    branches: Sequence[Branch],
    weights: Sequence[jax.Array],
    num_steps: int,
    **options: Any,
) -> tuple[jax.Array, jax.Array]:
    """The merged kernel of trained branches, and the scaled kernel, after every step."""
    branched = descend(
        lambda us: loss(merge(branches, us)),
        list(weights),
        branch_optimiser(branches, lambda rate: sgd(rate, **options), RATE),
        num_steps,
        lambda us: merge(branches, us),
    )
    scaling = predicted_scaling(branches)
    mean = scaling.mean()
    # Over its mean, with a learning rate times it and a decay over it: the same trajectory.
    one = dict(options)
    if "decay" in one:
        one["decay"] = one["decay"] / mean
    optimiser = optax.chain(
        spatial_gradient_scaling(jnp.asarray(scaling / mean)), sgd(RATE * mean, **one)
    )
    scaled = descend(loss, merge(branches, weights), optimiser, num_steps)
    return branched, scaled


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
            branched, scaled = trajectories(loss, branches, list(start), config.steps, **options)
            moved = jnp.abs(branched[-1] - merge(branches, list(start))).max()
            found[name] = {
                "deviation": float(jnp.abs(branched - scaled).max()),
                "moved": float(moved),
            }
        trial.report(name, place + 1, len(cases))
    return {"cases": found}
