"""Pictures as views and forgeries take them: fractions of white, never bytes, which would wrap around."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ntkexec.errors import ExperimentError

ROUNDING = 1e-6
"""How far below 0 and above 1 pictures in single precision may be by rounding alone."""


def check_floats(images: Any) -> None:
    """Refuses bytes and other integers: differences of bytes wrap around, and 255 is no fraction of white.

    Args:
        images: an array, NumPy's or JAX's; only its type is looked at.

    Raises:
        ExperimentError: its type is no floating-point type.
    """
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ExperimentError(
            f"pictures are floating-point numbers, from 0 for black to 1 for white, got {images.dtype}: "
            "divide bytes by 255"
        )


def coloured(images: Any) -> np.ndarray:
    """Pictures (n, h, w, 3) as an array of NumPy, in the type that they have.

    Raises:
        ExperimentError: they are no floating-point numbers, or of another shape.
    """
    found = np.asarray(images)
    check_floats(found)
    if found.ndim != 4 or found.shape[3] != 3:
        raise ExperimentError(
            f"coloured pictures are an array (n, h, w, 3), got {found.shape}; add the first axis to one "
            "picture alone"
        )
    return found


def within_white(images: Any) -> np.ndarray:
    """Pictures (n, h, w, 3) whose values are between 0 and 1, in double precision.

    Raises:
        ExperimentError: as `coloured`, or a value is outside, or not a number.
    """
    found = coloured(images)
    outside = found[~((found >= -ROUNDING) & (found <= 1 + ROUNDING))]
    if outside.size:
        raise ExperimentError(
            f"pictures have values from 0 for black to 1 for white, got {outside[0]:g}"
        )
    return found.astype(float)
