"""What goes over sockets: models behind a header of fixed size on the loopback, and short notes as JSON.

Nothing that comes over a socket is unpickled, and every size is checked before anything is kept.
"""

import collections
import dataclasses
import hmac
import json
import math
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.systems.lifl.states import check_weight
from experiments.systems.lifl.store import PARTIAL, TYPES, UPDATE
from ntkexec.errors import ExperimentError

LOOPBACK = "127.0.0.1"
HEADER = struct.Struct("<4sHHIIIIdQ16s")
"""Mark, type, kind, round, name, aggregator, nothing, weight, bytes that follow, secret."""
MARK = b"LIFL"
ANSWERS = 2
"""Bytes that come back for a model: that it may come, and that it is there."""
GO, HAVE, DONE = 1, 2, 3
NO_UPDATE, SIZE, FULL, ROUND, WEIGHT, FINITE, TARGET, STRANGER = range(16, 24)
REFUSALS = {
    NO_UPDATE: "what came is no update",
    SIZE: "its size or type is not the model's",
    FULL: "the node's store is full",
    ROUND: "its round is not the present one",
    WEIGHT: "its weight is not one that models of its type can have",
    FINITE: "it holds numbers that are not finite",
    TARGET: "there is no such aggregator",
    STRANGER: "the sender does not know the gateway's secret",
}
PAUSE = 0.02
"""Seconds between attempts at a gateway that is being restarted."""
LONGEST_NOTE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a gateway listens, and what it wants to hear: others on the machine can reach the port, too.

    Args:
        host: the loopback.
        port: the system's choice.
        secret: 32 hexadecimal digits.
    """

    host: str
    port: int
    secret: str = dataclasses.field(repr=False)


class Parcel(NamedTuple):
    """What a header says."""

    round: int
    ident: int
    target: int
    kind: int
    weight: float
    size: int
    dtype: str

    def packed(self, secret: str) -> bytes:
        follow = self.size * np.dtype(self.dtype).itemsize
        names = (self.round, self.ident, self.target, 0)
        return HEADER.pack(
            MARK, TYPES.index(self.dtype), self.kind, *names, self.weight, follow,
            bytes.fromhex(secret),
        )  # fmt: skip


def parcel_of(raw: bytes, secret: str) -> Parcel | int:
    """What a header says, or why it is refused."""
    mark, number, kind, round_, ident, target, _, weight, follow, said = HEADER.unpack(raw)
    if not hmac.compare_digest(said, bytes.fromhex(secret)):
        return STRANGER
    if mark != MARK or number >= len(TYPES) or kind not in (UPDATE, PARTIAL):
        return NO_UPDATE
    dtype = TYPES[number]
    try:
        check_weight(weight, dtype)
    except ExperimentError:
        return WEIGHT
    if follow % np.dtype(dtype).itemsize:
        return SIZE
    return Parcel(round_, ident, target, kind, weight, follow // np.dtype(dtype).itemsize, dtype)


def plain_array(model: Any, what: str) -> np.ndarray:
    """A model as an array; one with a mask or another meaning of its own is refused.

    Raises:
        ExperimentError: for such a one.
    """
    if isinstance(model, np.ndarray) and type(model) not in (np.ndarray, np.memmap):
        raise ExperimentError(f"{what} is a {type(model).__name__}; models are plain arrays")
    return np.asarray(model)


def check_patience(patience: float) -> None:
    """Refuses what is no time to wait.

    Raises:
        ExperimentError: it is not a finite number of seconds from 0 on.
    """
    if not (math.isfinite(patience) and patience >= 0):
        raise ExperimentError(f"patience is a finite number of seconds from 0 on, not {patience!r}")


def send_update(
    address: Address,
    model: np.ndarray,
    *,
    weight: float,
    ident: int,
    target: int,
    round_number: int,
    kind: int = UPDATE,
    patience: float = 30.0,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Sends a model to a gateway, again if the gateway was restarted meanwhile; it is stored once.

    Args:
        address: of the gateway.
        model: float32 or float64, as the gateway's store.
        weight: of the model, or of all models in a sum.
        ident: its name within the round, a number.
        target: the aggregator on that node that is to fold it.
        round_number: of the round.
        kind: `store.UPDATE`, or `store.PARTIAL` for a weighted sum.
        patience: seconds for which a full, silent or restarting gateway is tried.
        stopped: whether to try no more.

    Returns:
        Bytes sent, header included, in the attempt that succeeded.

    Raises:
        ExperimentError: what it refuses, in words, or it does not answer.
    """
    flat = np.ascontiguousarray(plain_array(model, f"update {ident}")).reshape(-1)
    if flat.dtype.name not in TYPES:
        raise ExperimentError(f"models are of {' or '.join(TYPES)}, not of {flat.dtype}")
    for name, value in (("ident", ident), ("target", target), ("round_number", round_number)):
        if not 0 <= value < 1 << 32:
            raise ExperimentError(f"{name} is a whole number from 0 to 2**32 - 1, not {value!r}")
    check_patience(patience)
    parcel = Parcel(round_number, ident, target, kind, float(weight), flat.size, flat.dtype.name)
    until = time.monotonic() + patience
    while True:
        left = until - time.monotonic()
        try:
            answer, sent = _attempt(address, parcel, flat.data.cast("B"), max(left, 0.1))
        except OSError as error:
            if left <= 0 or stopped():
                raise ExperimentError(
                    f"the gateway at {address.host}:{address.port} does not answer: {error}"
                ) from error
        else:
            if answer in (DONE, HAVE):
                return sent
            if answer != FULL or left <= 0 or stopped():
                why = REFUSALS.get(answer, f"it answers {answer}")
                raise ExperimentError(f"the gateway refuses update {ident}: {why}")
        time.sleep(PAUSE)


def _attempt(
    address: Address, parcel: Parcel, content: memoryview, seconds: float
) -> tuple[int, int]:
    with socket.create_connection((address.host, address.port), seconds) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(parcel.packed(address.secret))
        answer = _answer(connection)
        if answer != GO:
            return answer, HEADER.size
        connection.sendall(content)
        return _answer(connection), HEADER.size + len(content)


def _answer(connection: socket.socket) -> int:
    found = connection.recv(1)
    if not found:
        raise ConnectionError("it closed the connection")
    return found[0]


class Notes:
    """Short notes between a process and the one that started it, as JSON behind their length.

    Args:
        connection: to the other side.
        counted: gets the `notes` and `note_bytes` that are sent and read here.
    """

    def __init__(
        self, connection: socket.socket, counted: "collections.Counter[str] | None" = None
    ) -> None:
        self.connection = connection
        self.counted = collections.Counter[str]() if counted is None else counted
        self._raw = bytearray()

    def fileno(self) -> int:
        return self.connection.fileno()

    def send(self, note: Mapping[str, Any]) -> None:
        """Sends a note.

        Raises:
            OSError: the other side is gone.
            ExperimentError: the note is too long.
        """
        content = json.dumps(note).encode()
        _check_length(len(content))
        rest = memoryview(struct.pack("<I", len(content)) + content)
        self.counted["notes"] += 1
        while rest:
            sent = self.connection.send(rest)
            self.counted["note_bytes"] += sent
            rest = rest[sent:]

    def first(self) -> dict[str, Any]:
        """One note, after waiting for it; what comes behind it is left for `read`.

        Raises:
            EOFError: the other side is gone.
        """
        length = int.from_bytes(self.connection.recv(4, socket.MSG_WAITALL), "little")
        content = self.connection.recv(min(length, LONGEST_NOTE), socket.MSG_WAITALL)
        if not content or len(content) < length:
            raise EOFError
        return dict(json.loads(content))

    def read(self) -> list[dict[str, Any]]:
        """All notes that are complete, after waiting for some bytes.

        Raises:
            EOFError: the other side is gone.
            ExperimentError: a note is too long.
        """
        try:
            found = self.connection.recv(1 << 16)
        except ConnectionError:
            found = b""
        if not found:
            raise EOFError
        self.counted["note_bytes"] += len(found)
        self._raw += found
        notes = []
        while len(self._raw) >= 4:
            length = int.from_bytes(self._raw[:4], "little")
            _check_length(length)
            if len(self._raw) < 4 + length:
                break
            self.counted["notes"] += 1
            notes.append(json.loads(self._raw[4 : 4 + length]))
            del self._raw[: 4 + length]
        return notes


def _check_length(length: int) -> None:
    if length > LONGEST_NOTE:
        raise ExperimentError(f"a note of {length:,} bytes is longer than {LONGEST_NOTE:,}")
