"""Files read by whole pages, past the system's cache where it lets us, and every page counted."""

import contextlib
import itertools
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from experiments.files.sources import as_file, check_regular
from experiments.files.words import shown
from experiments.systems.diskgnn.memory import Memory
from ntkexec.errors import ExperimentError

PAGE = 4096
"""Bytes of a page: what a read is rounded to, whatever the system's own pages are."""
TEMPORARY = 2**18
"""Bytes of rows that are copied at once where NumPy needs a copy between."""
KERNEL, MOUNTS = Path("/proc/thread-self/io"), Path("/proc/self/mountinfo")


class PageFile:
    """A file of which only whole pages are read.

    Args:
        path: of a regular file.
        memory: of which buffers are taken.
        direct: whether to try O_DIRECT, which reads past the system's cache. Where that cannot be,
            the system is told to read nothing ahead, and after each read to forget the pages.

    Attributes:
        direct: whether the cache is in fact read past; never where the file system lies in memory.
        size: of the file, in bytes.
        reads, pages: so far, by all threads.
        probed: pages that were fetched on opening, to see whether the cache can be read past.

    Raises:
        ExperimentError: there is no such regular file, or it cannot be opened.
    """

    def __init__(self, path: Path | str, memory: Memory, *, direct: bool = True) -> None:
        self.path = as_file(path)
        check_regular(self.path)
        self.memory = memory
        self.reads = self.pages = 0
        self._descriptor, self.direct = _opened(self.path, direct)
        self.probed = int(self.direct)
        self.size = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()

    def read(
        self, first: int, pages: int, into: np.ndarray | None = None
    ) -> UInt8[np.ndarray, " b"]:
        """Pages in a row, by one read.

        Args:
            first: number of the first page.
            pages: how many; what lies behind the file's end is as `into` was, or zero.
            into: array of at least so many bytes that begins on a page; a new one if none.

        Raises:
            MemoryBudgetError: there is no memory for a new one.
            ExperimentError: the file is shorter than it was, or cannot be read.
        """
        if into is None:
            into = self.memory.array((pages * PAGE,), np.uint8, f"{pages} pages")
        buffer = into[: pages * PAGE]
        if not pages:
            return buffer
        start, view, got = first * PAGE, buffer.data, 0
        needed = min(start + len(buffer), self.size) - start
        try:
            while got < needed:
                more = os.preadv(self._descriptor, [view[got:]], start + got)
                if not more:
                    raise ExperimentError(
                        f"{shown(self.path)} ends before {start + needed} of what were {self.size} "
                        "bytes: it was cut while it was in use"
                    )
                got += more
        except OSError as error:
            raise ExperimentError(f"cannot read {shown(self.path)}: {error.strerror}") from error
        if not self.direct and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, start, len(buffer), os.POSIX_FADV_DONTNEED)
        with self._lock:
            self.reads += 1
            self.pages += pages
        return buffer

    def take(
        self,
        starts: Int64[np.ndarray, " r"],
        into: Shaped[np.ndarray, "n F"],
        places: Int64[np.ndarray, " r"],
    ) -> tuple[int, int]:
        """Rows at these bytes, each page that they touch read once and neighbouring pages together.

        Args:
            starts: first byte of each row, a multiple of the size of an element.
            into: its rows at `places` are set.
            places: in `into`, one for each row.

        Returns:
            How many reads that took, and how many pages.
        """
        if not len(starts):
            return 0, 0
        row = into.shape[1] * into.itemsize
        numbers = touched(starts, row)
        buffer = self.memory.array((len(numbers) * PAGE,), np.uint8, f"{len(numbers)} pages")
        runs = _runs(numbers)
        for begin, end in runs:
            self.read(int(numbers[begin]), end - begin, buffer[begin * PAGE :])
        inside = np.searchsorted(numbers, starts // PAGE) * PAGE + starts % PAGE
        # A view whose row i begins at element i: a row's pages lie behind each other in the buffer too.
        windows = np.lib.stride_tricks.sliding_window_view(buffer.view(into.dtype), into.shape[1])
        inside //= into.itemsize
        step = max(1, TEMPORARY // row)
        for i in range(0, len(starts), step):
            into[places[i : i + step]] = windows[inside[i : i + step]]
        return len(runs), len(numbers)

    def close(self) -> None:
        """Closes the file; a second time it does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if not self.direct and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    def __enter__(self) -> "PageFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def spans(starts: Int64[np.ndarray, " r"], length: int) -> Int64[np.ndarray, " r"]:
    """How many pages rows of this length touch that begin at these bytes."""
    return (starts + length - 1) // PAGE - starts // PAGE + 1


def touched(starts: Int64[np.ndarray, " r"], length: int) -> Int64[np.ndarray, " p"]:
    """The numbers of the pages that rows of this length touch, each once, rising."""
    first, most = starts // PAGE, int(spans(starts, length).max(initial=0))
    last = (starts + length - 1) // PAGE
    return np.unique(np.concatenate([np.minimum(first + k, last) for k in range(most)] or [first]))


def num_runs(numbers: Int64[np.ndarray, " p"]) -> int:
    """How many reads fetch these pages, neighbours together."""
    return len(_runs(numbers))


def padded_bytes(length: int) -> int:
    """The bytes of the pages that hold so many."""
    return -(-length // PAGE) * PAGE


def kernel_bytes() -> int | None:
    """Bytes that the system has fetched from disks for this thread so far; None where it does not tell."""
    try:
        found = re.search(r"^read_bytes: (\d+)$", KERNEL.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def in_memory(path: Path) -> bool:
    """Whether a file lies on a file system of memory, such as tmpfs, as far as the system tells."""
    device = path.stat().st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return False
    kinds = [line.partition(" - ")[2].split() for line in lines if line.split()[2] == numbers]
    return any(kind[:1] in (["tmpfs"], ["ramfs"]) for kind in kinds)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[int]:
    """A descriptor of a file under a name of its own, which gets the real name once it is complete.

    Raises:
        ExperimentError: it cannot be written; then nothing is left of it, and an old one stays.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            yield descriptor
            # Not the private mode of a temporary file, but that of any new one.
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(descriptor, 0o666 & ~mask)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        raise ExperimentError(f"cannot write {shown(path)}: {error.strerror}") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def write_at(descriptor: int, rows: np.ndarray, start: int) -> None:
    """Writes an array of rows that lie behind each other, at this byte."""
    view, done = np.ascontiguousarray(rows).data.cast("B"), 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], start + done)


def _runs(numbers: np.ndarray) -> list[tuple[int, int]]:
    """Beginnings and ends, in the list, of pages that follow each other."""
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    ends = [0, *breaks.tolist(), len(numbers)]
    return list(itertools.pairwise(ends))


def _opened(path: Path, direct: bool) -> tuple[int, bool]:
    """A descriptor, and whether it reads past the system's cache."""
    try:
        if direct and hasattr(os, "O_DIRECT") and not in_memory(path):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
                try:
                    # Some file systems take the flag and refuse to read.
                    os.preadv(descriptor, [Memory(PAGE).array((PAGE,), np.uint8, "a page").data], 0)
                except OSError:
                    os.close(descriptor)
                    raise
                return descriptor, True
        descriptor = os.open(path, os.O_RDONLY)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        return descriptor, False
    except OSError as error:
        raise ExperimentError(f"cannot read {shown(path)}: {error.strerror}") from error
