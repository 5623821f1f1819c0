"""Letterboxing: boxes go there and back, a picture that fits is untouched, scaling keeps places."""

import numpy as np
import pytest

from experiments.kits.detection.letterbox import GREY, letterboxed, placement
from ntkexec.errors import ExperimentError

SHAPES = [(64, 64), (480, 640), (640, 480), (1, 1000), (7, 3), (333, 500)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_boxes_go_there_and_back(shape):
    place = placement(*shape, 64)
    whole = np.array([0, 0, shape[1], shape[0]])
    ends = [place.left, place.top, place.left + place.columns, place.top + place.rows]
    np.testing.assert_allclose(place.into_square(whole), ends, rtol=1e-15)
    assert max(place.rows, place.columns) == 64
    boxes = np.random.default_rng(0).random((9, 4)) * [*shape[::-1], *shape[::-1]]
    back = place.out_of_square(place.into_square(boxes))
    np.testing.assert_allclose(back, boxes, rtol=1e-12, atol=1e-12)
    everything = place.out_of_square(np.array([[-5, -5, 99, 99]]))
    np.testing.assert_array_equal(everything[0], whole)


def test_a_picture_that_fits_keeps_its_values_and_the_rest_is_grey():
    generator = np.random.default_rng(1)
    wide = generator.random((40, 64, 3)).astype(np.float32)
    square, place = letterboxed(wide, 64)
    np.testing.assert_array_equal(square[12:52], wide)
    assert (place.top, place.left) == (12, 0)
    assert (square[:12] == np.float32(GREY)).all()
    assert (square[52:] == np.float32(GREY)).all()
    bytes_ = generator.integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(letterboxed(bytes_, 64)[0], bytes_.astype(np.float32) / 255)


def test_scaled_pixels_are_where_boxes_say():
    picture = np.zeros((120, 200, 3), np.uint8)
    picture[30:60, 50:100] = 255
    square, place = letterboxed(picture, 40, fill=0)
    left, top, right, bottom = place.into_square(np.array([50, 30, 100, 60])).astype(int)
    assert (left, top, right, bottom) == (10, 14, 20, 20)
    assert (square[top + 1 : bottom - 1, left + 1 : right - 1] == 1).all()
    assert square.sum() == pytest.approx(3 * 10 * 6, rel=0.02)
    masks = place.masks_out_of_square(square[None, ..., 0] > 0.5)
    np.testing.assert_array_equal(masks[0], picture[..., 0] > 0)
    shrunk, _ = letterboxed(picture.astype(float) / 255, 40, fill=0)
    np.testing.assert_array_equal(shrunk, square)


def test_what_is_no_picture_is_refused():
    for message, pixels in {
        r"got the shape \(4, 4\)": np.zeros((4, 4)),
        r"got the shape \(0, 4, 3\)": np.zeros((0, 4, 3)),
        "numbers from 0 to 1": np.full((4, 4, 3), 2.0),
        "numbers from 0 to 1, got float64 up to nan": np.full((4, 4, 3), np.nan),
        "numbers from 0 to 1, got int64": np.zeros((4, 4, 3), int),
    }.items():
        with pytest.raises(ExperimentError, match=message):
            letterboxed(pixels, 8)
    with pytest.raises(ExperimentError, match="a pixel or more"):
        letterboxed(np.zeros((4, 4, 3)), 0)
    with pytest.raises(ExperimentError, match="got the shape"):
        placement(4, 4, 8).masks_out_of_square(np.zeros((1, 4, 4), bool))
