"""VOC's protocol: difficult objects are neither missed nor mistakes; else as its development kits count."""

import numpy as np
import pytest

from experiments.kits.detection.detections import Detections, Objects
from experiments.kits.detection.voc_precision import voc_average_precision
from ntkexec.errors import ExperimentError

HERE, THERE = [0.0, 0, 10, 10], [40.0, 0, 50, 10]


def found(boxes, scores, labels=None):
    made = np.array(boxes, float).reshape(-1, 4)
    return Detections(made, np.array(scores, float), np.array(labels or [0] * len(made), int))


def there(*boxes):
    return Objects(np.array(boxes, float).reshape(-1, 4), np.zeros(len(boxes), int))


@pytest.mark.parametrize(
    "boxes, scores, difficult, wanted",
    [
        ([HERE], [0.9], [False, True], 1.0),  # the difficult one is not missed
        ([HERE, THERE], [0.8, 0.9], [False, True], 1.0),  # nor is finding it a mistake
        ([THERE, THERE, THERE, HERE], [0.9, 0.8, 0.7, 0.6], [False, True], 1.0),  # however often
        ([HERE, HERE, THERE], [0.9, 0.8, 0.7], [False, False], 0.5 + 0.5 * 2 / 3),  # twice is one
        ([THERE, HERE], [0.9, 0.8], [True, False], 1.0),
        ([[20.0, 0, 30, 10], THERE], [0.9, 0.8], [True, False], 0.5),  # beside both is one
        ([HERE, THERE], [0.9, 0.8], [True, True], np.nan),
        ([], [], [False, True], 0.0),
    ],
)
def test_difficult_objects_are_neither_missed_nor_mistakes(boxes, scores, difficult, wanted):
    got = voc_average_precision([found(boxes, scores)], [there(HERE, THERE)], [np.array(difficult)])
    np.testing.assert_allclose(got.ap, wanted)
    np.testing.assert_allclose(got.by_class[0], wanted)


def by_the_kit(pictures, label, iou, eleven):
    """The development kit's loop over all detections of a class, best first, written anew."""
    all_found = [
        (score, number, box)
        for number, (one, _, _) in enumerate(pictures)
        for box, score, own in zip(one.boxes, one.scores, one.labels, strict=True)
        if own == label
    ]
    seen, marks, total = set(), [], 0
    for _, truth, difficult in pictures:
        total += sum(own == label and not d for own, d in zip(truth.labels, difficult, strict=True))
    for _, number, box in sorted(all_found, key=lambda one: -one[0]):
        best, which = -np.inf, None
        _, truth, difficult = pictures[number]
        for place, (other, own) in enumerate(zip(truth.boxes, truth.labels, strict=True)):
            if own != label:
                continue
            wide = min(box[2], other[2]) - max(box[0], other[0])
            tall = min(box[3], other[3]) - max(box[1], other[1])
            if wide > 0 and tall > 0:
                areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
                shared = wide * tall / (sum(areas) - wide * tall)
                if shared > best:
                    best, which = shared, place
        if best >= iou:
            if not difficult[which]:
                marks.append(1 if (number, which) not in seen else -1)
                seen.add((number, which))
        else:
            marks.append(-1)
    hits = np.cumsum([mark > 0 for mark in marks])
    precise, recall = hits / np.arange(1, len(marks) + 1), hits / total
    if eleven:
        levels = np.arange(11) / 10
        return np.mean([max(precise[recall >= level - 1e-12], default=0) for level in levels])
    wide = np.concatenate([[0], recall, [1]])
    tall = np.concatenate([[0], precise, [0]])
    for place in range(len(tall) - 2, -1, -1):
        tall[place] = max(tall[place], tall[place + 1])
    return ((wide[1:] - wide[:-1]) * tall[1:]).sum()


@pytest.mark.parametrize("eleven", [False, True])
def test_the_numbers_are_those_of_the_kits_loop(eleven):
    generator = np.random.default_rng(5)
    pictures = []
    for _ in range(12):
        corners = generator.integers(0, 40, (6, 2))
        truth = np.concatenate([corners, corners + generator.integers(8, 24, (6, 2))], 1) * 1.0
        near = truth[generator.integers(6, size=14)] + generator.integers(-4, 5, (14, 4))
        labels = generator.integers(2, size=6)
        guesses = found(near, generator.random(14), generator.integers(2, size=14).tolist())
        pictures.append((guesses, Objects(truth, labels), generator.random(6) < 0.3))
    got = voc_average_precision(*map(list, zip(*pictures, strict=True)), eleven=eleven)
    wanted = [by_the_kit(pictures, label, 0.5, eleven) for label in (0, 1)]
    np.testing.assert_allclose([got.by_class[0], got.by_class[1]], wanted, rtol=1e-12)
    np.testing.assert_allclose(got.ap, np.mean(wanted))
    assert 0.05 < got.ap < 0.95


@pytest.mark.parametrize(
    "change, said",
    [
        ({"difficult": []}, "of 1 pictures and marks of difficult ones of 0"),
        ({"difficult": [np.array([True])]}, "picture 0 has 2 objects, and marks of bool of the shape"),
        ({"difficult": [np.array([1, 0])]}, "marks of int64"),
        ({"predictions": [there(HERE)]}, "detections come first"),
        ({"iou": 50}, "above 0 and up to 1"),
        ({"truths": [Objects(np.array([HERE]), np.zeros(1, int), crowd=np.ones(1, bool))],
          "difficult": [np.array([False])]}, "holds a crowd"),
    ],
)  # fmt: skip
def test_what_voc_cannot_count_is_refused(change, said):
    given = {"predictions": [found([HERE], [0.9])], "truths": [there(HERE, THERE)],
             "difficult": [np.array([False, True])], **change}  # fmt: skip
    with pytest.raises(ExperimentError, match=said):
        voc_average_precision(**given)
