"""Trivial features of pictures: format, size, compression and average content."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from experiments.files.sources import FORMATS, content
from experiments.files.words import shown
from ntkexec.errors import ExperimentError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

Columns = dict[str, np.ndarray]


def trivial_features(pictures: Sequence[Any]) -> tuple[Columns, list[str]]:
    """Features of pictures, each a column, and digests of their pixels.

    Args:
        pictures: files, or arrays (h, w, 3) of bytes, of which format and bytes are unknown.

    Raises:
        ExperimentError: one cannot be read or is no such array, or files and arrays are mixed.
        MissingExtraError: for files, without Pillow.
    """
    rows, digests = [], []
    for each in pictures:
        facts, pixels = _of_file(Path(each)) if isinstance(each, str | Path) else ({}, each)
        rows.append({**facts, **_of_pixels(_checked(pixels))})
        digests.append(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest())
    if len({frozenset(row) for row in rows}) > 1:
        raise ExperimentError("files and arrays are mixed in one class")
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}, digests


def _checked(pixels: Any) -> UInt8[np.ndarray, "h w 3"]:
    found = np.asarray(pixels)
    if found.ndim != 3 or found.shape[2] != 3 or found.dtype != np.uint8 or min(found.shape) < 2:
        raise ExperimentError(
            f"a picture is an array (h, w, 3) of bytes, at least two wide, got {found.shape} of {found.dtype}"
        )
    return found


def _of_file(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Format, compression and pixels of a picture file."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    held = content(path)
    try:
        with Image.open(io.BytesIO(held), formats=FORMATS) as opened:
            facts = _of_header(opened)
            pixels = np.asarray(opened.convert("RGB"))
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders meet damage with errors of some ten kinds, and list them nowhere.
        raise ExperimentError(f"cannot read the picture {shown(path)}: {shown(error)}") from error
    density = len(held) / max(1, pixels.shape[0] * pixels.shape[1])
    return {"suffix": path.suffix.lower(), **facts, "bytes a pixel": density}, pixels


def _of_header(opened: "Image") -> dict[str, Any]:
    tables = getattr(opened, "quantization", None) or {}
    sampling = ""
    if opened.format == "JPEG":
        from PIL.JpegImagePlugin import get_sampling

        sampling = str(get_sampling(opened))
    return {
        "format": str(opened.format),
        "mode": opened.mode,
        "subsampling": sampling,
        "metadata": " ".join(sorted(str(name) for name in opened.info)),
        "quantisation": float(sum(map(sum, tables.values()))),
    }


def _of_pixels(pixels: UInt8[np.ndarray, "h w 3"]) -> dict[str, float]:
    """Size, average content, and traces of blocks of 8 x 8."""
    height, width, _ = pixels.shape
    x = pixels.astype(np.float32) / 255
    red, green, blue = (float(mean) for mean in x.mean((0, 1), dtype=np.float64))
    return {
        "height": float(height),
        "width": float(width),
        "aspect": width / height,
        "red": red,
        "green": green,
        "blue": blue,
        "contrast": float(x.mean(2).std()),
        "saturation": float((x.max(2) - x.min(2)).mean()),
        "clipped": float(((pixels == 0) | (pixels == 255)).mean()),
        "sharpness": float(sum(np.abs(np.diff(x, axis=axis)).mean() for axis in (0, 1))),
        "block edges": _block_edges(x.mean(2)),
    }


def _block_edges(grey: np.ndarray) -> float:
    """How much larger steps are where blocks of 8 meet than elsewhere; 1 where there are no blocks."""
    at = elsewhere = 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(1 - axis)
        border = np.arange(1, len(steps) + 1) % 8 == 0
        if border.any():
            at += float(steps[border].mean())
            elsewhere += float(steps[~border].mean())
    return at / elsewhere if elsewhere > 0 else 1.0
