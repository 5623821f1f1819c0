"""Facts as people read them: names and values in columns, for a terminal and for a notebook."""

import html
from collections.abc import Iterable, Sequence


def as_text(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns, one fact a line."""
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts)


def as_html(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Rows of cells as an HTML table, escaped.

    Args:
        rows: the cells, as plain text.
        head: the columns' names, if they have some.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    lines = [line(head, "th")] if head else []
    return f"<table>{''.join([*lines, *(line(row, 'td') for row in rows)])}</table>"
