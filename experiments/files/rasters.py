"""Pictures of strangers as arrays, from files or from bytes: colours, and numbers such as those of masks."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from experiments.files.sources import FORMATS, as_file, check_regular
from experiments.files.words import shown
from ntkexec.errors import ExperimentError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

NUMBERED = ("P", "L", "1")
"""Pillow's modes of pictures whose pixels are numbers of up to 8 bits: places in a palette, or greys."""
WHITEST = 65535
"""Of greys of 16 bits."""


def colours_of(source: Path | str | bytes, where: str = "") -> UInt8[np.ndarray, "h w 3"]:
    """The red, green and blue of a picture; greys of up to 16 bits are brought to 8.

    Args:
        source: its file, or what would be in it.
        where: what messages call it; the file's path if nothing.

    Raises:
        ExperimentError: for what is no picture, or a damaged or far too large one, or for numbers of which
            nobody says which of them is white.
        MissingExtraError: without Pillow.
    """
    return np.asarray(decoded(source, "RGB", where), np.uint8)


def numbers_of(source: Path | str | bytes, where: str = "") -> UInt8[np.ndarray, "h w"]:
    """The numbers of a picture's pixels as they are stored: of a palette's colours their places in it.

    Not `convert("L")`, which makes greys of a palette's colours, and so other numbers; nor what Pillow
    decodes, which stretches greys of 2 and 4 bits so that the largest is white.

    Args:
        source, where: as of `colours_of`.

    Raises:
        ExperimentError: as `colours_of`, or its pixels are colours, numbers of more bits, or greys of
            which the least is white.
        MissingExtraError: without Pillow.
    """
    name = _name(source, where)
    found, raw, largest = _opened(source, name)
    if found.mode not in NUMBERED:
        raise ExperimentError(
            f"{name} has pixels of the kind {shown(found.mode)}, not numbers of 8 bits"
        )
    if re.fullmatch("L;[0-9]*I.*", raw):
        raise ExperimentError(f"{name} has greys of which 0 is white, and is no mask")
    stored = np.asarray(found, np.uint8)
    if found.mode == "1":
        # Of one bit the larger number is the picture's white.
        return stored * np.uint8(255)
    return stored if largest == 255 else np.rint(stored * (largest / 255)).astype(np.uint8)


def decoded(source: Path | str | bytes, mode: str, where: str = "") -> "Image":
    """A picture in one of Pillow's modes of 8 bits, such as `RGB`; as `colours_of`.

    Pillow's own `convert` cuts numbers of 16 bits off at 255, so that nearly all of a picture is white.
    """
    found, _, largest = _opened(source, _name(source, where))
    if found.mode not in ("I", "F") and not found.mode.startswith("I;16"):
        return found.convert(mode)
    values = np.asarray(found)
    if not largest or values.min(initial=0) < 0 or values.max(initial=0) > largest:
        raise ExperimentError(
            f"{_name(source, where)} has pixels of the kind {shown(found.mode)}, of which nobody says which "
            f"is white: make it one of 8 bits"
        )
    from PIL import Image

    grey = Image.fromarray(np.rint(values * (255 / largest)).astype(np.uint8))
    # What its camera says of how it was held.
    grey.info = {name: said for name, said in found.info.items() if name == "exif"}
    return grey.convert(mode)


def _name(source: Path | str | bytes, where: str) -> str:
    return where or ("a picture" if isinstance(source, bytes) else shown(source))


def _opened(source: Path | str | bytes, name: str) -> tuple["Image", str, int]:
    """A picture as it was decoded, Pillow's name of how its pixels are packed, and the number that is white.

    None is, which is said as 0, of numbers of 32 bits, with a sign or with a point.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    if not isinstance(source, bytes):
        source = as_file(source)
        check_regular(source)
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as opened:
            told = [(tile[0], tile[3]) for tile in opened.tile]  # gone once it is loaded
            opened.load()
            return opened.copy(), *_packing(opened.format, opened.mode, told)
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders meet damage with errors of some ten kinds, and list them nowhere.
        raise ExperimentError(f"cannot read the picture {name}: {shown(error)}") from error


def _packing(kind: str | None, mode: str, told: Sequence[tuple[Any, Any]]) -> tuple[str, int]:
    decoder, rest = told[0] if told else ("", None)
    parts = (rest,) if isinstance(rest, str) else tuple(rest or ())
    raw = next((part for part in parts if isinstance(part, str)), "")
    if mode.startswith("I;16"):
        return raw, 4095 if raw == "I;12" else WHITEST
    if mode in ("I", "F"):
        # Portable grey maps are stretched to 16 bits as they are decoded.
        return raw, WHITEST if mode == "I" and kind in ("PNG", "PPM") else 0
    if mode == "L" and str(decoder).startswith("ppm"):
        return raw, int(parts[-1])
    bits = re.match("L;([24])", raw)
    return raw, 2 ** int(bits[1]) - 1 if bits else 255
