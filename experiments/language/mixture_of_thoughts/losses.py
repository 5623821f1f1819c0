"""The objective: the primary's language loss, and what is asked of the router's probabilities.

Source: arXiv:2509.21164, section 3, for the four terms; the formulas of balance and consistency are
reconstructed.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int


def language_loss(
    logits: Float[Array, "B T V"], tokens: Int[Array, "B T"], counted: Bool[Array, "B T"]
) -> Float[Array, ""]:
    """Mean cross-entropy of the counted tokens, each predicted by the one before it."""
    found = token_losses(logits, tokens)
    counts = counted[:, 1:]
    return jnp.where(counts, found, 0).sum() / jnp.maximum(counts.sum(), 1)


def token_losses(logits: Float[Array, "B T V"], tokens: Int[Array, "B T"]) -> Float[Array, "B T-1"]:
    """Cross-entropy of every token but the first."""
    return optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])


def entropy(probabilities: Float[Array, "B M"]) -> Float[Array, ""]:
    """Mean entropy in nats; its weight in the loss is negative."""
    safe = jnp.where(probabilities > 0, probabilities, 1)
    return -(probabilities * jnp.log(safe)).sum(1).mean()


def balance_loss(probabilities: Float[Array, "B M"]) -> Float[Array, ""]:
    """Squared coefficient of variation of the batch's mean: 0 if all experts are used alike, M if one is."""
    used = probabilities.mean(0)
    spread = jnp.square(used - used.mean()).sum() / max(len(used) - 1, 1)
    return spread / jnp.square(used.mean())


def consistency_loss(
    one: Float[Array, "B T V"], other: Float[Array, "B T V"], counted: Bool[Array, "B T"]
) -> Float[Array, ""]:
    """Mean symmetric divergence of two passes' distributions of the counted tokens; 0 if they agree."""
    first, second = (jax.nn.log_softmax(logits[:, :-1], -1) for logits in (one, other))
    apart = ((jnp.exp(first) - jnp.exp(second)) * (first - second)).sum(-1) / 2
    counts = counted[:, 1:]
    return jnp.where(counts, apart, 0).sum() / jnp.maximum(counts.sum(), 1)
