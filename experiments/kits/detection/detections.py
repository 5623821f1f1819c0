"""Objects and detections of many pictures, out of the padded arrays that programs of fixed shape make."""

import numpy as np

from experiments.data.objects import Detections, Objects, enclosing, extents
from experiments.kits.detection.labels import signed
from ntkexec.errors import ExperimentError

__all__ = [
    "Detections",
    "Objects",
    "enclosing",
    "extents",
    "padded",
    "unpadded",
    "unpadded_objects",
]


def unpadded(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    masks: np.ndarray | None = None,
    *,
    present: np.ndarray | None = None,
) -> list[Detections]:
    """Detections of each picture.

    Args:
        boxes: (pictures, most, 4) corners; one that ends before it begins becomes one of no size.
        scores: (pictures, most).
        labels: (pictures, most); negative ones are padding.
        masks: (pictures, most, height, width), if there are any.
        present: (pictures, most), which are none of padding; by default those of a label.
    """
    corners = np.asarray(boxes, np.float64)
    corners = np.concatenate([corners[..., :2], np.maximum(corners[..., 2:], corners[..., :2])], -1)
    there = np.asarray(signed(labels)) >= 0
    if present is not None:
        there = there & np.asarray(present, bool)
    _check(corners, there)
    return [
        Detections(
            corners[one][kept],
            np.asarray(scores)[one][kept],
            np.asarray(labels)[one][kept],
            None if masks is None else np.asarray(masks)[one][kept],
        )
        for one, kept in enumerate(there)
    ]


def unpadded_objects(
    boxes: np.ndarray, labels: np.ndarray, masks: np.ndarray | None = None
) -> list[Objects]:
    """Objects of each picture, of arrays as those of `unpadded`."""
    there = np.asarray(signed(labels)) >= 0
    _check(np.asarray(boxes), there)
    return [
        Objects(
            np.asarray(boxes)[one][kept],
            np.asarray(labels)[one][kept],
            None if masks is None else np.asarray(masks)[one][kept],
        )
        for one, kept in enumerate(there)
    ]


def padded(objects: list[Objects], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (pictures, most, 4) as float32 and labels (pictures, most) as int32, -1 where there is none.

    Crowds are left out: a box around several objects is none to be trained on. So rows are numbered
    anew in pictures with crowds.

    Raises:
        ExperimentError: a picture holds more than `most` objects.
    """
    boxes = np.zeros((len(objects), most, 4), np.float32)
    labels = np.full((len(objects), most), -1, np.int32)
    for one, found in enumerate(objects):
        single = ~np.asarray(found.crowd, bool)
        number = int(single.sum())
        if number > most:
            raise ExperimentError(
                f"picture {one} holds {number} objects, more than the {most} that there is room for"
            )
        boxes[one, :number] = found.boxes[single]
        labels[one, :number] = found.labels[single]
    return boxes, labels


def _check(boxes: np.ndarray, there: np.ndarray) -> None:
    if there.ndim != 2 or boxes.shape != (*there.shape, 4):
        raise ExperimentError(
            f"boxes are (pictures, most, 4) and labels (pictures, most), got {boxes.shape} and {there.shape}"
        )
