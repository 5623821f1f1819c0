"""Packed rows, read batch by batch from four levels, each of which counts what is read of it."""

import dataclasses
import hashlib
import threading
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Shaped

from experiments.files.storage import as_folder, load_tensors, read_sealed
from experiments.files.words import shown
from experiments.systems.diskgnn.layout import LEVELS, Layout, Level, Located
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.pages import PAGE, TEMPORARY, PageFile, padded_bytes
from experiments.systems.diskgnn.sampling import SamplePlan
from experiments.systems.diskgnn.store import FeatureStore
from ntkexec.errors import ExperimentError

ROWS, PLAN, LAYOUT, MANIFEST = "rows.bin", "plan.safetensors", "layout.safetensors", "packed.json"
"""Files of a packed folder."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """What was read of one level.

    Args:
        level: of the four, or `features` for the file of all rows.
        rows: that batches took from it.
        row_bytes: of each.
        reads: calls of the system.
        pages: that they asked for; none of memory.
    """

    level: str
    rows: int = 0
    row_bytes: int = 0
    reads: int = 0
    pages: int = 0

    @property
    def useful(self) -> int:
        """Bytes that were asked for."""
        return self.rows * self.row_bytes

    @property
    def fetched(self) -> int:
        """Bytes that the disk gave."""
        return self.pages * PAGE

    def plus(self, rows: int, reads: int, pages: int) -> "Entry":
        """The entry after some more."""
        return dataclasses.replace(
            self, rows=self.rows + rows, reads=self.reads + reads, pages=self.pages + pages
        )


class Packed:
    """A packed folder, open for reading, by several threads if need be; the caches in memory are filled.

    Args:
        folder: that `pack` made.
        memory: for the caches and for what is read.
        direct: as for `PageFile`.

    Attributes:
        plan, layout: of the batches.
        width, dtype: of the rows.
        entries: by level, what was read of it since.
        filled: pages that were read on opening.

    Raises:
        MemoryBudgetError: the caches do not fit.
        ExperimentError: names a file of the folder that is missing, cut, or of another folder. Whether
            the packed rows are to the byte what was written, only `check` tells, which reads them all.
    """

    def __init__(self, folder: Path | str, memory: Memory, *, direct: bool = True) -> None:
        where = as_folder(folder)
        manifest = read_sealed(where / MANIFEST)
        if manifest is None:
            raise ExperimentError(f"{shown(where)} is no packed folder: it has no {MANIFEST}")
        self.plan = SamplePlan.read(where / PLAN)
        tensors, _ = load_tensors(where / LAYOUT)
        try:
            shape, self.dtype = manifest["shape"], np.dtype(manifest["dtype"])
            num_nodes, self.width = int(shape[0]), int(shape[1])
            self._digests = str(manifest["rows"]), str(manifest["features"])
            self.layout = _layout(
                self.plan, tensors, int(manifest["segment"]), self.width * self.dtype.itemsize
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ExperimentError(
                f"{shown(where)} is packed in another way: {shown(error)}"
            ) from error
        self.memory = memory
        self.file = PageFile(where / ROWS, memory, direct=direct)
        try:
            if num_nodes != self.plan.num_nodes or self.file.size != self.layout.disk_bytes:
                raise ExperimentError(
                    f"{shown(self.file.path)} has {self.file.size} bytes, and its layout needs "
                    f"{self.layout.disk_bytes}; pack anew"
                )
            self._lock = threading.Lock()
            name = self.file.read(self.file.size // PAGE - 1, 1)[:32].tobytes().hex()
            if name != self._digests[1]:
                raise ExperimentError(
                    f"{shown(self.file.path)} holds rows of other features than {MANIFEST} names; pack anew"
                )
            self._starts = starts_of(self.layout)
            self.device, self.host = (self._cache(k) for k in (0, 1))
        except BaseException:
            self.file.close()
            raise
        self.filled = self.file.probed + self.file.pages
        self.reset()

    def reset(self) -> None:
        """Counts from 0 again."""
        self.entries: dict[str, Entry] = {
            level: Entry(level, 0, self.layout.row_bytes) for level in LEVELS
        }

    def check(self, store: FeatureStore | None = None) -> None:
        """Reads all packed rows, and all features if they are given, and compares them with digests.

        Raises:
            ExperimentError: names the file that is not what it was when it was packed.
        """
        found, step = hashlib.sha256(), TEMPORARY // PAGE
        pages = self.file.size // PAGE
        for first in range(0, pages, step):
            found.update(self.file.read(first, min(step, pages - first)).data)
        if found.hexdigest() != self._digests[0]:
            raise ExperimentError(f"{shown(self.file.path)} was changed after it was packed")
        if store is not None and store.digest() != self._digests[1]:
            raise ExperimentError(f"{shown(store.file.path)} holds other features than were packed")

    def locate(self, number: int) -> dict[Level, Located]:
        """Where each row of a batch is; reads nothing."""
        return self.layout.located(number, self.plan.batches[number].nodes)

    def features(
        self, number: int, *, height: int | None = None, device: bool = True
    ) -> Shaped[np.ndarray, "h F"]:
        """The rows of a batch, in the order of its nodes.

        Args:
            number: of the batch.
            height: of the result; rows of zeros follow. As many as nodes if none.
            device: whether rows of the device's cache are set, too; otherwise the device does it.

        Raises:
            MemoryBudgetError: the memory is too small for them.
            ExperimentError: there is no such batch, or the file was cut.
        """
        if not 0 <= number < len(self.plan.batches):
            raise ExperimentError(f"there is no batch {number}, but {len(self.plan.batches)}")
        nodes, where = self.plan.batches[number].nodes, self.locate(number)
        shape = (len(nodes) if height is None else height, self.width)
        found = self.memory.array(shape, self.dtype, f"{shape[0]} rows of features")
        for level, cache in (("device", self.device), ("host", self.host)):
            if level == "host" or device:
                _copy(cache, where[level], found)  # type: ignore[index] # both are levels
        segments = len(self.layout.caches)
        on_disk: tuple[tuple[Level, int], ...] = (
            ("disk cache", 2 + number // self.layout.segment),
            ("packed", 2 + segments + number),
        )
        taken = {level: (0, 0) for level in LEVELS}
        for level, part in on_disk:
            rows = where[level]
            starts = self._starts[part] + rows.slots * self.layout.row_bytes
            taken[level] = self.file.take(starts, found, rows.places)
        with self._lock:
            for level in LEVELS:
                self.entries[level] = self.entries[level].plus(
                    len(where[level].slots), *taken[level]
                )
        return found

    def close(self) -> None:
        """Closes the file and lets go of the caches."""
        self.file.close()
        self.device = self.host = np.zeros((0, self.width), self.dtype)

    def __enter__(self) -> "Packed":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _cache(self, part: int) -> np.ndarray:
        """A cache in memory, read as it lies; the pages that hold it are what is kept."""
        rows = len((self.layout.device, self.layout.host)[part])
        size = rows * self.layout.row_bytes
        pages = self.file.read(self._starts[part] // PAGE, padded_bytes(size) // PAGE)
        return pages[:size].view(self.dtype).reshape(rows, self.width)


def starts_of(layout: Layout) -> list[int]:
    """The first bytes of device cache, host cache, segments' caches and chunks; each begins a page."""
    parts = (layout.device, layout.host, *layout.caches, *layout.chunks)
    sizes = [padded_bytes(len(part) * layout.row_bytes) for part in parts]
    return [0, *np.cumsum(sizes)[:-1].tolist()]


def _copy(cache: np.ndarray, rows: Located, into: np.ndarray) -> None:
    step = max(1, 2**18 // (into.shape[1] * into.itemsize))
    for i in range(0, len(rows.places), step):
        into[rows.places[i : i + step]] = cache[rows.slots[i : i + step]]


def _layout(
    plan: SamplePlan, tensors: dict[str, np.ndarray], segment: int, row_bytes: int
) -> Layout:
    """The layout whose caches were stored: what is in none of them lies in the batches' chunks."""
    device, host, lengths = tensors["device"], tensors["host"], tensors["lengths"]
    if segment < 1 or len(lengths) != -(-len(plan.batches) // segment):
        raise ValueError(f"{len(lengths)} caches for {len(plan.batches)} batches")
    caches = np.split(tensors["caches"], np.cumsum(lengths)[:-1])
    chunks = []
    for number, batch in enumerate(plan.batches):
        elsewhere = np.concatenate([device, host, caches[number // segment]])
        chunks.append(np.setdiff1d(batch.nodes, elsewhere, assume_unique=True))
    return Layout(
        device, host, segment, tuple(caches), tuple(np.sort(chunk) for chunk in chunks), row_bytes
    )
