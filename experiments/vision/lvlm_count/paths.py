"""Object-free paths: shortest ones of a king on the free pixels of a grid.

The paper searches with A*; whatever finds shortest paths divides alike, and compiled code is quicker.
"""

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from ntkexec.errors import ExperimentError

Pixel = tuple[int, int]
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
        for pixel in (start, end):
            inside = 0 <= pixel[0] < self.free.shape[0] and 0 <= pixel[1] < self.free.shape[1]
            if not inside or not self.free[pixel]:
                raise ExperimentError(f"a path cannot end at {pixel}, which is not a free pixel")
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
