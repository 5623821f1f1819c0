"""NumPy's files of arrays, looked at before they are loaded: their headers say how large they are."""

import io
import math
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ntkexec.errors import NtkexecError, clean, shown

MAX_BYTES = 2**30
"""Of all arrays of a file together, uncompressed."""
MAX_EMPTY = 2**16
"""Rows or columns of an array without items, for which there are no bytes in the file."""

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What a file that is none, or a damaged one, ends in.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    KeyError,
    SyntaxError,
)


def read_header(
    file: IO[bytes] | io.BufferedIOBase, place: str, error: type[NtkexecError] = NtkexecError
) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the .npy data that follows.

    Args:
        file: at its beginning.
        place: what to call it.
        error: what to raise.

    Raises:
        error: another version, a shape that is none, or items that take no bytes, of which a file of
            any size could hold as many as its header says.
        ValueError: no header.
    """
    version = np.lib.format.read_magic(file)
    read = _READ_HEADER.get(version)
    if read is None:
        raise error(f"{place} has .npy version {version}; expected a plain numeric array")
    try:
        shape, _, dtype = read(file)
    except OSError:
        raise
    # Whatever Python's parser, its tokenizer and NumPy make of a header that is none.
    except Exception as reason:
        raise ValueError(f"{place} has a header that is none: {clean(str(reason))}") from None
    if min(shape, default=0) < 0:
        raise error(f"{place} has shape {shape}")
    if not dtype.itemsize:
        raise error(f"{place} holds {dtype} items, which take no bytes")
    if 0 in shape and max(shape) > MAX_EMPTY:
        raise error(f"{place} has shape {shape} and no items")
    return shape, dtype


def check_file(path: str | os.PathLike[str]) -> None:
    """Raises NtkexecError unless there is a file that holds what is in it: no folder, no pipe."""
    place = clean(os.fspath(path))
    if Path(path).is_dir():
        raise NtkexecError(f"{place} is a folder; a file is needed")
    if not os.path.lexists(path):
        raise NtkexecError(f"there is no file {place}")
    if not Path(path).is_file():
        raise NtkexecError(f"{place} is no regular file")


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, by name, none of them a pickle.

    Raises:
        NtkexecError: there is no such file, it is none, or one that is damaged or too large.
    """
    place = clean(os.fspath(path))
    try:
        check_file(path)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_BYTES:
                raise NtkexecError(f"{place} holds {total} bytes; at most {MAX_BYTES} are read")
            found: dict[str, np.ndarray] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in found:
                    raise NtkexecError(f"{place} holds {shown(name)} twice")
                found[name] = _array(archive, member, f"{shown(name)} of {place}")
            return found
    except NtkexecError:
        raise
    except _DAMAGE as error:
        raise NtkexecError(
            f"{place} is no .npz file that can be read: {clean(str(error))}"
        ) from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: str) -> np.ndarray:
    with archive.open(member) as file:
        shape, dtype = read_header(file, place)
        if dtype.hasobject:
            raise NtkexecError(f"{place} holds Python objects, which are not read")
        expected = file.tell() + math.prod(shape) * dtype.itemsize
        if member.file_size != expected:
            raise NtkexecError(
                f"{place} has {member.file_size} bytes where its header speaks of {expected}"
            )
    with archive.open(member) as file:
        found: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return found
