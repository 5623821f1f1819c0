"""Runs on packed states: from states and graph to rows and neighbours, and back."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, UInt32

from ntkexec import compilation
from ntkexec.message_passing import GraphsTuple
from ntkexec.packed.neighbours import Neighbours, Rows, neighbour_table, slot_masks
from ntkexec.packed.plan import Clock, Orbit, OwnSlots, PackedProgram
from ntkexec.packed.rows import FULL, WORD_BITS, num_words, pack, pack_row, unpack
from ntkexec.packed.step import run_rings, single_step

# From so many nodes on, code is compiled for the very graph.
SPECIALISED_NODES = 1 << 17


@dataclasses.dataclass(frozen=True)
class Moment:
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
class Prepared:
    """All that an execution on packed states needs.

    Args:
        packed: the program.
        orbit: what the clock shows at each step.
        neighbours: the graph.
        start: before the first step.
        num_nodes: n.
    """

    packed: PackedProgram
    orbit: Orbit
    neighbours: Neighbours
    start: Moment
    num_nodes: int

    def run(self, num_steps: int) -> Moment:
        """After `num_steps` steps, whole turns of the clock in one compiled loop."""
        now, ring = self.start, self.orbit.ring
        while now.step < min(num_steps, len(self.orbit.head)):
            _, now = self.step(now)
        turns = (num_steps - now.step) // len(ring)
        if turns:
            now = self._turn(now, turns)
        while now.step < num_steps:
            _, now = self.step(now)
        return now

    def step(self, now: Moment) -> tuple[Rows, Moment]:
        """One step: what it decided, before messages were exchanged, and the moment after it."""
        (decided, after, met), *seconds = compilation.call(
            single_step, now.rows, self.neighbours, packed=self.packed, clock=now.clock
        )
        # What a step keeps does not go through the compiled function.
        kept = self.packed.plan(frozenset(now.rows), now.clock).kept
        held = {bit: row for bit, row in now.rows.items() if bit in kept}
        return held | decided, self._after(now, 1, held | after, met, seconds)

    def _turn(self, now: Moment, turns: int) -> Moment:
        ring = self.orbit.ring
        possible = self.packed.possible_when_ring_starts(frozenset(now.rows), ring)
        nothing = jnp.zeros_like(self.neighbours.valid)
        rows = {bit: now.rows.get(bit, nothing) for bit in sorted(possible)}
        kept = possible
        for clock in ring:
            plan = self.packed.plan(possible, clock)
            kept, possible = kept & plan.kept, plan.possible
        # Messages are exchanged even where the update keeps them.
        fixed = {bit: row for bit, row in rows.items() if bit in kept and bit < self.packed.split}
        (changing, met), *seconds = compilation.call(
            run_rings,
            {bit: row for bit, row in rows.items() if bit not in fixed},
            fixed,
            self.neighbours,
            jnp.asarray(turns, jnp.int32),
            packed=self.packed,
            ring=ring,
        )
        return self._after(now, turns * len(ring), fixed | changing, met, seconds)

    def _after(
        self, now: Moment, steps: int, rows: Rows, met: object, seconds: list[float]
    ) -> Moment:
        return Moment(
            now.step + steps,
            self.orbit.at(now.step + steps),
            rows,
            now.collisions + int(np.asarray(met)),
            now.compile_seconds + seconds[0],
            now.run_seconds + seconds[1],
        )

    def states(self, clock: Clock, rows: Rows) -> Bool[np.ndarray, "n k"]:
        """Rows as the states of single nodes."""
        packed = np.zeros((self.packed.num_bits, num_words(self.num_nodes)), np.uint32)
        for bit, row in rows.items():
            packed[bit] = row
        for bit, value in clock:
            packed[bit] = FULL if value else 0
        return unpack(packed, self.num_nodes)


def prepare(packed: PackedProgram, graphs: GraphsTuple) -> Prepared:
    """States and graph of an execution in packed form, with all that can be proven of them.

    Args:
        packed: the program.
        graphs: as for `executor.execute`.
    """
    num_nodes = len(graphs.nodes)
    rows = pack(np.asarray(graphs.nodes, bool))
    uniform = _uniform(rows, num_nodes)
    # What is constant differs from graph to graph, a colour that nobody has for example. Small
    # graphs rather share compiled code, large ones save the work.
    shared = packed.constants if num_nodes < SPECIALISED_NODES else frozenset[int]()
    orbit = packed.orbit({bit: value for bit, value in uniform.items() if bit not in shared})
    shown = {bit for bit, _ in orbit.at(0)}
    possible = [
        bit for bit in range(len(rows)) if bit not in shown and (bit in shared or rows[bit].any())
    ]
    return Prepared(
        packed=packed,
        orbit=orbit,
        neighbours=_neighbours(packed.own, graphs, rows, num_nodes),
        start=Moment(0, orbit.at(0), {bit: jnp.asarray(rows[bit]) for bit in possible}),
        num_nodes=num_nodes,
    )


def _uniform(rows: UInt32[np.ndarray, "k w"], num_nodes: int) -> dict[int, bool]:
    """The bits that have the same value at all nodes."""
    full = pack_row(np.ones(num_nodes, bool))
    return {
        bit: bool(row[0] & 1)
        for bit, row in enumerate(rows)
        if np.array_equal(row, full if row[0] & 1 else np.zeros_like(full))
    }


def _neighbours(
    own: OwnSlots | None, graphs: GraphsTuple, rows: UInt32[np.ndarray, "k w"], num_nodes: int
) -> Neighbours:
    table = neighbour_table(np.asarray(graphs.senders), np.asarray(graphs.receivers), num_nodes)
    slots = None
    if own is not None and (guards := _guards(own, rows, num_nodes)) is not None:
        slots = slot_masks(table, guards, len(own.guards), num_nodes)
    return Neighbours(
        table=jnp.asarray(table.reshape(len(table), num_words(num_nodes), WORD_BITS)),
        slots=None if slots is None else jnp.asarray(slots),
        valid=jnp.asarray(pack_row(np.ones(num_nodes, bool))),
    )


def _guards(own: OwnSlots, rows: UInt32[np.ndarray, "k w"], num_nodes: int) -> np.ndarray | None:
    """Which guard every node holds, -1 for none; None if some node holds several."""
    guards = rows[list(own.guards)]
    several = functools.reduce(
        lambda seen, row: (seen[0] | row, seen[1] | (seen[0] & row)),
        guards,
        (np.zeros_like(guards[0]), np.zeros_like(guards[0])),
    )[1]
    if several.any():
        return None
    found = np.full(num_nodes, -1, np.int32)
    for guard, row in enumerate(guards):
        found[unpack(row[None], num_nodes)[:, 0]] = guard
    return found
