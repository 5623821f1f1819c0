"""A round under way: clients that send, processes that report, and those that are started again."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from experiments.systems.lifl.children import Child
from experiments.systems.lifl.cluster import RESTARTS, Cluster
from experiments.systems.lifl.gateway import Gateway
from experiments.systems.lifl.placement import Placement
from experiments.systems.lifl.plans import Tree
from experiments.systems.lifl.wire import send_update
from ntkexec.errors import ExperimentError

GRACE = 2.0
"""Seconds that a callback of the user gets to come back, after a round that has failed."""


class Clients:
    """Sends updates in the order of their times, in a thread."""

    def __init__(
        self,
        cluster: Cluster,
        placement: Placement,
        tree: Tree,
        updates: Sequence[np.ndarray],
        weights: Sequence[float],
        times: Sequence[float],
        before_update: Callable[[int], None],
    ) -> None:
        self.gateways = [cluster.gateways[node] for node in placement]
        self.addresses = [gateway.address for gateway in self.gateways]
        self.tree, self.updates, self.weights = tree, updates, weights
        self.times, self.before_update = times, before_update
        self.arrived = [0.0] * len(updates)
        self.error: BaseException | None = None
        self.stopped = threading.Event()
        self.over, self._tell = socket.socketpair()

    def send_all(self, start: float, patience: float) -> None:
        """What the thread does; tells by a byte that it is over."""
        try:
            for update in np.argsort(self.times, kind="stable").tolist():
                wait = start + self.times[update] - time.monotonic()
                if self.stopped.wait(max(wait, 0)):
                    return
                self.before_update(update)
                if self.stopped.is_set():
                    return
                send_update(
                    self.addresses[update],
                    self.updates[update],
                    weight=self.weights[update],
                    ident=update,
                    target=self.tree.targets[update],
                    round_number=self.tree.number,
                    patience=patience,
                    stopped=self.stopped.is_set,
                )
                self.arrived[update] = time.monotonic() - start
        except BaseException as error:
            self.error = error
        finally:
            with contextlib.suppress(OSError):  # nobody waits any longer
                self._tell.send(b".")

    def close(self) -> None:
        self.over.close()
        self._tell.close()


class Running:
    """What a round still waits for."""

    def __init__(self, cluster: Cluster, tree: Tree, start: float, seconds: float) -> None:
        self.cluster, self.tree, self.start = cluster, tree, start
        self.until = start + seconds
        self.began: dict[int, float] = {}
        self.ended: dict[int, float] = {}
        self.restarted = 0
        self.waiting = {task.ident for role in tree.roles for task in role.tasks}
        self.selector = selectors.DefaultSelector()
        for place, aggregator in cluster.aggregators.items():
            self.selector.register(aggregator.child.notes, selectors.EVENT_READ, place)
        for gateway in cluster.gateways:
            assert gateway.child is not None
            self.selector.register(gateway.child.notes, selectors.EVENT_READ, gateway)

    def hear(self, event: selectors.SelectorKey) -> None:
        """A note of a process, or its end."""
        try:
            for note in event.fileobj.read():  # type: ignore[union-attr]
                if "ready" in note and not isinstance(event.data, Gateway):
                    self.cluster.aggregators[event.data].resume()
                if "failed" in note:
                    raise ExperimentError(f"an aggregator gave up: {note['failed']}")
                if "done" in note:
                    self.began[note["done"]], self.ended[note["done"]] = note["since"], note["at"]
                    self.waiting.discard(note["done"])
        except EOFError:
            self._restart(event)

    def _restart(self, event: selectors.SelectorKey) -> None:
        self.selector.unregister(event.fileobj)
        if isinstance(event.data, Gateway):
            self._count(event.data.child)
            child = event.data.start()
        else:
            ended = self.cluster.aggregators[event.data]
            if self._is_done(event.data):
                return
            self._count(ended.child)
            self.cluster.replace(event.data)
            child = self.cluster.aggregators[event.data].child
        self.selector.register(child.notes, selectors.EVENT_READ, event.data)

    def _count(self, child: Child | None) -> None:
        assert child is not None
        self.restarted += 1
        if self.restarted > RESTARTS * (1 + len(self.tree.roles)):
            raise ExperimentError(f"processes end again and again: {child.why_it_ended()}")

    def _is_done(self, place: tuple[int, int]) -> bool:
        """Whether what an aggregator had to do lies where it belongs.

        Then it is not done again, since somebody may be reading it.
        """
        role = next((r for r in self.tree.roles if (r.node, r.index) == place), None)
        if role is None:
            return True
        task = role.tasks[-1]
        if task.last:
            return task.ident not in self.waiting
        there = self.tree.top if task.address is not None else place[0]
        gateway = self.cluster.gateways[there]
        if not gateway.store.taken(task.ident):
            return False
        assert task.target is not None
        gateway.announce(task.target)
        for one in role.tasks:
            self.ended.setdefault(one.ident, time.monotonic())
            self.waiting.discard(one.ident)
        return True


def finish(running: Running, clients: Clients, patience: float) -> tuple[float, ...]:
    """Sends and hears until all is done; gives when the updates had arrived."""
    thread = threading.Thread(target=clients.send_all, args=(running.start, patience), daemon=True)
    running.selector.register(clients.over, selectors.EVENT_READ)
    sending = True
    try:
        thread.start()
        while sending or running.waiting:
            found = running.selector.select(running.until - time.monotonic())
            if not found:
                raise ExperimentError(
                    f"the round was not over in time, {patience:g} s after the last arrival was due; "
                    f"{len(running.waiting)} sums are missing"
                )
            for event, _ in found:
                if event.fileobj is clients.over:
                    sending = False
                    running.selector.unregister(clients.over)
                    if clients.error is not None:
                        raise clients.error
                else:
                    running.hear(event)
        thread.join()  # it has said that it is over
    except BaseException as error:
        clients.stopped.set()
        running.cluster.close()  # whom the thread waits for
        if thread.ident is not None:
            thread.join(GRACE)
        if thread.is_alive() and isinstance(error, ExperimentError):
            raise ExperimentError(f"{error}; before_update is still running") from error
        raise
    finally:
        running.selector.close()
        clients.close()
    return tuple(clients.arrived)
