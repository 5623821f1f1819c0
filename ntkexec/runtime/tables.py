"""Facts as people read them: names and values in columns, for a terminal and for a notebook."""

import html
from collections.abc import Iterable, Sequence


def as_text(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns, one fact a line."""
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts)


def as_html(rows: Iterable[Sequence[str]], *, title: str = "", head: Sequence[str] = ()) -> str:
    """Rows of cells as an HTML table, escaped.

    Args:
        rows: the cells, as plain text.
        title: stands above, in bold, if there is one.
        head: the columns' names, if they have some.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    above = f"<p><b>{html.escape(title)}</b></p>" if title else ""
    lines = [line(head, "th")] if head else []
    return f"{above}<table>{''.join([*lines, *(line(row, 'td') for row in rows)])}</table>"
