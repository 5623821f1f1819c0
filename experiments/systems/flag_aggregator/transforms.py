"""Aggregation as transformations of Optax: gradients of all workers in, one update out."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from experiments.systems.flag_aggregator.gram import (
    ITERATIONS,
    FlagWeights,
    default_dimension,
    gap_dimension,
    gram_flag,
    stacked_gram,
    usable_workers,
)
from experiments.systems.flag_aggregator.rules import Rule
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
    length: Length = "paper",
    axis_name: str | None = None,
) -> optax.GradientTransformation:
    """The flag aggregator as the first transformation of a chain, such as before `optax.sgd`.

    Args:
        workers: how many gradients there are, stacked along the first axis of every leaf.
        dimension: of the subspace; half of the workers by default, "gap" for `gap_dimension`.
        iterations: solves; 1 is what the released runs do.
        pair_weight: the paper's lambda.
        length: "paper" has the update at most workers / dimension long, whatever the loss; "median" gives
            it the scale of the workers' median gradient, so that usual learning rates fit.
        axis_name: of a mesh; then each device gives its own gradient, not stacked, and all get the same
            update. See `sharded_flag`.

    Raises:
        ExperimentError: for numbers that do not fit, and for gradients of another number of workers.
    """
    found = default_dimension(workers) if dimension is None else dimension
    if workers < 1 or iterations < 1 or (found != "gap" and not 1 <= found <= workers):
        raise ExperimentError(
            f"a subspace of {found} dimensions in {iterations} solves for {workers} workers: "
            "dimensions are 1 to the number of workers, solves 1 or more"
        )
    if length not in ("paper", "median"):
        raise ExperimentError(f"length is paper or median, not {length!r}")

    def weigh(gram: Float[Array, "p p"]) -> FlagWeights:
        size = gap_dimension(gram) if found == "gap" else found
        weights = gram_flag(gram, size, iterations=iterations, pair_weight=pair_weight)
        if length == "paper":
            return weights
        lengths = jnp.sqrt(jnp.where(usable_workers(gram), jnp.diagonal(gram), 0))
        scale = jnp.median(lengths) * size / workers
        return weights._replace(coefficients=weights.coefficients * scale)

    def init(params: PyTree) -> FlagState:
        return FlagState(jnp.zeros(workers))

    def update(
        updates: PyTree, state: FlagState, params: PyTree | None = None
    ) -> tuple[PyTree, FlagState]:
        if axis_name is not None:
            direction, weights = sharded_flag(updates, axis_name, weigh)
        else:
            _check_workers(updates, workers)
            gram = jnp.asarray(sum(stacked_gram(leaf) for leaf in jax.tree.leaves(updates)))
            weights = weigh(gram)
            direction = jax.tree.map(lambda leaf: _combined(leaf, weights, gram), updates)
        return direction, FlagState(weights.captured.astype(jnp.float32))

    return optax.GradientTransformation(init, update)


def aggregate_by(rule: Rule, faulty: int) -> optax.GradientTransformation:
    """Any of `RULES` as a transformation: gradients stacked along the first axis in, one update out.

    Args:
        rule: of gradients in rows, and of how many may be wrong.
        faulty: workers that may be wrong.
    """

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[PyTree, Any]:
        rows = jax.vmap(lambda tree: ravel_pytree(tree)[0])(updates)
        restore = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], updates))[1]
        return restore(rule(rows, faulty)), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _combined(leaf: Array, weights: FlagWeights, gram: Array) -> Array:
    usable = usable_workers(gram).reshape(-1, *[1] * (leaf.ndim - 1))
    combined = jnp.tensordot(weights.coefficients, jnp.where(usable, leaf, 0), axes=1)
    return combined.astype(leaf.dtype)


def _check_workers(updates: PyTree, workers: int) -> None:
    for leaf in jax.tree.leaves(updates):
        if jnp.ndim(leaf) == 0 or leaf.shape[0] != workers:
            raise ExperimentError(
                f"gradients of {workers} workers are stacked along the first axis; one has the shape "
                f"{jnp.shape(leaf)}"
            )
