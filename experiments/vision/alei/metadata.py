"""What a picture's file says beside its pixels, entry by entry, as categories that can be compared."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.files.words import shown

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 40
"""Characters of a value, or of an entry's name, beyond which a digest stands for the rest."""
FEWEST = 10
"""Pictures that must have an entry before its values are compared."""


def values_of(opened: "Image") -> dict[str, str]:
    """Every entry of an opened picture's metadata by its name, EXIF tag by tag.

    Args:
        opened: whose header has been read.

    Returns:
        Values as text; for long ones and bytes a digest.
    """
    found = {str(name): value for name, value in opened.info.items() if name != "exif"}
    if held := opened.info.get("exif"):
        found |= _exif(opened) or {"exif": held}
    return {_short(name): _short(value) for name, value in found.items()}


def _exif(opened: "Image") -> dict[str, Any]:
    """Tags by name; none where the block is damaged, which is then compared as a whole."""
    from PIL.ExifTags import TAGS

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return {f"exif {TAGS.get(tag, tag)}": value for tag, value in opened.getexif().items()}
    except MemoryError:
        raise
    except Exception:  # as Pillow's decoders
        return {}


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()[:16]
    text = str(value)
    if len(text) > LONGEST:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
        text = f"{text[: LONGEST - 9]} {digest}"
    return shown(text)


def value_columns(rows: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
    """For each entry with differing values the value of every picture, "" where there is none.

    Entries that fewer than ten pictures have are left out, and those of one value: whether a picture has
    an entry is told by the names alone.

    Args:
        rows: what `values_of` gives for each picture.
    """
    found = {}
    for name in sorted({name for row in rows for name in row}):
        held = [row[name] for row in rows if name in row]
        if len(held) >= FEWEST and len(set(held)) > 1:
            found[f"metadata {name}"] = np.array([row.get(name, "") for row in rows])
    return found
