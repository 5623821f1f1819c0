"""What a detector is trained by: points are given to objects, and answer for their classes and boxes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.detection.assigner_costs import Grid
from experiments.kits.detection.assigners import Assigner, Assignment, Truths
from experiments.kits.detection.boxes import boxes_to_distances, ciou, iou, pairwise_iou
from experiments.kits.detection.head import Predictions, decoded
from experiments.kits.detection.labels import usable
from experiments.kits.detection.losses import binary_cross_entropy, distribution_focal
from experiments.kits.detection.priors import Priors


def centre_assigned(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    radius: float = 1.0,
) -> Assignment:
    """Points near an object's centre answer for it, on every level, whatever they predict.

    A point near the centres of several objects goes to the smallest; the point nearest to an object's centre
    always answers for it, unless it is the nearest of a smaller one too.

    Args:
        scores: are not looked at.
        boxes: predicted, whose overlap with the object is the quality.
        priors: the points.
        truths: of one picture.
        radius: in strides of the point's level, along both axes.

    Source: centre sampling as in Tian et al. (FCOS), arXiv:2006.09214, without its ranges of sizes.
    """
    truths = usable(truths, scores.shape[-1])
    middle = (truths.boxes[:, :2] + truths.boxes[:, 2:]) / 2
    off = jnp.abs(jnp.asarray(priors.points)[:, None] - middle[None]).max(-1)
    sides = boxes_to_distances(jnp.asarray(priors.points)[:, None], truths.boxes[None])
    near = (off < radius * jnp.asarray(priors.strides)[:, None]) & (sides.min(-1) > 0)
    nearest = off == off.min(0, keepdims=True)
    areas = jnp.prod(truths.boxes[:, 2:] - truths.boxes[:, :2], -1)
    # The nearest points come first, then smaller objects, by their places: no area is too large for that.
    smaller = ((areas[None] < areas[:, None]) & truths.present[None]).sum(1)
    price = jnp.where(nearest, 0.0, len(areas)) + smaller[None]
    price = jnp.where((near | nearest) & truths.present[None], price, jnp.inf)
    taken = jnp.isfinite(price).any(1)
    owner = jnp.where(taken, price.argmin(1), -1)
    overlap = jnp.take_along_axis(
        pairwise_iou(boxes, truths.boxes), jnp.maximum(owner, 0)[:, None], 1
    )[:, 0]
    return Assignment(owner, jax.lax.stop_gradient(jnp.where(taken, overlap, 0)))


@dataclasses.dataclass(frozen=True)
class DetectionLoss:
    """Cross-entropy of classes with qualities, CIoU and distribution focal loss of boxes, weighed and added.

    Programs are told apart by it, so its assigner is a function at the top of a module, or a partial one
    that is made once.

    Args:
        assign: gives points to objects, picture by picture.
        classes, boxes, distances: weights of the three parts.
        least: quality that is asked of a point with an object, at least: predictions are bad at first.
    """

    assign: Assigner = centre_assigned
    classes: float = 1.0
    boxes: float = 2.0
    distances: float = 0.5
    least: float = 0.3

    @property
    def assigners(self) -> tuple[Assigner, ...]:
        """Who gives points to objects: what a training looks at beforehand."""
        return (self.assign,)

    def __call__(
        self, predictions: Predictions, truth: Truths, priors: Priors, given: Any = None
    ) -> Float[Array, ""]:
        """Sum over all points of a batch, over the sum of their qualities.

        Args:
            predictions: of the batch.
            truth: the objects.
            priors: the points.
            given: is not needed here; see `fitting.fit_detector`.

        Raises:
            ExperimentError: outside of compiled programs, a label that is none of the predicted classes.
        """
        truth = usable(truth, predictions.scores_logits.shape[-1])
        boxes = decoded(predictions, priors)
        scores = jax.nn.sigmoid(predictions.scores_logits)
        frozen = jax.lax.stop_gradient((scores, boxes))
        found = jax.vmap(lambda s, b, t: self.assign(s, b, priors, t))(*frozen, truth)
        has = found.owner >= 0
        row = jnp.maximum(found.owner, 0)
        wanted = jnp.take_along_axis(truth.boxes, row[..., None], 1)
        labels = jnp.take_along_axis(truth.labels, row, 1)
        quality = jnp.where(has, jnp.maximum(found.quality, self.least), 0)
        quality = jax.lax.stop_gradient(quality)
        asked = jax.nn.one_hot(labels, scores.shape[-1]) * quality[..., None]
        total = jnp.maximum(quality.sum(), 1)
        entropy = binary_cross_entropy(predictions.scores_logits, asked).sum()
        weight = jnp.where(has, jnp.maximum(quality, 0.1), 0)
        apart = jnp.where(has, 1 - ciou(boxes, wanted), 0)
        points, strides = jnp.asarray(priors.points), jnp.asarray(priors.strides)
        sides = boxes_to_distances(points[None], wanted) / strides[None, :, None]
        focal = distribution_focal(predictions.distances_logits, sides).mean(-1)
        boxed = (weight * (self.boxes * apart + self.distances * focal)).sum()
        return (self.classes * entropy + boxed) / total


def matched_overlap(
    predictions: Predictions, truth: Truths, priors: Priors, assign: Assigner = centre_assigned
) -> Float[Array, ""]:
    """The mean overlap of predicted boxes with the objects that their points answer for."""
    truth = usable(truth, predictions.scores_logits.shape[-1])
    boxes = decoded(predictions, priors)
    scores = jax.nn.sigmoid(predictions.scores_logits)
    found = jax.vmap(lambda s, b, t: assign(s, b, priors, t))(scores, boxes, truth)
    row = jnp.maximum(found.owner, 0)
    wanted = jnp.take_along_axis(truth.boxes, row[..., None], 1)
    has = found.owner >= 0
    return jnp.where(has, iou(boxes, wanted), 0).sum() / jnp.maximum(has.sum(), 1)
