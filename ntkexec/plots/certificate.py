"""A certificate as a picture: what interference asks for, below what it may be."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ntkexec.plots.style import COLOURS, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Any: a certificate as plain data, `ntkexec.theory.interference`.
def plot(record: Mapping[str, Any]) -> "Figure":
    """C(m, n0) over the matches m, and the interference of every bit.

    Args:
        record: `curves` gives by n0 the capacity for m = 2, 3, ...; `bits` has n0, m and the
            interference (w - a) / a of every bit in its worst state; `verdict` is a sentence.
    """
    figure = new_figure(8, 4.8)
    axes = figure.subplots()
    colours = dict(zip(record["curves"], (*COLOURS, *[GREY] * len(record["curves"])), strict=False))
    for n0, curve in record["curves"].items():
        matches = range(2, len(curve) + 2)
        axes.plot(matches, curve, color=colours[n0], label=f"C(m, {n0})")
        points = [(b["m"], b["interference"]) for b in record["bits"] if str(b["n0"]) == n0]
        if points:
            where, height = zip(*points, strict=True)
            axes.scatter(where, height, color=colours[n0], s=18, zorder=3)
    axes.set(
        xlabel="matched templates m", ylabel="interference for each matched writer, (w - a) / a"
    )
    # Linear near 0, where bits without collisions lie.
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=-0.1)
    axes.legend(title="with one threshold for all bits,\neach must lie below its line", fontsize=9)
    axes.set_title(record["verdict"], fontsize=10, wrap=True)
    return figure
