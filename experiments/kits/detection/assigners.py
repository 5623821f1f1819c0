"""Which prior answers for which object: five assigners of one signature and fixed shape, for jit and vmap.

    import jax
    from experiments.kits.detection.assigners import ASSIGNERS, truths_of

    assign = jax.vmap(ASSIGNERS["align_ota_code"], in_axes=(0, 0, None, 0))
    found = assign(scores, boxes, priors, truths_of(true_boxes, labels))  # of a batch
    found.owner, found.quality  # [b, p]: the object's index or -1, and how good the prediction is

Sizes are those of the arrays: objects that are not there are told by `present`, and whatever stands in
their rows changes nothing. No derivative is taken through an assignment. Of equal costs, overlaps or
distances the prior, or the object, of the lower index is taken, where PyTorch leaves it open.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.detection.assigner_costs import (
    Grid,
    code_cost,
    inside,
    near_centre,
    paper_cost,
    sim_ota_cost,
)
from experiments.kits.detection.boxes import pairwise_iou
from experiments.kits.detection.labels import signed, usable

OUTSIDE = 1e8
"""Added to the cost of a prior that is not both in the object's box and near its centre."""

Conflicts = Literal["all", "claimants"]
"""To whom a prior goes that several objects claim: the cheapest of all objects, or of those claiming."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Truths:
    """The objects of a picture, in a fixed number of rows.

    Args:
        boxes: corners in pixels, shape [m, 4].
        labels: classes from 0, shape [m].
        present: false in rows that hold no object, shape [m].
    """

    boxes: Float[Array, "*b m 4"]
    labels: Int[Array, "*b m"]
    present: Bool[Array, "*b m"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Assignment:
    """What each prior is to predict.

    Args:
        owner: the object's index, -1 for none, shape [p].
        quality: the class score that is asked of the prior, 0 for none, shape [p]: its box's overlap with
            the object, or what `task_aligned` makes of it.
    """

    owner: Int[Array, "*b p"]
    quality: Float[Array, "*b p"]


class Assigner(Protocol):
    """Gives priors to objects; settings are keywords with defaults."""

    def __call__(
        self,
        scores: Float[Array, "p c"],
        boxes: Float[Array, "p 4"],
        priors: Grid,
        truths: Truths,
        /,
    ) -> Assignment:
        """The assignment of one picture.

        Args:
            scores: predicted probabilities in 0..1 of each class.
            boxes: predicted, corners in pixels.
            priors: where predictions are made.
            truths: the objects.
        """


def truths_of(boxes: Float[Array, "*b m 4"], labels: Int[Array, "*b m"]) -> Truths:
    """Objects of scenes whose padding has the label -1; unsigned labels, which hold none, are refused."""
    labels = jnp.asarray(signed(labels))
    return Truths(jnp.asarray(boxes), jnp.maximum(labels, 0), labels >= 0)


def atss(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    nearest: int = 9,
    side: float = 8.0,
) -> Assignment:
    """Priors whose own square overlaps the object by more than is usual among the nearest ones.

    Of each level the `nearest` to the object's centre are candidates; one stays if its square's overlap
    is at least the mean and one deviation of all candidates', and its point lies in the box. Predictions
    do not matter, save for the quality.

    Squares that hold the whole object all overlap it alike, and then, of two levels with as many candidates,
    none is above the mean by a deviation: **small objects are given no prior** where the squares of the
    finest of two levels are larger than they are. Squares of 8 strides are for strides of 8 to 128 and
    COCO's objects; for others, `answering.owned_share` says which `side` fits, and is reported with results.

    Args:
        scores, boxes, priors, truths: of every assigner.
        nearest: candidates of a level.
        side: of a prior's square, in strides; 2 for `SmallDetector` and digits.

    Source: Zhang et al., arXiv:1912.02424, algorithm 1. A candidate counts as above the threshold within
    1e-6 of it, so that equal overlaps are not parted by rounding.
    """
    boxes, truths = jax.lax.stop_gradient(boxes), usable(truths, scores.shape[-1])
    half = side * priors.strides[:, None] / 2
    squares = jnp.concatenate([priors.points - half, priors.points + half], 1)
    overlaps = pairwise_iou(squares, truths.boxes)
    centres = (truths.boxes[:, :2] + truths.boxes[:, 2:]) / 2
    far = jnp.square(priors.points[:, None, :] - centres[None]).sum(-1)
    candidates = _rank_in_level(far, priors.strides) < nearest
    number = candidates.sum(0)
    mean = jnp.where(candidates, overlaps, 0).sum(0) / number
    squared = jnp.where(candidates, jnp.square(overlaps - mean[None]), 0).sum(0)
    least = (mean + jnp.sqrt(squared / jnp.maximum(number - 1, 1))) * (1 - 1e-6)
    kept = candidates & (overlaps >= least[None]) & inside(priors.points, truths.boxes, least=0.01)
    claims = kept & truths.present[None]
    owner = _owner(claims, jnp.where(claims, -overlaps, jnp.inf))
    return Assignment(owner, _of_owner(pairwise_iou(boxes, truths.boxes), owner))


def sim_ota(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    top: int = 10,
    radius: float = 2.5,
) -> Assignment:
    """The cheapest priors of each object, as many as its best overlaps add up to.

    Args:
        scores, boxes, priors, truths: of every assigner.
        top: overlaps that are added up.
        radius: in strides from the centre, within which a prior is taken first.

    Source: Ge et al. (YOLOX), arXiv:2107.08430, section 2.1; details as in `align_ota_code`.
    """
    return _cheapest(scores, boxes, priors, truths, sim_ota_cost, top, radius, "all")


def align_ota_paper(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    top: int = 10,
    radius: float = 2.5,
) -> Assignment:
    """As `sim_ota`, with the report's cost, and a prior claimed twice goes to the cheaper claimant.

    Args:
        scores, boxes, priors, truths, top, radius: of `sim_ota`.

    Source: Xu et al. (DAMO-YOLO), arXiv:2211.15444; what the report leaves open is as in the code.
    """
    return _cheapest(scores, boxes, priors, truths, paper_cost, top, radius, "claimants")


def align_ota_code(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    top: int = 10,
    radius: float = 2.5,
) -> Assignment:
    """As `sim_ota`, with the released code's cost: classes are asked for the overlap itself.

    A prior that several objects claim goes to the cheapest of *all* objects, also one that did not claim
    it. Priors in no box and near no centre are never taken; those that are in one or the other, but not
    both for the object, are taken where nothing else is left.

    Args:
        scores, boxes, priors, truths, top, radius: of `sim_ota`.

    Source: tinyvision/DAMO-YOLO, the assigner of its head.
    """
    return _cheapest(scores, boxes, priors, truths, code_cost, top, radius, "all")


def task_aligned(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    *,
    top: int = 10,
    score_power: float = 0.5,
    overlap_power: float = 6.0,
) -> Assignment:
    """The priors in an object's box with the largest `score^a overlap^b` of its class.

    A prior that several objects claim goes to the one of *all* objects that it overlaps most. The quality
    is the same product, scaled so that an object's best prior is asked for the object's best overlap.

    Args:
        scores, boxes, priors, truths: of every assigner.
        top: priors of an object at most.
        score_power, overlap_power: a and b.

    Source: Feng et al. (TOOD), arXiv:2108.07755, which has a = 1, b = 6 and 13 priors; defaults and
    conflicts as released with YOLOv9, where in-box priors of product 0 are not told from those outside.
    """
    scores, boxes = jax.lax.stop_gradient((scores, boxes))
    truths = usable(truths, scores.shape[-1])
    overlaps = pairwise_iou(boxes, truths.boxes)
    product = scores[:, truths.labels] ** score_power * overlaps**overlap_power
    eligible = inside(priors.points, truths.boxes, least=1e-9) & truths.present[None]
    claims = _smallest(jnp.where(eligible, -product, jnp.inf), top) & eligible
    owner = _owner(claims, jnp.where(truths.present[None], -overlaps, jnp.inf))
    taken = owner[:, None] == jnp.arange(len(truths.present))[None]
    best_overlap = jnp.where(taken, overlaps, 0).max(0)
    scale = best_overlap / (jnp.where(taken, product, 0).max(0) + 1e-9)
    return Assignment(owner, _of_owner(product * scale[None], owner))


def matched(
    cost: Float[Array, "p m"],
    overlaps: Float[Array, "p m"],
    *,
    top: int = 10,
    conflicts: Conflicts = "all",
) -> Assignment:
    """Gives each object its cheapest priors, as many as its `top` best overlaps add up to, at least one.

    Args:
        cost: infinite where a prior is not to be had.
        overlaps: of predictions with objects, 0 where the prior is not to be had.
        top: overlaps that are added up.
        conflicts: to whom a prior goes that several objects claim.
    """
    if not cost.shape[1]:
        cost, overlaps = jnp.full((len(cost), 1), jnp.inf), jnp.zeros((len(cost), 1))
    best, _ = jax.lax.top_k(overlaps.T, min(top, len(overlaps)))
    number = jnp.maximum(jnp.floor(best.sum(1)), 1)
    claims = _smallest(cost, top, number) & jnp.isfinite(cost)
    owner = _owner(claims, cost if conflicts == "all" else jnp.where(claims, cost, jnp.inf))
    return Assignment(owner, _of_owner(overlaps, owner))


def _cheapest(
    scores: Float[Array, "p c"],
    boxes: Float[Array, "p 4"],
    priors: Grid,
    truths: Truths,
    costly: Callable[[Array, Array, Array], Array],
    top: int,
    radius: float,
    conflicts: Conflicts,
) -> Assignment:
    """`matched` by a cost among priors in any box or near any centre, those of the own middle first."""
    scores, boxes = jax.lax.stop_gradient((scores, boxes))
    truths = usable(truths, scores.shape[-1])
    overlaps = pairwise_iou(boxes, truths.boxes)
    cost = costly(scores, overlaps, truths.labels)
    there = truths.present[None]
    boxed = inside(priors.points, truths.boxes) & there
    central = near_centre(priors, truths.boxes, radius=radius) & there
    reached = (boxed | central).any(1, keepdims=True) & there
    cost = jnp.where(reached, cost + OUTSIDE * ~(boxed & central), jnp.inf)
    return matched(cost, jnp.where(reached, overlaps, 0), top=top, conflicts=conflicts)


def _owner(claims: Bool[Array, "p m"], cost: Float[Array, "p m"]) -> Int[Array, "p"]:
    """The claimant of each prior; the cheapest in its row where there are several, -1 where none."""
    number = claims.sum(1)
    single = jnp.where(number == 1, claims.argmax(1), -1)
    return jnp.where(number > 1, cost.argmin(1), single)


def _of_owner(values: Float[Array, "p m"], owner: Int[Array, "p"]) -> Float[Array, "p"]:
    """The value of each prior for its owner, 0 without one."""
    own = jnp.take_along_axis(values, jnp.maximum(owner, 0)[:, None], 1)[:, 0]
    return jnp.where(owner >= 0, own, 0)


def _smallest(
    values: Float[Array, "p m"], most: int, number: Float[Array, "m"] | None = None
) -> Bool[Array, "p m"]:
    """The `most` smallest of each column, or as many as `number` says, which is not above that.

    By places of the best and no sorting of ranks: sorts take seconds to compile.
    """
    _, places = jax.lax.top_k(-values.T, min(most, len(values)))
    chosen = places[:, :, None] == jnp.arange(len(values))[None, None]
    if number is not None:
        chosen &= (jnp.arange(places.shape[1])[None] < number[:, None])[:, :, None]
    return chosen.any(1).T


def _rank_in_level(values: Float[Array, "p m"], strides: Float[Array, "p"]) -> Int[Array, "p m"]:
    """The place of each prior in its column's ascending order among priors of its stride."""
    strides = jnp.asarray(strides)

    def rank(column: Float[Array, "p"]) -> Int[Array, "p"]:
        return jnp.argsort(jnp.lexsort((column, strides)))

    before = jnp.searchsorted(jnp.sort(strides), strides)
    return jax.vmap(rank, in_axes=1, out_axes=1)(values) - before[:, None]


ASSIGNERS: Mapping[str, Assigner] = {
    "atss": atss,
    "sim_ota": sim_ota,
    "task_aligned": task_aligned,
    "align_ota_paper": align_ota_paper,
    "align_ota_code": align_ota_code,
}
"""By name."""
