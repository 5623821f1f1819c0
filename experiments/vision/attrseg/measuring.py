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

    Raises:
        ExperimentError: names a class with a logit that is no number, which would hide all the others;
            or there are not as many numbers as classes.
    """
    if not len(logits) or (numbers is not None and len(numbers) != len(logits)):
        said = "numbers of their own" if numbers is None else f"{len(numbers)} numbers"
        raise ExperimentError(f"{len(logits)} classes cannot have {said}")
    wrong = np.isnan(logits).reshape(len(logits), -1).any(1)
    if wrong.any():
        raise ExperimentError(
            f"logits of class {wrong.argmax()} of {len(logits)} are no numbers; has it any attribute?"
        )
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

    Those of several pictures add up. Background is no class: a pixel of it in which a class is found is
    in that class's union, and has no row of its own.

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

    Background is no class of it, as in PASCAL-5i, where the mean is over a fold's classes and background
    counts in another figure alone (FB-IoU).

    Args:
        total: sum of `overlaps` over all pictures.

    Raises:
        ExperimentError: no class is anywhere.

    Source: Shaban et al., One-shot learning for semantic segmentation, BMVC 2017, section 5.
    """
    there = total[:, 1] > 0
    if not there.any():
        raise ExperimentError("no class is found or true anywhere, so there is nothing to compare")
    return float((total[there, 0] / total[there, 1]).mean())
