"""What a scaling prefers: the solution it leads to, and when that is the better one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.harness.experiment import Result, Trial
from experiments.vision.sgs.branches import ACB, normalised, predicted_scaling
from experiments.vision.sgs.config import SgsConfig
from ntkexec.runtime.precision import float64

POSITIONS, CHANNELS, ROWS = 9, 4, 18
PROFILE = np.repeat(normalised(predicted_scaling(ACB)).ravel(), CHANNELS)
"""ACB's scaling, one entry for each weight of a 3x3 kernel with 4 channels."""
POWER = 3
"""The teachers' weights have the variance PROFILE ** POWER."""


def limit_of_descent(
    inputs: Float[Array, "n d"], targets: Float[Array, "n *k"], scaling: Float[Array, "d"]
) -> Float[Array, "d *k"]:
    """Where scaled gradient descent on least squares from zero ends, for fewer rows than weights.

    Args:
        inputs: X, of full rank.
        targets: y, of one teacher or, by columns, of several.
        scaling: S, of the gradient.

    Returns:
        S Xᵀ (X S Xᵀ)⁻¹ y: of all exact fits the one of least sum of squares over S.
    """
    scaled = inputs * scaling[None, :]
    return scaled.T @ jnp.linalg.solve(scaled @ inputs.T, targets)


def excess_by_position(
    rows: Float[Array, "n p c"], fresh: Float[Array, "m p c"], scaling: Float[Array, "p"]
) -> Float[Array, "p"]:
    """The mean squared error that scaled descent leaves, by where the teacher's weights lie.

    Teachers with independent weights of mean 0, with variance v at each position, leave `v @ found`
    in expectation: with P = S Xᵀ (X S Xᵀ)⁺ X their fit is P w, off on a fresh row x by x (I - P) w.

    Args:
        rows: what is learned from, X; fewer than weights.
        fresh: on which the error counts.
        scaling: of the gradient, by position.
    """
    scaled = rows * scaling[None, :, None]
    products = jnp.einsum("npc,mpc->nm", scaled, jnp.concatenate([rows, fresh]))
    # Rows may repeat or vanish; descent does not care.
    inverse = jnp.linalg.pinv(products[:, : len(rows)], hermitian=True)
    coefficients = inverse @ products[:, len(rows) :]
    left = fresh - jnp.einsum("nm,npc->mpc", coefficients, rows)
    return (left**2).sum(2).mean(0)


def implicit_bias(config: SgsConfig, trial: Trial) -> Result:
    """The end of scaled descent, iterated, against its closed form; and how far plain descent ends."""
    with float64():
        inputs, teacher = _problem(trial.key)
        targets = inputs @ teacher
        scaling = jnp.asarray(PROFILE)
        expected = limit_of_descent(inputs, targets, scaling)
        # Modes of the scaled problem die out as (1 - rate * eigenvalue) ** steps.
        spectrum = jnp.linalg.eigvalsh((inputs * scaling[None, :]) @ inputs.T)
        rate = 1 / spectrum[-1]
        num_steps = int(np.ceil(40 * float(spectrum[-1] / spectrum[0])))

        def step(_: int, weights: jax.Array) -> jax.Array:
            return weights - rate * scaling * (inputs.T @ (inputs @ weights - targets))

        found = jax.lax.fori_loop(0, num_steps, step, jnp.zeros_like(teacher))
        plain = limit_of_descent(inputs, targets, jnp.ones_like(scaling))
        return {
            "deviation": float(jnp.abs(found - expected).max()),
            "plain_deviation": float(jnp.abs(plain - expected).max()),
            "steps": num_steps,
        }


def _problem(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gaussian rows, fewer than weights, and a teacher whose weights follow the profile."""
    rows, weights = jax.random.split(key)
    inputs = jax.random.normal(rows, (ROWS, POSITIONS * CHANNELS))
    return inputs, jnp.asarray(PROFILE) ** (POWER / 2) * jax.random.normal(weights, (len(PROFILE),))


SCALINGS = {
    "plain": np.ones_like(PROFILE),
    "acb": PROFILE,
    "matched": PROFILE**POWER,
    "inverse": 1 / PROFILE,
}


def one_by_one(study: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled function that applies another to every row of its arguments, in turn.

    Not `vmap`: XLA's batches of linear algebra, two at a time, wait for each other for ever on a CPU
    of two cores (jax 0.10.2).
    """
    return jax.jit(lambda *rows: jax.lax.map(lambda row: study(*row), rows))


@one_by_one
def _excess_errors(key: jax.Array) -> dict[str, jax.Array]:
    """The excess error of the fit that each scaling leads to, for one teacher."""
    inputs, teacher = _problem(key)
    targets = inputs @ teacher
    fits = {n: limit_of_descent(inputs, targets, jnp.asarray(s)) for n, s in SCALINGS.items()}
    # For Gaussian inputs the expected squared error is the squared distance of the weights.
    return {name: jnp.sum((fit - teacher) ** 2) for name, fit in fits.items()}


def right_profile(config: SgsConfig, trial: Trial) -> Result:
    """Mean excess error of the fits that scalings lead to, over teachers with a central profile."""
    with float64():
        found = _excess_errors(jax.random.split(trial.key, config.teachers))
        return {name: float(values.mean()) for name, values in found.items()}
