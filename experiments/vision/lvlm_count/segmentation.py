"""From a picture to its objects: by colour, and what errors of a segmenter do."""

import re
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8
from scipy import ndimage

from experiments.vision.lvlm_count.division import Region
from experiments.vision.lvlm_count.scenes import COLOURS
from ntkexec.errors import ExperimentError

Image = UInt8[np.ndarray, "h w 3"]
Objects = Int32[np.ndarray, "h w"]
Segmenter = Callable[[Image, str], Objects]
"""From a picture and what is asked for to a map of objects, counted from 1; 0 is none of them."""

THRESHOLD = 0.25
HUGE = 25


def background(image: Image) -> UInt8[np.ndarray, "3"]:
    """The most frequent colour on the picture's border."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    # A colour as one number, in the same order, sorts faster than as a row.
    _, first, times = np.unique(
        border.astype(np.int64) @ (1 << 16, 1 << 8, 1), return_index=True, return_counts=True
    )
    return border[first[times.argmax()]]


def ink(image: Image, target: str = "") -> Float32[np.ndarray, "h w"]:
    """How far each pixel is from the background, from 0 to 1, in its most different channel.

    Args:
        image: on a plain background.
        target: a colour of `scenes.COLOURS` in it leaves only pixels that are nearest to that colour.
    """
    apart = np.abs(image.astype(np.int16) - background(image).astype(np.int16))
    # Channel by channel: a maximum over a short last axis is slow.
    found = np.maximum(np.maximum(apart[..., 0], apart[..., 1]), apart[..., 2]) / np.float32(255)
    wanted = [name for name in COLOURS if name in target.lower().split()]
    if wanted:
        palette = np.array(list(COLOURS.values()), np.float32)
        nearest = ((image[:, :, None] - palette) ** 2).sum(3).argmin(2)
        found = np.where(nearest == list(COLOURS).index(wanted[0]), found, 0)
    return found.astype(np.float32)


def segment_by_colour(image: Image, target: str = "", *, threshold: float = THRESHOLD) -> Objects:
    """Objects as 4-connected parts that differ from a plain background; touching ones are one.

    Dropped are those of more than 25 times the median area, as in the public code.

    Args:
        image: on a plain background.
        target: may name a colour, see `ink`.
        threshold: least difference from the background, from 0 to 1.
    """
    labels, number = ndimage.label(ink(image, target) > threshold)
    if number == 0:
        return labels.astype(np.int32)
    areas = np.bincount(labels.ravel())[1:]
    kept = areas <= HUGE * np.median(areas)
    names = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)])
    return names[labels].astype(np.int32)


def dropped(objects: Objects, rate: float, generator: np.random.Generator) -> Objects:
    """The map without each object with probability `rate`: a segmenter that misses some."""
    names = np.unique(objects[objects > 0])
    missed = names[generator.random(len(names)) < rate]
    return np.where(np.isin(objects, missed), 0, objects).astype(np.int32)


def merged(objects: Objects, rate: float, generator: np.random.Generator) -> Objects:
    """The map in which each object with probability `rate` takes the number of its nearest other one.

    A segmenter that sees two as one. No pixel is lost, so nothing can be cut that could not before.
    """
    names = np.unique(objects[objects > 0])
    if len(names) < 2:
        return objects
    centres = np.array(ndimage.center_of_mass(objects > 0, objects, names))
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    nearest = names[apart.argmin(1)]
    renamed = np.arange(names.max() + 1, dtype=np.int32)
    chosen = generator.random(len(names)) < rate
    renamed[names[chosen]] = nearest[chosen]
    return renamed[objects]


def halved(objects: Objects, rate: float, generator: np.random.Generator) -> Objects:
    """The map in which each object with probability `rate` is two, left and right of a free column.

    A segmenter that sees one as two: a line may now pass through the object. Objects of fewer than
    three columns stay whole.
    """
    made = objects.copy()
    names = np.unique(objects[objects > 0])
    boxes = ndimage.find_objects(objects)
    for place, name in enumerate(names[generator.random(len(names)) < rate]):
        columns = boxes[name - 1][1]
        if columns.stop - columns.start < 3:
            continue
        middle = (columns.start + columns.stop) // 2
        part = made[boxes[name - 1][0], columns]
        own = part == name
        where = np.arange(columns.start, columns.stop)[None]
        part[own & (where > middle)] = names.max() + 1 + place
        part[own & (where == middle)] = 0
    return made


def detect_areas(objects: Objects, *, margin: int) -> tuple[Region, ...]:
    """Boxes around objects, widened by `margin` pixels and united until no two overlap.

    No object is in two of them, or partly outside. Source: stage 1 of the paper's pipeline.
    """
    height, width = objects.shape
    boxes = [
        [b[0].start - margin, b[0].stop + margin, b[1].start - margin, b[1].stop + margin]
        for b in ndimage.find_objects(objects)
        if b is not None
    ]
    settled: list[list[int]] = []
    while boxes:
        box = boxes.pop()
        for other in settled:
            if box[0] < other[1] and other[0] < box[1] and box[2] < other[3] and other[2] < box[3]:
                settled.remove(other)
                starts = [min(box[i], other[i]) for i in (0, 2)]
                stops = [max(box[i], other[i]) for i in (1, 3)]
                boxes.append([starts[0], stops[0], starts[1], stops[1]])
                break
        else:
            settled.append(box)
    found = []
    for top, bottom, left, right in sorted(settled):
        part: Bool[np.ndarray, "h w"] = np.zeros((height, width), bool)
        part[max(0, top) : bottom, max(0, left) : right] = True
        found.append(part)
    return tuple(found)


def target_of(question: str) -> str:
    """What a question asks for: "red discs" for "How many red discs are there in the picture?".

    Raises:
        ExperimentError: for a question that is not of the form "How many ... ?".
    """
    found = re.match(
        r"\s*how\s+many\s+(.+?)(?:\s+(?:are|is|do|does|can|in|on|at|have)\b.*)?\s*[?.]?\s*$",
        question,
        re.IGNORECASE | re.DOTALL,
    )
    if not found:
        raise ExperimentError(f"{question!r} does not ask 'How many ... are there?'")
    return found[1].strip().lower()
