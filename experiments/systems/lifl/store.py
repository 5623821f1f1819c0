"""One node's models in shared memory, what is known of each, and the 16 bytes that announce one."""

import dataclasses
import struct
import sys
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
COUNTED = ("client_messages", "client_bytes", "node_messages", "node_bytes", "keys", "folds")
"""What every process counts in a row of its own: messages and bytes that came over sockets, keys that it
sent, models that it folded."""
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
        if self.owner:
            try:
                self.memory = SharedMemory(create=True, size=end)
            except OSError as error:
                raise ExperimentError(
                    f"no shared memory of {end:,} bytes for {layout.slots} models: {error.strerror}"
                ) from error
            layout = dataclasses.replace(layout, name=self.memory.name)
        else:
            self.memory = opened(layout.name)
        self.layout = layout
        buffer: Any = self.memory.buf
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
        """Lets go of the segment, and unlinks it if it was made here; safe to call again."""
        if self.owner:
            self.owner = False
            self.memory.unlink()
        for name in ("now", "counts", "rows", "models"):
            self.__dict__.pop(name, None)
        self.memory.close()


def opened(name: str) -> SharedMemory:
    """A segment that another process owns.

    Before Python 3.13 to open one also registers it with a tracker, which unlinks it when the first of
    several processes ends.

    Raises:
        ExperimentError: there is none.
    """
    try:
        if sys.version_info >= (3, 13):
            return SharedMemory(name, track=False)
        register = resource_tracker.register
        resource_tracker.register = lambda *_: None
        try:
            return SharedMemory(name)
        finally:
            resource_tracker.register = register
    except OSError as error:
        raise ExperimentError(f"there is no shared memory {quoted(name)}") from error
