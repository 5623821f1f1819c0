"""Decoding with kept keys and values, along any path of blocks: as exact as running everything anew.

```python
import numpy as np
from experiments.kits.transformer.cache import generate
from experiments.kits.transformer.decoder import Shape, initial

shape = Shape(blocks=2, width=16, heads=2, key_heads=1, hidden=32, vocabulary=20)
params = initial(shape, np.random.default_rng(0))
print(generate(params, shape, np.array([[3, 1, 4]]), steps=5))  # (1, 5) tokens
```
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.kits.transformer.decoder import (
    Params,
    Shape,
    along,
    block_of,
    keys_and_values,
    logits,
    refuse_misfits,
)
from ntkexec.errors import ExperimentError


class Cache(NamedTuple):
    """Keys and values of the tokens that a decoder has read.

    Args:
        keys, values: of every step of the path: one that runs a block again has its own.
        length: tokens of each row that are real; what lies beyond is overwritten.
    """

    keys: Float[Array, "P B S K d"]
    values: Float[Array, "P B S K d"]
    length: Int[Array, "B"]


def empty(params: Params, shape: Shape, rows: int, size: int, *, steps: int | None = None) -> Cache:
    """A cache for `rows` texts of at most `size` tokens, along a path of `steps` blocks."""
    sides = (
        shape.blocks if steps is None else steps,
        rows,
        size,
        shape.key_heads,
        shape.head_width,
    )
    zeros = jnp.zeros(sides, params["embedding"].dtype)
    return Cache(zeros, zeros, jnp.zeros(rows, jnp.int32))


def advance(
    params: Params,
    shape: Shape,
    tokens: Int[ArrayLike, "B T"],
    cache: Cache,
    *,
    lengths: Int[ArrayLike, "B"] | None = None,
    path: Sequence[int] | Int[ArrayLike, "P"] | None = None,
    adapters: Any = None,
) -> tuple[Float[Array, "B T D"], Cache]:
    """States of further tokens, which see themselves and all that the cache holds.

    Args:
        params, shape: of the decoder.
        tokens: that follow; rows that are shorter are filled up on the right.
        cache: with room for them.
        lengths: real tokens of each row; by default all.
        path, adapters: as for `decoder.run`, and the same at every call.

    Raises:
        ExperimentError: see `decoder.refuse_misfits`; or the cache has no room, where its length is known.
    """
    refuse_misfits(params, shape, tokens, path, adapters)
    tokens = jnp.asarray(tokens)
    rows, new = tokens.shape
    size = cache.keys.shape[2]
    if not isinstance(cache.length, jax.core.Tracer) and int(cache.length.max()) + new > size:
        raise ExperimentError(
            f"the cache has room for {size} tokens, holds {int(cache.length.max())}, and {new} are to come"
        )
    place = cache.length[:, None] + jnp.arange(new)[None]
    sees = place[:, :, None] >= jnp.arange(size)[None, None]
    row = jnp.arange(rows)[:, None]

    def step(hidden: Array, parts: Any) -> tuple[Array, tuple[Array, Array]]:
        block, own, keys, values = parts
        fresh = keys_and_values(block, shape, hidden, place, own)
        keys, values = (
            kept.at[row, place].set(one, mode="drop")
            for kept, one in zip((keys, values), fresh, strict=True)
        )
        return block_of(block, shape, hidden, place, keys, values, sees, own), (keys, values)

    begun = params["embedding"][tokens]
    hidden, (keys, values) = along(
        step, begun, params["blocks"], adapters, path, cache.keys, cache.values
    )
    read = jnp.full(rows, new) if lengths is None else jnp.asarray(lengths)
    return hidden, Cache(keys, values, cache.length + read.astype(jnp.int32))


def generate(
    params: Params,
    shape: Shape,
    prompts: Int[ArrayLike, "B T"],
    *,
    steps: int,
    lengths: Int[ArrayLike, "B"] | None = None,
    stop: int | None = None,
    path: Sequence[int] | Int[ArrayLike, "P"] | None = None,
    adapters: Any = None,
) -> Int[np.ndarray, "B steps"]:
    """The most likely next token again and again.

    Args:
        params, shape: of the decoder.
        prompts: filled up on the right where they are shorter.
        steps: tokens to make.
        lengths: of the prompts, at least 1; by default all of their places.
        stop: the token after which a row repeats it.
        path, adapters: as for `decoder.run`.

    Raises:
        ExperimentError: an empty prompt, or no steps; and see `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, prompts, path, adapters)
    prompts = jnp.asarray(prompts)
    given = np.full(len(prompts), prompts.shape[1]) if lengths is None else np.asarray(lengths)
    if steps < 1 or not prompts.shape[1] or (given < 1).any() or (given > prompts.shape[1]).any():
        raise ExperimentError(
            f"cannot make {steps} tokens after prompts of {given.tolist()} of {prompts.shape[1]} tokens"
        )
    order = None if path is None else jnp.asarray(path, jnp.int32)
    return np.asarray(
        _generated(params, shape, prompts, jnp.asarray(given), steps, stop, order, adapters)
    )


@functools.partial(jax.jit, static_argnames=("shape", "steps", "stop"))
def _generated(
    params: Params,
    shape: Shape,
    prompts: Array,
    lengths: Array,
    steps: int,
    stop: int | None,
    path: Array | None,
    adapters: Any,
) -> Array:
    rows, length = prompts.shape
    room = empty(params, shape, rows, length + steps, steps=None if path is None else len(path))
    options: dict[str, Any] = {"path": path, "adapters": adapters}
    hidden, cache = advance(params, shape, prompts, room, lengths=lengths, **options)
    last = jnp.take_along_axis(hidden, (lengths - 1)[:, None, None], 1)[:, 0]
    first = logits(params, shape, last).argmax(-1)

    def step(carry: tuple[Array, Cache], _: None) -> tuple[tuple[Array, Cache], Array]:
        token, cache = carry
        hidden, cache = advance(params, shape, token[:, None], cache, **options)
        following = logits(params, shape, hidden[:, 0]).argmax(-1)
        if stop is not None:
            following = jnp.where(token == stop, stop, following)
        return (following, cache), token

    # The last token made is not read.
    (token, _), made = jax.lax.scan(step, (first, cache), None, length=steps - 1)
    return jnp.concatenate([made, token[None]]).T
