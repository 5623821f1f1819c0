"""Aggregation as transformations of Optax: gradients of all workers in, one update out."""

import math
import operator
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from experiments.systems.flag_aggregator.gram import (
    EPSILON,
    ITERATIONS,
    FlagWeights,
    default_dimension,
    gap_dimension,
    gram_flag,
    stacked_gram,
    usable_workers,
)
from experiments.systems.flag_aggregator.rules import RULES, Rule
from experiments.systems.flag_aggregator.scales import (
    check_floating,
    length_of,
    median_length,
    rescaled,
)
from experiments.systems.flag_aggregator.sharded import sharded_flag
from ntkexec.errors import ExperimentError

Length = Literal["paper", "median"]


class FlagState(NamedTuple):
    """What was seen of the workers last.

    Args:
        captured: the squared length of each one's unit gradient inside the subspace.
    """

    captured: Float[Array, "p"]


def flag_aggregate(
    workers: int,
    dimension: int | Literal["gap"] | None = None,
    *,
    iterations: int = ITERATIONS,
    pair_weight: float = 0.0,
    epsilon: float = EPSILON,
    length: Length = "paper",
    axis_name: str | None = None,
) -> optax.GradientTransformation:
    """The flag aggregator as the first transformation of a chain, such as before `optax.sgd`.

    Args:
        workers: how many gradients there are, stacked along the first axis of every leaf.
        dimension: of the subspace; half of the workers by default, "gap" for `gap_dimension`.
        iterations: solves; 1 is what the released runs do.
        pair_weight: the paper's lambda, 0 or more.
        epsilon: keeps weights finite; an outlier moves the subspace by about its root.
        length: "paper" has the update at most workers / dimension long, whatever the loss; "median" gives
            it the scale of the median gradient of those that have a vote, so that usual learning rates
            fit.
        axis_name: of a mesh; then each device gives its own gradient, not stacked, and all get the same
            update. See `sharded_flag`; the median length takes one more number of each.

    Raises:
        ExperimentError: for numbers that do not fit; by `update`, for gradients of another number of
            workers or devices, and for leaves that are not floating.
    """
    size = _dimension(workers, dimension)
    fits = iterations >= 1 and 0 <= pair_weight < math.inf and 0 < epsilon < math.inf
    if not fits:
        raise ExperimentError(
            f"iterations={iterations}, pair_weight={pair_weight}, epsilon={epsilon}: solves are 1 or "
            "more, the pair term's weight is finite and not negative, epsilon finite and positive"
        )
    if length not in ("paper", "median"):
        raise ExperimentError(f"length is paper or median, not {length!r}")

    def weighed(gram: Float[Array, "p p"], scale: Array | None) -> FlagWeights:
        number = gap_dimension(gram) if size is None else size
        weights = gram_flag(
            gram, number, iterations=iterations, pair_weight=pair_weight, epsilon=epsilon
        )
        if scale is None:
            return weights
        # So that the mean of the unit gradients that have a vote would get this length.
        factor = scale * number / jnp.maximum(usable_workers(gram).sum(), 1)
        return weights._replace(coefficients=weights.coefficients * factor)

    def stacked(updates: PyTree) -> tuple[PyTree, FlagWeights]:
        scale = median_length(jax.vmap(length_of)(updates)) if length == "median" else None
        rows, _ = jax.vmap(rescaled)(updates)
        gram = jnp.asarray(sum(stacked_gram(leaf) for leaf in jax.tree.leaves(rows)))
        weights = weighed(gram, scale)
        return jax.tree.map(lambda leaf: _combined(leaf, weights), rows), weights

    def divided(updates: PyTree, axis_name: str) -> tuple[PyTree, FlagWeights]:
        scale = None
        if length == "median":
            scale = median_length(lax.all_gather(length_of(updates), axis_name))
        return sharded_flag(updates, axis_name, lambda gram: weighed(gram, scale))

    def init(params: PyTree) -> FlagState:
        return FlagState(jnp.zeros(workers, jnp.float32))

    def update(
        updates: PyTree, state: FlagState, params: PyTree | None = None
    ) -> tuple[PyTree, FlagState]:
        check_floating(updates)
        if axis_name is None:
            _check_workers(updates, workers)
        elif (devices := lax.axis_size(axis_name)) != workers:
            raise ExperimentError(f"{workers} workers, and {devices} devices along {axis_name!r}")
        if not jax.tree.leaves(updates):
            return updates, init(params)
        direction, weights = stacked(updates) if axis_name is None else divided(updates, axis_name)
        return direction, FlagState(weights.captured.astype(jnp.float32))

    return optax.GradientTransformation(init, update)


def aggregate_by(rule: Rule, faulty: int) -> optax.GradientTransformation:
    """Any of `RULES` as a transformation: gradients stacked along the first axis in, one update out.

    Args:
        rule: of gradients in rows, of float32 or more, and of how many may be wrong.
        faulty: workers that may be wrong.

    Raises:
        ExperimentError: for a negative number of them; by `update`, for leaves that are not floating or
            not of the same number of workers.
    """
    if not callable(rule):
        raise ExperimentError(f"{rule!r} is no rule; RULES has {', '.join(RULES)}")
    if faulty < 0:
        raise ExperimentError(f"{faulty} workers cannot be wrong; 0 is the least")

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[PyTree, Any]:
        check_floating(updates)
        leaves = jax.tree.leaves(updates)
        if not leaves:
            return updates, state
        _check_workers(updates, (*jnp.shape(leaves[0]), 0)[0])
        rows = jax.vmap(lambda tree: ravel_pytree(tree)[0])(updates)
        restore = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], updates))[1]
        wide = rows.astype(jnp.promote_types(rows.dtype, jnp.float32))
        return restore(rule(wide, faulty).astype(rows.dtype)), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _dimension(workers: int, dimension: int | str | None) -> int | None:
    """A number of dimensions that fits, None for the gap's."""
    given = f"a subspace of {dimension!r} dimensions for {workers!r} workers"
    try:
        number = operator.index(workers)
        if dimension == "gap" and number >= 1:
            return None
        size = default_dimension(number) if dimension is None else operator.index(dimension)  # type: ignore[arg-type]
    except TypeError:
        raise ExperimentError(f"{given}: both are whole numbers, or the first is gap") from None
    if isinstance(dimension, bool) or not 1 <= size <= number:
        raise ExperimentError(f"{given}: dimensions are 1 to the number of workers")
    return size


def _combined(leaf: Array, weights: FlagWeights) -> Array:
    return jnp.tensordot(weights.coefficients, leaf, axes=1).astype(leaf.dtype)


def _check_workers(updates: PyTree, workers: int) -> None:
    for leaf in jax.tree.leaves(updates):
        if jnp.ndim(leaf) == 0 or leaf.shape[0] != workers:
            raise ExperimentError(
                f"gradients of {workers} workers are stacked along the first axis; one has the shape "
                f"{jnp.shape(leaf)}"
            )
