"""Places of satellites over time, from an orbit or from a table, and whether the Sun shines on them."""

import csv
import dataclasses
import datetime
import io
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from experiments.files.sources import as_file, content_up_to
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

EARTH_KM = 6371.0
DAY = 86_400.0
COLUMNS = ("time", "sat", "lat", "lon", "alt")
HIGHEST_KM = 1e5
"""Altitude from which on a table is thought to be in metres."""
GRAVITY = 398_600.4
"""The Earth's gravitational parameter, in km^3 / s^2."""
MOST_BYTES = 200_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class Tracks:
    """Satellites in axes that turn with the Earth.

    Args:
        names: of the satellites.
        seconds: growing, from any origin.
        positions: of each at each time, in km.
    """

    names: tuple[str, ...]
    seconds: Float[np.ndarray, "T"]
    positions: Float[np.ndarray, "T S 3"]

    @property
    def ground(self) -> tuple[Float[np.ndarray, "T S"], Float[np.ndarray, "T S"]]:
        """Latitude and longitude of the points below, in degrees, on a sphere."""
        x, y, z = np.moveaxis(self.positions, -1, 0)
        return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))

    def at(self, seconds: Float[np.ndarray, "T2"]) -> "Tracks":
        """Places at other times, along great circles at even speed between those that are known.

        Raises:
            ExperimentError: a time is none or lies outside of what is known, or an orbit goes further than
                90 degrees between two rows, so that the way is not known.
        """
        wanted = np.asarray(seconds, float)
        if wanted.ndim != 1 or not wanted.size or not np.isfinite(wanted).all():
            raise ExperimentError(f"places are asked for at some finite seconds, not {wanted!r}")
        if wanted.min() < self.seconds[0] or wanted.max() > self.seconds[-1]:
            raise ExperimentError(
                f"tracks from {self.seconds[0]:g} to {self.seconds[-1]:g} s say nothing about times "
                f"from {wanted.min():g} to {wanted.max():g} s"
            )
        after = np.clip(np.searchsorted(self.seconds, wanted), 1, len(self.seconds) - 1)
        low, high = self.seconds[after - 1], self.seconds[after]
        share = ((wanted - low) / (high - low))[:, None, None]
        one, two = self.positions[after - 1], self.positions[after]
        from_centre, to_centre = _norm(one), _norm(two)
        one, two = one / from_centre, two / to_centre
        cosine = (one * two).sum(-1, keepdims=True)
        turned = np.sqrt(GRAVITY / np.minimum(from_centre, to_centre) ** 3)
        lost = (cosine < 0) | (turned * (high - low)[:, None, None] > np.pi / 2)
        if lost.any():
            when, who, _ = np.argwhere(lost)[0]
            raise ExperimentError(
                f"{shown(self.names[who])} goes further than 90 degrees from {low[when]:g} to "
                f"{high[when]:g} s: rows must be closer"
            )
        angle = np.arctan2(_norm(np.cross(one, two)), cosine) / np.pi
        # sin(s a) / sin(a), also where a is 0.
        first, second = (
            part * np.sinc(part * angle) / np.sinc(angle) for part in (1 - share, share)
        )
        heights = (1 - share) * from_centre + share * to_centre
        return Tracks(self.names, wanted, (first * one + second * two) * heights)

    def sunlit(self, noon: float = 0.0) -> Bool[np.ndarray, "T S"]:
        """Which satellites are outside of the Earth's shadow, a cylinder, at an equinox.

        Args:
            noon: longitude in degrees over which the Sun stands at second 0.
        """
        turned = np.radians(noon) - 2 * np.pi * self.seconds / DAY
        sun = np.stack([np.cos(turned), np.sin(turned), np.zeros_like(turned)], -1)[:, None]
        along = (self.positions * sun).sum(-1)
        beside = np.linalg.norm(self.positions - along[..., None] * sun, axis=-1)
        return (along > 0) | (beside > EARTH_KM)


def read_tracks(path: str | PathLike[str]) -> Tracks:
    """Tracks from a table of comma-separated values, such as orbit propagators write.

    Args:
        path: its first line names the columns; those called time (seconds, or ISO 8601, which
            becomes Unix time), sat, lat, lon (degrees) and
            alt (km) are read, in any order. Every satellite has the same times, of any
            clock (`Mission.begin` says when on it); rows come in any order.

    Raises:
        ExperimentError: names the line or the satellite that does not fit.
    """
    file = as_file(path)
    try:
        text = content_up_to(file, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{shown(file)} is no text: {error.reason}") from error
    rows = _rows(text, file)
    heads = [word.strip().lower() for word in next(rows, (1, []))[1]]
    if len(heads) == 1 and ";" in heads[0]:
        raise ExperimentError(f"{shown(file)} separates values by semicolons; commas are needed")
    if twice := [name for name in COLUMNS if heads.count(name) > 1]:
        raise ExperimentError(f"{shown(file)} has more than one column {twice[0]!r}")
    if lacking := [name for name in COLUMNS if name not in heads]:
        raise ExperimentError(
            f"{shown(file)} has no column {lacking[0]!r} among {quoted(heads)}; it needs "
            f"{', '.join(COLUMNS)}"
        )
    where = [heads.index(name) for name in COLUMNS]
    found: dict[str, dict[float, tuple[float, float, float]]] = {}
    for number, row in rows:
        if not any(word.strip() for word in row):
            continue
        time, name, place = _row(row, where, f"line {number} of {shown(file)}")
        if time in found.setdefault(name, {}):
            raise ExperimentError(
                f"line {number} of {shown(file)} has {shown(name)} at {time:g} s once more"
            )
        found[name][time] = place
    if not found:
        raise ExperimentError(f"{shown(file)} has no rows")
    names = tuple(sorted(found))
    times = sorted(found[names[0]])
    for name in names:
        if sorted(found[name]) != times or len(times) < 2:
            raise ExperimentError(
                f"{shown(name)} in {shown(file)} has {len(found[name])} times, which must be two at "
                f"least and the same as those of {shown(names[0])}"
            )
    table = np.array([[found[name][time] for name in names] for time in times])
    latitude, longitude, altitude = np.moveaxis(table, -1, 0)
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    flat = np.cos(latitude)
    unit = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], -1)
    return Tracks(names, np.array(times), (EARTH_KM + altitude)[..., None] * unit)


def _rows(text: str, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows, and the numbers of the lines on which they end."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ExperimentError(f"line {reader.line_num} of {shown(file)}: {error}") from error


def _row(
    row: list[str], where: list[int], place: str
) -> tuple[float, str, tuple[float, float, float]]:
    if len(row) <= max(where):
        raise ExperimentError(f"{place} has {len(row)} values, too few")
    time, name, *rest = (row[at].strip() for at in where)
    try:
        # Python's own spelling of numbers is none of a table's.
        numbers = [_moment(time), *(float(word.replace("_", "?")) for word in rest)]
    except ValueError:
        raise ExperimentError(f"{place} has a value that is no number: {quoted(row)}") from None
    seconds, latitude, longitude, altitude = numbers
    if not (np.isfinite(numbers).all() and abs(latitude) <= 90 and 0 < altitude <= HIGHEST_KM):
        raise ExperimentError(
            f"{place} is no place up to {HIGHEST_KM:,.0f} km above the Earth: {quoted(row)}"
        )
    if not name or not name.isprintable():
        raise ExperimentError(f"{place} has no name of a satellite: {quoted([name])}")
    return seconds, name, (latitude, longitude, altitude)


def _moment(word: str) -> float:
    """Seconds, as they are or of a date and a time, in UTC unless it says otherwise."""
    try:
        return float(word.replace("_", "?"))
    except ValueError:
        date = datetime.datetime.fromisoformat(word)
        return (date if date.tzinfo else date.replace(tzinfo=datetime.UTC)).timestamp()


def _norm(positions: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.linalg.norm(positions, axis=-1, keepdims=True)
    return length
