"""Suppression: equal to a slow one that sorts, class by class, with ties, padding and limits."""

import functools

import jax
import numpy as np
import pytest

from experiments.kits.detection.suppression import softly_suppressed, suppressed
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

LIMIT = 9
WAYS = ("hard", "gaussian", "linear")


def overlap(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = max(sides[0], 0) * max(sides[1], 0)
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inter
    return inter / union if union else 0.0


def slow(way, boxes, scores, labels, floor):
    """Class by class, each with a list of its own that is sorted anew after every box."""
    taken = []
    for label in sorted(set(labels[labels >= 0])):
        left = [[score, one] for one, score in enumerate(scores) if labels[one] == label]
        while left:
            left.sort(key=lambda entry: (-entry[0], entry[1]))
            score, best = left.pop(0)
            if not score > floor:
                break
            taken.append((score, best))
            for entry in left:
                shared = overlap(boxes[best], boxes[entry[1]])
                if way == "gaussian":
                    entry[0] *= np.exp(-(shared**2) / 0.5)
                elif way == "linear" and shared > 0.3:
                    entry[0] *= 1 - shared
                elif way == "hard" and shared > 0.5:
                    entry[0] = -np.inf
    taken.sort(key=lambda entry: (-entry[0], entry[1]))
    return taken[:LIMIT]


@jax.jit
def fast(boxes, scores, labels):
    """All three ways for some pictures, in one program."""
    hard = functools.partial(suppressed, iou=0.5, limit=LIMIT)
    ways = [hard] + [
        functools.partial(softly_suppressed, kind=kind, limit=LIMIT) for kind in WAYS[1:]
    ]
    return [jax.vmap(way)(boxes, scores, labels) for way in ways]


@functools.cache
def pictures():
    generator = np.random.default_rng(0)
    start = generator.integers(0, 8, (12, 20, 2))
    boxes = np.concatenate([start, start + generator.integers(0, 7, (12, 20, 2))], -1).astype(float)
    scores = generator.integers(1, 9, (12, 20)) / 8.0  # many are equal
    labels = generator.integers(-1, 3, (12, 20))
    labels[0] = -1  # nothing at all
    labels[1] = 0
    boxes[1] = boxes[1, :1] + [0, 0, 3, 3]  # one box twenty times
    scores[2, :5] = np.nan
    with float64():
        found = jax.tree.map(np.asarray, fast(boxes, scores, labels))
    return boxes, np.where(np.isnan(scores), -np.inf, scores), labels, found


@pytest.mark.parametrize("way", WAYS)
def test_what_is_kept_is_what_the_slow_one_keeps(way):
    boxes, scores, labels, found = pictures()
    kept = found[WAYS.index(way)]
    for one in range(len(boxes)):
        floor = -np.inf if way == "hard" else 1e-3
        wanted = slow(way, boxes[one], scores[one], labels[one], floor)
        assert kept.indices[one].tolist() == [i for _, i in wanted] + [-1] * (LIMIT - len(wanted))
        np.testing.assert_allclose(kept.scores[one][: len(wanted)], [s for s, _ in wanted])
        assert (kept.scores[one][len(wanted) :] == 0).all()
    np.testing.assert_array_equal(kept.present, kept.indices >= 0)


def test_one_box_many_times_is_kept_once_and_the_first():
    _, scores, _, (hard, gaussian, _) = pictures()
    assert hard.present[1].sum() == 1
    assert hard.indices[1, 0] == scores[1].argmax()
    assert gaussian.present[1].sum() > 1  # softly, the others are only worth less
    assert not hard.present[0].any()


def test_another_kind_and_no_room_are_refused():
    boxes, scores, labels = np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)
    with pytest.raises(ExperimentError, match="gaussian or linear, got 'cubic'"):
        softly_suppressed(boxes, scores, labels, limit=3, kind="cubic")
    with pytest.raises(ExperimentError, match="sigma is positive"):
        softly_suppressed(boxes, scores, labels, limit=3, sigma=0)
    with pytest.raises(ExperimentError, match="limit=0"):
        suppressed(boxes, scores, labels, iou=0.5, limit=0)
    assert suppressed(boxes, scores, labels, iou=0.5, limit=3).indices.tolist() == [-1, -1, -1]


def test_what_does_not_belong_together_is_refused():
    two, ones, zeros = np.zeros((2, 4)), np.ones(2), np.zeros(2, int)
    for given, settings, said in (
        ((two, ones[:1], zeros), {}, r"\(2, 4\), \(1,\) and \(2,\)"),
        ((two, ones, zeros[:1]), {}, r"\(2, 4\), \(2,\) and \(1,\)"),
        ((two[:, :3], ones, zeros), {}, r"\(2, 3\)"),
        ((two, ones, zeros), {"iou": 50}, "from 0 to 1, got iou=50"),
    ):
        for suppress in (suppressed, softly_suppressed):
            with pytest.raises(ExperimentError, match=said):
                suppress(*given, **({"iou": 0.5, "limit": 2} | settings))
