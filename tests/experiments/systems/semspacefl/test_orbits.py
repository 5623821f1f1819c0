"""Orbits, tables of positions and what they refuse."""

import jax
import numpy as np
import pytest

from experiments.kits.federated.rounds import stacked
from experiments.systems.semspacefl.codec import (
    SemanticCodec,
)
from experiments.systems.semspacefl.missions import Mission, planned
from experiments.systems.semspacefl.orbits import (
    EARTH_KM,
    STANDING,
    Constellation,
    elevations,
    sites,
    visible,
)
from experiments.systems.semspacefl.simulation import quality_by_snr, run
from experiments.systems.semspacefl.tracks import read_tracks
from ntkexec.errors import ExperimentError

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
