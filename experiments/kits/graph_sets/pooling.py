"""Sums, means and maxima over the nodes of each graph, and over neighbours, of either kind of batch."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.graph.operators import propagate
from experiments.kits.graph.segments import GraphsTuple, segment_max, segment_sum
from experiments.kits.graph_sets.batches import Batch, DenseBatch
from ntkexec.errors import ExperimentError

How = Literal["sum", "mean", "max"]


def graph_of_node(batch: GraphsTuple) -> Int[Array, "N"]:
    """The place of each node's graph."""
    ends = jnp.cumsum(jnp.asarray(batch.n_node))
    return jnp.searchsorted(ends, jnp.arange(batch.nodes.shape[0]), side="right")


def node_mask(batch: Batch) -> Bool[Array, "*N"]:
    """Which nodes are real: (N,), or (B, n) of a dense batch."""
    if isinstance(batch, DenseBatch):
        return batch.mask
    number = batch.nodes.shape[0] - jnp.asarray(batch.n_node)[-1]
    return jnp.arange(batch.nodes.shape[0]) < number


def over_neighbours(batch: Batch, x: Float[Array, "*N h"]) -> Float[Array, "*N h"]:
    """Each node's sum over neighbours, times weights where edges have some."""
    if isinstance(batch, DenseBatch):
        return batch.adjacency @ x
    return propagate(batch, x)


def pooled(batch: Batch, x: Float[Array, "*N h"], how: How = "sum") -> Float[Array, "B h"]:
    """A row for each graph; the padding graph has none.

    Args:
        batch: of graphs; an empty place gets zeros.
        x: a row for each node.
        how: sum, mean or max over the graph's real nodes.

    Raises:
        ExperimentError: `how` is none of the three.
    """
    if how not in ("sum", "mean", "max"):
        raise ExperimentError(f"{how!r} is none of sum, mean, max")
    mask = node_mask(batch)[..., None]
    if isinstance(batch, DenseBatch):
        if how == "max":
            found = jnp.where(mask, x, -jnp.inf).max(1)
            return jnp.where(mask.any(1), found, 0)
        total = jnp.where(mask, x, 0).sum(1)
        return total if how == "sum" else total / jnp.maximum(mask.sum(1), 1)
    number = batch.n_node.shape[0]
    owner = graph_of_node(batch)
    if how == "max":
        return segment_max(x, owner, number)[:-1]
    total = segment_sum(jnp.where(mask, x, 0), owner, number)[:-1]
    if how == "sum":
        return total
    return total / jnp.maximum(jnp.asarray(batch.n_node)[:-1, None], 1)
