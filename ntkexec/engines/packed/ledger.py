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
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32, UInt32

from ntkexec.engines.packed.crossing import flags_of, population
from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.neighbours import Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram
from ntkexec.engines.packed.rows import WORD_BITS
from ntkexec.engines.packed.step import update


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
    wrong_bits: bits that differ, over all steps and nodes.
    left_out: nodes that had to take part in a round and did not, or hearers of messages, likewise.
    rounds: compared.
    first: the first round in which something was wrong, or -1.
    node: at which something was wrong last, or -1.
    """

    held: UInt32[Array, "s v"]
    restless: Int[Array, ""]
    wrong_bits: Int[Array, ""]
    left_out: Int[Array, ""]
    rounds: Int[Array, ""]
    first: Int[Array, ""]
    node: Int[Array, ""]


class Round(NamedTuple):
    """What a search says that it did.

    awake: the nodes of its list.
    place: where they stand in it; anything for others.
    read: their words as it read them.
    wrote: and as it wrote them.
    steps: what each step decided, and the rows after it.
    """

    awake: Int32[Array, "a"]
    place: Int32[Array, "v"]
    read: UInt32[Array, "s a"]
    wrote: UInt32[Array, "s a"]
    steps: Sequence[tuple[Rows, Rows]]


def compared(
    ledger: Ledger,
    done: Round,
    fixed: UInt32[Array, "f v"],
    heard: Heard,
    before: UInt32[Array, "b"],
    after: UInt32[Array, "b"],
    *,
    program: PackedProgram,
    ring: tuple[Clock, ...],
    changing: tuple[int, ...],
    unchanging: tuple[int, ...],
    silent: int,
) -> Ledger:
    """The ledger after one more round.

    Args:
        ledger: before it.
        done: what the search did.
        fixed: as in `search_on`.
        heard: the graph.
        before: the state of the waiting before the round.
        after: and after it.
        program: without corrections; all of its templates are carried out.
        ring: what the clock shows, one round.
        changing: as `Shape.changing`.
        unchanging: as `Shape.fixed`.
        silent: the index that stands for a free port.
    """
    awake, place, size = done.awake, done.place, len(done.awake)
    turn = jnp.arange(size, dtype=jnp.int32)
    there = (awake >= 0) & (awake < silent)
    once = there & (place.at[awake].get(mode="clip") == turn)
    apart = functools.partial(_written, ledger.rounds >= 0)
    held = ledger.held.at[:, awake].get(mode="clip")
    own = apart(lambda words: rows_of(words, len(changing) + 2), held)
    constant = apart(
        lambda words: rows_of(words, len(unchanging)), fixed.at[:, awake].get(mode="clip")
    )
    valid = apart(flags_of, there)
    wait, rest = own[-2], own[-1]
    old = (own[:-2] & ~wait[None]) | (before[:, None] & wait[None])
    begun: Rows = dict(zip(changing, old, strict=True))
    begun |= dict(zip(unchanging, constant, strict=True))
    at = _places(awake, place, heard.table.at_nodes(awake), silent)

    nothing, wrong = jnp.zeros_like(valid), list[Array]()
    rows, spoke, missed = begun, nothing, jnp.zeros((), jnp.int32)
    for index, (decided, exchanged) in enumerate(done.steps):
        clocks = ring[index], ring[(index + 1) % len(ring)]
        wrong.append(apart(functools.partial(_step, program, clocks), rows, decided, valid))
        rows = decided
        bits = sorted(bit for bit in decided if bit >= program.split)
        if bits:
            said = apart(words_of, jnp.stack([decided[bit] & valid for bit in bits]))
            told = said.at[:, at].get(mode="fill", fill_value=0)
            got = apart(functools.partial(_united, len(bits)), said, told)
            rows = decided | dict(zip(bits, got, strict=True))
            wrong.append(got ^ jnp.stack([exchanged.get(bit, nothing) for bit in bits]))
            spoke |= _union(got)
            times = heard.audience.at[awake].get(mode="clip")
            meant = jnp.where((said != 0).any(axis=0), times, 0).sum(dtype=jnp.int32)
            missed += jnp.abs(meant - (told != 0).any(axis=0).sum(dtype=jnp.int32))
    new = jnp.stack([rows.get(bit, nothing) for bit in changing])
    same = ~_union(new ^ old)
    waits, rests = ~_union(new ^ after[:, None]) & valid, same & (rest | ~spoke)
    wrote = apart(lambda words: rows_of(words, len(changing) + 2), done.wrote)
    wrong.append(jnp.concatenate([new, waits[None], rests[None]]) ^ wrote)
    # Nothing else may be left over, and what is fixed must be as it was.
    others = sorted((rows.keys() | begun.keys()) - frozenset(changing))
    wrong += [(rows.get(b, nothing) ^ begun.get(b, nothing))[None] for b in others]

    differing = apart(lambda *rows: jnp.concatenate(rows) & valid[None], *wrong)
    read = population(held ^ done.read) * there[None]
    restless = population(~(wait | rest) & valid).sum()
    faults = missed + (there & ~once).sum(dtype=jnp.int32) + jnp.abs(ledger.restless - restless)
    bits = (population(differing).sum() + read.sum()).astype(jnp.int32)
    bad = (lanes_of(apart(_union, differing)) != 0) | (read != 0).any(axis=0)
    failed = (bits != 0) | (faults != 0)
    return Ledger(
        held=ledger.held.at[:, awake].set(done.wrote, mode="drop"),
        restless=ledger.restless - restless + population(~(waits | rests) & valid).sum(),
        wrong_bits=_added(ledger.wrong_bits, bits),
        left_out=_added(ledger.left_out, faults),
        rounds=ledger.rounds + 1,
        first=jnp.where(failed & (ledger.first < 0), ledger.rounds, ledger.first),
        node=jnp.maximum(ledger.node, jnp.where(bad & there, awake, -1).max()),
    )


def _places(
    awake: Int32[Array, "a"], place: Int32[Array, "v"], ports: Int32[Array, "d a"], silent: int
) -> Int32[Array, "d a"]:
    """Where in the list nodes stand, past its end for those that do not, whatever `place` says."""
    size = len(awake)
    found = jnp.minimum(place.at[ports].get(mode="clip"), size - 1)
    return jnp.where((awake.at[found].get(mode="clip") == ports) & (ports != silent), found, size)


def _united(
    count: int, said: UInt32[Array, "s a"], told: UInt32[Array, "s d a"]
) -> UInt32[Array, "k m"]:
    """What nodes hold of what they say and what they are told."""
    return rows_of(said | _union(told.swapaxes(0, 1)), count)


def _step(
    program: PackedProgram,
    clocks: tuple[Clock, Clock],
    rows: Rows,
    decided: Rows,
    valid: UInt32[Array, "m"],
) -> UInt32[Array, "k m"]:
    """Where a step decided otherwise than all templates, bit by bit."""
    clock, following = map(dict, clocks)
    nothing = jnp.zeros_like(valid)
    every = {bit: _shown(rows, clock, bit, nothing) for bit in range(program.num_bits)}
    right = update(program.plan(frozenset(every), ()), every, valid)
    return jnp.stack(
        [
            _shown(decided, following, bit, nothing) ^ right.get(bit, nothing)
            for bit in range(program.num_bits)
        ]
    )


# Any: whatever the function takes and returns.
def _written(always: Array, function: Callable[..., Any], *given: Any) -> Any:
    """The function's result, written down: a condition, of which XLA does not know that it is true.

    Fused into what follows it would be calculated anew for whatever reads it, 32 times and more.
    """
    shapes = jax.eval_shape(function, *given)
    return jax.lax.cond(
        always,
        function,
        lambda *_: jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes),
        *given,
    )


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
            _union([((word[p][None] >> bits) & 1) << jnp.uint32(p) for p in range(WORD_BITS)])
        )
    return jnp.concatenate(found)


def words_of(rows: UInt32[Array, "k m"]) -> UInt32[Array, "s v"]:
    """The way back, bits beyond the rows 0."""
    places = jnp.arange(WORD_BITS, dtype=jnp.uint32)[:, None]
    found = []
    for start in range(0, len(rows), WORD_BITS):
        part = rows[start : start + WORD_BITS]
        bits = [((row[None] >> places) & 1) << jnp.uint32(k) for k, row in enumerate(part)]
        found.append(_union(bits).ravel())
    return jnp.stack(found)


def lanes_of(row: UInt32[Array, "m"]) -> UInt32[Array, "v"]:
    """A row as one number for each node."""
    return words_of(row[None])[0]


def _shown(rows: Rows, clock: dict[int, bool], bit: int, nothing: Array) -> Array:
    if bit in clock:
        return ~nothing if clock[bit] else nothing
    return rows.get(bit, nothing)


def _union(rows: Sequence[Array] | Array) -> Array:
    return functools.reduce(jnp.bitwise_or, list(rows))


def _added(total: Array, more: Array) -> Array:
    """Counts that stay where they are rather than come round to 0."""
    return jnp.where(total > 1 << 30, total, total + more)
