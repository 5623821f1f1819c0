"""Pictures of any size in a square, without distortion, and boxes there and back."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float32, Float64

from ntkexec.errors import ExperimentError, MissingExtraError

GREY = 114 / 255
"""What fills the rest, as in YOLO's own code."""
BILINEAR = 2
"""Pillow's number of that filter, which takes means where pictures shrink."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a picture lies in its square.

    Args:
        height, width: of the picture, in its own pixels.
        size: of the square.
        top, left: of the picture in the square.
        rows, columns: that it takes there, whole numbers, so that the scales of the two axes may differ by
            a rounding.
    """

    height: int
    width: int
    size: int
    top: int
    left: int
    rows: int
    columns: int

    def into_square(self, boxes: np.ndarray) -> Float64[np.ndarray, "... 4"]:
        """Boxes of the picture in the square's pixels."""
        return np.asarray(boxes, np.float64) * self._scales() + self._start()

    def out_of_square(self, boxes: np.ndarray) -> Float64[np.ndarray, "... 4"]:
        """Boxes of the square in the picture's pixels, cut off at its ends."""
        inside = (np.asarray(boxes, np.float64) - self._start()) / self._scales()
        return np.clip(inside, 0, np.array([self.width, self.height, self.width, self.height]))

    def masks_out_of_square(
        self, masks: Bool[np.ndarray, "n size size"]
    ) -> Bool[np.ndarray, "n h w"]:
        """Masks of the square in the picture's pixels, each of which is that in which its middle lies."""
        if masks.shape[1:] != (self.size, self.size):
            raise ExperimentError(
                f"masks have {self.size} x {self.size} pixels, got the shape {masks.shape}"
            )
        across, down = (
            start + ((np.arange(number) + 0.5) * taken / number).astype(int)
            for start, number, taken in (
                (self.left, self.width, self.columns),
                (self.top, self.height, self.rows),
            )
        )
        return masks[:, down][:, :, across]

    def _scales(self) -> np.ndarray:
        return np.array([self.columns / self.width, self.rows / self.height] * 2)

    def _start(self) -> np.ndarray:
        return np.array([self.left, self.top] * 2)


def placement(height: int, width: int, size: int) -> Placement:
    """Where a picture comes to lie: as large as fits, in the middle.

    Raises:
        ExperimentError: a side without a pixel.
    """
    if min(height, width, size) < 1:
        raise ExperimentError(
            f"a picture and its square have a pixel or more, got {height} x {width} and {size}"
        )
    scale = size / max(height, width)
    # Of a picture that is very long a row is left, at least.
    rows, columns = (max(1, round(side * scale)) for side in (height, width))
    return Placement(height, width, size, (size - rows) // 2, (size - columns) // 2, rows, columns)


def letterboxed(
    pixels: np.ndarray, size: int, *, fill: float = GREY
) -> tuple[Float32[np.ndarray, "size size c"], Placement]:
    """A picture in a square, and where it lies there.

    Args:
        pixels: (height, width, 3) bytes, or numbers from 0 to 1, which are rounded to bytes if they must
            be scaled.
        size: of the square's sides.
        fill: of the rest, from 0 to 1.

    Returns:
        Numbers from 0 to 1. A picture that fits as it is keeps its values.

    Raises:
        ExperimentError: what is no picture of three colours.
        MissingExtraError: without Pillow, if the picture must be scaled.
    """
    given = np.asarray(pixels)
    if given.ndim != 3 or given.shape[2] != 3 or not given.size:
        raise ExperimentError(f"a picture is (height, width, 3), got the shape {given.shape}")
    unit = given.dtype.kind == "f" and given.min() >= 0 and given.max() <= 1
    if given.dtype != np.uint8 and not unit:
        raise ExperimentError(
            f"pixels are bytes or numbers from 0 to 1, got {given.dtype} up to {given.max()}"
        )
    place = placement(given.shape[0], given.shape[1], size)
    if (place.rows, place.columns) != given.shape[:2]:
        scaled = _resized(given, place.rows, place.columns)
    else:
        scaled = given.astype(np.float32) / (255 if given.dtype == np.uint8 else 1)
    square = np.full((size, size, 3), fill, np.float32)
    square[place.top : place.top + place.rows, place.left : place.left + place.columns] = scaled
    return square, place


def _resized(pixels: np.ndarray, rows: int, columns: int) -> Float32[np.ndarray, "rows columns 3"]:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("scaling needs Pillow: install ntkexec[experiments]") from error
    bytes_ = pixels if pixels.dtype == np.uint8 else np.round(pixels * 255).astype(np.uint8)
    found = Image.fromarray(bytes_).resize((columns, rows), BILINEAR)
    return np.asarray(found, np.float32) / 255
