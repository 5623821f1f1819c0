"""Shortest paths of a king on a pixel grid: in compiled code for use, A* as the paper has it."""

import heapq
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from ntkexec.errors import ExperimentError

Pixel = tuple[int, int]
Heuristic = Literal["chebyshev", "manhattan", "none"]
FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))


class Grid:
    """Free pixels and their steps to the eight neighbours, built once for many paths.

    Args:
        free: the pixels that a path may use.
    """

    def __init__(self, free: Bool[np.ndarray, "h w"]) -> None:
        self.free = free
        self._steps = _steps(free)

    def path(self, start: Pixel, end: Pixel) -> Int[np.ndarray, "length 2"]:
        """A path of fewest steps, and among these of fewest diagonal ones, as rows and columns.

        Raises:
            ExperimentError: if an end is not free, or there is no path.
        """
        _check_ends(self.free, start, end)
        width = self.free.shape[1]
        # From the end, so that following the predecessors gives the path in its order.
        _, before = dijkstra(
            self._steps,
            directed=False,
            indices=end[0] * width + end[1],
            return_predecessors=True,
        )
        here = start[0] * width + start[1]
        found = [here]
        while found[-1] != end[0] * width + end[1]:
            here = int(before[found[-1]])
            if here < 0:
                raise ExperimentError(f"no free path leads from {start} to {end}")
            found.append(here)
        return np.stack(np.divmod(np.array(found), width), axis=1)


def _check_ends(free: Bool[np.ndarray, "h w"], start: Pixel, end: Pixel) -> None:
    for pixel in (start, end):
        inside = 0 <= pixel[0] < free.shape[0] and 0 <= pixel[1] < free.shape[1]
        if not inside or not free[pixel]:
            raise ExperimentError(f"a path cannot end at {pixel}, which is not a free pixel")


def _steps(free: Bool[np.ndarray, "h w"]) -> csr_array:
    """Every step between free neighbours, in one direction of each pair."""
    height, width = free.shape
    number = np.arange(height * width, dtype=np.int32).reshape(height, width)
    sources, targets, costs = [], [], []
    for down, right in FORWARD:
        here = (slice(0, height - down), slice(max(0, -right), width - max(0, right)))
        there = (slice(down, height), slice(max(0, right), width + min(0, right)))
        both = free[here] & free[there]
        sources.append(number[here][both])
        targets.append(number[there][both])
        # So little more that no number of diagonals outweighs a step; lines come out straight.
        costs.append(np.full(len(targets[-1]), 1 + (down * right != 0) / (height * width)))
    row, column = np.concatenate(sources), np.concatenate(targets)
    size = height * width
    return coo_array((np.concatenate(costs), (row, column)), shape=(size, size)).tocsr()


def a_star(
    free: Bool[np.ndarray, "h w"], start: Pixel, end: Pixel, *, heuristic: Heuristic = "chebyshev"
) -> tuple[int, int]:
    """The steps of the path that A* finds, and the pixels that it expanded for it.

    Args:
        free: the pixels that a path may use.
        start, end: free pixels.
        heuristic: `chebyshev` never overestimates; `manhattan`, the public code's, does, since a
            diagonal step counts one; `none` is Dijkstra's algorithm.

    Raises:
        ExperimentError: if an end is not free, or there is no path.
    """
    _check_ends(free, start, end)

    def ahead(pixel: Pixel) -> int:
        down, right = abs(pixel[0] - end[0]), abs(pixel[1] - end[1])
        if heuristic == "none":
            return 0
        return max(down, right) if heuristic == "chebyshev" else down + right

    walked, closed = {start: 0}, set()
    queue = [(ahead(start), 0, start)]
    while queue:
        _, _, here = heapq.heappop(queue)
        if here in closed:
            continue
        closed.add(here)
        if here == end:
            return walked[here], len(closed)
        steps = walked[here] + 1
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                there = (here[0] + down, here[1] + right)
                inside = 0 <= there[0] < free.shape[0] and 0 <= there[1] < free.shape[1]
                if not inside or not free[there] or there in closed:
                    continue
                if steps < walked.get(there, steps + 1):
                    walked[there] = steps
                    # Among equals the one that has come furthest: fewer are expanded.
                    heapq.heappush(queue, (steps + ahead(there), -steps, there))
    raise ExperimentError(f"no free path leads from {start} to {end}")
