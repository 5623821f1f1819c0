"""An aggregator: a process that waits for keys and folds what they name, where it lies."""

import contextlib
import dataclasses
import os
import selectors
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.systems.lifl.children import Child, ready
from experiments.systems.lifl.gateway import Gateway
from experiments.systems.lifl.states import check_sum, fold
from experiments.systems.lifl.store import PARTIAL, UPDATE, Key, Layout, Store, unpacked
from experiments.systems.lifl.wire import Address, Notes, send_update
from ntkexec.errors import ExperimentError

MAILBOX = 4096
"""Bytes of keys that are read at once, and fewer than a mailbox that is full holds."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One role in one round: what to fold, and where the sum goes.

    Args:
        round: its number.
        ident: name of the sum within the round.
        inputs: names of what is folded, in this order if `ordered`.
        own: whether the sum goes on from this aggregator's last one, which so is promoted.
        target: the aggregator that is told of the sum; none if it stays, to be gone on from, or is the last.
        address: of that aggregator's gateway, if it is on another node.
        last: whether the sum is divided by its weight, and is the round's result.
        eager: whether a model is folded when it comes, not when all have come.
        ordered: whether models are folded in the order of `inputs`, so that every run rounds alike.
        fold_seconds: that every fold is made to take in addition, for experiments.
    """

    round: int
    ident: int
    inputs: tuple[int, ...]
    own: bool = False
    target: int | None = None
    address: Address | None = None
    last: bool = False
    eager: bool = True
    ordered: bool = True
    fold_seconds: float = 0.0


class Aggregator:
    """A process on a gateway's node, which does any role, one after another.

    It holds nothing that is not in the store: after its end another one does the same tasks again.

    Args:
        gateway: of the node.
        index: which of the node's mailboxes is its own.
    """

    def __init__(self, gateway: Gateway, index: int = 0) -> None:
        layout = gateway.store.layout
        if not 0 <= index < layout.aggregators:
            raise ExperimentError(
                f"the node has places for {layout.aggregators} aggregators, not for number {index}"
            )
        self.gateway, self.index = gateway, index
        self.tasks: list[Task] = []
        reading = gateway.mailboxes[index][0]
        writing = [end for _, end in gateway.mailboxes]
        settings = {
            "layout": layout.__dict__,
            "index": index,
            "mailbox": reading,
            "mailboxes": writing,
            "poll": gateway.poll,
        }
        self.child = Child(serve_aggregator, settings, [reading, *writing], gateway.control)

    @property
    def slot(self) -> int:
        """Where its sum lies."""
        return self.gateway.store.layout.inputs + self.index

    def assign(self, task: Task) -> None:
        """Gives it one more task; one that has ended leaves it to whom it is `replaced` by."""
        self.tasks.append(task)
        with contextlib.suppress(OSError):
            self.child.notes.send({"task": dataclasses.asdict(task)})

    def replaced(self) -> "Aggregator":
        """Another one in its place, to be told by `resume` what this one was to do."""
        self.close()
        fresh = Aggregator(self.gateway, self.index)
        fresh.tasks = self.tasks
        return fresh

    def resume(self) -> None:
        """Does all tasks, from what is in the store; to be called when its process is ready."""
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            self.assign(task)
        self.gateway.announce(self.index)

    def close(self) -> None:
        """Stops the process; safe to call again."""
        self.child.stop()

    def __enter__(self) -> "Aggregator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve_aggregator(notes: Notes, settings: Mapping[str, Any]) -> None:
    """What the process does: it sleeps until a key or a note comes."""
    worker = _Worker(notes, settings)
    with selectors.DefaultSelector() as selector:
        selector.register(notes, selectors.EVENT_READ)
        selector.register(settings["mailbox"], selectors.EVENT_READ)
        notes.send({"ready": True})
        while True:
            for event, _ in ready(selector, settings["poll"]):
                if event.fileobj is notes:
                    for note in notes.read():
                        worker.hear(note)
                else:
                    worker.look(os.read(settings["mailbox"], MAILBOX))
            worker.go_on()


class _Worker:
    def __init__(self, notes: Notes, settings: Mapping[str, Any]) -> None:
        self.notes = notes
        self.store = Store(Layout(**settings["layout"]))
        self.index: int = settings["index"]
        self.mailboxes: Sequence[int] = settings["mailboxes"]
        self.slot = self.store.layout.inputs + self.index
        self.total = self.store.models[self.slot]
        self.weight = 0.0
        self.tasks: list[Task] = []
        self.since: float | None = None
        self.begun = False
        self.folded: set[int] = set()
        self.come: dict[int, Key] = {}
        self.round = 0

    def hear(self, note: Mapping[str, Any]) -> None:
        """A task, or a question how much processor time was taken."""
        if "task" in note:
            found = dict(note["task"])
            found["inputs"] = tuple(found["inputs"])
            found["address"] = found["address"] and Address(**found["address"])
            self.tasks.append(Task(**found))
        else:
            self.notes.send({"said": note, "cpu_seconds": time.process_time()})

    def look(self, raw: bytes) -> None:
        """Keys; those that came before, or are of another round, say nothing new.

        Where so many wait, some may have found the mailbox full: the store knows of all.
        """
        waiting = self.store.announced(self.index) if len(raw) == MAILBOX else ()
        for key in (*unpacked(raw), *waiting):
            if key.round != self.store.now[0]:
                continue
            if key.round != self.round:
                self.round = key.round
                self.come.clear()
            self.come.setdefault(key.ident, key)

    def go_on(self) -> None:
        """Folds what has come, and passes on what is whole."""
        while self.tasks:
            task = self.tasks[0]
            if not self.begun:
                self._begin(task)
            come = self.come if self.round == task.round else {}
            if not task.eager and not all(ident in come for ident in task.inputs):
                return
            order = task.inputs if task.ordered or not task.eager else tuple(come)
            for ident in order:
                if ident in self.folded or ident not in task.inputs:
                    continue
                if ident not in come:
                    return
                self._fold(come[ident], task)
            if len(self.folded) < len(task.inputs):
                return
            self._end(task)

    def _begin(self, task: Task) -> None:
        self.begun = True
        self.since = None
        self.folded.clear()
        if not task.own:
            self.total[:] = 0
            self.weight = 0.0

    def _fold(self, key: Key, task: Task) -> None:
        self.since = self.since or time.monotonic()
        row = self.store.rows[key.slot]
        weight = float(row["weight"])
        fold(self.total, self.store.models[key.slot], weight if row["kind"] == UPDATE else 1.0)
        if task.fold_seconds:
            time.sleep(task.fold_seconds)
        self.weight += weight
        self.folded.add(key.ident)
        self.store.count(1 + self.index, folds=1)

    def _end(self, task: Task) -> None:
        at = time.monotonic()
        note: dict[str, Any] = {
            "done": task.ident, "since": self.since or at, "at": at, "weight": self.weight,
        }  # fmt: skip
        try:
            check_sum(self.total, self.weight)
            if task.last and self.weight > 0:
                np.divide(self.total, self.total.dtype.type(self.weight), out=self.total)
            elif task.last:
                raise ExperimentError("all weights are 0")
            if task.target is not None:
                self._pass_on(task)
        except ExperimentError as error:
            note["failed"] = str(error)
        self.tasks.pop(0)
        self.begun = False
        self.notes.send(note)

    def _pass_on(self, task: Task) -> None:
        assert task.target is not None
        if task.address is not None:
            send_update(
                task.address,
                self.total,
                weight=self.weight,
                ident=task.ident,
                target=task.target,
                round_number=task.round,
                kind=PARTIAL,
            )
            return
        key = Key(self.slot, task.round, task.ident, task.target)
        self.store.publish(key, PARTIAL, self.weight)
        written = key.write(self.mailboxes[task.target])
        self.store.count(1 + self.index, keys=1, key_bytes=written)
