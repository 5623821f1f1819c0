"""The live page: a graph, an algorithm and its learned update, carried out in the browser.

Everything is in one file: the programs as `ntkexec show --json --templates` gives them, and scripts
that evaluate the closed forms of infinite width. Tests hold the scripts to the library's numbers.
"""

import functools
import json
import os
import pathlib
from typing import Any

from ntkexec.programs import find_algorithm
from ntkexec.report.listings import listing
from ntkexec.runtime import files

SIZES: dict[str, dict[str, int]] = {
    "flooding": {"degree": 4, "slots": 15, "word": 2},
    "bfs": {"degree": 4, "slots": 15, "word": 4},
    "dfs": {"degree": 4, "slots": 15, "word": 5},
    "bellman-ford": {"degree": 4, "slots": 15, "word": 6},
}
"""Enough for every graph of up to 15 nodes, 4 neighbours each and weights up to 4."""

_FILES = pathlib.Path(__file__).parent / "live"
SCRIPTS = ("theory.js", "learning.js", "networks.js", "graphs.js")
"""Those that calculate; they need no page."""
VIEWS = ("picture.js", "charts.js", "words.js", "page.js")
"""Those that show it."""


@functools.cache
def live_data() -> dict[str, Any]:
    """By algorithm its sizes and its program, as in `ntkexec show --json --templates`, without words."""
    found = {}
    for name, sizes in SIZES.items():
        algorithm = find_algorithm(name)
        parameters = algorithm.sizes(**sizes)
        program = algorithm.program(**parameters)
        found[name] = {
            "sizes": sizes,
            "parameters": parameters,
            "listing": _without_words(listing(program)),
        }
    return found


# Any: plain data.
def _without_words(found: dict[str, Any]) -> dict[str, Any]:
    templates = [{k: t[k] for k in ("when", "then")} for t in found["program"]["templates"]]
    return found | {"program": found["program"] | {"templates": templates}}


def scripts(names: tuple[str, ...] = SCRIPTS) -> str:
    """The source of scripts, one after the other."""
    return "\n".join((_FILES / name).read_text(encoding="utf-8") for name in names)


def live_html() -> str:
    """The page, whole: it asks for nothing else."""
    # "</script" would end the script that holds the data.
    data = json.dumps(live_data(), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    page = (_FILES / "page.html").read_text(encoding="utf-8")
    for mark, content in (
        ("/*STYLE*/", (_FILES / "page.css").read_text(encoding="utf-8")),
        ("/*SCRIPTS*/", scripts((*SCRIPTS, *VIEWS))),
        ("/*DATA*/", data),
    ):
        page = page.replace(mark, content)
    return page


def save_live(path: str | os.PathLike[str]) -> None:
    """Writes the live page, whole or not at all.

    Args:
        path: of the file, which is replaced if it exists.

    Raises:
        OSError: the file cannot be written.
    """
    files.write(path, live_html().encode("utf-8"))
