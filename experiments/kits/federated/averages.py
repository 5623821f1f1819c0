"""Weighted means of models: over the first axis of stacked pytrees, and over an axis of a mesh."""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError

Tree = TypeVar("Tree")
AxisNames = Hashable | Sequence[Hashable]


def weighted_mean(trees: Tree, weights: Float[Array, "clients"], *, otherwise: Any = None) -> Tree:
    """The mean of models, each times its weight, over the sum of weights.

    A model of weight 0 has no influence, even where it is not finite.

    Args:
        trees: a pytree whose leaves hold one model after the other along their first axis; they are
            floating-point numbers and keep their types.
        weights: of the models, none negative; they need not sum to 1.
        otherwise: a model, without that axis, that is the result if all weights are 0.

    Raises:
        ExperimentError: a leaf has another first axis or holds whole numbers, or weights that are known
            are negative, not finite, or all 0 while nothing is given for that case. Weights that are
            traced are not known: if all are 0 and nothing is given, the mean is nan.
    """
    weights = _checked(trees, weights, otherwise)
    total = weights.sum()

    def mean(leaf: Array) -> Array:
        leaf = jnp.asarray(leaf)
        # Weights first: a sum of counts times half-precision numbers would not be finite.
        share = (weights / total).reshape(-1, *(1,) * (leaf.ndim - 1))
        return jnp.where(share > 0, _widened(leaf) * share, 0).sum(0).astype(leaf.dtype)

    return _or(jax.tree.map(mean, trees), total, otherwise)


def mean_over(
    axis: AxisNames, tree: Tree, weight: Float[Array, ""], *, otherwise: Any = None
) -> Tree:
    """The mean of the models that lie along an axis of a mesh, as `weighted_mean` of them stacked.

    To be called inside `jax.shard_map`, or `jax.vmap` with `axis_name`: what is communicated is one sum
    of the model, in float32 where it is in half precision, and one of its weight.

    Args:
        axis: name of the axis, or names of several.
        tree: the model of this device, whose leaves keep their types.
        weight: of it, not negative.
        otherwise: the result if all weights are 0; nan if nothing is given.
    """
    total, summed = sum_over(axis, tree, weight)
    mean = jax.tree.map(
        lambda leaf, mine: (leaf / total).astype(jnp.result_type(mine)), summed, tree
    )
    return _or(mean, total, otherwise)


def sum_over(axis: AxisNames, tree: Tree, weight: Float[Array, ""]) -> tuple[Array, Tree]:
    """The sum of weights along an axis of a mesh, and that of the models times them: one psum.

    Args:
        axis, tree, weight: as for `mean_over`.

    Returns:
        Both, in float32 at least.

    Raises:
        ExperimentError: a leaf holds no floating-point numbers.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        _check_floating(path, leaf)
    given = _widened(jnp.asarray(weight))

    def scaled(leaf: Array) -> Array:
        return jnp.where(given > 0, _widened(leaf) * given, 0)

    summed: tuple[Array, Tree] = jax.lax.psum((given, jax.tree.map(scaled, tree)), axis)
    return summed


def _widened(leaf: Array) -> Array:
    """In float32 at least."""
    leaf = jnp.asarray(leaf)
    return leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32))


def _check_floating(path: Any, leaf: Any) -> None:
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
        name = jax.tree_util.keystr(path) or "the model"
        raise ExperimentError(
            f"{name} holds {jnp.result_type(leaf)}: means are taken of floating-point numbers"
        )


def _or(mean: Tree, total: Array, otherwise: Any) -> Tree:
    if otherwise is None:
        return jax.tree.map(lambda one: jnp.where(total > 0, one, jnp.nan), mean)
    kept: Tree = jax.tree.map(lambda one, other: jnp.where(total > 0, one, other), mean, otherwise)
    return kept


def _checked(trees: Any, weights: Any, otherwise: Any) -> Array:
    given = _widened(weights)
    if given.ndim != 1:
        raise ExperimentError(f"weights are one for each model, got an array of {given.shape}")
    for path, leaf in jax.tree_util.tree_leaves_with_path(trees):
        if jnp.ndim(leaf) < 1 or jnp.shape(leaf)[0] != len(given):
            name = jax.tree_util.keystr(path) or "the model"
            raise ExperimentError(
                f"{name} is stacked as {jnp.shape(leaf)}, and there are {len(given)} weights"
            )
        _check_floating(path, leaf)
    if isinstance(given, jax.core.Tracer):
        return given
    known = np.asarray(given)
    if not np.isfinite(known).all() or (known < 0).any():
        bad = known[~(np.isfinite(known) & (known >= 0))][0]
        raise ExperimentError(f"a weight is a number and not negative; {bad} is none")
    if otherwise is None and not known.any():
        raise ExperimentError("all weights are 0: there is nothing to take a mean of")
    return given
