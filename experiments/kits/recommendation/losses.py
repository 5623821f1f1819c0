"""Losses of scores, weighted by the triples' weights, as plain functions like Optax's."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def bpr(
    positive: Float[Array, " b"],
    negative: Float[Array, " b"],
    weights: Float[Array, " b"] | None = None,
) -> Float[Array, ""]:
    """Weighted mean of softplus(negative - positive): Bayesian personalised ranking.

    Args:
        positive, negative: scores of an item of the user's, and of another.
        weights: of each pair; none are ones.

    Source: Rendle et al., BPR, UAI 2009, arXiv:1205.2618.
    """
    return _mean(jax.nn.softplus(negative - positive), weights)


def bce(
    positive: Float[Array, " b"],
    negative: Float[Array, "b *m"],
    weights: Float[Array, " b"] | None = None,
    *,
    negative_weight: float = 1.0,
) -> Float[Array, ""]:
    """Weighted mean of binary cross-entropy of a positive and the mean of that of its negatives.

    Args:
        positive: scores of items of the users'.
        negative: scores of others, with or without an axis of several each.
        weights: of each row; none are ones.
        negative_weight: of the negatives' mean.
    """
    others = jax.nn.softplus(negative).reshape(negative.shape[0], -1).mean(axis=1)
    return _mean(jax.nn.softplus(-positive) + negative_weight * others, weights)


def squared_norms(
    *rows: Float[Array, "b d"], weights: Float[Array, " b"] | None = None
) -> Float[Array, ""]:
    """Half the weighted mean of |row|^2 summed over the arguments: what the public code penalises.

    Args:
        rows: embeddings of users, of their items and of others, before anything is propagated.
        weights: of each triple; none are ones.
    """
    return _mean(sum((0.5 * jnp.square(row).sum(axis=-1) for row in rows), jnp.zeros(())), weights)


def _mean(values: Array, weights: Array | None) -> Array:
    if weights is None:
        return values.mean()
    return (weights * values).sum() / weights.sum()
