"""Segmenting, counting part by part, and where an error comes from."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.vision.lvlm_count import counting, learned_counter, segmentation
from experiments.vision.lvlm_count.scenes import draw_scene
from ntkexec.errors import ExperimentError


def made(number=20, seed=0):
    return draw_scene({"red": number}, generator=np.random.default_rng(seed))


class Truth:
    """A counter that sees the icons' colour: 4-connected parts of the picture."""

    def __init__(self, more=0):
        self.more = more

    def count(self, pictures, target):
        seen = [segmentation.segment_by_colour(picture, target).max() for picture in pictures]
        return [int(number) + self.more for number in seen]


def test_a_question_names_what_is_counted():
    for question in ("How many red discs are there?", "how many Red discs in the picture ?"):
        assert segmentation.target_of(question) == "red discs"
    assert segmentation.target_of("How many icons?") == "icons"
    with pytest.raises(ExperimentError, match="What is this"):
        segmentation.target_of("What is this?")


def test_colour_segmentation_is_the_truth_and_selects_a_kind():
    scene = draw_scene({"red": 9, "blue": 7}, generator=np.random.default_rng(1))
    assert segmentation.segment_by_colour(scene.image).max() == 16
    red = segmentation.segment_by_colour(scene.image, "red discs")
    assert np.array_equal(red > 0, scene.of("red") > 0)
    assert red.max() == 9
    assert segmentation.segment_by_colour(scene.image, "green discs").max() == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), margin=st.integers(0, 20))
def test_areas_are_disjoint_and_hold_every_object_whole(seed, margin):
    objects = made(8, seed).objects
    found = segmentation.detect_areas(objects, margin=margin)
    assert np.sum(found, axis=0).max() == 1
    assert counting.num_split(objects, found) == 0
    assert sum(counting.perfect_counts(objects, found)) == 8


def test_what_does_not_fit_and_unknown_colours_are_refused():
    with pytest.raises(ExperimentError, match="of 500 objects"):
        made(500)
    with pytest.raises(ExperimentError, match="pink"):
        draw_scene({"pink": 1}, generator=np.random.default_rng(0))


def test_the_whole_method_with_a_perfect_counter_is_exact():
    scene = draw_scene({"red": 30, "blue": 10}, generator=np.random.default_rng(2))
    found = counting.count_by_dividing(scene.image, "red discs", Truth())
    assert (found.total, found.direct, found.segmented, found.split) == (30, 30, 30, 0)
    assert found.counts == found.objects
    assert len(found.counts) > 2
    json.dumps(found.to_data())


def test_the_budget_tells_the_stages_apart():
    scene = made(24)
    counted = counting.count_by_dividing(scene.image, "red", Truth(-1))
    parts = len(counted.regions)
    assert parts > 1
    expected = counting.ErrorBudget(0, 0, -parts, -parts, -1)
    assert counting.error_budget(counted, scene.objects) == expected
    # A segmenter that sees five of them: what it missed may lie in no part, and is not counted.
    seen = np.where(scene.objects <= 5, scene.objects, 0)
    counted = counting.count_by_dividing(
        scene.image, "red", Truth(-1), segmenter=lambda image, target: seen
    )
    found = counting.error_budget(counted, scene.objects)
    assert found.segmenting == -19
    assert found.total == found.dividing + found.counting


def names(objects):
    return set(np.unique(objects[objects > 0]).tolist())


def test_merging_keeps_every_pixel_and_takes_the_nearest():
    objects = np.zeros((5, 20), np.int32)
    for name, column in ((1, 1), (2, 4), (3, 17)):
        objects[1:4, column : column + 2] = name
    all_of_them = segmentation.merged(objects, 1.0, np.random.default_rng(0))
    # The first two swap their numbers, the third takes that of the second.
    assert [all_of_them[2, c] for c in (1, 4, 17)] == [2, 1, 2]
    np.testing.assert_array_equal(all_of_them > 0, objects > 0)
    same = segmentation.merged(objects, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(same, objects)


def test_halving_makes_two_of_one_with_a_free_column_between():
    objects = made().objects
    found = segmentation.halved(objects, 1.0, np.random.default_rng(0))
    assert len(names(found)) == 40
    for name in names(objects):
        inside = np.unique(found[objects == name])
        assert len(inside) == 3
        assert inside[0] == 0
    few = segmentation.halved(objects, 0.3, np.random.default_rng(0))
    assert 20 < len(names(few)) < 40
    same = segmentation.halved(objects, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(same, objects)


def test_a_picture_larger_than_the_canvas_is_shrunk():
    assert learned_counter.canvas(np.ones((192, 192), np.float32)).min() == 1
    assert learned_counter.canvas(np.ones((400, 300), np.float32)).max() == 1
    small = learned_counter.canvas(np.ones((10, 10), np.float32))
    assert small.sum() * 16 == 100
