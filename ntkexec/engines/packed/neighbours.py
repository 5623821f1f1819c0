"""Message exchange on packed rows: every node gathers single bits from a table of its neighbours."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, UInt32

from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.plan import OwnSlots
from ntkexec.engines.packed.rows import WORD_BITS

Rows = dict[int, Any]
"""Packed rows by bit of the state, in JAX or NumPy; a bit that is not there is 0 at all nodes."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Neighbours:
    """Whom every node hears, by port.

    table: index of the node at a port, or of a silent place; (ports, words, 32).
    slots: the guard that the neighbour at a port holds, counted from 1, or 0 for none, in binary:
        by port and digit, the lowest first, at which nodes it is 1; (ports, digits, words), or None
        if nodes may write into any slot, or `slot_bits` says it.
    valid: ones at nodes, zeros at places that are none; (words,).
    halo: makes audible what `table` points to, where that is more than the row; or None.
    slot_bits: by port and digit the bit of the state that is the row of `slots`, where a program that
        keeps its neighbours' slots has them all; -1 for a row of zeros.
    """

    table: Indices
    slots: UInt32[Array, "d g w"] | None
    valid: UInt32[Array, "w"]
    halo: "Hears | None" = None
    slot_bits: tuple[tuple[int, ...], ...] | None = dataclasses.field(
        default=None, metadata={"static": True}
    )

    @property
    def own_slots(self) -> bool:
        """Whether nodes write in their own slots only, and receivers know these."""
        return self.slots is not None or self.slot_bits is not None

    def digits(self, rows: Rows) -> Sequence[Sequence[UInt32[Array, "w"]]]:
        """`slots`, wherever it stands.

        Args:
            rows: the states.
        """
        if self.slot_bits is None:
            return [] if self.slots is None else self.slots  # type: ignore[return-value]
        nothing = jnp.zeros_like(self.valid)
        return [[rows.get(bit, nothing) for bit in port] for port in self.slot_bits]

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

    def exchange(self, own: OwnSlots | None, sent: Rows, rows: Rows) -> tuple[Rows, Array]:
        """What every node holds afterwards; see the function `exchange`."""
        return exchange(self, own, sent, rows)

    @property
    def num_bytes(self) -> int:
        """Of all arrays."""
        return sum(int(array.nbytes) for array in jax.tree.leaves(self))


class Exchanging(Protocol):
    """Some nodes, by word, and who hears whom among them."""

    @property
    def valid(self) -> UInt32[Array, "w"]: ...

    def exchange(self, own: OwnSlots | None, sent: Rows, rows: Rows) -> tuple[Rows, Array]: ...


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


def _holds(digits: Sequence[UInt32[Array, "w"]], guard: int) -> UInt32[Array, "w"]:
    """At which nodes the digits are those of a guard."""
    one_by_one = [row if (guard + 1) >> place & 1 else ~row for place, row in enumerate(digits)]
    return functools.reduce(jnp.bitwise_and, one_by_one)


def gather(row: UInt32[Array, "w"], table: Int32[Array, "d w b"]) -> UInt32[Array, "d w"]:
    """For every port the packed bits of the nodes there."""
    words = row.at[table >> 5].get(mode="promise_in_bounds")
    bits = (words >> (table & 31).astype(jnp.uint32)) & 1
    places = jnp.arange(WORD_BITS, dtype=jnp.uint32)[None, None]
    return (bits << places).sum(axis=-1, dtype=jnp.uint32)


def exchange(
    neighbours: Neighbours, own: OwnSlots | None, sent: Rows, rows: Rows
) -> tuple[Rows, Array]:
    """The message bits that every node holds afterwards: its own and its in-neighbours'.

    Args:
        neighbours: whom every node hears.
        own: which bits nodes write in their own slots only, if any.
        sent: the message bits that every node sends.
        rows: the states.

    Returns:
        The rows, and at how many nodes two contributions met.
    """
    slotted: list[dict[int, int]] = []
    if neighbours.own_slots and own is not None:
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
    if slotted:
        slots = neighbours.digits(rows)
        for written, ports in zip(slotted, heard, strict=False):
            held |= _to_own_slots(slots, written, sent, ports)
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
    slots: Sequence[Sequence[UInt32[Array, "w"]]],
    written: dict[int, int],
    sent: Rows,
    ports: UInt32[Array, "d w"],
) -> Rows:
    """One bit of the payload, in the slot of every guard: the own row and what its holders say."""
    held: Rows = {}
    for guard, bit in written.items():
        row = sent[bit]
        for port in range(len(ports)):
            row = row | (ports[port] & _holds(slots[port], guard))
        held[bit] = row
    return held
