"""The whole of divide and conquer: areas, objects, parts, counts, and their sum."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from experiments.vision.lvlm_count.division import (
    CAP,
    DEPTH,
    MIN_MASKS,
    Region,
    objects_in,
    recursive_division,
)
from experiments.vision.lvlm_count.segmentation import (
    Image,
    Objects,
    Segmenter,
    background,
    detect_areas,
    segment_by_colour,
)


class Counter(Protocol):
    """Counts what is asked for in each of some pictures."""

    def count(self, pictures: Sequence[Image], target: str) -> list[int]: ...


def crop(image: Image, region: np.ndarray, fill: UInt8[np.ndarray, "3"]) -> Image:
    """The region's bounding box of the picture, with what is outside the region filled."""
    rows, columns = np.nonzero(region)
    box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    part = np.where(region[box][..., None], image[box], fill).astype(np.uint8)
    # A margin of background, by which a counter knows it.
    return np.stack([np.pad(part[..., c], 2, constant_values=fill[c]) for c in range(3)], axis=2)


def count_parts(
    image: Image, target: str, counter: Counter, regions: Sequence[Region]
) -> list[int]:
    """The counter's answer for each part of a picture, all else filled with the background."""
    fill = background(image)
    return counter.count([crop(image, part, fill) for part in regions], target)


@dataclasses.dataclass(frozen=True)
class Counted:
    """What was counted, part by part.

    Args:
        target: what was asked for.
        total: the sum over parts.
        direct: the counter's answer for the whole picture, undivided.
        segmented: objects that the segmenter found.
        counts: the counter's answer for each part.
        objects: the segmenter's number of objects in each part.
        split: objects of the segmenter that lie in more than one part.
        regions: the parts.
        paths: the lines between them.
    """

    target: str
    total: int
    direct: int
    segmented: int
    counts: tuple[int, ...]
    objects: tuple[int, ...]
    split: int
    regions: tuple[Region, ...] = dataclasses.field(repr=False)
    paths: tuple[np.ndarray, ...] = dataclasses.field(repr=False)

    def to_data(self) -> dict[str, Any]:
        """All but pixels, for JSON."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del data["regions"], data["paths"]
        return {**data, "counts": list(self.counts), "objects": list(self.objects)}


@dataclasses.dataclass(frozen=True)
class ErrorBudget:
    """Where the error of a count comes from, signed, so that what cancels can be seen.

    Args:
        segmenting: objects that the segmenter found minus the true ones: what counting masks errs by.
        dividing: what a counter that never errs would say too much of the parts: objects cut, minus
            those in no part.
        counting: the counter's sum minus that of one that never errs.
        total: of the method, the sum of the last two; segmenting acts through dividing.
        direct: the counter's error for the undivided picture.
    """

    segmenting: int
    dividing: int
    counting: int
    total: int
    direct: int


def error_budget(counted: Counted, truth: Objects) -> ErrorBudget:
    """The error of a count by its stages.

    Args:
        counted: by `count_by_dividing`.
        truth: a map of the true objects, counted from 1, of the same picture.
    """
    number = len(np.unique(truth[truth > 0]))
    perfect = sum(perfect_counts(truth, counted.regions))
    return ErrorBudget(
        segmenting=counted.segmented - number,
        dividing=perfect - number,
        counting=counted.total - perfect,
        total=counted.total - number,
        direct=counted.direct - number,
    )


def perfect_counts(objects: Objects, regions: tuple[Region, ...]) -> list[int]:
    """Objects with a pixel in each part: what a counter that never errs would answer."""
    return [len(objects_in(objects, region)) for region in regions]


def num_split(objects: Objects, regions: tuple[Region, ...]) -> int:
    """Number of objects with pixels in more than one part."""
    seen = [objects_in(objects, region) for region in regions]
    _, times = np.unique(np.concatenate([*seen, np.zeros(0, int)]), return_counts=True)
    return int((times > 1).sum())


def count_by_dividing(
    image: Image,
    target: str,
    counter: Counter,
    *,
    segmenter: Segmenter = segment_by_colour,
    cap: int = CAP,
    depth: int = DEPTH,
    min_masks: int = MIN_MASKS,
    margin: int | None = None,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Counted:
    """How many objects of a kind a picture shows, by counting the parts of an object-aware division.

    Args:
        image: RGB pixels.
        target: what is counted, as the segmenter and the counter understand it.
        counter: counts each part, and the whole picture for comparison.
        segmenter: finds the objects that no line may cut.
        cap, depth, min_masks: as in `recursive_division`.
        margin: pixels around objects that belong to their area; by default an eighth of the
            picture's longer side.
        report: told about progress.
    """
    objects = segmenter(image, target)
    margin = max(image.shape[:2]) // 8 if margin is None else margin
    regions: list[Region] = []
    paths: list[np.ndarray] = []
    for area in detect_areas(objects, margin=margin):
        division = recursive_division(objects, area, cap=cap, depth=depth, min_masks=min_masks)
        regions += division.regions
        paths += division.paths
    parts = tuple(regions)
    report("counting", 0, len(parts) + 1)
    direct = counter.count([image], target)[0]
    counts = []
    for place, part in enumerate(parts, 1):
        report("counting", place, len(parts) + 1)
        counts += count_parts(image, target, counter, (part,))
    return Counted(
        target=target,
        total=sum(counts),
        direct=direct,
        segmented=len(np.unique(objects[objects > 0])),
        counts=tuple(counts),
        objects=tuple(perfect_counts(objects, parts)),
        split=num_split(objects, parts),
        regions=parts,
        paths=tuple(paths),
    )
