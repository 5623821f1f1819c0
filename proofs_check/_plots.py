"""Plots of measurements; each takes numbers and returns a matplotlib figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkexec.plots.style import new_axes


def axes(x_label: str, y_label: str) -> tuple[Any, Any]:
    """A figure with one pair of labelled axes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return new_axes(x_label, y_label, width=5.5, height=3.5)


def power_law(
    x: Sequence[float], y: Sequence[float], slope: float, *, x_label: str, y_label: str
) -> Any:
    """Points in logarithmic axes, and the claimed slope through their centre."""
    figure, found = axes(x_label, y_label)
    found.loglog(x, y, "o", label="measured")
    centre = np.exp(np.mean(np.log(x))), np.exp(np.mean(np.log(y)))
    ends = np.array([min(x), max(x)], float)
    found.loglog(ends, centre[1] * (ends / centre[0]) ** slope, "-", label=f"slope {slope:g}")
    found.legend()
    return figure
