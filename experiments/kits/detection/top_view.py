"""Scenes as if seen from above: ships at any angle, round tanks, striped courts, often in rows.

```python
import numpy as np
from experiments.kits.detection.top_view import top_view_scenes

scenes = top_view_scenes(np.random.default_rng(0), 4, objects=(3, 10))
print(scenes.masks.sum((2, 3)))  # pixels of every object
```
"""

import numpy as np

from experiments.kits.detection.figures import Stamp, pattern, rim, stamp
from experiments.kits.detection.scenes import (
    ATTEMPTS,
    Canvas,
    Scenes,
    check_sizes,
    gathered,
    ground,
)
from ntkexec.errors import ExperimentError

NAMES = ("ship", "tank", "court")
SMALLEST = 4
"""Pixels of the longer side."""
BREADTH = 0.7
"""Of the broadest object, a court, in its length, at most."""


def top_view_scenes(
    generator: np.random.Generator,
    count: int,
    size: int = 64,
    objects: tuple[int, int] = (2, 6),
    pixels: tuple[int, int] = (6, 28),
    *,
    rows: float = 0.5,
    noise: float = 0.03,
    masks: bool = True,
) -> Scenes:
    """Ships, tanks and courts on a passage between two dark colours; masks do not touch, boxes may.

    Sizes are drawn evenly on a logarithmic scale, so that small objects are common.

    Args:
        generator: of everything.
        count: scenes.
        size: height and width in pixels.
        objects: fewest and most; one for which no place is found is left out, but never the first.
        pixels: the smallest and the largest longer side of an object, before it is turned; the
            largest fits in the picture at any angle.
        rows: chance that an object begins a row: it is followed by equal ones, side by side, as ships at
            a quay and tanks of a farm.
        noise: standard deviation.
        masks: whether the scenes hold them.

    Raises:
        ExperimentError: sizes that no scene can have.
    """
    check_sizes(count, size, objects, pixels, least=SMALLEST)
    if (across := _most_across(pixels[1])) > size:
        raise ExperimentError(
            f"objects of up to {pixels[1]} pixels take up to {across} where they are turned, and the "
            f"picture has {size}: take smaller objects or larger pictures"
        )
    canvases = []
    for _ in range(count):
        canvas = Canvas(ground(generator, size, noise=noise, levels=(0.05, 0.4)))
        wanted = int(generator.integers(objects[0], objects[1] + 1))
        left = wanted
        while left > 0:
            row = min(left, int(generator.integers(2, 5))) if generator.random() < rows else 1
            _paint_row(canvas, generator, size, pixels, row)
            # Those that found no place are not tried again: a full scene would never end.
            left -= row
        canvases.append(canvas)
    return gathered(canvases, NAMES, most=objects[1], masks=masks)


def _paint_row(
    canvas: Canvas, generator: np.random.Generator, size: int, pixels: tuple[int, int], number: int
) -> None:
    """Equal objects side by side, as many of them as there is room for."""
    label = int(generator.integers(len(NAMES)))
    longer = float(np.exp(generator.uniform(*np.log([pixels[0], pixels[1] + 1]))))
    angle = float(generator.uniform(0, 2 * np.pi))
    made, colour, breadth = _object(NAMES[label], min(longer, pixels[1]), angle, generator)
    # Side by side is across a ship's length.
    step = (breadth + 2.5) * np.array([np.cos(angle), -np.sin(angle)])
    height, width = made.cover.shape
    room = size - np.array([height, width]) + 1
    if (room < 1).any():
        return
    for _ in range(ATTEMPTS):
        start = generator.integers(room)
        painted = 0
        for place in range(number):
            top, left = (int(at) for at in np.round(start + place * step))
            painted += canvas.paint(top, left, made.cover, colour, label=label, whole=False)
        if painted:
            return


def _most_across(longer: float) -> int:
    """Pixels that an object takes along an axis, at most, at any angle and wherever its middle lies."""
    return int(np.ceil(np.hypot(longer, max(3.0, BREADTH * longer)))) + 1


def _object(
    name: str, longer: float, angle: float, generator: np.random.Generator
) -> tuple[Stamp, np.ndarray, float]:
    """A stamp, its colours, and how broad it is."""
    light = generator.uniform(0.6, 1.0)
    if name == "tank":
        made = stamp("disc", longer, longer, angle=angle)
        tint = light * np.array([1.0, 1.0, 0.95])
        return made, np.where(rim(made)[..., None], 0.6 * tint, tint), longer
    if name == "ship":
        breadth = max(2.5, longer * generator.uniform(0.25, 0.4))
        made = stamp("hull", breadth, longer, angle=angle)
        tint = light * generator.uniform(0.7, 1.0, size=3)
        cabin = (np.abs(made.down) < breadth / 4) & (made.across > longer / 5)
        return made, np.where(cabin[..., None], 0.5 * tint, tint), breadth
    breadth = max(3.0, longer * generator.uniform(0.5, BREADTH))
    made = stamp("square", breadth, longer, angle=angle)
    ground_colour = light * np.array([[0.85, 0.45, 0.3], [0.3, 0.75, 0.4]])[generator.integers(2)]
    lines = pattern("striped", made, pitch=max(4.0, breadth / 2))[..., None]
    return made, np.where(lines, 0.95, ground_colour), breadth
