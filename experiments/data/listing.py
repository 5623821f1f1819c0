"""What `ntkexec experiment data` says of each set: what it is, who uses it, where it lies, how to get it."""

import dataclasses
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.data.carried import file_in_package
from experiments.data.catalogue import by_name, data_set
from experiments.data.room import VARIABLE, Found, how_to_get, places_of
from experiments.data.sets import DataSet, Place
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

WIDTH = 110


@dataclasses.dataclass(frozen=True)
class Entry:
    """A set as it is for one user.

    Args:
        row: of the catalogue.
        users: names of the ports whose studies can use it.
        found: where it lies; none if it is not there, or nowhere was looked.
        carried: the file of an installed package that carries it, if there is one.
    """

    row: DataSet
    users: tuple[str, ...]
    found: Found | None
    carried: Path | None

    def to_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        row = self.row
        return {
            "name": row.name,
            "kind": row.kind,
            "what": row.what,
            "used_by": list(self.users),
            "looked_for": [
                {"path": place.path, "files": list(place.files), "loader": bool(place.reader)}
                for place in row.places
            ],
            "path": None if self.found is None else str(self.found.path),
            "carried": None if self.carried is None else str(self.carried),
            "address": row.address,
            "package": row.package,
            "citation": row.citation,
            "reference": row.reference,
            "caution": row.caution,
        }


def entries(
    names: Sequence[str], data: Path | None, used: Mapping[str, Iterable[str]]
) -> tuple[Entry, ...]:
    """The sets that are asked for, looked for below a folder; nothing is read or fetched.

    Args:
        names: of sets; none are all.
        data: the folder; without one nothing is looked for.
        used: by port, the sets that its studies can use.

    Raises:
        ExperimentError: an unknown name, or no such folder.
    """
    rows = [data_set(name) for name in dict.fromkeys(names)] or list(by_name().values())
    if data is not None and not data.is_dir():
        raise ExperimentError(f"there is no folder {shown(data)} to look for data sets in")
    found = []
    for row in rows:
        users = tuple(port for port, sets in used.items() if row.name in sets)
        lies, packaged = None if data is None else places_of(row, data), file_in_package(row)
        found.append(Entry(row, users, lies, None if packaged is None else packaged[1]))
    return tuple(found)


def text(listed: Sequence[Entry], data: Path | None) -> str:
    """The list for a terminal, by kind."""
    lines = []
    for kind in dict.fromkeys(entry.row.kind for entry in listed):
        lines.append(f"{kind}:")
        for entry in listed:
            if entry.row.kind == kind:
                lines += _paragraph(entry, data)
        lines.append("")
    if data is None:
        lines.append(
            f"Nothing was looked for: name your folder of data sets by --data or {VARIABLE}."
        )
    else:
        there = sum(entry.found is not None for entry in listed)
        lines.append(f"{there} of {len(listed)} are below {shown(data)}.")
    lines.append("Nothing is downloaded: what you get yourself, put in one of the places named.")
    return "\n".join(lines)


def _paragraph(entry: Entry, data: Path | None) -> list[str]:
    row = entry.row
    state = "" if data is None else "not there"
    if entry.found is not None:
        state = f"there: {entry.found.place}"
    elif entry.carried is not None:
        state = "in an installed package"
    users = f"used by {', '.join(entry.users)}" if entry.users else ""
    head = "; ".join(part for part in (state, users) if part)
    says = [
        row.what,
        f"looked for: {' | '.join(dict.fromkeys(_layout(place) for place in row.places))}",
        how_to_get(row),
        row.reference and f"published {row.reference}",
        row.caution and f"mind: {row.caution}",
        "" if any(place.reader for place in row.places) else "only found: no reader is there yet",
    ]
    made = [f"  {row.name}" + (f"  ({head})" if head else "")]
    for said in filter(None, says):
        made += textwrap.wrap(
            said,
            WIDTH,
            initial_indent="    ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return made


def _layout(place: Place) -> str:
    """All that must lie in a place, where its name alone says but what lies there first."""
    return f"{place.path} with {', '.join(place.files)}" if len(place.files) > 1 else str(place)
