"""Generated pictures that isolate one effect: context decides, or texture does."""

import numpy as np

from experiments.kits.images import Images, standardised
from ntkexec.errors import ExperimentError

GLYPHS = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]], float)
"""An upright cross and a diagonal one: five of nine pixels each."""
RING = 3
"""Distance of the cue from the glyph's centre: inside a window of 7 x 7, outside one of 5 x 5."""


def context_glyphs(
    *,
    num_train: int,
    num_test: int,
    size: int = 16,
    noise: float = 0.3,
    distractors: int = 3,
    moved: int = 2,
    generator: np.random.Generator,
) -> Images:
    """Pictures of a glyph of 3 x 3 pixels whose class flips with one pixel three pixels away.

    The label is whether the glyph is the diagonal cross *exclusive or* whether its cue is bright, not dark.
    Neither the glyph nor the cue says anything of the label by itself, nor does any linear function of
    the picture; distractors, pixels like cues but farther away, say nothing either.

    Args:
        num_train, num_test: pictures.
        size: height and width in pixels, at least `2 * moved + 11`, so that the cue fits and
            distractors find a place.
        noise: standard deviation; ink is 1, cues are 2 and -2.
        distractors: in each picture, five or more pixels from the glyph's centre.
        moved: pixels, at most, from the middle of the picture to the glyph's centre.
        generator: of everything.
    """
    least = 2 * moved + 11
    if size < least or moved < 0:
        raise ExperimentError(
            f"a glyph moved by {moved} pixels with distractors around needs {least} of them, got {size}"
        )
    number = num_train + num_test
    glyph, bright = generator.integers(2, size=(2, number))
    centre = size // 2 + generator.integers(-moved, moved + 1, size=(number, 2))
    pixels = noise * generator.normal(size=(number, size, size))
    each = np.arange(number)
    rows, columns = np.mgrid[-1:2, -1:2]
    at = centre[:, :, None, None]
    pixels[each[:, None, None], at[:, 0] + rows, at[:, 1] + columns] += GLYPHS[glyph]
    ring = _ring(RING)
    cue = centre + ring[generator.integers(len(ring), size=number)]
    pixels[each, cue[:, 0], cue[:, 1]] += 4.0 * bright - 2
    grid = np.indices((size, size)).reshape(2, -1).T
    far = np.abs(grid[None] - centre[:, None]).max(-1) >= RING + 2
    # The places farthest down a random order are taken, so none twice.
    order = np.where(far, generator.random(far.shape), -1).argsort(1)[:, ::-1][:, :distractors]
    signs = 4.0 * generator.integers(2, size=order.shape) - 2
    place = grid[order]
    pixels[each[:, None], place[..., 0], place[..., 1]] += signs
    labels = glyph ^ bright
    return standardised(
        pixels[:num_train, ..., None],
        labels[:num_train],
        pixels[num_train:, ..., None],
        labels[num_train:],
        2,
    )


def textures(
    *,
    num_train: int,
    num_test: int,
    size: int = 16,
    orientations: int = 4,
    wavelength: float = 4.0,
    noise: float = 1.0,
    generator: np.random.Generator,
) -> Images:
    """Gratings of one wavelength and any phase under white noise; the class is their orientation.

    Every patch of a few pixels says as much as another, and none needs what lies around it.

    Args:
        num_train, num_test: pictures.
        size: height and width in pixels.
        orientations: classes, evenly spread over half a turn.
        wavelength: in pixels, above 2.
        noise: standard deviation; the grating's is 0.7.
        generator: of everything.
    """
    if orientations < 2 or not wavelength > 2:
        raise ExperimentError(
            f"textures need two orientations and a wavelength above 2 pixels, got {orientations} and "
            f"{wavelength:g}"
        )
    number = num_train + num_test
    labels = generator.integers(orientations, size=number)
    angle = np.pi * labels / orientations
    phase = generator.uniform(0, 2 * np.pi, size=number)
    rows, columns = np.mgrid[:size, :size][:, None]
    along = np.cos(angle)[:, None, None] * columns + np.sin(angle)[:, None, None] * rows
    waves = np.cos(2 * np.pi * along / wavelength + phase[:, None, None])
    pixels = (waves + noise * generator.normal(size=waves.shape))[..., None]
    return standardised(
        pixels[:num_train],
        labels[:num_train],
        pixels[num_train:],
        labels[num_train:],
        orientations,
    )


def _ring(distance: int) -> np.ndarray:
    """Offsets of all pixels whose larger coordinate is so far from 0."""
    around = np.indices((2 * distance + 1,) * 2).reshape(2, -1).T - distance
    return around[np.abs(around).max(1) == distance]
