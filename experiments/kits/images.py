"""Images that are there: scikit-learn's digits, generated ones, and stored sets, standardised."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32
from scipy import ndimage

from experiments.data.formats.cifar import FILES as CIFAR_FILES
from experiments.data.formats.cifar import read as read_cifar
from ntkexec.errors import ExperimentError, MissingExtraError

__all__ = [
    "CIFAR_FILES",
    "SHAPES",
    "Images",
    "blurred_noise",
    "cifar",
    "digits",
    "shapes",
    "split",
    "standardised",
]


@dataclasses.dataclass(frozen=True)
class Images:
    """Labelled images.

    Args:
        train, test: pixels, standardised with the training images' mean and deviation.
        train_labels, test_labels: numbers from 0 to num_classes - 1.
        num_classes: of the task.
    """

    train: Float32[np.ndarray, "n h w c"]
    train_labels: Int32[np.ndarray, "n"]
    test: Float32[np.ndarray, "m h w c"]
    test_labels: Int32[np.ndarray, "m"]
    num_classes: int


def split(
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    num_train: int,
    num_classes: int,
    generator: np.random.Generator,
) -> Images:
    """A random split of images of shape (n, h, w, c), standardised."""
    if not 0 < num_train < len(pixels):
        raise ExperimentError(f"cannot train on {num_train} of {len(pixels)} images and test too")
    order = generator.permutation(len(pixels))
    first, rest = order[:num_train], order[num_train:]
    return standardised(pixels[first], labels[first], pixels[rest], labels[rest], num_classes)


def standardised(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    num_classes: int,
) -> Images:
    """Images with mean 0 and deviation 1 per channel, by the training images' statistics."""
    axes = tuple(range(train.ndim - 1))
    centre, spread = train.mean(axes, dtype=np.float64), train.std(axes, dtype=np.float64)
    spread = np.where(spread > 0, spread, 1)

    def scaled(pixels: np.ndarray) -> np.ndarray:
        # In float32 throughout: all of CIFAR in float64 would take a gigabyte.
        return (pixels.astype(np.float32) - centre.astype(np.float32)) / spread.astype(np.float32)

    return Images(
        scaled(train),
        train_labels.astype(np.int32),
        scaled(test),
        test_labels.astype(np.int32),
        num_classes,
    )


def digits(*, num_train: int, generator: np.random.Generator) -> Images:
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships, split at random.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            "the digits need scikit-learn: install ntkexec[experiments]"
        ) from error
    found = load_digits()
    return split(
        found.images[..., None],
        found.target,
        num_train=num_train,
        num_classes=10,
        generator=generator,
    )


SHAPES = ("disc", "square", "triangle", "plus", "ring", "bar")


def shapes(
    *, num_train: int, num_test: int, size: int, noise: float, generator: np.random.Generator
) -> Images:
    """Generated grey images of one shape each, of random place and size, under white noise.

    Args:
        num_train, num_test: images.
        size: height and width in pixels, at least 8.
        noise: standard deviation; the shape is 1 on 0.
        generator: of everything.

    Returns:
        Six classes, in the order of `SHAPES`.
    """
    if size < 8:
        raise ExperimentError(f"shapes need images of at least 8 pixels, got {size}")
    number = num_train + num_test
    labels = generator.integers(len(SHAPES), size=number)
    radius = generator.uniform(size / 6, size / 3, size=number)[:, None, None]
    centre = generator.uniform(radius, size - radius, size=(2, number, 1, 1))
    turned = generator.integers(2, size=number).astype(bool)[:, None, None]
    # Four samples for each pixel, whose mean smooths the edges.
    rows, columns = (np.mgrid[: 2 * size, : 2 * size] + 0.5) / 2
    y, x = (rows - centre[0]) / radius, (columns - centre[1]) / radius
    y, x = np.where(turned, x, y), np.where(turned, y, x)
    distance, box = np.hypot(x, y), np.maximum(np.abs(x), np.abs(y))
    masks = (
        distance < 1,
        box < 0.9,
        (y < 0.9) & (y > 2 * np.abs(x) - 0.9),
        (box < 1) & (np.minimum(np.abs(x), np.abs(y)) < 0.35),
        (distance < 1) & (distance > 0.55),
        (np.abs(y) < 0.35) & (np.abs(x) < 1),
    )
    fine = np.stack(masks)[labels, np.arange(number)].astype(np.float32)
    clean = fine.reshape(number, size, 2, size, 2).mean((2, 4))
    pixels = (clean + noise * generator.normal(size=clean.shape))[..., None]
    return standardised(
        pixels[:num_train],
        labels[:num_train],
        pixels[num_train:],
        labels[num_train:],
        len(SHAPES),
    )


def blurred_noise(
    number: int, size: int, channels: int, *, sigma: float, generator: np.random.Generator
) -> Float32[np.ndarray, "number size size channels"]:
    """White noise blurred by a Gaussian of width `sigma` pixels, scaled back to deviation 1."""
    white = generator.normal(size=(number, size, size, channels))
    if sigma > 0:
        white = ndimage.gaussian_filter(white, (0, sigma, sigma, 0), mode="wrap")
        white /= white.std()
    return white.astype(np.float32)


def cifar(folder: Path, name: str) -> Images:
    """CIFAR-10 or CIFAR-100 from its binary files, with fine labels, standardised.

    Args:
        folder: holds the `.bin` files of the binary version, as distributed.
        name: `cifar-10` or `cifar-100`.

    Raises:
        ExperimentError: names the file that is missing, cut short, or holds a label out of range.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    found = read_cifar(folder, name)
    return standardised(
        found.train, found.train_labels, found.test, found.test_labels, found.num_classes
    )
