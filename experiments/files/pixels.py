"""The pixels of a user's picture, upright and on white."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from experiments.files.rasters import decoded


def rgb_pixels(path: Path | str) -> UInt8[np.ndarray, "h w 3"]:
    """A picture's colours: transparent parts on white, and turned as its camera says it was held.

    Raises:
        ExperimentError: for what is no regular file, no picture, or a damaged or far too large one, or for
            numbers of which nobody says which of them is white.
        MissingExtraError: without Pillow.
    """
    layer = decoded(path, "RGBA")
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(layer)
    white = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(white, upright).convert("RGB"))
