"""MNIST's handwritten digits as one NumPy archive, in which nothing is set apart for testing."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from experiments.data.formats.arrays import described, members, vector
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

SIZE = 28


@dataclasses.dataclass(frozen=True, eq=False)
class DigitSet:
    """Labelled digits, as they are stored.

    Args:
        pixels: ink, from 0 to 255.
        labels: the digits.
    """

    pixels: UInt8[np.ndarray, "n 28 28"]
    labels: UInt8[np.ndarray, "n"]


def read(path: Path, name: str, key: str = "") -> DigitSet:
    """Digits from an archive of `x`, (n, 28, 28) bytes, and `y`.

    Args:
        path: of the `.npz` file.
        name, key: are not needed here.

    Raises:
        ExperimentError: names the file that is damaged, or holds other arrays.

    Source: LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE, 1998.
    """
    found = members(path, ("x", "y"))
    pixels, labels = found["x"], vector(found["y"], f"y in {shown(path)}")
    if pixels.shape != (len(labels), SIZE, SIZE) or pixels.dtype != np.uint8:
        raise ExperimentError(
            f"x in {shown(path)} must be {len(labels)} pictures of {SIZE} x {SIZE} bytes, got "
            f"{described(pixels)}"
        )
    if not len(labels) or not 0 <= labels.min() <= labels.max() < 10:
        raise ExperimentError(f"y in {shown(path)} holds no labels from 0 to 9")
    return DigitSet(pixels, labels.astype(np.uint8))
