"""Between the two ways to hold states: a word for a bit of 32 nodes, a word for 32 bits of a node."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, UInt32

from ntkexec.engines.packed.rows import WORD_BITS

# Halves, quarters, ... of a word that change places, and which bits of a word are the lower ones.
_SWAPS = ((16, 0x0000FFFF), (8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555))


def transpose(words: UInt32[Array, "32 m"]) -> UInt32[Array, "32 m"]:
    """Of each column of 32 words, bit j of word i as bit i of word j.

    Source: Warren, Hacker's Delight, 2nd edition (2012), section 7-3.
    """
    for distance, lower in _SWAPS:
        pairs = words.reshape(-1, 2, distance, words.shape[-1])
        first, second = pairs[:, 0], pairs[:, 1]
        swapped = ((first >> distance) ^ second) & jnp.uint32(lower)
        pairs = jnp.stack([first ^ (swapped << distance), second ^ swapped], axis=1)
        words = pairs.reshape(WORD_BITS, -1)
    return words


def by_node(rows: UInt32[Array, "k m"]) -> UInt32[Array, "s 32 m"]:
    """Bit 32 i + j of the node at place p of column w as bit j of word [i, p, w]."""
    fill = -len(rows) % WORD_BITS
    blocks = jnp.pad(rows, ((0, fill), (0, 0))).reshape(-1, WORD_BITS, rows.shape[1])
    return jnp.stack([transpose(block) for block in blocks])


def by_bit(nodes: UInt32[Array, "s 32 m"]) -> UInt32[Array, "k m"]:
    """The way back: 32 s rows."""
    return jnp.concatenate([transpose(block) for block in nodes])


def all_by_node(rows: UInt32[Array, "k w"]) -> UInt32[Array, "s v"]:
    """Rows of a whole graph as words of its nodes, in order."""
    return by_node(rows).swapaxes(1, 2).reshape(-1, WORD_BITS * rows.shape[1])


def all_by_bit(nodes: UInt32[Array, "s v"]) -> UInt32[Array, "k w"]:
    """The way back."""
    words = nodes.reshape(len(nodes), -1, WORD_BITS).swapaxes(1, 2)
    return by_bit(words)


def chosen(
    values: Int32[Array, "v"], flags: UInt32[Array, "m"], size: int, fill: int
) -> tuple[Int32[Array, "c"], Int32[Array, ""]]:
    """The values whose flags are set, together, and how many there are.

    Args:
        values: place p of column w at 32 columns of m one after the other.
        flags: bit p of word w.
        size: so many are kept.
        fill: what fills up the rest.
    """
    # A scatter is written down. Fused into what follows, the flags would be calculated anew at each
    # of the 32 places (half of a round), which XLA's barrier does not prevent on a CPU.
    columns = jnp.arange(len(flags), dtype=jnp.int32)
    flags = jnp.zeros_like(flags).at[columns].set(flags, mode="promise_in_bounds")
    lanes = jnp.arange(WORD_BITS, dtype=jnp.uint32)[:, None]
    sizes = population(flags)
    before = jnp.cumsum(sizes) - sizes
    rank = before[None] + population(flags[None] & ((jnp.uint32(1) << lanes) - 1))
    target = jnp.where((flags[None] >> lanes) & 1 == 1, rank, size)
    kept = jnp.full(size, fill, jnp.int32).at[target.ravel()].set(values, mode="drop")
    return kept, sizes.sum(dtype=jnp.int32)


def flags_of(truths: Array) -> UInt32[Array, "m"]:
    """Truth values, 32 columns of m one after the other, as bit p of word w."""
    lanes = truths.reshape(WORD_BITS, -1).astype(jnp.uint32)
    shifted = [lane << place for place, lane in enumerate(lanes)]
    return functools.reduce(jnp.bitwise_or, shifted)


def population(words: UInt32[Array, "..."]) -> Int32[Array, "..."]:
    """Ones in each word."""
    return jax.lax.population_count(words).astype(jnp.int32)
