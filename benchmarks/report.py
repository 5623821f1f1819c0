"""`python -m benchmarks report`: the tables of docs/performance.md and its plots, measured anew."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntkexec.plots.scaling import over_nodes, over_nonzeros
from ntkexec.plots.style import save
from ntkexec.runtime import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def measured() -> dict[str, Any]:
    """The tables of the page, as they are."""
    found: dict[str, Any] = json.loads((DOCS / "performance.json").read_text())
    return found


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
    written = []
    if "scale" in results:
        written.append(_save(over_nodes(results["scale"]["rows"]), "performance-scale.png"))
    if "work" in results:
        written.append(_save(over_nonzeros(results["work"]), "performance-work.png"))
    return written


def _save(figure: "Figure", name: str) -> Path:
    path = DOCS / "images" / name
    save(figure, path)
    return path


def _replace(path: Path, content: bytes) -> Path:
    files.write(path, content)
    return path
