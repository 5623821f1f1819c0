"""Where the equality ends: decay in the wrong place, Adam, trained factors, batch normalisation."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from experiments.harness.experiment import Result, Trial
from experiments.vision.sgs.audit import audit
from experiments.vision.sgs.branches import (
    ACB,
    REPVGG,
    Branch,
    adam_scaling,
    convolve,
    merge,
    predicted_scaling,
    sgd,
)
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.exact import (
    RATE,
    Loss,
    compiled_trajectories,
    descend,
    random_branches,
    random_loss,
    scaled_by,
)
from experiments.vision.sgs.layers import BranchedConv, NormalisedBlock
from experiments.vision.sgs.scaling import spatial_gradient_scaling, spatial_update_scaling
from ntkexec.runtime.precision import float64

DECAYS = (5e-4, 0.1)
ADAM_RATE, ADAM_STEPS = 1e-2, 300


def _start(trial: Trial, branches: Sequence[Branch]) -> tuple[list[jax.Array], Loss]:
    weights, loss = jax.random.split(trial.key)
    start = jax.random.normal(weights, (len(branches), 3, 3, 2, 3))
    return list(start), random_loss(loss)


def _largest(one: jax.Array, other: jax.Array) -> float:
    return float(jnp.abs(one - other).max())


def decay_order(config: SgsConfig, trial: Trial) -> Result:
    """Deviation from the branches when decay is scaled as well, and when it is not, by decay."""
    found = {}
    with float64():
        branches = random_branches(trial.generator, rates=False)
        start, loss = _start(trial, branches)
        for decay in DECAYS:
            branched, right = compiled_trajectories(
                loss, branches, start, config.steps, momentum=0.9, decay=decay
            )
            wrong = _decay_scaled_too(loss, branches, start, decay, num_steps=config.steps)
            found[str(decay)] = {
                "right": _largest(branched, right),
                "wrong": _largest(branched, wrong),
            }
    return {"decays": found}


@functools.partial(jax.jit, static_argnames="num_steps")
def _decay_scaled_too(
    loss: Loss, branches: Sequence[Branch], start: Any, decay: jax.Array, *, num_steps: int
) -> jax.Array:
    scaling = jnp.asarray(predicted_scaling(branches))[:, :, None, None]
    chain = optax.chain(
        optax.add_decayed_weights(decay),
        # Not of mean 1: the rates and decays stay those of the branches.
        optax.stateless(lambda updates, _: scaling * updates),
        sgd(RATE, momentum=0.9),
    )
    return descend(loss, merge(branches, start), chain, num_steps)


def adam(config: SgsConfig, trial: Trial) -> Result:
    """Under Adam with epsilon 0: the update scaled, the gradient scaled, against branches."""
    branches = random_branches(trial.generator, rates=False)
    with float64():
        start, loss = _start(trial, branches)
        branched, updates, gradients, plain = _adam_trajectories(
            loss, branches, start, num_steps=min(config.steps, ADAM_STEPS)
        )
        return {
            "update_scaled": _largest(branched, updates),
            "gradient_scaled": _largest(branched, gradients),
            "gradient_scaling_effect": _largest(gradients, plain),
        }


@functools.partial(jax.jit, static_argnames="num_steps")
def _adam_trajectories(
    loss: Loss, branches: Sequence[Branch], start: Any, *, num_steps: int
) -> tuple[jax.Array, ...]:
    kernel = merge(branches, start)
    branched = descend(
        lambda us: loss(merge(branches, us)),
        start,
        _adam(),
        num_steps,
        lambda us: merge(branches, us),
    )
    factor = jnp.asarray(adam_scaling(branches))
    after = scaled_by(
        factor / factor.mean(),
        optax.chain(_adam(), spatial_update_scaling(), optax.scale(factor.mean())),
    )
    scaling = jnp.asarray(predicted_scaling(branches))
    before = scaled_by(scaling / scaling.mean(), optax.chain(spatial_gradient_scaling(), _adam()))
    return (
        branched,
        *(descend(loss, kernel, optimiser, num_steps) for optimiser in (after, before, _adam())),
    )


def _adam() -> optax.GradientTransformation:
    return optax.chain(_adam_direction(), optax.scale(-ADAM_RATE))


def _adam_direction(first: float = 0.9, second: float = 0.999) -> optax.GradientTransformation:
    """Adam with epsilon 0 and 0 / 0 = 0: off their masks, branches have gradients of exactly 0."""
    moments = optax.scale_by_adam(first, second, eps=0.0)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        scaled, state = moments.update(updates, state, params)
        return jax.tree.map(lambda s: jnp.where(jnp.isfinite(s), s, 0), scaled), state

    return optax.GradientTransformation(moments.init, update)


def learnable_factors(config: SgsConfig, trial: Trial) -> Result:
    """Deviation of one step with trained factors from the scaled step, at a rate and at half of it."""
    with float64():
        branches = random_branches(trial.generator, rates=False)
        start, loss = _start(trial, branches)
        factors = [jnp.asarray(b.scale) for b in branches]
        bare = tuple(Branch(b.mask) for b in branches)

        def effective(weights: Any) -> jax.Array:
            factors, us = weights
            return merge(bare, [f * u for f, u in zip(factors, us, strict=True)])

        scaling = jnp.asarray(predicted_scaling(branches))[:, :, None, None]
        kernel = effective((factors, start))
        gradient = jax.grad(loss)(kernel)
        deviations = []
        for rate in (RATE, RATE / 2):
            stepped = descend(
                lambda w: loss(effective(w)), (factors, start), sgd(rate), 1, effective
            )[0]
            deviations.append(_largest(stepped, kernel - rate * scaling * gradient))
        return {"at_rate": deviations[0], "at_half": deviations[1]}


AUDITED: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "linear ACB": (lambda: BranchedConv(3, ACB), {}),
    "linear RepVGG": (lambda: BranchedConv(3, REPVGG), {}),
    "trained factors": (lambda: BranchedConv(3, ACB, learnable=True), {}),
    "ACB as published": (lambda: NormalisedBlock(2, "acb"), {"train": True}),
    "RepVGG as published": (lambda: NormalisedBlock(2, "repvgg"), {"train": True}),
    "DBB as published": (lambda: NormalisedBlock(2, "dbb"), {"train": True}),
}


def audits(config: SgsConfig, trial: Trial) -> Result:
    """The auditor's verdict, scaling and residual for linear and for published blocks."""
    found = {}
    for place, (name, (make, arguments)) in enumerate(AUDITED.items()):
        verdict = audit(make(), channels=2, key=jax.random.fold_in(trial.key, place), **arguments)
        found[name] = {
            "violation": verdict.violation,
            "scaling": verdict.scaling,
            "residual": verdict.residual,
        }
        trial.report(name, place + 1, len(AUDITED))
    return {"blocks": found}


def merging(config: SgsConfig, trial: Trial) -> Result:
    """The named blocks' scalings, and the merged kernel's outputs against the branches' sum."""
    with float64():
        found = {}
        for name, branches in {"acb": ACB, "repvgg": REPVGG}.items():
            start, _ = _start(trial, branches)
            images = jax.random.normal(trial.key, (4, 7, 7, 2))
            apart, together = _apart_and_together(branches, start, images)
            scaling = predicted_scaling(branches)
            found[name] = {
                "scaling": scaling / scaling.mean(),
                "deviation": _largest(apart, together),
            }
        return {"blocks": found}


@jax.jit
def _apart_and_together(
    branches: Sequence[Branch], start: Sequence[jax.Array], images: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The sum of the branches' outputs, and the merged kernel's output."""
    pairs = zip(branches, start, strict=True)
    outputs = [convolve(images, merge([branch], [weights])) for branch, weights in pairs]
    return jnp.sum(jnp.stack(outputs), 0), convolve(images, merge(branches, start))
