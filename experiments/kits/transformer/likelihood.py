"""How likely a decoder finds texts, and which of several continuations it prefers."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.kits.transformer.decoder import Params, Shape, logits, refuse_misfits, run
from ntkexec.errors import ExperimentError


def log_likelihoods(
    params: Params,
    shape: Shape,
    tokens: Int[ArrayLike, "B T"],
    *,
    path: Sequence[int] | Int[ArrayLike, "P"] | None = None,
    adapters: Any = None,
) -> Float[np.ndarray, "B T-1"]:
    """Of every token but the first, given those before it; the logarithm is natural.

    Args:
        params, shape: of the decoder.
        tokens: at least two of each text; what is filled up on the right changes nothing before it.
        path, adapters: as for `decoder.run`.

    Raises:
        ExperimentError: texts of one token; and see `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, tokens, path, adapters)
    tokens = jnp.asarray(tokens)
    if tokens.ndim != 2 or tokens.shape[1] < 2:
        raise ExperimentError(f"texts need two tokens, got an array of shape {tokens.shape}")
    order = None if path is None else jnp.asarray(path, jnp.int32)
    return np.asarray(_told(params, shape, tokens, order, adapters))


@functools.partial(jax.jit, static_argnames="shape")
def _told(params: Params, shape: Shape, tokens: Array, path: Any, adapters: Any) -> Array:
    last = run(params, shape, tokens[:, :-1], path=path, adapters=adapters).last
    scores = logits(params, shape, last)
    chosen = jnp.take_along_axis(scores, tokens[:, 1:, None], -1)[..., 0]
    return chosen - jax.nn.logsumexp(scores, -1)


def perplexity(params: Params, shape: Shape, tokens: Int[ArrayLike, "T"], **options: Any) -> float:
    """exp of the mean negative log-likelihood of one text, its first token not counted."""
    found = log_likelihoods(params, shape, jnp.asarray(tokens)[None], **options)
    return float(np.exp(-found.astype(np.float64).mean()))


def choices(
    params: Params,
    shape: Shape,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    *,
    block: int = 16,
    length: int | None = None,
    **options: Any,
) -> list[np.ndarray]:
    """Log-likelihood of every continuation of every prompt, summed over its tokens.

    Args:
        params, shape: of the decoder.
        prompts: tokens of each, at least one.
        continuations: of each prompt, tokens of each, at least one.
        block: texts at a time; one program is compiled for it.
        length: to which texts are filled up; by default that of the longest.
        options: `path` and `adapters` of `decoder.run`.

    Returns:
        For each prompt an array of as many numbers as it has continuations.

    Raises:
        ExperimentError: something is empty, or longer than `length`.
    """
    texts = [
        (list(prompt), list(one))
        for prompt, several in zip(prompts, continuations, strict=True)
        for one in several
    ]
    if not texts or any(not before or not after for before, after in texts):
        raise ExperimentError("every prompt and every continuation needs a token")
    longest = max(len(before) + len(after) for before, after in texts)
    length = longest if length is None else length
    if longest > length:
        raise ExperimentError(f"a text has {longest} tokens, and {length} are room for")
    rows = np.zeros((-(-len(texts) // block) * block, length), np.int32)
    counted = np.zeros(rows.shape, bool)
    for row, (before, after) in enumerate(texts):
        rows[row, : len(before) + len(after)] = before + after
        counted[row, len(before) : len(before) + len(after)] = True
    parts = [
        log_likelihoods(params, shape, rows[start : start + block], **options)
        for start in range(0, len(rows), block)
    ]
    sums = np.where(counted[:, 1:], np.concatenate(parts), 0).sum(1)
    ends = np.cumsum([len(several) for several in continuations])
    return np.split(sums[: len(texts)], ends[:-1])
