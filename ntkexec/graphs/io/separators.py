"""What separates the columns of an edge list: one thing in the whole file, or the file is refused."""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ntkexec.errors import GraphError, shown

# Not str.splitlines, which also breaks lines at characters that may be part of a name.
_BREAK = re.compile(r"\r\n|\r|\n")
# Up to a '#' that follows a blank and stands outside quotation marks.
_COMMENTED = re.compile(r'((?:"[^"]*"|[^"])*?)(?<=[ \t])#')
_QUOTED = re.compile(r'"[^"]*"')
_BLANKS = re.compile(r"[ \t]+")
_TABS = re.compile(r" *\t[ \t]*")
_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "blanks"}

Rows = list[list[str]]


@dataclass
class Line:
    """A line that holds an edge.

    number: from 1.
    content: without comment and without blanks around.
    comment: what follows the '#' of a comment at its end.
    columns: once they are known.
    """

    number: int
    content: str
    comment: str = ""
    columns: list[str] = field(default_factory=list)


def content_lines(text: str) -> list[Line]:
    """The lines of a text that hold more than a comment."""
    lines = []
    for number, raw in enumerate(_BREAK.split(text), start=1):
        content, comment = raw.strip(" \t"), ""
        if not content or content[0] == "#":
            continue
        if "#" in content and (cut := _COMMENTED.match(content)):
            comment = content[cut.end() :]
            content = cut[1].rstrip(" \t")
        lines.append(Line(number, content, comment))
    return lines


def split(
    lines: Sequence[Line], place: str, *, commas: bool, is_weight: Callable[[str], bool]
) -> bool:
    """Splits all lines in place, by what separates the columns of the file.

    Args:
        lines: at least one.
        place: the file, for messages.
        commas: whether it says by its name that it is separated by commas or semicolons.
        is_weight: whether a text may be the third column.

    Returns:
        Whether every line has two names and perhaps a weight. If not, lines are split by the likeliest
        separator, for a message.

    Raises:
        GraphError: the lines can be read in two ways, or with quotation marks that do not match.
    """
    bare = [
        _QUOTED.sub("", line.content) if '"' in line.content else line.content for line in lines
    ]
    present = [mark for mark in "\t,;" if all(mark in content for content in bare)]
    rows: dict[str, Rows] = {}
    errors: list[GraphError] = []
    for mark in (*present, " "):
        try:
            found = [_between(line, mark, place) for line in lines]
        except GraphError as error:
            errors.append(error)
        else:
            if _fits(found, mark, is_weight):
                rows[mark] = found
    if errors and not rows.keys() - {" "}:
        raise errors[0]
    marks = [mark for mark in rows if mark in ",;"]
    chosen = next(iter(rows), None)
    if chosen == "\t" and commas and marks:
        _refuse_two(lines[0], place, rows, ("\t", marks[0]))
    if chosen != "\t" and marks and "," in present and ";" in present:
        raise GraphError(
            f"line {lines[0].number} of {place} is {shown(lines[0].content)}, with commas and "
            f"semicolons; quote the names or write the numbers that hold the one that separates none"
        )
    if chosen != "\t" and marks and " " in rows and not commas and not _is_quoted(rows[" "]):
        _refuse_two(lines[0], place, rows, (marks[0], " "))
    if chosen == " ":
        _check_blanks(lines, place)
    elif chosen is not None:
        _check_comments(lines, place)
    likeliest = present[0] if present else "," if "," in lines[0].content else " "
    columns = (
        rows[chosen] if chosen is not None else [_between(line, likeliest, place) for line in lines]
    )
    for line, row in zip(lines, columns, strict=True):
        line.columns = row
    return chosen is not None


def _between(line: Line, mark: str, place: str) -> list[str]:
    """The columns of a line if a mark separates them."""
    if mark == " ":
        return _BLANKS.split(line.content)
    if '"' not in line.content:
        return [column.strip(" \t") for column in line.content.split(mark)]
    reader = csv.reader([line.content], delimiter=mark, skipinitialspace=True, strict=True)
    try:
        columns = next(reader)
    except csv.Error as error:
        raise GraphError(
            f"line {line.number} of {place} is {shown(line.content)}, whose quotation marks do not "
            f"match: {error}"
        ) from error
    if any(column != column.strip(" \t") for column in columns):
        raise GraphError(
            f"line {line.number} of {place} is {shown(line.content)}, with blanks at the end of a name "
            f"beside quotation marks; leave them out"
        )
    return columns


def _fits(rows: Rows, mark: str, is_weight: Callable[[str], bool]) -> bool:
    """Whether all lines have the same number of columns, two names and perhaps a weight."""
    num_columns = len(rows[0])
    if num_columns not in (2, 3):
        return False
    for row in rows:
        if len(row) != num_columns or not all(row):
            return False
        if num_columns == 3 and not is_weight(row[2]):
            return False
        # A name that ends in a comma was cut where none separates.
        if mark in "\t " and any(c[0] in ",;" or c[-1] in ",;" for c in row):
            return False
    return True


def _is_quoted(rows: Rows) -> bool:
    """Whether a column begins or ends with a quotation mark."""
    return any(column[0] == '"' or column[-1] == '"' for row in rows for column in row)


def _refuse_two(line: Line, place: str, rows: dict[str, Rows], marks: tuple[str, str]) -> None:
    ways = [f"between {_NAMES[mark]} {shown(tuple(rows[mark][0]))}" for mark in marks]
    raise GraphError(
        f"line {line.number} of {place} can be read in two ways, {' and '.join(ways)}; separate the "
        f"columns by tabs in a file that ends in .edges, or by commas alone in one that ends in .csv"
    )


def _check_blanks(lines: Sequence[Line], place: str) -> None:
    """Raises where blanks may be part of a name although they separate names."""
    for line in lines:
        columns = _BLANKS.split(line.content)
        if "\t" in line.content and columns != _TABS.split(line.content):
            raise GraphError(
                f"line {line.number} of {place} is {shown(line.content)}, with tabs and blanks; one "
                f"of them separates the names in the whole file"
            )
        if columns != line.content.split():
            raise GraphError(
                f"line {line.number} of {place} is {shown(line.content)}, with white space that is "
                f"neither blank nor tab; separate the names by commas or tabs if it is part of one"
            )
        if _is_quoted([columns]):
            raise GraphError(
                f"line {line.number} of {place} is {shown(line.content)}; names in quotation marks "
                f"stand between commas or tabs"
            )


def _check_comments(lines: Sequence[Line], place: str) -> None:
    """Raises where a '#' after a blank may as well be part of a name that holds blanks."""
    for line in lines:
        if line.comment[:1] not in ("", " ", "\t", "#"):
            found = f"#{line.comment}"
            raise GraphError(
                f"line {line.number} of {place} has {shown(found)} after a blank; quote the name that "
                f"it is part of, or write '# ' for a comment"
            )
        if '"' in line.content and re.search(r"[ \t]#", _QUOTED.sub("", line.content)):
            raise GraphError(
                f"line {line.number} of {place} is {shown(line.content)}, with a '#' beside "
                f"quotation marks; begin a line with it for a comment"
            )
