"""The whole of divide and conquer: areas, objects, parts, counts, and their sum."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.vision.lvlm_count.counters import Counter, picture_of
from experiments.vision.lvlm_count.divide import CAP, DEPTH, MIN_MASKS, Region, recursive, within
from experiments.vision.lvlm_count.segment import (
    Image,
    Objects,
    Segmenter,
    areas,
    background,
    by_colour,
)


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
class Budget:
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


def budget(counted: Counted, truth: Objects) -> Budget:
    """The error of a count by its stages.

    Args:
        counted: by `count`.
        truth: a map of the true objects, counted from 1, of the same picture.
    """
    number = len(np.unique(truth[truth > 0]))
    perfect = sum(oracle(truth, counted.regions))
    return Budget(
        segmenting=counted.segmented - number,
        dividing=perfect - number,
        counting=counted.total - perfect,
        total=counted.total - number,
        direct=counted.direct - number,
    )


def oracle(objects: Objects, regions: tuple[Region, ...]) -> list[int]:
    """Objects with a pixel in each part: what a counter that never errs would answer."""
    return [len(within(objects, region)) for region in regions]


def split(objects: Objects, regions: tuple[Region, ...]) -> int:
    """Number of objects with pixels in more than one part."""
    seen = [within(objects, region) for region in regions]
    _, times = np.unique(np.concatenate([*seen, np.zeros(0, int)]), return_counts=True)
    return int((times > 1).sum())


def count(
    image: Image,
    target: str,
    counter: Counter,
    *,
    segmenter: Segmenter = by_colour,
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
        cap, depth, min_masks: as in `divide.recursive`.
        margin: pixels around objects that belong to their area; by default an eighth of the
            picture's longer side.
        report: told about progress.
    """
    objects = segmenter(image, target)
    margin = max(image.shape[:2]) // 8 if margin is None else margin
    regions: list[Region] = []
    paths: list[np.ndarray] = []
    for area in areas(objects, margin=margin):
        division = recursive(objects, area, cap=cap, depth=depth, min_masks=min_masks)
        regions += division.regions
        paths += division.paths
    fill = background(image)
    answers = []
    for i, picture in enumerate([image, *(picture_of(image, part, fill) for part in regions)]):
        report("counting", i, len(regions) + 1)
        answers += counter.count([picture], target)
    parts = tuple(regions)
    return Counted(
        target=target,
        total=sum(answers[1:]),
        direct=answers[0],
        segmented=len(np.unique(objects[objects > 0])),
        counts=tuple(answers[1:]),
        objects=tuple(oracle(objects, parts)),
        split=split(objects, parts),
        regions=parts,
        paths=tuple(paths),
    )
