"""Orbits, batteries, weights and codec of SemSpaceFL: known numbers, invariances, and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.harness import runner
from experiments.harness.study import Record
from experiments.kits.federated.traffic import Totals
from experiments.systems.semspacefl.aggregation import (
    weights_by,
)
from experiments.systems.semspacefl.claims import CLAIMS
from experiments.systems.semspacefl.codec import (
    SemanticCodec,
    channel,
    initial_codec,
    psnr,
    symbols,
    with_unit_power,
)
from experiments.systems.semspacefl.energy import Power, battery
from experiments.systems.semspacefl.missions import Mission, planned
from experiments.systems.semspacefl.orbits import (
    STANDING,
    Constellation,
    sites,
)
from experiments.systems.semspacefl.rate_distortion import least_distortion
from experiments.systems.semspacefl.scenery import tiles_at, tiles_from
from ntkexec.errors import ExperimentError

RNG = np.random.default_rng(0)


def tiles_of(**by_snr):
    return (Record(seed=0, results={"tiles": {"by_snr": by_snr}}),) * 3


def test_a_codec_that_ignores_the_channel_gains_nothing_over_a_better_one():
    claim = next(one for one in CLAIMS if one.name == "snr-gain")
    flat, up = [12.0] * 5, [10.0, 11, 12, 13, 14]
    assert claim.broken is not None
    assert runner.judge(claim, tiles_of(trained=flat)).verdict == "fails"
    assert runner.judge(claim, tiles_of(trained=up)).verdict == "holds"
    assert claim.broken(tiles_of(trained=up, shuffled=flat)).value == 0


def test_batteries_balance_and_who_cannot_afford_work_does_none():
    power = Power(capacity=100.0, floor=20.0)
    books = battery(
        np.array([100.0, 25.0]), np.full((4, 2), 3.0), np.full((4, 2), 10.0), power,
        wanted=np.array([[True, True], [False, True], [True, True], [True, True]]),
    )  # fmt: skip
    # The second saves up from 25 until 10 leave 20.
    assert books.worked.tolist() == [[1, 0], [0, 0], [1, 1], [1, 0]]
    np.testing.assert_array_equal(books.level[:, 0], [100, 93, 96, 89, 82])
    np.testing.assert_array_equal(books.level[:, 1], [25, 28, 31, 24, 27])
    full = battery(np.array([99.0]), np.array([[5.0]]), np.zeros((1, 1)), power)
    assert full.overflowed.tolist() == [[4.0]]
    for start, harvest, says in (
        ([10.0], [[1.0]], "between 20 and 100"),
        ([50.0], [[-1.0]], "negative"),
        ([50.0], [[np.inf]], "finite"),
        ([50.0, 50], [[1.0]], "do not fit"),
    ):
        with pytest.raises(ExperimentError, match=says):
            battery(np.array(start), np.array(harvest), np.zeros((1, 1)), power)
    dark = battery(np.array([99.0]), np.zeros((9, 1)), np.full((9, 1), 37.0), power)
    assert dark.worked.sum() == 2  # (99 - 20) / 37
    with pytest.raises(ExperimentError, match="has no floor 1000"):
        Power(floor=1000.0)


def test_a_plan_keeps_books_of_updates_bits_and_hand_overs():
    mission = Mission(rounds=4)
    tracks = Constellation(24, 6).tracks(mission.seconds)
    plan = planned(tracks, mission, model_bytes=1000)
    up, active = int((plan.shares > 0).sum()), int((plan.shares.sum(2) > 0).sum())
    hops = plan.traffic(1000).by_hop()
    assert hops["satellite to gateway"] == Totals(1000 * up, up)
    assert hops["gateway to satellite"] == Totals(1000 * active, active)
    # Over one another's borders only: a satellite of one gateway is handed over to none.
    several = (plan.shares > 0).sum(2) > 1
    assert plan.handovers.sum() >= several.sum() > 0
    assert (plan.books.level >= mission.power.floor).all()
    np.testing.assert_allclose(plan.books.spent[plan.books.worked].min(), 250, rtol=0.01)
    # Whoever begins with a gateway is served by it.
    rounds, satellites = np.nonzero(plan.shares.sum(2))
    assert (plan.shares[rounds, satellites, plan.first[rounds, satellites]] > 0).all()
    # At the end of a cloud round a gateway counts all that it served in it.
    samples = np.arange(1.0, 25)
    above = plan.weights("mobility", samples)[1]
    np.testing.assert_allclose(above[1], np.tensordot(samples, plan.shares[:2].sum(0), 1))
    dark = Mission(rounds=4, power=Power(capacity=500.0, sun=0.0))
    left = planned(tracks, dark, model_bytes=1000)
    assert left.books.worked.sum(0).max() == 1
    assert left.served.sum() > left.books.worked.sum() > 0


def test_updates_that_take_longer_than_a_pass_are_not_begun_but_counted():
    mission = Mission(rounds=2, power=Power(compute=0, transmit=1e-6))
    tracks = Constellation(24, 6).tracks(mission.seconds)
    small, large = (planned(tracks, mission, size) for size in (1, 10**12))
    assert small.failed.sum() == 0 < (small.shares > 0).sum()
    assert large.failed.sum() == (small.shares > 0).sum()
    assert np.array_equal(large.served, small.served)
    assert not large.shares.any()
    assert not large.books.spent.any()
    assert large.traffic(10**12).by_hop()["satellite to gateway"] == Totals(0, 0)
    # In between, some passes are long enough: what they send takes no longer than they last.
    some = planned(tracks, mission, 100)
    assert 0 < some.failed.sum() < large.failed.sum()
    seconds = some.books.spent.sum() / mission.power.transmit
    assert seconds <= (small.shares * (some.shares > 0)).sum() * mission.slot * mission.slots


def test_satellites_that_stand_still_are_not_handed_over_even_halfway_between_gateways():
    # One satellite is as far from the gateway at 35 N, 105 W as from that at 15 S, 55 W.
    mission = Mission(rounds=2, least=45.0)
    tracks = Constellation(24, 1, STANDING, inclination=0.0).tracks(mission.seconds)
    plan = planned(tracks, mission, model_bytes=1000)
    assert plan.handovers.sum() == 0
    assert set(np.unique(plan.shares)) == {0, 1}
    # So the paper's weights are the naive ones; 550 km up they are not.
    samples = np.arange(1.0, 25)
    np.testing.assert_array_equal(*(plan.weights(one, samples)[0] for one in ("mobility", "naive")))
    low = planned(Constellation(24, 6).tracks(mission.seconds), mission, model_bytes=1000)
    ours, theirs = (low.weights(one, samples)[0] for one in ("mobility", "naive"))
    assert np.abs(ours - theirs).max() > 0.1


@pytest.mark.slow
def test_symbols_have_unit_power_and_a_channel_its_noise():
    codec = SemanticCodec(numbers=8, width=4)
    params = initial_codec(codec, 8, np.random.default_rng(0))
    pictures = RNG.uniform(size=(5, 8, 8, 3)).astype(np.float32)
    sent = codec.apply({"params": params}, pictures, method="encode")
    assert sent.shape == (5, 16)  # of 192 numbers: a rate of 1/12
    np.testing.assert_allclose((np.abs(sent) ** 2).mean(1), 1, atol=1e-6)
    received = codec.apply({"params": params}, pictures, jax.random.key(0), 10.0)
    assert received.shape == pictures.shape
    np.testing.assert_allclose(psnr(pictures, pictures + 0.1), 20, rtol=1e-4)
    lines = with_unit_power(symbols(jnp.asarray(RNG.normal(size=(200, 400)), jnp.float32)))
    for snr in (0.0, 20.0):
        noise = np.abs(channel(lines, jax.random.key(1), snr) - lines) ** 2
        np.testing.assert_allclose(noise.mean(), 10 ** (-snr / 10), rtol=0.03)
    assert with_unit_power(jnp.zeros((1, 3), complex)).tolist() == [[0, 0, 0]]
    with pytest.raises(ExperimentError, match="6 x 6 are not cut"):
        codec.apply({"params": params}, pictures[:, :6, :6], method="encode")


def test_the_bound_of_gaussian_sources_has_its_closed_forms():
    # All alike: sigma^2 (1 + SNR)^(-2 k / n) each.
    for k, snr in ((8, 0.0), (32, 10.0)):
        wanted = 64 * 3.0 * (1 + 10 ** (snr / 10)) ** (-2 * k / 64)
        np.testing.assert_allclose(least_distortion(np.full(64, 3.0), k, snr), wanted, rtol=1e-12)
    # One bit for two components of which the second is too small: only the first is described.
    np.testing.assert_allclose(least_distortion(np.array([4.0, 0.5]), 1, 0.0), 1.5, rtol=1e-12)
    # Met where each number has a line of its own; 4 standard errors of 128,000 squares.
    drawn = np.random.default_rng(0).normal(size=(2000, 64))
    sent = symbols(jnp.asarray(drawn / np.sqrt(2), jnp.float32))
    received = np.asarray(channel(sent, jax.random.key(0), 10.0))
    seen = np.stack([received.real, received.imag], -1).reshape(drawn.shape)
    found = ((seen * np.sqrt(2) / 1.1 - drawn) ** 2).sum(1).mean()
    bound = least_distortion(np.ones(64), 32, 10.0)
    np.testing.assert_allclose(found, bound, rtol=4 * np.sqrt(2 / 128_000))
    for wrong in ((-1, 10.0), (2, np.nan), (2, 5000.0)):
        with pytest.raises(ExperimentError, match="are no channel"):
            least_distortion(np.ones(4), *wrong)
    with pytest.raises(ExperimentError, match="positive"):
        least_distortion(np.array([1.0, 0.0]), 1, 0.0)


def test_tiles_depend_on_the_place_and_folders_are_cut_into_pieces(tmp_path):
    south, north = (
        tiles_at(np.full(64, lat), np.linspace(-180, 180, 64), 8, np.random.default_rng(0))
        for lat in (5.0, 80.0)
    )
    assert south.shape == (64, 8, 8, 3)
    assert south.dtype == np.float32
    assert 0 <= south.min() <= south.max() <= 1
    assert abs(south.mean() - north.mean()) > 0.05
    pixels = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    (tmp_path / "deep").mkdir()
    Image.fromarray(pixels).save(tmp_path / "deep" / "one.png")
    pieces = tiles_from(tmp_path, 8, 5, np.random.default_rng(0))
    cut = np.lib.stride_tricks.sliding_window_view(pixels, (8, 8, 3))[..., 0, :, :, :]
    known = {part.tobytes() for part in cut.reshape(-1, 8, 8, 3)}
    assert all((255 * piece).round().astype(np.uint8).tobytes() in known for piece in pieces)
    with pytest.raises(ExperimentError, match="has no piece of 16 x 16"):
        tiles_from(tmp_path, 16, 5, np.random.default_rng(0))
    with pytest.raises(ExperimentError, match="holds no picture"):
        tiles_from(tmp_path / "none", 8, 5, np.random.default_rng(0))


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Constellation(10, 4), "10 satellites do not fill 4 planes"),
        (lambda: Constellation(altitude=-1.0), "not -1.0"),
        (lambda: Constellation(inclination=200.0), "not 200"),
        (lambda: Constellation(altitude=1e300), "at most 100,000 km"),
        (lambda: Constellation(phasing=0.5), "whole numbers"),
        (lambda: Constellation(turned=(np.nan, 0.0)), "turned by degrees"),
        (lambda: Power(transmit=0.0), "transmit of a satellite"),
        (lambda: Power(bandwidth=0.0), "bandwidth of a satellite"),
        (lambda: Power(gain=np.nan), "gain of a satellite"),
        (lambda: Mission(least=np.nan), "not nan degrees"),
        (lambda: Mission(slot=np.inf), "slot of inf s"),
        (lambda: Mission(slots=2.5), "whole numbers"),
        (lambda: planned(Constellation().tracks(Mission().seconds), Mission(), -5), "not -5"),
        (lambda: weights_by("naive", np.ones(2), np.ones((2, 0))), "some gateways"),
        (lambda: sites([]), "latitude, longitude"),
        (lambda: sites([(91.0, 0.0)]), "not on the globe"),
        (lambda: Mission(rounds=3), "3 gateway rounds"),
        (lambda: Mission(slot=-1.0), "slot of -1.0 s"),
        (lambda: Mission(least=100.0), "not 100.0 degrees"),
        (lambda: Mission(sites=((-105.0, 35.0),)), "not on the globe"),
    ],
)
def test_what_makes_no_mission_is_refused(make, says):
    with pytest.raises(ExperimentError, match=says):
        make()
