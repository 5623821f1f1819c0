"""Object-aware division: lines around objects, level by level; equal cuts, which it is compared to."""

import dataclasses
import itertools

import numpy as np
from jaxtyping import Bool, Int, Int32
from scipy import ndimage

from experiments.vision.lvlm_count import clusters
from experiments.vision.lvlm_count.paths import Grid

MIN_MASKS = 6
CAP = 10
DEPTH = 4
Region = Bool[np.ndarray, "h w"]
Objects = Int32[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True)
class Division:
    """Disjoint parts of a picture, and the lines between them.

    Args:
        regions: the parts, without the pixels of the lines.
        paths: the pixels of each line, as rows and columns, in the part that it divides.
    """

    regions: tuple[Region, ...]
    paths: tuple[Int[np.ndarray, "length 2"], ...] = ()


def objects_in(objects: Objects, region: Region) -> Int[np.ndarray, "k"]:
    """Numbers of the objects with a pixel in the region."""
    found = np.unique(objects[region])
    return found[found > 0]


def object_aware_division(
    objects: Objects,
    region: Region | None = None,
    *,
    axis: int = 1,
    min_masks: int = MIN_MASKS,
) -> Division:
    """One level of division along free pixels between clusters of objects.

    Args:
        objects: the segmenter's map; 0 is free, each number is one object. A 4-connected object is
            never cut.
        region: what is divided; by default the whole picture.
        axis: 1 clusters columns and cuts from top to bottom, 0 rows from left to right.
        min_masks: fewer objects are not divided.

    Returns:
        The parts that hold objects, 4-connected: only so do paths of diagonal steps divide.

    Source: the public code's division; we search on a grid with one free pixel all around it, where the
        code clears the outermost pixels of the masks, and so loses no pixel of any object.
    """
    region = np.ones(objects.shape, bool) if region is None else region
    if len(objects_in(objects, region)) < min_masks:
        return Division((region,))
    if axis == 0:
        turned = object_aware_division(objects.T, region.T, min_masks=min_masks)
        return Division(
            tuple(part.T for part in turned.regions),
            tuple(path[:, ::-1] for path in turned.paths),
        )
    rows, columns = np.nonzero(region)
    top, left = int(rows.min()), int(columns.min())
    box = (slice(top, int(rows.max()) + 1), slice(left, int(columns.max()) + 1))
    filled = (objects[box] > 0) & region[box]
    places = clusters.cuts(clusters.sample(np.nonzero(filled)[1]))
    if not places:
        return Division((region,))
    grid = Grid(np.pad(~filled, 1, constant_values=True))
    bottom = filled.shape[0] + 1
    corner = np.array([top - 1, left - 1])
    paths = [corner + grid.path((0, x + 1), (bottom, x + 1)) for x in places]
    # A path may pass outside the region, also through objects there, and divides nothing there.
    lines = tuple(_inside(path, region) for path in paths)
    return Division(_parts(objects, region, lines), lines)


def _inside(path: Int[np.ndarray, "length 2"], region: Region) -> Int[np.ndarray, "kept 2"]:
    path = path[((path >= 0) & (path < region.shape)).all(1)]
    return path[region[tuple(path.T)]]


def _parts(objects: Objects, region: Region, lines: tuple[np.ndarray, ...]) -> tuple[Region, ...]:
    rest = region.copy()
    for line in lines:
        rest[tuple(line.T)] = False
    labels, number = ndimage.label(rest)
    parts = (labels == label for label in range(1, number + 1))
    # Pockets between crossing paths and empty margins hold nothing to count.
    return tuple(part for part in parts if (objects[part] > 0).any())


def recursive_division(
    objects: Objects,
    region: Region | None = None,
    *,
    cap: int = CAP,
    depth: int = DEPTH,
    axis: int = 1,
    min_masks: int = MIN_MASKS,
) -> Division:
    """Division level by level until a part holds at most `cap` objects, axes in turns.

    Args:
        objects, region, min_masks: as for `object_aware_division`.
        cap: largest number of objects that are not divided further.
        depth: levels at most.
        axis: of the first level; where it divides nothing, the other is tried.
    """
    region = np.ones(objects.shape, bool) if region is None else region
    if depth == 0 or len(objects_in(objects, region)) <= cap:
        return Division((region,))
    for chosen in (axis, 1 - axis):
        level = object_aware_division(objects, region, axis=chosen, min_masks=min_masks)
        if len(level.regions) > 1:
            parts = [
                recursive_division(
                    objects, part, cap=cap, depth=depth - 1, axis=1 - chosen, min_masks=min_masks
                )
                for part in level.regions
            ]
            return Division(
                tuple(leaf for part in parts for leaf in part.regions),
                level.paths + tuple(path for part in parts for path in part.paths),
            )
    return Division((region,))


def equal_division(shape: tuple[int, int], columns: int, rows: int = 1) -> Division:
    """Equal rectangles, whatever lies on their borders: the naive division.

    Args:
        shape: height and width of the picture, in pixels.
        columns, rows: of rectangles.
    """
    down = np.linspace(0, shape[0], rows + 1).round().astype(int)
    right = np.linspace(0, shape[1], columns + 1).round().astype(int)
    regions = []
    for top, bottom in itertools.pairwise(down):
        for left, end in itertools.pairwise(right):
            part = np.zeros(shape, bool)
            part[top:bottom, left:end] = True
            regions.append(part)
    lines = [np.stack([np.arange(shape[0]), np.full(shape[0], x)], 1) for x in right[1:-1]]
    lines += [np.stack([np.full(shape[1], y), np.arange(shape[1])], 1) for y in down[1:-1]]
    return Division(tuple(regions), tuple(lines))
