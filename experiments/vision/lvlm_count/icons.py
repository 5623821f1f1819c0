"""Counting without a model: icons of one size, told apart by shape and gathered into kinds by appearance."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from scipy import ndimage
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree
from scipy.spatial.distance import squareform

from experiments.vision.lvlm_count.segmentation import Image, Objects, background, ink

Appearances = Float32[np.ndarray, "n wide wide 3"]
FAINT = 0.02
"""Least difference from the background: outlines of icons can be very light."""
NEAR = 3.5
"""Pixels over which pieces of one icon may lie apart, at most."""
SLACK = 2
"""Pixels by which an icon may be larger than the typical one."""
BLUR = 0.7
"""Standard deviation, in pixels, by which icons are smoothed before they are compared."""
CORE = 9
"""Pixels of an icon's core, at least."""
SAME = 0.01
"""Differences below it, of 1 between black and white, are none."""
NEIGHBOUR, MISFIT = 4, 2.0
"""An icon is a misfit if its fourth neighbour is more than twice as far as is usual."""
FEWEST, MOST = 2, 8
"""Kinds that are looked for in a picture."""


def segment_icons(
    image: Image, target: str = "", *, threshold: float = FAINT, side: int | None = None
) -> Objects:
    """Icons of about one size on a plain background, each a 4-connected object.

    Parts of the picture that differ from the background are joined where together they are no larger
    than one icon, and parted where they are larger. It names nothing: icons of all kinds are found.

    Args:
        image: on a plain background.
        target: ignored; a `Segmenter` is told what is asked for.
        threshold: least difference from the background, from 0 to 1.
        side: of an icon's box, in pixels; by default that of the picture's typical parts.
    """
    objects, number = ndimage.label(ink(image) > threshold)
    if number == 0:
        return objects.astype(np.int32)
    side = typical_side(objects) if side is None else side
    return _numbered(_parted(_joined(objects, side), side))


def typical_side(objects: Objects) -> int:
    """The longer side of a typical object's box: the median over all objects' pixels."""
    sides = np.array([max(_size(box)) for box in ndimage.find_objects(objects)])
    weights = np.bincount(objects.ravel())[1:]
    order = np.argsort(sides)
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return int(sides[order][half])


def _size(box: tuple[slice, ...]) -> tuple[int, int]:
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def _joined(objects: Objects, side: int) -> Objects:
    """Pieces that lie near each other and fit into one icon's box become one, nearest first."""
    boxes = [[b[0].start, b[1].start, b[0].stop, b[1].stop] for b in ndimage.find_objects(objects)]
    near = _neighbours(objects)
    parent = list(range(len(boxes)))

    def root(name: int) -> int:
        while parent[name] != name:
            name = parent[name]
        return name

    made = objects.copy()
    for _, start, end in sorted(near):
        one, other = (root(int(objects[tuple(pixel)]) - 1) for pixel in (start, end))
        first, second = boxes[one], boxes[other]
        both = [min(first[i], second[i]) for i in (0, 1)]
        both += [max(first[i], second[i]) for i in (2, 3)]
        fits = max(both[2] - both[0], both[3] - both[1]) <= side + SLACK
        if one == other or not fits:
            continue
        # A bridge, since only what is connected is never cut.
        bridge = _bridge(start, end)
        free = [made[pixel] == 0 for pixel in bridge]
        if not all(free):
            continue
        parent[other], boxes[one] = one, both
        for pixel in bridge:
            made[pixel] = int(objects[tuple(start)])
    names = np.array([0, *(root(i) + 1 for i in range(len(boxes)))], np.int32)
    return names[made]


def _neighbours(objects: Objects) -> list[tuple[float, tuple[int, int], tuple[int, int]]]:
    """The nearest pixels of any two objects that lie near each other, with their distance."""
    edge = (objects > 0) & (ndimage.minimum_filter(objects, 3) != objects)
    edge |= (objects > 0) & (ndimage.maximum_filter(objects, 3) != objects)
    pixels = np.argwhere(edge)
    names = objects[tuple(pixels.T)]
    pairs = cKDTree(pixels).query_pairs(NEAR, output_type="ndarray")
    pairs = pairs[names[pairs[:, 0]] != names[pairs[:, 1]]]
    apart = np.hypot(*(pixels[pairs[:, 0]] - pixels[pairs[:, 1]]).T)
    found: dict[tuple[int, int], tuple[float, tuple[int, int], tuple[int, int]]] = {}
    for place in np.argsort(apart, kind="stable"):
        one, other = pairs[place]
        key = (min(names[one], names[other]), max(names[one], names[other]))
        found.setdefault(
            key, (float(apart[place]), tuple(pixels[one].tolist()), tuple(pixels[other].tolist()))
        )
    return list(found.values())


def _bridge(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The pixels between two, along their row and then their column."""
    (top, left), (bottom, right) = start, end
    down = range(top, bottom, 1 if bottom > top else -1)
    across = range(left, right, 1 if right > left else -1)
    path = [(row, left) for row in down] + [(bottom, column) for column in across]
    return path[1:]


def _parted(objects: Objects, side: int) -> Objects:
    """Objects larger than an icon fall apart where they are thinnest, until their parts are not."""
    made = objects.copy()
    free = int(objects.max()) + 1
    for number, box in enumerate(ndimage.find_objects(objects), 1):
        if box is None:
            continue
        whole = objects[box] == number
        for own in _pieces(whole, side)[1:]:
            made[box][own] = free
            free += 1
    return made


def _pieces(own: Bool[np.ndarray, "h w"], side: int) -> list[Bool[np.ndarray, "h w"]]:
    """The icons of one object: its cores at the least depth that parts it, each grown again."""
    rows, columns = np.nonzero(own)
    if max(np.ptp(rows), np.ptp(columns)) + 1 <= side + SLACK:
        return [own]
    depth = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
    for level in np.unique(depth[own])[:-1]:
        cores, _ = ndimage.label(depth > level, np.ones((3, 3)))
        areas = np.bincount(cores.ravel())[1:]
        kept = areas >= CORE
        if kept.sum() < 2:
            continue
        seeds = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)])[cores]
        grown = _grown(seeds.astype(np.int32), own)
        parts = [grown == name for name in range(1, int(kept.sum()) + 1)]
        return [piece for part in parts for piece in _pieces(part, side)]
    return [own]


def _grown(seeds: Int32[np.ndarray, "h w"], own: Bool[np.ndarray, "h w"]) -> np.ndarray:
    """The seeds, grown pixel by pixel until they fill the object."""
    made = seeds.copy()
    while True:
        wider = ndimage.grey_dilation(made, footprint=ndimage.generate_binary_structure(2, 1))
        new = own & (made == 0) & (wider > 0)
        if not new.any():
            return made
        made[new] = wider[new]


def _numbered(objects: Objects) -> Objects:
    _, numbers = np.unique(objects, return_inverse=True)
    return numbers.reshape(objects.shape).astype(np.int32)


def appearances(image: Image, objects: Objects, *, side: int) -> Appearances:
    """Every icon's smoothed pixels in a square around the middle of its box, all else background.

    Args:
        image: on a plain background.
        objects: a map of its icons, counted from 1.
        side: of the icons' boxes, in pixels; the square is a few wider.
    """
    wide = side + 2 * SLACK + 1
    half = wide // 2
    plain = background(image).astype(np.float32) / 255
    names = np.pad(objects, half)
    pixels = np.empty((*names.shape, 3), np.float32)
    pixels[:] = plain
    pixels[half:-half, half:-half] = image.astype(np.float32) / 255
    rows = np.empty((int(objects.max()), wide, wide, 3), np.float32)
    for number, box in enumerate(ndimage.find_objects(objects), 1):
        top, left = ((along.start + along.stop - 1) // 2 for along in box)
        here = (slice(top, top + wide), slice(left, left + wide))
        rows[number - 1] = np.where((names[here] == number)[..., None], pixels[here], plain)
    return ndimage.gaussian_filter(rows, (0, BLUR, BLUR, 0))


def dissimilarities(ones: Appearances, others: Appearances) -> Float32[np.ndarray, "n m"]:
    """Root mean squared differences of icons, each of the others moved by up to a pixel to fit."""
    # Around their common colour, so that single precision is enough.
    middle = others.mean(axis=(0, 1, 2))
    inner = (ones[:, 1:-1, 1:-1] - middle).reshape(len(ones), -1)
    found = np.full((len(ones), len(others)), np.inf, np.float32)
    size = ones.shape[1] - 2
    for down, right in itertools.product(range(3), repeat=2):
        moved = others[:, down : down + size, right : right + size] - middle
        moved = moved.reshape(len(others), -1)
        squares = (inner**2).sum(1)[:, None] + (moved**2).sum(1)[None] - 2 * inner @ moved.T
        found = np.minimum(found, squares)
    return np.sqrt(np.maximum(found, 0) / inner.shape[1])


def kinds_of(looks: Appearances, *, number: int | None = None) -> Int[np.ndarray, "n"]:
    """Each icon's kind, a number from 0, by Ward's clustering of what the icons look like.

    Misfits, which resemble no others (cut badly, for example), join the kind that is nearest.

    Args:
        looks: of the icons.
        number: of kinds; by default the one, from 2 to 8, after which clusters grow most: a picture
            of one kind alone is taken for two.

    Returns:
        Kinds, the most frequent first.
    """
    if len(looks) < 2:
        return np.zeros(len(looks), int)
    apart = dissimilarities(looks, looks)
    apart = np.minimum(apart, apart.T)
    np.fill_diagonal(apart, 0)
    near = np.partition(apart, min(NEIGHBOUR, len(looks) - 1))[:, min(NEIGHBOUR, len(looks) - 1)]
    fits = np.flatnonzero(near <= MISFIT * max(SAME, np.median(near)))
    tree = linkage(squareform(apart[np.ix_(fits, fits)], checks=False), "ward")
    found = fcluster(tree, _number_of_kinds(tree) if number is None else number, "maxclust")
    _, found = np.unique(found, return_inverse=True)
    means = np.stack([apart[:, fits[found == kind]].mean(1) for kind in range(found.max() + 1)])
    kinds = means.argmin(0)
    kinds[fits] = found
    order = np.argsort(-np.bincount(kinds), kind="stable")
    return np.argsort(order)[kinds]


def _number_of_kinds(tree: Float[np.ndarray, "m 4"]) -> int:
    """The number of clusters after which joining two costs most, relative to the cost before."""
    tried = np.arange(FEWEST, min(MOST, len(tree)) + 1)
    heights = np.concatenate([np.full(MOST, tree[0, 2]), tree[:, 2]])
    growth = [heights[1 - kinds] / max(heights[-kinds], SAME) for kinds in tried]
    return int(tried[np.argmax(growth)]) if len(tried) else len(tree) + 1


def count_kinds(image: Image, *, number: int | None = None) -> tuple[int, ...]:
    """How many icons of each kind a picture shows, kinds told apart by their looks and without names.

    Args:
        image: icons of about one size on a plain background.
        number: of kinds, if it is known; see `kinds_of`.

    Returns:
        Counts, the largest first; empty for a picture without icons.
    """
    objects = segment_icons(image)
    if not objects.any():
        return ()
    looks = appearances(image, objects, side=typical_side(objects))
    return tuple(np.bincount(kinds_of(looks, number=number)).tolist())


@dataclasses.dataclass(frozen=True)
class ReferenceCounter:
    """A counter that was shown one icon of each name: every icon is of the name that it resembles most.

    Args:
        references: what an icon of each name looks like, as `appearances` gives it.
        side: of the icons' boxes, in pixels.
    """

    references: Mapping[str, Float32[np.ndarray, "wide wide 3"]]
    side: int

    def names(self, picture: Image) -> list[str]:
        """The name of each icon in a picture."""
        objects = segment_icons(picture, side=self.side)
        if not objects.any():
            return []
        known = np.stack([*self.references.values()])
        looks = appearances(picture, objects, side=self.side)
        return [[*self.references][place] for place in dissimilarities(looks, known).argmin(1)]

    def count(self, pictures: Sequence[Image], target: str) -> list[int]:
        """Icons of the name `target` in each picture."""
        return [self.names(picture).count(target) for picture in pictures]
