"""Files of data sets, which others made: read whole and by their real kind, or refused by name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Pictures that are decoded; for others Pillow starts further programs."""


def as_file(path: str | os.PathLike[str]) -> Path:
    """A file by its path, which may be plain text and need not exist.

    Raises:
        ExperimentError: it is neither text nor a path.
    """
    named = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(named, str) or not named:
        raise ExperimentError(f"{quoted(path)} is no file: a path is, as text or as a Path")
    return Path(named)


def content(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        ExperimentError: there is none: a folder, a pipe, a device, or nothing.
    """
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"cannot read {shown(path)}: {error.strerror}") from error


def content_up_to(path: Path, most: int) -> bytes:
    """As `content`, of a file of `most` bytes at most; of a larger one no more is read.

    Raises:
        ExperimentError: as `content`, or it is larger.
    """
    check_regular(path)
    try:
        with path.open("rb") as opened:
            found = opened.read(most + 1)
    except OSError as error:
        raise ExperimentError(f"cannot read {shown(path)}: {error.strerror}") from error
    if len(found) > most:
        raise ExperimentError(f"{shown(path)} has more than {most} bytes")
    return found


def check_regular(path: Path) -> None:
    """Refuses what is no regular file, before anybody waits for it.

    Raises:
        ExperimentError: as `content`.
    """
    try:
        regular, there = path.is_file(), path.exists()
    except (OSError, ValueError) as error:
        raise ExperimentError(f"cannot read {shown(path)}: {shown(error)}") from error
    if not regular:
        what = "it is no regular file" if there else "there is no such file"
        raise ExperimentError(f"cannot read {shown(path)}: {what}")


def picture(path: Path, mode: str) -> "Image":
    """A picture, decoded.

    Args:
        path: its file.
        mode: Pillow's, such as `RGB`.

    Raises:
        ExperimentError: for what is no regular file, no picture, or a damaged or far too large one.
        MissingExtraError: without Pillow.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    check_regular(path)
    try:
        with Image.open(path, formats=FORMATS) as opened:
            return opened.convert(mode)
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders meet damage with errors of some ten kinds, and list them nowhere.
        raise ExperimentError(f"cannot read the picture {shown(path)}: {shown(error)}") from error
