"""Pictures of icons on white with the truth about every object: a benchmark that is generated."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int32, UInt8

from ntkexec.errors import ExperimentError

COLOURS = {
    "red": (214, 39, 40),
    "green": (30, 130, 50),
    "blue": (31, 70, 200),
    "purple": (140, 30, 170),
}
SHAPES = ("disc", "square", "triangle")
SIZE = 192
ATTEMPTS = 400


@dataclasses.dataclass(frozen=True)
class Scene:
    """A picture and its objects.

    Args:
        image: RGB pixels.
        objects: the object seen at each pixel, counted from 1; 0 is background.
        kinds: every object's colour.
    """

    image: UInt8[np.ndarray, "h w 3"]
    objects: Int32[np.ndarray, "h w"]
    kinds: tuple[str, ...]

    def of(self, kind: str) -> Int32[np.ndarray, "h w"]:
        """The map of objects with those of one colour alone, which keep their numbers."""
        kept = [i + 1 for i, name in enumerate(self.kinds) if name == kind]
        return np.where(np.isin(self.objects, kept), self.objects, 0).astype(np.int32)


def draw_scene(
    counts: dict[str, int],
    *,
    generator: np.random.Generator,
    size: int = SIZE,
    gap: int = 3,
    radii: tuple[float, float] = (4, 8),
    window: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> Scene:
    """A picture with so many icons of each colour.

    Args:
        counts: number of objects by colour, a name in `COLOURS`.
        generator: of places, sizes and shapes.
        size: height and width in pixels.
        gap: free pixels between any two objects; 0 lets them touch.
        radii: smallest and largest radius of the circle around an object, in pixels.
        window: left, top, right and bottom of where objects may lie, as shares of the picture.

    Raises:
        ExperimentError: for an unknown colour, or more objects than could be placed.
    """
    if unknown := set(counts) - set(COLOURS):
        raise ExperimentError(f"no colour {min(unknown)!r}; there are {', '.join(COLOURS)}")
    kinds = tuple(kind for kind, number in counts.items() for _ in range(number))
    low = np.array([window[1], window[0]]) * size
    high = np.array([window[3], window[2]]) * size
    placed: list[tuple[float, float, float]] = []
    for _ in kinds:
        for _ in range(ATTEMPTS):
            radius = float(generator.uniform(*radii))
            y, x = generator.uniform(low + radius, np.maximum(high - radius, low + radius + 1e-6))
            # A pixel more than the gap: rounding to pixels may take up to one of it.
            reach = radius + gap + 1
            if all((y - b) ** 2 + (x - a) ** 2 >= (reach + r) ** 2 for b, a, r in placed):
                placed.append((float(y), float(x), radius))
                break
        else:
            raise ExperimentError(
                f"only {len(placed)} of {len(kinds)} objects with a gap of {gap} fit into {size} "
                "pixels; ask for fewer or smaller ones"
            )
    order = generator.permutation(len(kinds))
    objects = np.zeros((size, size), np.int32)
    image = np.full((size, size, 3), 255, np.uint8)
    for number, (y, x, radius) in enumerate(placed):
        shape = SHAPES[generator.integers(len(SHAPES))]
        box, part = _drawn(shape, y, x, radius, size)
        objects[box][part] = number + 1
        image[box][part] = COLOURS[kinds[order[number]]]
    return Scene(image, objects, tuple(kinds[i] for i in order))


def _drawn(
    shape: str, y: float, x: float, radius: float, size: int
) -> tuple[tuple[slice, slice], Bool[np.ndarray, "h w"]]:
    """One filled shape inside the circle, in a box; 4-connected at every radius from 2 pixels."""
    top, left = max(0, int(y - radius) - 1), max(0, int(x - radius) - 1)
    bottom, end = min(size, int(y + radius) + 2), min(size, int(x + radius) + 2)
    down = np.arange(top, bottom)[:, None] + 0.5 - y
    right = np.arange(left, end)[None, :] + 0.5 - x
    if shape == "disc":
        part = np.hypot(down, right) < radius
    elif shape == "square":
        part = np.maximum(np.abs(down), np.abs(right)) < radius / 2**0.5
    else:
        part = (down < radius / 2) & (np.abs(right) < (down + radius) / 3**0.5)
    return (slice(top, bottom), slice(left, end)), part
