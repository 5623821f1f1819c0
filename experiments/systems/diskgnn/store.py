"""Rows of features in one file, read by those who need them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Int64, Shaped

from experiments.files.sources import as_file, check_regular
from experiments.files.words import shown
from experiments.systems.diskgnn.checks import node_numbers
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.pages import PAGE, PageFile, spans
from ntkexec.errors import ExperimentError

PARTS = 8
"""Reads of the whole file, at least."""


class FeatureStore:
    """A file with a row of numbers for each node: an `.npy` file, or nothing but the rows.

    Args:
        path: of the file.
        memory: of which everything is taken that is read.
        shape: (nodes, F) of a file of bare rows; None for an `.npy` file, which says it itself.
        dtype: of a file of bare rows.
        direct: as for `PageFile`.

    Attributes:
        num_nodes, width, dtype, row_bytes: of the rows.
        file: the `PageFile`, which counts.

    Raises:
        ExperimentError: names the file and what does not fit: it is cut, no `.npy` file, holds objects, or
            columns behind each other.
    """

    def __init__(
        self,
        path: Path | str,
        memory: Memory,
        *,
        shape: tuple[int, int] | None = None,
        dtype: np.dtype | type = np.float32,
        direct: bool = True,
    ) -> None:
        named = as_file(path)
        check_regular(named)
        self.offset = 0
        if shape is None:
            shape, dtype, self.offset = _header(named)
        self.num_nodes, self.width = (int(side) for side in shape)
        self.dtype = np.dtype(dtype)
        if self.num_nodes < 1 or self.width < 1 or self.dtype.kind not in "biuf":
            raise ExperimentError(
                f"{shown(named)} must hold rows of numbers, not {self.dtype} of shape {tuple(shape)}"
            )
        if self.offset % self.dtype.itemsize:
            raise ExperimentError(
                f"{shown(named)} begins its rows at byte {self.offset}, within a number"
            )
        self.row_bytes = self.width * self.dtype.itemsize
        self.memory = memory
        self.file = PageFile(named, memory, direct=direct)
        needed = self.offset + self.num_nodes * self.row_bytes
        if self.file.size != needed:
            self.file.close()
            raise ExperimentError(
                f"{shown(named)} has {self.file.size} bytes, and {self.num_nodes} rows of "
                f"{self.row_bytes} bytes from byte {self.offset} on need {needed}"
            )

    @property
    def num_bytes(self) -> int:
        """Of all rows."""
        return self.num_nodes * self.row_bytes

    def starts(self, nodes: Int64[np.ndarray, " r"]) -> Int64[np.ndarray, " r"]:
        """The first byte of each node's row.

        Raises:
            ExperimentError: names a node that the file does not have.
        """
        listed = node_numbers(nodes, self.num_nodes, f"rows of {shown(self.file.path)}")
        return self.offset + listed * self.row_bytes

    def rows(
        self, nodes: Int64[np.ndarray, " r"], *, height: int | None = None
    ) -> Shaped[np.ndarray, "h F"]:
        """Rows on demand: one read for each, of all the pages that it touches, as a page fault makes.

        Args:
            nodes: whose rows.
            height: of the result; rows of zeros follow. As many as nodes if none.
        """
        starts = self.starts(nodes)
        found = self.blank(len(nodes) if height is None else height)
        pages = spans(starts, self.row_bytes)
        most = int(pages.max(initial=1))
        scratch = self.memory.array((most * PAGE,), np.uint8, "pages of one row")
        firsts, insides = (starts // PAGE).tolist(), (starts % PAGE).tolist()
        for i, (first, inside, number) in enumerate(
            zip(firsts, insides, pages.tolist(), strict=True)
        ):
            self.file.read(first, number, scratch)
            found[i] = scratch[inside : inside + self.row_bytes].view(self.dtype)
        return found

    def blank(self, height: int) -> Shaped[np.ndarray, "h F"]:
        """Rows of zeros that count."""
        return self.memory.array((height, self.width), self.dtype, f"{height} rows of features")

    def part(self, first: int, last: int) -> Shaped[np.ndarray, "r F"]:
        """The rows from `first` to before `last`, by one read of the pages that they touch."""
        start, stop = (self.offset + node * self.row_bytes for node in (first, last))
        if not 0 <= first < last <= self.num_nodes:
            raise ExperimentError(f"there are no rows {first} to {last} of {self.num_nodes}")
        page = start // PAGE
        buffer = self.file.read(page, -(-stop // PAGE) - page)
        inside = buffer[start - page * PAGE : stop - page * PAGE]
        return inside.view(self.dtype).reshape(last - first, self.width)

    def stream(self, parts: int) -> Iterator[tuple[int, Shaped[np.ndarray, "r F"]]]:
        """All rows in the order of the file, of which each page is read once.

        Args:
            parts: at least so many reads, of equally many pages but the last.

        Yields:
            The first node of a part, and the rows that it completes; hold on to neither.
        """
        if parts < 1:
            raise ExperimentError(f"a file is read in 1 part or more, not in {parts}")
        total = -(-(self.offset + self.num_bytes) // PAGE)
        step = max(1, -(-total // parts))
        # In front of a part there is room for what is left of the row that its first page completes.
        ahead = -(-self.row_bytes // PAGE) * PAGE
        whole = self.memory.array((ahead + step * PAGE,), np.uint8, "a part of the file")
        node = 0
        for page in range(0, total, step):
            pages = min(step, total - page)
            self.file.read(page, pages, whole[ahead:])
            # Where the next row begins; before the part if it began in the one before.
            begin = ahead + self.offset + node * self.row_bytes - page * PAGE
            end = ahead + min(pages * PAGE, self.offset + self.num_bytes - page * PAGE)
            number = max(0, end - begin) // self.row_bytes
            if number:
                stop = begin + number * self.row_bytes
                yield node, whole[begin:stop].view(self.dtype).reshape(number, self.width)
                node += number
                begin = stop
            left = max(0, end - begin)
            whole[ahead - left : ahead] = whole[end - left : end].copy()

    def digest(self) -> str:
        """Names the rows by what they hold; reads all of them."""
        found = hashlib.sha256()
        for _, rows in self.stream(self.parts()):
            found.update(rows.data)
        return found.hexdigest()

    def parts(self) -> int:
        """In how many parts to stream the file: at least eight, more where memory is short.

        A part and what of it is on its way elsewhere are held at once; a quarter leaves room for both.
        """
        return max(PARTS, -(-self.num_bytes // max(1, self.memory.limit // 4)))

    def close(self) -> None:
        """Closes the file."""
        self.file.close()

    def __enter__(self) -> "FeatureStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _header(path: Path) -> tuple[tuple[int, int], np.dtype, int]:
    """Shape, type and first byte of the array in an `.npy` file, of which nothing else is read."""
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
        shape, kind, offset = mapped.shape, mapped.dtype, int(mapped.offset)
        by_rows = mapped.flags.c_contiguous
        del mapped
    except Exception as error:
        # NumPy meets damage with errors of some five kinds, and lists them nowhere.
        raise ExperimentError(f"{shown(path)} is no .npy file of rows: {shown(error)}") from error
    if len(shape) != 2 or not by_rows or not kind.isnative:
        raise ExperimentError(
            f"{shown(path)} must hold rows behind each other, in this machine's order of bytes; it holds "
            f"{kind.str} of shape {shape}, by {'rows' if by_rows else 'columns'}"
        )
    return (shape[0], shape[1]), kind, offset
