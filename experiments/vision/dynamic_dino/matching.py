"""Which prediction answers for which object: a matching of least cost, of fixed shape, within compiled code.

Source: Carion et al., DETR, arXiv:2005.12872; costs as in Zhu et al., Deformable DETR, arXiv:2010.04159.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.detection.boxes import from_centres, giou
from experiments.kits.detection.losses import quality_focal
from ntkexec.errors import ExperimentError

WEIGHTS = (2.0, 5.0, 2.0)
"""Of classification, L1 and GIoU."""
ALPHA = 0.25
"""Weight of what is there, in the focal loss; the rest is of what is not."""


def matched(costs: Float[Array, "M Q"], present: Bool[Array, "M"]) -> Int[Array, "M"]:
    """The prediction of each object, no two the same, so that the sum of the costs is least.

    The optimum, by the Hungarian method: what SciPy's `linear_sum_assignment` finds of the rows that are
    present. Others get a prediction that is left over; their costs are equal, so they move no one.

    Args:
        costs: of an object with a prediction; there are as many predictions as rows, padding too, at least.
        present: which rows are objects, and no padding.

    Returns:
        Where a cost is no finite number, which compiled code cannot refuse, -1 for all rows.

    Raises:
        ExperimentError: more rows than predictions, rows of another number, or, outside of compiled code, a
            cost of an object that is no finite number.
    """
    if jnp.ndim(costs) != 2 or jnp.shape(present) != jnp.shape(costs)[:1]:
        raise ExperimentError(
            f"costs of shape {jnp.shape(costs)} and rows of shape {jnp.shape(present)}: (M, Q) and (M,) fit"
        )
    rows, predictions = jnp.shape(costs)
    if rows > predictions:
        raise ExperimentError(
            f"{rows} rows cannot each have one of {predictions} predictions; leave out padding, or give more"
        )
    costs = jnp.where(jnp.asarray(present)[:, None], costs, 0)
    sound = jnp.isfinite(costs).all()
    if not isinstance(sound, jax.core.Tracer) and not sound:
        raise ExperimentError("a cost of an object with a prediction is no finite number")
    taken, columns = optax.assignment.hungarian_algorithm(jnp.where(sound, costs, 0))
    return jnp.where(sound, jnp.zeros(rows, columns.dtype).at[taken].set(columns), -1)


def focal(logits: Float[Array, "..."], targets: Float[Array, "..."]) -> Float[Array, "..."]:
    """The loss of Lin et al., arXiv:1708.02002, of targets 0 and 1."""
    return (ALPHA * targets + (1 - ALPHA) * (1 - targets)) * quality_focal(logits, targets)


def match_costs(
    scores: Float[Array, "Q C"],
    boxes: Float[Array, "Q 4"],
    labels: Int[Array, "M"],
    truths: Float[Array, "M 4"],
) -> Float[Array, "M Q"]:
    """What it costs that a prediction answers for an object; of padding, something finite.

    Args:
        scores: logits.
        boxes, truths: centre x, centre y, width, height.
        labels: below 0 for padding; of a class that has no score, costs are no numbers.
    """
    own = jnp.asarray(scores).T.at[jnp.maximum(labels, 0)].get(mode="fill", fill_value=jnp.nan)
    said = focal(own, jnp.ones_like(own)) - focal(own, jnp.zeros_like(own))
    apart = jnp.abs(truths[:, None] - boxes[None]).sum(-1)
    overlap = giou(from_centres(truths)[:, None], from_centres(boxes)[None])
    return WEIGHTS[0] * said + WEIGHTS[1] * apart - WEIGHTS[2] * overlap


def set_loss(
    scores: Float[Array, "Q C"],
    boxes: Float[Array, "Q 4"],
    labels: Int[Array, "M"],
    truths: Float[Array, "M 4"],
) -> Float[Array, ""]:
    """Loss of the predictions in one picture, to be divided by the number of objects in a batch.

    Args:
        scores, boxes, labels, truths: see `match_costs`.

    Returns:
        No number in compiled code, where a cost is none: see `matched`.

    Raises:
        ExperimentError: see `matched`.
    """
    present = labels >= 0
    costs = jax.lax.stop_gradient(match_costs(scores, boxes, labels, truths))
    owner = matched(costs, present)
    there = present.astype(scores.dtype)
    targets = jnp.zeros_like(scores).at[owner, jnp.maximum(labels, 0)].max(there)
    found = boxes[owner]
    apart = jnp.abs(found - truths).sum(-1)
    overlap = giou(from_centres(found), from_centres(truths))
    found_loss = (
        WEIGHTS[0] * focal(scores, targets).sum()
        + WEIGHTS[1] * (apart * there).sum()
        + WEIGHTS[2] * ((1 - overlap) * there).sum()
    )
    return jnp.where((owner < 0).any(), jnp.nan, found_loss)
