"""Pictures in which one class is marked, in folds of classes that training must not see, or described."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from experiments.files.rasters import colours_of, numbers_of
from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

OUTLINE = 255
"""Number of the pixels that a mask leaves open, in masks of several classes."""


@dataclasses.dataclass(frozen=True)
class Marked:
    """A picture and where its class is, as arrays.

    Args:
        image: red, green and blue.
        mask: the class's pixels.
        open: pixels of which nobody said what they are; they do not count.
    """

    image: UInt8[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]
    open: Bool[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True)
class MaskedPicture:
    """A picture with one of its classes; pixels are read when they are asked for.

    Args:
        name: of the picture in its set.
        image: its file, or what would be in it.
        mask: likewise, of numbers.
        label: the class, from 0.
        number: of the class's pixels in the mask; none where all above 0 are the class's.
    """

    name: str
    image: Path | bytes = dataclasses.field(repr=False)
    mask: Path | bytes = dataclasses.field(repr=False)
    label: int
    number: int | None = None

    def read(self) -> Marked:
        """Its pixels.

        Raises:
            ExperimentError: names a file that cannot be read, or a mask of another size.
            MissingExtraError: without Pillow.
        """
        where = f"{quoted(self.name)} of the set"
        image = colours_of(self.image, where if isinstance(self.image, bytes) else "")
        of_mask = f"the mask of {where}" if isinstance(self.mask, bytes) else ""
        numbers = numbers_of(self.mask, of_mask)
        if numbers.shape != image.shape[:2]:
            raise ExperimentError(
                f"the mask of {where} has {numbers.shape} pixels, and the picture {image.shape[:2]}"
            )
        if self.number is None:
            return Marked(image, numbers > 0, np.zeros(numbers.shape, bool))
        return Marked(image, numbers == self.number, numbers == OUTLINE)


@dataclasses.dataclass(frozen=True)
class Fold:
    """One part of the classes held out.

    Args:
        held_out: numbers of these classes.
        train: pictures with a class that is not.
        test: pictures with one that is.
    """

    held_out: tuple[int, ...]
    train: tuple[MaskedPicture, ...]
    test: tuple[MaskedPicture, ...]


@dataclasses.dataclass(frozen=True)
class FoldSet:
    """Pictures in folds by classes, such as PASCAL-5i.

    Args:
        name: of the set.
        classes: their names.
        folds: four, which hold out each class once.
    """

    name: str
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]


@dataclasses.dataclass(frozen=True)
class DescribedSet:
    """Pictures of classes that are told by phrases.

    Args:
        name: of the set.
        attributes: phrases by class, in the order of the labels.
        pictures: of them.
    """

    name: str
    attributes: Mapping[str, tuple[str, ...]]
    pictures: tuple[MaskedPicture, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.attributes)
