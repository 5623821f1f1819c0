"""Packed execution of the nodes at which something happens, where a program falls silent.

A node is *at rest* if a round of the clock without messages leaves it as it is and lets it send
nothing: seen once, true for ever. A node is *waiting* if it is in the one state that all nodes share
that have heard nothing yet; what a silent round makes of that state is calculated once for all of
them, and must not depend on anything that differs from node to node (`Waiting.next`). Whoever is
neither is *restless*, and may send; a message travels one hop an exchange. So a round need only be
carried out at the nodes within as many hops of a restless one as a round has exchanges: no other
node sends, receives, or does anything but rest or wait. How that is done is in `search`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt32

from ntkexec.engines.packed import crossing
from ntkexec.engines.packed.audit import Audit
from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.neighbours import Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram
from ntkexec.engines.packed.rows import FULL, WORD_BITS
from ntkexec.engines.packed.search import Room, Search, Shape, search_on, up_to_date
from ntkexec.engines.packed.waiting import Waiting, as_integer, exchanges
from ntkexec.runtime import compilation

# Rounds in one call: a call costs as much as a few of them.
MAX_ROUNDS = 256
# Restless nodes that there is room for: at least so many, times a power of this, since every room is
# compiled; and at most this share of all. With more of them, a round of all nodes takes less time.
LEAST_ROOM = 1024
LARGER = 4
LARGEST_SHARE = 1 / 64
# In long searches up to this one, in a last room of their own rather than the next power.
LONG_SHARE, LAST_ROOMS = 1 / 48, 128
# Shorter searches take one room, so that one is compiled.
LONG = 64
# For each restless node, nodes that take part in a round, and that send in it. The waves of short
# searches, in graphs of small diameter, widen fast.
LONG_AWAKE, LONG_SENDERS = 3 / 2, 1 / 4
SHORT_AWAKE, SHORT_SENDERS = 2, 1 / 2


class Frontier:
    """Rounds of the clock that only some nodes take part in.

    Args:
        packed: the program.
        ring: what the clock shows, one round.
        changing: rows that may be 1 when the ring begins and that a step may change; no messages.
        fixed: rows that no step of the ring changes.
        neighbours: of all nodes, on one device.
        hearers: by node those that hear it, the number of nodes where there are fewer.
        num_nodes: n.
        beside: whether every step is compared with the program (`audit`).
    """

    def __init__(
        self,
        packed: PackedProgram,
        ring: tuple[Clock, ...],
        changing: Rows,
        fixed: Rows,
        neighbours: Neighbours,
        hearers: Indices,
        num_nodes: int,
        *,
        beside: bool = False,
    ) -> None:
        start = time.perf_counter()
        self._packed, self._ring = packed, ring
        self._hearers, self._num_nodes = hearers, num_nodes
        self._shape = Shape(
            tuple(changing),
            tuple(fixed),
            exchanges(packed, ring, frozenset(changing) | frozenset(fixed)),
            neighbours.own_slots,
        )
        self._rule = Waiting(packed, ring, frozenset(fixed))
        self.collisions = self.nodes = 0
        self.compile_seconds = self.run_seconds = 0.0
        valid = np.asarray(neighbours.valid)
        rows = np.array([np.asarray(row) for row in changing.values()])
        # Whatever state most nodes are in, bit by bit; those in it wait.
        ones = [2 * int(np.bitwise_count(row & valid).sum()) > num_nodes for row in rows]
        self._ones = as_integer(b for b, one in zip(changing, ones, strict=True) if one)
        differs = np.where(np.array(ones)[:, None], ~rows, rows)
        waits = ~np.bitwise_or.reduce(differs) & valid
        self._restless: np.ndarray = _nodes(~waits & valid)
        self._wanted = len(self._restless)
        self._changing_rows = [*rows, waits, np.zeros_like(waits)]
        self._fixed_rows = [np.asarray(row) for row in (*fixed.values(), valid)]
        # By node, from the first round on.
        self._held: Any = None
        self._fixed: Any = None
        self._place: Any = None
        self._audit: Audit | None = None
        if beside:
            bits = self._shape.changing, self._shape.fixed
            self._audit = Audit(packed.program, ring, *bits, neighbours, num_nodes)
        self.run_seconds += time.perf_counter() - start

    def run(self, most: int) -> int:
        """Up to `most` rounds; says how many.

        Fewer if the waiting need not all agree, or too many nodes are restless for this to pay.
        """
        start, compiled, left = time.perf_counter(), self.compile_seconds, most
        least = LEAST_ROOM if most >= LONG else LARGER * LEAST_ROOM
        awake, senders = (
            (LONG_AWAKE, LONG_SENDERS) if most >= LONG else (SHORT_AWAKE, SHORT_SENDERS)
        )
        while left and (room := self._room(least, long=most >= LONG)):
            foreseen = self._foreseen(min(left, MAX_ROUNDS))
            if len(foreseen) == 1:
                break
            if self._held is None:
                self._held = self._call(crossing.all_by_node, np.array(self._changing_rows))
                self._fixed = self._call(crossing.all_by_node, np.array(self._fixed_rows))
                self._place = np.zeros(self._held.shape[1], np.int32)
                if self._audit is not None:
                    pattern, rows = np.array(self._pattern(self._ones)), self._changing_rows[:-2]
                    fixed = self._fixed, np.array(self._fixed_rows)
                    self._audit.begin(self._held, fixed[0], pattern, np.array(rows), fixed[1])
            if len(self._restless):
                lists = Room(room, int(awake * room), int(senders * room))
                left -= self._rounds(lists, foreseen)
            else:
                # All wait or rest.
                if self._audit is not None:
                    self._audit.foreseen(foreseen)
                    self._audit.nobody()
                self._ones = foreseen[-1]
                left -= len(foreseen) - 1
        self.run_seconds += time.perf_counter() - start - (self.compile_seconds - compiled)
        return most - left

    def _room(self, least: int, *, long: bool) -> int:
        """For how many restless nodes the next rounds are compiled; 0 if there are too many."""
        room = least
        while room < self._wanted:
            room *= LARGER
        if room <= max(least, self._num_nodes * LARGEST_SHARE):
            return room
        last = int(self._num_nodes * LONG_SHARE) // LAST_ROOMS * LAST_ROOMS
        return last if long and self._wanted <= last else 0

    def _foreseen(self, rounds: int) -> list[int]:
        """The state of the waiting now and after each of some rounds, as far as it is known."""
        found = [self._ones]
        beyond = ~as_integer(self._shape.changing)
        while len(found) <= rounds:
            after = self._rule.next(found[-1])
            if after is None or after & beyond:
                break
            found.append(after)
        return found

    def _rounds(self, room: Room, foreseen: Sequence[int]) -> int:
        """Rounds with room for so many restless nodes; says how many."""
        restless = np.full(room.restless, self._num_nodes, np.int32)
        restless[: len(self._restless)] = self._restless
        patterns = np.zeros((MAX_ROUNDS + 1, len(self._shape.changing)), np.uint32)
        patterns[: len(foreseen)] = [self._pattern(ones) for ones in foreseen]
        audit = self._audit
        done: Search = self._call(
            search_on,
            self._held,
            self._place,
            restless,
            self._fixed,
            self._hearers,
            patterns,
            np.int32(len(foreseen) - 1),
            None if audit is None else audit.ledger,
            None if audit is None else audit.heard,
            packed=self._packed,
            ring=self._ring,
            shape=self._shape,
            room=room,
            silent=self._num_nodes,
        )
        self._held, self._place, rounds = done.held, done.place, int(done.rounds)
        if audit is not None:
            audit.ledger = done.ledger
            audit.foreseen(foreseen[: rounds + 1])
        self._ones = foreseen[rounds]
        self.nodes += int(done.nodes)
        self.collisions += int(done.collisions)
        self._wanted = int(done.wanted)
        if rounds and done.num_restless > room.restless:
            self._restless = self._all_restless()
        elif rounds:
            self._restless = np.asarray(done.restless)[: int(done.num_restless)]
        return rounds

    def _all_restless(self) -> Int32[np.ndarray, "m"]:
        held, busy = np.asarray(self._held), np.ones(self._num_nodes, bool)
        for bit in (len(self._shape.changing), len(self._shape.changing) + 1):
            word, place = divmod(bit, WORD_BITS)
            busy &= held[word, : self._num_nodes] >> np.uint32(place) & 1 == 0
        return np.flatnonzero(busy).astype(np.int32)

    def _pattern(self, ones: int) -> list[np.uint32]:
        return [FULL if ones >> bit & 1 else np.uint32(0) for bit in self._shape.changing]

    # Any: whatever the function returns.
    def _call(self, function: Callable[..., Any], *args: Any, **static: Any) -> Any:
        done, seconds, _ = compilation.call(function, *args, **static)
        self.compile_seconds += seconds
        return done

    def rows(self) -> Rows:
        """All rows that may change, up to date at every node.

        Raises:
            ExecutionError: something was compared with the program, and differs.
        """
        if self._held is None:
            return dict(zip(self._shape.changing, self._changing_rows, strict=False))
        start, compiled = time.perf_counter(), self.compile_seconds
        pattern = np.array(self._pattern(self._ones))
        found = self._call(up_to_date, self._held, pattern)
        if self._audit is not None:
            self._audit.finish(self._held, pattern, found)
        self.run_seconds += time.perf_counter() - start - (self.compile_seconds - compiled)
        return dict(zip(self._shape.changing, found, strict=True))


def _nodes(row: UInt32[np.ndarray, "w"]) -> Int32[np.ndarray, "m"]:
    """The nodes whose bit is 1."""
    return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).astype(np.int32)
