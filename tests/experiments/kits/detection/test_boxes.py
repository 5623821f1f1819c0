"""Boxes: overlaps equal to counted pixels, their kin to slow formulas, gradients finite everywhere."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.detection import boxes
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

KIN = ("iou", "giou", "diou", "ciou")


def random_boxes(generator, number, size=12):
    ends = np.sort(generator.integers(0, size + 1, (number, 2, 2)), 1)
    return ends.reshape(number, 4)[:, [0, 1, 2, 3]].astype(float)


def pixels(box, size=12):
    made = np.zeros((size, size), bool)
    left, top, right, bottom = box.astype(int)
    made[top:bottom, left:right] = True
    return made


def slow(name, a, b):
    """One pair, as the papers write it."""
    overlap = (pixels(a) & pixels(b)).sum()
    union = (pixels(a) | pixels(b)).sum()
    iou = overlap / union if union else 0.0
    width, height = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    if name == "iou":
        return iou
    if name == "giou":
        return iou - ((width * height - union) / (width * height) if width * height else 0)
    apart = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    diou = iou - (apart / (width**2 + height**2) if width or height else 0)
    if name == "diou":
        return diou

    def angle(box):
        sides = np.maximum(box[2:] - box[:2], boxes.TINY)
        return np.arctan(sides[0] / sides[1])

    unlike = 4 / np.pi**2 * (angle(a) - angle(b)) ** 2
    return diou - (unlike**2 / (1 - iou + unlike) if unlike else 0)


@jax.jit
def everything(a, b):
    """All overlaps of pairs with their gradients, in one program."""
    made = {name: getattr(boxes, name)(a, b) for name in KIN}
    slopes = {
        name: jax.grad(lambda both, of=name: getattr(boxes, of)(*both).sum())((a, b))
        for name in KIN
    }
    return made, slopes, boxes.pairwise_iou(a, b)


@functools.cache  # no fixture, which would run before rank promotion becomes an error
def measured():
    generator = np.random.default_rng(0)
    a, b = random_boxes(generator, 60), random_boxes(generator, 60)
    a[0] = b[0] = 0  # a point, twice
    a[1] = b[1] = [2, 3, 7, 5]  # the same box, twice
    a[2, 2:] = a[2, :2]  # a point and a box
    a[3, 2] = a[3, 0]  # a line
    with float64():
        made, slopes, pairs = jax.tree.map(np.asarray, everything(jnp.array(a), jnp.array(b)))
    return a, b, made, slopes, pairs


@pytest.mark.parametrize("name", KIN)
def test_overlaps_are_those_of_counted_pixels(name):
    a, b, made, slopes, _ = measured()
    wanted = [slow(name, one, other) for one, other in zip(a, b)]
    np.testing.assert_allclose(made[name], wanted, rtol=1e-12, atol=1e-12)
    assert made[name][1] == 1
    assert all(np.isfinite(slope).all() for slope in slopes[name])


def test_gradients_are_finite_in_float32_where_boxes_shrink_to_nothing():
    a, b, *_ = measured()
    shrunk = a.astype(np.float32)
    for one, size in enumerate(10.0 ** -np.arange(45)):
        shrunk[one] = [0, 0, size, size if one % 2 else 4]
    made, slopes, _ = everything(jnp.array(shrunk), jnp.array(b.astype(np.float32)))
    assert all(np.isfinite(one).all() for one in jax.tree.leaves((made, slopes)))


def test_pairs_are_every_one_with_every_other():
    a, b, _, _, pairs = measured()
    assert pairs.dtype == np.float64
    wanted = [[slow("iou", one, other) for other in b[:9]] for one in a[:9]]
    np.testing.assert_allclose(pairs[:9, :9], wanted, rtol=1e-12)


def test_alpha_is_constant_in_the_gradient_and_the_rest_by_differences():
    a, b = np.array([[1.0, 2, 6, 9]]), np.array([[2.0, 1, 9, 6]])

    def fixed(moved):  # alpha as it is at a, taken from the slow formula
        iou = slow("iou", a[0], b[0])

        def unlike(box):
            angle = np.arctan((box[2] - box[0]) / (box[3] - box[1]))
            return 4 / np.pi**2 * (np.arctan(7 / 5) - angle) ** 2

        alpha = unlike(a[0]) / (1 - iou + unlike(a[0]))
        width = max(moved[2], 9) - min(moved[0], 2)
        height = max(moved[3], 6) - min(moved[1], 1)
        apart = ((moved[0] + moved[2] - 11) ** 2 + (moved[1] + moved[3] - 7) ** 2) / 4
        inter = (min(moved[2], 9) - max(moved[0], 2)) * (min(moved[3], 6) - max(moved[1], 1))
        union = (moved[2] - moved[0]) * (moved[3] - moved[1]) + 35 - inter
        return inter / union - apart / (width**2 + height**2) - alpha * unlike(moved)

    steps = 1e-6 * np.eye(4)
    wanted = [(fixed(a[0] + step) - fixed(a[0] - step)) / 2e-6 for step in steps]
    with float64():
        # Padded to the shape of the others, so that nothing is compiled anew.
        many = [jnp.array(np.repeat(one, 60, 0)) for one in (a, b)]
        found = np.asarray(everything(*many)[1]["ciou"][0][0])
    np.testing.assert_allclose(found, wanted, atol=1e-8)


@jax.jit
def round_trips(made, points):
    centred, sides = boxes.to_centres(made), boxes.boxes_to_distances(points, made)
    cut = boxes.clipped(made - 4, height=3, width=5)
    back = boxes.from_centres(centred), boxes.distances_to_boxes(points, sides)
    return centred, sides, cut, *back


def test_centres_and_distances_are_there_and_back():
    generator = np.random.default_rng(1)
    made = random_boxes(generator, 5)
    points = generator.integers(0, 12, (5, 2))
    with float64():
        centred, sides, cut, *back = map(np.asarray, round_trips(made, points))
    np.testing.assert_array_equal(centred[:, 2:], made[:, 2:] - made[:, :2])
    np.testing.assert_array_equal(sides[:, 2], made[:, 2] - points[:, 0])
    np.testing.assert_array_equal(cut, np.clip(made - 4, 0, [5, 3, 5, 3]))
    for again in back:
        np.testing.assert_array_equal(again, made)


def test_half_precision_and_the_smallest_boxes_are_no_exception():
    large = np.array([0, 0, 300, 300], np.float16)
    for name in ("iou", "giou", "diou", "ciou"):
        overlap = getattr(boxes, name)
        assert overlap(np.zeros(4, np.float16), np.zeros(4, np.float16)) == 0
        assert overlap(large, large) == 1
        small = np.array([0, 0, 1e-7, 1e-7], np.float32)
        np.testing.assert_allclose(overlap(small, small), 1, rtol=1e-6)
    assert boxes.areas(large) == 90_000


def test_what_are_no_boxes_is_refused_by_its_shape():
    for name in ("iou", "pairwise_iou", "ciou"):
        with pytest.raises(ExperimentError, match=r"got the shape \(.*3\)"):
            getattr(boxes, name)(np.zeros((2, 4)), np.zeros((2, 3)))
    with pytest.raises(ExperimentError, match=r"got the shape \(2, 3\)"):
        boxes.areas(np.zeros((2, 3)))
