"""Reading a stored ensemble, from whoever wrote it: all of `ntkexec.ensemble.stored`, enforced.

Whoever hands over a folder may want to be believed, and a training may have been interrupted. So
nothing is taken for granted: files are regular ones inside the folder, their size is known before
they are read, descriptions have exactly their fields, and tensors exactly their names, shapes and
types.
"""

import dataclasses
import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.stored import (
    FORMAT,
    MANIFEST,
    THRESHOLDS,
    Entry,
    Manifest,
    Plan,
    Tensor,
    chunk_name,
    sha256,
)
from ntkexec.ensemble.training import Chunk
from ntkexec.errors import EnsembleError
from ntkexec.vocabulary import KINDS

# Bytes of a description, and of what a file of tensors holds besides the tensors.
MAX_TEXT, MAX_HEADER = 64 << 20, 1 << 20


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file, which is known to fit before it is read.

    Raises:
        EnsembleError: it is missing, larger than the limit, or a link, pipe, device or folder.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise EnsembleError(f"{path} is no regular file")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            if os.fstat(file.fileno()).st_size > limit:
                size = os.fstat(file.fileno()).st_size
                raise EnsembleError(f"{path} has {size:,} bytes; at most {limit:,} fit its plan")
            content = file.read(limit + 1)
    except FileNotFoundError as error:
        raise EnsembleError(f"{path} is missing: {error.strerror}") from error
    except OSError as error:
        raise EnsembleError(f"cannot read {path}: {error.strerror}") from error
    except MemoryError:
        raise EnsembleError(f"{path} does not fit in memory") from None
    if len(content) > limit:
        raise EnsembleError(f"{path} grew while it was read")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        EnsembleError: it is none, names something twice, or holds numbers that are not finite.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice")
        return found

    def finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError(f"{text} is no number")
        return number

    try:
        data = json.loads(
            read_regular(path, MAX_TEXT),
            object_pairs_hook=once,
            parse_float=finite,
            parse_constant=finite,
        )
    except (ValueError, RecursionError) as error:
        if isinstance(error, EnsembleError):
            raise
        raise EnsembleError(f"{path} is damaged: {error}") from error
    found = data.get("format") if isinstance(data, dict) else type(data).__name__
    if found != FORMAT:
        again = "; train it again" if found == "ntkexec-ensemble/1" else ""
        raise EnsembleError(f"{path} has format {found!r}; this version reads {FORMAT!r}{again}")
    return dict(data)


def parse_plan(data: Mapping[str, Any], path: Path) -> Plan:
    """Likewise a plan: a manifest without files."""
    if "files" in data:
        raise EnsembleError(f"{path} is damaged: its fields are 'files' off")
    return parse_manifest({"files": [], **data}, path).plan


def parse_manifest(data: Mapping[str, Any], path: Path) -> Manifest:
    """The manifest as `read_json` gives it, every field of its type and none too many.

    Raises:
        EnsembleError: names the first that is not.
    """
    expected = {"format", *(field.name for field in dataclasses.fields(Manifest))}
    try:
        _need(data.keys() == expected, f"its fields are {_some(data.keys() ^ expected)} off")
        values = {name: _typed(data[name], kind, name) for name, kind in _PLAIN.items()}
        _need(data["kind"] in KINDS, f"kind is {data['kind']!r}")
        for name, kind in (("parameters", int), ("made_with", str)):
            found = _typed(data[name], dict, name)
            values[name] = {key: _typed(found[key], kind, f"{name}.{key}") for key in found}
        entries = [_entry(entry, "files") for entry in _typed(data["files"], list, "files")]
        return Manifest(
            **values,
            kind=data["kind"],
            config=_config(_typed(data["config"], dict, "config")),
            thresholds=_entry(data["thresholds"], "thresholds"),
            files=tuple(entries),
        )
    except EnsembleError as error:
        raise EnsembleError(f"{path} is damaged: {error}") from error


_PLAIN: dict[str, type] = {
    "algorithm": str,
    "program": str,
    "padding": int,
    "convention": str,
    "chunk_budget": int,
}


def _need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise EnsembleError(otherwise)


def _some(names: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)[:3])


# Any: of the type that is asked for.
def _typed(value: Any, kind: type, name: str) -> Any:
    _need(type(value) is kind, f"{name} is {str(value)[:40]!r}, not of type {kind.__name__}")
    return value


# Any: likewise, and an annotation.
def _fits(value: Any, annotation: Any) -> bool:
    if annotation is float:
        return type(value) in (int, float)
    if isinstance(annotation, type):
        return type(value) is annotation
    # One of several words or types.
    return any(
        _fits(value, one) if isinstance(one, type) else value == one for one in get_args(annotation)
    )


def _config(data: Mapping[str, Any]) -> EnsembleConfig:
    fields = dataclasses.fields(EnsembleConfig)
    wanted = {field.name for field in fields}
    _need(data.keys() == wanted, f"config's fields are {_some(data.keys() ^ wanted)} off")
    for field in fields:
        value = data[field.name]
        _need(_fits(value, field.type), f"config.{field.name} is {value!r:.40}")
    return EnsembleConfig(**data)


def _entry(data: Any, name: str) -> Entry:
    entry = _typed(data, dict, name)
    wanted = {"name", "bytes", "sha256"} | ({"chunk"} if name == "files" else set())
    _need(entry.keys() == wanted, f"an entry of {name} has {_some(entry.keys() ^ wanted)} off")
    size = _typed(entry["bytes"], int, f"{name}.bytes")
    file = (_typed(entry["name"], str, f"{name}.name"), size)
    digest = _typed(entry["sha256"], str, f"{name}.sha256")
    if name != "files":
        _need(file[0] == THRESHOLDS, f"thresholds are in {THRESHOLDS!r}, not {file[0]!r}")
        return Entry(*file, digest)
    numbers = [_typed(number, int, "chunk") for number in _typed(entry["chunk"], list, "chunk")]
    _need(len(numbers) == len(Chunk._fields), f"chunk is {numbers}")
    chunk = Chunk(*numbers)
    _need(file[0] == chunk_name(chunk), f"{file[0]!r:.80} is no name for the chunk {numbers}")
    return Entry(*file, digest, chunk)


def check_chunks(files: Sequence[Entry], num_stacks: int, members: int) -> None:
    """Every member of every stack is in exactly one chunk, in order.

    Raises:
        EnsembleError: names the first that is not.
    """
    stack, done = 0, 0
    for entry in files:
        chunk = entry.chunk
        assert chunk is not None
        fits = chunk.stack == stack and chunk.first_member == done < chunk.last_member <= members
        _need(fits and stack < num_stacks, f"{entry.name} does not follow what stands before it")
        stack, done = (stack + 1, 0) if chunk.last_member == members else (stack, chunk.last_member)
    _need((stack, done) == (num_stacks, 0), f"stack {stack} does not have its {members} members")


def read_tensors(
    path: Path, wanted: Mapping[str, Tensor], entry: Entry | None = None
) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file of exactly these arrays, all finite; its content too.

    Raises:
        EnsembleError: it is anything else, or not what its entry says.
    """
    limit = sum(tensor.num_bytes for tensor in wanted.values()) + MAX_HEADER
    content = read_regular(path, limit)
    if entry is not None and len(content) < entry.bytes:
        raise EnsembleError(f"{path} is cut short: {len(content)} bytes of {entry.bytes}")
    if entry is not None and len(content) != entry.bytes:
        raise EnsembleError(f"{path} has {len(content)} bytes, not {entry.bytes}")
    if entry is not None and sha256(content) != entry.sha256:
        raise EnsembleError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")
    try:
        found = parse_tensors(content)
    # KeyError: a type that NumPy does not have.
    except (SafetensorError, KeyError, ValueError) as error:
        raise EnsembleError(f"{path} is damaged: {error}") from error
    if found.keys() != wanted.keys():
        raise EnsembleError(f"{path} holds other tensors: {_some(found.keys() ^ wanted.keys())}")
    for name, tensor in sorted(wanted.items()):
        array = found[name]
        if Tensor(array.shape, str(array.dtype)) != tensor:
            raise EnsembleError(
                f"{path} holds {name!r} of shape {array.shape} and type {array.dtype}, not "
                f"{tensor.shape} and {tensor.dtype}"
            )
        # Training never ends in such; a margin of nan would be neither right nor wrong.
        if not np.isfinite(array).all():
            raise EnsembleError(f"{path} holds numbers in {name!r} that are not finite")
    return content, found
