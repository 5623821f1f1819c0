"""Every template of a program on rows that lie in few arrays: for the comparison of a search.

XLA computes what it does not write down anew for whatever reads it. Here that would be every template
for every bit that it writes, and every array that is passed on its own costs as much as a small sum.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from ntkexec.engines.packed.neighbours import Rows
from ntkexec.engines.packed.plan import Clock
from ntkexec.program.program import Program

Where = dict[int, tuple[int, int]]
"""By bit of the state in which array it stands, and in which row of it; others are 0."""


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


def matches(
    program: Program,
    moves: Sequence[Move],
    like: UInt32[Array, "m"],
    *rows: UInt32[Array, "k m"],
) -> UInt32[Array, "t m"]:
    """Where every template matches before each of some steps, template by template."""
    found = list[Array]()
    for move in moves:
        sheets, clock = Sheets(rows, move.before), dict(move.clock)
        for template in program.templates:
            literals = [(_shown(sheets, clock, bit, like), on) for bit, on in template.condition]
            rows_on = [row if on else ~row for row, on in literals]
            found.append(functools.reduce(jnp.bitwise_and, rows_on, ~jnp.zeros_like(like)))
    return jnp.stack(found)


def differing(
    program: Program,
    moves: Sequence[Move],
    like: UInt32[Array, "m"],
    matched: UInt32[Array, "t m"],
    rows: tuple[UInt32[Array, "k m"], ...],
) -> UInt32[Array, "k m"]:
    """Where steps decide a bit otherwise than the templates that match, step by step and bit by bit.

    Args:
        program: all of it.
        moves: the steps.
        like: ones at nodes.
        matched: of `matches`.
        rows: the states before and after the steps.
    """
    found = list[Array]()
    for index, move in enumerate(moves):
        sheets, clock = Sheets(rows, move.after), dict(move.following)
        first = index * program.num_templates
        for bit, writers in enumerate(program.writers):
            written = [matched[first + t] for t in writers]
            right = functools.reduce(jnp.bitwise_or, written, jnp.zeros_like(like))
            found.append((_shown(sheets, clock, bit, like) ^ right) & like)
    return jnp.stack(found)


def union(rows: Sequence[Array] | Array) -> Array:
    """The union of at least one row."""
    return functools.reduce(jnp.bitwise_or, list(rows))


# Any: whatever the function takes and returns.
def written(always: Array, function: Callable[..., Any], *given: Any) -> Any:
    """The function's result, written down.

    Args:
        always: true, but XLA must not know it.
        function: of the given arrays.
        given: the arrays.
    """
    shapes = jax.eval_shape(function, *given)
    return jax.lax.cond(
        always,
        function,
        lambda *_: jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes),
        *given,
    )


def _shown(sheets: Sheets, clock: dict[int, bool], bit: int, like: Array) -> Array:
    if bit in clock:
        return ~jnp.zeros_like(like) if clock[bit] else jnp.zeros_like(like)
    return sheets.row(bit, like)
