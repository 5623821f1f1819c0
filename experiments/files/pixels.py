"""The pixels of a user's picture, upright and on white."""

import math
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from experiments.files.rasters import decoded
from experiments.files.sources import FORMATS, as_file, check_regular
from experiments.files.words import shown
from ntkexec.errors import ExperimentError, MissingExtraError

MOST_PIXELS = 2**26
"""Of a picture of a user, 8192 x 8192: decoded it takes a gigabyte, or two where parts are transparent."""


def rgb_pixels(path: Path | str, *, most: int = MOST_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """A picture's colours: transparent parts on white, and turned as its camera says it was held.

    Args:
        path: its file.
        most: pixels that it may have, which its first bytes tell; a larger one is not decoded.

    Raises:
        ExperimentError: for what is no regular file, no picture, or a damaged or too large one, or for
            numbers of which nobody says which of them is white.
        MissingExtraError: without Pillow.
    """
    clear = _transparent(as_file(path), most)
    layer = decoded(path, "RGBA" if clear else "RGB")
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(layer)
    if not clear:
        return np.asarray(upright)
    white = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(white, upright).convert("RGB"))


def _transparent(path: Path, most: int) -> bool:
    """Whether a picture may have transparent parts, by what its first bytes tell; refuses too large ones."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    check_regular(path)
    side = f"{math.isqrt(most):,}"
    bound = f"at most {most:,} pixels are looked at, such as {side} x {side}: make it smaller"
    try:
        with warnings.catch_warnings():
            # Pillow's own bound is larger, and told as a warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as opened:
                width, height = opened.size
                transparent = opened.has_transparency_data
    except Image.DecompressionBombError as error:
        raise ExperimentError(f"the picture {shown(path)} is far too large; {bound}") from error
    except MemoryError:
        raise
    except Exception as error:
        # As in `rasters`: Pillow's decoders meet damage with errors of some ten kinds.
        raise ExperimentError(f"cannot read the picture {shown(path)}: {shown(error)}") from error
    if width * height > most:
        raise ExperimentError(
            f"the picture {shown(path)} has {width:,} x {height:,} pixels; {bound}"
        )
    return bool(transparent)
