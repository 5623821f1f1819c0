"""Average precision as VOC counts it, with objects that are marked as difficult: neither missed nor mistakes.

```python
import numpy as np
from experiments.kits.detection.detections import Detections, Objects
from experiments.kits.detection.voc_precision import voc_average_precision

there = Objects(np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]), np.array([0, 0]))
found = Detections(np.array([[0.0, 0, 10, 10], [20, 0, 30, 9]]), np.array([0.9, 0.8]), np.array([0, 0]))
print(voc_average_precision([found], [there], [np.array([False, True])]).ap)  # 1: the second does not count
```

Source: Everingham et al., The PASCAL VOC challenge, IJCV 2010, section 4.2, and its development kits.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from experiments.kits.detection.detections import Detections, Objects
from experiments.kits.detection.precision import check_found, overlaps
from ntkexec.errors import ExperimentError

ELEVEN = np.linspace(0, 1, 11)
"""Recalls at which VOC read precision up to 2009."""


@dataclasses.dataclass(frozen=True)
class VocPrecision:
    """How well objects were found, from 0 to 1; nan where no object counts.

    Args:
        ap: mean over the classes.
        by_class: of each class that has an object, difficult or not.
    """

    ap: float
    by_class: Mapping[int, float]


def voc_average_precision(
    predictions: Sequence[Detections],
    truths: Sequence[Objects],
    difficult: Sequence[Bool[np.ndarray, "n"]],
    *,
    iou: float = 0.5,
    eleven: bool = False,
) -> VocPrecision:
    """Average precision of boxes by VOC's protocol.

    A detection belongs to the object of its class that it overlaps most, if that is `iou` at least. The best
    one of an object is right and others are mistakes, but of a difficult object none is either.

    Args:
        predictions: what was found, picture by picture.
        truths: what is there, difficult objects too, as `AnnotatedPictures.objects` gives it.
        difficult: for each picture, which of its objects are; `AnnotatedPictures.difficult`.
        iou: overlap from which on a detection meets an object.
        eleven: whether precision is read at eleven recalls, as until 2009, and not the area taken.

    Raises:
        ExperimentError: what `average_precision` refuses, crowds, or marks of other numbers of objects.
    """
    marks = _checked(predictions, truths, difficult, iou)
    classes = sorted({int(label) for truth in truths for label in truth.labels})
    by_class = {}
    for label in classes:
        each = [
            _told(found, truth, mark, label, iou)
            for found, truth, mark in zip(predictions, truths, marks, strict=True)
        ]
        scores, right, wrong = (np.concatenate([one[part] for one in each]) for part in range(3))
        counted = sum(one[3] for one in each)
        order = np.argsort(-scores, kind="stable")
        by_class[label] = _area(right[order], wrong[order], counted, eleven=eleven)
    known = [value for value in by_class.values() if value == value]
    return VocPrecision(float(np.mean(known)) if known else float("nan"), by_class)


Told = tuple[Float64[np.ndarray, "d"], Bool[np.ndarray, "d"], Bool[np.ndarray, "d"], int]
"""Of one picture and class: scores, best first, which are right, which are mistakes; objects that count."""


def _told(
    found: Detections, truth: Objects, difficult: Bool[np.ndarray, "n"], label: int, iou: float
) -> Told:
    own, there = np.flatnonzero(found.labels == label), np.flatnonzero(truth.labels == label)
    own = own[np.argsort(-found.scores[own], kind="stable")]
    passed = difficult[there]
    right, wrong = np.zeros((2, len(own)), bool)
    shared = overlaps(found.boxes[own], truth.boxes[there], np.zeros(len(there), bool))
    taken = np.zeros(len(there), bool)
    for place, row in enumerate(shared):
        # The one that is overlapped most, whether or not it has been found: of equals the first.
        most = int(row.argmax()) if len(there) else -1
        if most < 0 or row[most] < iou:
            wrong[place] = True
        elif not passed[most]:
            right[place], wrong[place] = not taken[most], taken[most]
            taken[most] = True
    return np.asarray(found.scores, np.float64)[own], right, wrong, int((~passed).sum())


def _area(
    right: Bool[np.ndarray, "d"], wrong: Bool[np.ndarray, "d"], counted: int, *, eleven: bool
) -> float:
    """The area below precision over recall, where precision is the best at that recall or a larger one."""
    if not counted:
        return float("nan")
    hits, misses = np.cumsum(right), np.cumsum(wrong)
    # Detections that count for nothing, before any that does, have no precision.
    precise = np.divide(hits, hits + misses, out=np.zeros(len(hits)), where=hits + misses > 0)
    best = np.append(np.maximum.accumulate(precise[::-1])[::-1], 0)
    recall = hits / counted
    if eleven:
        return float(best[np.searchsorted(recall, ELEVEN - 1e-12)].mean())
    return float((np.diff(recall, prepend=0) * best[:-1]).sum())


def _checked(
    predictions: Sequence[Detections],
    truths: Sequence[Objects],
    difficult: Sequence[Bool[np.ndarray, "n"]],
    iou: float,
) -> list[Bool[np.ndarray, "n"]]:
    """Marks as arrays, where all fits."""
    check_found(predictions, truths, "box", np.array([iou]), 1)
    if len(difficult) != len(truths):
        raise ExperimentError(
            f"objects are of {len(truths)} pictures and marks of difficult ones of {len(difficult)}"
        )
    marks = [np.asarray(mark) for mark in difficult]
    for one, (truth, mark) in enumerate(zip(truths, marks, strict=True)):
        if mark.shape != (len(truth),) or (len(truth) and mark.dtype != bool):
            raise ExperimentError(
                f"picture {one} has {len(truth)} objects, and marks of {mark.dtype} of the shape {mark.shape}"
            )
        if np.any(truth.crowd):
            raise ExperimentError(f"picture {one} holds a crowd, which VOC has none of")
    return marks
