"""Three ways from one process to another: a key to shared memory, a pipe, and a broker in between.

All are driven alike, and none pickles: what is compared is how often a model is copied. The receiver
answers with a number of the model that the sender has just changed.
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
from experiments.systems.lifl.store import Layout, Store
from experiments.systems.lifl.wire import LOOPBACK, Notes
from ntkexec.errors import ExperimentError

PLANES = ("key", "shm", "pipe", "broker")
"""`key`: the model is in the store already, as a gateway or an aggregator leaves it; `shm`: it is copied
there first; `pipe`: it goes through the kernel; `broker`: to a third process, which has it whole, and on."""
ORDER = 16
"""Bytes of a message that says what comes: which plane, how many numbers, and which one to answer with."""
SILENCE = 60.0
"""Seconds after which a process that does not go on is an error."""
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
        self.generator = np.random.default_rng(0)
        self.private = self.generator.normal(size=size).astype(np.float32)
        try:
            self.store = Store(Layout("", size, 1, 1, "float32"))
            self._closing.callback(self.store.close)
            self.store.models[0] = self.private
            self._reading, self._pipe = os.pipe()
            self._closing.callback(os.close, self._pipe)
            _widen(self._pipe)
            orders, theirs = socket.socketpair()
            orders.settimeout(SILENCE)
            self._orders = self._closing.enter_context(orders)
            with theirs, socket.create_server((LOOPBACK, 0)) as to_broker:
                with socket.create_server((LOOPBACK, 0)) as to_receiver:
                    try:
                        self._start(theirs, to_broker, to_receiver)
                    finally:
                        os.close(self._reading)  # so that the end of its reader is noticed
                self._broker = self._closing.enter_context(
                    socket.create_connection(to_broker.getsockname(), timeout=SILENCE)
                )
            self._broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.close()
            raise

    def _start(
        self, orders: socket.socket, to_broker: socket.socket, to_receiver: socket.socket
    ) -> None:
        numbers = [orders.fileno(), self._reading, to_receiver.fileno()]
        layout = self.store.layout.__dict__
        self.receiver = Child(serve_receiver, {"layout": layout, "inherited": numbers}, numbers)
        self._closing.callback(self.receiver.stop)
        address = to_receiver.getsockname()
        settings = {"size": self.size, "listening": to_broker.fileno(), "address": address}
        broker = Child(serve_broker, settings, [to_broker.fileno()])
        self._closing.callback(broker.stop)
        for child in (broker, self.receiver):
            child.wait_until_ready()

    def seconds(self, plane: str, size: int) -> float:
        """From a model in the sender's hands until the receiver has it, and proves so.

        Args:
            plane: of `PLANES`.
            size: numbers of the model.

        Raises:
            ExperimentError: the receiver has another model, or one of the processes does not go on.
        """
        if plane not in PLANES or not 1 <= size <= self.size:
            raise ExperimentError(
                f"there are {', '.join(PLANES)} for 1 to {self.size} numbers, not {plane!r} for {size}"
            )
        place = int(self.generator.integers(size))
        self.private[place] = self.generator.normal()
        if plane == "key":
            self.store.models[0, place] = self.private[place]
        order = np.array([PLANES.index(plane), size, place, 0], "<u4").tobytes()
        model = self.private[:size]
        start = time.perf_counter()
        try:
            self._hand(plane, model, order)
            if not (answer := self._orders.recv(4, socket.MSG_WAITALL)):
                raise ConnectionError("the receiver closed")
        except OSError as error:
            raise ExperimentError(f"a process that hands models over has ended: {error}") from error
        taken = time.perf_counter() - start
        if answer != self.private[place].tobytes():
            raise ExperimentError(f"the receiver has not the model that went by {plane}")
        return taken

    def _hand(self, plane: str, model: np.ndarray, order: bytes) -> None:
        if plane == "shm":
            np.copyto(self.store.models[0, : model.size], model)
        self._orders.sendall(order)
        content = model.data.cast("B")
        if plane == "pipe":
            while content:
                content = content[os.write(self._pipe, content) :]
        elif plane == "broker":
            self._broker.sendall(np.array([len(content)], "<u8").tobytes())
            self._broker.sendall(content)

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
    with open(pipe, "rb", buffering=0) as file:
        while order := line.recv(ORDER, socket.MSG_WAITALL):
            plane, size, place, _ = (int(part) for part in np.frombuffer(order, "<u4"))
            content = here[:size].data.cast("B")
            if PLANES[plane] == "pipe":
                filled(content, file.readinto)
            elif PLANES[plane] == "broker":
                filled(content, broker.recv_into)
            copied = PLANES[plane] in ("pipe", "broker")
            line.sendall((here if copied else store.models[0])[place].tobytes())


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
