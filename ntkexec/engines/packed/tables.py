"""The neighbours of a graph as tables in NumPy, before they are compressed or divided."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32, Int64, UInt32

from ntkexec.engines.packed.plan import OwnSlots
from ntkexec.engines.packed.rows import WORD_BITS, num_words, pack_row, unpack
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.graphs.port_tables import by_port


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
    width = num_words(num_nodes) * WORD_BITS
    counts = np.bincount(receivers, minlength=width)
    # Edges stand in the order of nodes and their ports.
    return by_port(senders.astype(np.int32, copy=False), counts, int(counts.max()), num_nodes)


def hearers(
    senders: Int[np.ndarray, "e"], receivers: Int[np.ndarray, "e"], num_nodes: int
) -> Int32[np.ndarray, "d n"] | None:
    """As `neighbour_table`, by node those that hear it; None where every edge goes both ways."""
    # As one key: sorting it is many times faster than sorting pairs.
    there, back = (
        _ascending(one.astype(np.int64) * num_nodes + other)
        for one, other in ((receivers, senders), (senders, receivers))
    )
    if np.array_equal(there, back):
        return None
    return neighbour_table(back % num_nodes, back // num_nodes, num_nodes)


def _ascending(keys: Int64[np.ndarray, "e"]) -> Int64[np.ndarray, "e"]:
    """Sorted; edges mostly are already, by whom they reach."""
    return keys if (keys[1:] >= keys[:-1]).all() else np.sort(keys)


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
    kind = np.min_scalar_type(num_guards)
    own = (guards + 1).astype(kind)
    held, rows = np.append(own, kind.type(0)), table[:, :num_nodes]
    heard = [held.take(row) for row in rows]
    for first in range(1, num_guards + 1, WORD_BITS):
        # By guard a bit, of those that fit into a word; 0 for the others and for none.
        bits = np.zeros(num_guards + 1, np.uint32)
        some = np.arange(first, min(first + WORD_BITS, num_guards + 1))
        bits[some] = np.uint32(1) << (some - first).astype(np.uint32)
        taken = np.zeros(num_nodes, np.uint32)
        told = bits.take(held)
        for said in (told[:num_nodes], *(told.take(row) for row in rows)):
            if (taken & said).any():
                return None
            taken |= said
    digits = num_guards.bit_length()
    masks = np.zeros((len(table), digits, num_words(num_nodes)), np.uint32)
    for port, row in enumerate(heard):
        for digit in range(digits):
            masks[port, digit] = pack_row((row >> digit & 1).astype(bool))
    return masks


def bits_of_slots(
    slots: UInt32[np.ndarray, "d g w"], rows: UInt32[np.ndarray, "k w"], constants: frozenset[int]
) -> tuple[tuple[int, ...], ...] | None:
    """`Neighbours.slot_bits`, or None if some row is none of the state's.

    Args:
        slots: of `slot_masks`.
        rows: the states before the first step.
        constants: bits of the state that no step changes.
    """
    known = {rows[bit].tobytes(): bit for bit in sorted(constants, reverse=True)}
    known[np.zeros_like(rows[0]).tobytes()] = -1
    found = tuple(tuple(known.get(row.tobytes(), -2) for row in port) for port in slots)
    return None if any(-2 in port for port in found) else found


def tables_of(
    own: OwnSlots | None, graphs: GraphsTuple, rows: UInt32[np.ndarray, "k w"], num_nodes: int
) -> Tables:
    """The tables of a graph.

    Args:
        own: which bits nodes write in their own slots only, if any.
        graphs: the graph.
        rows: the states before the first step.
        num_nodes: n.
    """
    table = neighbour_table(np.asarray(graphs.senders), np.asarray(graphs.receivers), num_nodes)
    slots = None
    if own is not None and (guards := _guards(own, rows, num_nodes)) is not None:
        slots = slot_masks(table, guards, len(own.guards), num_nodes)
    return Tables(
        table=by_word(table),
        slots=slots,
        valid=pack_row(np.ones(num_nodes, bool)),
    )


def _guards(own: OwnSlots, rows: UInt32[np.ndarray, "k w"], num_nodes: int) -> np.ndarray | None:
    """Which guard every node fulfils, -1 for none; None if some node fulfils several."""
    seen, valid = np.zeros_like(rows[0]), pack_row(np.ones(num_nodes, bool))
    # One more than the guard, in binary: a few rows to unpack, however many guards there are.
    digits = np.zeros((len(own.guards).bit_length(), len(valid)), np.uint32)
    for index, guard in enumerate(own.guards):
        literals = [rows[bit] if value else ~rows[bit] for bit, value in guard]
        fulfilled = np.bitwise_and.reduce([valid, *literals])
        if (seen & fulfilled).any():
            return None
        seen |= fulfilled
        for place in range(len(digits)):
            if (index + 1) >> place & 1:
                digits[place] |= fulfilled
    found = np.full(num_nodes, -1, np.int32)
    for place, bits in enumerate(unpack(digits, num_nodes).T):
        found += bits.astype(np.int32) << place
    return found
