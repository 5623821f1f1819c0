"""Scenes of handwritten digits: what a detector of 64 x 64 pixels is trained on.

```python
import numpy as np
from experiments.kits.detection.digits import digit_glyphs, digit_scenes

generator = np.random.default_rng(0)
shown, held_out = digit_glyphs().split(1400, generator)  # other digits to test with
train = digit_scenes(generator, 8, glyphs=shown)
test = digit_scenes(generator, 8, glyphs=held_out, objects=(1, 6), pixels=(6, 32))
print(train.images.shape, test.boxes.shape)
```
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float, Float32, Int32

from experiments.kits.detection.scenes import (
    ATTEMPTS,
    Canvas,
    Scenes,
    check_sizes,
    gathered,
    ground,
)
from ntkexec.errors import ExperimentError, MissingExtraError

NAMES = tuple("0123456789")
SMALLEST = 6
"""Pixels of the longer side below which digits cannot be read."""
INK = 0.35
"""Share of the ink from which a pixel belongs to a glyph's crop."""

BOLD = 1.35
"""What ink is multiplied by before it is painted."""


@dataclasses.dataclass(frozen=True, eq=False)
class Glyphs:
    """Grey pictures of one sign each.

    Args:
        ink: from 0, paper, to 1.
        labels: which sign, from 0.
    """

    ink: Float32[np.ndarray, "k h w"]
    labels: Int32[np.ndarray, "k"]

    def first(self, classes: int) -> "Glyphs":
        """Those of the first so many signs.

        Raises:
            ExperimentError: there are none.
        """
        chosen = self.labels < classes
        if not chosen.any():
            raise ExperimentError(f"no glyph is of the first {classes} signs")
        return Glyphs(self.ink[chosen], self.labels[chosen])

    def split(self, number: int, generator: np.random.Generator) -> "tuple[Glyphs, Glyphs]":
        """So many of them drawn at random, and the others: of the same writers, as `digit_glyphs` names none.

        Raises:
            ExperimentError: one of both would be empty.
        """
        if not 0 < number < len(self.labels):
            raise ExperimentError(
                f"cannot take {number} of {len(self.labels)} glyphs and leave some"
            )
        order = generator.permutation(len(self.labels))
        first, rest = order[:number], order[number:]
        return Glyphs(self.ink[first], self.labels[first]), Glyphs(
            self.ink[rest], self.labels[rest]
        )


@functools.cache
def digit_glyphs() -> Glyphs:
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships.

    Raises:
        MissingExtraError: without scikit-learn.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            "the digits need scikit-learn: install ntkexec[experiments]"
        ) from error
    found = load_digits()
    return Glyphs((found.images / 16).astype(np.float32), found.target.astype(np.int32))


def digit_scenes(
    generator: np.random.Generator,
    count: int,
    size: int = 64,
    objects: tuple[int, int] = (1, 4),
    pixels: tuple[int, int] = (8, 24),
    *,
    glyphs: Glyphs | None = None,
    noise: float = 0.03,
    masks: bool = False,
) -> Scenes:
    """Digits of random colours on a passage between two others; boxes do not touch.

    Ink is brighter than the background everywhere in half of all scenes, and darker in the others.

    Args:
        generator: of everything.
        count: scenes.
        size: height and width in pixels.
        objects: fewest and most; one for which no place is found is left out, but never the first.
        pixels: the smallest and the largest longer side of a digit.
        glyphs: that are drawn; by default all of `digit_glyphs`. MNIST's, or any signs, fit as well.
        noise: standard deviation.
        masks: whether the scenes hold them.

    Raises:
        ExperimentError: sizes that no scene can have.
    """
    check_sizes(count, size, objects, pixels, least=SMALLEST)
    glyphs = digit_glyphs() if glyphs is None else glyphs
    names = NAMES if glyphs.labels.max() < 10 else tuple(map(str, range(glyphs.labels.max() + 1)))
    canvases = []
    for _ in range(count):
        dark = bool(generator.integers(2))
        levels, inks = ((0.6, 1.0), (0.0, 0.35)) if dark else ((0.0, 0.4), (0.65, 1.0))
        canvas = Canvas(ground(generator, size, noise=noise, levels=levels))
        wanted = int(generator.integers(objects[0], objects[1] + 1))
        for _ in range(wanted):
            which = int(generator.integers(len(glyphs.labels)))
            side = int(generator.integers(pixels[0], pixels[1] + 1))
            cover = enlarged(glyphs.ink[which], side)
            colour = generator.uniform(*inks, size=3)
            room = size - np.array(cover.shape) + 1
            for _ in range(ATTEMPTS):
                top, left = (int(at) for at in generator.integers(room))
                if canvas.paint(top, left, cover, colour, label=int(glyphs.labels[which])):
                    break
        canvases.append(canvas)
    return gathered(canvases, names, most=objects[1], masks=masks)


def enlarged(ink: Float[np.ndarray, "h w"], side: int) -> Float[np.ndarray, "a b"]:
    """A glyph cut out of its paper, and enlarged or shrunk so that its longer side has so many pixels.

    Values between the glyph's pixels are found along straight lines, and its darkest pixel becomes 1.

    Raises:
        ExperimentError: there is no ink.
    """
    if not ink.max() > 0:
        raise ExperimentError("a glyph without ink cannot be drawn")
    inked = ink >= INK * ink.max()
    down, across = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    crop = ink[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    longer = max(crop.shape)
    height, width = (max(1, round(side * length / longer)) for length in crop.shape)
    made = _between(crop.shape[0], height) @ crop @ _between(crop.shape[1], width).T
    # More ink than there is, cut at 1: thin strokes stay a glyph's own, and holes stay open.
    return np.minimum(BOLD * made / made.max(), 1)


@functools.cache
def _between(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """The matrix that samples `old` pixels at the centres of `new` ones, or takes means of fewer."""
    if new < old:
        edges = np.linspace(0, old, new + 1)
        starts, ends = edges[:-1, None], edges[1:, None]
        pixel = np.arange(old)[None]
        shares = np.clip(np.minimum(ends, pixel + 1) - np.maximum(starts, pixel), 0, None)
        return shares / shares.sum(1, keepdims=True)
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(old)[None]))
