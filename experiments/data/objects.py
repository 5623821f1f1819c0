"""What is in a picture, and what somebody found there: boxes, classes, masks, scores."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float64, Int64

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True, eq=False)
class Objects:
    """What is there in one picture.

    Args:
        boxes: left, top, right, bottom in pixels, a row each; the right and bottom ends lie outside.
        labels: their classes, numbers.
        masks: which pixels belong to each; none if that is unknown.
        crowd: whether a box stands for a group that was not told apart; none are by default.
        areas: by which they count as small or large; by default of the masks, or else of the boxes.

    Raises:
        ExperimentError: shapes that do not belong together, or a box that ends before it begins.
    """

    boxes: Float64[np.ndarray, "n 4"]
    labels: Int64[np.ndarray, "n"]
    masks: Bool[np.ndarray, "n h w"] | None = None
    crowd: Bool[np.ndarray, "n"] | None = None
    areas: Float64[np.ndarray, "n"] | None = None

    def __post_init__(self) -> None:
        boxes, labels, masks = _checked(self.boxes, self.labels, self.masks)
        number = len(boxes)
        crowd = np.zeros(number, bool) if self.crowd is None else np.asarray(self.crowd, bool)
        if self.areas is not None:
            areas = np.asarray(self.areas, np.float64)
        else:
            areas = extents(boxes) if masks is None else masks.sum((1, 2)).astype(np.float64)
        for name, values in (("crowd", crowd), ("areas", areas)):
            if values.shape != (number,):
                raise ExperimentError(
                    f"{number} objects need as many {name}, got the shape {values.shape}"
                )
        if not (np.isfinite(areas).all() and (areas >= 0).all()):
            raise ExperimentError(
                f"areas are finite and not negative, got {quoted(areas.tolist())}"
            )
        _keep(self, boxes=boxes, labels=labels, masks=masks, crowd=crowd, areas=areas)

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one picture.

    Args:
        boxes: as those of `Objects`.
        scores: the more certain, the higher; any finite numbers.
        labels: classes.
        masks: which pixels belong to each; none if only boxes were found.

    Raises:
        ExperimentError: as `Objects`, or a score that is no finite number.
    """

    boxes: Float64[np.ndarray, "n 4"]
    scores: Float64[np.ndarray, "n"]
    labels: Int64[np.ndarray, "n"]
    masks: Bool[np.ndarray, "n h w"] | None = None

    def __post_init__(self) -> None:
        boxes, labels, masks = _checked(self.boxes, self.labels, self.masks)
        scores = np.asarray(self.scores, np.float64)
        if scores.shape != labels.shape or not np.isfinite(scores).all():
            raise ExperimentError(
                f"{len(boxes)} detections need as many finite scores, got {quoted(scores.tolist())}"
            )
        _keep(self, boxes=boxes, labels=labels, masks=masks, scores=scores)

    def __len__(self) -> int:
        return len(self.labels)


def extents(boxes: np.ndarray) -> Float64[np.ndarray, "n"]:
    """Areas of boxes, in square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def enclosing(masks: Bool[np.ndarray, "n h w"]) -> Float64[np.ndarray, "n 4"]:
    """The smallest boxes around masks; of an empty mask a box of zeros."""
    boxes = np.zeros((len(masks), 4))
    for axis, (low, high) in ((1, (0, 2)), (2, (1, 3))):
        hit = np.asarray(np.any(masks, axis=axis))
        size, there = hit.shape[1], np.any(hit, axis=1)
        boxes[:, low] = np.where(there, hit.argmax(1), 0)
        boxes[:, high] = np.where(there, size - hit[:, ::-1].argmax(1), 0)
    return boxes


def _checked(
    boxes: np.ndarray, labels: np.ndarray, masks: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    corners, classes = np.asarray(boxes, np.float64), np.asarray(labels)
    if not classes.size:
        corners, classes = corners.reshape(-1, 4), classes.astype(np.int64)
    if corners.ndim != 2 or corners.shape[1] != 4 or not np.isfinite(corners).all():
        raise ExperimentError(f"boxes are rows of four finite numbers, got {quoted(boxes)}")
    if (ends := (corners[:, 2:] < corners[:, :2]).any(1)).any():
        raise ExperimentError(
            f"a box ends before it begins: left, top, right, bottom are "
            f"{corners[ends.argmax()].tolist()}"
        )
    if classes.shape != (len(corners),) or classes.dtype.kind not in "iu":
        raise ExperimentError(
            f"{len(corners)} boxes need as many whole numbers as classes, got {quoted(labels)}"
        )
    if masks is None:
        return corners, classes.astype(np.int64), None
    pixels = np.asarray(masks)
    if pixels.ndim != 3 or len(pixels) != len(corners) or pixels.dtype != bool:
        raise ExperimentError(
            f"{len(corners)} boxes need as many masks of truth values, got {pixels.dtype}{pixels.shape}"
        )
    return corners, classes.astype(np.int64), pixels


def _keep(target: Objects | Detections, **values: np.ndarray | None) -> None:
    for name, value in values.items():
        object.__setattr__(target, name, value)
