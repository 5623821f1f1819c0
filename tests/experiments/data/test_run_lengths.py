"""Masks in COCO's forms: the same pixels and the same text as pycocotools has."""

import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from experiments.data.formats.run_lengths import (
    Polygons,
    RunLengths,
    outline_of,
    packed,
    runs_of,
    unpacked,
)
from ntkexec.errors import ExperimentError

# Of pycocotools' own arrays, which know less than NumPy 2 asks of them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def masks(generator):
    """Noise, blocks, nothing, everything, and one whose runs are long."""
    for height, width in ((1, 1), (7, 5), (40, 60), (300, 200)):
        yield generator.random((height, width)) < 0.5
        blocks = np.zeros((height, width), bool)
        blocks[height // 4 : height // 2, width // 3 :] = True
        yield blocks
        yield ~blocks
        yield np.zeros((height, width), bool)
        yield np.ones((height, width), bool)


def test_runs_and_their_text_are_those_of_pycocotools():
    for mask in masks(np.random.default_rng(0)):
        height, width = mask.shape
        text = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        runs = runs_of(mask)
        assert packed(runs) == text
        assert unpacked(text).tolist() == runs.tolist()
        for counts in (text, runs.tolist()):
            again = outline_of({"size": [height, width], "counts": counts}).mask(height, width)
            np.testing.assert_array_equal(again, mask)


def polygons(generator, height, width):
    """Triangles to stars, whole and broken coordinates, also beyond the edges and twice the same corner."""
    for one in range(60):
        corners = int(generator.integers(3, 12))
        points = generator.uniform(-0.2, 1.2, (corners, 2)) * [width, height]
        if one % 3 == 0:
            points = np.round(points)
        if one % 3 == 1:
            points = np.round(points * 2) / 2
        if one % 5 == 0:
            points = np.repeat(points, 2, 0)
        yield (
            np.clip(points, 0, None).reshape(-1).tolist()
            if one % 2
            else points.reshape(-1).tolist()
        )


def test_polygons_hold_the_pixels_that_pycocotools_says():
    generator = np.random.default_rng(1)
    for height, width in ((24, 31), (50, 17)):
        lines = list(polygons(generator, height, width))
        lines.append([0, 0, width, 0, width, height, 0, height])  # all of it
        lines.append([3, 3, 3, 9, 3, 20])  # nothing
        for line in lines:
            runs = coco_masks.frPyObjects([line], height, width)
            wanted = coco_masks.decode(runs)[..., 0].astype(bool)
            found = Polygons([line]).mask(height, width)
            np.testing.assert_array_equal(found, wanted, err_msg=str(line))
        together = coco_masks.merge(coco_masks.frPyObjects(lines[:4], height, width))
        found = outline_of(lines[:4]).mask(height, width)
        np.testing.assert_array_equal(found, coco_masks.decode(together).astype(bool))


def test_small_polygons_take_no_more_than_their_own_pixels():
    side = 8000
    corner = np.array([[7, 5], [11, 5], [7, 9]])
    lines = [(corner + 20 * one).reshape(-1).tolist() for one in range(300)]
    tracemalloc.start()
    found = Polygons(lines).mask(side, side)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The mask alone; sums over all of it would take eight times as much, and 300 times as long.
    assert most < 1.1 * side**2
    alone = Polygons(lines[:1]).mask(20, 20)
    assert found.sum() == 300 * alone.sum() > 0
    np.testing.assert_array_equal(found[100:120, 100:120], alone)


def test_what_is_no_mask_is_refused_in_words():
    cases = {
        "is polygons, or size and counts": lambda: outline_of({"size": [2], "counts": "0"}),
        "counts of a mask are text": lambda: outline_of({"size": [2, 2]}),
        "size and counts": lambda: outline_of([1, 2, 3]),
        "the picture 2 x 3": lambda: RunLengths(3, 2, [6]).mask(2, 3),
        "fill 2 x 3": lambda: RunLengths(2, 3, [2, 2]).mask(2, 3),
        "not whole numbers": lambda: RunLengths(2, 3, [7, -1]).mask(2, 3),
        "are damaged": lambda: RunLengths(2, 3, "\n").mask(2, 3),
        "cut short": lambda: RunLengths(2, 3, "o").mask(2, 3),
        "far too": lambda: RunLengths(2, 3, "oooooooo?").mask(2, 3),
        "three corners": lambda: Polygons([[1, 2, 3, 4]]).mask(2, 3),
        "got 7 numbers": lambda: Polygons([[1, 2, 3, 4, 5, 6, 7]]).mask(2, 3),
        "far outside": lambda: Polygons([[0, 0, 1e9, 0, 0, 1]]).mask(2, 3),
        "not of numbers": lambda: Polygons([[0, 0, float("nan"), 0, 0, 1]]).mask(2, 3),
        "points on their boundary": lambda: Polygons([[0, 0, 4000, 4000] * 900]).mask(4000, 4000),
    }
    for message, call in cases.items():
        with pytest.raises(ExperimentError, match=message):
            call()
    assert outline_of(None) is None
    assert outline_of([]) is None
