"""Losses of detectors and segmenters, element by element: the caller weighs and sums them.

Those of boxes are `1 - iou(a, b)` and its kin in `boxes`.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError


def distribution_focal(
    logits: Float[Array, "... bins"], targets: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Cross entropy of a distribution over 0, 1, ..., bins - 1 with the two numbers next to a target.

    The two share the weight so that their mean is the target; the loss is least, their entropy, if the
    distribution is these two weights, and then `expected_distance` is the target.

    Args:
        logits: of each bin.
        targets: distances in bins, such as pixels over the stride; clipped to 0 ... bins - 1.

    Source: Li et al., Generalized focal loss, arXiv:2006.04388, equation 6. There targets
    stay below the last bin; here they may reach it.
    """
    logits, targets = jnp.asarray(logits), jnp.asarray(targets)
    bins = jnp.arange(logits.shape[-1], dtype=logits.dtype)
    inside = jnp.clip(targets, 0, logits.shape[-1] - 1)[..., None]
    places = bins.reshape((1,) * (inside.ndim - 1) + (-1,))
    weights = jnp.maximum(1 - jnp.abs(places - inside), 0)
    return -jnp.sum(weights * jax.nn.log_softmax(logits, -1), -1)


def expected_distance(logits: Float[Array, "... bins"]) -> Float[Array, "..."]:
    """The mean of the distribution over 0, 1, ..., bins - 1 that logits stand for."""
    logits = jnp.asarray(logits)
    return jax.nn.softmax(logits, -1) @ jnp.arange(logits.shape[-1], dtype=logits.dtype)


def binary_cross_entropy(
    logits: Float[Array, "..."], targets: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Cross entropy of logits with targets from 0 to 1."""
    return optax.sigmoid_binary_cross_entropy(logits, targets)


def quality_focal(
    logits: Float[Array, "..."], quality: Float[Array, "..."], *, beta: float = 2.0
) -> Float[Array, "..."]:
    """Binary cross entropy with a quality, weighed by the distance from it to the power of beta.

    Args:
        logits: of a place having an object of a class.
        quality: the overlap that its box has with the object, from 0 to 1; 0 where there is none.
        beta: 0 leaves the cross entropy as it is; 1 or more.

    Raises:
        ExperimentError: a beta between 0 and 1, where the gradient would not be finite, or below.

    Source: Li et al., Generalized focal loss, arXiv:2006.04388, equation 5.
    """
    if not (beta == 0 or beta >= 1):
        raise ExperimentError(f"beta is 0, or 1 or more, got {beta}")
    entropy = binary_cross_entropy(logits, quality)
    return entropy if beta == 0 else entropy * jnp.abs(quality - jax.nn.sigmoid(logits)) ** beta


def dice(
    logits: Float[Array, "... h w"], targets: Float[Array, "... h w"], *, smooth: float = 1.0
) -> Float[Array, "..."]:
    """One less twice the shared area of two masks over the sum of their areas, mask by mask.

    Args:
        logits: of each pixel being in the mask.
        targets: the mask, from 0 to 1.
        smooth: added above and below, so that two empty masks agree.

    Source: Milletari et al., V-Net, arXiv:1606.04797, with areas in place of squares, as in Mask2Former.
    """
    inside = jax.nn.sigmoid(logits)
    shared = jnp.sum(inside * targets, (-2, -1))
    both = jnp.sum(inside, (-2, -1)) + jnp.sum(targets, (-2, -1))
    return 1 - (2 * shared + smooth) / (both + smooth)
