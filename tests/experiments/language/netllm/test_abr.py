"""The simulator is the event-by-event one; plans are found by trying all; invariants of a player."""

import itertools

import jax
import numpy as np
import pytest

from experiments.language.netllm import Links, Video, buffer_based, collect, qoe, robust_mpc, stream
from experiments.language.netllm.abr import (
    BUFFER_MOST,
    NAP,
    PAYLOAD,
    ROUND_TRIP,
    STALL_COST,
    observed,
    waiting,
)
from experiments.language.netllm.rivals import Guesses, _plans
from ntkexec.errors import ExperimentError

BITRATES = (300.0, 750.0, 1200.0, 1850.0, 2850.0, 4300.0)


def drawn_video(generator, chunks=30, bitrates=BITRATES):
    sizes = np.outer(generator.lognormal(0, 0.2, chunks), np.array(bitrates) * 500)
    return Video.of(sizes, bitrates)


def drawn_traces(generator, number=6):
    made = []
    for row in range(number):
        size = int(generator.integers(5, 40))
        time = np.concatenate([[0], np.cumsum(generator.uniform(0.1, 6, size))])
        speed = generator.uniform(0, 4, size + 1)
        speed[generator.random(size + 1) < 0.3] = 0  # outages
        speed[-1] = [40.0, 1.0][row % 2]  # fast ones fill the buffer
        made.append((time, speed))
    return made


def plainly(time, speed, video, qualities, start, factors):
    """Segment by segment, as Pensieve's simulator goes."""
    at = int(np.searchsorted(time, start, side="right"))
    now, buffer, last, rows = float(start), 0.0, 1, []

    def following():
        nonlocal at, now
        now, at = time[at], at + 1
        if at == len(time):
            now, at = time[0], 1

    for chunk, (quality, factor) in enumerate(zip(qualities, factors)):
        left, delay = video.sizes[chunk, quality] * 8e-6, 0.0
        while (carried := speed[at] * PAYLOAD * (time[at] - now)) <= left:
            left, delay = left - carried, delay + time[at] - now
            following()
        delay, now = delay + left / speed[at] / PAYLOAD, now + left / speed[at] / PAYLOAD
        delay = (delay + ROUND_TRIP) * factor
        stall = max(delay - buffer, 0)
        buffer = max(buffer - delay, 0) + 4
        nap = np.ceil(max(buffer - BUFFER_MOST, 0) / NAP) * NAP
        buffer, rest = buffer - nap, nap
        while rest and time[at] - now <= rest:
            rest -= time[at] - now
            following()
        now += rest
        change = abs(BITRATES[quality] - BITRATES[last]) / 1000
        rows.append((delay, stall, nap, buffer, BITRATES[quality] / 1000 - 4.3 * stall - change))
        last = quality
    return np.array(rows)


def test_the_simulator_is_the_event_by_event_one_to_rounding():
    generator = np.random.default_rng(0)
    with jax.enable_x64(True):
        traces, video = drawn_traces(generator), drawn_video(generator)
        links = Links.of(traces, kind=np.float64)
        wanted = generator.integers(6, size=(video.chunks, len(traces)))
        wanted[0] = 1
        wanted[:, 0] = 0  # over the fast link: the buffer fills, and the player naps
        wanted[0, 0] = 1
        factors = generator.uniform(0.9, 1.1, wanted.shape)
        start = generator.uniform(0, [time[-1] for time, _ in traces])
        # The choice is read from the memory by the number of the chunk.
        played = jax.jit(
            lambda: stream(
                links, video, lambda memory, player: (memory, memory[player.chunk[0]]),
                np.asarray(wanted), start=start, factors=factors,
            )
        )()  # fmt: skip
        found, earned = np.stack([*map(np.asarray, played[1:])], -1), np.asarray(qoe(played))
    assert (found[..., 2] > 0).any()
    assert (found[1:, :, 1] > 0).any()
    for row, (time, speed) in enumerate(traces):
        known = plainly(time, speed, video, wanted[:, row], start[row], factors[:, row])
        np.testing.assert_allclose(found[:, row], known, rtol=1e-9, atol=1e-9)
    assert found[..., 3].min() >= 0
    assert found[..., 3].max() <= BUFFER_MOST + NAP
    np.testing.assert_allclose(earned, found[1:, :, 4].mean(0), rtol=1e-12)


def test_over_a_constant_link_a_chunk_takes_its_bits_and_the_round_trip():
    video = drawn_video(np.random.default_rng(1), chunks=4)
    with jax.enable_x64(True):
        links = Links.of([(np.array([0.0, 1.0, 3.0]), np.full(3, 2.0))], kind=np.float64)
        played = stream(links, video, buffer_based(video), None)
        delay, quality = np.asarray(played.delay)[:, 0], np.asarray(played.quality)[:, 0]
    wanted = video.sizes[np.arange(4), quality] * 8e-6 / (PAYLOAD * 2.0) + ROUND_TRIP
    np.testing.assert_allclose(delay, wanted, rtol=1e-12)


@pytest.mark.slow
def test_a_plan_is_the_best_of_all_and_stops_with_the_video():
    generator = np.random.default_rng(2)
    bitrates = (300.0, 1200.0, 4300.0)
    video = drawn_video(generator, 6, bitrates)
    rates = np.array(bitrates) / 1000
    number = 40
    links = Links.of([(np.arange(3.0), np.ones(3))] * number)
    player = waiting(links)._replace(
        buffer=generator.uniform(0, 20, number).astype(np.float32),
        chunk=generator.integers(1, 6, number).astype(np.int32),
        quality=generator.integers(3, size=number).astype(np.int32),
        speeds=generator.uniform(0.05, 0.6, (number, 6)).astype(np.float32),
    )
    guesses = Guesses(
        generator.uniform(0.1, 0.5, number).astype(np.float32),
        generator.uniform(0, 0.5, (number, 5)).astype(np.float32),
    )
    for jumps in (None, 1):
        memory, found = robust_mpc(video, horizon=3, jumps=jumps)(guesses, player)
        for row in range(number):
            newest = float(player.speeds[row, -1])
            error = abs(float(guesses.speed[row]) - newest) / newest
            past = [*map(float, guesses.errors[row, 1:]), error]
            harmonic = 5 / sum(1 / float(one) for one in player.speeds[row, -5:])
            earnings = []
            for plan in itertools.product(range(3), repeat=min(3, 6 - int(player.chunk[row]))):
                left, last, earned = float(player.buffer[row]), int(player.quality[row]), 0.0
                if jumps and max(abs(np.diff([last, *plan]))) > jumps:
                    continue
                for ahead, quality in enumerate(plan):
                    size = video.sizes[int(player.chunk[row]) + ahead, quality] / 1e6
                    taken = size / (harmonic / (1 + max(past)))
                    earned += rates[quality] - STALL_COST * max(taken - left, 0)
                    earned -= abs(rates[quality] - rates[last])
                    left, last = max(left - taken, 0) + 4, quality
                earnings.append((earned, plan[0]))
            best = max(earnings)[0]
            # Of plans that earn the same to rounding, any.
            assert int(found[row]) in {first for earned, first in earnings if earned > best - 1e-4}
            assert float(memory.speed[row]) == pytest.approx(harmonic, rel=1e-5)


def test_plans_are_all_or_those_with_small_jumps():
    assert len(_plans(6, 5, None)) == 6**5
    assert len(_plans(6, 5, 1)) == sum(
        max(abs(np.diff(plan))) <= 1 for plan in itertools.product(range(6), repeat=5)
    )


def test_the_buffer_alone_picks_quality_in_a_straight_line():
    video = drawn_video(np.random.default_rng(3))
    links = Links.of([(np.arange(3.0), np.ones(3))] * 6)
    seconds = np.array([0.0, 4.99, 5.0, 7.0, 14.99, 15.0], np.float32)
    found = buffer_based(video)(None, waiting(links)._replace(buffer=seconds))[1]
    assert found.tolist() == [0, 0, 0, 1, 4, 5]
    assert observed(video, waiting(links)).shape == (6, 6, 6)


@pytest.mark.parametrize(
    ("seconds", "megabits", "said"),
    [
        (86_400.0, 100.0, "86,400 seconds of trace 1 in steps of 0.0078"),
        (20_000.0, 1.0, "20,000 seconds of trace 1 in steps of 0.002"),
        (600.0, 100.0, "60,000 megabits of trace 1 in steps of 0.0039"),
    ],
)
def test_a_trace_that_float32_cannot_count_is_refused(seconds, megabits, said):
    traces = [(np.arange(3.0), np.ones(3)), (np.array([0.0, seconds]), np.full(2, megabits))]
    with pytest.raises(ExperimentError, match=f"{said}.*kind=numpy.float64"):
        Links.of(traces)
    assert Links.of(traces, kind=np.float64).period.tolist() == [2.0, seconds]


@pytest.mark.slow
def test_what_float32_may_count_it_counts_finely():
    traces = [
        (np.array([0.0, end - 10, end]), np.array([0.0, rate, rate]))
        for end, rate in ((16_300.0, 2.0), (8_000.0, 4.0), (320.0, 100.0))
    ]
    video = Video.of(np.full((4, 1), 150e3), (300.0,))
    start = np.array([end - 5 for (_, _, end), _ in traces])
    policy = buffer_based(video)
    with jax.enable_x64(True):
        links = Links.of(traces, kind=np.float64)
        exact = np.asarray(stream(links, video, policy, None, start=start).delay)
    found = np.asarray(stream(Links.of(traces), video, policy, None, start=start).delay)
    np.testing.assert_allclose(found, exact, rtol=5e-3)


def test_qualities_that_there_are_not_are_the_nearest():
    video = drawn_video(np.random.default_rng(4), chunks=3)
    links = Links.of([(np.arange(3.0), np.full(3, 2.0))] * 4)
    asked = [
        stream(links, video, lambda memory, player, one=one: (memory, np.array(one)), None)
        for one in ([7, -1, 6, 2], [5, 0, 5, 2])
    ]
    for found, known in zip(*asked, strict=True):
        np.testing.assert_array_equal(found, known)
    assert asked[0].quality[1:].tolist() == [[5, 0, 5, 2]] * 2
    for first in (-1, 6):
        with pytest.raises(ExperimentError, match=f"quality {first} of 6"):
            stream(links, video, buffer_based(video), None, first=first)


def test_of_one_quality_the_first_chunk_has_that_and_a_single_chunk_has_no_mean():
    video = drawn_video(np.random.default_rng(5), 2, (300.0,))
    links = Links.of([(np.arange(3.0), np.full(3, 2.0))])

    def policy(memory, player):
        return memory, player.quality

    played = stream(links, video, policy, None)
    assert np.asarray(played.quality).tolist() == [[0], [0]]
    assert np.asarray(qoe(played)).item() == pytest.approx(0.3)
    with pytest.raises(ExperimentError, match="single chunk"):
        qoe(stream(links, video, policy, None, chunks=1))
    with pytest.raises(ExperimentError, match="single chunk"):
        collect(links, video, policy, None, chunks=1)


def test_what_is_no_trace_or_no_video_is_refused():
    for trace, said in (
        (([0.0, 0.0], [1.0, 1.0]), "do not grow"),
        (([0.0], [1.0]), "do not grow"),
        (([0.0, 1.0], [1.0, 0.0]), "carries nothing"),
        (([0.0, 1.0], [1.0, -1.0]), "carries nothing"),
    ):
        with pytest.raises(ExperimentError, match=f"(?s)trace 0.*{said}|{said}"):
            Links.of([tuple(map(np.array, trace))])
    with pytest.raises(ExperimentError, match="2 qualities"):
        Video.of(np.ones((3, 3)), (1, 2))
    with pytest.raises(ExperimentError, match="do not grow"):
        Video.of(np.ones((3, 2)), (2, 1))
    video = Video.of(np.ones((3, 2)), (1, 2))
    links = Links.of([(np.arange(3.0), np.ones(3))])
    with pytest.raises(ExperimentError, match="no first 4"):
        stream(links, video, buffer_based(video), None, chunks=4)
    with pytest.raises(ExperimentError, match="jumps of 0"):
        robust_mpc(video, jumps=0)
