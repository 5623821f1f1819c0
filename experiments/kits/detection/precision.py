"""Average precision as COCO counts it: by overlap, size, limit and class, equal to pycocotools' numbers.

An object that is a crowd, or whose area is outside the range that is looked at, is ignored: it is not
missed, and what overlaps it is no mistake. A crowd takes any number of detections, by the share of
*their* area that lies in it. A detection outside the range that meets nothing is ignored too.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from experiments.data.objects import Detections, Objects, extents
from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

COCO_SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas in square pixels, least and most; an object on a bound belongs to both sides."""
COCO_IOUS = tuple(float(one) for one in np.linspace(0.5, 0.95, 10))
RECALLS = np.linspace(0, 1, 101)
"""At which precision is read."""
EVERY = (0.0, 1e10)
LIMITS = (1, 10)
"""Detections of a class in a picture, the best ones, that recall is reported for besides the limit."""


@dataclasses.dataclass(frozen=True, eq=False)
class Precision:
    """How well objects were found, from 0 to 1; nan where no object counts.

    Args:
        ap: precision, averaged over recall, overlaps and classes.
        ap50, ap75: the same at one overlap; nan if it was not asked for.
        by_size: `ap` of objects of a size, by its name.
        by_class: `ap` of each class that has objects.
        recall: share of objects that were found, averaged over overlaps and classes, by how many
            detections of a class count in a picture.
        recall_by_size: the same at the largest limit.
        curves: precision by overlap, recall (0, 0.01, ..., 1), class and size, the first of which is all.
    """

    ap: float
    ap50: float
    ap75: float
    by_size: Mapping[str, float]
    by_class: Mapping[int, float]
    recall: Mapping[int, float]
    recall_by_size: Mapping[str, float]
    curves: Float64[np.ndarray, "ious recalls classes sizes"] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        sizes = [f"AP {name} {value:.3f}" for name, value in self.by_size.items()]
        classes = [f"class {label} {value:.3f}" for label, value in self.by_class.items()]
        shown = [", ".join(part) for part in (sizes, classes) if part]
        return "\n".join([f"AP {self.ap:.3f}, AP50 {self.ap50:.3f}, AP75 {self.ap75:.3f}", *shown])

    def to_data(self) -> dict[str, float]:
        """The single numbers by name, as plain data for a result."""
        found = {"ap": self.ap, "ap50": self.ap50, "ap75": self.ap75}
        found |= {f"ap_{name}": value for name, value in self.by_size.items()}
        found |= {f"recall_{limit}": value for limit, value in self.recall.items()}
        return found | {f"recall_{name}": value for name, value in self.recall_by_size.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class _Matches:
    """Of one picture, class and range of areas: detections, best first, and which objects count."""

    scores: Float64[np.ndarray, "d"]
    hit: Bool[np.ndarray, "ious d"]
    ignored: Bool[np.ndarray, "ious d"]
    counted: int


def average_precision(
    predictions: Sequence[Detections],
    truths: Sequence[Objects],
    *,
    kind: Literal["box", "mask"] = "box",
    sizes: Mapping[str, tuple[float, float]] = COCO_SIZES,
    ious: Sequence[float] = COCO_IOUS,
    limit: int = 100,
) -> Precision:
    """Precision and recall of what was found in some pictures.

    Args:
        predictions: what was found, picture by picture.
        truths: what is there, in the same order, which also decides between equal scores.
        kind: whether boxes or masks are compared.
        sizes: ranges of areas by name; both ends belong to a range. Objects count by `Objects.areas`,
            detections by the area of what is compared.
        ious: overlaps from which on a detection meets an object.
        limit: of the detections of a class in a picture, of which the best count.

    Raises:
        ExperimentError: other numbers of pictures, what are no detections or no objects, labels below 0
            (padding, of which `unpadded` makes an end), masks that are missing or of another size, or
            overlaps that are not from 0 to 1.

    Source: Lin et al., arXiv:1405.0312; the counting of pycocotools 2.0.11, which says -1 for nan.
    """
    levels = np.asarray(ious, np.float64)
    for named in (0.5, 0.75):  # also of steps that were added up, and end beside it
        levels = np.where(np.isclose(levels, named, rtol=0, atol=1e-9), named, levels)
    check_found(predictions, truths, kind, levels, limit)
    ranges = (EVERY, *sizes.values())
    limits = sorted({one for one in LIMITS if one < limit} | {limit})
    classes = sorted({int(label) for truth in truths for label in truth.labels})
    curves = np.full((len(levels), len(RECALLS), len(classes), len(ranges)), np.nan)
    recalls = np.full((len(levels), len(classes), len(ranges), len(limits)), np.nan)
    for place, label in enumerate(classes):
        matched = [
            _matches(found, truth, label, kind, ranges, levels, limit)
            for found, truth in zip(predictions, truths, strict=True)
        ]
        for size in range(len(ranges)):
            at_size = [one[size] for one in matched if one]
            for last, most in enumerate(limits):
                curve, recall = _curve(at_size, most, levels)
                recalls[:, place, size, last] = recall
                if most == limit:
                    curves[:, :, place, size] = curve
    return Precision(
        ap=_mean(curves[..., 0]),
        ap50=_mean(curves[levels == 0.5, :, :, 0]),
        ap75=_mean(curves[levels == 0.75, :, :, 0]),
        by_size={name: _mean(curves[..., at]) for at, name in enumerate(sizes, 1)},
        by_class={label: _mean(curves[:, :, at, 0]) for at, label in enumerate(classes)},
        recall={most: _mean(recalls[:, :, 0, at]) for at, most in enumerate(limits)},
        recall_by_size={name: _mean(recalls[:, :, at, -1]) for at, name in enumerate(sizes, 1)},
        curves=curves,
    )


def overlaps(
    found: np.ndarray, truth: np.ndarray, crowd: Bool[np.ndarray, "g"]
) -> Float64[np.ndarray, "d g"]:
    """Intersection over union of boxes (n, 4) or masks (n, h, w); over the first's area for a crowd."""
    if found.ndim == 2:
        start = np.maximum(found[:, None, :2], truth[None, :, :2])
        end = np.minimum(found[:, None, 2:], truth[None, :, 2:])
        inter = np.prod(np.maximum(end - start, 0), -1)
        first, second = extents(found), extents(truth)
    else:
        flat, other = (masks.reshape(len(masks), -1).astype(np.float64) for masks in (found, truth))
        inter, first, second = flat @ other.T, flat.sum(1), other.sum(1)
    union = np.where(crowd[None], first[:, None], first[:, None] + second[None] - inter)
    return np.where(inter > 0, inter / np.where(union > 0, union, 1), 0)


def _matches(
    found: Detections,
    truth: Objects,
    label: int,
    kind: str,
    ranges: Sequence[tuple[float, float]],
    levels: np.ndarray,
    limit: int,
) -> list[_Matches]:
    """One of each range of areas; none if neither has anything of the class."""
    there, own = np.flatnonzero(truth.labels == label), np.flatnonzero(found.labels == label)
    if not len(there) and not len(own):
        return []
    assert truth.crowd is not None
    assert truth.areas is not None
    own = own[np.argsort(-found.scores[own], kind="stable")[:limit]]
    crowd, areas = truth.crowd[there], truth.areas[there]
    if kind == "mask":
        assert found.masks is not None
        assert truth.masks is not None
        shapes, goals = found.masks[own], truth.masks[there]
        extent = shapes.sum((1, 2)).astype(np.float64)
    else:
        shapes, goals = found.boxes[own], truth.boxes[there]
        extent = extents(shapes)
    shared = overlaps(shapes, goals, crowd) if len(own) and len(there) else np.zeros((len(own), 0))
    made = []
    for least, most in ranges:
        passed = crowd | (areas < least) | (areas > most)
        hit, ignored = _assigned(shared, passed, crowd, levels)
        outside = (extent < least) | (extent > most)
        made.append(
            _Matches(found.scores[own], hit, ignored | (~hit & outside[None]), int((~passed).sum()))
        )
    return made


def _assigned(
    shared: Float64[np.ndarray, "d g"],
    passed: Bool[np.ndarray, "g"],
    crowd: Bool[np.ndarray, "g"],
    levels: Float64[np.ndarray, "ious"],
) -> tuple[Bool[np.ndarray, "ious d"], Bool[np.ndarray, "ious d"]]:
    """Which detections meet an object, and which an ignored one, overlap by overlap.

    The best first takes the free object that it overlaps most, of equals the last; an ignored one only
    where no other is near enough.
    """
    number, objects = shared.shape
    hit, ignored = np.zeros((2, len(levels), number), bool)
    if not objects:
        return hit, ignored
    free = np.ones((len(levels), objects), bool)
    each, least = np.arange(len(levels)), np.minimum(levels, 1 - 1e-10)[:, None]
    for one, row in enumerate(shared):
        near = free & (row[None] >= least)
        counted = near & ~passed[None]
        wanted = np.where(counted.any(1, keepdims=True), counted, near)
        rank = np.where(wanted, row[None], -1)
        best = objects - 1 - rank[:, ::-1].argmax(1)
        met = near[each, best]
        hit[:, one], ignored[:, one] = met, met & passed[best]
        taken = met & ~crowd[best]
        free[each[taken], best[taken]] = False
    return hit, ignored


def _curve(
    matched: Sequence[_Matches], limit: int, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Precision by overlap and recall, and the recall reached; nan if no object counts."""
    counted = sum(one.counted for one in matched)
    curve, reached = np.full((len(levels), len(RECALLS)), np.nan), np.full(len(levels), np.nan)
    if not counted:
        return curve, reached
    order = np.argsort(-np.concatenate([one.scores[:limit] for one in matched]), kind="stable")
    hit = np.concatenate([one.hit[:, :limit] for one in matched], 1)[:, order]
    ignored = np.concatenate([one.ignored[:, :limit] for one in matched], 1)[:, order]
    right = np.cumsum(hit & ~ignored, 1).astype(np.float64)
    wrong = np.cumsum(~hit & ~ignored, 1).astype(np.float64)
    # The smallest spacing as pycocotools adds it: the numbers are then the same to the last bit.
    precise = right / (right + wrong + np.spacing(1))
    recall = right / counted
    falling = np.maximum.accumulate(precise[:, ::-1], 1)[:, ::-1]
    for level in range(len(levels)):
        at = np.searchsorted(recall[level], RECALLS, side="left")
        inside = at < len(order)
        curve[level] = 0
        curve[level, inside] = falling[level, at[inside]]
        reached[level] = recall[level, -1] if len(order) else 0
    return curve, reached


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if known.size else float("nan")


def check_found(
    predictions: Sequence[Detections],
    truths: Sequence[Objects],
    kind: str,
    levels: np.ndarray,
    limit: int,
) -> None:
    """Refuses what `average_precision` cannot count.

    Args:
        predictions, truths, kind, limit: see there.
        levels: its overlaps.

    Raises:
        ExperimentError: see there.
    """
    if kind not in ("box", "mask"):
        raise ExperimentError(f"boxes or masks are compared, kind is 'box' or 'mask', got {kind!r}")
    if levels.ndim != 1 or not len(levels) or not ((levels > 0) & (levels <= 1)).all():
        raise ExperimentError(f"overlaps are numbers above 0 and up to 1, got {quoted(levels)}")
    if limit < 1:
        raise ExperimentError(f"at least one detection of a class counts, got limit={limit}")
    for given, kind_of, what in (
        (predictions, Detections, "detections come first, picture by picture"),
        (truths, Objects, "objects come second, picture by picture"),
    ):
        if isinstance(given, Detections | Objects):
            raise ExperimentError(f"{what}: a list, got one {type(given).__name__}")
        for one, it in enumerate(given):
            if not isinstance(it, kind_of):
                raise ExperimentError(f"{what}: number {one} is of type {type(it).__name__}")
            if (it.labels < 0).any():
                raise ExperimentError(
                    f"picture {one} has the label {it.labels.min()}, which is padding: `unpadded` and "
                    "`unpadded_objects` leave it out"
                )
    if len(predictions) != len(truths):
        raise ExperimentError(
            f"detections are of {len(predictions)} pictures and objects of {len(truths)}"
        )
    for one, (found, truth) in enumerate(zip(predictions, truths, strict=True)):
        if kind == "mask":
            sizes = [
                None if it.masks is None else it.masks.shape[1:] for it in (found, truth) if len(it)
            ]
            if None in sizes or len(set(sizes)) > 1:
                raise ExperimentError(
                    f"picture {one} needs masks of one size, found and there: they are of {sizes}"
                )
