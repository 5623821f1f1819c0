"""Of boxes that overlap only the best: greedy suppression of fixed shape, hard or soft, under jit and vmap.

The best box left is taken, and lowers or ends the hopes of those of its class that it overlaps, `limit`
times. Of equal scores the earlier box goes first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.detection.boxes import iou as overlap
from experiments.kits.detection.labels import signed
from ntkexec.errors import ExperimentError

Decay = Callable[[Float[Array, "n"], Float[Array, "n"]], Float[Array, "n"]]
"""New scores of overlaps with the box just taken, and old scores."""


class Kept(NamedTuple):
    """Boxes that are left, best first.

    Args:
        indices: of the boxes; -1 fills up.
        scores: with which they were taken: soft suppression lowers them; 0 where there is none.
    """

    indices: Int[Array, "limit"]
    scores: Float[Array, "limit"]

    @property
    def present(self) -> Bool[Array, "limit"]:
        """Which entries are boxes."""
        return self.indices >= 0


def suppressed(
    boxes: Float[Array, "n 4"],
    scores: Float[Array, "n"],
    labels: Int[Array, "n"],
    *,
    iou: float,
    limit: int,
    floor: float = -jnp.inf,
) -> Kept:
    """Boxes of which no better one of the same class overlaps them by more than `iou`.

    Args:
        boxes: corners in pixels; one that ends before it begins overlaps nothing, and so is never removed.
        scores: the better, the higher.
        labels: classes; a negative one is padding and never kept.
        iou: overlaps up to this one, and this one too, are left alone.
        limit: of the boxes that are kept.
        floor: only scores above it are kept.

    Raises:
        ExperimentError: other numbers of boxes, scores and labels, labels of a type without -1, an overlap
            that is not from 0 to 1, or no limit.
    """
    _check_overlap(iou)

    def ended(overlaps: Float[Array, "n"], before: Float[Array, "n"]) -> Float[Array, "n"]:
        return jnp.where(overlaps > iou, -jnp.inf, before)

    return _taken(boxes, scores, labels, limit, floor, ended)


def softly_suppressed(
    boxes: Float[Array, "n 4"],
    scores: Float[Array, "n"],
    labels: Int[Array, "n"],
    *,
    limit: int,
    kind: str = "gaussian",
    sigma: float = 0.5,
    iou: float = 0.3,
    floor: float = 1e-3,
) -> Kept:
    """As `suppressed`, but a box that a better one overlaps loses some of its score, not all.

    Args:
        boxes, scores, labels, limit, floor: as those of `suppressed`; scores are from 0 to 1.
        kind: `gaussian`, a score times `exp(-overlap^2 / sigma)`; `linear`, times `1 - overlap` where that
            is above `iou`.
        sigma: of `gaussian`.
        iou: of `linear`.

    Raises:
        ExperimentError: as `suppressed`, another kind, or a sigma that is not positive.

    Source: Bodla et al., Soft-NMS, arXiv:1704.04503.
    """
    if not sigma > 0:
        raise ExperimentError(f"sigma is positive, got {sigma}")
    _check_overlap(iou)

    def gaussian(overlaps: Float[Array, "n"], before: Float[Array, "n"]) -> Float[Array, "n"]:
        return before * jnp.exp(-(overlaps**2) / sigma)

    def linear(overlaps: Float[Array, "n"], before: Float[Array, "n"]) -> Float[Array, "n"]:
        return jnp.where(overlaps > iou, before * (1 - overlaps), before)

    kinds: dict[str, Decay] = {"gaussian": gaussian, "linear": linear}
    if kind not in kinds:
        raise ExperimentError(f"soft suppression is {' or '.join(kinds)}, got {kind!r}")
    return _taken(boxes, scores, labels, limit, floor, kinds[kind])


def _check_overlap(iou: Any) -> None:
    if isinstance(iou, float | int) and not 0 <= iou <= 1:
        raise ExperimentError(f"an overlap is a number from 0 to 1, got iou={iou}")


def _taken(
    boxes: Float[Array, "n 4"],
    scores: Float[Array, "n"],
    labels: Int[Array, "n"],
    limit: int,
    floor: float,
    decay: Decay,
) -> Kept:
    if limit < 1:
        raise ExperimentError(f"at least one box is kept, got limit={limit}")
    boxes, scores, labels = jnp.asarray(boxes), jnp.asarray(scores), jnp.asarray(signed(labels))
    if scores.ndim != 1 or labels.shape != scores.shape or boxes.shape != (*scores.shape, 4):
        raise ExperimentError(
            "n boxes of shape (n, 4) need as many scores and labels, got the shapes "
            f"{boxes.shape}, {scores.shape} and {labels.shape}"
        )
    number = scores.shape[0]
    if number == 0:
        return Kept(jnp.full(limit, -1, jnp.int32), jnp.zeros(limit, scores.dtype))
    places = jnp.arange(number)

    def take(
        left: Float[Array, "n"], _: None
    ) -> tuple[Float[Array, "n"], tuple[Int[Array, ""], Float[Array, ""]]]:
        best = jnp.argmax(left)
        score = left[best]
        there = score > floor
        overlaps = jnp.where(labels == labels[best], overlap(boxes, boxes[best][None]), 0)
        # What is out stays out: minus infinity times 0 would be no number.
        out = (places == best) | jnp.isneginf(left)
        lowered = jnp.where(out, -jnp.inf, decay(overlaps, left))
        index = jnp.where(there, best, -1).astype(jnp.int32)
        return jnp.where(there, lowered, left), (index, jnp.where(there, score, 0))

    usable = jnp.where((labels >= 0) & ~jnp.isnan(scores), scores, -jnp.inf)
    _, (indices, taken) = jax.lax.scan(take, usable, None, length=limit)
    return Kept(indices, taken)
