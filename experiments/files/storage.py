"""Files that are whole or absent: JSON and pytrees of arrays, each with a digest of itself."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError
from ntkexec.runtime import files

SEAL = "digest"
"""Entry of stored data that tells whether the others are as they were written."""


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that readers see the old one or the whole new one, also after a crash."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
    except OSError as error:
        raise ExperimentError(f"cannot write {path}: {error.strerror}") from error


def as_folder(folder: str | os.PathLike[str]) -> Path:
    """A folder by its path, which may be plain text and need not exist yet.

    Raises:
        ExperimentError: it is neither text nor a path, is empty, or holds what no path can.
    """
    named = os.fspath(folder) if isinstance(folder, (str, os.PathLike)) else None
    if not isinstance(named, str) or not named or "\0" in named:
        raise ExperimentError(f"{quoted(folder)} is no folder: a path is, as text or as a Path")
    return Path(named)


def check_writable(path: Path, what: str) -> None:
    """Refuses a file that could not be written, before the work whose result it is to hold.

    Args:
        path: of the file; its folder may be made later.
        what: it holds, for the message.

    Raises:
        ExperimentError: it is a folder, or the first folder above it that exists takes no files.
    """
    try:
        if path.is_dir():
            raise ExperimentError(f"cannot write {what}: {path} is a folder")
        above = next(folder for folder in path.absolute().parents if folder.exists())
        usable = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    except (OSError, ValueError) as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"cannot write {what}: {quoted(str(path))}, {error}") from error
    if not usable:
        raise ExperimentError(f"cannot write {what}: {above} takes no files")


def plain(value: Any) -> Any:
    """The value with NumPy's and JAX's numbers and arrays as Python's, so that JSON can hold it.

    Raises:
        ExperimentError: names the type that it cannot turn.
    """
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return np.asarray(value).tolist()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ExperimentError(f"a result holds a {type(value).__name__}, which JSON cannot hold")


def finite(value: Any) -> Any:
    """Plain data with None for what is not a finite number: strict JSON has no NaN."""
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_sealed(path: Path, data: Mapping[str, Any]) -> None:
    """Writes plain data as JSON with a digest of it, by which `read_sealed` knows it again."""
    write_atomically(path, sealed_bytes(data))


def sealed_bytes(data: Mapping[str, Any]) -> bytes:
    """What `write_sealed` writes."""
    whole = {**data, SEAL: digest(data)}
    return (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode()


def read_sealed(path: Path, **expected: Any) -> dict[str, Any] | None:
    """The data that `write_sealed` wrote; none if there is no file.

    Args:
        path: of the file.
        expected: entries that must be there with these values, such as the seed of a result.

    Raises:
        ExperimentError: names the file: it is no regular one, was changed or cut, or holds other data
            than what is asked for.
    """
    advice = "delete it to measure anew"
    try:
        if not path.is_file():
            if path.is_symlink() or path.exists():
                raise ExperimentError(f"{path} is no regular file; {advice}")
            return None
        stored = json.loads(path.read_bytes())
        if not isinstance(stored, dict) or SEAL not in stored:
            raise ExperimentError(f"{path} holds no result; {advice}")
        seal = stored.pop(SEAL)
        whole = seal == digest(stored)
    except RecursionError as error:
        raise ExperimentError(f"{path} is damaged; {advice}: nested too deeply") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{path} is damaged; {advice}: {shown(error)}") from error
    if not whole:
        raise ExperimentError(f"{path} is damaged; {advice}: it was changed after it was written")
    for name, value in expected.items():
        if stored.get(name) != value:
            raise ExperimentError(
                f"{path} holds another result; {advice}: its {name} is {quoted(stored.get(name))}, "
                f"not {value!r}"
            )
    return stored


def digest(data: Any) -> str:
    """Twelve hexadecimal digits that name plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def save_tree(path: Path, tree: Any, **notes: str) -> None:
    """Stores the arrays of a pytree as safetensors, named by their paths.

    Raises:
        ExperimentError: for a type that NumPy does not know, such as bfloat16.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    # Not ascontiguousarray, which makes vectors of scalars.
    tensors = {_name(where): np.array(_raw(leaf), order="C") for where, leaf in leaves}
    for name, tensor in tensors.items():
        if tensor.dtype.kind not in "biufc":
            raise ExperimentError(f"cannot store {name!r} of type {tensor.dtype}; cast it first")
    sealed = {**notes, SEAL: _seal(tensors, notes)}
    write_atomically(path, serialise_tensors(tensors, metadata=sealed))


def load_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a stored pytree by the names of their paths, and its notes.

    Raises:
        ExperimentError: names the file, if it is none of `save_tree`, or was changed since.
    """
    advice = "delete it to start anew"
    try:
        if not path.is_file():
            raise ExperimentError(f"{path} is no regular file; {advice}")
        content = path.read_bytes()
        tensors = parse_tensors(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{path} is damaged; {advice}: {shown(error)}") from error
    notes = dict(header.get("__metadata__") or {})
    if notes.pop(SEAL, None) != _seal(tensors, notes):
        raise ExperimentError(f"{path} is damaged; {advice}: it was changed after it was written")
    return tensors, notes


def _seal(tensors: Mapping[str, np.ndarray], notes: Mapping[str, str]) -> str:
    found = hashlib.sha256(json.dumps(dict(notes), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(json.dumps([name, str(tensor.dtype), tensor.shape]).encode())
        found.update(np.ascontiguousarray(tensor).tobytes())
    return found.hexdigest()


def restore_tree(tensors: Mapping[str, np.ndarray], like: Any, path: Path) -> Any:
    """The stored arrays as a pytree of the structure, shapes and types of `like`.

    Raises:
        ExperimentError: if what was stored in `path` is another tree.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [_name(where) for where, _ in leaves]
    if other := set(names) ^ set(tensors):
        raise ExperimentError(f"{path} holds another tree; they differ in {min(other)!r}")
    for name, (_, leaf) in zip(names, leaves, strict=True):
        stored, raw = tensors[name], _raw(leaf)
        if (stored.shape, stored.dtype) != (raw.shape, raw.dtype):
            raise ExperimentError(
                f"{path} holds another tree: {name!r} is {stored.dtype}{stored.shape} there and "
                f"{raw.dtype}{raw.shape} here"
            )
    restored = [_like(tensors[name], leaf) for name, (_, leaf) in zip(names, leaves, strict=True)]
    return jax.tree_util.tree_unflatten(structure, restored)


def _name(where: Any) -> str:
    return jax.tree_util.keystr(where, simple=True, separator="/")


def _raw(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _like(stored: np.ndarray, leaf: Any) -> Any:
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jax.numpy.asarray(stored), impl=jax.random.key_impl(leaf))
    return jax.numpy.asarray(stored) if isinstance(leaf, jax.Array) else stored
