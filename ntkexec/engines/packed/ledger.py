"""What a comparison knows of a search by itself: every state, and who may be left out of a round.

A search (`search`) carries out the nodes of a list. A ledger holds the states of all nodes a second
time and follows the list, without relying on how it came about:

*At the nodes of the list* every bit of every step is compared with the program, every template on the
node's state, clock and all. What they hear is fetched from whom they hear; the search brings it to
those that hear.

*The others* are right as they are if each rests or waits and none hears anything. A node rests once a
whole round without messages, compared as above, left it as it is: the same round leaves it so for
ever. A node waits while its state is the pattern, compared bit by bit whenever it enters that state;
what the program makes of the pattern is compared apart (`silence`). Both are counted: nodes that
neither rest nor wait must be as many in the list as there are, and what nodes send must arrive in
the list as often as those nodes are heard. Nodes of a list differ, so equal numbers are equal sets.

Between rounds nothing but the nodes of the list may change, so both copies of the states must agree
wherever the search reads, and everywhere at the end.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32, UInt32

from ntkexec.engines.packed.crossing import flags_of, population
from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.neighbours import Rows
from ntkexec.engines.packed.plan import Clock
from ntkexec.engines.packed.rows import WORD_BITS
from ntkexec.engines.packed.sheets import (
    Move,
    Sheets,
    Where,
    differing,
    in_parts,
    placed,
    union,
)
from ntkexec.engines.packed.writing import written
from ntkexec.program.program import Program

# Of a list, each of which is passed over if it is empty; lists are multiples of 32.
PARTS = 4


class Heard(NamedTuple):
    """Who hears whom, from the side of those that hear.

    table: whom every node hears.
    audience: at how many ports each node is heard; 0 at the silent place.
    """

    table: Indices
    audience: Int32[Array, "v"]


class Ledger(NamedTuple):
    """What was compared so far.

    held: as in `Search`.
    restless: how many nodes neither wait nor rest.
    differences: nodes at which some bit of some step differs, round by round.
    left_out: nodes that had to take part in a round and did not, or hearers of messages, likewise.
    rounds: compared.
    first: the first round in which something was wrong, or -1.
    node: at which something was wrong last, or -1.
    """

    held: UInt32[Array, "s v"]
    restless: Int[Array, ""]
    differences: Int[Array, ""]
    left_out: Int[Array, ""]
    rounds: Int[Array, ""]
    first: Int[Array, ""]
    node: Int[Array, ""]


class Said(NamedTuple):
    """What nodes say in a step, and to whom that belongs.

    words: by node its messages, 0 at all that say nothing.
    place: where a node stood in the last list that it was in; anything for others.
    nodes: the list of those that may have said something.
    """

    words: UInt32[Array, "t v"]
    place: Int32[Array, "v"]
    nodes: Int32[Array, "a"]


class Round(NamedTuple):
    """What a search says that it did.

    awake: the nodes of its list.
    read: their words as it read them.
    wrote: and as it wrote them.
    begun: the rows that it began with.
    steps: what each step decided, and the rows after it; what a step keeps is the very same array.
    """

    awake: Int32[Array, "a"]
    read: UInt32[Array, "s a"]
    wrote: UInt32[Array, "s a"]
    begun: Rows
    steps: Sequence[tuple[Rows, Rows]]


class Known(NamedTuple):
    """What is where; static in compiled code.

    program: all of its templates are carried out.
    ring: what the clock shows, one round.
    changing: as `Shape.changing`.
    fixed: as `Shape.fixed`.
    silent: the index that stands for a free port.
    """

    program: Program
    ring: tuple[Clock, ...]
    changing: tuple[int, ...]
    fixed: tuple[int, ...]
    silent: int

    @property
    def split(self) -> int:
        """Message bits begin here."""
        return self.program.layout.num_computation_bits


def nothing_said(ledger: Ledger, size: int, known: Known) -> Said:
    """Before the first round of a call.

    Args:
        ledger: gives the number of places.
        size: of the lists.
        known: gives the number of message bits.
    """
    count = -(-(known.program.layout.num_bits - known.split) // WORD_BITS)
    width = ledger.held.shape[1]
    nobody = jnp.full(size, known.silent, jnp.int32)
    return Said(jnp.zeros((count, width), jnp.uint32), jnp.zeros(width, jnp.int32), nobody)


def compared(
    ledger: Ledger,
    said: Said,
    done: Round,
    fixed: UInt32[Array, "f v"],
    heard: Heard,
    before: UInt32[Array, "b"],
    after: UInt32[Array, "b"],
    known: Known,
) -> tuple[Ledger, Said]:
    """The ledger after one more round.

    What is written into an array of all nodes depends on what was read from it before: otherwise XLA
    would copy it.

    Args:
        ledger: before it.
        said: in the round before.
        done: what the search did.
        fixed: as in `search_on`.
        heard: the graph.
        before: the state of the waiting before the round.
        after: and after it.
        known: what is where.
    """
    apart = functools.partial(written, ledger.rounds >= 0)
    awake, size = done.awake, len(done.awake)
    there = (awake >= 0) & (awake < known.silent)
    turn = jnp.arange(size, dtype=jnp.int32)
    place = said.place.at[awake].set(turn, mode="drop")
    once = there & (place.at[awake].get(mode="clip") == turn)
    held = ledger.held.at[:, awake].get(mode="clip")
    constant = fixed.at[:, awake].get(mode="clip")
    valid = apart(flags_of, there)
    own = apart(functools.partial(rows_of, count=len(known.changing) + 2), held)
    kept = apart(functools.partial(rows_of, count=len(known.fixed)), constant)
    wait, rest = own[-2], own[-1]
    old = (own[:-2] & ~wait[None]) | (before[:, None] & wait[None])
    times = heard.audience.at[awake].get(mode="clip")

    sheets = Sheets((old, kept), placed(0, known.changing) | placed(1, known.fixed))
    theirs = {
        index: jnp.stack([done.begun[bit] for bit in bits])
        for index, bits in enumerate((known.changing, known.fixed))
    }
    words = said.words.at[:, said.nodes].set(jnp.uint32(0), mode="drop")
    missed, spoke = jnp.zeros((), jnp.int32), jnp.zeros_like(valid)
    read, moves = done.begun, list[Move]()
    for index, (decided, exchanged) in enumerate(done.steps):
        begun, sheets = sheets.where, sheets.after(decided, read)
        clocks = known.ring[index], known.ring[(index + 1) % len(known.ring)]
        moves.append(Move(*clocks, begun, sheets.where))
        if bits := sorted(bit for bit in decided if bit >= known.split):
            speech = apart(functools.partial(_speech, sheets.where, bits), valid, *sheets.rows)
            words = words.at[: len(speech), awake].set(speech, mode="drop")
            holds, arrived = _fetched(heard.table, awake, there, speech, words)
            got = apart(functools.partial(rows_of, count=len(bits)), holds)
            spoke |= union(got)
            theirs[len(sheets.rows)] = jnp.stack([exchanged[bit] for bit in bits])
            sheets = sheets.with_rows(bits, got)
            meant = jnp.where((speech != 0).any(axis=0), times, 0).sum(dtype=jnp.int32)
            missed += jnp.abs(meant - arrived)
        read = exchanged

    new = jnp.stack([sheets.row(bit, valid) for bit in known.changing])
    same, waits = ~union(new ^ old), ~union(new ^ after[:, None]) & valid
    rests = same & (rest | ~spoke)
    write = apart(words_of, jnp.concatenate([new, waits[None], rests[None]]))
    judge = functools.partial(_differing, known, moves, sheets.where)
    wrong = apart(judge, valid, sheets.rows, theirs)
    lost = ((held != done.read) | (write != done.wrote)).any(axis=0)
    restless = population(~(wait | rest) & valid).sum()
    faults = missed + (there & ~once).sum(dtype=jnp.int32) + jnp.abs(ledger.restless - restless)
    bad = ((words_of(wrong[None])[0] != 0) | lost) & there
    differences = bad.sum(dtype=jnp.int32)
    failed = (differences != 0) | (faults != 0)
    following = Ledger(
        held=ledger.held.at[:, awake].set(write, mode="drop"),
        restless=ledger.restless - restless + population(~(waits | rests) & valid).sum(),
        differences=_added(ledger.differences, differences),
        left_out=_added(ledger.left_out, faults),
        rounds=ledger.rounds + 1,
        first=jnp.where(failed & (ledger.first < 0), ledger.rounds, ledger.first),
        node=jnp.maximum(ledger.node, jnp.where(bad, awake, -1).max()),
    )
    return following, Said(words, place, awake)


def _differing(
    known: Known,
    moves: Sequence[Move],
    where: Where,
    valid: UInt32[Array, "m"],
    rows: tuple[UInt32[Array, "k m"], ...],
    theirs: dict[int, UInt32[Array, "k m"]],
) -> UInt32[Array, "m"]:
    """Where some bit is otherwise than it must be.

    Args:
        known: what is where.
        moves: what the steps decided.
        where: the bits stand after the round.
        valid: ones at nodes.
        rows: the arrays of the ledger.
        theirs: by array the same rows, as the search has them.
    """
    begun, ended = (
        Sheets(rows, w) for w in (placed(0, known.changing) | placed(1, known.fixed), where)
    )
    found = differing(known.program, moves, valid, rows)
    found += [
        (a ^ b) & valid for i, given in theirs.items() for a, b in zip(given, rows[i], strict=True)
    ]
    # A round leaves nothing else, and what is fixed as it was.
    bits = (where.keys() | frozenset(known.fixed)) - frozenset(known.changing)
    moved = [bit for bit in sorted(bits) if ended.where.get(bit) != begun.where.get(bit)]
    found += [(ended.row(b, valid) ^ begun.row(b, valid)) & valid for b in moved]
    return in_parts(found)


def _fetched(
    table: Indices,
    awake: Int32[Array, "a"],
    there: Bool[Array, "a"],
    speech: UInt32[Array, "t a"],
    words: UInt32[Array, "s v"],
) -> tuple[UInt32[Array, "t a"], Int[Array, ""]]:
    """What nodes say and are told, and at how many ports they are told something.

    Args:
        table: whom every node hears.
        awake: nodes.
        there: False at silent places.
        speech: what they say.
        words: what is said, by node.
    """

    def fetch(table: Indices, nodes: Array, own: Array, words: Array) -> tuple[Array, Array]:
        told = words[: len(own)].at[:, table.at_nodes(nodes)].get(mode="clip")
        return own | union(told.swapaxes(0, 1)), (told != 0).any(axis=0).sum(dtype=jnp.int32)

    # A list is seldom full, and full from its begin.
    part, holds, arrived = len(awake) // PARTS, list[Array](), jnp.zeros((), jnp.int32)
    for start in range(0, len(awake), part):
        here = slice(start, start + part)
        given = table, awake[here], speech[:, here], words
        some, ports = written(there[here].any(), fetch, *given)
        holds, arrived = [*holds, some], arrived + ports
    return jnp.concatenate(holds, axis=1), arrived


def _speech(
    where: Where, bits: Sequence[int], valid: UInt32[Array, "m"], *rows: UInt32[Array, "k m"]
) -> UInt32[Array, "t a"]:
    sheets = Sheets(rows, where)
    return words_of(jnp.stack([sheets.row(bit, valid) & valid for bit in bits]))


def rows_of(words: UInt32[Array, "s v"], count: int) -> UInt32[Array, "k m"]:
    """The first bits of nodes' words as rows, bit by bit: `crossing.by_bit` by another way.

    Args:
        words: place p of column w at 32 columns of m one after the other.
        count: so many bits.
    """
    lanes = words.reshape(len(words), WORD_BITS, -1)
    found = []
    for start in range(0, count, WORD_BITS):
        bits = jnp.arange(min(WORD_BITS, count - start), dtype=jnp.uint32)[:, None]
        word = lanes[start // WORD_BITS]
        found.append(
            union([((word[p][None] >> bits) & 1) << jnp.uint32(p) for p in range(WORD_BITS)])
        )
    return jnp.concatenate(found)


def words_of(rows: UInt32[Array, "k m"]) -> UInt32[Array, "s v"]:
    """The way back, bits beyond the rows 0."""
    places = jnp.arange(WORD_BITS, dtype=jnp.uint32)[:, None]
    found = []
    for start in range(0, len(rows), WORD_BITS):
        part = rows[start : start + WORD_BITS]
        bits = [((row[None] >> places) & 1) << jnp.uint32(k) for k, row in enumerate(part)]
        found.append(union(bits).ravel())
    return jnp.stack(found)


def _added(total: Array, more: Array) -> Array:
    """Counts that stay where they are rather than come round to 0."""
    return jnp.where(total > 1 << 30, total, total + more)
