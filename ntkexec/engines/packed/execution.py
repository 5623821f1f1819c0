"""Runs on packed states: from states and graph to rows and neighbours, and back."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Int32

from ntkexec.engines.packed.clock import clock_of
from ntkexec.engines.packed.frontier import Frontier
from ntkexec.engines.packed.indices import Indices, compress
from ntkexec.engines.packed.neighbours import AXIS, Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, Orbit, PackedProgram
from ntkexec.engines.packed.rows import FULL, WORD_BITS, num_words, pack, uniform, unpack
from ntkexec.engines.packed.sharding import (
    ROW,
    Border,
    divide,
    fetch,
    place,
    place_tables,
    sharded_rings,
    sharded_step,
)
from ntkexec.engines.packed.step import after_tail, run_rings, run_small, single_step
from ntkexec.engines.packed.tables import bits_of_slots, by_word, hearers, tables_of
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.runtime import compilation

# From so many rounds and nodes on, it pays to leave out nodes at which nothing happens; or in larger
# graphs from fewer rounds on.
FRONTIER_ROUNDS, FRONTIER_NODES = 64, 1 << 16
FEW_ROUNDS, MANY_NODES = 8, 1 << 18
# Below so many nodes a call costs more than a step; the code then has all steps in it, for which a
# round must have few, since the steps left over are compiled with it.
SMALL_NODES = 1 << 15
LONGEST_SMALL_RING = 2
# From so many nodes on, code is compiled for the very graph.
SPECIALISED_NODES = 1 << 17


@dataclasses.dataclass(frozen=True)
class PackedState:
    """An execution between two steps.

    Args:
        step: how many were done.
        clock: what the clock shows.
        rows: the bits outside the clock that may be 1.
        collisions: receptions so far in which two messages met.
        compile_seconds: spent so far on compiling.
        run_seconds: spent so far on running.
    """

    step: int
    clock: Clock
    rows: Rows
    collisions: int = 0
    compile_seconds: float = 0.0
    run_seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class PackedExecution:
    """All that an execution on packed states needs.

    Args:
        packed: the program.
        orbit: what the clock shows at each step.
        neighbours: the graph.
        start: before the first step.
        num_nodes: n.
        edges: senders and receivers.
        mesh: the devices among which nodes are divided, or None for one.
        border: what crosses from device to device, if there is a mesh.
    """

    packed: PackedProgram
    orbit: Orbit
    neighbours: Neighbours
    start: PackedState
    num_nodes: int
    edges: tuple[Int32[np.ndarray, "e"], Int32[np.ndarray, "e"]]
    mesh: Mesh | None = None
    border: Border | None = None

    def run(self, num_steps: int) -> PackedState:
        """After `num_steps` steps, whole rounds of the clock in one compiled loop."""
        now, ring = self.start, self.orbit.ring
        while now.step < min(num_steps, len(self.orbit.head)):
            _, now = self.step(now)
        rounds, left = divmod(max(0, num_steps - now.step), len(ring))
        tail = [self.orbit.at(step) for step in range(num_steps - left, num_steps)]
        if self.num_nodes < SMALL_NODES and self.mesh is None and len(ring) <= LONGEST_SMALL_RING:
            return self._small(now, rounds, tuple(tail)) if rounds or tail else now
        if self.some_suffice(rounds):
            now, rounds = self.sparse_rounds(now, rounds)
        if rounds:
            now = self._run_rounds(now, rounds)
        while now.step < num_steps:
            _, now = self.step(now)
        return now

    def _small(self, now: PackedState, rounds: int, tail: tuple[Clock, ...]) -> PackedState:
        """Turns of the clock and the steps that are left, in one call with few arrays."""
        changing, fixed = self._division(now)
        rows = [np.asarray(row) for row in (*changing.values(), *fixed.values())]
        stack = np.array(rows, np.uint32).reshape(len(rows), *self.neighbours.valid.shape)
        (stacked, met), *seconds = compilation.call(
            run_small,
            stack,
            self.neighbours,
            np.asarray(rounds, np.int32),
            packed=self.packed,
            ring=self.orbit.ring,
            tail=tail,
            changing=tuple(changing),
            fixed=tuple(fixed),
        )
        bits = after_tail(self.packed, tail, (*changing, *fixed))
        found: Rows = dict(zip(bits, np.asarray(stacked), strict=True))
        return self._after(
            now, rounds * len(self.orbit.ring) + len(tail), found, _total(met), seconds
        )

    def some_suffice(self, rounds: int) -> bool:
        """Whether it pays to leave out nodes at which nothing happens."""
        long = rounds >= FRONTIER_ROUNDS and self.num_nodes >= FRONTIER_NODES
        large = rounds >= FEW_ROUNDS and self.num_nodes >= MANY_NODES
        return (long or large) and self.mesh is None

    def sparse_rounds(
        self, now: PackedState, rounds: int, *, beside: bool = False
    ) -> tuple[PackedState, int]:
        """As many rounds of the clock as only some nodes need take part in; see `frontier`.

        Args:
            now: when the ring begins.
            rounds: at most.
            beside: whether every step is compared with the program.

        Returns:
            The state after them, and how many rounds are left.

        Raises:
            ExecutionError: a step was compared, and differs.
        """
        changing, fixed = self._division(now)
        unfit = any(bit >= self.packed.split for bit in changing) or not changing or not fixed
        if unfit or not self.neighbours.table.ports:
            return now, rounds
        frontier = Frontier(
            self.packed,
            self.orbit.ring,
            changing,
            fixed,
            self.neighbours,
            self._hearers(),
            self.num_nodes,
            beside=beside,
        )
        done = frontier.run(rounds)
        found = frontier.rows() | fixed
        seconds = [frontier.compile_seconds, frontier.run_seconds]
        steps = done * len(self.orbit.ring)
        return self._after(now, steps, found, frontier.collisions, seconds), rounds - done

    def _hearers(self) -> Indices:
        """By node those that hear it."""
        table = hearers(*self.edges, self.num_nodes)
        if table is None:
            return self.neighbours.table
        return compress(by_word(table), table.shape[1] - 1)

    def step(self, now: PackedState) -> tuple[Rows, PackedState]:
        """One step: what it decided, before messages were exchanged, and the state after it."""
        (decided, after, met), *seconds = self._call(
            single_step, sharded_step, now.rows, self.neighbours, clock=now.clock
        )
        # What a step keeps does not go through the compiled function.
        kept = self.packed.plan(frozenset(now.rows), now.clock).kept
        held = {bit: row for bit, row in now.rows.items() if bit in kept}
        return held | decided, self._after(now, 1, held | after, _total(met), seconds)

    @property
    def start_of_rounds(self) -> PackedState:
        """`start` with rows for all later rounds too, so that the first one shares their code."""
        if self.orbit.head:
            return self.start
        changing, fixed = self._division(self.start)
        return dataclasses.replace(self.start, rows=changing | fixed)

    def _division(self, now: PackedState) -> tuple[Rows, Rows]:
        """The rows that may be 1 when the ring begins: those that it may change, and the others."""
        ring = self.orbit.ring
        possible = self.packed.possible_when_ring_starts(frozenset(now.rows), ring)
        nothing = self._place(np.zeros(self.neighbours.valid.shape, np.uint32), ROW)
        rows = {bit: now.rows.get(bit, nothing) for bit in sorted(possible)}
        kept = possible
        for clock in ring:
            plan = self.packed.plan(possible, clock)
            kept, possible = kept & plan.kept, plan.possible
        # Messages are exchanged even where the update keeps them.
        fixed = {bit: row for bit, row in rows.items() if bit in kept and bit < self.packed.split}
        return {bit: row for bit, row in rows.items() if bit not in fixed}, fixed

    def _run_rounds(self, now: PackedState, rounds: int) -> PackedState:
        ring = self.orbit.ring
        changing, fixed = self._division(now)
        (changing, met), *seconds = self._call(
            run_rings,
            sharded_rings,
            changing,
            fixed,
            self.neighbours,
            self._place(np.asarray(rounds, np.int32), PartitionSpec()),
            ring=ring,
        )
        return self._after(now, rounds * len(ring), fixed | changing, _total(met), seconds)

    def _call(
        self, local: Callable[..., Any], sharded: Callable[..., Any], *args: Any, **static: Any
    ) -> tuple[Any, float, float]:
        if self.mesh is None:
            return compilation.call(local, *args, packed=self.packed, **static)
        return compilation.call(sharded, *args, packed=self.packed, mesh=self.mesh, **static)

    def _place(self, array: np.ndarray, spec: PartitionSpec) -> Array:
        return jnp.asarray(array) if self.mesh is None else place(self.mesh, array, spec)

    def bytes_sent(self, num_steps: int) -> int:
        """What all devices together send in the first `num_steps` steps."""
        if self.border is None:
            return 0
        possible, rows = frozenset(self.start.rows), 0
        counted: dict[tuple[frozenset[int], Clock], tuple[int, frozenset[int]]] = {}
        for step in range(num_steps):
            key = possible, self.orbit.at(step)
            if key not in counted:
                after = self.packed.plan(*key).possible
                counted[key] = self.payload_rows(after), after
            sent, possible = counted[key]
            rows += sent
        return rows * self.border.bytes_a_row

    def payload_rows(self, possible: frozenset[int]) -> int:
        """Message bits that every node gathers from its neighbours, if these bits may be 1."""
        own = self.packed.own
        messages = {bit for bit in possible if bit >= self.packed.split}
        if own is None or not self.neighbours.own_slots:
            return len(messages)
        columns = zip(*own.bits, strict=True)
        anywhere = messages - own.covered
        return sum(not messages.isdisjoint(column) for column in columns) + len(anywhere)

    def _after(
        self, now: PackedState, steps: int, rows: Rows, met: int, seconds: list[float]
    ) -> PackedState:
        return PackedState(
            now.step + steps,
            self.orbit.at(now.step + steps),
            rows,
            now.collisions + met,
            now.compile_seconds + seconds[0],
            now.run_seconds + seconds[1],
        )

    def states(self, clock: Clock, rows: Rows) -> Bool[np.ndarray, "n k"]:
        """Rows as the states of single nodes."""
        packed = np.zeros((self.packed.num_bits, num_words(self.num_nodes)), np.uint32)
        for bit, row in rows.items():
            packed[bit] = fetch(row)[: packed.shape[1]]
        for bit, value in clock:
            packed[bit] = FULL if value else 0
        return unpack(packed, self.num_nodes)


def prepare(
    packed: PackedProgram,
    graphs: GraphsTuple,
    *,
    num_steps: int = 0,
    devices: Sequence[jax.Device] | None = None,
) -> PackedExecution:
    """States and graph of an execution in packed form, with all that can be proven of them.

    Args:
        packed: the program.
        graphs: as for `executor.execute`.
        num_steps: at most so many will follow; decides what is worth compiling.
        devices: among which nodes are divided, perhaps those of several processes, each of which
            then does the same; by default one device does it all.
    """
    num_nodes = len(graphs.nodes)
    rows = pack(np.asarray(graphs.nodes, bool))
    tables = tables_of(packed.own, graphs, rows, num_nodes)
    same = uniform(rows, num_nodes)
    # What is constant differs from graph to graph, a colour that nobody has for example. Small
    # graphs rather share compiled code, large ones save the work.
    shared = packed.constants if num_nodes < SPECIALISED_NODES else frozenset[int]()
    orbit = clock_of(
        packed,
        same,
        num_steps=num_steps,
        specialised=num_nodes >= SPECIALISED_NODES,
        long=FRONTIER_ROUNDS if num_nodes >= FRONTIER_NODES else None,
    )
    shown = {bit for bit, _ in orbit.at(0)}
    possible = [
        bit for bit in range(len(rows)) if bit not in shown and (bit in shared or rows[bit].any())
    ]
    edges = np.asarray(graphs.senders), np.asarray(graphs.receivers)
    if devices is None:
        place_row = np.asarray if num_nodes < SMALL_NODES else jnp.asarray
        start: Rows = {bit: place_row(rows[bit]) for bit in possible}
        # Bounded by the width, not by n, so that graphs of similar size share their code.
        table = compress(tables.table, rows.shape[1] * WORD_BITS - 1)
        slots, slot_bits = tables.slots, None
        if slots is not None and num_nodes >= SPECIALISED_NODES:
            slot_bits = bits_of_slots(slots, rows, packed.constants)
        neighbours = Neighbours(
            jax.tree.map(jnp.asarray, table),
            None if slots is None or slot_bits is not None else jnp.asarray(slots),
            jnp.asarray(tables.valid),
            slot_bits=slot_bits,
        )
        return PackedExecution(
            packed, orbit, neighbours, PackedState(0, orbit.at(0), start), num_nodes, edges
        )
    mesh = Mesh(np.asarray(devices), (AXIS,))
    tables, border = divide(tables, num_nodes, len(devices))
    fill = len(tables.valid) - rows.shape[1]
    start = {bit: place(mesh, np.pad(rows[bit], (0, fill)), ROW) for bit in possible}
    neighbours = place_tables(mesh, tables)
    state = PackedState(0, orbit.at(0), start)
    return PackedExecution(packed, orbit, neighbours, state, num_nodes, edges, mesh, border)


def _total(by_device: Array) -> int:
    return int(fetch(by_device).sum())
