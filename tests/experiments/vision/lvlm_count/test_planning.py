"""LVLM-Count: segmenters that err, the error's budget, and how finely to divide."""

import numpy as np
import pytest

from experiments.vision.lvlm_count import counters, pipeline, planning, scenes, segment
from ntkexec.errors import ExperimentError


def made(number=20, seed=0):
    return scenes.scene({"red": number}, generator=np.random.default_rng(seed))


def names(objects):
    return set(np.unique(objects[objects > 0]).tolist())


def test_merging_keeps_every_pixel_and_takes_the_nearest():
    objects = np.zeros((5, 20), np.int32)
    for name, column in ((1, 1), (2, 4), (3, 17)):
        objects[1:4, column : column + 2] = name
    all_of_them = segment.merged(objects, 1.0, np.random.default_rng(0))
    # The first two swap their numbers, the third takes that of the second.
    assert [all_of_them[2, c] for c in (1, 4, 17)] == [2, 1, 2]
    np.testing.assert_array_equal(all_of_them > 0, objects > 0)
    np.testing.assert_array_equal(segment.merged(objects, 0.0, np.random.default_rng(0)), objects)


def test_halving_makes_two_of_one_with_a_free_column_between():
    objects = made().objects
    found = segment.halved(objects, 1.0, np.random.default_rng(0))
    assert len(names(found)) == 40
    for name in names(objects):
        inside = np.unique(found[objects == name])
        assert len(inside) == 3
        assert inside[0] == 0
    few = segment.halved(objects, 0.3, np.random.default_rng(0))
    assert 20 < len(names(few)) < 40
    np.testing.assert_array_equal(segment.halved(objects, 0.0, np.random.default_rng(0)), objects)


class Short:
    """A counter that says one too few of everything."""

    def count(self, pictures, target):
        return [int(segment.segment_by_colour(picture).max()) - 1 for picture in pictures]


def test_the_budget_tells_the_stages_apart():
    scene = made(24)
    counted = pipeline.count(scene.image, "red", Short())
    parts = len(counted.regions)
    assert parts > 1
    assert pipeline.error_budget(counted, scene.objects) == pipeline.ErrorBudget(
        0, 0, -parts, -parts, -1
    )
    # A segmenter that sees five of them: what it missed may lie in no part, and is not counted.
    seen = np.where(scene.objects <= 5, scene.objects, 0)
    counted = pipeline.count(scene.image, "red", Short(), segmenter=lambda image, target: seen)
    found = pipeline.error_budget(counted, scene.objects)
    assert found.segmenting == -19
    assert found.total == found.dividing + found.counting


def test_a_curve_is_found_again_and_says_when_to_divide():
    generator = np.random.default_rng(0)
    numbers = np.array([4, 8, 16, 32])
    many = np.repeat(numbers[:, None], 4000, 1).astype(float)
    weber = counters.weber(many, spread=0.1, power=1.0, generator=generator) - many
    curve = planning.fit_error_curve(numbers, weber - 0.01 * many**2)
    # 4,000 counts: standard errors below 2 % of the spread.
    assert curve.spread == pytest.approx(0.1, rel=0.05)
    assert curve.spread_power == pytest.approx(1.0, abs=0.05)
    assert curve.bias_power == pytest.approx(2.0, abs=0.1)
    # Both fall with the number of parts: as many as may be asked.
    assert curve.best_parts(40, most=8) == 8
    assert curve.best_cap(40, most=8) == 5
    # An error that does not grow with the number only adds up.
    flat = planning.ErrorCurve(bias=0.5, bias_power=0.0, spread=1.0, spread_power=0.0)
    assert flat.best_parts(40, most=8) == 1
    assert flat.expected_error(40, 4) == pytest.approx(np.hypot(4 * 0.5, 2.0))


def test_the_prediction_is_what_a_simulated_counter_does():
    generator = np.random.default_rng(1)
    curve = planning.ErrorCurve(bias=0.0, bias_power=1.0, spread=0.1, spread_power=1.0)
    parts = np.full((20_000, 4), 12.0)
    sums = counters.weber(parts, spread=0.1, power=1.0, generator=generator).sum(1)
    # Standard error of a deviation over 20,000 draws: half a per cent.
    assert sums.std() == pytest.approx(curve.expected_error(48, 4), rel=0.03)


def test_a_perfect_counter_has_no_error_and_too_few_counts_are_refused():
    curve = planning.fit_error_curve(np.array([3, 9]), np.zeros((2, 5)))
    assert curve.expected_error(100, 7) == 0
    for numbers, errors in (([3, 3], np.zeros((2, 5))), ([3, 9], np.zeros((2, 1)))):
        with pytest.raises(ExperimentError, match="a curve needs"):
            planning.fit_error_curve(np.array(numbers), errors)
    with pytest.raises(ExperimentError, match="0 parts"):
        curve.best_parts(5, most=0)
