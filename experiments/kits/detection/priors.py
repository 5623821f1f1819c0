"""The places of a picture that predict boxes: the centres of cells, level by level."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float32

from ntkexec.errors import ExperimentError


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Priors:
    """Points in pixels, of all levels one after the other, each level row by row.

    Args:
        points: across and down: x first, as in boxes.
        strides: pixels between neighbours of the level that a point belongs to.
    """

    points: Float32[np.ndarray, "P 2"]
    strides: Float32[np.ndarray, "P"]

    def __len__(self) -> int:
        return len(self.strides)


def prior_points(
    size: int | tuple[int, int], strides: Sequence[int], *, centred: bool = True
) -> Priors:
    """A point for each cell of each level of a picture.

    Args:
        size: height and width in pixels, or both as one number: multiples of each stride.
        strides: of the levels, in their order.
        centred: whether points lie in the middle of their cells, or in the upper left corner.

    Raises:
        ExperimentError: names the stride that does not divide the picture.
    """
    height, width = (size, size) if isinstance(size, int) else size
    points, pitches = [], []
    for stride in strides:
        if stride < 1 or height % stride or width % stride or not height or not width:
            raise ExperimentError(
                f"cells of {stride} pixels do not fill a picture of {height} x {width}"
            )
        down, across = np.mgrid[: height // stride, : width // stride]
        cells = np.stack([across.ravel(), down.ravel()], 1)
        points.append((cells + 0.5 * centred) * stride)
        pitches.append(np.full(len(cells), stride))
    if not points:
        raise ExperimentError("a detector without levels predicts nothing")
    return Priors(
        np.concatenate(points).astype(np.float32), np.concatenate(pitches).astype(np.float32)
    )
