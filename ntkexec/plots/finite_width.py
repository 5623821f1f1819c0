"""The law of finite width: how far finite networks are from the closed forms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkexec.plots.style import COLOURS, GREY, new_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Any: details of the check `kernel-finite-width` as plain data.
def plot(record: Mapping[str, Any]) -> "Figure":
    """Error of the kernels of finite networks over their width, beside the claimed law.

    Args:
        record: `width` and `error` (root mean square, of the same length), and `slope`, the
            fitted exponent.
    """
    figure, axes = new_axes("width h", "root mean square error of the kernels")
    widths, errors = np.array(record["width"], float), np.array(record["error"], float)
    axes.loglog(widths, errors, "o", color=COLOURS[0], label="measured")
    # Through the centre of the points, on logarithmic axes.
    at, height = np.exp(np.log(widths).mean()), np.exp(np.log(errors).mean())
    for slope, style, colour, words in (
        (-0.5, "-", COLOURS[1], "claimed: 1/√h"),
        (record["slope"], "--", GREY, f"fitted: h^{record['slope']:.3f}"),
    ):
        axes.loglog(widths, height * (widths / at) ** slope, style, color=colour, label=words)
    axes.set_xticks(widths, [f"{width:g}" for width in widths])
    axes.set_xticks([], minor=True)
    axes.legend(fontsize=9)
    axes.set_title("Finite networks approach the closed forms", fontsize=10)
    return figure
