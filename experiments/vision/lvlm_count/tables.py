"""JSON, tables and lists of data sets, entry by entry, each with its place for messages."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

LARGEST = 1_000_000
"""The largest number of objects in a picture, and the farthest pixel, that are believed."""


def text(path: Path) -> str:
    """The text of a file in UTF-8, without a mark of byte order.

    Raises:
        ExperimentError: it cannot be read, or is no UTF-8.
    """
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExperimentError(f"cannot read {shown(path)}: it is no UTF-8, {error}") from error


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    if not isinstance(found := _json(path), dict):
        raise ExperimentError(f"{shown(path)} holds no JSON object")
    return found


def json_rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The objects of the JSON list in a file, each with its place."""
    if not isinstance(found := _json(path), list):
        raise ExperimentError(f"{shown(path)} holds no JSON list")
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise ExperimentError(f"{shown(path)}, entry {number}: no JSON object")
        yield row, f"{shown(path)}, entry {number}"


def _json(path: Path) -> Any:
    try:
        return json.loads(text(path))
    except RecursionError as error:
        raise ExperimentError(f"{shown(path)} is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{shown(path)} is no JSON: {shown(error)}") from error


def table(path: Path, columns: Sequence[str]) -> Iterator[tuple[Mapping[str, str], str]]:
    """The rows of a table with commas, each with its place.

    Args:
        path: of the file, whose first row is the header.
        columns: that the header must have; others may be there too.

    Raises:
        ExperimentError: names a column that the header lacks, or the line of a row that is shorter or
            longer than it.
    """
    rows = csv.reader(io.StringIO(text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        for column in columns:
            if header.count(column) != 1:
                raise ExperimentError(
                    f"{shown(path)} needs one column {column!r}, separated by commas; its header is "
                    f"{quoted(header)}"
                )
        for row in rows:
            place = f"{shown(path)}, line {rows.line_num}"
            if row and len(row) != len(header):
                raise ExperimentError(
                    f"{place}: {len(row)} fields, and the header has {len(header)}"
                )
            if row:
                yield dict(zip(header, row, strict=True)), place
    except csv.Error as error:
        raise ExperimentError(f"{shown(path)}, line {rows.line_num}: {shown(error)}") from error


def pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The two columns of a file with one tab in each line."""
    for number, line in enumerate(text(path).split("\n"), 1):
        name, tab, kind = line.partition("\t")
        if line.strip():
            if not (tab and name.strip() and kind.strip()):
                raise ExperimentError(
                    f"{shown(path)}, line {number}: no tab between a picture's name and a class"
                )
            yield name.strip(), kind.strip()


def word(row: Mapping[str, Any], name: str, place: str) -> str:
    """A text of an entry, not empty.

    Raises:
        ExperimentError: with the place, for an absent, empty or other one.
    """
    if not isinstance(found := row.get(name), str) or not found.strip():
        raise ExperimentError(f"{place}: no {name!r}, but {quoted(found)}")
    return found


def file_name(found: object, place: str) -> str:
    """The name of a picture's file, which lies in the data set's own folder.

    Raises:
        ExperimentError: with the place, for what is no text, or leads elsewhere.
    """
    if (
        not isinstance(found, str)
        or not found.strip()
        or not found.isprintable()
        or "\\" in found
        or PurePosixPath(found).is_absolute()
        or ".." in PurePosixPath(found).parts
    ):
        raise ExperimentError(f"{place}: {quoted(found)} names no file of the data set")
    return found


def number(row: Mapping[str, Any], name: str, place: str) -> int:
    """A number of objects in an entry.

    Raises:
        ExperimentError: with the place, for what is no whole number between 0 and a million.
    """
    found = row.get(name)
    try:
        value = -1.0 if isinstance(found, bool) else float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not 0 <= value <= LARGEST or not value.is_integer():
        raise ExperimentError(
            f"{place}: {name!r} is no whole number up to {LARGEST}, but {quoted(found)}"
        )
    return int(value)


def coordinates(values: Sequence[Any], place: str, what: str) -> tuple[float, ...]:
    """Coordinates as numbers between minus and plus a million.

    Raises:
        ExperimentError: with the place, for any that is none.
    """
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ExperimentError(f"{place}: {what} is {quoted(values)}, no numbers") from error
    if not all(abs(value) <= LARGEST for value in found):
        raise ExperimentError(f"{place}: {what} is {quoted(values)}, in no picture")
    return found
