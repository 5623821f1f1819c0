"""Folders of ensembles: each belongs to one training, and nothing that is not its own is touched."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntkexec.ensemble.reading import parse_plan, read_json, read_regular
from ntkexec.ensemble.stored import MANIFEST, PLAN, THRESHOLDS, Plan, as_json
from ntkexec.errors import EnsembleError
from ntkexec.runtime import files


def claim(folder: Path, plan: Plan, table: bytes, *, finished: bool) -> None:
    """Makes the folder ready for this plan, or continues there if it is the same plan.

    Args:
        folder: where the ensemble is, or will be.
        plan: what is to be trained.
        table: content of the file of its thresholds.
        finished: whether a finished ensemble is there.

    Raises:
        EnsembleError: it holds other files, another training or a damaged one, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.part"):
            # What a killed training was writing; nothing ever reads it.
            leftover.unlink()
        strangers = [entry.name for entry in folder.iterdir() if not _is_ours(entry.name)]
    except OSError as error:
        raise EnsembleError(f"cannot store an ensemble in {folder}: {error.strerror}") from error
    if strangers:
        raise EnsembleError(
            f"{folder} holds other files ({strangers[0]}); give an empty or new folder"
        )
    path = folder / PLAN
    if os.path.lexists(path):
        require_same(folder, PLAN, parse_plan(read_json(path), path), plan, finished=finished)
    else:
        write(path, as_json(plan.to_data()))
    if not os.path.lexists(folder / THRESHOLDS):
        write(folder / THRESHOLDS, table)
    elif read_regular(folder / THRESHOLDS, len(table)) != table:
        raise EnsembleError(f"{folder / THRESHOLDS} is damaged: it is not what {PLAN} says")


def require_same(folder: Path, name: str, found: Plan, plan: Plan, *, finished: bool) -> None:
    """Raises EnsembleError, naming the first difference, unless two plans are the same.

    A finished ensemble may have been made with another JAX.
    """
    theirs, ours = (_flat(one.to_data()) for one in (found, plan))
    for key in sorted(theirs.keys() | ours.keys()):
        there, here = theirs.get(key), ours.get(key)
        if there == here or (finished and key.startswith("made_with.")):
            continue
        if key.startswith("made_with."):
            raise EnsembleError(
                f"the training in {folder} was begun with {key.removeprefix('made_with.')} {there}, "
                f"and this is {here}: its members would not be those of one training; continue it "
                "with the same, or give another folder"
            )
        raise EnsembleError(
            f"{folder} holds another training ({name} differs: {key} is {there!r:.40}, not "
            f"{here!r:.40}); continue it with its own options, or give another folder"
        )


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Nested fields by their path."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        inner = {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else None
        flat |= {key: value} if inner is None else inner
    return flat


def _is_ours(name: str) -> bool:
    return name in (PLAN, MANIFEST, THRESHOLDS) or (
        name.startswith("stack-") and name.endswith(".safetensors")
    )


def write(path: Path, content: bytes) -> None:
    """Writes a file, all or nothing.

    Raises:
        EnsembleError: it cannot be written.
    """
    try:
        files.write(path, content)
    except OSError as error:
        raise EnsembleError(f"cannot write {path}: {error.strerror}") from error
