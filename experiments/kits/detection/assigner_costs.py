"""What it costs an assigner to give a prior to an object, and which priors lie where they may."""

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

LEAST_LOG = -100.0
"""Below it no logarithm of a probability goes, so that a score of exactly 0 or 1 has a finite cost."""


class Grid(Protocol):
    """Where predictions are made: what `priors.priors` makes."""

    @property
    def points(self) -> Any:
        """Places (across, down) in pixels, shape [p, 2]."""

    @property
    def strides(self) -> Any:
        """Pixels between neighbours of a prior's level, shape [p]."""


def inside(
    points: Float[Array, "p 2"], boxes: Float[Array, "m 4"], *, least: float = 0.0
) -> Bool[Array, "p m"]:
    """Which points lie in which boxes, farther than `least` from all four sides."""
    corner = points[:, None, :] - boxes[None, :, :2]
    other = boxes[None, :, 2:] - points[:, None, :]
    return jnp.minimum(corner, other).min(-1) > least


def near_centre(priors: Grid, boxes: Float[Array, "m 4"], *, radius: float) -> Bool[Array, "p m"]:
    """Which priors are within `radius` of their own strides from a box's centre, along both axes."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    far = jnp.abs(priors.points[:, None, :] - centres[None]).max(-1)
    return jnp.asarray(far < radius * priors.strides[:, None])


def cross_entropy(
    probability: Float[Array, "*s"], target: Float[Array, "*s"]
) -> Float[Array, "*s"]:
    """Binary cross-entropy of a probability with a target in 0..1: at least the target's own entropy."""
    yes = jnp.maximum(jnp.log(probability), LEAST_LOG)
    no = jnp.maximum(jnp.log1p(-probability), LEAST_LOG)
    return -(target * yes + (1 - target) * no)


def paper_alignment(
    probability: Float[Array, "*s"], overlap: Float[Array, "*s"]
) -> Float[Array, "*s"]:
    """Classification cost of AlignOTA as the report has it: |overlap - p| times the cross-entropy.

    Source: DAMO-YOLO, arXiv:2211.15444, equations for AlignOTA.
    """
    return jnp.abs(overlap - probability) * cross_entropy(probability, overlap)


def code_alignment(
    probability: Float[Array, "*s"], overlap: Float[Array, "*s"]
) -> Float[Array, "*s"]:
    """The same as the released code has it: the distance squared, as in the quality focal loss."""
    return jnp.square(overlap - probability) * cross_entropy(probability, overlap)


def paper_cost(
    scores: Float[Array, "p c"], overlaps: Float[Array, "p m"], labels: Int[Array, "m"]
) -> Float[Array, "p m"]:
    """AlignOTA's cost as in the report: minus the overlap, and the alignment of the object's own class."""
    return paper_alignment(scores[:, labels], overlaps) - overlaps


def code_cost(
    scores: Float[Array, "p c"], overlaps: Float[Array, "p m"], labels: Int[Array, "m"]
) -> Float[Array, "p m"]:
    """AlignOTA's cost as released: 3 times minus the overlap's logarithm, and the alignment of all classes,
    where every class but the object's own should have a probability of 0."""
    own = jax.nn.one_hot(labels, scores.shape[1], dtype=overlaps.dtype)
    target = own[None] * overlaps[:, :, None]
    classes = code_alignment(jnp.broadcast_to(scores[:, None, :], target.shape), target).sum(-1)
    return classes - 3 * jnp.log(overlaps + 1e-7)


def sim_ota_cost(
    scores: Float[Array, "p c"], overlaps: Float[Array, "p m"], labels: Int[Array, "m"]
) -> Float[Array, "p m"]:
    """SimOTA's cost: 3 times minus the overlap's logarithm, and the cross-entropy of root scores.

    A score there is class times objectness, of which the root is taken; heads without an objectness give
    the product itself.

    Source: YOLOX, arXiv:2107.08430, section 2.1; root and weights from its released code.
    """
    own = jax.nn.one_hot(labels, scores.shape[1], dtype=overlaps.dtype)
    roots = jnp.broadcast_to(jnp.sqrt(scores)[:, None, :], (*overlaps.shape, scores.shape[1]))
    classes = cross_entropy(roots, jnp.broadcast_to(own[None], roots.shape)).sum(-1)
    return classes - 3 * jnp.log(overlaps + 1e-8)
