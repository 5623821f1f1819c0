"""Benchmarks of scaling: seconds against the size of the graph and of the program."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ntkexec.plots.style import COLOURS, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = {
    "seconds": ("kernel-packed", "o-"),
    "kernel": ("kernel", "s--"),
    "networkx": ("networkx", "^:"),
    "scipy": ("scipy csgraph (C)", "v:"),
}


# Any: rows of the benchmark `scale` as plain data.
def over_nodes(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """Seconds of a whole search against nodes: a panel for each family, a line for each contender.

    Args:
        rows: `graph` (the family), `nodes`, and the seconds of each key of `LINES`, None where
            they were not measured.
    """
    families = list(dict.fromkeys(row["graph"] for row in rows))
    figure = new_figure(4.5 * max(1, len(families)), 3.6)
    panels = figure.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for axes, family in zip(panels, families, strict=True):
        for colour, (key, (label, style)) in zip(COLOURS, LINES.items(), strict=False):
            points = [
                (row["nodes"], row[key])
                for row in rows
                if row["graph"] == family and row[key] is not None
            ]
            if points:
                axes.loglog(*zip(*points, strict=True), style, color=colour, label=label)
        axes.set_xlabel("nodes")
        axes.grid(alpha=0.3)
        axes.set_title(f"breadth-first search, {family}, degree 4", fontsize=10)
    panels[0].set_ylabel("seconds")
    panels[0].legend(fontsize=9)
    return figure


# Any: the benchmark `work` as plain data.
def over_nonzeros(record: Mapping[str, Any]) -> "Figure":
    """Seconds a step against conditions and outputs of all templates.

    Args:
        record: `rows` with `nonzeros` and `seconds_a_step`, and `slope`, the fitted exponent.
    """
    figure, axes = new_axes("nonzeros of the program", "seconds a step", width=4.5, height=3.4)
    rows = record["rows"]
    axes.loglog(
        [row["nonzeros"] for row in rows],
        [row["seconds_a_step"] for row in rows],
        "o-",
        color=COLOURS[0],
    )
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    axes.set_title(f"flooding, 100,000 nodes: slope {record['slope']:.2f}", fontsize=10)
    return figure
