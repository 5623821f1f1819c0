"""Results on disk: one folder for a study under a configuration, a code and versions; a file a seed."""

import dataclasses
import functools
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from experiments.data.catalogue import data_set
from experiments.data.room import reader
from experiments.files.storage import digest, plain, read_sealed, write_atomically, write_sealed
from experiments.files.words import quoted
from experiments.harness.digest import Package, code_digest
from experiments.harness.experiment import Experiment
from experiments.harness.report import FORMAT
from experiments.harness.study import checked_result
from ntkexec.errors import ExperimentError

LONGEST = 1e12
"""Seconds of measuring that are believed."""
REASON = "not-measured.json"
LIBRARIES = ("jax", "flax", "optax", "numpy")
"""A result under other versions of these is another result."""


@functools.cache
def versions() -> Mapping[str, str]:
    """The installed versions of `LIBRARIES`."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def environment() -> dict[str, str]:
    """Versions and device, which a figure cannot be cited without."""
    return {
        "python": platform.python_version(),
        **versions(),
        "device": jax.devices()[0].device_kind,
        "machine": platform.machine(),
    }


def identity(
    experiment: Experiment[Any], study: str, config: Any, package: Package | None = None
) -> dict[str, Any]:
    """All that makes a stored result this study's: nothing else is ever read in its place.

    It holds the configuration, the code that the study reaches, the loaders of the data that the
    port can use, and the versions of the libraries.

    Args:
        experiment: whose study.
        study: its name.
        config: one of the experiment's configurations.
        package: the code as it was read for other studies; by default it is read anew.
    """
    package = package or Package()
    return {
        "format": FORMAT,
        "experiment": experiment.slug,
        "study": study,
        "config": plain(dataclasses.asdict(config)),
        "code": code_digest(experiment.studies.functions[study], package),
        "data": {name: _reading(name, package) for name in experiment.about.data},
        "versions": dict(versions()),
    }


def identities(experiment: Experiment[Any], config: Any) -> dict[str, dict[str, Any]]:
    """The identity of each study, of which all follow the same code and read it once."""
    package = Package()
    return {
        study: identity(experiment, study, config, package)
        for study in experiment.studies.functions
    }


def _reading(name: str, package: Package) -> list[list[str]]:
    """How a data set is read, in each of the forms in which it may lie: what is asked for, and the code."""
    places = [place for place in data_set(name).places if place.reader]
    return [[place.key or name, code_digest(reader(place), package)] for place in places]


def folder_for(out: Path, found: Mapping[str, Any]) -> Path:
    """Where the results of an identity lie."""
    return out / found["experiment"] / f"{found['study']}-{digest(found)}"


def folder_of(out: Path, experiment: Experiment[Any], study: str, config: Any) -> Path:
    """Where a study's results lie."""
    return folder_for(out, identity(experiment, study, config))


def num_stored(out: Path, experiment: Experiment[Any], config: Any, first_seed: int) -> int:
    """Under how many seeds, counted from the first, some study has a result."""
    folders = [folder_for(out, found) for found in identities(experiment, config).values()]
    num = 0
    while any(_file(folder, first_seed + num).exists() for folder in folders):
        num += 1
    return num


def describe(folder: Path, found: Mapping[str, Any]) -> None:
    """Writes for people what a folder holds.

    Args:
        folder: of a study's results.
        found: their identity.

    Raises:
        ExperimentError: names the file that cannot be read or written.
    """
    described = (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()
    known = folder / "config.json"
    try:
        # Nothing reads it but people, whom a damaged one would mislead.
        same = known.is_file() and known.read_bytes() == described
    except OSError as error:
        raise ExperimentError(f"cannot read {known}: {error.strerror}") from error
    if not same:
        write_atomically(known, described)


def write_result(folder: Path, measured: Mapping[str, Any]) -> None:
    """Stores what one study measured under one seed, atomically."""
    write_sealed(_file(folder, measured["seed"]), {**measured, "folder": folder.name})


def read_result(folder: Path, study: str, seed: int) -> dict[str, Any] | None:
    """A stored result; none if there is none yet.

    Raises:
        ExperimentError: names the file, if it is damaged or another study's or seed's.
    """
    path = _file(folder, seed)
    stored = read_sealed(path, format=FORMAT, folder=folder.name, study=study, seed=seed)
    if stored is None:
        return None
    checked_result(stored.get("result"), path)
    for name in ("seconds", "cpu_seconds"):
        seconds = stored.get(name)
        if not isinstance(seconds, int | float) or not 0 <= seconds < LONGEST:
            raise ExperimentError(
                f"{path} holds no result: its {name} are {quoted(seconds)}; delete it to measure anew"
            )
    return stored


def write_reason(folder: Path, reason: str) -> None:
    """Notes why a study could not be measured, for who asks later; the next run tries again."""
    write_sealed(folder / REASON, {"folder": folder.name, "reason": reason})


def read_reason(folder: Path | None) -> str:
    """Why a study could not be measured when it was last tried; empty if nothing is known.

    Raises:
        ExperimentError: names the file, if it is damaged.
    """
    found = None if folder is None else read_sealed(folder / REASON, folder=folder.name)
    return "" if found is None else str(found.get("reason", ""))


def _file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.json"
