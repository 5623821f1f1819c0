"""Average precision: every number equal to pycocotools', with crowds, areas, ties and limits."""

import contextlib
import functools
import io

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from experiments.kits.detection.detections import Detections, Objects, padded, unpadded
from experiments.kits.detection.precision import COCO_SIZES, average_precision
from ntkexec.errors import ExperimentError

SIDE = 160


def scene(generator, *, empty=False):
    """A picture's objects and detections: some moved a little, some twice, some of nothing."""
    number = 0 if empty else int(generator.integers(1, 7))
    start = generator.integers(0, 60, (number, 2))
    sides = generator.choice([4, 16, 32, 60, 96, 98], (number, 2))  # areas of 32^2 and 96^2 too
    boxes = np.concatenate([start, start + sides], 1).astype(float)
    labels = generator.integers(0, 3, number)
    truth = Objects(boxes, labels, drawn(boxes), generator.random(number) < 0.25)
    if empty:
        return truth, Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), drawn(boxes))
    source = generator.integers(number, size=14)
    found = boxes[source] + generator.integers(-3, 4, (14, 4)) * (generator.random((14, 1)) < 0.7)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    found = np.maximum(found, 0)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    scores = generator.integers(1, 8, 14) / 8  # many are equal
    classes = np.where(generator.random(14) < 0.8, labels[source], generator.integers(0, 4, 14))
    return truth, Detections(found, scores, classes, drawn(found))


def drawn(boxes):
    masks = np.zeros((len(boxes), SIDE, SIDE), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int)):
        mask[top:bottom, left:right] = True
    return masks


def encoded(mask):
    return coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))


def oracle(predictions, truths, kind, limit=100):
    """The twelve numbers and the curves of pycocotools."""
    annotations, results = [], []
    for picture, (found, truth) in enumerate(zip(predictions, truths), 1):
        for one in range(len(truth)):
            left, top, right, bottom = truth.boxes[one]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture,
                    "category_id": int(truth.labels[one]) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": truth.areas[one],
                    "iscrowd": int(truth.crowd[one]),
                    "segmentation": encoded(truth.masks[one]),
                }
            )
        for one in range(len(found)):
            left, top, right, bottom = found.boxes[one]
            result = {"image_id": picture, "category_id": int(found.labels[one]) + 1}
            result["score"] = found.scores[one]
            if kind == "box":
                result["bbox"] = [left, top, right - left, bottom - top]
            else:
                result["segmentation"] = encoded(found.masks[one])
            results.append(result)
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = {
            "info": {},
            "images": [
                {"id": one, "height": SIDE, "width": SIDE} for one in range(1, len(truths) + 1)
            ],
            "categories": [{"id": one} for one in range(1, 5)],
            "annotations": annotations,
        }
        ground.createIndex()
        judge = COCOeval(ground, ground.loadRes(results), "bbox" if kind == "box" else "segm")
        judge.params.maxDets = [1, 10, limit]
        judge.evaluate()
        judge.accumulate()
        if limit == 100:
            judge.summarize()
    return judge


def absent(values):
    return np.where(np.isnan(values), -1, values)


@functools.cache
def pictures():
    generator = np.random.default_rng(3)
    made = [scene(generator, empty=one == 4) for one in range(9)]
    return [found for _, found in made], [truth for truth, _ in made]


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_the_twelve_numbers_are_those_of_pycocotools(kind):
    found = average_precision(*pictures(), kind=kind)
    judge = oracle(*pictures(), kind)
    ours = [found.ap, found.ap50, found.ap75, *found.by_size.values()]
    ours += [*found.recall.values(), *found.recall_by_size.values()]
    assert absent(ours).tolist() == judge.stats.tolist()
    assert 0.2 < found.ap < 0.9
    assert len(found.recall) == 3
    # Class 3 has detections and no objects: there it has no curve, with pycocotools one of -1.
    assert found.curves.shape[2] == 3
    np.testing.assert_array_equal(absent(found.curves), judge.eval["precision"][:, :, :3, :, -1])
    assert (judge.eval["precision"][:, :, 3] == -1).all()


def test_a_smaller_limit_cuts_as_pycocotools_cuts():
    found = average_precision(*pictures(), limit=12)
    judge = oracle(*pictures(), "box", limit=12)
    np.testing.assert_array_equal(absent(found.curves), judge.eval["precision"][:, :, :3, :, -1])
    least = average_precision(*pictures(), limit=1)
    assert set(least.recall) == {1}
    assert least.recall[1] == found.recall[1] < found.recall[12]


def test_classes_without_objects_and_sizes_without_any_are_no_number():
    truth = Objects(np.array([[0, 0, 10, 10]]), np.array([5]))
    right = Detections(truth.boxes, np.array([0.4]), truth.labels)
    wrong = Detections(truth.boxes, np.array([0.9]), np.array([1]))
    found = average_precision([right, wrong], [truth, Objects(np.zeros((0, 4)), np.zeros(0))])
    assert found.ap == pytest.approx(1, abs=1e-12)
    assert found.by_class.keys() == {5}
    assert np.isnan(found.by_size["large"])
    assert found.by_size.keys() == COCO_SIZES.keys()
    assert found.to_data().keys() >= {"ap", "ap50", "ap75", "ap_small", "recall_100"}
    nothing = average_precision([], [])
    assert np.isnan(nothing.ap)
    assert np.isnan(average_precision([right], [truth], ious=[0.6]).ap50)


def test_what_does_not_fit_is_refused_by_name():
    truth = Objects(np.array([[0, 0, 10, 10]]), np.array([5]))
    right = Detections(truth.boxes, np.array([0.4]), truth.labels)
    for message, call in {
        "1 pictures and objects of 0": lambda: average_precision([right], []),
        "needs masks of one size": lambda: average_precision([right], [truth], kind="mask"),
        "'box' or 'mask'": lambda: average_precision([right], [truth], kind="bbox"),
        "above 0 and up to 1": lambda: average_precision([right], [truth], ious=[0, 0.5]),
        "limit=0": lambda: average_precision([right], [truth], limit=0),
        "ends before it begins": lambda: Objects(np.array([[5, 0, 1, 1]]), np.array([0])),
        "as many whole numbers": lambda: Objects(truth.boxes, np.array([0.5])),
        "as many crowd": lambda: Objects(truth.boxes, truth.labels, crowd=np.zeros(2, bool)),
        "finite scores": lambda: Detections(truth.boxes, np.array([np.nan]), truth.labels),
        "masks of truth values": lambda: Objects(truth.boxes, truth.labels, np.zeros((1, 2, 2))),
        "four finite numbers": lambda: Objects(np.array([[0, 0, np.inf, 1]]), np.array([0])),
        "more than the 1": lambda: padded([Objects(np.zeros((2, 4)), np.zeros(2, int))], 1),
    }.items():
        with pytest.raises(ExperimentError, match=message):
            call()


def test_padding_is_put_on_and_taken_off():
    objects = [Objects(np.array([[0, 0, 4, 4], [1, 1, 2, 3]]), np.array([2, 0]))]
    boxes, labels = padded([*objects, Objects(np.zeros((0, 4)), np.zeros(0, int))], 3)
    assert labels.tolist() == [[2, 0, -1], [-1, -1, -1]]
    first, second = unpadded(boxes, np.ones((2, 3)), labels)
    np.testing.assert_array_equal(first.boxes, objects[0].boxes)
    assert len(second) == 0
    (only,) = unpadded(boxes[:1], np.ones((1, 3)), labels[:1], present=[[False, True, True]])
    assert only.labels.tolist() == [0]


def test_crowds_are_not_trained_on():
    crowd = Objects(
        np.array([[0, 0, 50, 50], [1, 1, 9, 9]]), np.array([0, 1]), crowd=np.array([True, False])
    )
    boxes, labels = padded([crowd], 1)
    assert (boxes[0, 0].tolist(), labels.tolist()) == ([1, 1, 9, 9], [[1]])


def test_named_overlaps_are_found_beside_themselves_and_numbers_are_told_shortly():
    truth = Objects(np.array([[0, 0, 4, 4]]), np.array([2]))
    found = Detections(np.array([[0, 0, 4, 3]]), np.ones(1), np.array([2]))
    measured = average_precision([found], [truth], ious=np.arange(0.5, 1, 0.05))
    assert (measured.ap50, measured.ap75) == pytest.approx((1, 1))
    assert "curves" not in repr(measured)
    assert str(measured).startswith("AP 0.600, AP50 1.000, AP75 1.000\nAP small 0.600")
    assert str(measured).endswith("class 2 0.600")


def test_what_is_given_the_wrong_way_round_or_padded_is_refused():
    truth = Objects(np.array([[0, 0, 4, 4]]), np.array([2]))
    found = Detections(np.array([[0, 0, 4, 4]]), np.ones(1), np.array([2]))
    pad = Detections(np.zeros((1, 4)), np.ones(1), np.array([-1]))
    for given, said in (
        (([truth], [found]), "detections come first.*number 0 is of type Objects"),
        (([found], [found]), "objects come second.*number 0 is of type Detections"),
        ((found, [truth]), "a list, got one Detections"),
        (([found], truth), "a list, got one Objects"),
        (([pad], [truth]), "the label -1, which is padding: `unpadded`"),
        (([found], [Objects(np.zeros((1, 4)), np.array([-1]))]), "the label -1"),
    ):
        with pytest.raises(ExperimentError, match=said):
            average_precision(*given)
