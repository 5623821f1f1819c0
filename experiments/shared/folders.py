"""Labelled pictures in folders, one for each class, read batch by batch: ImageNet as it is unpacked."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from ntkexec.errors import ExperimentError, MissingExtraError

SUFFIXES = (".jpeg", ".jpg", ".png")
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's red, green and blue, of pixels between 0 and 1."""
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
"""Share of a picture's area and the aspect of a random crop (Szegedy et al., 2015)."""
ATTEMPTS = 10


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


def picture_folder(root: Path) -> PictureFolder:
    """The pictures below `root/<class>/`, such as `imagenet/train/n01440764/*.JPEG`.

    Raises:
        ExperimentError: if there is no such folder, no class in it, or a class without pictures.
    """
    if not root.is_dir():
        raise ExperimentError(f"there is no folder {root}")
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if not classes:
        raise ExperimentError(f"{root} holds no folder for a class")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(p for p in (root / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            raise ExperimentError(f"{root / name} holds no picture ({', '.join(SUFFIXES)})")
        paths += found
        labels += [label] * len(found)
    return PictureFolder(tuple(paths), np.array(labels, np.int32), tuple(classes))


def _read(path: Path, size: int, generator: np.random.Generator | None) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ExperimentError(f"cannot read the picture {path}: {error}") from error
    box = _middle(picture.size) if generator is None else _random_box(picture.size, generator)
    pixels = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=box))
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
