"""The losses of self-supervised learning on graphs, as plain functions of embeddings; and the moving average.

Rows are nodes. All are differentiable and run in the type of their inputs.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Scalar = Float[Array, ""]


def cosines(one: Float[Array, "n D"], other: Float[Array, "n D"]) -> Float[Array, " n"]:
    """The cosine of each pair of rows; 0 where one of them is zero."""
    return (_directions(one) * _directions(other)).sum(1)


def bootstrap_loss(predicted: Float[Array, "n D"], target: Float[Array, "n D"]) -> Scalar:
    """One less the mean cosine, between 0 and 2: BGRL's loss is the sum of two, one for each view.

    Args:
        predicted: the predictor's rows for one view.
        target: the target encoder's rows for the other, through which no gradient goes.

    Source: Thakoor et al., arXiv:2102.06514, up to a constant.
    """
    return 1 - cosines(predicted, jax.lax.stop_gradient(target)).mean()


def barlow_loss(one: Float[Array, "n D"], other: Float[Array, "n D"]) -> Scalar:
    """sum_i (1 - C_ii)^2 + (1 / D) sum_{i != j} C_ij^2 of two views' correlations; 0 iff C = I.

    Source: Bielak, Kajdanowicz and Chawla (GBT), arXiv:2106.02466.
    """
    correlations = _standardised(one).T @ _standardised(other) / len(one)
    diagonal = jnp.diagonal(correlations)
    off = (correlations**2).sum() - (diagonal**2).sum()
    return ((1 - diagonal) ** 2).sum() + off / len(diagonal)


def cca_loss(
    one: Float[Array, "n D"], other: Float[Array, "n D"], *, weight: float = 1e-3, ddof: int = 0
) -> Scalar:
    """-trace(C_12) + weight (|I - C_11|^2 + |I - C_22|^2), of columns standardised and products over n.

    Args:
        one, other: two views.
        weight: of decorrelation.
        ddof: taken from n in the standard deviation. With 1, as in the released code, C_11 has
            (n - 1) / n on its diagonal, so that decorrelation never reaches 0.

    Source: Zhang et al. (CCA-SSG), arXiv:2106.12484, divided by n.
    """
    x, y = _standardised(one, ddof), _standardised(other, ddof)
    eye = jnp.eye(x.shape[1], dtype=x.dtype)
    apart = sum(((eye - z.T @ z / len(z)) ** 2).sum() for z in (x, y))
    return -(x * y).sum() / len(x) + weight * apart


def contrast_loss(
    one: Float[Array, "n D"],
    other: Float[Array, "n D"],
    *,
    temperature: float = 0.4,
    anchors: Int[Array, " a"] | None = None,
) -> Scalar:
    """InfoNCE with negatives of both views; log(2 n - 1) where all rows are alike.

    Args:
        one, other: two views, after the projector.
        temperature: divides cosines.
        anchors: nodes whose terms are averaged, against all negatives; None for all. The mean over
            disjoint anchors of equal number is the whole loss, so random ones estimate it unbiasedly.

    Source: Zhu et al. (GCA), arXiv:2010.14945.
    """
    views = _directions(one), _directions(other)
    chosen = jnp.arange(len(one)) if anchors is None else anchors

    def terms(x: Array, y: Array) -> Array:
        between, within = (x[chosen] @ z.T / temperature for z in (y, x))
        own = jnp.arange(len(x))[None, :] == chosen[:, None]
        within = jnp.where(own, -jnp.inf, within)
        together = jnp.logaddexp(_logsumexp(between), _logsumexp(within))
        return together - jnp.take_along_axis(between, chosen[:, None], 1)[:, 0]

    return (terms(*views) + terms(*views[::-1])).mean() / 2


def scaled_cosine_error(
    reconstructed: Float[Array, "n F"],
    features: Float[Array, "n F"],
    masked: Float[Array, " n"],
    *,
    gamma: float = 2.0,
) -> Scalar:
    """The mean of (1 - cos)^gamma over masked nodes; blind to the sizes of both.

    Args:
        reconstructed, features: rows to be compared.
        masked: 1 for nodes that count, 0 for others.
        gamma: above 1, what is nearly right counts less.

    Source: Hou et al. (GraphMAE), arXiv:2205.10803.
    """
    return _of_masked(cosines(reconstructed, features), masked, gamma)


def factored_cosine_error(
    hidden: Float[Array, "n D"],
    kernel: Float[Array, "D F"],
    projected: Float[Array, "n D"],
    lengths: Float[Array, " n"],
    masked: Float[Array, " n"],
    *,
    gamma: float = 2.0,
) -> Scalar:
    """`scaled_cosine_error` of `hidden @ kernel`, by D x D products: F may be thousands, features sparse.

    Args:
        hidden: the decoder's rows before its last linear map.
        kernel: that map.
        projected: features times the kernel's transpose.
        lengths: of the rows of features.
        masked, gamma: as there.
    """
    sizes = jnp.sqrt(jnp.maximum(((hidden @ (kernel @ kernel.T)) * hidden).sum(1), 1e-30))
    found = (hidden * projected).sum(1) / (sizes * jnp.maximum(lengths, 1e-15))
    return _of_masked(found, masked, gamma)


def moving_average(target: Any, online: Any, momentum: float | Scalar) -> Any:
    """momentum target + (1 - momentum) online, leaf by leaf: BGRL's target encoder after a step."""
    return jax.tree.map(lambda t, o: momentum * t + (1 - momentum) * o, target, online)


def momentum_at(step: Float[Array, ""], steps: Float[Array, ""], first: float = 0.99) -> Scalar:
    """BGRL's momentum: from `first` to 1 along half a cosine."""
    return 1 - (1 - first) * (jnp.cos(jnp.pi * step / steps) + 1) / 2


def _of_masked(cosine: Array, masked: Array, gamma: float) -> Scalar:
    # Rounding may take a cosine beyond 1, where a power that is no whole number is nan.
    errors = jnp.maximum(1 - cosine, 0) ** gamma
    return (masked * errors).sum() / jnp.maximum(masked.sum(), 1)


def _standardised(z: Array, ddof: int = 0) -> Array:
    centred = z - z.mean(0, keepdims=True)
    return centred / jnp.sqrt(z.var(0, ddof=ddof, keepdims=True) + 1e-15)


def _directions(z: Array) -> Array:
    # The square is bounded before the root, whose slope at 0 is infinite.
    return z / jnp.sqrt(jnp.maximum((z**2).sum(1, keepdims=True), 1e-30))


def _logsumexp(rows: Array) -> Array:
    found: Array = jax.nn.logsumexp(rows, axis=1)
    return found
