"""Nodes of one host and their aggregators, which stay warm from round to round and are started again."""

import contextlib
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from experiments.systems.lifl.aggregator import Aggregator
from experiments.systems.lifl.gateway import Gateway
from experiments.systems.lifl.plans import Role
from experiments.systems.lifl.store import COUNTED
from ntkexec.errors import ExperimentError

RESTARTS = 3
"""How often a process is started again, before that it ends is an error."""


class Cluster:
    """Gateways, one for each node, and whatever aggregators the rounds ask for. To be used in a `with`.

    Args:
        nodes: how many.
        size: numbers of a model.
        capacity: updates that a node can hold in a round; one number, or one for each node.
        aggregators: processes that may work on a node at a time.
        dtype: of models, `float32` or `float64`.
        reuse: whether aggregators stay for the next role and the next round; else each is started for
            one role and stopped after it.
        poll: seconds between looks at sockets and mailboxes; by default processes sleep until woken.

    Attributes:
        gateways: by node; `gateways[node].child` is its process.
        aggregators: those that live, by node and number on it; `aggregators[0, 1].child.kill()` ends one.
        starts: aggregators started so far.
        queues: smoothed counts of the last round, for `scale`.
    """

    def __init__(
        self,
        nodes: int,
        size: int,
        *,
        capacity: int | Sequence[int],
        aggregators: int = 8,
        dtype: DTypeLike = "float32",
        reuse: bool = True,
        poll: float | None = None,
    ) -> None:
        capacities = [capacity] * nodes if isinstance(capacity, int) else list(capacity)
        if nodes < 1 or len(capacities) != nodes:
            raise ExperimentError(
                f"a cluster has a node at least and a capacity for each; {nodes} nodes got "
                f"{len(capacities)}"
            )
        self.reuse, self.starts, self.closed = reuse, 0, False
        self.under_way = threading.Lock()
        self.queues: tuple[float, ...] | None = None
        self.aggregators: dict[tuple[int, int], Aggregator] = {}
        self.gateways: list[Gateway] = []
        self._closing = contextlib.ExitStack()
        try:
            for updates in capacities:
                gateway = Gateway(
                    size, capacity=updates, aggregators=aggregators, dtype=dtype,
                    partials=nodes - 1, poll=poll,
                )  # fmt: skip
                self.gateways.append(self._closing.enter_context(gateway))
        except BaseException:
            self.close()
            raise

    @property
    def capacities(self) -> list[int]:
        """Updates that the nodes can hold."""
        return [gateway.capacity for gateway in self.gateways]

    def begin(self, number: int, roles: Sequence[Role]) -> int:
        """Makes all processes ready for a round, and gives how many aggregators it had to start."""
        for gateway in self.gateways:
            _persist(lambda: gateway.begin(number), gateway.start)  # noqa: B023 - called at once
        for place, aggregator in list(self.aggregators.items()):
            if not self.reuse or aggregator.child.process.poll() is not None:
                self.aggregators.pop(place).close()
        wanted = [(role.node, role.index) for role in roles]
        fresh = [place for place in wanted if place not in self.aggregators]
        for node, index in fresh:
            self.aggregators[node, index] = Aggregator(self.gateways[node], index)
        for place in fresh:
            _persist(
                lambda: self.aggregators[place].child.wait_until_ready(),  # noqa: B023
                lambda: self.replace(place),  # noqa: B023
            )
        self.starts += len(fresh)
        for role in roles:
            aggregator = self.aggregators[role.node, role.index]
            aggregator.tasks.clear()
            for task in role.tasks:
                aggregator.assign(task)
        return len(fresh)

    def end(self) -> None:
        """Stops aggregators after a round, unless they are used again."""
        if not self.reuse:
            self.stop_aggregators()

    def stop_aggregators(self) -> None:
        """Stops all aggregators; the next round starts those that it needs."""
        with contextlib.ExitStack() as stopping:
            for place in list(self.aggregators):
                stopping.callback(self.aggregators.pop(place).close)

    def replace(self, place: tuple[int, int]) -> None:
        """Starts an aggregator again in the place of one that has ended."""
        self.aggregators[place] = self.aggregators[place].replaced()
        self.starts += 1

    def counts(self) -> dict[str, int]:
        """What all processes have counted, together."""
        summed = sum(gateway.store.counts.sum(0) for gateway in self.gateways)
        found = dict(zip(COUNTED, np.asarray(summed).tolist(), strict=True))
        for name in ("notes", "note_bytes"):
            found[name] = sum(gateway.control[name] for gateway in self.gateways)
        return found

    def cpu_seconds(self) -> float:
        """Processor time that those of its processes have taken which live; to be asked between rounds."""
        children = [gateway.child for gateway in self.gateways if gateway.child is not None]
        children += [aggregator.child for aggregator in self.aggregators.values()]
        taken = 0.0
        for child in children:
            try:
                taken += float(child.ask({"report": True})["cpu_seconds"])
            except ExperimentError:
                if child.process.poll() is None:
                    raise
        return taken

    def close(self) -> None:
        """Stops every process and frees all memory; safe to call again."""
        self.closed = True
        try:
            self.stop_aggregators()
        finally:
            self._closing.close()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _persist(use: Callable[[], object], again: Callable[[], object]) -> None:
    """Uses a process, which is started again if it has ended.

    Raises:
        ExperimentError: it ends again and again.
    """
    for _ in range(RESTARTS):
        try:
            use()
            return
        except ExperimentError:
            again()
    use()
