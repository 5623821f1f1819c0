"""The page of a run: data, style and scripts in one file."""

import json
import os
import pathlib
from typing import Any

from ntkexec.errors import NtkexecError
from ntkexec.report.trace import Positions, trace_data
from ntkexec.result import Result
from ntkexec.runtime import files

_FILES = pathlib.Path(__file__).parent


def palette() -> str:
    """The colours of all pages, on paper and on a dark screen, as variables of style sheets."""
    return (_FILES / "palette.css").read_text(encoding="utf-8")


def style() -> str:
    """The style sheet of a run's page, which theorems share."""
    return palette() + (_FILES / "viewer.css").read_text(encoding="utf-8")


def to_html(data: dict[str, Any]) -> str:
    """The page that shows `trace_data`.

    Raises:
        NtkexecError: numbers that are not finite, which no page can read.
    """
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise NtkexecError(
            "networks of this run put out numbers that are not finite; a page cannot show them"
        ) from None
    # "</script" would end the script that holds the data, and after "<!--<script" nothing would.
    text = text.replace("<", "\\u003c")
    page = (_FILES / "viewer.html").read_text(encoding="utf-8")
    for mark, content in (
        ("/*STYLE*/", style()),
        ("/*RUN*/", (_FILES / "run.js").read_text(encoding="utf-8")),
        ("/*DRAWING*/", (_FILES / "drawing.js").read_text(encoding="utf-8")),
        ("/*VIEWER*/", (_FILES / "viewer.js").read_text(encoding="utf-8")),
        ("/*DATA*/", text),
    ):
        page = page.replace(mark, content)
    return page


def save(
    result: Result, path: str | os.PathLike[str], *, positions: Positions | None = None
) -> None:
    """Writes the page of a traced run, whole or not at all.

    Args:
        result: a run with a trace.
        path: of the file, which is replaced if it exists.
        positions: of the nodes, by name; by default a layout by networkx.

    Raises:
        NtkexecError: see `trace_data` and `to_html`.
        OSError: the file cannot be written.
    """
    page = to_html(trace_data(result, positions=positions))
    files.write(path, page.encode("utf-8"))
