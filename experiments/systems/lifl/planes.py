"""Three ways from one process to another: a key to shared memory, a pipe, and a broker in between.

All are driven alike, and none pickles: what is compared is how often a model is copied. The receiver
either answers when it has the model, or folds it first.
"""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.systems.lifl.children import Child
from experiments.systems.lifl.states import fold
from experiments.systems.lifl.store import Layout, Store
from experiments.systems.lifl.wire import LOOPBACK, Notes
from ntkexec.errors import ExperimentError

PLANES = ("key", "shm", "pipe", "broker")
"""`key`: the model is in the store already, as a gateway or an aggregator leaves it; `shm`: it is copied
there first; `pipe`: it goes through the kernel; `broker`: to a third process, which has it whole, and on."""
ORDER = 16
"""Bytes of a message that says what comes: which plane, how many numbers, whether to fold."""
PIPE_BYTES = 1 << 20
"""Of a pipe's buffer, the most that users may ask for; the usual 64 KiB would slow the rival down."""


class Planes:
    """A receiver and a broker, each a process, and the ways to them. To be used in a `with`.

    Args:
        size: numbers of the largest model, float32.
    """

    def __init__(self, size: int) -> None:
        self._closing = contextlib.ExitStack()
        self.size = size
        self.private = np.random.default_rng(0).normal(size=size).astype(np.float32)
        try:
            self.store = Store(Layout("", size, 1, 1, "float32"))
            self._closing.callback(self.store.close)
            self.store.models[0] = self.private
            self._pipe = os.pipe()
            for end in self._pipe:
                self._closing.callback(os.close, end)
            _widen(self._pipe[1])
            orders, theirs = socket.socketpair()
            self._orders = self._closing.enter_context(orders)
            with theirs, socket.create_server((LOOPBACK, 0)) as to_broker:
                with socket.create_server((LOOPBACK, 0)) as to_receiver:
                    self._start(theirs, to_broker, to_receiver)
                self._broker = self._closing.enter_context(
                    socket.create_connection(to_broker.getsockname(), timeout=60)
                )
            self._broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.close()
            raise

    def _start(
        self, orders: socket.socket, to_broker: socket.socket, to_receiver: socket.socket
    ) -> None:
        numbers = [orders.fileno(), self._pipe[0], to_receiver.fileno()]
        layout = self.store.layout.__dict__
        receiver = Child(serve_receiver, {"layout": layout, "inherited": numbers}, numbers)
        self._closing.callback(receiver.stop)
        address = to_receiver.getsockname()
        settings = {"size": self.size, "listening": to_broker.fileno(), "address": address}
        broker = Child(serve_broker, settings, [to_broker.fileno()])
        self._closing.callback(broker.stop)
        for child in (broker, receiver):
            child.wait_until_ready()

    def seconds(self, plane: str, size: int, *, folded: bool) -> float:
        """From a model in the sender's hands until the receiver has it, or has folded it.

        Args:
            plane: of `PLANES`.
            size: numbers of the model.
            folded: whether it is added to the receiver's sum before the clock stops.
        """
        if plane not in PLANES or not 1 <= size <= self.size:
            raise ExperimentError(
                f"there are {', '.join(PLANES)} for 1 to {self.size} numbers, not {plane!r} for {size}"
            )
        order = np.array([PLANES.index(plane), size, folded, 0], "<u4").tobytes()
        model = self.private[:size]
        start = time.perf_counter()
        if plane == "shm":
            np.copyto(self.store.models[0, :size], model)
        self._orders.sendall(order)
        content = model.data.cast("B")
        if plane == "pipe":
            while content:
                content = content[os.write(self._pipe[1], content) :]
        elif plane == "broker":
            self._broker.sendall(np.array([len(content)], "<u8").tobytes())
            self._broker.sendall(content)
        if not self._orders.recv(1):
            raise ExperimentError("the receiver of models has ended")
        return time.perf_counter() - start

    def total(self, size: int) -> np.ndarray:
        """The receiver's sum of all that it folded, its first numbers; then it begins anew."""
        self._orders.sendall(np.array([len(PLANES), size, 0, 0], "<u4").tobytes())
        self._orders.recv(1)
        return self.store.models[1, :size].copy()

    def close(self) -> None:
        """Stops both processes and frees what they had; safe to call again."""
        self._closing.close()

    def __enter__(self) -> "Planes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve_receiver(notes: Notes, settings: Mapping[str, Any]) -> None:
    """What the receiving process does."""
    store = Store(Layout(**settings["layout"]))
    orders, pipe, listening = settings["inherited"]
    notes.send({"ready": True})
    with socket.socket(fileno=listening) as server:
        broker, _ = server.accept()
    line = socket.socket(fileno=orders)
    here = np.zeros(store.layout.size, np.float32)
    total = store.models[1]
    with open(pipe, "rb", buffering=0) as file:
        while order := line.recv(ORDER, socket.MSG_WAITALL):
            plane, size, folded, _ = (int(part) for part in np.frombuffer(order, "<u4"))
            if plane == len(PLANES):
                line.send(b".")
                # Its sum has been read when the next order comes.
                order = line.recv(ORDER, socket.MSG_PEEK)
                total[:] = 0
                continue
            content = here[:size].data.cast("B")
            if PLANES[plane] == "pipe":
                filled(content, file.readinto)
            elif PLANES[plane] == "broker":
                filled(content, broker.recv_into)
            if folded:
                copied = PLANES[plane] in ("pipe", "broker")
                fold(total[:size], here[:size] if copied else store.models[0, :size], 1.0)
            line.send(b".")


def serve_broker(notes: Notes, settings: Mapping[str, Any]) -> None:
    """What the broker does: it has a message whole before it passes it on."""
    here = np.zeros(settings["size"], np.float32)
    target = socket.create_connection(tuple(settings["address"]))
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening = socket.socket(fileno=settings["listening"])
    notes.send({"ready": True})
    source, _ = listening.accept()
    length = memoryview(bytearray(8))
    while True:
        filled(length, source.recv_into)
        content = here.data.cast("B")[: int.from_bytes(length, "little")]
        filled(content, source.recv_into)
        target.sendall(content)


def filled(content: memoryview, read_into: Callable[[memoryview], int | None]) -> None:
    """Reads until a piece of memory is full.

    Raises:
        EOFError: there is no more.
    """
    while content:
        if not (found := read_into(content)):
            raise EOFError
        content = content[found:]


def _widen(pipe: int) -> None:
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
