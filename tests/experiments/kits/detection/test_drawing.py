"""Boxes are drawn where they are, and scenes beside their truth."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from experiments.kits.detection import drawing
from experiments.kits.detection.detections import Detections
from experiments.kits.detection.digits import digit_scenes
from ntkexec.errors import ExperimentError


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def found(*boxes):
    rows = np.array(boxes, float).reshape(-1, 4)
    return Detections(rows, np.linspace(0.9, 0.5, len(rows)), np.arange(len(rows)))


def test_a_box_frames_the_pixels_that_it_holds():
    grey = np.full((600, 700, 3), 90, np.uint8)
    made = pixels(drawing.drawn(grey, found([100, 200, 400, 500]), ["seven"]))
    assert made.shape == grey.shape
    colour = (made == drawing.COLOURS[0]).all(-1)
    assert colour[200:202, 100:400].all()
    assert colour[498:500, 100:400].all()
    assert colour[200:500, 100:102].all()
    assert colour[200:500, 398:400].all()
    assert (made[203:497, 103:397] == 90).all()
    assert not colour[500:].any()
    # Above it, its name and score are written in white.
    assert (made[:200] == 255).all(-1).any()


def test_small_pictures_are_enlarged_and_boxes_outside_are_cut():
    small = np.zeros((64, 32, 3), np.uint8)
    boxes = found([-9, -9, 80, 90], [60, 70, 90, 99], [5, 5, 5, 5])
    made = pixels(drawing.drawn(small, boxes, ["a", "b", "c"]))
    assert made.shape == (512, 256, 3)
    assert (made[:2] == drawing.COLOURS[0]).all(-1).any()
    np.testing.assert_array_equal(
        pixels(drawing.drawn(small, found(), [])), np.zeros((512, 256, 3))
    )
    with pytest.raises(ExperimentError, match="class 2 has no name among 2"):
        drawing.drawn(small, boxes, ["a", "b"])


def test_scenes_are_compared_from_plain_data():
    scenes = digit_scenes(np.random.default_rng(0), 3)
    guesses = [found([4, 4, 20, 20], [30, 30, 50, 60]) for _ in range(3)]
    data = json.loads(json.dumps(drawing.compared(scenes, guesses, least=0.6, most=2)))
    assert len(json.dumps(data)) < 20_000
    assert [len(scene["scores"]) for scene in data["scenes"]] == [1, 1]
    figure = drawing.comparison(data)
    upper, lower = figure.axes[:2], figure.axes[2:]
    assert [len(axes.patches) for axes in upper] == scenes.present[:2].sum(1).tolist()
    assert [len(axes.patches) for axes in lower] == [1, 1]
    assert [text.get_text() for text in lower[0].texts] == ["0 0.90"]
    shown = np.asarray(upper[0].images[0].get_array())
    # 64 colours stand for all.
    assert np.abs(shown[..., :3] / 255 - scenes.images[0]).mean() < 0.05
    with pytest.raises(ExperimentError, match="detections of 1 scenes do not fit 3"):
        drawing.compared(scenes, guesses[:1])


def test_pictures_of_scenes_are_drawn_on_and_others_refused():
    numbers = np.full((600, 600, 3), 90 / 255)
    bytes_ = np.full((600, 600, 3), 90, np.uint8)
    box = found([100, 200, 400, 500])
    assert drawing.drawn(numbers, box, ["seven"]) == drawing.drawn(bytes_, box, ["seven"])
    for wrong, said in (
        (bytes_[..., 0], r"\(height, width, 3\), got the shape \(600, 600\)"),
        (3 * numbers, "from 0 to 1, got float64"),
        (bytes_.astype(int), "bytes or numbers from 0 to 1, got int64"),
    ):
        with pytest.raises(ExperimentError, match=said):
            drawing.drawn(wrong, box, ["seven"])
