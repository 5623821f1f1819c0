"""Rounds of the clock at the nodes that they concern: the compiled half of `frontier`.

Restless nodes, and those that hear them, are gathered into rows of their own, 32 to a word, and a
round is `advance` on these. A node's bits lie in one word meanwhile (`crossing`), so that gathering
a node is one access, and what nodes send is added to the words of those that hear it.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32, UInt32

from ntkexec.engines.packed import crossing
from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.ledger import Heard, Known, Ledger, Round, Said, compared, nothing_said
from ntkexec.engines.packed.listeners import Listeners
from ntkexec.engines.packed.neighbours import Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram
from ntkexec.engines.packed.rows import WORD_BITS
from ntkexec.engines.packed.step import advance, update


class Shape(NamedTuple):
    """What is where in a node's words; static in compiled code.

    changing: bits of the state that may change, in their order; then whether the node waits, and
        whether it rests.
    fixed: bits that do not change; then whether there is a node.
    hops: that messages travel in a round.
    apart: as in `Listeners`.
    """

    changing: tuple[int, ...]
    fixed: tuple[int, ...]
    hops: int
    apart: bool


class Room(NamedTuple):
    """For how many nodes a search is compiled; all are multiples of 32.

    restless: restless nodes.
    awake: nodes that take part in the next round.
    senders: nodes that send in it.
    """

    restless: int
    awake: int
    senders: int

    def wanted(self, restless: Array, awake: Array, senders: Array) -> Int[Array, ""]:
        """The `restless` of a room of these proportions that so many nodes would take."""

        def scaled(count: Array, room: int) -> Array:
            shared = math.gcd(self.restless, room)
            return -(-count * (self.restless // shared) // (room // shared))

        most = jnp.maximum(scaled(awake, self.awake), scaled(senders, self.senders))
        return jnp.maximum(restless, most)


class Search(NamedTuple):
    """A search between two rounds; lists are filled up with the silent place.

    held: the words of every node that may change; those of the waiting are out of date.
    place: where a node stood in the last list that it was in; anything for others.
    restless: nodes; (c,).
    awake: the nodes of the next round; (a,).
    senders: who may send in it; (p,).
    hearers: of each of them; (d, p).
    wanted: the room that all these lists take, perhaps more than there is.
    rounds: done.
    nodes: carried out in them, one after the other.
    collisions: at how many nodes two messages met.
    num_restless: how many there are, if there was room.
    num_awake: how many there are, if there was room.
    ledger: of what was compared, if anything is.
    said: in the last round, likewise.
    """

    held: UInt32[Array, "s v"]
    place: Int32[Array, "v"]
    restless: Int32[Array, "c"]
    awake: Int32[Array, "a"]
    senders: Int32[Array, "p"]
    hearers: Int32[Array, "d p"]
    wanted: Int[Array, ""]
    rounds: Int[Array, ""]
    nodes: Int[Array, ""]
    collisions: Int[Array, ""]
    num_restless: Int[Array, ""]
    num_awake: Int[Array, ""]
    ledger: Ledger | None = None
    said: Said | None = None


def search_on(
    held: UInt32[Array, "s v"],
    place: Int32[Array, "v"],
    restless: Int32[Array, "c"],
    fixed: UInt32[Array, "f v"],
    hearers: Indices,
    patterns: UInt32[Array, "r k"],
    num_rounds: Int[Array, ""],
    ledger: Ledger | None = None,
    heard: Heard | None = None,
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
    shape: Shape,
    room: Room,
    silent: int,
) -> Search:
    """Rounds of the clock at the nodes that they concern, until there is no room for more of these.

    Args:
        held: as in `Search`.
        place: as in `Search`.
        restless: as in `Search`; all of them.
        fixed: the words of every node that do not change.
        hearers: who hears every node.
        patterns: the state of the waiting before each round and after the last, all ones or zeros for
            each changing bit.
        num_rounds: at most; outside, nobody may do anything but wait or rest meanwhile.
        ledger: what was compared so far, if every step shall be.
        heard: the graph as the ledger reads it.
        packed: the program.
        ring: what the clock shows, one round.
        shape: of the words.
        room: of the lists.
        silent: the index that stands for a free port.
    """

    known = Known(packed.program, ring, shape.changing, shape.fixed, silent)

    def awaken(
        before: Search,
        restless: Int32[Array, "c"],
        count: Array,
        senders: Int32[Array, "p"],
        speaking: Array,
    ) -> Search:
        """With the nodes that take part in the next round, if these are restless and may send."""
        nodes, place, most = restless, before.place, jnp.zeros((), jnp.int32)
        told = hearers.at_nodes(senders)
        for hop in range(max(1, shape.hops)):
            if hop < shape.hops:
                reached = told if shape.hops == 1 else hearers.at_nodes(nodes)
                nodes = jnp.concatenate([nodes, reached.ravel()])
            turn = jnp.arange(len(nodes), dtype=jnp.int32)
            place = place.at[nodes].set(turn, mode="drop")
            once = (place.at[nodes].get(mode="promise_in_bounds") == turn) & (nodes != silent)
            nodes, awake = crossing.chosen(nodes, crossing.flags_of(once), room.awake, silent)
            most = jnp.maximum(most, awake)
        return before._replace(
            place=place,
            restless=restless,
            awake=nodes,
            senders=senders if shape.hops == 1 else nodes,
            hearers=told if shape.hops == 1 else hearers.at_nodes(nodes),
            wanted=room.wanted(count, most, speaking),
            num_restless=count,
            num_awake=most,
        )

    def once(now: Search) -> Search:
        size = len(now.awake)
        place = now.place.at[now.awake].set(jnp.arange(size, dtype=jnp.int32), mode="drop")
        there = Listeners.of(
            now.num_awake,
            size,
            place,
            now.senders,
            now.hearers,
            silent=silent,
            apart=shape.apart,
        )
        before, after = patterns[now.rounds], patterns[now.rounds + 1]
        state = _gathered(now.held, fixed, now.awake, before, shape)
        done = _turn(state, there, after, packed=packed, ring=ring, shape=shape)
        words = crossing.by_node(done.rows).reshape(-1, size)
        restless, count = crossing.chosen(now.awake, done.restless, room.restless, silent)
        senders, speaking = crossing.chosen(now.awake, done.sends, room.senders, silent)
        words = words[: len(now.held)]
        ledger, said = now.ledger, now.said
        if ledger is not None and said is not None and heard is not None:
            read = now.held.at[:, now.awake].get(mode="promise_in_bounds")
            claim = Round(now.awake, read, words, done.begun, done.steps)
            ledger, said = compared(ledger, said, claim, fixed, heard, before, after, known)
        following = now._replace(
            held=_stored(now.held, now.awake, words),
            place=place,
            rounds=now.rounds + 1,
            nodes=now.nodes + now.num_awake,
            collisions=now.collisions + done.collisions,
            ledger=ledger,
            said=said,
        )
        return awaken(following, restless, count, senders, speaking)

    def goes_on(now: Search) -> Array:
        return (now.wanted <= room.restless) & (now.rounds < num_rounds)

    state = _gathered(held, fixed, restless, patterns[0], shape)
    sends = _sends(state.rows(shape), state.valid, packed=packed, ring=ring, shape=shape)
    senders, speaking = crossing.chosen(restless, sends, room.senders, silent)
    none = jnp.zeros((), jnp.int32)
    lists = (restless, restless, senders, senders[None])
    said = None if ledger is None else nothing_said(ledger, room.awake, known)
    begun = Search(held, place, *lists, none, none, none, none, none, none, ledger, said)
    count = (restless != silent).sum(dtype=jnp.int32)
    begun = awaken(begun, restless, count, senders, speaking)
    return jax.lax.while_loop(goes_on, once, begun)


def up_to_date(
    held: UInt32[Array, "s v"], pattern: UInt32[Array, "b"]
) -> tuple[UInt32[Array, "w"], ...]:
    """The rows that may change, at every node.

    Args:
        held: as in `Search`.
        pattern: the state of the waiting.
    """
    rows, size = crossing.all_by_bit(held), len(pattern)
    wait = rows[size]
    return tuple(
        (row & ~wait) | (one & wait) for row, one in zip(rows[:size], pattern, strict=True)
    )


def _stored(
    held: UInt32[Array, "s v"], nodes: Int32[Array, "a"], words: UInt32[Array, "s a"]
) -> UInt32[Array, "s v"]:
    return held.at[:, nodes].set(words, mode="drop")


class _Gathered(NamedTuple):
    """Some nodes before a round, in rows."""

    changing: UInt32[Array, "k m"]
    fixed: UInt32[Array, "f m"]
    rest: UInt32[Array, "m"]
    valid: UInt32[Array, "m"]

    def rows(self, shape: Shape) -> Rows:
        changing = dict(zip(shape.changing, self.changing, strict=True))
        return changing | dict(zip(shape.fixed, self.fixed, strict=False))


def _gathered(
    held: UInt32[Array, "s v"],
    fixed: UInt32[Array, "f v"],
    nodes: Int32[Array, "a"],
    before: UInt32[Array, "b"],
    shape: Shape,
) -> _Gathered:
    """The p-th of 32 parts of a list of nodes at place p of every word."""

    def pick(words: Array) -> Array:
        picked = words.at[:, nodes].get(mode="promise_in_bounds")
        return crossing.by_bit(picked.reshape(len(words), WORD_BITS, -1))

    changing, constant, size = pick(held), pick(fixed), len(shape.changing)
    wait = changing[size]
    old = (changing[:size] & ~wait[None]) | (before[:, None] & wait[None])
    return _Gathered(old, constant, changing[size + 1], constant[len(shape.fixed)])


class _Turn(NamedTuple):
    """What a round did: rows that may change, with who waits and rests; who does neither; who sends
    in the next one; the rows it began with; what each step decided, with the rows after it."""

    rows: UInt32[Array, "k m"]
    restless: UInt32[Array, "m"]
    sends: UInt32[Array, "m"]
    collisions: Int[Array, ""]
    begun: Rows
    steps: Sequence[tuple[Rows, Rows]]


def _turn(
    state: _Gathered,
    there: Listeners,
    after: UInt32[Array, "b"],
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
    shape: Shape,
) -> _Turn:
    """A round of the clock, on rows of their own."""
    begun, valid = state.rows(shape), state.valid
    rows = begun
    nothing = jnp.zeros_like(valid)
    spoke, collisions = nothing, jnp.zeros((), jnp.int32)
    steps = list[tuple[Rows, Rows]]()
    for clock in ring:
        done = advance(packed, rows, clock, there)
        steps.append((done.decided, done.rows))
        for bit, row in done.rows.items():
            # What is held contains what was sent.
            if bit >= packed.split:
                spoke = spoke | row
        rows, collisions = done.rows, collisions + done.collisions
    new = jnp.stack([rows.get(bit, nothing) for bit in shape.changing])
    moved = _any(new ^ state.changing)
    waits = ~_any(new ^ after[:, None]) & valid
    rests = (state.rest & ~moved) | ~(moved | spoke)
    restless = ~(waits | rests) & valid
    following = dict(zip(shape.changing, new, strict=True))
    following |= dict(zip(shape.fixed, state.fixed, strict=False))
    sends = _sends(following, restless, packed=packed, ring=ring, shape=shape)
    found = jnp.concatenate([new, waits[None], rests[None]])
    return _Turn(found, restless, sends, collisions, begun, steps)


def _sends(
    rows: Rows,
    among: UInt32[Array, "m"],
    *,
    packed: PackedProgram,
    ring: Sequence[Clock],
    shape: Shape,
) -> UInt32[Array, "m"]:
    """Who sends in the one step of a round in which anybody may; no matter in rounds of several."""
    if shape.hops != 1:
        return jnp.zeros_like(among)
    for clock in ring:
        rows = update(packed.plan(frozenset(rows), clock), rows, among)
        messages = [row for bit, row in rows.items() if bit >= packed.split]
        if messages:
            return functools.reduce(jnp.bitwise_or, messages) & among
    return jnp.zeros_like(among)


def _any(rows: UInt32[Array, "k m"]) -> UInt32[Array, "m"]:
    return functools.reduce(jnp.bitwise_or, list(rows), jnp.zeros_like(rows[0]))
