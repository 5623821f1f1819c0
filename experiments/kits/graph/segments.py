"""jraph's graph and its sums over segments: the one module of the kits that imports it."""

from typing import TypeAlias

import jax
import jraph
from jaxtyping import Array, Float, Int

GraphsTuple: TypeAlias = jraph.GraphsTuple


def segment_sum(
    values: Float[Array, "e *c"], segments: Int[Array, " e"], num_segments: int
) -> Float[Array, "n *c"]:
    """The sum of each segment's rows; zero where it has none."""
    found: jax.Array = jraph.segment_sum(values, segments, num_segments)
    return found


def segment_mean(
    values: Float[Array, "e *c"], segments: Int[Array, " e"], num_segments: int
) -> Float[Array, "n *c"]:
    """The mean of each segment's rows; zero where it has none."""
    found: jax.Array = jraph.segment_mean(values, segments, num_segments)
    return found


def segment_max(
    values: Float[Array, "e *c"], segments: Int[Array, " e"], num_segments: int
) -> Float[Array, "n *c"]:
    """The maximum of each segment's rows; zero where it has none."""
    found: jax.Array = jraph.segment_max_or_constant(values, segments, num_segments)
    return found


def segment_softmax(
    scores: Float[Array, "e *c"], segments: Int[Array, " e"], num_segments: int
) -> Float[Array, "e *c"]:
    """The softmax within each segment, such as over the edges that arrive at a node."""
    found: jax.Array = jraph.segment_softmax(scores, segments, num_segments)
    return found
