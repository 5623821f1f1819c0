"""One node's models in shared memory, what is known of each, and the 16 bytes that announce one."""

import contextlib
import dataclasses
import mmap
import os
import struct
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple

import numpy as np

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

FREE, RECEIVING, READY = range(3)
"""What becomes of a slot within a round."""
UPDATE, PARTIAL = range(2)
"""What lies in a slot: a model and its weight, or a weighted sum and the sum of the weights."""
ROW = np.dtype(
    [(name, "<u4") for name in ("state", "round", "ident", "target", "kind", "spare")]
    + [("weight", "<f8")]
)
COUNTED = (
    "client_messages", "client_bytes", "node_messages", "node_bytes", "keys", "key_bytes", "folds",
)  # fmt: skip
"""What every process counts in a row of its own: messages and bytes that went over sockets, answers
included, keys and bytes that it wrote into mailboxes, models that it folded."""
TYPES = ("float32", "float64")
PAGE = 4096


class Key(NamedTuple):
    """What passes inside a node instead of a model."""

    slot: int
    round: int
    ident: int
    target: int

    def packed(self) -> bytes:
        return KEY.pack(*self)

    def write(self, mailbox: int) -> int:
        """Bytes written; none into a mailbox that is full, whose reader then looks into the store."""
        try:
            return os.write(mailbox, self.packed())
        except BlockingIOError:
            return 0


KEY = struct.Struct("<4I")


def unpacked(raw: bytes) -> Iterator[Key]:
    """Keys one after another; writes of 16 bytes to a pipe are atomic, so none is ever torn."""
    return (Key(*fields) for fields in KEY.iter_unpack(raw))


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything lies in a segment.

    Args:
        name: of the segment; empty before it is there.
        size: numbers of a model.
        inputs: slots that the gateway fills.
        aggregators: further slots, one for each, in which it sums up.
        dtype: of the numbers, `float32` or `float64`.
    """

    name: str
    size: int
    inputs: int
    aggregators: int
    dtype: str

    def __post_init__(self) -> None:
        for what in ("size", "inputs", "aggregators"):
            if not 1 <= getattr(self, what) < 2**31:
                raise ExperimentError(
                    f"a store's {what} is a whole number from 1 on, not {getattr(self, what)}"
                )
        if self.dtype not in TYPES:
            raise ExperimentError(
                f"models are of {' or '.join(TYPES)}, not of {quoted(self.dtype)}"
            )

    @property
    def slots(self) -> int:
        return self.inputs + self.aggregators

    @property
    def model_bytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def offsets(self) -> tuple[int, int, int]:
        """Of the rows, of the models, and the end; what is counted comes first, after the round."""
        rows = 64 + 8 * len(COUNTED) * (1 + self.aggregators)
        models = -(-(rows + ROW.itemsize * self.slots) // PAGE) * PAGE
        return rows, models, models + self.slots * self._stride

    @property
    def _stride(self) -> int:
        return -(-self.model_bytes // 64) * 64


class NoSharedMemoryError(ExperimentError):
    """The system has not as much shared memory as is asked for."""


class Store:
    """A mapped segment. Whoever made it unlinks it, nobody else.

    Args:
        layout: of the segment; without a name it is made, with one it is opened.

    Attributes:
        models: (slots, size), on the segment itself.
        rows: (slots,) of `ROW`; a slot's state is written last.
        counts: (1 + aggregators, counted), a row for the gateway and for each aggregator.
    """

    def __init__(self, layout: Layout) -> None:
        self.owner = not layout.name
        rows, models, end = layout.offsets
        self._segment = _made(end, layout.slots) if self.owner else _opened(layout.name)
        self.layout = layout = dataclasses.replace(layout, name=self._segment.name)
        # A mapping of our own, which lasts as long as any view of it, and is never closed before.
        buffer: Any = mmap.mmap(_number(self._segment), end)
        self._segment.close()
        self.now = np.ndarray((1,), "<u8", buffer)
        shape = (1 + layout.aggregators, len(COUNTED))
        self.counts = np.ndarray(shape, "<u8", buffer, 64)
        self.rows = np.ndarray((layout.slots,), ROW, buffer, rows)
        itemsize = np.dtype(layout.dtype).itemsize
        self.models = np.ndarray(
            (layout.slots, layout.size),
            layout.dtype,
            buffer,
            models,
            strides=(layout._stride, itemsize),
        )

    def count(self, row: int, **more: int) -> None:
        """Adds to what a process counts."""
        for name, number in more.items():
            self.counts[row, COUNTED.index(name)] += np.uint64(number)

    def taken(self, ident: int) -> bool:
        """Whether what is called so is there already, in the present round."""
        found = self.rows["ident"] == ident
        return bool(np.any(found & (self.rows["state"] == READY)))

    def publish(self, key: Key, kind: int, weight: float) -> None:
        """Says what lies in a slot, after it does."""
        row = self.rows[key.slot]
        row["round"], row["ident"], row["target"] = key.round, key.ident, key.target
        row["kind"], row["weight"] = kind, weight
        row["state"] = READY

    def announced(self, target: int | None = None) -> list[Key]:
        """Keys of all that is there for an aggregator, or for any of them out of input slots."""
        ready = self.rows["state"] == READY
        if target is None:
            ready[self.layout.inputs :] = False
        else:
            ready &= self.rows["target"] == target
        return [
            Key(int(slot), *(int(self.rows[slot][part]) for part in Key._fields[1:]))
            for slot in np.flatnonzero(ready)
        ]

    def begin(self, number: int) -> None:
        """Empties all slots for a round; to be called by the gateway alone."""
        self.rows["state"] = FREE
        self.now[0] = number

    def close(self) -> None:
        """Lets go of the segment, and unlinks it if it was made here; safe to call again.

        Views that are kept stay readable; the memory is free when the last of them is gone.
        """
        if self.owner:
            self.owner = False
            try:
                self._segment.unlink()
            except FileNotFoundError:  # by a child that thought us dead
                resource_tracker.unregister(self._segment._name, "shared_memory")  # type: ignore[attr-defined]
        for name in ("now", "counts", "rows", "models"):
            self.__dict__.pop(name, None)


def discard(name: str) -> None:
    """Unlinks a segment whose owner was killed, unless somebody else did."""
    with contextlib.suppress(ExperimentError, FileNotFoundError), _untracked():
        _opened(name).unlink()


def _made(size: int, models: int) -> SharedMemory:
    """A segment all of whose bytes are there, so that no later write finds that they are not.

    Raises:
        NoSharedMemoryError: the system has not so much of it.
    """
    reserve = getattr(os, "posix_fallocate", None)
    try:
        segment = SharedMemory(create=True, size=1 if reserve else size)
        try:
            if reserve:
                reserve(_number(segment), 0, size)
        except BaseException:
            segment.close()
            segment.unlink()
            raise
    except OSError as error:
        raise NoSharedMemoryError(
            f"no shared memory of {size:,} bytes for {models} models: {error.strerror}"
        ) from error
    return segment


def _number(segment: SharedMemory) -> int:
    return int(segment._fd)  # type: ignore[attr-defined]


def _opened(name: str) -> SharedMemory:
    """A segment that another process owns.

    Raises:
        ExperimentError: there is none.
    """
    try:
        with _untracked():
            return SharedMemory(name)
    except OSError as error:
        raise ExperimentError(f"there is no shared memory {quoted(name)}") from error


@contextlib.contextmanager
def _untracked() -> Iterator[None]:
    """Hides a segment from the tracker, which would unlink it when the first of its users ends."""
    kept = resource_tracker.register, resource_tracker.unregister
    resource_tracker.register = resource_tracker.unregister = lambda *_: None
    try:
        yield
    finally:
        resource_tracker.register, resource_tracker.unregister = kept
