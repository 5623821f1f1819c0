"""Gradients of any length: a power of two for each worker's, so that no square leaves the type."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from ntkexec.errors import ExperimentError


def check_floating(gradient: PyTree) -> None:
    """Raises for leaves that no direction of unit length fits into.

    Raises:
        ExperimentError: names the first leaf that holds whole or complex numbers, and its type.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            where = jax.tree_util.keystr(path) or "the gradient"
            raise ExperimentError(f"{where} is of {jnp.result_type(leaf)}; gradients are floating")


def rescaled(gradient: PyTree) -> tuple[PyTree, Int[Array, ""]]:
    """One worker's gradient with its largest entry between 1/2 and 1.

    The factor is a power of two, so that nothing is rounded but what lies below the type's smallest
    number afterwards.

    Args:
        gradient: a tree with one floating leaf at least.

    Returns:
        The gradient, in its own types, and the exponent of the power of two that it was divided by.
        Zeros and 0 where the largest entry is infinite, no number or below the normal numbers of its
        type (of float32 for types with less): such a gradient has no direction.
    """
    leaves = jax.tree.leaves(gradient)
    wide = jnp.result_type(jnp.float32, *leaves)
    largest = jnp.stack([jnp.max(jnp.abs(leaf).astype(wide), initial=0) for leaf in leaves]).max()
    usable = jnp.isfinite(largest) & (largest >= jnp.finfo(wide).tiny)
    exponent = jnp.where(usable, jnp.frexp(jnp.where(usable, largest, 1))[1], 0)

    def divided(leaf: Array) -> Array:
        known = jnp.where(usable, leaf, 0).astype(wide)
        return times_power(known, -exponent).astype(leaf.dtype)

    return jax.tree.map(divided, gradient), exponent


def times_power(values: Array, exponent: Int[Array, ""]) -> Array:
    """Values times a power of two, to the bit wherever the product is a normal number.

    Args:
        values: float32 or float64.
        exponent: of the power; the power itself may leave the type.
    """
    most = -jnp.finfo(values.dtype).minexp // 2 + 2
    # A table, because XLA's power is not exact; two factors, because one may not be a number.
    powers = jnp.asarray(np.ldexp(1.0, np.arange(-most, most + 1)), values.dtype)
    half = exponent // 2
    return values * powers[half + most] * powers[exponent - half + most]


def length_of(gradient: PyTree) -> Float[Array, ""]:
    """One worker's Euclidean length, 0 where the gradient has no direction; infinite if it does not fit."""
    parts, exponent = rescaled(gradient)
    wide = jnp.result_type(jnp.float32, *jax.tree.leaves(parts))
    squares: Any = sum(jnp.sum(part.astype(wide) ** 2) for part in jax.tree.leaves(parts))
    return times_power(jnp.sqrt(squares), exponent)


def median_length(lengths: Float[Array, "p"]) -> Float[Array, ""]:
    """The median over those that have a length, 0 where nobody has."""
    count = jnp.sum(lengths > 0)
    rising = jnp.sort(jnp.where(lengths > 0, lengths, jnp.inf))
    middle = (rising[(count - 1) // 2] + rising[count // 2]) / 2
    return jnp.where(count > 0, middle, 0)
