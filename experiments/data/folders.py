"""Labelled pictures in folders, one for each class, read batch by batch: ImageNet as it is unpacked."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from experiments.files.rasters import decoded
from experiments.files.storage import as_folder
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

SUFFIXES = (".jpeg", ".jpg", ".png")
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's red, green and blue, of pixels between 0 and 1."""
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
"""Share of a picture's area and the aspect of a random crop (Szegedy et al., 2015)."""
ATTEMPTS = 10
BILINEAR = 2
"""Pillow's number of that filter."""


@dataclasses.dataclass(frozen=True)
class PictureFolder:
    """Pictures and their classes; pixels are read when a batch is asked for.

    Args:
        paths: of all pictures, sorted.
        labels: their classes, numbers from 0.
        classes: names of the classes' folders, sorted; a class's number is its place.
    """

    paths: tuple[Path, ...]
    labels: Int32[np.ndarray, "n"]
    classes: tuple[str, ...]

    def batch(
        self, indices: np.ndarray, *, size: int, generator: np.random.Generator | None = None
    ) -> tuple[Float32[np.ndarray, "b size size 3"], Int32[np.ndarray, "b"]]:
        """Pixels, standardised as is usual for ImageNet, and labels of some pictures.

        Args:
            indices: places in `paths`.
            size: height and width of the result.
            generator: of random crops and flips, for training; without one the middle is cropped
                after the shorter side was scaled to `size / 0.875`.

        Raises:
            ExperimentError: names a picture that cannot be read.
            MissingExtraError: without Pillow.
        """
        pixels = np.stack([_read(self.paths[i], size, generator) for i in indices])
        scaled = (pixels.astype(np.float32) / 255 - np.array(MEAN)) / np.array(DEVIATION)
        return scaled.astype(np.float32), self.labels[np.asarray(indices)]


def picture_folder(root: Path | str) -> PictureFolder:
    """The pictures below `root/<class>/`, such as `imagenet/train/n01440764/*.JPEG`.

    Hidden folders and files, whose names begin with a point, are none of a data set.

    Raises:
        ExperimentError: if there is no such folder, no class in it, or a class without pictures.
    """
    root = as_folder(root)
    if not root.is_dir():
        raise ExperimentError(f"there is no folder {shown(root)}")
    classes = [entry.name for entry in _entries(root) if entry.is_dir()]
    if not classes:
        raise ExperimentError(f"{shown(root)} holds no folder for a class")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = [p for p in _entries(root / name) if p.suffix.lower() in SUFFIXES]
        if not found:
            raise ExperimentError(f"{shown(root / name)} holds no picture ({', '.join(SUFFIXES)})")
        paths += found
        labels += [label] * len(found)
    return PictureFolder(tuple(paths), np.array(labels, np.int32), tuple(classes))


def picture_folders(train: Path | str, test: Path | str) -> tuple[PictureFolder, PictureFolder]:
    """Pictures to train on and to test with, whose classes have the same numbers.

    Raises:
        ExperimentError: as `picture_folder`, or a class that only one of them has.
    """
    found, held_out = picture_folder(train), picture_folder(test)
    for one, other, where, lacking in (
        (found, held_out, train, test),
        (held_out, found, test, train),
    ):
        if alone := sorted(set(one.classes) - set(other.classes)):
            raise ExperimentError(
                f"{shown(where)} and {shown(lacking)} hold different classes: {quoted(alone[0])}, one "
                f"of {len(alone)}, is only in the first"
            )
    return found, held_out


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise ExperimentError(f"cannot read {shown(folder)}: {error.strerror}") from error


def _read(path: Path, size: int, generator: np.random.Generator | None) -> np.ndarray:
    found = decoded(path, "RGB")
    box = _middle(found.size) if generator is None else _random_box(found.size, generator)
    pixels = np.asarray(found.resize((size, size), BILINEAR, box=box))
    flipped = generator is not None and generator.random() < 0.5
    return pixels[:, ::-1] if flipped else pixels


def _middle(extent: tuple[int, int]) -> tuple[float, float, float, float]:
    side = 0.875 * min(extent)
    left, top = (extent[0] - side) / 2, (extent[1] - side) / 2
    return (left, top, left + side, top + side)


def _random_box(
    extent: tuple[int, int], generator: np.random.Generator
) -> tuple[float, float, float, float]:
    """A box of random area and aspect; the middle if none of a few tries lies in the picture."""
    for _ in range(ATTEMPTS):
        area = generator.uniform(*AREA) * extent[0] * extent[1]
        aspect = float(np.exp(generator.uniform(*np.log(ASPECT))))
        width, height = (area * aspect) ** 0.5, (area / aspect) ** 0.5
        if width <= extent[0] and height <= extent[1]:
            left = generator.uniform(0, extent[0] - width)
            top = generator.uniform(0, extent[1] - height)
            return (left, top, left + width, top + height)
    return _middle(extent)
