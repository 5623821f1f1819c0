"""Data sets that an installed Python package carries, where the user's own folder has them not."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from experiments.data.catalogue import data_set
from experiments.data.room import DataMissingError, load, reader
from experiments.data.sets import DataSet, Place


def load_carried(name: str, data: Path | str | None) -> Any:
    """A data set from the user's folder, else from the package that carries it, if that is installed.

    No package is imported: its files are looked for where Python looks for packages.

    Args:
        name: one of those that `ntkexec experiment data` lists.
        data: the folder below which sets are looked for first; it may be missing.

    Returns:
        What the set's kind says.

    Raises:
        DataMissingError: it is neither there nor in an installed package; says how to get it.
        ExperimentError: no set has this name, or a file of it is damaged.
    """
    try:
        return load(name, data)
    except DataMissingError as missing:
        row = data_set(name)
        found = file_in_package(row)
        if found is None:
            wanted = f", or install the package {row.package}" if row.package else ""
            raise DataMissingError(f"{missing}{wanted}") from None
        place, path = found
        return reader(place)(path, name, place.key or name)


def file_in_package(row: DataSet) -> tuple[Place, Path] | None:
    """The file of an installed package that carries a set in a form which can be read, if there is one."""
    inner = re.fullmatch(r"\S+ \S+ \(([^()]+)\)", row.package)
    if inner is None:
        return None
    for place in row.places:
        if place.reader and not place.files and Path(place.path).name == Path(inner[1]).name:
            for folder in sys.path:
                path = Path(folder) / inner[1]
                if os.path.isfile(path):
                    return place, path
    return None
