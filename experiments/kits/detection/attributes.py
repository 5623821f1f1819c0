"""Scenes of figures that differ in colour, shape, pattern and border: a class is a tuple of the four.

```python
import numpy as np
from experiments.kits.detection.attributes import all_classes, attribute_scenes, phrase

generator = np.random.default_rng(0)
classes = generator.permutation(all_classes())
seen, held_out = classes[:40], classes[40:60]
scenes = attribute_scenes(generator, 4, classes=seen)
print(scenes.captions[0], scenes.masks.shape)
print(phrase(held_out[0]), phrase(held_out[0], ("colour", "shape")))
```
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

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

COLOURS = {
    "red": (0.85, 0.15, 0.15),
    "green": (0.15, 0.65, 0.2),
    "blue": (0.15, 0.3, 0.9),
    "yellow": (0.95, 0.85, 0.15),
    "purple": (0.6, 0.2, 0.75),
    "orange": (0.95, 0.5, 0.1),
}
SHAPES = ("disc", "square", "triangle", "plus", "ring", "diamond")
PATTERNS = ("plain", "striped", "checked", "dotted")
BORDERS = {"no": None, "dark": (0.05, 0.05, 0.05), "light": (0.98, 0.98, 0.98)}
FIELDS = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "pattern": PATTERNS,
    "border": tuple(BORDERS),
}
"""Words by field, in the order in which attributes are numbered."""
SMALLEST = 10
"""Pixels of a side below which patterns and borders cannot be told apart."""
SHADE = 0.45
"""What a colour is multiplied by where the pattern is."""


def all_classes() -> Int[np.ndarray, "432 4"]:
    """Every tuple of colour, shape, pattern and border, the last one running fastest."""
    sizes = [len(words) for words in FIELDS.values()]
    return np.indices(sizes).reshape(len(sizes), -1).T


def attribute_scenes(
    generator: np.random.Generator,
    count: int,
    size: int = 64,
    objects: tuple[int, int] = (2, 5),
    pixels: tuple[int, int] = (14, 24),
    *,
    classes: Int[np.ndarray, "c 4"] | None = None,
    noise: float = 0.02,
    masks: bool = True,
) -> Scenes:
    """Figures on a passage between two greyish colours; boxes do not touch.

    Args:
        generator: of everything.
        count: scenes.
        size: height and width in pixels.
        objects: fewest and most; one for which no place is found is left out, but never the first.
        pixels: the smallest and the largest side of a figure.
        classes: tuples that are drawn, each as likely as another; by default `all_classes`.
        noise: standard deviation.
        masks: whether the scenes hold them.

    Returns:
        Scenes whose labels are rows of `classes`, whose attributes are their tuples, and whose captions
        name all objects in the order in which they are listed.

    Raises:
        ExperimentError: sizes that no scene can have, or tuples of unknown words.
    """
    check_sizes(count, size, objects, pixels, least=SMALLEST)
    classes = all_classes() if classes is None else np.asarray(classes)
    names = tuple(phrase(each) for each in classes)
    if not names:
        raise ExperimentError("scenes need a class at least")
    canvases, captions = [], []
    for _ in range(count):
        background = ground(generator, size, noise=noise, levels=(0.35, 0.6))
        canvas = Canvas(background)
        for _ in range(int(generator.integers(objects[0], objects[1] + 1))):
            label = int(generator.integers(len(classes)))
            side = int(generator.integers(pixels[0], pixels[1] + 1))
            words = tuple(int(word) for word in classes[label])
            made = stamp(SHAPES[words[1]], side, side)
            colour = _coloured(made, words)
            room = size - np.array(made.cover.shape) + 1
            for _ in range(ATTEMPTS):
                top, left = (int(at) for at in generator.integers(room))
                if canvas.paint(top, left, made.cover, colour, label=label, attributes=words):
                    break
        canvases.append(canvas)
        captions.append(caption([names[found.label] for found in canvas.placed]))
    return gathered(canvases, names, most=objects[1], masks=masks, captions=tuple(captions))


def phrase(attributes: Sequence[int], fields: Sequence[str] = tuple(FIELDS)) -> str:
    """A tuple in words, such as `striped red square with a dark border`.

    Args:
        attributes: numbers of colour, shape, pattern and border.
        fields: which of them are said.

    Raises:
        ExperimentError: names the field that there is not, or the number that stands for no word.
    """
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise ExperimentError(f"there is no field {unknown[0]!r}, but {', '.join(FIELDS)}")
    said = {}
    for (field, words), number in zip(FIELDS.items(), attributes, strict=True):
        if not 0 <= number < len(words):
            raise ExperimentError(f"{field} number {number} is none of {len(words)}")
        said[field] = words[number]
    parts = [said[field] for field in ("pattern", "colour") if field in fields]
    parts.append(said["shape"] if "shape" in fields else "figure")
    border = f" with {_article(said['border'])} border" if "border" in fields else ""
    return " ".join(parts) + border


def caption(phrases: Sequence[str]) -> str:
    """A sentence that names what a picture shows: `a plain red disc and a dotted blue ring`."""
    named = [_article(each) for each in phrases]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _article(words: str) -> str:
    if words == "no":
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _coloured(made: Stamp, words: tuple[int, ...]) -> np.ndarray:
    colour = np.array(list(COLOURS.values())[words[0]])
    second = pattern(PATTERNS[words[2]], made)[..., None]
    found = np.where(second, SHADE * colour, colour)
    border = list(BORDERS.values())[words[3]]
    return found if border is None else np.where(rim(made)[..., None], border, found)
