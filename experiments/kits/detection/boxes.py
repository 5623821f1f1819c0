"""Boxes in pixels: overlaps that can be differentiated, centres, distances from points.

A box is left, top, right, bottom; its width is right - left, so the right and bottom ends lie outside.
Everything is of JAX, works on any leading axes and under jit, and has finite gradients also where a
box is a point. Two boxes of no area overlap by 0. Half precision is computed, and answered, in float32: it
holds no area above that of 255 pixels squared, and no coordinate above 2048 to the pixel.

Within compiled programs no value is known, so no box is refused: one that ends before it begins has no area
and overlaps nothing, and the other measures of it are numbers without meaning. `Objects` and `Detections`,
which are outside of programs, refuse such boxes; `detections.unpadded` makes them boxes of no size.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError

TINY = 1e-7
"""Pixels below which a width counts as this one where shapes are compared."""
LEAST = 1e-18
"""Square pixels by which is divided at least; its square is no zero of float32."""


def areas(boxes: Float[Array, "... 4"]) -> Float[Array, "..."]:
    """Areas in square pixels; of a box that ends before it begins, 0."""
    sides = _sides(boxes)
    return sides[..., 0] * sides[..., 1]


def iou(a: Float[Array, "... 4"], b: Float[Array, "... 4"]) -> Float[Array, "..."]:
    """Area of the intersection over area of the union, from 0 to 1, box by box."""
    inter, union = _inter_union(a, b)
    return inter / jnp.maximum(union, LEAST)


def pairwise_iou(a: Float[Array, "... n 4"], b: Float[Array, "... m 4"]) -> Float[Array, "... n m"]:
    """`iou` of each box of one list with each of the other."""
    return iou(jnp.asarray(a)[..., :, None, :], jnp.asarray(b)[..., None, :, :])


def giou(a: Float[Array, "... 4"], b: Float[Array, "... 4"]) -> Float[Array, "..."]:
    """`iou` less the share of the smallest box around both that is in neither; above -1.

    Source: Rezatofighi et al., arXiv:1902.09630.
    """
    inter, union = _inter_union(a, b)
    around = jnp.prod(_hull(a, b), -1)
    outside = (around - union) / jnp.maximum(around, LEAST)
    return inter / jnp.maximum(union, LEAST) - outside


def diou(a: Float[Array, "... 4"], b: Float[Array, "... 4"]) -> Float[Array, "..."]:
    """`iou` less the squared distance of the centres over the squared diagonal around both boxes.

    Source: Zheng et al., arXiv:1911.08287.
    """
    apart = to_centres(a)[..., :2] - to_centres(b)[..., :2]
    diagonal = jnp.sum(_hull(a, b) ** 2, -1)
    return iou(a, b) - jnp.sum(apart**2, -1) / jnp.maximum(diagonal, LEAST)


def ciou(a: Float[Array, "... 4"], b: Float[Array, "... 4"]) -> Float[Array, "..."]:
    """`diou` less a term for unlike shapes, `alpha * v`, of which alpha is not differentiated.

    `v = 4 / pi^2 (arctan(w_b / h_b) - arctan(w_a / h_a))^2` and `alpha = v / (1 - iou + v)`. A width or
    height below `TINY` counts as `TINY`, so a point counts as a square.

    Source: Zheng et al., arXiv:1911.08287; alpha as in the authors' code, which is constant in its gradient.
    """
    unlike = 4 / np.pi**2 * (_shape(a) - _shape(b)) ** 2
    rest = jnp.maximum(1 - iou(a, b) + unlike, LEAST)
    alpha = jax.lax.stop_gradient(unlike / rest)
    return diou(a, b) - alpha * unlike


def to_centres(boxes: Float[Array, "... 4"]) -> Float[Array, "... 4"]:
    """Centre x, centre y, width, height of boxes."""
    boxes = _corners(boxes)
    start, end = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(start + end) / 2, end - start], -1)


def from_centres(centred: Float[Array, "... 4"]) -> Float[Array, "... 4"]:
    """Boxes of centre x, centre y, width, height."""
    centred = _floats(centred)
    middle, half = centred[..., :2], centred[..., 2:] / 2
    return jnp.concatenate([middle - half, middle + half], -1)


def clipped(boxes: Float[Array, "... 4"], *, height: float, width: float) -> Float[Array, "... 4"]:
    """What of boxes lies in a picture."""
    boxes = _floats(boxes)
    most = jnp.array([width, height, width, height], boxes.dtype)
    return jnp.minimum(jnp.maximum(boxes, 0), most.reshape((1,) * (boxes.ndim - 1) + (4,)))


def distances_to_boxes(
    points: Float[Array, "... 2"], distances: Float[Array, "... 4"]
) -> Float[Array, "... 4"]:
    """Boxes around points (x, y) by the distances to their left, top, right and bottom sides."""
    points, distances = _floats(points), _floats(distances)
    return jnp.concatenate([points - distances[..., :2], points + distances[..., 2:]], -1)


def boxes_to_distances(
    points: Float[Array, "... 2"], boxes: Float[Array, "... 4"]
) -> Float[Array, "... 4"]:
    """The inverse of `distances_to_boxes`; negative where a point lies outside."""
    points, boxes = _floats(points), _floats(boxes)
    return jnp.concatenate([points - boxes[..., :2], boxes[..., 2:] - points], -1)


def _floats(values: Float[Array, "..."]) -> Float[Array, "..."]:
    found = jnp.asarray(values)
    if not jnp.issubdtype(found.dtype, jnp.floating):
        return found.astype(float)
    return found.astype(jnp.promote_types(found.dtype, jnp.float32))


def _corners(boxes: Float[Array, "... 4"]) -> Float[Array, "... 4"]:
    found = _floats(boxes)
    if found.shape[-1:] != (4,):
        raise ExperimentError(f"a box is left, top, right, bottom, got the shape {found.shape}")
    return found


def _sides(boxes: Float[Array, "... 4"]) -> Float[Array, "... 2"]:
    boxes = _corners(boxes)
    return jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0)


def _shape(boxes: Float[Array, "... 4"]) -> Float[Array, "..."]:
    """The arc tangent of width over height."""
    sides = jnp.maximum(_sides(boxes), TINY)
    return jnp.arctan2(sides[..., 0], sides[..., 1])


def _hull(a: Float[Array, "... 4"], b: Float[Array, "... 4"]) -> Float[Array, "... 2"]:
    """Width and height of the smallest box around two."""
    a, b = _floats(a), _floats(b)
    return jnp.maximum(a[..., 2:], b[..., 2:]) - jnp.minimum(a[..., :2], b[..., :2])


def _inter_union(
    a: Float[Array, "... 4"], b: Float[Array, "... 4"]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    a, b = _corners(a), _corners(b)
    start, end = jnp.maximum(a[..., :2], b[..., :2]), jnp.minimum(a[..., 2:], b[..., 2:])
    inter = jnp.prod(jnp.maximum(end - start, 0), -1)
    return inter, areas(a) + areas(b) - inter
