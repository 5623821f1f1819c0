"""How finely to divide, from errors that a counter was seen to make."""

import numpy as np
import pytest

from experiments.vision.lvlm_count import planning
from ntkexec.errors import ExperimentError


def weber(numbers, generator):
    """Counts whose spread is a tenth of the number: Weber's law."""
    return numbers + 0.1 * numbers * generator.normal(size=numbers.shape)


def test_a_curve_is_found_again_and_says_when_to_divide():
    generator = np.random.default_rng(0)
    numbers = np.array([4, 8, 16, 32])
    many = np.repeat(numbers[:, None], 4000, 1).astype(float)
    errors = weber(many, generator) - many
    curve = planning.fit_error_curve(numbers, errors - 0.01 * many**2)
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
    sums = weber(parts, generator).sum(1)
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
