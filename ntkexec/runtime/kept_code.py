"""Compiled code on disk, from one process to the next: whole entries or none, and not too many.

JAX writes an entry in place under its final name, never repairs one, and checks few. So it is given a
folder of its own in each process, a *bench*. An entry comes to the bench from the *shelf*, which
processes of one kind share, after its digest was compared; at the end of the process what is new
moves to the shelf, under a name with its digest, by one rename. What a killed process leaves behind
never reaches the shelf.

    FOLDER/jax-0.10.2-3f…/            a shelf, by the kind of machine: `ntkexec.runtime.machine_kind`
        jit__run-8c…-cache.5e…        an entry: JAX's name for it, and 32 digits of its SHA-256
        run-k3v….lock                 held by a living process
        run-k3v…/jit__run-8c…-cache   its bench, the entry hard-linked
"""

import contextlib
import dataclasses
import hashlib
import importlib
import os
import shutil
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ntkexec.errors import NtkexecError

MOST_BYTES = 64 << 20
"""Of all shelves together: the code of some hundred commands, and digested in a twentieth of a second."""

SUFFIX = "-cache"
"""Of the names that JAX gives to entries."""

_BENCH, _LOCK = "run-", ".lock"
_DIGITS = 32
_ZSTD = b"\x28\xb5\x2f\xfd"
_TRIES = 8


class Entry(NamedTuple):
    """An entry on a shelf: where it is, what JAX calls it, and its digest by its name."""

    path: Path
    name: str
    digest: str


@dataclasses.dataclass(frozen=True)
class Bench:
    """The folder that one process gives to JAX.

    Args:
        shelf: where its entries come from, and where new ones go.
        folder: the process's own.
        lock: a descriptor whose lock says that the process lives.
        process: its identifier.
        taken: names of the entries that came from the shelf.
    """

    shelf: Path
    folder: Path
    lock: int
    process: int
    taken: frozenset[str]


class Closing(NamedTuple):
    """What became of a bench: entries that went to the shelf, and those that had been cut off."""

    kept: int
    cut: int


def entries(shelf: Path) -> Iterator[Entry]:
    """The entries on a shelf, by their names; whatever else lies there is none of ours."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(shelf.iterdir()):
            name, _, digest = path.name.rpartition(".")
            if name.endswith(SUFFIX) and len(digest) == _DIGITS:
                yield Entry(path, name, digest)


def open_bench(shelf: Path) -> Bench:
    """A folder of this process's own, with every sound entry of a shelf in it.

    Entries that are not what their names say are removed, and so is what killed processes left.

    Args:
        shelf: made if it is missing, for the user alone.

    Raises:
        NtkexecError: the shelf is another user's, or others may write there.
        OSError: it cannot be made or written.
    """
    shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(shelf)
    clear_abandoned(shelf)
    folder, lock = _claim(shelf)
    taken: set[str] = set()
    for entry in entries(shelf):
        if entry.name in taken or _digest_of(entry.path) != entry.digest:
            entry.path.unlink(missing_ok=True)  # a twin, or damaged
        elif _placed(entry.path, folder / entry.name):
            taken.add(entry.name)
    return Bench(shelf, folder, lock, os.getpid(), frozenset(taken))


def close_bench(bench: Bench) -> Closing:
    """Moves new entries to the shelf and removes the bench; in a forked process, nothing.

    Raises:
        OSError: an entry cannot be moved.
    """
    if os.getpid() != bench.process:
        return Closing(0, 0)
    kept = cut = 0
    try:
        there = {entry.name for entry in entries(bench.shelf)} | bench.taken
        for path in sorted(bench.folder.glob(f"*{SUFFIX}")):
            if path.name in there:
                continue
            content = path.read_bytes()
            if not is_whole(content):
                cut += 1
                continue
            os.replace(path, bench.shelf / f"{path.name}.{_digest(content)}")
            kept += 1
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
        _lock_of(bench.folder).unlink(missing_ok=True)
        os.close(bench.lock)
    return Closing(kept, cut)


def is_whole(content: bytes) -> bool:
    """Whether an entry was written to its end.

    JAX compresses entries, with zlib or, where Python has it, zstd: what was cut off does not unpack.
    """
    if not content.startswith(_ZSTD):
        try:
            zlib.decompress(content)
        except zlib.error:
            return False
        return True
    try:
        if sys.version_info >= (3, 14):
            importlib.import_module("compression.zstd").decompress(content)
        else:
            importlib.import_module("zstandard").ZstdDecompressor().decompress(content)
    except Exception:  # each of the two has an error of its own
        return False
    return True


def trim(folder: Path, most: int = MOST_BYTES) -> None:
    """Removes the oldest entries of all shelves in a folder, until the rest fits.

    Args:
        folder: of the shelves.
        most: bytes.
    """
    aged = _aged(folder)
    total = sum(size for _, size, _ in aged)
    for _, size, path in sorted(aged):
        if total <= most:
            break
        path.unlink(missing_ok=True)
        total -= size
    for shelf in _folders(folder):
        with contextlib.suppress(OSError):  # it is not empty
            shelf.rmdir()


def clear(folder: Path) -> None:
    """Removes all entries of all shelves in a folder, but no bench of a living process."""
    for shelf in _folders(folder):
        clear_abandoned(shelf)
    trim(folder, 0)


def sizes(folder: Path) -> list[int]:
    """The bytes of every entry on the shelves in a folder."""
    return [size for _, size, _ in _aged(folder)]


def clear_abandoned(shelf: Path) -> None:
    """Removes the benches of processes that have ended without closing them."""
    for name in sorted({path.name.removesuffix(_LOCK) for path in shelf.glob(f"{_BENCH}*")}):
        folder = shelf / name
        lock = _locked(folder)
        if lock is None:  # it is alive
            continue
        shutil.rmtree(folder, ignore_errors=True)
        _lock_of(folder).unlink(missing_ok=True)
        os.close(lock)


def _claim(shelf: Path) -> tuple[Path, int]:
    """A new bench, whose lock is held before it is there, so that nobody takes it for abandoned."""
    for _ in range(_TRIES):
        folder = shelf / f"{_BENCH}{os.urandom(8).hex()}"
        shelf.mkdir(mode=0o700, exist_ok=True)  # another process may just have removed an empty one
        lock = _locked(folder)
        if lock is None:
            continue
        try:
            folder.mkdir(mode=0o700)
        except BaseException:
            _lock_of(folder).unlink(missing_ok=True)
            os.close(lock)
            raise
        return folder, lock
    raise OSError(f"no lock of {_TRIES} could be had in {shelf}")


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a bench, or None where somebody else does."""
    import fcntl  # only systems with file locks have it; settings says so where there is none

    path = _lock_of(folder)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before may have removed the file, and a lock on that says nothing.
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _placed(entry: Path, target: Path) -> bool:
    """Whether an entry is on the bench now: linked, or copied where the disk has no links."""
    try:
        os.link(entry, target)
    except FileNotFoundError:  # another process made room
        return False
    except OSError:
        shutil.copyfile(entry, target)
    return True


def _check_owner(shelf: Path) -> None:
    """Raises NtkexecError unless the user alone decides what is there: it is code that will run."""
    found = shelf.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NtkexecError(f"{shelf} is no folder")
    if found.st_uid != os.geteuid():
        raise NtkexecError(f"{shelf} belongs to another user, and code from there would be run")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NtkexecError(f"others may write in {shelf}, and code from there would be run")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _digest_of(path: Path) -> str | None:
    try:
        return _digest(path.read_bytes())
    except OSError:  # gone, or not to be read
        return None


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]


def _aged(folder: Path) -> list[tuple[int, int, Path]]:
    """When the entries of all shelves were made, their bytes, and where they are."""
    aged = []
    for shelf in _folders(folder):
        for entry in entries(shelf):
            with contextlib.suppress(FileNotFoundError):  # another process made room
                found = entry.path.stat()
                aged.append((found.st_mtime_ns, found.st_size, entry.path))
    return aged
