"""Packed execution of the words in which something happens, where a program falls silent.

A node is *at rest* if a round of the clock without messages leaves it as it is and lets it send
nothing: seen once, true for ever. A node is *waiting* if it is in the one state that all nodes share
that have heard nothing yet; what a silent round makes of that state is calculated once for all of
them, and must not depend on anything that differs from node to node (`Waiting.next`). Whoever is
neither may send; a message travels one hop an exchange. So a round need only be carried out on the
words that hold a node within as many hops of such a node as a round has exchanges: no other node
sends, receives, or does anything but rest or wait.
"""

import dataclasses
import functools
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int32, UInt32

from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.neighbours import Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram
from ntkexec.engines.packed.rows import FULL, WORD_BITS
from ntkexec.engines.packed.step import advance
from ntkexec.runtime import compilation

# Turns in one window, and words that it may always grow by.
MAX_ROUNDS = 8
SLACK = 64


class _Rule(NamedTuple):
    """A template in one phase: conditions on changing bits, whether others are left, outputs."""

    condition: tuple[tuple[int, bool], ...]
    depends: bool
    outputs: frozenset[int]


class Waiting:
    """What a silent round makes of nodes that have heard nothing.

    Args:
        packed: the program.
        ring: what the clock shows, one round.
        fixed: bits that no step of the ring changes; they differ from node to node.
    """

    def __init__(self, packed: PackedProgram, ring: Sequence[Clock], fixed: frozenset[int]) -> None:
        everything = frozenset(range(packed.num_bits))
        self._split = packed.split
        self._phases: list[list[_Rule]] = []
        self._corrected = bool(packed.corrections)
        for clock in ring:
            plan = packed.plan(everything - {bit for bit, _ in clock}, clock)
            rules = [
                _Rule(
                    tuple(literal for literal in entry.condition if literal[0] not in fixed),
                    any(bit in fixed for bit, _ in entry.condition),
                    frozenset(entry.outputs) - fixed,
                )
                for entry in plan.templates
            ]
            self._phases.append([rule for rule in rules if rule.outputs])

    def next(self, ones: frozenset[int]) -> frozenset[int] | None:
        """The changing bits that are 1 after a round without messages.

        Args:
            ones: those that are 1 before it.

        Returns:
            None if that could differ from node to node, or if nodes could send.
        """
        if self._corrected:
            return None
        for rules in self._phases:
            certain, depends = set[int](), set[int]()
            for condition, is_open, outputs in rules:
                if all((bit in ones) == value for bit, value in condition):
                    (depends if is_open else certain).update(outputs)
            if not depends <= certain or any(bit >= self._split for bit in certain):
                return None
            ones = frozenset(certain)
        return ones


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Window:
    """Makes the words of a window audible in a row of all words; the others are silent.

    words: which; one past the last where there are fewer.
    silence: a row of zeros.
    """

    words: Int32[Array, "a"]
    silence: UInt32[Array, "w"]

    def extend(self, rows: Sequence[UInt32[Array, "a"]]) -> list[UInt32[Array, "w"]]:
        return [self.silence.at[self.words].set(row, mode="drop") for row in rows]


class WindowResult(NamedTuple):
    """What a round did to the words of a window.

    changing: all words of the rows that may change; (rows, w).
    waiting: who waits; (w,).
    resting: who rests; (w,).
    restless: who does neither, in the window; (a,).
    collisions: at how many nodes two messages met.
    """

    changing: UInt32[Array, "k w"]
    waiting: UInt32[Array, "w"]
    resting: UInt32[Array, "w"]
    restless: UInt32[Array, "a"]
    collisions: Int[Array, ""]


def turn_window(
    changing: UInt32[Array, "k w"],
    waiting: UInt32[Array, "w"],
    resting: UInt32[Array, "w"],
    fixed: UInt32[Array, "f w"],
    neighbours: Neighbours,
    words: Int32[Array, "a"],
    before: UInt32[Array, "k"],
    after: UInt32[Array, "k"],
    num_rounds: Int[Array, ""],
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
    changing_bits: tuple[int, ...],
    fixed_bits: tuple[int, ...],
) -> WindowResult:
    """Turns of the clock on some words.

    Args:
        changing: rows that may change, those of `changing_bits`.
        waiting: who waits; their words in `changing` are out of date.
        resting: who rests.
        fixed: rows of `fixed_bits`.
        neighbours: of all nodes.
        words: which words, filled up with the number of words.
        before: the state of the waiting, all ones or zeros for each changing bit.
        after: the same after the rounds.
        num_rounds: how many; outside the window nobody may do anything meanwhile.
        packed: the program.
        ring: what the clock shows, one round.
        changing_bits: bits of the rows of `changing`.
        fixed_bits: bits of the rows of `fixed`.
    """

    def pick(array: Array) -> Array:
        return array.at[..., words].get(mode="clip")

    wait, rest = pick(waiting), pick(resting)
    # Nobody is at the places that fill the window up.
    valid = neighbours.valid.at[words].get(mode="fill", fill_value=0)
    old = (pick(changing) & ~wait[None]) | (before[:, None] & wait[None])
    here = Neighbours(
        table=neighbours.table.at_words(words),
        slots=None if neighbours.slots is None else pick(neighbours.slots),
        valid=valid,
        halo=Window(words, jnp.zeros_like(waiting)),
    )
    constant: Rows = dict(zip(fixed_bits, pick(fixed), strict=True))
    nothing = jnp.zeros_like(wait)

    def once(_: Array, carry: _WindowState) -> _WindowState:
        rows: Rows = dict(zip(changing_bits, carry.rows, strict=True)) | constant
        spoke, collisions = nothing, carry.collisions
        for clock in ring:
            done = advance(packed, rows, clock, here)
            for bit, row in done.rows.items():
                # What is held contains what was sent.
                if bit >= packed.split:
                    spoke = spoke | row
            rows, collisions = done.rows, collisions + done.collisions
        new = jnp.stack([rows.get(bit, nothing) for bit in changing_bits])
        moved = _any(new ^ carry.rows)
        return _WindowState(new, carry.moved | moved, ~(moved | spoke), collisions)

    start = _WindowState(old, nothing, nothing, jnp.zeros((), jnp.int32))
    new, moved, quiet, collisions = jax.lax.fori_loop(0, num_rounds, once, start)
    waits = ~_any(new ^ after[:, None]) & valid
    rests = (rest & ~moved) | quiet
    return WindowResult(
        changing.at[:, words].set(new, mode="drop"),
        waiting.at[words].set(waits, mode="drop"),
        resting.at[words].set(rests, mode="drop"),
        ~(waits | rests) & valid,
        collisions,
    )


class _WindowState(NamedTuple):
    """A window between two rounds: its rows, who changed so far, who was quiet in the last round."""

    rows: UInt32[Array, "k a"]
    moved: UInt32[Array, "a"]
    quiet: UInt32[Array, "a"]
    collisions: Int[Array, ""]


def _any(rows: UInt32[Array, "k a"]) -> UInt32[Array, "a"]:
    return functools.reduce(jnp.bitwise_or, list(rows), jnp.zeros_like(rows[0]))


class Frontier:
    """Turns of the clock in which only some words are carried out.

    Args:
        packed: the program.
        ring: what the clock shows, one round.
        changing: rows that may be 1 when the ring begins and that a step may change; no messages.
        fixed: rows that no step of the ring changes.
        neighbours: of all nodes, on one device.
        hearers: by node those that hear it, the number of nodes where there are fewer; in NumPy.
    """

    def __init__(
        self,
        packed: PackedProgram,
        ring: tuple[Clock, ...],
        changing: Rows,
        fixed: Rows,
        neighbours: Neighbours,
        hearers: Indices,
    ) -> None:
        self._packed, self._ring, self._neighbours = packed, ring, neighbours
        self._hearers = hearers
        self._changing_bits, self._fixed_bits = tuple(changing), tuple(fixed)
        self._changing = jnp.stack(list(changing.values()))
        self._fixed = jnp.stack(list(fixed.values()))
        self._num_words = neighbours.valid.shape[0]
        # Few sizes, since each is compiled: halves of halves of all words.
        self._sizes = [max(1, self._num_words >> power) for power in reversed(range(7))]
        self._hops = _exchanges(packed, ring, frozenset(changing) | frozenset(fixed))
        self._waiting_rule = Waiting(packed, ring, frozenset(fixed))
        valid, rows = np.asarray(neighbours.valid), np.asarray(self._changing)
        self._num_nodes = int(np.bitwise_count(valid).sum())
        # Whatever state most nodes are in, bit by bit; those in it wait.
        ones = [2 * int(np.bitwise_count(row & valid).sum()) > self._num_nodes for row in rows]
        self._ones = frozenset(b for b, one in zip(changing, ones, strict=True) if one)
        differs = np.array([~row if one else row for row, one in zip(rows, ones, strict=True)])
        waits = ~np.bitwise_or.reduce(differs) & valid
        self._waiting, self._resting = jnp.asarray(waits), jnp.zeros_like(neighbours.valid)
        self._restless = _nodes(np.arange(self._num_words), ~waits & valid)
        self.collisions, self.words = 0, 0
        self.compile_seconds = self.run_seconds = 0.0

    def round(self, most: int) -> int:
        """Up to `most` rounds in one window; says how many, 0 if the waiting need not all agree."""
        start = time.perf_counter()
        window, rounds, after = self._window(most)
        if not rounds:
            return 0
        count = len(window)
        size = next(size for size in self._sizes if size >= count)
        words = np.full(size, self._num_words, np.int32)
        words[:count] = window
        done, compile_seconds, _ = compilation.call(
            turn_window,
            self._changing,
            self._waiting,
            self._resting,
            self._fixed,
            self._neighbours,
            jnp.asarray(words),
            self._pattern(self._ones),
            self._pattern(after),
            jnp.asarray(rounds, jnp.int32),
            packed=self._packed,
            ring=self._ring,
            changing_bits=self._changing_bits,
            fixed_bits=self._fixed_bits,
        )
        self._changing, self._waiting, self._resting = done[:3]
        self._restless = _nodes(window, np.asarray(done.restless)[:count])
        self._ones = after
        self.words += count * rounds
        self.collisions += int(done.collisions)
        self.compile_seconds += compile_seconds
        self.run_seconds += time.perf_counter() - start - compile_seconds
        return rounds

    def _window(self, most: int) -> tuple[Int[np.ndarray, "a"], int, frozenset[int]]:
        """The words that restless nodes may reach in some rounds, how many, the waiting after them.

        A wider window spares calls, but is more work a round; it may grow by a half.
        """
        marked = np.zeros(self._num_words, bool)
        nodes, ones, window = self._restless, self._ones, np.zeros(0, np.int64)
        rounds = first = 0
        while rounds < min(most, MAX_ROUNDS):
            after = self._waiting_rule.next(ones)
            if after is None or not after <= set(self._changing_bits):
                break
            marked[nodes // WORD_BITS] = True
            for _ in range(self._hops):
                heard = self._hearers.at_nodes(nodes).ravel()
                nodes = np.sort(np.append(nodes, heard[heard < self._num_nodes]))
                nodes = nodes[np.append(True, nodes[1:] != nodes[:-1])[: len(nodes)]]
                marked[nodes // WORD_BITS] = True
            wider = np.flatnonzero(marked)
            if rounds and len(wider) > first + first // 2 + SLACK:
                break
            if not rounds:
                first = len(wider)
            window, rounds, ones = wider, rounds + 1, after
        return window, rounds, ones

    def _pattern(self, ones: frozenset[int]) -> Array:
        pattern = [FULL if bit in ones else 0 for bit in self._changing_bits]
        return jnp.asarray(np.array(pattern, np.uint32))

    @property
    def rows(self) -> Rows:
        """All rows that may be 1, up to date at every node."""
        pattern = self._pattern(self._ones)[:, None]
        up_to_date = (self._changing & ~self._waiting[None]) | (pattern & self._waiting[None])
        found = dict(zip(self._changing_bits, up_to_date, strict=True))
        return found | dict(zip(self._fixed_bits, self._fixed, strict=True))


def _nodes(words: Int[np.ndarray, "a"], restless: UInt32[np.ndarray, "a"]) -> Int[np.ndarray, "m"]:
    """The nodes whose bits are 1 in rows of these words, ascending."""
    some = restless != 0
    place = np.flatnonzero(np.unpackbits(restless[some].view(np.uint8), bitorder="little"))
    return words[some][place // WORD_BITS] * WORD_BITS + place % WORD_BITS


def _exchanges(packed: PackedProgram, ring: Sequence[Clock], possible: frozenset[int]) -> int:
    """In how many steps of a round messages may be sent."""
    found = 0
    for clock in ring:
        possible = packed.plan(possible, clock).possible
        found += any(bit >= packed.split for bit in possible)
    return found
