"""`python -m benchmarks report`: the tables of docs/performance.md and its plots, measured anew."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntkexec import files

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def write(results: Mapping[str, Any], text: str) -> list[Path]:
    """Puts tables and plots where the documentation shows them.

    Args:
        results: by benchmark, what it measured.
        text: the same as tables.

    Returns:
        The files that were written.
    """
    page = DOCS / "performance.md"
    tables = f"```text\n{text.strip()}\n```\n"
    written = [_replace(page, splice(page.read_text(), tables).encode())]
    written.append(
        _replace(DOCS / "performance.json", (json.dumps(results, indent=1) + "\n").encode())
    )
    return written + plots(results)


def splice(page: str, measured: str) -> str:
    """A page with everything between its two marks replaced.

    Raises:
        ValueError: the page has not each mark once, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the page needs the lines {BEGIN.strip()!r} and {END.strip()!r}, once")
    return before + BEGIN + measured + END + after


def plots(results: Mapping[str, Any]) -> list[Path]:
    """Seconds against nodes and against the program's size, on logarithmic axes."""
    # Of the extra "docs".
    from matplotlib.figure import Figure

    written = []
    if "scale" in results:
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, family in zip(panels, ("random-regular", "grid"), strict=True):
            plot_scale(axes, [r for r in results["scale"]["rows"] if r["graph"] == family])
            axes.set_title(f"breadth-first search, {family}, degree 4")
        panels[0].set_ylabel("seconds")
        panels[0].legend(fontsize="small")
        written.append(_save(figure, "performance-scale.png"))
    if "work" in results:
        figure = Figure(figsize=(4.5, 3.4), layout="constrained")
        plot_work(figure.subplots(), results["work"])
        written.append(_save(figure, "performance-work.png"))
    return written


LINES = {
    "seconds": ("kernel-packed", "o-"),
    "kernel": ("kernel", "s--"),
    "networkx": ("networkx", "^:"),
    "scipy": ("scipy csgraph (C)", "v:"),
}


def plot_scale(axes: Any, rows: list[Mapping[str, Any]]) -> Any:
    """Seconds of a whole search against nodes, one line for each contender."""
    for key, (label, style) in LINES.items():
        points = [(row["nodes"], row[key]) for row in rows if row[key] is not None]
        axes.loglog(*zip(*points, strict=True), style, label=label)
    axes.set_xlabel("nodes")
    axes.grid(alpha=0.3)
    return axes


def plot_work(axes: Any, result: Mapping[str, Any]) -> Any:
    """Seconds a step against conditions and outputs of all templates."""
    rows = result["rows"]
    sizes = [row["nonzeros"] for row in rows]
    axes.loglog(sizes, [row["seconds_a_step"] for row in rows], "o-")
    axes.set_xlabel("nonzeros of the program")
    axes.set_ylabel("seconds a step")
    axes.set_title(f"flooding, 100,000 nodes: slope {result['slope']:.2f}", fontsize="medium")
    axes.grid(alpha=0.3)
    return axes


def _save(figure: Any, name: str) -> Path:
    path = DOCS / "images" / name
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        figure.savefig(file.name, dpi=110)
        return _replace(path, Path(file.name).read_bytes())


def _replace(path: Path, content: bytes) -> Path:
    files.write(path, content)
    return path
