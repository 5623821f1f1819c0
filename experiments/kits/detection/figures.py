"""Plain figures, drawn at any size and angle with smooth edges: what scenes are made of."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float

from experiments.kits.detection.scenes import widened
from ntkexec.errors import ExperimentError

SAMPLES = 3
"""Of a pixel along each axis, whose mean smooths the edges."""
Plane = Float[np.ndarray, "a b"]
# (down, across), each from -1 to 1 in the figure's box, its bow to the left -> inside?
Figure = Callable[[Plane, Plane], Bool[np.ndarray, "a b"]]


def disc(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """All within a circle."""
    return down**2 + across**2 < 1


def square(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """The whole box: a rectangle, if its sides differ."""
    return np.maximum(np.abs(down), np.abs(across)) < 1


def triangle(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """Its tip above, its base as broad as the box."""
    return (np.abs(down) < 1) & (2 * np.abs(across) < 1 + down)


def plus(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """Two bars that cross."""
    low, high = np.minimum(np.abs(down), np.abs(across)), np.maximum(np.abs(down), np.abs(across))
    return (high < 1) & (low < 0.36)


def ring(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """A circle with a hole."""
    radius = down**2 + across**2
    return (radius < 1) & (radius > 0.5**2)


def diamond(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """A square on its corner."""
    return np.abs(down) + np.abs(across) < 1


def hull(down: Plane, across: Plane) -> Bool[np.ndarray, "a b"]:
    """A ship from above: pointed in front, blunt behind."""
    return (np.abs(across) < 1) & (np.abs(down) < np.minimum(1, 2.2 * (1 + across)))


FIGURES: Mapping[str, Figure] = {
    "disc": disc,
    "square": square,
    "triangle": triangle,
    "plus": plus,
    "ring": ring,
    "diamond": diamond,
    "hull": hull,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Stamp:
    """A figure as it is painted.

    Args:
        cover: the share of a pixel that it covers.
        down, across: of a pixel's centre from the figure's own centre, in pixels, turned with it.
    """

    cover: Plane
    down: Plane
    across: Plane


def stamp(name: str, height: float, width: float, *, angle: float = 0.0) -> Stamp:
    """A figure of so many pixels, turned by an angle.

    Args:
        name: one of `FIGURES`.
        height, width: before it is turned.
        angle: in radians, clockwise in a picture.

    Returns:
        A stamp cut to the figure: its outermost rows and columns are covered somewhere.

    Raises:
        ExperimentError: names the figures that there are.
    """
    if name not in FIGURES:
        raise ExperimentError(f"there is no figure {name!r}, but {', '.join(FIGURES)}")
    cos, sin = np.cos(angle), np.sin(angle)
    rows = int(np.ceil(abs(height * cos) + abs(width * sin))) + 2
    columns = int(np.ceil(abs(width * cos) + abs(height * sin))) + 2

    def turned(samples: int) -> tuple[Plane, Plane]:
        y, x = (np.mgrid[: rows * samples, : columns * samples] + 0.5) / samples
        y, x = y - rows / 2, x - columns / 2
        return cos * y - sin * x, sin * y + cos * x

    down, across = turned(SAMPLES)
    fine = FIGURES[name](2 * down / height, 2 * across / width)
    cover = fine.reshape(rows, SAMPLES, columns, SAMPLES).mean((1, 3))
    used = np.ix_(cover.any(1), cover.any(0))
    return Stamp(cover[used], *(plane[used] for plane in turned(1)))


def pattern(name: str, made: Stamp, *, pitch: float = 4.0) -> Bool[np.ndarray, "a b"]:
    """Where a stamp has its second colour.

    Args:
        name: plain (nowhere), striped, checked or dotted.
        made: the stamp, with which the pattern turns.
        pitch: pixels after which it repeats.

    Raises:
        ExperimentError: names the patterns that there are.
    """
    phases = 2 * made.down / pitch, 2 * made.across / pitch
    odd = [np.floor(phase).astype(int) % 2 == 1 for phase in phases]
    found = {
        "plain": np.zeros(made.cover.shape, bool),
        "striped": odd[0],
        "checked": odd[0] ^ odd[1],
        "dotted": odd[0] & odd[1],
    }
    if name not in found:
        raise ExperimentError(f"there is no pattern {name!r}, but {', '.join(found)}")
    return found[name]


def rim(made: Stamp, *, pixels: int = 1) -> Bool[np.ndarray, "a b"]:
    """The stamp's pixels that lie so near to what it does not cover."""
    own = np.pad(made.cover >= 0.5, pixels)
    inside = (slice(pixels, -pixels),) * 2
    return (own & widened(~own, pixels))[inside]
