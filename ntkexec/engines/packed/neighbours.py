"""Message exchange on packed rows: every node gathers single bits from a table of its neighbours."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int32, UInt32

from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.plan import OwnSlots
from ntkexec.engines.packed.rows import WORD_BITS, num_words, pack_row

Rows = dict[int, Any]
"""Packed rows by bit of the state, in JAX or NumPy; a bit that is not there is 0 at all nodes."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Neighbours:
    """Whom every node hears, by port.

    table: index of the node at a port, or of a silent place; (ports, words, 32).
    slots: the guard that the neighbour at a port holds, counted from 1, or 0 for none, in binary:
        by port and digit, the lowest first, at which nodes it is 1; (ports, digits, words), or None
        if nodes may write into any slot.
    valid: ones at nodes, zeros at places that are none; (words,).
    halo: makes audible what `table` points to, where that is more than the row; or None.
    """

    table: Indices
    slots: UInt32[Array, "d g w"] | None
    valid: UInt32[Array, "w"]
    halo: "Hears | None" = None

    def listen(self, rows: Sequence[UInt32[Array, "w"]]) -> list[UInt32[Array, "d w"]]:
        """For every row and port the packed bits of the nodes there."""
        audible = rows if self.halo is None else self.halo.extend(rows)
        return [self._gathered(row) for row in audible]

    def _gathered(self, audible: UInt32[Array, "v"]) -> UInt32[Array, "d w"]:
        """One row, unless nobody sends anything.

        The condition also makes XLA write the row down; fused into the gather, it would be
        calculated anew for every bit (8 times slower at a million nodes).
        """
        silence = jnp.zeros((self.table.ports, self.valid.shape[0]), audible.dtype)
        return jax.lax.cond(
            (audible != 0).any(),
            lambda row, table: gather(row, table.expand()),
            lambda *_: silence,
            audible,
            self.table,
        )

    @property
    def num_bytes(self) -> int:
        """Of all arrays."""
        return sum(int(array.nbytes) for array in jax.tree.leaves(self))


class Hears(Protocol):
    """From rows that hold some nodes to rows in which all that are heard have a place."""

    def extend(self, rows: Sequence[UInt32[Array, "w"]]) -> list[UInt32[Array, "v"]]: ...


AXIS = "nodes"
"""The axis of the device mesh; words of a row are divided among the devices."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Halo:
    """The nodes of a device that others hear.

    table: by sending and receiving device, local indices of the nodes that are heard there, filled
        up with a silent place; (devices, devices, words, 32), the first axis divided.
    """

    table: Int32[Array, "p q h b"]

    def extend(self, rows: Sequence[UInt32[Array, "w"]]) -> list[UInt32[Array, "v"]]:
        """A device's words, then what every device sent to it, then a silent word.

        All rows travel at once. One by one they would be exchanges that do not depend on each
        other, and on a CPU with more devices than cores the threads of two such exchanges wait for
        each other without end.
        """
        if not rows:
            return []
        silent = jnp.zeros(1, rows[0].dtype)
        sent = [gather(jnp.concatenate([row, silent]), self.table[0]) for row in rows]
        received = jax.lax.all_to_all(
            jnp.stack(sent, axis=1), AXIS, split_axis=0, concat_axis=0, tiled=True
        )
        return [
            jnp.concatenate([row, received[:, index].reshape(-1), silent])
            for index, row in enumerate(rows)
        ]


class Tables(NamedTuple):
    """`Neighbours` of a whole graph in NumPy, indices not yet compressed, the halo as its table."""

    table: Int32[np.ndarray, "d w b"]
    slots: UInt32[np.ndarray, "d g w"] | None
    valid: UInt32[np.ndarray, "w"]
    halo: Int32[np.ndarray, "p q h b"] | None = None


def neighbour_table(
    senders: Int[np.ndarray, "e"], receivers: Int[np.ndarray, "e"], num_nodes: int
) -> Int32[np.ndarray, "d n"]:
    """The sender at every port, in the order of the edges; `num_nodes` where a port is free.

    Args:
        senders: of each edge.
        receivers: of each edge, ascending.
        num_nodes: n; the columns are filled up to whole words.
    """
    counts = np.bincount(receivers, minlength=num_nodes)
    width = num_words(num_nodes) * WORD_BITS
    table = np.full((int(counts.max(initial=0)), width), num_nodes, np.int32)
    starts = np.cumsum(counts) - counts
    table[np.arange(len(receivers)) - np.repeat(starts, counts), receivers] = senders
    return table


def by_word(table: Int32[np.ndarray, "d n"]) -> Int32[np.ndarray, "d w b"]:
    """A table whose columns are divided into words."""
    return table.reshape(len(table), table.shape[1] // WORD_BITS, WORD_BITS)


def slot_masks(
    table: Int32[np.ndarray, "d n"], guards: np.ndarray, num_guards: int, num_nodes: int
) -> UInt32[np.ndarray, "d g w"] | None:
    """`Neighbours.slots`, or None unless no two of a closed neighbourhood share a guard.

    Args:
        table: of `neighbour_table`.
        guards: which guard every node holds, -1 for none; shape (n,).
        num_guards: how many there are.
        num_nodes: n.
    """
    heard = np.append(guards, -1)[table[:, :num_nodes]]
    taken = np.zeros((num_guards, num_nodes), bool)
    everyone = np.arange(num_nodes)
    for row in (guards, *heard):
        some = row >= 0
        if taken[row[some], everyone[some]].any():
            return None
        taken[row[some], everyone[some]] = True
    digits = np.arange(num_guards.bit_length())[:, None]
    masks = np.zeros((len(table), len(digits), num_words(num_nodes)), np.uint32)
    for port, row in enumerate(heard):
        masks[port] = pack_row((((row + 1) >> digits) & 1).astype(bool))
    return masks


def _holds(digits: UInt32[Array, "g w"], guard: int) -> UInt32[Array, "w"]:
    """At which nodes the digits are those of a guard."""
    one_by_one = [row if (guard + 1) >> place & 1 else ~row for place, row in enumerate(digits)]
    return functools.reduce(jnp.bitwise_and, one_by_one)


def gather(row: UInt32[Array, "w"], table: Int32[Array, "d w b"]) -> UInt32[Array, "d w"]:
    """For every port the packed bits of the nodes there."""
    words = row.at[table >> 5].get(mode="promise_in_bounds")
    bits = (words >> (table & 31).astype(jnp.uint32)) & 1
    places = jnp.arange(WORD_BITS, dtype=jnp.uint32)[None, None]
    return (bits << places).sum(axis=-1, dtype=jnp.uint32)


def exchange(neighbours: Neighbours, own: OwnSlots | None, sent: Rows) -> tuple[Rows, Array]:
    """The message bits that every node holds afterwards: its own and its in-neighbours'.

    Returns:
        The rows, and at how many nodes two contributions met.
    """
    slotted: list[dict[int, int]] = []
    if neighbours.slots is not None and own is not None:
        slotted = [
            written
            for place in range(own.payload)
            if (written := {g: b[place] for g, b in enumerate(own.bits) if b[place] in sent})
        ]
    in_slots = {bit for written in slotted for bit in written.values()}
    anywhere = {bit: row & neighbours.valid for bit, row in sent.items() if bit not in in_slots}
    payloads = [
        functools.reduce(jnp.bitwise_or, [sent[bit] for bit in written.values()])
        for written in slotted
    ]
    heard = neighbours.listen([*payloads, *anywhere.values()])
    held: Rows = {}
    if neighbours.slots is not None:
        for written, ports in zip(slotted, heard, strict=False):
            held |= _to_own_slots(neighbours.slots, written, sent, ports)
    if not anywhere:
        return held, jnp.zeros((), jnp.int32)
    met = jnp.zeros_like(neighbours.valid)
    for (bit, union), ports in zip(anywhere.items(), heard[len(slotted) :], strict=True):
        for contribution in ports:
            met |= union & contribution
            union |= contribution
        held[bit] = union
    return held, jax.lax.population_count(met & neighbours.valid).sum(dtype=jnp.int32)


def _to_own_slots(
    slots: UInt32[Array, "d g w"], written: dict[int, int], sent: Rows, ports: UInt32[Array, "d w"]
) -> Rows:
    """One bit of the payload, in the slot of every guard: the own row and what its holders say."""
    held: Rows = {}
    for guard, bit in written.items():
        row = sent[bit]
        for port in range(len(ports)):
            row = row | (ports[port] & _holds(slots[port], guard))
        held[bit] = row
    return held
