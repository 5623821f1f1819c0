"""One layer: two steps of GraphSAGE beside attention over the selected nodes, joined at every node."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from experiments.graphs.tangnn.selection import Mode, Selection, TopM
from experiments.kits.graph import operators
from experiments.kits.graph.features import Dense, Dropout, Features, SparseFeatures
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.graph_sets.batches import DenseBatch
from ntkexec.errors import ExperimentError

Select = Literal["inputs", "neighbourhood"]
Graphs = GraphsTuple | DenseBatch
"""One graph whose features may be sparse, or many small ones."""


def sampled(graph: Graphs, most: int, key: Array) -> Graphs:
    """The graph with at most so many arriving edges at each node, drawn without replacement."""
    if isinstance(graph, DenseBatch):
        there = jnp.asarray(graph.adjacency) > 0
        draws = jnp.where(there, jax.random.uniform(key, there.shape), 2.0)
        place = jnp.argsort(jnp.argsort(draws, -1), -1)
        return graph._replace(adjacency=graph.adjacency * (place < most))
    receivers = jnp.asarray(graph.receivers)
    order = jnp.lexsort((jax.random.uniform(key, receivers.shape), receivers))
    place = jnp.arange(len(receivers)) - jnp.searchsorted(receivers, receivers)
    kept = jnp.zeros(len(receivers)).at[order].set((place < most).astype(jnp.float32))
    return graph._replace(edges=kept if graph.edges is None else kept * graph.edges)


def neighbour_mean(graph: Graphs, x: Float[Array, "*b n h"]) -> Float[Array, "*b n h"]:
    """Each node's mean over the nodes that send to it, by weight; zeros where none does."""
    ones = jnp.ones((*x.shape[:-1], 1), x.dtype)
    if isinstance(graph, DenseBatch):
        adjacency = jnp.asarray(graph.adjacency, x.dtype)
        total, sums = adjacency @ ones, adjacency @ x
    else:
        total, sums = operators.propagate(graph, ones), operators.propagate(graph, x)
    return sums / jnp.where(total > 0, total, 1)


def linear(
    x: Features, features: int, name: str, *, use_bias: bool = True
) -> Float[Array, "*b n h"]:
    """A dense layer of the module in which this is called: for sparse features, or for many graphs."""
    kind = Dense if isinstance(x, SparseFeatures) else nn.Dense
    found: Array = kind(features, use_bias=use_bias, name=name)(x)
    return found


class SAGEStep(nn.Module):
    """Linear of a node plus linear of its neighbours' mean.

    Args:
        features: of the result.
    """

    features: int

    @nn.compact
    def __call__(self, x: Features, graph: Graphs) -> Float[Array, "*b n h"]:
        around = linear(x, self.features, "around", use_bias=False)
        return linear(x, self.features, "own") + neighbour_mean(graph, around)


class Neighbourhood(nn.Module):
    """Two SAGE steps, ReLU and dropout between.

    Args:
        hidden: width.
        dropout: rate.
        last: whether a ReLU ends it.
    """

    hidden: int
    dropout: float | Array = 0.3
    last: bool = True

    @nn.compact
    def __call__(self, x: Features, graph: Graphs, train: bool = False) -> Float[Array, "*b n h"]:
        x = nn.relu(SAGEStep(self.hidden, name="first")(x, graph))
        x = Dropout(self.dropout)(x, train=train)
        x = SAGEStep(self.hidden, name="second")(x, graph)
        return nn.relu(x) if self.last else x


class AttentionBlock(nn.Module):
    """Attention of some rows to others, and a network of each row; sums are normalised after.

    Args:
        hidden: width of both.
        heads: which divide it.

    Raises:
        ExperimentError: they do not.
    """

    hidden: int
    heads: int = 1

    @nn.compact
    def __call__(
        self,
        queries: Float[Array, "*b q h"],
        keys: Float[Array, "*b m h"],
        chosen: Bool[Array, "*b m"],
    ) -> Float[Array, "*b q h"]:
        if self.heads < 1 or self.hidden % self.heads:
            raise ExperimentError(f"{self.heads} heads do not divide a width of {self.hidden}")

        def split(rows: Array, name: str) -> Array:
            rows = linear(rows, self.hidden, name)
            return rows.reshape(*rows.shape[:-1], self.heads, -1)

        query, key = split(queries, "query"), split(keys, "key")
        scores = jnp.einsum("...qhd,...mhd->...hqm", query, key) / np.sqrt(query.shape[-1])
        there = chosen[..., None, None, :]
        scores = jnp.where(there, scores, jnp.finfo(scores.dtype).min)
        shares = jax.nn.softmax(scores, -1) * there
        self.sow("intermediates", "attention", shares.mean(-3))
        mixed = jnp.einsum("...hqm,...mhd->...qhd", shares, split(keys, "value"))
        mixed = linear(mixed.reshape(queries.shape), self.hidden, "out")
        rows = nn.LayerNorm(1e-5)(queries + mixed)
        inner = nn.relu(linear(rows, 4 * self.hidden, "wide"))
        result: Array = nn.LayerNorm(1e-5)(rows + linear(inner, self.hidden, "narrow"))
        return result


class TANGNNLayer(nn.Module):
    """[neighbourhood | mean of the selected nodes' attention to each other], the latter the same for all.

    Args:
        hidden: width h of both halves.
        m, mode, gated: as for `TopM`.
        heads: of the attention.
        dropout: rate, between the steps of the neighbourhood.
        select: what is selected from, the layer's inputs or the neighbourhood's outputs.
        per_node: every node attends to the selected ones by itself, which no published variant does.
        neighbours: at most so many of each node count in training, drawn anew each time; 0 for all.
        attended: times the attended half; 0 leaves GraphSAGE. A number, as `gated` is.
        constant: times a learned vector that is added to that half.

    Source: E, Xia and Xu, arXiv:2411.15458; ejwww/TANGNN.
    """

    hidden: int = 32
    m: int = 20
    mode: Mode = "learn"
    heads: int = 1
    dropout: float | Array = 0.3
    select: Select = "inputs"
    per_node: bool = False
    neighbours: int = 0
    gated: float | Array = 1.0
    attended: float | Array = 1.0
    constant: float | Array = 0.0

    @nn.compact
    def __call__(
        self,
        x: Features,
        graph: Graphs,
        train: bool = False,
        *,
        ranks: Float[Array, "*b n"] | None = None,
    ) -> Float[Array, "*b n w"]:
        """The rows of all nodes, of width 2h.

        Args:
            x: features of this layer, of the graph's nodes.
            graph: whose own features are not read.
            train: whether dropout is applied, and neighbours are drawn.
            ranks: as for `TopM`.

        Raises:
            ExperimentError: `per_node` is asked of sparse features.
        """
        around = graph
        if train and self.neighbours:
            around = sampled(graph, self.neighbours, self.make_rng("dropout"))
        near = Neighbourhood(self.hidden, self.dropout, name="near")(x, around, train)
        source = near if self.select == "neighbourhood" else x
        if self.per_node and isinstance(source, SparseFeatures):
            raise ExperimentError("per_node needs dense features: each node asks by its own")
        top = TopM(self.m, self.mode, gated=self.gated, name="top")
        found = top(source, mask_of(graph), ranks=ranks, train=train)
        far = jnp.zeros_like(near)
        if found.indices.shape[-1]:
            rows = Selected(self.hidden, self.select, name="rows")(source, found)
            block = AttentionBlock(self.hidden, self.heads, name="attention")
            if self.per_node:
                far = block(linear(source, self.hidden, "ask"), rows, found.chosen)
            else:
                far = mean_of(block(rows, rows, found.chosen), found)
        return joined(self, near, far)


def joined(module: Any, near: Array, far: Array) -> Float[Array, "*b n w"]:
    """Both halves beside each other, in a module that says how much of the attended one is taken.

    Args:
        module: has `hidden`, `attended` and `constant`, and gets the vector that goes with the last.
        near: (..., n, h).
        far: (..., n, h) or (..., 1, h).
    """
    own = module.param("constant", nn.initializers.zeros, (module.hidden,), jnp.float32)
    own = jnp.broadcast_to(own, far.shape)
    far = jnp.broadcast_to(module.attended * far + module.constant * own, near.shape)
    return jnp.concatenate([near, far.astype(near.dtype)], -1)


def mean_of(rows: Float[Array, "*b m h"], found: Selection) -> Float[Array, "*b 1 h"]:
    """The mean over the rows of selected nodes that there are."""
    there = found.chosen[..., None]
    return (rows * there).sum(-2, keepdims=True) / jnp.maximum(there.sum(-2, keepdims=True), 1)


class Selected(nn.Module):
    """The rows of the selected nodes times their gates, at the width of the attention.

    Args:
        hidden: that width.
        select: rows of a neighbourhood have it already; others are led there linearly, without a bias.
    """

    hidden: int
    select: Select = "inputs"

    @nn.compact
    def __call__(self, source: Features, found: Selection) -> Float[Array, "*b m h"]:
        dense: Array
        if isinstance(source, SparseFeatures):
            # The product first, which reads what is not zero; the same by linearity.
            dense = linear(source, self.hidden, "embed", use_bias=False)[found.indices]
        else:
            dense = jnp.take_along_axis(source, found.indices[..., None], -2)
            if self.select != "neighbourhood":
                dense = linear(dense, self.hidden, "embed", use_bias=False)
        return dense * found.gates[..., None].astype(dense.dtype)


def mask_of(graph: Graphs) -> Bool[Array, "B n"] | None:
    """Which nodes there are, where that is not all."""
    return graph.mask if isinstance(graph, DenseBatch) else None
