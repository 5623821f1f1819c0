"""Identities in float64, the estimator's known answers, and forecasts where these are exact."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.study import Trial
from experiments.vision.sgs.auditor import audit
from experiments.vision.sgs.branches import (
    ACB,
    Branch,
    block_mask,
    branch_optimiser,
    convolve,
    merge,
    normalised,
    predicted_scaling,
    sgd,
)
from experiments.vision.sgs.estimation import information
from experiments.vision.sgs.forecasting import excess_by_position, limit_of_descent
from experiments.vision.sgs.layers import BranchedConv
from experiments.vision.sgs.scaling import spatial_gradient_scaling, with_scalings
from experiments.vision.sgs.study_config import SgsConfig
from ntkexec.runtime.precision import float64

# Identities.

RATE = 0.05
CASES: Mapping[str, tuple[float, float, bool]] = {
    "plain": (0.0, 0.0, False),
    "momentum": (0.9, 0.0, False),
    "momentum, small decay": (0.9, 5e-4, False),
    "momentum, large decay": (0.9, 0.1, False),
    "momentum, unequal rates": (0.9, 0.0, True),
}
"""Momentum, decay, and whether branches have rates of their own."""


class LemmaResult(TypedDict):
    """Largest deviations over steps, of the merged branches from one kernel; over cases as named."""

    deviation: float
    unscaled: float
    decay_after: float
    decay_scaled: float
    merged: float
    merged_without_factors: float


def random_branches(generator: np.random.Generator, *, rates: bool) -> tuple[Branch, ...]:
    """A full, a row, a column and a centre branch with random factors, and rates if asked for."""
    extents = ((3, 3), (1, 3), (3, 1), (1, 1))
    return tuple(
        Branch(
            block_mask(*extent),
            scale=float(generator.uniform(0.5, 1.5)),
            rate=float(generator.uniform(0.5, 2)) if rates else 1.0,
        )
        for extent in extents
    )


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


def scaled_descent(
    scaling: jax.Array, optimiser: optax.GradientTransformation
) -> optax.GradientTransformation:
    """An optimiser of one kernel, after its gradient's scaling, which may be traced."""
    chain = optax.chain(spatial_gradient_scaling(), optimiser)
    return optax.GradientTransformation(
        lambda kernel: with_scalings(chain.init(kernel), scaling), chain.update
    )


@functools.partial(jax.jit, static_argnames="num_steps")
def _followed(
    branches: Sequence[Branch],
    weights: list[jax.Array],
    images: jax.Array,
    wanted: jax.Array,
    momentum: jax.Array,
    decay: jax.Array,
    *,
    num_steps: int,
) -> dict[str, jax.Array]:
    """One training of the branches, against one kernel that is trained in three ways."""

    def loss(kernel: jax.Array) -> jax.Array:
        return jnp.mean((jnp.tanh(convolve(images, kernel)) - wanted) ** 2)

    def descent(rate: Any, decay: Any = decay) -> optax.GradientTransformation:
        return sgd(rate, momentum=momentum, decay=decay)

    merged = functools.partial(merge, branches)
    branched = descend(
        lambda us: loss(merged(us)),
        weights,
        branch_optimiser(branches, descent, RATE),
        num_steps,
        merged,
    )
    scaling = jnp.asarray(predicted_scaling(branches))
    mean = scaling.mean()
    # Over its mean, with a learning rate times it and a decay over it: the same trajectory.
    fits = {
        "deviation": scaled_descent(scaling / mean, descent(RATE * mean, decay / mean)),
        "unscaled": scaled_descent(jnp.ones_like(scaling), descent(RATE * mean, decay / mean)),
        "decay_scaled": optax.chain(
            optax.add_decayed_weights(decay / mean),
            scaled_descent(scaling / mean, descent(RATE * mean, 0.0)),
        ),
    }
    found = {
        name: jnp.abs(branched - descend(loss, merged(weights), optimiser, num_steps)).max()
        for name, optimiser in fits.items()
    }
    outputs = sum(convolve(images, merge([b], [u])) for b, u in zip(branches, weights, strict=True))
    bare = [dataclasses.replace(b, scale=1.0) for b in branches]
    for name, kernel in (("merged", merged(weights)), ("bare", merge(bare, weights))):
        found[name] = jnp.abs(outputs - convolve(images, kernel)).max()
    return found


def lemma(config: SgsConfig, trial: Trial) -> LemmaResult:
    """How far one kernel departs from trained branches: scaled, unscaled, decay scaled too."""
    found: dict[str, dict[str, float]] = {}
    generator = trial.generator
    with float64():
        for place, (name, (momentum, decay, rates)) in enumerate(CASES.items()):
            branches = random_branches(generator, rates=rates)
            deviations = _followed(
                branches,
                list(jnp.asarray(generator.normal(size=(len(branches), 3, 3, 2, 3)))),
                jnp.asarray(generator.normal(size=(8, 6, 6, 2))),
                jnp.asarray(generator.normal(size=(8, 6, 6, 3))),
                jnp.asarray(momentum),
                jnp.asarray(decay),
                num_steps=config.steps,
            )
            found[name] = {key: float(value) for key, value in deviations.items()}
            trial.report(name, place + 1, len(CASES))
    decays = [case for name, case in found.items() if CASES[name][1]]
    return {
        "deviation": max(case["deviation"] for case in found.values()),
        "unscaled": min(case["unscaled"] for case in found.values()),
        "decay_after": max(case["deviation"] for case in decays),
        "decay_scaled": min(case["decay_scaled"] for case in decays),
        "merged": max(case["merged"] for case in found.values()),
        "merged_without_factors": min(case["bare"] for case in found.values()),
    }


class PublishedResult(TypedDict):
    """Shares of one step of a block that no scaling explains: published ones, and linear ACB."""

    residuals: dict[str, float]
    least: float
    linear: float


def published(config: SgsConfig, trial: Trial) -> PublishedResult:
    """What the auditor says of published blocks, with their batch normalisation, and without."""

    def residual(block: str, normalised: bool) -> float:
        module = BranchedConv(2, block, normalised)
        return audit(module, channels=2, key=trial.key).residual

    residuals = {block: residual(block, True) for block in ("acb", "repvgg")}
    return {
        "residuals": residuals,
        "least": min(residuals.values()),
        "linear": residual("acb", False),
    }


# The estimator.

CORRELATIONS = (0.6, 0.9)


class AnswersResult(TypedDict):
    """Largest relative errors of bits of Gaussian pairs."""

    error: float
    shuffled: float
    bits: list[float]


_bits = jax.jit(lambda first, second: information(first, second)[0])


def answers(config: SgsConfig, trial: Trial) -> AnswersResult:
    """Bits that correlated Gaussian samples tell of each other, also once their pairs are torn.

    Cells of the width w round a sample by w^2 / 12 of variance, as Sheppard's correction says.
    """
    errors, torn, found = [], [], []
    cells = 1 + math.ceil(math.log2(config.pairs))
    for correlation in CORRELATIONS:
        first, noise = trial.generator.normal(size=(2, config.pairs)).astype(np.float32)
        second = correlation * first + np.float32((1 - correlation**2) ** 0.5) * noise
        rounded = [1 + (np.ptp(sample) / cells) ** 2 / 12 for sample in (first, second)]
        expected = -0.5 * math.log2(1 - correlation**2 / (rounded[0] * rounded[1]))
        found.append(float(_bits(first, second)))
        errors.append(abs(found[-1] / expected - 1))
        shuffled = trial.generator.permutation(second)
        torn.append(abs(float(_bits(first, shuffled)) / expected - 1))
    return {"error": max(errors), "shuffled": min(torn), "bits": found}


# Forecasts, where one knows what is to be learned.

POSITIONS, CHANNELS, ROWS = 9, 4, 18
PROFILE = normalised(predicted_scaling(ACB)).ravel()
POWERS = (-3, -2, -1, 0, 1, 2, 3, 4)
"""Teachers' weights have the variance of ACB's scaling to one of these powers."""


class ProfilesResult(TypedDict):
    """Shares of plain descent's error that ACB's scaling saves, by power."""

    powers: list[int]
    measured: list[float]
    formula: list[float]
    gradient: list[float]
    off: float
    off_reversed: float


@jax.jit
def _excess(keys: jax.Array) -> dict[str, Any]:
    """Means over draws of rows: errors by power, by the weight's position, and the gradient at zero.

    Not `vmap`: XLA's batches of linear algebra, two at a time, wait for each other for ever on a CPU
    of two cores (jax 0.10.2).
    """
    weights = {"plain": jnp.ones(POSITIONS), "acb": jnp.asarray(PROFILE)}
    deviations = jnp.stack([jnp.asarray(PROFILE) ** (power / 2) for power in POWERS], 1)
    # For Gaussian inputs the expected squared error is the squared distance of the weights.
    fresh = jnp.eye(POSITIONS * CHANNELS).reshape(-1, POSITIONS, CHANNELS)

    def one(key: jax.Array) -> dict[str, Any]:
        first, second = jax.random.split(key)
        rows = jax.random.normal(first, (ROWS, POSITIONS, CHANNELS))
        inputs = rows.reshape(ROWS, -1)
        teachers = jnp.repeat(deviations, CHANNELS, 0)
        teachers = teachers * jax.random.normal(second, teachers.shape)
        targets = inputs @ teachers
        errors = {}
        for name, scaling in weights.items():
            fitted = limit_of_descent(inputs, targets, jnp.repeat(scaling, CHANNELS))
            errors[name] = jnp.mean((fitted - teachers) ** 2, 0)
        moment = ((inputs.T @ targets) ** 2).reshape(POSITIONS, CHANNELS, -1).mean(1)
        left = {name: excess_by_position(rows, fresh, s) for name, s in weights.items()}
        return {"error": errors, "left": left, "moment": moment}

    return jax.tree.map(lambda leaf: leaf.mean(0), jax.lax.map(one, keys))


def profiles(config: SgsConfig, trial: Trial) -> ProfilesResult:
    """Share of error that ACB's scaling saves: measured, from the profile, and from the gradient."""
    with float64():
        found = jax.tree.map(np.asarray, _excess(jax.random.split(trial.key, config.teachers)))
    left = found["left"]
    energy = PROFILE[:, None] ** np.asarray(POWERS)
    measured = 1 - found["error"]["acb"] / found["error"]["plain"]
    formula = 1 - (left["acb"] @ energy) / (left["plain"] @ energy)
    gradient = 1 - (left["acb"] @ found["moment"]) / (left["plain"] @ found["moment"])
    return {
        "powers": list(POWERS),
        "measured": measured.tolist(),
        "formula": formula.tolist(),
        "gradient": gradient.tolist(),
        "off": float(np.abs(measured - formula).max()),
        "off_reversed": float(np.abs(measured - formula[::-1]).max()),
    }
