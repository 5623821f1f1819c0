"""Files are written whole or not at all."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from ntkexec.errors import NtkexecError


def check_target(path: str | os.PathLike[str]) -> None:
    """Raises, before any work is done, if `write` could not write there.

    Raises:
        NtkexecError: a folder, no such folder to write in, or one in which nothing can be written.
    """
    target = pathlib.Path(path)
    with _refusing(target):
        if target.is_dir():
            raise NtkexecError(f"cannot write {target}: it is a folder")
        if not target.parent.is_dir():
            raise NtkexecError(f"cannot write {target}: there is no folder {target.parent}")
        if _is_special(target):
            os.close(os.open(target, os.O_WRONLY | os.O_NONBLOCK))
            return
        if len(os.fsencode(target.name)) > os.pathconf(target.parent, "PC_NAME_MAX"):
            raise NtkexecError(f"cannot write {target}: its name is too long")
        _try_to_write_in(target.parent)


def check_apart(**targets: pathlib.Path | None) -> None:
    """Raises if two of the files that are asked for are one, so that one would replace the other.

    Args:
        targets: files by the names of their options.

    Raises:
        NtkexecError: names both options and the file.
    """
    owner: dict[pathlib.Path, str] = {}
    for name, path in targets.items():
        # A device or a pipe keeps whatever is written to it.
        if path is None or _is_special(path):
            continue
        first = owner.setdefault(path.resolve(), name)
        if first != name:
            raise NtkexecError(f"--{first} and --{name} both write {path}; give each its own file")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raises, before any work is done, if a folder is not there and could not be made, or is full.

    Raises:
        NtkexecError: it or a part of its path is a file, or nothing can be written there.
    """
    folder = pathlib.Path(path)
    with _refusing(folder):
        there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        if not there.is_dir():
            raise NtkexecError(f"cannot write in {folder}: {there} is a file")
        _try_to_write_in(there)


@contextlib.contextmanager
def _refusing(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except NtkexecError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NtkexecError(f"cannot write {path}: {reason}") from error


def _try_to_write_in(folder: pathlib.Path) -> None:
    # Nothing is as sure as to try: permissions, quotas and file systems differ.
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")


def _is_special(path: pathlib.Path) -> bool:
    """Whether it is there, but no regular file: a device or a pipe, which nothing may replace."""
    return path.exists() and not path.is_file()


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file under a name of its own first, and gives it the real one when it is complete.

    Raises:
        OSError: the file cannot be written; then nothing is left of it, and an old one stays.
    """
    target = pathlib.Path(path)
    with _naming(target):
        if _is_special(target):
            target.write_bytes(content)
        else:
            _replace(target, content)


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Gives an error the file's name: a full disk is reported without one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(target: pathlib.Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            # On the disk before it gets its name, so that a crash cannot leave an empty file there.
            file.flush()
            os.fsync(file.fileno())
        # Not the private mode of a temporary file, but that of any new one.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
