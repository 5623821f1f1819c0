"""Labels of pixels from masks of classes, and how well they overlap with the truth."""

import numpy as np
from jaxtyping import Bool, Float, Int

from ntkexec.errors import ExperimentError

BACKGROUND = -1
"""Label of a pixel in which no class is."""


def labelled(
    logits: Float[np.ndarray, "c *p"], *, threshold: float = 0.0, numbers: Int[np.ndarray, "c"] | None = None
) -> Int[np.ndarray, "*p"]:  # fmt: skip
    """The likeliest class of each pixel, or `BACKGROUND` where none is likely enough.

    Without a threshold every pixel has a class, which makes pictures without background look better than
    they are.

    Args:
        logits: of each class by itself.
        threshold: that the best one must be above; 0 is a probability of one half.
        numbers: of the classes; from 0 where none are given.
    """
    best = logits.argmax(0)
    found = best if numbers is None else np.asarray(numbers)[best]
    return np.where(logits.max(0) > threshold, found, BACKGROUND)


def overlaps(
    found: Int[np.ndarray, "*p"],
    truth: Int[np.ndarray, "*p"],
    num_classes: int,
    *,
    ignored: Bool[np.ndarray, "*p"] | None = None,
) -> Int[np.ndarray, "c 2"]:
    """Pixels in the intersection and in the union of what was found and what is true, class by class.

    Those of several pictures add up.

    Args:
        found, truth: labels, below 0 for none.
        num_classes: labels are below it.
        ignored: pixels that do not count, such as those of outlines.

    Raises:
        ExperimentError: shapes differ, or a label is no class.
    """
    if found.shape != truth.shape or (ignored is not None and ignored.shape != truth.shape):
        raise ExperimentError(f"labels of shapes {found.shape} and {truth.shape} do not overlap")
    kept = np.ones(truth.shape, bool) if ignored is None else ~ignored
    one, other = (np.where(kept, labels, BACKGROUND).ravel() for labels in (found, truth))
    if max(one.max(initial=-1), other.max(initial=-1)) >= num_classes:
        raise ExperimentError(f"a label is above the last of {num_classes} classes")
    both = np.bincount(one[(one == other) & (one >= 0)], minlength=num_classes)
    sizes = [np.bincount(labels[labels >= 0], minlength=num_classes) for labels in (one, other)]
    return np.stack([both, sizes[0] + sizes[1] - both], 1)


def mean_iou(total: Int[np.ndarray, "c 2"]) -> float:
    """Mean over the classes of intersection over union; classes that are nowhere do not count.

    Args:
        total: sum of `overlaps` over all pictures.

    Raises:
        ExperimentError: no class is anywhere.
    """
    there = total[:, 1] > 0
    if not there.any():
        raise ExperimentError("no class is found or true anywhere, so there is nothing to compare")
    return float((total[there, 0] / total[there, 1]).mean())
