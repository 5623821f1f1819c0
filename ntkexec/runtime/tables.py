"""Tables for notebooks."""

import html
from collections.abc import Mapping


def html_table(title: str, rows: Mapping[str, str]) -> str:
    """A title and rows of two cells, escaped."""
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<p><b>{html.escape(title)}</b></p><table>{cells}</table>"
