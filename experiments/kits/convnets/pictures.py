"""Stored pictures made ready for training: CIFAR-10's sample and MNIST's digits, smaller if wanted."""

from pathlib import Path

import numpy as np

from experiments.data.formats.cifar import PictureSet
from experiments.data.formats.mnist import DigitSet
from experiments.data.room import load
from experiments.kits.images import Images, split, standardised
from ntkexec.errors import ExperimentError

__all__ = ["cifar_sample", "mnist", "shrunk"]


def cifar_sample(found: PictureSet | Path, *, size: int = 32) -> Images:
    """Some of CIFAR-10's pictures, standardised: 200 of each class to train on, 100 to test with.

    Args:
        found: what `load("cifar-10-sample", folder)` gave, or the folder of data sets.
        size: height and width in pixels: 32, or a divisor, to which means are taken.
    """
    given = load("cifar-10-sample", found) if isinstance(found, Path) else found
    train, test = (shrunk(pixels, size) for pixels in (given.train, given.test))
    return standardised(train, given.train_labels, test, given.test_labels, given.num_classes)


def mnist(
    found: DigitSet | Path,
    *,
    num_train: int = 4000,
    size: int = 28,
    generator: np.random.Generator,
) -> Images:
    """MNIST's 5,000 digits, split at random and standardised.

    Args:
        found: what `load("mnist-5k", folder)` gave, or the folder of data sets.
        num_train: of them to train on; the others are tested with.
        size: height and width in pixels: a divisor of 28, or of 32, for which two rows of paper are added
            on every side.
        generator: of the split.
    """
    given = load("mnist-5k", found) if isinstance(found, Path) else found
    pixels = given.pixels[..., None]
    if size < 1 or pixels.shape[1] % size:
        pixels = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return split(
        shrunk(pixels, size), given.labels, num_train=num_train, num_classes=10, generator=generator
    )


def shrunk(pixels: np.ndarray, size: int) -> np.ndarray:
    """Square pictures of shape (n, h, h, c) as float32, each new pixel the mean of a block of old ones.

    Raises:
        ExperimentError: blocks of no whole number of pixels make up that size.
    """
    number, height, width, channels = pixels.shape
    if size < 1 or height % size or width != height:
        raise ExperimentError(f"pictures of {height} x {width} pixels cannot be shrunk to {size}")
    blocks = pixels.reshape(number, size, height // size, size, height // size, channels)
    return blocks.mean((2, 4), dtype=np.float32)
