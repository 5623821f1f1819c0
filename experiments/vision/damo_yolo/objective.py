"""What the detector is trained by: priors given to objects, and three losses of what they predict."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.detection.assigner_costs import Grid
from experiments.kits.detection.assigners import (
    Assigner,
    Assignment,
    Truths,
    align_ota_code,
    align_ota_paper,
)
from experiments.kits.detection.boxes import boxes_to_distances, giou
from experiments.kits.detection.head import Predictions, decoded
from experiments.kits.detection.losses import distribution_focal, quality_focal
from experiments.kits.detection.priors import Priors


def align_ota(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    form: Literal["code", "paper"] = "code",
) -> Assignment:
    """AlignOTA: each object takes the priors whose class and box it would be cheapest to mend.

    Args:
        scores: predicted probabilities of one picture.
        boxes: predicted, corners in pixels.
        priors: where predictions are made.
        truths: the objects.
        form: the released code and the report differ in the cost, and in who gets a prior claimed twice.
    """
    assign = align_ota_code if form == "code" else align_ota_paper
    return assign(scores, boxes, priors, truths)


@dataclasses.dataclass(frozen=True)
class Objective:
    """Quality focal loss of classes, GIoU and distribution focal loss of boxes, as released.

    Those of boxes are weighed by the largest class score that the prior has, without a derivative.

    Args:
        assigners: of which the call takes one, by its number: so several are one program.
        classes, boxes, distances: weights of the three parts.
        least: score that is asked of a prior with an object, at least; 0 as released. Above, short
            trainings begin sooner, when no prediction overlaps anything yet.

    Source: Xu et al., arXiv:2211.15444; weights and weighing from the public code.
    """

    assigners: tuple[Assigner, ...] = (align_ota_code,)
    classes: float = 1.0
    boxes: float = 2.0
    distances: float = 0.25
    least: float = 0.0

    def __call__(
        self, predictions: Predictions, truth: Any, priors: Priors, given: Any = None
    ) -> Float[Array, ""]:
        """The loss of a batch.

        Args:
            predictions: of all pictures.
            truth: the objects of all pictures: `boxes`, `labels`, `present`.
            priors: where predictions are made.
            given: the number of the assigner; the first by default.
        """
        found = decoded(predictions, priors)
        scores = jax.nn.sigmoid(predictions.scores_logits)
        answers = self._assigned(scores, found, priors, truth, given)
        has, row = answers.owner >= 0, jnp.maximum(answers.owner, 0)
        wanted = jnp.take_along_axis(truth.boxes, row[..., None], 1)
        labels = jnp.take_along_axis(truth.labels, row, 1)
        quality = jnp.where(has, jnp.maximum(answers.quality, self.least), 0)
        asked = jax.nn.one_hot(labels, scores.shape[-1]) * quality[..., None]
        focal = quality_focal(predictions.scores_logits, asked).sum()
        weight = jax.lax.stop_gradient(jnp.where(has, scores.max(-1), 0))
        points, strides = jnp.asarray(priors.points), jnp.asarray(priors.strides)
        sides = boxes_to_distances(points[None], wanted) / strides[None, :, None]
        # The last bin is never asked for alone, so that both neighbours of a distance are bins.
        sides = jnp.clip(sides, 0, predictions.distances_logits.shape[-1] - 1 - 0.1)
        spread = distribution_focal(predictions.distances_logits, sides).mean(-1)
        apart = jnp.where(has, 1 - giou(found, wanted), 0)
        boxed = (weight * (self.boxes * apart + self.distances * spread)).sum()
        boxed = boxed / jnp.maximum(weight.sum(), 1)
        return self.classes * focal / jnp.maximum(has.sum(), 1) + boxed

    def _assigned(
        self, scores: Array, boxes: Array, priors: Priors, truth: Any, given: Any
    ) -> Assignment:
        def by(assign: Assigner) -> Any:
            def every(scores: Array, boxes: Array, truths: Truths) -> Assignment:
                return jax.vmap(assign, in_axes=(0, 0, None, 0))(scores, boxes, priors, truths)

            return every

        truths = Truths(truth.boxes, truth.labels, truth.present)
        found = jax.lax.stop_gradient((scores, boxes))
        if len(self.assigners) == 1:
            answers: Assignment = by(self.assigners[0])(*found, truths)
        else:
            number = jnp.int32(0) if given is None else given
            answers = jax.lax.switch(number, [by(one) for one in self.assigners], *found, truths)
        return jax.lax.stop_gradient(answers)
