"""Pictures with objects in them, as files tell of them: masks and pixels are made when they are asked for."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

import numpy as np
from jaxtyping import Bool, UInt8

from experiments.data.objects import Objects
from experiments.files.rasters import colours_of
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

MOST_PIXELS = 2**27
"""Of a picture; a mask of so many takes 128 MB."""

MOST_BYTES = 2**33
"""Of the masks that are made at once."""


class Outline(Protocol):
    """Which pixels an object has, in whatever form a file says so."""

    def mask(self, height: int, width: int) -> Bool[np.ndarray, "h w"]:
        """The pixels; an `ExperimentError` if what the file says makes none."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """One object as a file tells of it.

    Args:
        box: left, top, right, bottom.
        label: its class, a place in `AnnotatedPictures.classes`.
        outline: its pixels; none if only the box is told.
        area: in square pixels as told; none if it is not.
        crowd: whether it stands for a group.
        difficult: whether VOC does not count it.
    """

    box: tuple[float, float, float, float]
    label: int
    outline: Outline | None = None
    area: float | None = None
    crowd: bool = False
    difficult: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture's file, its size in pixels, the number or name that its files know it by, its objects.

    Raises:
        ExperimentError: a size that is none or too large, or a file that does not lie in the folder.
    """

    file: str
    height: int
    width: int
    identity: int | str
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.height * self.width > MOST_PIXELS:
            raise ExperimentError(
                f"picture {quoted(self.identity)} is said to have {self.height} x {self.width} pixels; at "
                f"least one and at most {MOST_PIXELS} can be read"
            )
        parts = PurePosixPath(self.file).parts + PureWindowsPath(self.file).parts
        outside = PurePosixPath(self.file).is_absolute() or PureWindowsPath(self.file).anchor
        if not parts or ".." in parts or outside or "\0" in self.file:
            raise ExperimentError(
                f"picture {quoted(self.identity)} is said to lie at {quoted(self.file)}, which is no "
                f"place below the folder of pictures"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class AnnotatedPictures:
    """Pictures, the classes of what is in them, and where their files lie.

    Args:
        name: of the set and part, for messages.
        folder: below which the pictures' files lie.
        classes: names; a label is a place here.
        identities: by which files know the classes, such as COCO's numbers, which have gaps.
        pictures: in the order of the file.
    """

    name: str
    folder: Path
    classes: tuple[str, ...]
    identities: tuple[int, ...]
    pictures: tuple[Picture, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def objects(self, index: int, *, masks: bool = False, difficult: bool = True) -> Objects:
        """What is in a picture.

        Args:
            index: of the picture.
            masks: whether to make the masks too.
            difficult: whether objects belong to it that VOC does not count. By COCO's counting, one that is
                not found is then missed, and without them one that is found is a mistake. VOC's protocol,
                in which they are neither, is `kits.detection.voc_precision`, which takes all of them.

        Raises:
            ExperimentError: no such picture, or a mask that is not told or makes no sense.
        """
        one = self._picture(index)
        kept = [region for region in one.regions if difficult or not region.difficult]
        pixels = self._masks(one, kept) if masks else None
        sizes = [(r.box[2] - r.box[0]) * (r.box[3] - r.box[1]) for r in kept]
        if pixels is not None:
            sizes = [float(mask.sum()) for mask in pixels]
        areas = [size if r.area is None else r.area for r, size in zip(kept, sizes, strict=True)]
        return Objects(
            np.array([region.box for region in kept], np.float64).reshape(-1, 4),
            np.array([region.label for region in kept], np.int64),
            pixels,
            np.array([region.crowd for region in kept], bool),
            np.array(areas, np.float64),
        )

    def difficult(self, index: int) -> Bool[np.ndarray, "n"]:
        """Which of a picture's objects VOC does not count, as `kits.detection.voc_precision` takes it.

        Raises:
            ExperimentError: there is no such picture.
        """
        return np.array([region.difficult for region in self._picture(index).regions], bool)

    def pixels(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """A picture's red, green and blue.

        Raises:
            ExperimentError: there is no such picture, or its file is missing, damaged or of another size
                than is told.
            MissingExtraError: without Pillow.
        """
        one = self._picture(index)
        path = self.folder / one.file
        found = colours_of(path)
        if found.shape[:2] != (one.height, one.width):
            raise ExperimentError(
                f"{shown(path)} has {found.shape[0]} x {found.shape[1]} pixels and is said to have "
                f"{one.height} x {one.width}"
            )
        return found

    def _picture(self, index: int) -> Picture:
        if not 0 <= index < len(self.pictures):
            raise ExperimentError(
                f"{shown(self.name)} has no picture {index}: it has {len(self.pictures)}, counted from 0"
            )
        return self.pictures[index]

    def _masks(self, one: Picture, kept: list[Region]) -> Bool[np.ndarray, "n h w"]:
        if len(kept) * one.height * one.width > MOST_BYTES:
            raise ExperimentError(
                f"the {len(kept)} masks of picture {quoted(one.identity)} of {shown(self.name)} would take "
                f"more than {MOST_BYTES} bytes"
            )
        made = np.zeros((len(kept), one.height, one.width), bool)
        for place, region in enumerate(kept):
            where = f"object {place + 1} of picture {quoted(one.identity)} of {shown(self.name)}"
            if region.outline is None:
                raise ExperimentError(f"{where} has no mask")
            try:
                made[place] = region.outline.mask(one.height, one.width)
            except ExperimentError as error:
                raise ExperimentError(f"{where}: {error}") from error
        return made


@dataclasses.dataclass(frozen=True, eq=False)
class DividedPictures:
    """The parts of a set, such as train and val, each read when it is asked for.

    Args:
        name: of the set.
        readers: by name of the part.
    """

    name: str
    readers: Mapping[str, Callable[[], AnnotatedPictures]]

    def part(self, name: str) -> AnnotatedPictures:
        """One part.

        Raises:
            ExperimentError: it is not there, or its files are damaged.
        """
        if name not in self.readers:
            raise ExperimentError(
                f"{self.name} has no part {quoted(name)} there; it has {', '.join(self.readers)}"
            )
        return self.readers[name]()


def divided_pictures(
    name: str, parts: Mapping[str, tuple[Path, Callable[[], AnnotatedPictures]]]
) -> DividedPictures:
    """Those parts of a set whose file is there.

    Args:
        name: of the set.
        parts: by name, the file that says which pictures belong to it, and what reads them.

    Raises:
        ExperimentError: none is there.
    """
    readers = {part: reader for part, (file, reader) in parts.items() if file.exists()}
    if not readers:
        wanted = ", ".join(str(file) for file, _ in parts.values())
        raise ExperimentError(
            f"{shown(name)} has no part there: none of {shown(wanted, 600)} is a file"
        )
    return DividedPictures(name, readers)
