"""Small-kernel aggregation: a sum over a few neighbours, with weights of each position's own."""

import functools
import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntkexec.errors import ExperimentError

Grouping = str | Int[Array, "c"]


def small_kernel_aggregation(
    images: Float[Array, "n h w c"],
    weights: Float[Array, "n h w g k2"],
    *,
    grouping: Grouping = "interleaved",
    route: str = "shifted",
) -> Float[Array, "n h w c"]:
    """For each position and channel, its k x k neighbours summed with the weights of the position.

    `y[i, c] = sum over t of weights[i, g(c), t] * images[i + t, c]`, with zeros around the picture. Plain
    XLA: it runs, and has gradients, wherever JAX does.

    Args:
        images: what is summed; the number of channels is a multiple of the number of groups.
        weights: k * k numbers for each position and group of channels, row by row; k is odd.
        grouping: "interleaved" as the public code, g(c) = c mod g; "contiguous" as the paper's words,
            g(c) = c // (channels / g); or g(c) itself as an array, which may be traced.
        route: "shifted" is k * k multiplications of whole pictures, added up, which keeps no more than its
            arguments for the gradient; "patches" gathers every position's neighbours and takes one
            product, k * k times the memory.

    Raises:
        ExperimentError: shapes do not fit, or there is no such grouping or route.

    Source: Wang et al., arXiv:2503.23135, section 3.2.
    """
    side = _side(images.shape, weights.shape)
    if route not in ROUTES:
        raise ExperimentError(f"there is no route {route!r}; there are {', '.join(ROUTES)}")
    split, grouped = _grouped(images, weights, grouping)
    return ROUTES[route](split, grouped, side).reshape(images.shape)


def _shifted(x: Array, w: Array, side: int) -> Array:
    height, width = x.shape[1:3]
    framed = _framed(x, side)
    places = (divmod(place, side) for place in range(side**2))
    shifted = (framed[:, row : row + height, column : column + width] for row, column in places)
    terms = (near * w[..., place] for place, near in enumerate(shifted))
    return functools.reduce(jnp.add, terms)


def _patches(x: Array, w: Array, side: int) -> Array:
    height, width = x.shape[1:3]
    framed = _framed(x, side)
    rows, columns = (jnp.arange(n)[:, None] + jnp.arange(side)[None] for n in (height, width))
    near = framed[:, rows[:, None, :, None], columns[None, :, None, :]]
    near = near.reshape(*near.shape[:3], side**2, *near.shape[5:])
    return jnp.einsum("nhwtab,nhwabt->nhwab", near, jnp.broadcast_to(w, (*x.shape, side**2)))


ROUTES: Mapping[str, Callable[[Array, Array, int], Array]] = {
    "shifted": _shifted,
    "patches": _patches,
}
"""Of (n, h, w, a, b) pictures and weights that broadcast to them, with k * k as the last axis."""


def _framed(x: Array, side: int) -> Array:
    half = side // 2
    return jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0), (0, 0)))


def _grouped(images: Array, weights: Array, grouping: Grouping) -> tuple[Array, Array]:
    """Channels over two axes, and the weights as they broadcast to them."""
    groups, channels = weights.shape[3], images.shape[3]
    if not isinstance(grouping, str):
        if grouping.shape != (channels,):
            raise ExperimentError(
                f"a grouping of {channels} channels has as many entries, not the shape {grouping.shape}"
            )
        if not isinstance(grouping, jax.core.Tracer) and (
            int(grouping.min()) < 0 or int(grouping.max()) >= groups
        ):
            raise ExperimentError(
                f"a grouping names one of {groups} groups, got {grouping.tolist()}"
            )
        return images[..., None], jnp.take(weights, grouping, axis=3)[..., None, :]
    if grouping not in ("interleaved", "contiguous"):
        raise ExperimentError(
            f"there is no grouping {grouping!r}; there are interleaved, contiguous, or an array"
        )
    if channels % groups:
        raise ExperimentError(f"{channels} channels cannot be shared out among {groups} groups")
    if grouping == "interleaved":
        return images.reshape(*images.shape[:3], -1, groups), weights[:, :, :, None]
    return images.reshape(*images.shape[:3], groups, -1), weights[:, :, :, :, None]


def _side(images: tuple[int, ...], weights: tuple[int, ...]) -> int:
    side = math.isqrt(weights[-1])
    if len(weights) != 5 or weights[:3] != images[:3] or side**2 != weights[-1] or side % 2 == 0:
        raise ExperimentError(
            f"weights of shape {weights} do not fit pictures of shape {images}: they must be "
            f"({', '.join(map(str, images[:3]))}, groups, k * k) with an odd k"
        )
    return side


def far_field_share(
    layer: Callable[[Array], Array], image: Float[Array, "h w c"], *, radius: int
) -> tuple[float, int]:
    """How much of a layer's output in the middle depends on pixels far away, and on how many at all.

    Args:
        layer: from (1, h, w, c) to (1, h, w, channels), such as a model applied to its variables.
        image: at which derivatives are taken.
        radius: pixels farther from the middle than this, by the larger coordinate, are far.

    Returns:
        The share of far pixels in the squared norm of the derivative of the middle's outputs, and the
        number of pixels, near or far, whose derivative is not exactly 0.
    """
    height, width = image.shape[:2]
    row, column = height // 2, width // 2
    derivative = jax.jit(jax.jacrev(lambda x: layer(x[None])[0, row, column]))
    found = derivative(jnp.asarray(image))
    by_pixel = jnp.square(found).sum((0, 3))
    rows, columns = jnp.arange(height) - row, jnp.arange(width) - column
    distance = jnp.maximum(jnp.abs(rows)[:, None], jnp.abs(columns)[None])
    far = jnp.where(distance > radius, by_pixel, 0).sum() / by_pixel.sum()
    return float(far), int((by_pixel > 0).sum())
