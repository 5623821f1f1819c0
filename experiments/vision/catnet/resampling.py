"""Maps brought to another size by PyTorch's rules: adaptive maxima and bilinear values."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from ntkexec.errors import ExperimentError

Size = tuple[int, int]


def adaptive_max_pool(
    images: Float[Array, "n h w c"], size: Size
) -> Float[Array, "n rows columns c"]:
    """The largest value of each of `size` bins, which overlap where they do not divide the picture.

    Bin i of `out` over `length` pixels reaches from `floor(i length / out)` to
    `ceil((i + 1) length / out)`: of 25 pixels on 13 bins each reads two or three, so it is no strided pool.

    Args:
        images: to pool.
        size: rows and columns of bins.

    Raises:
        ExperimentError: there is no bin.
    """
    _check(size)
    for axis, bins in zip((1, 2), size, strict=True):
        images = _largest(images, axis, bins)
    return images


def resized(images: Float[Array, "n h w c"], size: Size) -> Float[Array, "n rows columns c"]:
    """Bilinear values at the middles of the new pixels, the border repeated outside (`align_corners=False`).

    Args:
        images: to bring to another size.
        size: its rows and columns.

    Raises:
        ExperimentError: the size has no pixel.
    """
    _check(size)
    if images.shape[1:3] == tuple(size):
        return images
    down, across = (
        jnp.asarray(between(images.shape[axis], number), images.dtype)
        for axis, number in zip((1, 2), size, strict=True)
    )
    return jnp.einsum("rh,nhwc,kw->nrkc", down, images, across)


def between(length: int, number: int) -> Float64[np.ndarray, "number length"]:
    """Shares that `length` pixels have in each of `number` new ones; rows add up to 1."""
    at = np.clip((np.arange(number) + 0.5) * length / number - 0.5, 0, length - 1)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(length)[None]), 0)


def _largest(images: Array, axis: int, bins: int) -> Array:
    length = images.shape[axis]
    if length % bins == 0:
        shape = images.shape
        return images.reshape(*shape[:axis], bins, length // bins, *shape[axis + 1 :]).max(axis + 1)
    start = np.arange(bins) * length // bins
    end = -(-(np.arange(bins) + 1) * length // bins)
    places = start[:, None] + np.arange((end - start).max())[None]
    inside = places < end[:, None]
    read = jnp.take(images, np.where(inside, places, 0), axis)
    shown = inside.reshape((1,) * axis + inside.shape + (1,) * (images.ndim - axis - 1))
    return jnp.where(shown, read, -jnp.inf).max(axis + 1)


def _check(size: Size) -> None:
    if min(size) < 1:
        raise ExperimentError(f"a map has a row and a column at least, got {tuple(size)}")
