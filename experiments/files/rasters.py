"""Pictures of strangers as arrays, from files or from bytes: colours, and numbers such as those of masks."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from experiments.files.sources import FORMATS, check_regular
from experiments.files.words import shown
from ntkexec.errors import ExperimentError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

NUMBERED = ("P", "L", "1")
"""Pillow's modes of pictures whose pixels are numbers of up to 8 bits: places in a palette, or greys."""


def colours_of(source: Path | bytes, where: str = "") -> UInt8[np.ndarray, "h w 3"]:
    """The red, green and blue of a picture.

    Args:
        source: its file, or what would be in it.
        where: what messages call it; the file's path if nothing.

    Raises:
        ExperimentError: for what is no picture, or a damaged or far too large one.
        MissingExtraError: without Pillow.
    """
    return np.asarray(_opened(source, where, "RGB"), np.uint8)


def numbers_of(source: Path | bytes, where: str = "") -> UInt8[np.ndarray, "h w"]:
    """The numbers of a picture's pixels as they are stored: of a palette's colours their places in it.

    Not `convert("L")`, which makes greys of a palette's colours, and so other numbers.

    Args:
        source, where: as of `colours_of`.

    Raises:
        ExperimentError: as `colours_of`, or its pixels are colours or numbers of more bits.
        MissingExtraError: without Pillow.
    """
    found = _opened(source, where, "")
    if found.mode not in NUMBERED:
        raise ExperimentError(
            f"{where or shown(source)} has pixels of the kind {shown(found.mode)}, not numbers of 8 bits"
        )
    # Of one bit the larger number is the picture's white.
    return np.asarray(found, np.uint8) * np.uint8(255 if found.mode == "1" else 1)


def _opened(source: Path | bytes, where: str, mode: str) -> "Image":
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    name = where or ("a picture" if isinstance(source, bytes) else shown(source))
    if not isinstance(source, bytes):
        check_regular(source)
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as opened:
            opened.load()
            return opened.convert(mode) if mode else opened.copy()
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders meet damage with errors of some ten kinds, and list them nowhere.
        raise ExperimentError(f"cannot read the picture {name}: {shown(error)}") from error
