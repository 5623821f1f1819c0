"""Folds of many segments side by side, such as of the messages that arrive at a graph's nodes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from experiments.graphs.lcm.monoids import Operator


def segment_tree_fold(
    operator: Operator,
    x: Float[Array, "e d"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    identity: Float[Array, " d"] | None = None,
    longest: int | None = None,
    is_sorted: bool = False,
) -> Float[Array, "s d"]:
    """`tree_fold` of each segment's rows, as `segment_sum` sums them: all trees grow side by side.

    Only pairs are computed on: of e rows, level k has at most e / (2^k + 1) pairs under any
    segmentation, which is the fixed size of its arrays; fewer than 2 e applications in all,
    padding included, and none of arrays of segments times the largest one.

    Args:
        operator: called once a level.
        x: the rows; within a segment their order is the tree's.
        segments: of each row, below `num_segments`; traced or not.
        num_segments: s.
        identity: the value of a segment without rows; zeros if not told.
        longest: rows of the largest segment, at least, so that there are ceil(log2 longest) levels
            instead of ceil(log2 e); a segment with more becomes not a number, since what is traced
            cannot be refused.
        is_sorted: the caller's word that `segments` do not fall.
    """
    x, segments, num_rows = jnp.asarray(x), jnp.asarray(segments), x.shape[0]
    neutral = jnp.zeros(x.shape[-1], x.dtype) if identity is None else identity.astype(x.dtype)
    found = jnp.broadcast_to(neutral, (num_segments, x.shape[-1]))
    if not num_rows:
        return found
    if not is_sorted:
        order = jnp.argsort(segments, stable=True)
        x, segments = x[order], segments[order]
    positions = jnp.arange(num_rows)
    first = jnp.searchsorted(segments, segments, side="left")
    count = jnp.searchsorted(segments, segments, side="right") - first
    rank = positions - first
    stride, deepest = 1, num_rows if longest is None else min(longest, num_rows)
    while stride < deepest:
        pairs = (rank % (2 * stride) == 0) & (rank + stride < count)
        most = num_rows // (stride + 1)
        (left,) = jnp.nonzero(pairs, size=most, fill_value=num_rows)
        merged = operator(
            x.at[left].get(mode="fill", fill_value=0),
            x.at[left + stride].get(mode="fill", fill_value=0),
        )
        x = x.at[left].set(merged, mode="drop")
        stride *= 2
    x = jnp.where((count > deepest)[:, None], jnp.nan, x)
    roots = jnp.where(rank == 0, segments, num_segments)
    return found.at[roots].set(x, mode="drop")


def segment_sequential_fold(
    operator: Operator,
    x: Float[Array, "e c"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    longest: int,
    begin: Float[Array, " d"] | None = None,
    is_sorted: bool = False,
) -> Float[Array, "s d"]:
    """`sequential_fold` of each segment's rows in their order: `longest` steps on all segments.

    Args:
        operator: of a row and a state.
        x, segments, num_segments, is_sorted: as for `segment_tree_fold`.
        longest: rows of the largest segment, at least; a segment with more gives not a number, since
            what is traced cannot be refused.
        begin: the state before the first row; zeros of the rows' width if not told.
    """
    x, segments = jnp.asarray(x), jnp.asarray(segments)
    state = jnp.zeros(x.shape[-1], x.dtype) if begin is None else begin.astype(x.dtype)
    state = jnp.broadcast_to(state, (num_segments, len(state)))
    if not x.shape[0]:
        return state
    if not is_sorted:
        order = jnp.argsort(segments, stable=True)
        x, segments = x[order], segments[order]
    names = jnp.arange(num_segments)
    first = jnp.searchsorted(segments, names, side="left")
    count = jnp.searchsorted(segments, names, side="right") - first

    def step(state: Array, index: Array) -> tuple[Array, None]:
        rows = x.at[first + index].get(mode="clip")
        return jnp.where((index < count)[:, None], operator(rows, state), state), None

    state, _ = jax.lax.scan(step, state, jnp.arange(longest))
    return jnp.where((count > longest)[:, None], jnp.nan, state)
