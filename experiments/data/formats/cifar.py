"""CIFAR's binary files: for each picture its labels, then its red, green and blue planes."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from experiments.data.formats.arrays import described, members, vector
from experiments.files.sources import content
from ntkexec.errors import ExperimentError

# One label byte, or two for CIFAR-100, coarse and fine; then three planes of 32 x 32 bytes.
FILES = {
    "cifar-10": (tuple(f"data_batch_{i}.bin" for i in range(1, 6)), ("test_batch.bin",), 1, 10),
    "cifar-100": (("train.bin",), ("test.bin",), 2, 100),
}
"""Files to train on and to test with, label bytes, and classes."""
SIZE = 32


@dataclasses.dataclass(frozen=True, eq=False)
class PictureSet:
    """Labelled pictures of one size, as they are stored.

    Args:
        train, test: red, green and blue of each pixel.
        train_labels, test_labels: classes from 0.
        num_classes: of the task.
    """

    train: UInt8[np.ndarray, "n h w 3"]
    train_labels: UInt8[np.ndarray, "n"]
    test: UInt8[np.ndarray, "m h w 3"]
    test_labels: UInt8[np.ndarray, "m"]
    num_classes: int


def read(folder: Path, name: str, key: str = "") -> PictureSet:
    """CIFAR-10 or CIFAR-100 from its binary files, with fine labels.

    Args:
        folder: holds the `.bin` files of the binary version, as distributed.
        name: `cifar-10` or `cifar-100`.
        key: is not needed here.

    Raises:
        ExperimentError: names the file that is missing, cut short, or holds a label out of range.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    if name not in FILES:
        raise ExperimentError(f"{name!r} is neither {' nor '.join(FILES)}")
    train_files, test_files, label_bytes, num_classes = FILES[name]
    train, train_labels = _rows(folder, train_files, label_bytes, num_classes)
    test, test_labels = _rows(folder, test_files, label_bytes, num_classes)
    return PictureSet(train, train_labels, test, test_labels, num_classes)


def read_sample(folder: Path, name: str, key: str = "") -> PictureSet:
    """Some of CIFAR-10's pictures as NumPy archives of `x`, (n, 32, 32, 3), and `y`.

    Args:
        folder: holds `cifar10_train_200per.npz` and `cifar10_test_100per.npz`.
        name, key: are not needed here.

    Raises:
        ExperimentError: names the file that is damaged, or holds other arrays.
    """
    train, train_labels = _archive(folder / "cifar10_train_200per.npz")
    test, test_labels = _archive(folder / "cifar10_test_100per.npz")
    return PictureSet(train, train_labels, test, test_labels, num_classes=10)


def _archive(path: Path) -> tuple[np.ndarray, np.ndarray]:
    found = members(path, ("x", "y"))
    pixels, labels = found["x"], vector(found["y"], f"y in {path}")
    if pixels.shape != (len(labels), SIZE, SIZE, 3) or pixels.dtype != np.uint8:
        raise ExperimentError(
            f"x in {path} must be {len(labels)} pictures of {SIZE} x {SIZE} bytes in three colours, got "
            f"{described(pixels)}"
        )
    if not len(labels) or not 0 <= labels.min() <= labels.max() < 10:
        raise ExperimentError(f"y in {path} holds no labels from 0 to 9")
    return pixels, labels.astype(np.uint8)


def _rows(
    folder: Path, names: tuple[str, ...], label_bytes: int, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    width = label_bytes + 3 * SIZE**2
    parts = []
    for name in names:
        found = np.frombuffer(content(folder / name), np.uint8)
        if found.size == 0 or found.size % width:
            raise ExperimentError(
                f"{folder / name} has {found.size} bytes, no multiple of the {width} of an image"
            )
        parts.append(found.reshape(-1, width))
    rows = np.concatenate(parts)
    labels = rows[:, label_bytes - 1]
    if labels.max() >= num_classes:
        raise ExperimentError(
            f"{folder} holds the label {labels.max()}, and there are {num_classes} classes"
        )
    planes = rows[:, label_bytes:].reshape(-1, 3, SIZE, SIZE)
    return planes.transpose(0, 2, 3, 1), labels
