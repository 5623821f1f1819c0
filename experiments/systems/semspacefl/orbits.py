"""Where satellites are, over which point of the Earth, and which gateways see them."""

import dataclasses
import math
from collections.abc import Sequence
from numbers import Integral

import numpy as np
from jaxtyping import Bool, Float

from experiments.systems.semspacefl.tracks import EARTH_KM, GRAVITY, HIGHEST_KM, Tracks
from ntkexec.errors import ExperimentError

SPIN = 7.2921159e-5
"""The Earth's rotation, in radians a second."""
STANDING = (GRAVITY / SPIN**2) ** (1 / 3) - EARTH_KM
"""Altitude in km at which a satellite over the equator stands still for who is below it."""


@dataclasses.dataclass(frozen=True)
class Constellation:
    """A Walker shell: equal circular orbits, equally far apart, around a turning Earth.

    Args:
        satellites: in all, a multiple of `planes`; numbered plane by plane.
        planes: of orbits, whose ascending nodes lie equally far apart.
        altitude: above the ground, in km.
        inclination: of all planes, in degrees.
        phasing: by how many steps of 360 / satellites degrees a plane's satellites are ahead of those of
            the plane before.
        turned: degrees by which all nodes and all satellites are ahead at the beginning.

    Raises:
        ExperimentError: names the field that makes no shell.

    Source: Walker, Journal of the British Interplanetary Society, 1984.
    """

    satellites: int = 24
    planes: int = 6
    altitude: float = 550.0
    inclination: float = 53.0
    phasing: int = 1
    turned: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        whole = (self.satellites, self.planes, self.phasing)
        if not all(isinstance(n, Integral) and not isinstance(n, bool) for n in whole):
            raise ExperimentError(f"satellites, planes and phasing are whole numbers, not {whole}")
        if self.planes < 1 or self.satellites < 1 or self.satellites % self.planes:
            raise ExperimentError(
                f"{self.satellites} satellites do not fill {self.planes} planes equally"
            )
        if not 0 < self.altitude <= HIGHEST_KM:
            raise ExperimentError(
                f"an altitude is a positive number of at most {HIGHEST_KM:,.0f} km, not {self.altitude!r}"
            )
        if len(self.turned) != 2 or not all(math.isfinite(angle) for angle in self.turned):
            raise ExperimentError(
                f"nodes and satellites are turned by degrees, not {self.turned!r}"
            )
        if not 0 <= self.inclination <= 180:
            raise ExperimentError(
                f"an inclination is between 0 and 180 degrees, not {self.inclination!r}"
            )

    @property
    def radius(self) -> float:
        """Of the orbits, in km."""
        return EARTH_KM + self.altitude

    @property
    def period(self) -> float:
        """Of an orbit, in seconds."""
        return 2 * math.pi * math.sqrt(self.radius**3 / GRAVITY)

    def positions(self, seconds: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T S 3"]:
        """Places in km, in axes that do not turn with the Earth."""
        place = np.arange(self.satellites)
        plane, within = np.divmod(place, self.satellites // self.planes)
        node, ahead = np.radians(self.turned)
        node = node + 2 * np.pi * plane / self.planes
        first = ahead + 2 * np.pi * (
            within * self.planes / self.satellites + self.phasing * plane / self.satellites
        )
        along = first + 2 * np.pi * np.asarray(seconds, float)[:, None] / self.period
        tilt = math.radians(self.inclination)
        across = np.sin(along) * math.cos(tilt)
        return self.radius * np.stack(
            [
                np.cos(node) * np.cos(along) - np.sin(node) * across,
                np.sin(node) * np.cos(along) + np.cos(node) * across,
                np.sin(along) * math.sin(tilt),
            ],
            axis=-1,
        )

    def tracks(self, seconds: Float[np.ndarray, "T"]) -> Tracks:
        """Places in km, in axes that turn with the Earth, whose first points to longitude 0."""
        seconds = np.asarray(seconds, float)
        x, y, z = np.moveaxis(self.positions(seconds), -1, 0)
        cos, sin = np.cos(SPIN * seconds)[:, None], np.sin(SPIN * seconds)[:, None]
        names = tuple(f"satellite {number}" for number in range(self.satellites))
        turned = np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=-1)
        return Tracks(names, seconds, turned)


def sites(places: Sequence[tuple[float, float]]) -> Float[np.ndarray, "G 3"]:
    """Gateways on the ground, in km, from their latitudes and longitudes in degrees.

    Raises:
        ExperimentError: there is none, or one is not on the globe.
    """
    given = np.asarray(places, float)
    if given.ndim != 2 or given.shape[1] != 2 or not len(given):
        raise ExperimentError(f"gateways are (latitude, longitude) each, got {given.shape}")
    if not (np.abs(given) <= (90, 360)).all():
        raise ExperimentError(f"{places!r} has a gateway that is not on the globe, in degrees")
    latitude, longitude = np.radians(given.T)
    flat = np.cos(latitude)
    return EARTH_KM * np.stack(
        [flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=-1
    )


def elevations(
    positions: Float[np.ndarray, "T S 3"], gateways: Float[np.ndarray, "G 3"]
) -> tuple[Float[np.ndarray, "T S G"], Float[np.ndarray, "T S G"]]:
    """Degrees above each gateway's horizon at which satellites stand, and how far away, in km."""
    towards = positions[..., None, :] - gateways
    far = np.linalg.norm(towards, axis=-1)
    up = gateways / np.linalg.norm(gateways, axis=-1, keepdims=True)
    height = (towards * up).sum(-1) / far
    return np.degrees(np.arcsin(np.clip(height, -1, 1))), far


def visible(
    positions: Float[np.ndarray, "T S 3"], gateways: Float[np.ndarray, "G 3"], least: float = 10.0
) -> Bool[np.ndarray, "T S G"]:
    """Which gateways see which satellites: those at least `least` degrees above their horizon.

    Args:
        positions: in km, in the same axes as the gateways, such as `Tracks.positions`.
        gateways: as `sites` gives them.
        least: elevation in degrees.
    """
    return elevations(positions, gateways)[0] >= least
