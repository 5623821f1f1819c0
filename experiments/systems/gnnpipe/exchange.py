"""Rows of remote neighbours from part to part, in rounds: each part sends to the one so many further."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from experiments.systems.gnnpipe.layouts import Round, Wiring
from experiments.systems.gnnpipe.spreading import Axes

PART = "part"
Pairs = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
"""Of each round the rows that a part sends, and who sends to whom."""


def pairs_of(rounds: tuple[Round, ...], parts: int, axes: Axes) -> Pairs:
    """The rounds as collectives take them: who has nothing for another does not send."""
    if isinstance(axes, jax.sharding.Mesh):
        return tuple((each.rows, each.pairs) for each in rounds)
    # A mapped axis knows whole permutations only; where nothing is to be had, nothing is read.
    return tuple(
        (each.rows, tuple((one, (one + each.shift) % parts) for one in range(parts)))
        for each in rounds
    )


def exchanged(buffer: Array, row: Array, edges: Wiring, pairs: Pairs) -> Array:
    """The buffer with what other parts have made of this chunk and this part's vertices read.

    Args:
        buffer: (R, H) of this part.
        row: (C, H) what this part has made of the chunk.
        edges: of this part and chunk.
        pairs: of `pairs_of`; without any, the buffer as it is.
    """
    if not pairs:
        return buffer
    found, at = [], 0
    for rows, round_pairs in pairs:
        found.append(jax.lax.ppermute(row[edges.sends[at : at + rows]], PART, round_pairs))
        at += rows
    moved = jnp.concatenate(found)
    return buffer.at[edges.places].set(moved, mode="drop", unique_indices=True)
