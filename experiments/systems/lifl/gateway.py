"""A node's gateway: takes models from sockets straight into shared memory, and passes on their keys."""

import collections
import contextlib
import os
import secrets
import selectors
import socket
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from experiments.systems.lifl import wire
from experiments.systems.lifl.children import Child, ready
from experiments.systems.lifl.store import FREE, RECEIVING, UPDATE, Key, Layout, Store
from experiments.systems.lifl.wire import (
    ANSWERS,
    HEADER,
    LOOPBACK,
    Address,
    Notes,
    Parcel,
    parcel_of,
    send_update,
)
from ntkexec.errors import ExperimentError

GATEWAY = 0
"""Its row of what is counted; aggregator i has row 1 + i."""
MOST_CONNECTIONS = 512
HEADER_SECONDS = 1.0
"""Until a connection has shown the secret; and when there are too many, the oldest such one goes before."""


class Gateway:
    """One node: its store, its mailboxes, and the process that fills them.

    This process owns the store and the mailboxes, and holds the listening socket, so that what was sent
    outlives any of the others. To be used in a `with`, or closed.

    Args:
        size: numbers of a model.
        capacity: updates that it can hold in a round.
        aggregators: that may work here at a time.
        dtype: of models, `float32` or `float64`.
        partials: sums of other nodes that it can hold beside.
        poll: seconds between looks at sockets and mailboxes; by default the system wakes whom it concerns.
    """

    def __init__(
        self,
        size: int,
        *,
        capacity: int,
        aggregators: int = 1,
        dtype: DTypeLike = "float32",
        partials: int = 0,
        poll: float | None = None,
    ) -> None:
        self._closing = contextlib.ExitStack()
        # Whoever forgets to close it leaves nothing behind when the program ends.
        self._closed = weakref.finalize(self, _close, self._closing, os.getpid())
        self._secret = secrets.token_hex(16)
        self.capacity, self.poll = capacity, poll
        self.control = collections.Counter[str]()  # notes to and from all processes of the node
        self.child: Child | None = None
        if capacity < 1:
            raise ExperimentError(f"a node holds an update at least, not {capacity}")
        try:
            # One more, for what comes a second time before it is known to have come.
            name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
            layout = Layout("", size, capacity + partials + 1, aggregators, name)
            self.store = Store(layout)
            self._closing.callback(self.store.close)
            self.listening = self._closing.enter_context(socket.create_server((LOOPBACK, 0)))
            self.mailboxes: list[tuple[int, int]] = []
            for _ in range(aggregators):
                ends = os.pipe()
                os.set_blocking(ends[1], False)  # a full one is never waited for, see `Key.write`
                self.mailboxes.append(ends)
                for end in ends:
                    self._closing.callback(os.close, end)
            self._closing.callback(self._stop)
            self.start().wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> Address:
        """For whoever is to send models here."""
        return Address(LOOPBACK, self.listening.getsockname()[1], self._secret)

    def start(self) -> Child:
        """Starts the process, again if it has ended, and does not wait for it."""
        self._stop()
        writing = [end for _, end in self.mailboxes]
        settings = {
            "layout": self.store.layout.__dict__,
            "listening": self.listening.fileno(),
            "mailboxes": writing,
            "poll": self.poll,
            "secret": self._secret,
        }
        self.child = Child(
            serve_gateway, settings, [self.listening.fileno(), *writing], self.control
        )
        return self.child

    def begin(self, number: int) -> None:
        """Empties the store for a round; models of another round are refused from now on."""
        assert self.child is not None
        self.child.ask({"begin": number})

    def send(self, model: np.ndarray, *, weight: float, ident: int, target: int = 0) -> int:
        """Sends a model of the present round, as a client on this machine does; see `send_update`."""
        number = int(self.store.now[0])
        return send_update(
            self.address, model, weight=weight, ident=ident, target=target, round_number=number
        )

    def announce(self, target: int) -> None:
        """Puts the keys of all that is there for an aggregator into its mailbox once more."""
        for key in self.store.announced(target):
            key.write(self.mailboxes[target][1])

    def close(self) -> None:
        """Stops the process and frees the memory; safe to call again."""
        self._closed()

    def _stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _close(closing: contextlib.ExitStack, process: int) -> None:
    """Closes what a process has made; not in one that was forked from it."""
    if os.getpid() == process:
        closing.close()


def serve_gateway(notes: Notes, settings: Mapping[str, Any]) -> None:
    """What the process does: one loop over all connections, woken by the system."""
    store = Store(Layout(**settings["layout"]))
    rows = store.rows[: store.layout.inputs]
    rows["state"][rows["state"] == RECEIVING] = FREE  # of one that was killed
    mailboxes: Sequence[int] = settings["mailboxes"]
    with (
        socket.socket(fileno=settings["listening"]) as listening,
        selectors.DefaultSelector() as selector,
    ):
        listening.setblocking(False)
        selector.register(notes, selectors.EVENT_READ)
        selector.register(listening, selectors.EVENT_READ)
        arrivals: dict[int, _Arrival] = {}
        notes.send({"ready": True})
        for key in store.announced():  # by one that was killed, perhaps
            key.write(mailboxes[key.target])
        while True:
            for event, _ in ready(selector, settings["poll"], _strangers(arrivals, selector)):
                if event.fileobj is notes:
                    for note in notes.read():
                        if "begin" in note:
                            for arrival in list(arrivals.values()):
                                arrival.forget(selector, arrivals)
                            store.begin(note["begin"])
                        notes.send({"said": note, "cpu_seconds": time.process_time()})
                elif event.fileobj is listening:
                    with contextlib.suppress(OSError):
                        _accept(listening, selector, arrivals, settings["secret"])
                elif (arrival := event.data) in arrivals.values():
                    try:
                        arrival.go_on(store, mailboxes)
                    except OSError:
                        arrival.forget(selector, arrivals)
                        arrival.give_up(store)


def _accept(
    listening: socket.socket,
    selector: selectors.BaseSelector,
    arrivals: "dict[int, _Arrival]",
    secret: str,
) -> None:
    connection, _ = listening.accept()
    if len(arrivals) >= MOST_CONNECTIONS:
        oldest = next((one for one in arrivals.values() if one.parcel is None), None)
        if oldest is None:
            connection.close()
            return
        oldest.forget(selector, arrivals)
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    arrivals[connection.fileno()] = arrival = _Arrival(connection, secret)
    selector.register(connection, selectors.EVENT_READ, arrival)


def _strangers(arrivals: "dict[int, _Arrival]", selector: selectors.BaseSelector) -> float | None:
    """Closes connections whose header is overdue; gives the seconds until another one is."""
    now = time.monotonic()
    left = [one for one in arrivals.values() if one.parcel is None]
    for one in left:
        if one.until <= now:
            one.forget(selector, arrivals)
    return min((one.until - now for one in left if one.until > now), default=None)


class _Arrival:
    """A model on its way from a socket into a slot."""

    def __init__(self, connection: socket.socket, secret: str) -> None:
        self.connection, self.secret = connection, secret
        self.parcel: Parcel | None = None
        self.slot = -1
        self.until = time.monotonic() + HEADER_SECONDS
        self._raw = memoryview(bytearray(HEADER.size))
        self._into, self._got = self._raw, 0

    def go_on(self, store: Store, mailboxes: Sequence[int]) -> None:
        """Takes what there is.

        Raises:
            OSError: that was the last of it.
        """
        try:
            found = self.connection.recv_into(self._into[self._got :])
        except BlockingIOError:
            return
        if not found:
            raise ConnectionError("it ended")
        self._got += found
        if self.parcel is not None:
            self._count(store, bytes=found)
        if self._got < len(self._into):
            return
        if self.parcel is None:
            self._begin(store)
        else:
            self._end(store, mailboxes)

    def _begin(self, store: Store) -> None:
        parcel = parcel_of(bytes(self._raw), self.secret)
        answer = parcel if isinstance(parcel, int) else self._admit(store, parcel)
        if self.parcel is not None:
            # Of the answers, too: all is counted before the other side can know that it is over.
            self._count(store, bytes=HEADER.size + ANSWERS)
        self.connection.send(bytes([answer]))
        if answer != wire.GO:
            raise ConnectionError("refused")

    def _admit(self, store: Store, parcel: Parcel) -> int:
        """Whether it may come, and then a slot for it."""
        layout = store.layout
        if (parcel.size, parcel.dtype) != (layout.size, layout.dtype):
            return wire.SIZE
        if parcel.target >= layout.aggregators:
            return wire.TARGET
        if parcel.round != store.now[0]:
            return wire.ROUND
        if store.taken(parcel.ident):
            return wire.HAVE
        free = np.flatnonzero(store.rows["state"][: layout.inputs] == FREE)
        if not free.size:
            return wire.FULL
        self.parcel, self.slot = parcel, int(free[0])
        store.rows[self.slot]["state"] = RECEIVING
        self._into, self._got = store.models[self.slot].data.cast("B"), 0
        return wire.GO

    def _end(self, store: Store, mailboxes: Sequence[int]) -> None:
        parcel, slot = self.parcel, self.slot
        assert parcel is not None
        if not np.isfinite(store.models[slot]).all():
            self.connection.send(bytes([wire.FINITE]))
            raise ConnectionError("refused")
        if not store.taken(parcel.ident):
            key = Key(slot, parcel.round, parcel.ident, parcel.target)
            store.publish(key, parcel.kind, parcel.weight)
            store.count(GATEWAY, keys=1, key_bytes=key.write(mailboxes[parcel.target]))
            self._count(store, messages=1)
            self.slot = -1
        self.connection.send(bytes([wire.DONE]))
        raise ConnectionError("done")

    def _count(self, store: Store, **more: int) -> None:
        assert self.parcel is not None
        hop = "client" if self.parcel.kind == UPDATE else "node"
        store.count(GATEWAY, **{f"{hop}_{what}": number for what, number in more.items()})

    def give_up(self, store: Store) -> None:
        """Frees the slot of what did not come whole."""
        if self.slot >= 0:
            store.rows[self.slot]["state"] = FREE

    def forget(self, selector: selectors.BaseSelector, arrivals: "dict[int, _Arrival]") -> None:
        """Closes the connection."""
        selector.unregister(self.connection)
        arrivals.pop(self.connection.fileno(), None)
        self._into = self._raw
        self.connection.close()
