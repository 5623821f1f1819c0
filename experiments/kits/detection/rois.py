"""Features of regions: RoIAlign as two small matrices of bilinear weights for each box."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError


def roi_align(
    features: Float[Array, "h w c"],
    boxes: Float[Array, "n 4"],
    bins: int | tuple[int, int],
    *,
    sampling: int = 2,
    stride: float = 1.0,
) -> Float[Array, "n rows columns c"]:
    """Means of bilinear samples in each bin of a grid that is laid over each box.

    A bin's samples lie on a regular grid in it, and no coordinate is rounded. The samples of a bin are the
    product of its rows and columns, so the whole is `rows @ features @ columns` with a weight for
    each row and column of the features, and its gradient likewise.

    Args:
        features: of one picture; the middle of feature (i, j) lies at `((i + 0.5), (j + 0.5)) * stride`.
        boxes: corners in the picture's pixels; one that ends before it begins is read backwards.
        bins: rows and columns, or one number for both.
        sampling: samples of a bin in a row, and rows of them.
        stride: pixels from one feature to the next.

    Returns:
        Rows from top to bottom and columns from left to right. What lies up to a feature outside the map
        counts as the nearest one; what lies farther outside counts as 0.

    Raises:
        ExperimentError: no bin, no sample, or a stride that is not positive.

    Source: He et al., Mask R-CNN, arXiv:1703.06870; half a feature's shift and the border as in Detectron2's
    aligned form.
    """
    rows, columns = (bins, bins) if isinstance(bins, int) else bins
    if min(rows, columns, sampling) < 1 or not stride > 0:
        raise ExperimentError(
            f"a region has a bin, a sample and a positive stride, got bins={bins}, sampling={sampling}, "
            f"stride={stride}"
        )
    features = jnp.asarray(features)
    if not jnp.issubdtype(features.dtype, jnp.floating):
        features = features.astype(float)
    # Places in float32 at least: half precision tells no pixels beyond 256 apart.
    exact = jnp.promote_types(features.dtype, jnp.float32)
    corners = jnp.asarray(boxes).astype(exact) / stride - 0.5
    down = _weights(corners[:, 1], corners[:, 3], rows, sampling, features.shape[0])
    across = _weights(corners[:, 0], corners[:, 2], columns, sampling, features.shape[1])
    down, across = down.astype(features.dtype), across.astype(features.dtype)
    return jnp.einsum("nrh,ncw,hwk->nrck", down, across, features)


def _weights(
    start: Float[Array, "n"], end: Float[Array, "n"], bins: int, sampling: int, size: int
) -> Float[Array, "n bins size"]:
    """The share that each of `size` places has in the mean of a bin's samples along one axis."""
    steps = (jnp.arange(bins * sampling, dtype=start.dtype) + 0.5) / (bins * sampling)
    at = start[:, None] + (end - start)[:, None] * steps[None]
    inside = (at >= -1) & (at <= size)
    places = jnp.arange(size, dtype=start.dtype)[None, None]
    hats = jnp.maximum(1 - jnp.abs(jnp.clip(at, 0, size - 1)[..., None] - places), 0)
    return jnp.where(inside[..., None], hats, 0).reshape(-1, bins, sampling, size).mean(2)
