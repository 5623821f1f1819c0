"""Pictures of the ground below: drawn from place to place, or cut out of any folder of pictures."""

from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from experiments.files.rasters import colours_of
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp")
# Red, green and blue of what covers the ground, from the equator to the poles.
FOREST, SAND, FIELD, ICE = (0.08, 0.32, 0.1), (0.85, 0.7, 0.4), (0.5, 0.55, 0.2), (0.85, 0.9, 0.95)
SEA, CLOUD = (0.03, 0.12, 0.35), (0.95, 0.95, 0.97)


def tiles_at(
    latitude: Float[np.ndarray, "n"],
    longitude: Float[np.ndarray, "n"],
    size: int,
    generator: np.random.Generator,
) -> Float32[np.ndarray, "n size size 3"]:
    """Drawn pictures of the ground at some places: what is seen depends on where.

    Continents have fixed places and fractal coasts; land is forest near the equator, then sand, then
    fields, then ice; clouds are frequent at the equator and around 55 degrees.

    Args:
        latitude, longitude: of each picture, in degrees.
        size: height and width in pixels.
        generator: of everything that is not fixed by the place.
    """
    lat, lon = np.asarray(latitude, float), np.asarray(longitude, float)
    if lat.shape != lon.shape or lat.ndim != 1 or size < 1:
        raise ExperimentError(f"{lat.shape} latitudes, {lon.shape} longitudes and size {size}")
    number = len(lat)
    rough = _fractal(number, size, 2.0, generator)
    land = (_landness(lat, lon)[:, None, None] + 0.8 * rough > 0)[..., None]
    ground = _ground(lat, generator) + 0.06 * _fractal(number, size, 1.0, generator)[..., None]
    sea = np.array(SEA) + 0.03 * _fractal(number, size, 2.5, generator)[..., None]
    seen = np.where(land, ground, sea)
    around = np.abs(lat)[:, None, None]
    cloudy = 0.8 * np.exp(-((around / 12) ** 2)) + 0.8 * np.exp(-(((around - 55) / 15) ** 2)) - 0.9
    white = np.clip(1.5 * (cloudy + _fractal(number, size, 2.0, generator)), 0, 1)[..., None]
    found = (1 - white) * seen + white * np.array(CLOUD)
    return np.clip(found, 0, 1).astype(np.float32)


def tiles_from(
    folder: str | PathLike[str], size: int, number: int, generator: np.random.Generator
) -> Float32[np.ndarray, "n size size 3"]:
    """Square pieces, at random places, of the pictures anywhere below a folder, such as satellite images.

    Args:
        folder: holds pictures of at least `size` pixels on either side.
        size: height and width of a piece, in pixels.
        number: of pieces.
        generator: of which pictures and places.

    Raises:
        ExperimentError: there is no picture, or one cannot be read or is too small.
    """
    root = Path(folder)
    paths = sorted(one for one in root.rglob("*") if one.suffix.lower() in SUFFIXES)
    if not paths:
        raise ExperimentError(f"{shown(root)} holds no picture ({', '.join(SUFFIXES)})")
    chosen = np.sort(np.resize(generator.permutation(len(paths)), number))
    pieces = []
    for place in np.unique(chosen):
        found = colours_of(paths[place])
        high, wide = found.shape[0] - size, found.shape[1] - size
        if min(high, wide) < 0:
            raise ExperimentError(
                f"{shown(paths[place])} of {found.shape[0]} x {found.shape[1]} pixels has no piece of "
                f"{size} x {size}"
            )
        for _ in range(int((chosen == place).sum())):
            y, x = generator.integers(high + 1), generator.integers(wide + 1)
            pieces.append(found[y : y + size, x : x + size])
    mixed = np.stack(pieces)[generator.permutation(number)]
    return (mixed / np.float32(255)).astype(np.float32)


def _landness(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Above 0 on most of a continent: fixed waves around the globe."""
    y, x = np.radians(lat), np.radians(lon)
    waves = np.sin(2 * x + 1.0) * np.cos(y) + np.sin(3 * x - 2 * y) * np.cos(2 * y) / 2
    found: np.ndarray = waves + np.sin(3 * y + 0.5) / 2
    return found


def _ground(lat: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Colours of forest, sand, fields or ice, by the distance from the equator, with soft borders."""
    edges = np.array([15.0, 32.0, 58.0]) + 3 * generator.normal(size=(len(lat), 1))
    kind = (np.abs(lat)[:, None] > edges).sum(1)
    colours: np.ndarray = np.array([FOREST, SAND, FIELD, ICE])[kind][:, None, None, :]
    return colours


def _fractal(
    number: int, size: int, power: float, generator: np.random.Generator
) -> Float[np.ndarray, "number size size"]:
    """Noise whose spectrum falls as a power of the frequency, of deviation 1 in each picture."""
    rows, columns = np.fft.fftfreq(2 * size), np.fft.rfftfreq(2 * size)
    radius = np.hypot(rows[:, None], columns)
    radius[0, 0] = np.inf
    waves = np.fft.rfft2(generator.normal(size=(number, 2 * size, 2 * size))) / radius**power
    found = np.fft.irfft2(waves, s=(2 * size, 2 * size))[:, :size, :size]
    spread = found.std((1, 2), keepdims=True)
    made: np.ndarray = found / np.where(spread > 0, spread, 1)
    return made
