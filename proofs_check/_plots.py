"""Plots of measurements; each takes numbers and returns a matplotlib figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkexec.errors import MissingExtraError


def axes(x_label: str, y_label: str) -> tuple[Any, Any]:
    """A figure with one pair of labelled axes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("plots need matplotlib: pip install 'ntkexec[proofs]'") from None
    # Not pyplot, which keeps figures alive and may want a display.
    figure = Figure(figsize=(5.5, 3.5), layout="constrained")
    found = figure.add_subplot()
    found.set_xlabel(x_label)
    found.set_ylabel(y_label)
    return figure, found


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
