"""Detections drawn: on a picture of somebody's, or on scenes beside the truth."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from experiments.kits.detection.detections import Detections
from experiments.kits.detection.scenes import Scenes
from ntkexec.errors import ExperimentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (
    (230, 25, 75), (60, 180, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180),
    (0, 150, 150), (240, 50, 230), (128, 128, 0), (170, 110, 40), (128, 0, 0),
)  # fmt: skip
"""Of classes, again from the start after the tenth."""
LEAST_SIDE = 512
"""Pixels to which the longer side of a small picture is enlarged, so that words can be read."""


def drawn(
    image: UInt8[np.ndarray, "h w 3"] | Float[np.ndarray, "h w 3"],
    found: Detections,
    names: Sequence[str],
) -> bytes:
    """A PNG of the picture with a box, a name and a score for each detection.

    Small pictures are enlarged by a whole number. Each pixel of a box's line lies in the box.

    Args:
        image: RGB, as bytes or, as in `Scenes`, as numbers from 0 to 1.
        found: boxes in its pixels.
        names: of the classes.

    Raises:
        ExperimentError: a class has no name, or what is no picture of three colours.
        MissingExtraError: without Pillow.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    image = _bytes(image)
    factor = max(1, LEAST_SIDE // max(image.shape[:2]))
    height, width = (factor * side for side in image.shape[:2])
    canvas = Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    thick = max(2, round(max(height, width) / 300))
    font = ImageFont.load_default(size=max(12, round(max(height, width) / 45)))
    # The best ones last, on top of the others.
    for place in np.argsort(found.scores, kind="stable"):
        label = int(found.labels[place])
        if not 0 <= label < len(names):
            raise ExperimentError(f"class {label} has no name among {len(names)}")
        colour = COLOURS[label % len(COLOURS)]
        left, top, right, bottom = _pixels(found.boxes[place] * factor, width, height)
        pen.rectangle((left, top, right, bottom), outline=colour, width=thick)
        words = f"{names[label]} {found.scores[place]:.2f}"
        ends = pen.textbbox((0, 0), words, font=font)
        wide, tall = math.ceil(ends[2]) + 4, math.ceil(ends[3]) + 3
        above = top - tall if top >= tall else min(bottom + 1, height - tall)
        at = (max(0, min(left, width - wide)), max(0, above))
        pen.rectangle((*at, at[0] + wide, at[1] + tall), fill=colour)
        pen.text((at[0] + 2, at[1]), words, fill="white", font=font)
    stream = io.BytesIO()
    canvas.save(stream, "PNG")
    return stream.getvalue()


def _bytes(image: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    given = np.asarray(image)
    if given.ndim != 3 or given.shape[2] != 3 or not given.size:
        raise ExperimentError(f"a picture is (height, width, 3), got the shape {given.shape}")
    if given.dtype == np.uint8:
        return given
    if given.dtype.kind != "f" or not (given.min() >= 0 and given.max() <= 1):
        raise ExperimentError(
            f"pixels are bytes or numbers from 0 to 1, got {given.dtype} from {given.min():g} to "
            f"{given.max():g}"
        )
    return np.rint(255 * given).astype(np.uint8)


def _pixels(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """First and last pixels of a box in the picture, also of one that lies outside."""
    first, last = np.floor(box[:2] + 0.5), np.floor(box[2:] + 0.5) - 1
    ends = np.array([width, height]) - 1
    left, top = (int(at) for at in np.clip(first, 0, ends))
    right, bottom = (int(at) for at in np.clip(last, [left, top], ends))
    return left, top, right, bottom


def compared(
    scenes: Scenes, found: Sequence[Detections], *, least: float = 0.3, most: int = 8
) -> dict[str, Any]:
    """Truth and detections of some scenes as plain data, for a study's result; `comparison` draws them.

    Args:
        scenes: the first `most` of them are taken.
        found: detections of all scenes.
        least: score from which a detection is shown.
        most: scenes, of some 5 to 15 kB each.

    Raises:
        ExperimentError: detections of another number of scenes.
        MissingExtraError: without Pillow.
    """
    if len(found) != len(scenes):
        raise ExperimentError(f"detections of {len(found)} scenes do not fit {len(scenes)}")
    shown = []
    for place in range(min(most, len(scenes))):
        present, own = scenes.present[place], found[place].scores >= least
        shown.append(
            {
                "png": base64.b64encode(_png(scenes.images[place])).decode(),
                "boxes": np.round(scenes.boxes[place][present], 1).tolist(),
                "labels": scenes.labels[place][present].tolist(),
                "found_boxes": np.round(found[place].boxes[own], 1).tolist(),
                "found_labels": found[place].labels[own].tolist(),
                "scores": np.round(found[place].scores[own], 2).tolist(),
            }
        )
    return {"names": list(scenes.names), "scenes": shown}


def comparison(data: Mapping[str, Any]) -> Figure:
    """The scenes of `compared` in two rows: the truth above, detections with their scores below.

    Raises:
        ExperimentError: there is no scene.
        MissingExtraError: without matplotlib or Pillow.
    """
    try:
        from matplotlib.figure import Figure as Made
        from matplotlib.patches import Rectangle
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("plots need matplotlib: install ntkexec[experiments]") from error
    scenes, names = data["scenes"], data["names"]
    if not scenes:
        raise ExperimentError("there is no scene to be shown")
    made = Made(figsize=(1.7 * len(scenes) + 0.4, 3.9), layout="constrained")
    grid = made.subplots(2, len(scenes), squeeze=False)
    for column, scene in enumerate(scenes):
        stored = Image.open(io.BytesIO(base64.b64decode(scene["png"])))
        pixels = np.asarray(stored.convert("RGB"))
        there = zip(scene["boxes"], scene["labels"], strict=True)
        truth = [(box, label, "") for box, label in there]
        rows = zip(scene["found_boxes"], scene["found_labels"], scene["scores"], strict=True)
        claimed = [(box, label, f" {score:.2f}") for box, label, score in rows]
        for axes, boxes in zip(grid[:, column], (truth, claimed), strict=True):
            axes.imshow(pixels, extent=(0, pixels.shape[1], pixels.shape[0], 0))
            axes.set(xticks=[], yticks=[])
            for (left, top, right, bottom), label, more in boxes:
                colour = tuple(part / 255 for part in COLOURS[label % len(COLOURS)])
                size = (right - left, bottom - top)
                axes.add_patch(Rectangle((left, top), *size, fill=False, color=colour, lw=1.5))
                said = {"color": "white", "fontsize": 6.5, "va": "bottom", "clip_on": True}
                said["bbox"] = {"facecolor": colour, "edgecolor": "none", "pad": 0.6}
                axes.text(left, max(top, 5), f"{names[label]}{more}", **said)
    grid[0, 0].set_ylabel("truth")
    grid[1, 0].set_ylabel("found, with scores")
    return made


def _png(image: np.ndarray) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    stream = io.BytesIO()
    pixels = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    # 64 colours are enough to see by, and a stored result must stay small.
    Image.fromarray(pixels).quantize(64).save(stream, "PNG", optimize=True)
    return stream.getvalue()
