"""Every template of a program on rows that lie in few arrays: for the comparison of a search.

Rows are short here, and every array that is written down or passed on its own costs as much as some
hundred operations on it. XLA makes one loop of whatever ends in one row, and computes it anew for
each row that is asked for.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from ntkexec.engines.packed.neighbours import Rows
from ntkexec.engines.packed.plan import Clock
from ntkexec.program.program import Program

Where = dict[int, tuple[int, int]]
"""By bit of the state in which array it stands, and in which row of it; others are 0."""

# Rows that are united in one loop.
PART = 16


class Sheets(NamedTuple):
    """States as rows in some arrays.

    rows: the arrays.
    where: static in compiled code.
    """

    rows: tuple[UInt32[Array, "k m"], ...]
    where: Where

    def row(self, bit: int, like: Array) -> UInt32[Array, "m"]:
        """One bit; zeros like a row if it is nowhere."""
        if bit not in self.where:
            return jnp.zeros_like(like)
        sheet, index = self.where[bit]
        return self.rows[sheet][index]

    def with_rows(self, bits: Sequence[int], rows: UInt32[Array, "k m"]) -> "Sheets":
        """With these bits in one more array."""
        return Sheets((*self.rows, rows), self.where | placed(len(self.rows), bits))

    def after(self, decided: Rows, read: Rows) -> "Sheets":
        """What a step made of them: what it keeps stays where it is, all else is one more array.

        Args:
            decided: by the step.
            read: the rows before it; those that it keeps are the very same arrays.
        """
        kept = {b for b, row in decided.items() if b in self.where and row is read.get(b)}
        changed = sorted(decided.keys() - kept)
        left = Sheets(self.rows, {bit: self.where[bit] for bit in kept})
        return (
            left.with_rows(changed, jnp.stack([decided[b] for b in changed])) if changed else left
        )


class Move(NamedTuple):
    """A step: what the clock shows before and after it, and where the bits stand."""

    clock: Clock
    following: Clock
    before: Where
    after: Where


def placed(sheet: int, bits: Sequence[int]) -> Where:
    """Some bits in one array, in their order."""
    return {bit: (sheet, index) for index, bit in enumerate(bits)}


def differing(
    program: Program, moves: Sequence[Move], like: UInt32[Array, "m"], rows: Sequence[Array]
) -> list[UInt32[Array, "m"]]:
    """Where steps decide a bit otherwise than the templates that match, step by step and bit by bit.

    Args:
        program: all of its templates are carried out.
        moves: the steps.
        like: ones at nodes.
        rows: the arrays that the steps speak of.
    """
    nothing, found = jnp.zeros_like(like), list[Array]()
    for move in moves:
        before, after = (
            {
                bit: Sheets(tuple(rows), where).row(bit, like)
                for bit in range(program.layout.num_bits)
            }
            | {bit: ~nothing if value else nothing for bit, value in clock}
            for where, clock in ((move.before, move.clock), (move.after, move.following))
        )
        matched = [
            functools.reduce(
                jnp.bitwise_and,
                [before[b] if on else ~before[b] for b, on in t.condition],
                ~nothing,
            )
            for t in program.templates
        ]
        for bit, writers in enumerate(program.writers):
            right = functools.reduce(jnp.bitwise_or, [matched[t] for t in writers], nothing)
            found.append((after[bit] ^ right) & like)
    return found


def in_parts(rows: Sequence[UInt32[Array, "m"]]) -> UInt32[Array, "m"]:
    """The union of many rows, some in a loop: of a loop too long LLVM makes no vector operations."""
    parts = [union(rows[start : start + PART]) for start in range(0, len(rows), PART)]
    # Not `union`: XLA would see through the array to its parts, and make one loop again.
    return jax.lax.reduce(jnp.stack(parts), jnp.uint32(0), jnp.bitwise_or, (0,))


def union(rows: Sequence[Array] | Array) -> Array:
    """The union of at least one row."""
    return functools.reduce(jnp.bitwise_or, list(rows))
