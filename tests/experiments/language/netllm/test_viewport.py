"""Viewports: angles on a circle, windows as published, and rules that need no learning."""

import itertools

import numpy as np
import pytest

from experiments.data.formats.viewports import HeadTrace, ViewportSet
from experiments.language.netllm.tasks import viewport_inputs
from experiments.language.netllm.viewport import (
    SPLITS,
    LinearMap,
    Windows,
    displaced,
    last_value,
    linear_regression,
    public_error,
    turned,
    unwrapped,
    velocity,
    windows,
    wrapped_error,
)
from ntkexec.errors import ExperimentError


def walks(number=40, seed=0):
    """Viewers who turn a lot: yaw passes behind them."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(size=(number, 30, 3)) * [1, 1, 15]
    whole = np.cumsum(steps, axis=1) + generator.uniform(-180, 180, (number, 1, 3)) * [0, 0, 1]
    return whole, turned(whole)


def test_errors_are_the_angle_between_two_directions():
    for one, other in itertools.product(range(-180, 180, 7), range(-180, 180, 11)):
        directions = np.exp(1j * np.radians([one, other]))
        angle = np.degrees(np.abs(np.angle(directions[0] / directions[1])))
        assert wrapped_error(np.array([[one]]), np.array([[other]])) == pytest.approx(angle)
        assert public_error(np.array([one]), np.array([other])) == pytest.approx(angle)


def test_the_public_measure_grows_beyond_one_and_a_half_turns():
    true = np.zeros((1, 3))
    for turns, public in ((1, 0), (1.4, 144), (2, 360), (3, 720)):
        assert public_error(true + 360 * turns, true) == pytest.approx(public)
    assert wrapped_error(true + 720, true) == 0


def test_rules_do_not_care_where_yaw_is_zero_unless_the_seam_is_left_in():
    _, seen = walks()
    past, future = seen[:, :10], seen[:, 10:]
    spun = [0, 0, 123.4]
    for rule in (last_value, velocity, linear_regression):
        plain = wrapped_error(rule(past, 20), future)
        assert wrapped_error(rule(turned(past + spun), 20), turned(future + spun)) == pytest.approx(
            plain, rel=1e-10
        )
    for rule in (velocity, linear_regression):
        left_in = wrapped_error(rule(past, 20, unwrap=False), future)
        assert abs(
            wrapped_error(rule(turned(past + spun), 20, unwrap=False), turned(future + spun))
            - left_in
        ) > 1e-3  # fmt: skip


def test_a_line_fitted_anew_after_every_sample_stays_the_line():
    whole, _ = walks(5)
    past = whole[:, :10]
    found = linear_regression(past, 20)
    for person, angle in itertools.product(range(5), range(3)):
        grown = list(past[person, :, angle])
        for _ in range(20):
            line = np.polyfit(np.arange(len(grown)), grown, 1)
            grown.append(np.polyval(line, len(grown)))
        np.testing.assert_allclose(found[person, :, angle], grown[10:], rtol=1e-8, atol=1e-8)


def test_jumps_are_taken_out_and_the_network_never_sees_where_yaw_is_zero():
    whole, seen = walks()
    found = Windows(seen[:, :10], seen[:, 10:])
    np.testing.assert_allclose(displaced(found), whole[:, 10:] - whole[:, 9:10], atol=1e-9)
    np.testing.assert_allclose(
        np.diff(unwrapped(found.past), axis=1), np.diff(whole[:, :10], axis=1), atol=1e-9
    )
    spun = [0, 0, 77.0]
    other = Windows(turned(found.past + spun), turned(found.future + spun))
    for name, part in viewport_inputs(found).items():
        np.testing.assert_allclose(viewport_inputs(other)[name], part, atol=1e-4)


def test_a_linear_map_finds_a_rule_that_is_linear():
    _, seen = walks(400)
    past = seen[:, :10]
    found = Windows(past, turned(velocity(past, 20)))
    fitted = LinearMap.fitted(found, penalty=1e-9)
    np.testing.assert_allclose(turned(fitted(past, 20) - velocity(past, 20)), 0, atol=1e-5)


def traces(*, pause=None):
    seconds = np.arange(200) * np.float32(0.2)
    if pause is not None:
        seconds[pause:] += 5
    degrees = np.stack([np.zeros(200), np.zeros(200), np.arange(200) % 180], 1).astype(np.float32)
    pairs = [(5, 16), (5, 3), (4, 16), (4, 3)]
    return ViewportSet(
        "viewports-wu2017", tuple(HeadTrace(v, u, seconds, degrees) for v, u in pairs)
    )


def test_windows_lie_where_the_public_code_has_them():
    found = windows(traces(), "test")
    assert found.past[:, -1, 2].tolist() == [now - 1 for now in range(30, 140, 15)]
    assert found.future[:, 0, 2].tolist() == list(range(30, 140, 15))
    assert found.future.shape == (8, 20, 3)
    assert len(windows(traces(pause=60), "test").past) == 6
    with pytest.raises(ExperimentError, match="no part 'all' of 'viewports-wu2017'"):
        windows(traces(), "all")
    with pytest.raises(ExperimentError, match="no window of the part 'valid'"):
        windows(traces(), "valid")


@pytest.mark.parametrize("name", SPLITS)
def test_parts_share_neither_videos_nor_viewers(name):
    split = SPLITS[name]
    for of_part in (split.videos, split.users):
        listed = [one for part in of_part.values() for one in part]
        assert len(set(listed)) == len(listed)
    assert sum(map(len, split.users.values())) == {"jin": 84, "wu2": 48}[name[10:13]]
