"""Files of raw programs: `.npz` with the matrices, or `.json` with a row of text for each template.

{"format": "ntkexec-program/1", "message_start": 3, "templates": [
  {"when": "01**1", "then": "00011"},
  {"when": "**01*", "then": "10000", "label": "wake"}]}
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ntkexec.errors import NtkexecError, ProgramError, clean, shown
from ntkexec.program.arrays import FREE, is_raw
from ntkexec.program.program import Program
from ntkexec.runtime import archives, files

FORMAT = "ntkexec-program/1"
SUFFIXES = (".npz", ".json")
"""The file's name says which it is."""

MAX_JSON_BYTES = 1 << 26
MAX_NAME = 80
_OF_ARRAYS = ("conditions", "targets", "message_start")
_OPTIONAL = ("name", "round_length", "labels")
_SIGNS = {"0": 0, "1": 1, "*": FREE}


def is_file_name(name: str | os.PathLike[str]) -> bool:
    """Whether it is the name of such a file, by its suffix."""
    return Path(name).suffix.lower() in SUFFIXES


def save(program: Program, path: str | os.PathLike[str]) -> None:
    """Writes a raw program, whole or not at all.

    Args:
        program: one of `Program.from_arrays`.
        path: `.npz`, or `.json` for a small one that people read.

    Raises:
        ProgramError: the program has fields with a meaning, which no such file can hold, or a name that
            is no line of text.
        NtkexecError: another suffix.
        OSError: the file cannot be written.
    """
    if not is_raw(program.layout):
        fields = ", ".join(field.name for field in program.layout.computation[:4])
        raise ProgramError(
            f"{program.name!r} has fields with a meaning ({fields}, ...), and a file holds bits only: "
            "keep the function that builds it and name it as module:function, or save what "
            "Program.from_arrays makes of program.to_arrays()"
        )
    kind = _suffix(path)
    labels = [entry.label for entry in program.templates]
    _check_words({"name": program.name, "labels": labels})
    files.write(path, _as_npz(program) if kind == ".npz" else _as_json(program))


def load(path: str | os.PathLike[str]) -> Program:
    """The raw program of a file; without a name in it, it is called like the file.

    Raises:
        NtkexecError: another suffix, no such file, or what is wrong with its content, by row and
            column.
    """
    place = clean(os.fspath(path))
    given = _of_npz(path, place) if _suffix(path) == ".npz" else _of_json(path, place)
    try:
        _check_words(given)
        return Program.from_arrays(**{"name": clean(Path(path).stem, limit=MAX_NAME - 8), **given})
    except ProgramError as error:
        raise ProgramError(f"{place}: {error}") from None


def _suffix(path: str | os.PathLike[str]) -> str:
    if not is_file_name(path):
        raise NtkexecError(
            f"a program's file ends in {' or '.join(SUFFIXES)}, not {clean(os.fspath(path))}"
        )
    return Path(path).suffix.lower()


def _optional(program: Program) -> dict[str, Any]:
    return {"name": program.name, "round_length": program.round_length}


def _as_npz(program: Program) -> bytes:
    conditions, targets = program.to_arrays()
    labels = [entry.label for entry in program.templates]
    # Any: scalars and matrices, which NumPy's own types do not tell from its options.
    arrays: dict[str, Any] = {
        "conditions": conditions,
        "targets": targets,
        "message_start": np.array(program.layout.num_computation_bits),
        **{name: np.array(value) for name, value in _optional(program).items()},
    }
    if any(labels):
        arrays["labels"] = np.array(labels)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _as_json(program: Program) -> bytes:
    conditions, targets = program.to_arrays()
    signs = {value: sign for sign, value in _SIGNS.items()}
    head = {
        "format": FORMAT,
        **_optional(program),
        "message_start": program.layout.num_computation_bits,
    }
    rows = []
    for entry, when, then in zip(program.templates, conditions, targets, strict=True):
        row = {
            "when": "".join(signs[value] for value in when.tolist()),
            "then": "".join("01"[value] for value in then.tolist()),
        }
        rows.append(json.dumps(row | ({"label": entry.label} if entry.label else {})))
    listed = ",\n  ".join(rows)
    return f'{json.dumps(head)[:-1]}, "templates": [\n  {listed}\n]}}\n'.encode()


# Any, here and below: what a file holds.
def _of_npz(path: str | os.PathLike[str], place: str) -> dict[str, Any]:
    found = archives.read_arrays(path)
    _check_names(found, _OF_ARRAYS, _OPTIONAL, place)
    given: dict[str, Any] = dict(found)
    for name in ("message_start", "name", "round_length"):
        if name in given and given[name].ndim:
            raise ProgramError(f"{name} of {place} is one value, not of shape {given[name].shape}")
        if name in given:
            given[name] = given[name].item()
    if "labels" in given:
        if given["labels"].ndim != 1:
            raise ProgramError(
                f"labels of {place} are a text for each template, not of shape {given['labels'].shape}"
            )
        given["labels"] = given["labels"].tolist()
    return given


def _of_json(path: str | os.PathLike[str], place: str) -> dict[str, Any]:
    archives.check_file(path)
    if os.stat(path).st_size > MAX_JSON_BYTES:
        raise NtkexecError(f"{place} has more than {MAX_JSON_BYTES} bytes; save it as .npz")
    try:
        data = json.loads(Path(path).read_bytes(), object_pairs_hook=_once)
    except RecursionError:
        raise NtkexecError(f"{place} is nested too deeply") from None
    except ValueError as error:
        raise NtkexecError(f"{place} is no JSON: {clean(str(error))}") from None
    if not isinstance(data, dict):
        raise ProgramError(f"{place} is no JSON object; one with {', '.join(_OF_JSON)} fits")
    _check_names(data, _OF_JSON, ("name", "round_length"), place)
    if data["format"] != FORMAT:
        raise ProgramError(f"{place} has the format {shown(data['format'])}, not {FORMAT!r}")
    rows = data["templates"]
    if not isinstance(rows, list) or not rows:
        raise ProgramError(f"templates of {place} are a list of rows, with one at least")
    found = [_row(index, row, place) for index, row in enumerate(rows)]
    conditions, targets, labels = zip(*found, strict=True)
    for index, one in enumerate(conditions):
        if len(one) != len(conditions[0]):
            raise ProgramError(
                f"{place}: row {index} has {len(one)} places, and row 0 has {len(conditions[0])}"
            )
    given = {name: data[name] for name in ("message_start", "name", "round_length") if name in data}
    return given | {"conditions": conditions, "targets": targets, "labels": labels}


_OF_JSON = ("format", "message_start", "templates")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _row(index: int, row: Any, place: str) -> tuple[list[int], list[int], str]:
    """Condition, targets and label of a row of text."""
    where = f"{place}: row {index}"
    if not isinstance(row, dict):
        raise ProgramError(f'{where} is an object such as {{"when": "01*", "then": "001"}}')
    _check_names(row, ("when", "then"), ("label",), where)
    found = []
    for name, signs in (("when", "01*"), ("then", "01")):
        text = row[name]
        if not isinstance(text, str):
            raise ProgramError(f"{where}: {name!r} is text of {signs}, not {shown(text)}")
        for column, sign in enumerate(text):
            if sign not in signs:
                raise ProgramError(
                    f"{where}: {name!r} has {shown(sign)} in column {column}; "
                    f"{', '.join(signs[:-1])} or {signs[-1]} fits"
                )
        found.append([_SIGNS[sign] for sign in text])
    when, then = found
    if len(when) != len(then):
        raise ProgramError(f"{where}: 'when' has {len(when)} places and 'then' {len(then)}")
    return when, then, row.get("label", "")


def _check_names(
    found: Mapping[str, Any], needed: Sequence[str], optional: Sequence[str], place: str
) -> None:
    if missing := [name for name in needed if name not in found]:
        raise ProgramError(f"{place} lacks {', '.join(missing)}")
    if odd := [name for name in found if name not in (*needed, *optional)]:
        raise ProgramError(
            f"{place} holds {shown(odd[0])}; there are {', '.join((*needed, *optional))}"
        )


def _check_words(given: Mapping[str, Any]) -> None:
    """Names and labels of strangers are shown as they are: they must be fit for it."""
    for what, words in (("name", [given.get("name", "raw")]), ("label", given.get("labels", ()))):
        for word in words:
            plain = isinstance(word, str) and word.isprintable() and len(word) <= MAX_NAME
            if not plain or (what == "name" and not word):
                raise ProgramError(
                    f"a {what} is a line of at most {MAX_NAME} characters, not {shown(word)}"
                )
    for name in ("message_start", "round_length"):
        value = given.get(name, 1)
        if type(value) is not int:
            raise ProgramError(f"{name} is a whole number, not {shown(value)}")
