"""Masks as COCO's files write them: run lengths, plain or packed into text, and polygons.

Runs go down the columns, one column after another, and begin with the pixels that are out.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

FINE = 5
"""Points in each pixel's width along a polygon's boundary."""
MOST_POINTS = 2**24
"""Along the boundaries of one object."""
FIRST = 48
"""The character of five zeros, `0`; five bits and one that says that more follow make up a character."""


@dataclasses.dataclass(frozen=True, eq=False)
class RunLengths:
    """A mask by its runs.

    Args:
        height, width: of the mask.
        counts: lengths of the runs, or these packed into text.
    """

    height: int
    width: int
    counts: str | Sequence[int]

    def mask(self, height: int, width: int) -> Bool[np.ndarray, "h w"]:
        """The pixels.

        Raises:
            ExperimentError: a mask of another size, or runs that do not fill it.
        """
        if (self.height, self.width) != (height, width):
            raise ExperimentError(
                f"its mask has {self.height} x {self.width} pixels, the picture {height} x {width}"
            )
        runs = unpacked(self.counts) if isinstance(self.counts, str) else _whole(self.counts)
        if (runs < 0).any() or int(runs.sum()) != height * width:
            raise ExperimentError(
                f"the runs of its mask must be positive and fill {height} x {width} pixels, got "
                f"{quoted(runs.tolist(), 80)}"
            )
        inside = np.arange(len(runs)) % 2 == 1
        return np.repeat(inside, runs).reshape(width, height).T


@dataclasses.dataclass(frozen=True, eq=False)
class Polygons:
    """A mask by closed lines: each a list x, y, x, y, ... in pixels; what is in any of them is in the mask.

    A pixel is in a polygon if an odd number of boundaries lies above its middle, where boundaries are
    rounded to a fifth of a pixel, as pycocotools does it, so that the masks are the same.
    """

    lines: Sequence[Sequence[float]]

    def mask(self, height: int, width: int) -> Bool[np.ndarray, "h w"]:
        """The pixels.

        Raises:
            ExperimentError: less than three corners, or corners far outside of the picture.
        """
        made, left = np.zeros((height, width), bool), MOST_POINTS
        for line in self.lines:
            corners = _corners(line, height, width)
            across, down = boundary(corners, left)
            left -= len(across)
            _fill(made, across, down)
        return made


def outline_of(segmentation: Any) -> RunLengths | Polygons | None:
    """What a file's JSON says of a mask; none where it says nothing.

    Raises:
        ExperimentError: it is none of COCO's forms.
    """
    if segmentation is None or segmentation in ([], {}):
        return None
    if isinstance(segmentation, list) and all(isinstance(line, list) for line in segmentation):
        return Polygons(segmentation)
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if isinstance(size, list) and [type(one) for one in size] == [int, int]:
            if isinstance(counts, (str, list)):
                return RunLengths(size[0], size[1], counts)
            raise ExperimentError(f"counts of a mask are text or a list, got {quoted(counts, 80)}")
    raise ExperimentError(f"a mask is polygons, or size and counts, got {quoted(segmentation, 80)}")


def runs_of(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "runs"]:
    """The runs of a mask, the first of which is of pixels that are out and may have no length."""
    flat = np.asarray(mask, bool).T.reshape(-1)
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(np.int8)))
    ends = np.concatenate([[0], changes, [flat.size]])
    return np.diff(ends).astype(np.int64)


def packed(runs: Sequence[int] | np.ndarray) -> str:
    """Runs as text: each, from the fourth on less the one but one before, five bits a character."""
    made = []
    numbers = [int(run) for run in runs]
    for place, run in enumerate(numbers):
        rest = run - numbers[place - 2] if place > 2 else run
        while True:
            low, rest = rest & 31, rest >> 5
            # The last character's highest bit is the sign.
            done = rest == (-1 if low & 16 else 0)
            made.append(chr(FIRST + low + (0 if done else 32)))
            if done:
                break
    return "".join(made)


def unpacked(text: str) -> Int64[np.ndarray, "runs"]:
    """The runs that `packed` made text of.

    Raises:
        ExperimentError: a character that cannot be, a number without end, or one far too large.
    """
    runs: list[int] = []
    number = bits = 0
    for character in text:
        value = ord(character) - FIRST
        if not 0 <= value < 64 or bits > 40:
            raise ExperimentError(f"the packed runs of its mask are damaged: {quoted(text, 80)}")
        number |= (value & 31) << bits
        bits += 5
        if not value & 32:
            if value & 16:
                number -= 1 << bits
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            if abs(runs[-1]) > 2**40:
                raise ExperimentError("the packed runs of its mask are far too long")
            number = bits = 0
    if bits:
        raise ExperimentError(f"the packed runs of its mask are cut short: {quoted(text, 80)}")
    return np.array(runs, np.int64)


def boundary(
    corners: Int64[np.ndarray, "n 2"], most: int = MOST_POINTS
) -> tuple[Int64[np.ndarray, "points"], Int64[np.ndarray, "points"]]:
    """Points of a closed line one after another, x and y, no step larger than 1, in fifths of a pixel.

    Args:
        corners: x and y of each, the last of which is joined to the first.
        most: of the points.

    Raises:
        ExperimentError: there would be more.
    """
    ends = np.roll(corners, -1, 0)
    steps = np.abs(ends - corners).max(1)
    if int(steps.sum()) + len(steps) > most:
        raise ExperimentError(f"its polygons have more than {MOST_POINTS} points on their boundary")
    pieces = []
    for start, end, number in zip(corners, ends, steps, strict=True):
        away = np.abs(end - start)
        axis = 0 if away[0] >= away[1] else 1
        # Always along the axis of the longer side and upwards, so that rounding is the same both ways.
        turned = start[axis] > end[axis]
        low, high = (end, start) if turned else (start, end)
        along = np.arange(number + 1)
        slope = (high[1 - axis] - low[1 - axis]) / number if number else 0.0
        piece = np.empty((number + 1, 2), np.int64)
        piece[:, axis] = low[axis] + along
        piece[:, 1 - axis] = np.trunc(low[1 - axis] + slope * along + 0.5)
        pieces.append(piece[::-1] if turned else piece)
    points = np.concatenate(pieces)
    return points[:, 0], points[:, 1]


def _fill(
    made: Bool[np.ndarray, "h w"],
    across: Int64[np.ndarray, "points"],
    down: Int64[np.ndarray, "points"],
) -> None:
    """Adds, column by column, pixels with an odd number of boundaries above their middles.

    Looks at no more of the mask than what the boundary encloses: the time is that of the polygon's size.
    """
    height, width = made.shape
    before, after = across[:-1], across[1:]
    column = (np.minimum(before, after) + 0.5) / FINE - 0.5
    row = np.ceil(np.clip((np.minimum(down[:-1], down[1:]) + 0.5) / FINE - 0.5, 0, height))
    # A step to the side counts if it passes the middle of a column of the picture.
    counts = (before != after) & (column == np.floor(column)) & (column >= 0) & (column < width)
    if not counts.any():
        return
    columns, rows = column[counts].astype(np.int64), row[counts].astype(np.int64)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max()
    crossed = np.zeros((right - left, bottom - top + 1), bool)
    places, times = np.unique(
        (columns - left) * (bottom - top + 1) + rows - top, return_counts=True
    )
    crossed.reshape(-1)[places] = times % 2 == 1
    # A closed line passes a column's middle an even number of times, so each column begins anew.
    inside = np.logical_xor.accumulate(crossed, axis=1)
    made[top:bottom, left:right] |= inside[:, :-1].T


def _corners(line: Sequence[float], height: int, width: int) -> Int64[np.ndarray, "n 2"]:
    numbers = _numbers(line)
    if len(numbers) < 6 or len(numbers) % 2:
        raise ExperimentError(
            f"a polygon has three corners or more, x and y of each, got {len(numbers)} numbers"
        )
    corners = numbers.reshape(-1, 2)
    size = np.array([width, height])
    if (corners < -size).any() or (corners > 2 * size).any():
        raise ExperimentError(
            f"a corner of its polygons lies far outside of {height} x {width} pixels: "
            f"{quoted(line, 80)}"
        )
    return np.trunc(FINE * corners + 0.5).astype(np.int64)


def _numbers(values: Sequence[Any]) -> np.ndarray:
    if not all(type(one) in (int, float) and abs(one) < 1e15 for one in values):
        raise ExperimentError(f"its mask is not of numbers: {quoted(values, 80)}")
    return np.array(values, np.float64)


def _whole(values: Sequence[Any]) -> np.ndarray:
    if not all(type(one) is int and 0 <= one < 2**40 for one in values):
        raise ExperimentError(f"the runs of its mask are not whole numbers: {quoted(values, 80)}")
    return np.array(values, np.int64)
