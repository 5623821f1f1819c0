"""The flag aggregator from the workers' inner products alone: p x p numbers, however long gradients are."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ntkexec.errors import ExperimentError

EPSILON = 1e-7
"""What the public code adds to 1 - v before it divides by its root."""
ITERATIONS = 5


class FlagWeights(NamedTuple):
    """How gradients are combined.

    Args:
        coefficients: of the gradients as they came; their combination is the aggregate.
        captured: the squared length of each worker's unit gradient that lies in the subspace. It is no
            mark of quality: an attacker who owns a dimension of it has nearly 1.
        objectives: after each solve; they never rise where there is no pair term.
    """

    coefficients: Float[Array, "p"]
    captured: Float[Array, "p"]
    objectives: Float[Array, "iterations"]


def check_dimension(dimension: Any, most: int) -> None:
    """Raises for a subspace of no dimension, and of more than there can be."""
    if not 1 <= dimension <= most:
        raise ExperimentError(f"a subspace of {dimension} dimensions: 1 to {most} fit")


def default_dimension(workers: int) -> int:
    """Half of the workers, as the public scripts have it: 8 of 15, 4 of 7."""
    return (workers + 1) // 2


def gram_flag(
    gram: Float[Array, "p p"],
    dimension: int | Int[Array, ""],
    *,
    iterations: int = ITERATIONS,
    pair_weight: float = 0.0,
    epsilon: float = EPSILON,
) -> FlagWeights:
    """The flag aggregator's combination of gradients, by iteratively reweighted eigenproblems.

    With unit gradients x_i it minimises sum_i sqrt(1 - |Y'x_i|^2 + epsilon) over orthonormal Y of
    `dimension` columns, and combines to Y Y' sum_i x_i / dimension. Where K holds the inner products,
    R is its root and D = diag(w), the weighted principal directions are eigenvectors of R D R, so that
    neither Y nor a gradient is needed. A pair term is D plus a weighted graph Laplacian of the workers.

    Args:
        gram: inner products of the gradients. A worker with a zero, infinite or undefined square has
            no vote: its coefficient is 0. In float32 lengths of 1e19 and of 1e-19 have such squares;
            `flag_aggregate` and `sharded_flag` scale gradients before they square.
        dimension: of the subspace, 1 to p; may be traced, so that one program serves all.
        iterations: solves, at least 1; the first has equal weights and is plain principal components,
            which is all that the released runs do.
        pair_weight: the paper's lambda, of the term that keeps workers' differences in the subspace.
        epsilon: keeps weights finite.

    Raises:
        ExperimentError: more dimensions than workers, or none, where that is known.

    Source: Almasi et al., arXiv:2302.05865, section 2; the Gram form is ours.
    """
    workers = gram.shape[0]
    if not isinstance(dimension, jax.core.Tracer):
        check_dimension(dimension, workers)
    kernel, scale = _units(gram)
    values, vectors = jnp.linalg.eigh(kernel)
    root = (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T
    first = jnp.arange(workers) >= workers - dimension  # eigenvalues rise
    share = pair_weight / (workers * (workers - 1)) if workers > 1 else 0.0

    def solved(metric: Array) -> tuple[Array, Array, Array]:
        values, vectors = jnp.linalg.eigh(root @ metric @ root)
        rounding = workers * jnp.finfo(gram.dtype).eps * values[-1]
        kept = first & (values > rounding)
        inside = jnp.where(kept[None], root @ vectors, 0)
        return inside @ inside.T, inside, jnp.where(kept, values, 1)

    def judged(projected: Array) -> tuple[Array, Array, Array]:
        captured = jnp.clip(jnp.diagonal(projected), 0, 1)
        left = 1 - captured + epsilon
        metric, objective = jnp.diag(left**-0.5), jnp.sum(jnp.sqrt(left))
        if share:
            own = jnp.diagonal(projected)
            between = own[:, None] + own[None, :] - 2 * projected
            left = jnp.abs(1 - between) + epsilon
            weights = 2 * share * (left**-0.5) * (1 - jnp.eye(workers, dtype=gram.dtype))
            metric += jnp.diag(weights.sum(1)) - weights
            objective += share * (jnp.sum(jnp.sqrt(left)) - jnp.trace(jnp.sqrt(left)))
        return captured, metric, objective

    def step(metric: Array, _: Any) -> tuple[Array, Array]:
        _, metric, objective = judged(solved(metric)[0])
        return metric, objective

    metric, objectives = lax.scan(
        step, jnp.eye(workers, dtype=gram.dtype), None, length=iterations - 1
    )
    projected, inside, values = solved(metric)
    captured, _, objective = judged(projected)
    combined = metric @ (inside / values[None]) @ inside.sum(0)
    return FlagWeights(combined * scale / dimension, captured, jnp.append(objectives, objective))


def gap_dimension(gram: Float[Array, "p p"]) -> Int[Array, ""]:
    """The dimension after which eigenvalues of the unit gradients' inner products fall most.

    Of 1 to half of the workers, the one with the largest ratio to the next eigenvalue. Ours.
    """
    workers = gram.shape[0]
    if workers == 1:
        return jnp.ones((), int)
    values = jnp.linalg.eigvalsh(_units(gram)[0])[::-1]
    floor = workers * jnp.finfo(gram.dtype).eps * values[0]
    values = jnp.maximum(values, floor)
    return 1 + jnp.argmax((values[:-1] / values[1:])[: default_dimension(workers)])


def usable_workers(gram: Float[Array, "p p"]) -> Array:
    """Which workers' gradients have a length that can be divided by."""
    squares = jnp.diagonal(gram)
    return jnp.isfinite(squares) & (squares > 0)


def _units(gram: Float[Array, "p p"]) -> tuple[Array, Array]:
    """Inner products of unit gradients, 0 for unusable ones, and the reciprocals of their lengths."""
    usable = usable_workers(gram)
    scale = jnp.where(usable, lax.rsqrt(jnp.where(usable, jnp.diagonal(gram), 1)), 0)
    both = usable[:, None] & usable[None, :]
    return jnp.where(both, gram, 0) * scale[:, None] * scale[None, :], scale


def stacked_gram(gradients: jax.Array) -> Float[Array, "p p"]:
    """Inner products of gradients, stacked along the first axis, of any further shape; in float32 or more."""
    rows = gradients.reshape(gradients.shape[0], -1)
    rows = rows.astype(jnp.promote_types(rows.dtype, jnp.float32))
    return jnp.matmul(rows, rows.T, precision=lax.Precision.HIGHEST)
