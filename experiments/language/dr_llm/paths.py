"""Paths through a decoder's blocks as how often each runs: many at once in one program, or all of them.

Skipping and repeating keep blocks in order, so a path is a row of counts. All rows of a batch are at the
same block at the same time and share its weights; a block is called as often as the row that wants it most.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.transformer.decoder import (
    Params,
    Shape,
    block_of,
    keys_and_values,
    logits,
    refuse_misfits,
)
from experiments.kits.transformer.tasks import Examples
from experiments.language.dr_llm.misfits import refuse_other_counts
from ntkexec.errors import ExperimentError

Counts = tuple[int, ...]
"""How often each block runs: 0 skips it, 2 repeats it."""


def blocks_of(counts: Sequence[int]) -> list[int]:
    """The path as `decoder.run` takes it: blocks in the order in which they run.

    Raises:
        ExperimentError: names a count that is no whole number from 0.
    """
    refuse_other_counts([counts], 1, len(counts))
    return [block for block, times in enumerate(counts) for _ in range(times)]


def run_path(
    params: Params, shape: Shape, tokens: Int[ArrayLike, "B T"], counts: Int[ArrayLike, "B L"]
) -> Float[Array, "B T D"]:
    """States after the last block, every text along a path of its own.

    Args:
        params, shape: of the decoder.
        tokens: of the texts.
        counts: how often each block runs on each text.

    Raises:
        ExperimentError: see `refuse_other_counts` and `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, tokens, None, None)
    refuse_other_counts(counts, np.shape(tokens)[0], shape.blocks)
    hidden, apply = begun(params, shape, jnp.asarray(tokens))

    def step(hidden: Array, parts: Any) -> tuple[Array, None]:
        block, times = parts
        return repeated(apply, block, hidden, times), None

    given = jnp.asarray(counts, jnp.int32).T
    return jax.lax.scan(step, hidden, (params["blocks"], given))[0]


def begun(params: Params, shape: Shape, tokens: Int[Array, "B T"]) -> tuple[Array, Any]:
    """States before the first block, and what a block makes of such: `apply(block, hidden)`."""
    place = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    sees = place[:, :, None] >= place[:, None, :]

    def apply(block: Params, hidden: Array) -> Array:
        copies = hidden.shape[0] // place.shape[0]
        at, seen = jnp.tile(place, (copies, 1)), jnp.tile(sees, (copies, 1, 1))
        keys, values = keys_and_values(block, shape, hidden, at, None)
        return block_of(block, shape, hidden, at, keys, values, seen, None)

    return params["embedding"][tokens], apply


def repeated(
    apply: Any, block: Params, hidden: Float[Array, "B T D"], times: Int[Array, "B"]
) -> Float[Array, "B T D"]:
    """A block on every row as often as the row says, and not once more than the row that wants most."""

    def again(turn: Any, hidden: Array) -> Array:
        return jnp.where((turn < times)[:, None, None], apply(block, hidden), hidden)

    found: Array = jax.lax.fori_loop(0, times.max(), again, hidden)
    return found


@functools.partial(jax.jit, static_argnames="shape")
def _likeliest(params: Params, shape: Shape, tokens: Array, counts: Array) -> Array:
    return logits(params, shape, run_path(params, shape, tokens, counts)).argmax(-1)


def right_along(
    params: Params, shape: Shape, examples: Examples, counts: Int[ArrayLike, "N L"]
) -> Bool[np.ndarray, "N"]:
    """Which examples are answered right along paths of their own; see `tiny.answered`.

    Raises:
        ExperimentError: see `refuse_other_counts` and `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, examples.tokens, None, None)
    refuse_other_counts(counts, len(examples), shape.blocks)
    found = _likeliest(params, shape, examples.tokens, np.asarray(counts, np.int32))
    return _right(np.asarray(found), examples)


def _right(likeliest: Int[np.ndarray, "... N T"], examples: Examples) -> Bool[np.ndarray, "... N"]:
    shape = (1,) * (likeliest.ndim - 2)
    tokens, counted = (
        part.reshape(*shape, *part.shape) for part in (examples.tokens, examples.counted)
    )
    wrong = (likeliest[..., :-1] != tokens[..., 1:]) & counted[..., 1:]
    return ~wrong.any(-1)


def all_counts(blocks: int, most: int = 2) -> Int[np.ndarray, "P L"]:
    """Every path on which no block runs more than `most` times, the last block's count fastest."""
    return np.array(list(itertools.product(range(most + 1), repeat=blocks)), np.int32)


def answers_of_all(
    params: Params, shape: Shape, examples: Examples, *, most: int = 2, block: int = 50
) -> Bool[np.ndarray, "N P"]:
    """Which examples are right along which of `all_counts`: (most + 1) ** L paths, their beginnings shared.

    Args:
        params, shape: of a decoder of few blocks: states of all paths are held at once.
        examples: prompts with answers.
        most: times that a block may run.
        block: examples at a time; one program is compiled for it.

    Raises:
        ExperimentError: more than 10,000 paths, no example, a block of none; and see
            `decoder.refuse_misfits`.
    """
    if most < 0 or block < 1 or not len(examples):
        raise ExperimentError(
            f"{len(examples)} examples, {block} at a time, along paths whose blocks run at most {most} "
            "times: at least 1, 1 and 0 are needed"
        )
    if (most + 1) ** shape.blocks > 10_000:
        raise ExperimentError(f"{most + 1} ** {shape.blocks} paths are too many to take them all")
    refuse_misfits(params, shape, examples.tokens, None, None)
    parts = []
    for start in range(0, len(examples), block):
        # The last block is filled up with its own last example.
        rows = np.minimum(np.arange(start, start + block), len(examples) - 1)
        part = examples.part(rows)
        found = np.asarray(_all_likeliest(params, shape, part.tokens, most))
        parts.append(_right(found, part).T)
    return np.concatenate(parts)[: len(examples)]


@functools.partial(jax.jit, static_argnames=("shape", "most"))
def _all_likeliest(params: Params, shape: Shape, tokens: Array, most: int) -> Array:
    hidden, apply = begun(params, shape, jnp.asarray(tokens))
    rows = tokens.shape[0]
    for number in range(shape.blocks):
        own = jax.tree.map(lambda leaf, number=number: leaf[number], params["blocks"])
        after = [hidden]
        for _ in range(most):
            after.append(apply(own, after[-1]))
        # Paths first, texts within them: the newest block's count changes fastest among paths.
        stacked = jnp.stack([one.reshape(-1, rows, *one.shape[1:]) for one in after], 1)
        hidden = stacked.reshape(-1, *hidden.shape[1:])
    found = logits(params, shape, hidden).argmax(-1)
    return found.reshape(-1, rows, found.shape[-1])
