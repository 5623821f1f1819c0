"""Orbits, batteries, weights and codec of SemSpaceFL: known numbers, invariances, and refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.harness import runner
from experiments.harness.study import Record, Trial
from experiments.kits.federated.rounds import stacked
from experiments.kits.federated.traffic import Totals
from experiments.systems.semspacefl.aggregation import (
    SCHEMES,
    effective_weights,
    over_mesh,
    two_tier_average,
    two_tiers_inside,
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
    EARTH_KM,
    STANDING,
    Constellation,
    elevations,
    sites,
    visible,
)
from experiments.systems.semspacefl.rate_distortion import least_distortion
from experiments.systems.semspacefl.scenery import tiles_at, tiles_from
from experiments.systems.semspacefl.simulation import quality_by_snr, run
from experiments.systems.semspacefl.study import STUDIES
from experiments.systems.semspacefl.study_exact import _beyond
from experiments.systems.semspacefl.tracks import read_tracks
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

RNG = np.random.default_rng(0)


def half_angle(altitude, least):
    """Degrees at the Earth's centre from a gateway to the farthest satellite that it sees."""
    low = np.radians(least)
    return np.degrees(np.arccos(EARTH_KM * np.cos(low) / (EARTH_KM + altitude)) - low)


def test_an_orbit_at_550_km_has_its_four_numbers():
    shell = Constellation(1, 1, inclination=0.0)
    places, gateway = shell.positions(np.arange(0.0, shell.period)), sites([(0.0, 90.0)])
    seen = visible(places, gateway)[:, 0, 0]
    cosine = places[:, 0] @ gateway[0] / np.prod(np.linalg.norm([places[0, 0], gateway[0]], axis=1))
    far = elevations(places, gateway)[1][:, 0, 0]
    counted = (
        shell.period / 60, np.degrees(np.arccos(cosine[seen].min())), seen.sum() / 60, far[seen].max(),
    )  # fmt: skip
    # Of T = 2 pi sqrt(a^3 / mu), psi = arccos(R cos e / a) - e, psi T / pi and the law of cosines.
    np.testing.assert_allclose(counted, (95.50, 14.97, 7.94, 1815), rtol=5e-3)
    np.testing.assert_allclose(counted[1], half_angle(550.0, 10.0), rtol=5e-3)


def test_orbits_are_circles_that_close_and_standing_satellites_stand():
    shell = Constellation(12, 3, turned=(10.0, 20.0))
    found = shell.positions(np.array([0.0, 1000.0, shell.period]))
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), shell.radius, rtol=1e-12)
    np.testing.assert_allclose(found[2], found[0], atol=1e-9 * shell.radius)
    assert len(np.unique(found[0].round(3), axis=0)) == 12
    still = Constellation(4, 1, STANDING, inclination=0.0).tracks(np.array([0.0, 40_000.0]))
    np.testing.assert_allclose(still.positions[1], still.positions[0], atol=1e-6)


def test_who_is_high_enough_is_who_is_within_the_half_angle():
    places = RNG.normal(size=(10_000, 1, 3))
    places *= (EARTH_KM + 550) / np.linalg.norm(places, axis=-1, keepdims=True)
    gateway = sites([(40.0, -75.0)])
    cosine = (places[:, 0] @ gateway[0]) / ((EARTH_KM + 550) * EARTH_KM)
    within = np.degrees(np.arccos(np.clip(cosine, -1, 1))) <= half_angle(550.0, 10.0)
    assert np.array_equal(visible(places, gateway)[:, 0, 0], within)
    assert 0.005 < within.mean() < 0.03  # a cap of 15 degrees is 1.7 % of a sphere


def test_a_table_of_places_is_the_orbit_that_it_was_written_from(tmp_path):
    shell, path = Constellation(2, 1), tmp_path / "places.csv"
    tracks = shell.tracks(np.arange(0, 601, 60.0))
    latitude, longitude = tracks.ground
    rows = ["sat,time,lat,lon,alt,remark"]
    rows += [
        f"{tracks.names[s]},{tracks.seconds[t]},{latitude[t, s]!r},{longitude[t, s]!r},550.0,x"
        for t in range(len(tracks.seconds))
        for s in (1, 0)
    ]
    path.write_text("\n".join(rows).replace("np.float64(", "").replace(")", ""))
    read = read_tracks(path)
    assert read.names == tracks.names
    np.testing.assert_allclose(read.positions, tracks.positions, atol=1e-6)
    # Between rows a minute apart an arc is off by the Earth's turning alone.
    wanted = np.array([30.0, 299.0])
    np.testing.assert_allclose(read.at(wanted).positions, shell.tracks(wanted).positions, atol=0.5)
    with pytest.raises(ExperimentError, match="nothing about times"):
        read.at(np.array([601.0]))
    for nowhen in ([], [np.nan]):
        with pytest.raises(ExperimentError, match="at some finite seconds"):
            read.at(np.array(nowhen))


def places_of(tmp_path, rows, heads="time,sat,lat,lon,alt"):
    path = tmp_path / "places.csv"
    path.write_text("\n".join([heads, *rows]), newline="")
    return path


@pytest.mark.parametrize("span", [1e-9, 60.0, 89.0])
def test_between_rows_a_satellite_goes_along_the_arc_at_even_speed(tmp_path, span):
    path = places_of(tmp_path, ["0,A,0,0,500", f"100,A,0,{span},600"])
    longitude = read_tracks(path).at(np.array([0.0, 25, 50, 100])).ground[1][:, 0]
    np.testing.assert_allclose(longitude, span * np.array([0, 0.25, 0.5, 1]), rtol=1e-6)


def test_rows_too_far_apart_to_know_the_way_are_refused(tmp_path):
    tracks = read_tracks(
        places_of(tmp_path, ["0,A,0,0,500", "9,A,0,10,500", "100,A,0,101,500", "5800,A,0,102,500"])
    )
    assert tracks.at(np.array([4.5])).names == ("A",)
    with pytest.raises(ExperimentError, match="A goes further than 90 degrees from 9 to 100 s"):
        tracks.at(np.array([4.5, 50.0]))
    # An orbit later it is close again.
    with pytest.raises(ExperimentError, match="from 100 to 5800 s"):
        tracks.at(np.array([200.0]))


def test_times_of_day_are_unix_time(tmp_path):
    rows = ["2026-01-01T00:00:00,A,0,0,500", "2026-01-01T01:01:00+01:00,A,0,4,500"]
    assert read_tracks(places_of(tmp_path, rows)).seconds.tolist() == [1767225600, 1767225660]


def test_a_training_without_anybody_served_or_of_pictures_up_to_255_is_refused_before_it_begins():
    mission = Mission(rounds=2, sites=((89.0, 0.0),))
    tracks = Constellation(4, 1, inclination=0.0).tracks(mission.seconds)
    pictures = np.full((4, 8, 8, 3), 0.5, np.float32)
    parts = tuple(np.arange(4)[:, None])
    given = {"key": jax.random.key(0), "codec": SemanticCodec(numbers=8, width=4)}
    with pytest.raises(
        ExperimentError, match="of 4 satellites 0 are ever 10 degrees above one of 1"
    ):
        run(mission, tracks, stacked(pictures, parts), pictures, **given)
    for wrong in (255 * pictures, (255 * pictures).astype(np.uint8), pictures - 1):
        for mine, tested in ((wrong, pictures), (pictures, wrong)):
            with pytest.raises(ExperimentError, match="floats from 0 to 1"):
                run(mission, tracks, stacked(mine, parts), tested, **given)
        with pytest.raises(ExperimentError, match="floats from 0 to 1"):
            quality_by_snr(given["codec"], {}, wrong, given["key"], np.array([0.0]))


def test_a_mission_begins_when_its_table_does(tmp_path):
    rows = [f"{1.7e9 + t:.0f},A,0,{0.06 * t},550" for t in range(0, 181, 60)]
    tracks = read_tracks(places_of(tmp_path, rows))
    given = {"sites": ((0.0, 0.0),), "slots": 6, "rounds": 1, "cloud_every": 1}
    assert planned(tracks, Mission(**given, begin=1.7e9), 1000).shares.tolist() == [[[1]]]
    with pytest.raises(ExperimentError, match="nothing about times"):
        planned(tracks, Mission(**given), 1000)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "no column 'time'"),
        ("time,sat,lat,lon\n", "no column 'alt'"),
        ("time,sat,lat,lon,alt\n", "no rows"),
        ("time,sat,lat,lon,alt\n0,a,1\n", "line 2 .* has 3 values"),
        ("time,sat,lat,lon,alt\n0,a,1,2,high\n", "line 2 .* no number"),
        ("time,sat,lat,lon,alt\n0,a,91,2,500\n", "line 2 .* no place up to"),
        ("time,sat,lat,lon,alt\n0,a,nan,2,500\n", "line 2 .* no place up to"),
        ("time,sat,lat,lon,alt\n0,a,1,2,1e200\n", "line 2 .* no place up to"),
        ("time,sat,lat,lon,alt\n0,a,1,2,550000\n", "line 2 .* no place up to 100,000 km"),
        ("time;sat;lat;lon;alt\n0;a;1;2;500\n", "commas are needed"),
        ("time,sat,lat,lon,alt\n1_0,a,1,2,500\n", "line 2 .* no number"),
        ("time,sat,lat,lon,alt,alt\n0,a,1,2,500,600\n", "more than one column 'alt'"),
        ('time,sat,lat,lon,alt\n0,"a\nb",1,2,500\n', "line 3 .* no name"),
        ('time,sat,lat,lon,alt\n0,a,1,2,500\n0,"b,1,2,500\n', "line 3 .*end of data"),
        ("time,sat,lat,lon,alt\n0,a\0b,1,2,500\n", "line 2 .* no name"),
        (f"time,sat,lat,lon,alt\n0,{'a' * 200_000},1,2,500\n", "line 2 .*field larger"),
        ("time,sat,lat,lon,alt\n0,a,1,2,500\n0,a,1,2,500\n", "line 3 .* once more"),
        ("time,sat,lat,lon,alt\n0,a,1,2,5\n1,a,1,2,5\n0,b,1,2,5\n", "b in .* has 1 times"),
    ],
)
def test_a_table_that_is_none_is_refused_by_its_line(tmp_path, text, says):
    path = tmp_path / "places.csv"
    path.write_text(text)
    with pytest.raises(ExperimentError, match=says):
        read_tracks(path)


def drawn(satellites=6, gateways=3):
    shares = RNG.dirichlet(np.ones(gateways), satellites) * RNG.uniform(0.2, 1, (satellites, 1))
    shares[0] = 0  # nobody sees it
    shares[:, 2] = 0  # it serves nobody
    return RNG.uniform(1, 9, satellites), shares


@pytest.mark.parametrize("scheme", SCHEMES)
def test_effective_weights_are_those_of_the_models_and_names_do_not_matter(scheme):
    samples, shares = drawn()
    weights = weights_by(scheme, samples, shares)
    effective = effective_weights(weights)
    assert effective.min() >= 0
    assert effective[0] == 0
    np.testing.assert_allclose(effective.sum(), 1, rtol=1e-12)
    with float64():
        models = {"a": RNG.normal(size=(6, 2, 2)), "b": RNG.normal(size=6)}
        cloud, held = two_tier_average(models, *weights)
        for name, leaf in models.items():
            np.testing.assert_allclose(cloud[name], np.tensordot(effective, leaf, 1), atol=1e-12)
        assert np.isfinite(held["a"]).all()
        satellites, gateways = RNG.permutation(6), np.array([1, 0, 2])
        moved = weights_by(scheme, samples[satellites], shares[satellites][:, gateways])
        mixed = jax.tree.map(lambda leaf: leaf[satellites], models)
        again = two_tier_average(mixed, *moved)[0]
        np.testing.assert_allclose(again["a"], cloud["a"], atol=1e-12)


def test_a_satellite_counts_once_and_by_the_naive_scheme_once_for_each_gateway():
    samples, shares = drawn()
    once = samples * shares.sum(1)
    ours = effective_weights(weights_by("mobility", samples, shares))
    np.testing.assert_allclose(ours, once / once.sum(), atol=1e-12)
    unbiased = effective_weights(weights_by("unbiased", samples, shares))
    served = samples * (shares.sum(1) > 0)
    np.testing.assert_allclose(unbiased, served / served.sum(), atol=1e-12)
    times = weights_by("naive", samples, shares)[0].sum(1) / samples
    np.testing.assert_allclose(times, (shares > 0).sum(1))


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_models_in_half_precision_have_both_averages_and_whole_numbers_none(dtype):
    samples, shares = drawn()
    weights = weights_by("mobility", 1e5 * samples, shares)
    cloud, held = two_tier_average(jnp.full((6, 2), 100, dtype), *weights)
    assert cloud.dtype == held.dtype == dtype
    assert np.asarray(cloud, float).tolist() == [100, 100]
    with pytest.raises(ExperimentError, match="floating-point"):
        two_tier_average(jnp.ones((6, 2), jnp.int32), *weights)


def test_a_gateway_that_served_nobody_keeps_its_model_and_without_anybody_nothing_is_lost():
    samples, shares = drawn()
    before = {"a": np.full((3, 2), 7.0, np.float32)}
    models = {"a": RNG.normal(size=(6, 2)).astype(np.float32)}
    cloud, held = two_tier_average(models, *weights_by("mobility", samples, shares), before=before)
    np.testing.assert_array_equal(held["a"][2], [7, 7])
    assert np.abs(cloud["a"]).max() < 7
    nobody = weights_by("mobility", samples, 0 * shares)
    assert np.array_equal(two_tier_average(models, *nobody, before=before)[0]["a"], [7, 7])
    with pytest.raises(ExperimentError, match="no gateway served"):
        effective_weights(nobody)
    with pytest.raises(ExperimentError, match="no scheme 'fair'"):
        weights_by("fair", samples, shares)
    with pytest.raises(ExperimentError, match="at most 1"):
        weights_by("mobility", samples, shares + 1)


def test_both_tiers_inside_a_mesh_are_the_dense_ones():
    samples, shares = drawn(6, 3)
    satellites, gateways = weights_by("mobility", samples, shares)
    models = RNG.normal(size=(6, 4)).astype(np.float32)
    cloud, held = two_tier_average(models, satellites, gateways)
    # Three gateways, and satellites in two blocks of three.
    columns = jax.vmap(two_tiers_inside, in_axes=(0, 0, None), axis_name="sat")
    both = jax.vmap(columns, in_axes=(None, 0, 0), axis_name="gateway")
    blocks = jnp.asarray(satellites.T.reshape(3, 2, 3), jnp.float32)
    over, means = jax.jit(both)(models.reshape(2, 3, 4), blocks, jnp.asarray(gateways, jnp.float32))
    np.testing.assert_allclose(over, np.broadcast_to(cloud, over.shape), atol=1e-6)
    np.testing.assert_allclose(means[:, 0], held, atol=1e-6)
    mesh = jax.make_mesh((1, 1), ("gateway", "sat"), devices=jax.devices()[:1])
    alone = (models, satellites[:, :1].astype(np.float32), gateways[:1].astype(np.float32))
    np.testing.assert_allclose(
        jax.jit(over_mesh(mesh))(*alone)[0], two_tier_average(*alone)[0], atol=1e-6
    )


@pytest.mark.slow
def test_over_eight_devices_the_models_are_the_dense_ones_and_each_tier_sends_one():
    config = dataclasses.replace(STUDIES.tiny, devices=2)
    mesh = STUDIES.functions["mesh"](config, Trial("mesh", 0))
    assert mesh["deviation"] < 1e-6 < mesh["unweighted"]
    assert mesh["beyond"] == 0 < mesh["gathered"]


def test_bytes_beyond_one_sum_for_each_tier_are_seen_also_where_both_have_groups_of_one_size():
    for columns in (2, 4):
        both = [["all-reduce", columns, 40], ["all-reduce", 4, 40]]
        assert _beyond(both, columns, 40) == 0
        assert _beyond(both[:1], columns, 40) == 40
        assert _beyond([*both, ["all-gather", 4, 8]], columns, 40) == 8
        assert _beyond([*both, ["all-reduce", 8, 8]], columns, 40) == 8


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
