"""What networks of typed graphs share: rows for every type, and attention over a path's links."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.graph.features import Dense, Dropout
from experiments.kits.graph.segments import segment_max, segment_sum
from experiments.kits.typed.device import Links, TypedArrays, arriving


class TypeEncoder(nn.Module):
    """A row of one width for each node of some types: relu(W x + b), or a table of its own.

    Args:
        features: of the rows.
        types: whose rows are wanted; the others are not read.
        dropout: of the rows.
    """

    features: int
    types: Sequence[str]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, graph: TypedArrays, train: bool = False) -> dict[str, Float[Array, "n d"]]:
        found = {}
        for kind in self.types:
            if kind in graph.nodes:
                rows = nn.relu(Dense(self.features, name=f"in_{kind}")(graph.nodes[kind]))
            else:
                rows = nn.Embed(graph.size(kind), self.features, name=f"in_{kind}").embedding
            found[kind] = Dropout(self.dropout)(rows, train=train)
        return found


def link_softmax(links: Links, scores: Float[Array, "k h"]) -> Float[Array, "k h"]:
    """Shares of a receiver's links, in proportion to weight times exp(score).

    Args:
        links: with weights that are not negative; one of weight 0 is as if it were not there.
        scores: of each link, by head.

    Returns:
        Shares that sum to 1 over a receiver's links; 0 for all where it has none.
    """
    number = links.shape[0]
    weights = jnp.asarray(links.values, scores.dtype)[:, None]
    there = weights > 0
    top = segment_max(jnp.where(there, scores, -jnp.inf), links.rows, number)
    top = jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0))
    shifted = jnp.where(there, scores - top[links.rows], 0)
    parts = jnp.where(there, weights * jnp.exp(shifted), 0)
    total = segment_sum(parts, links.rows, number)
    return parts / jnp.where(total > 0, total, 1)[links.rows]


def attended(
    links: Links, shares: Float[Array, "k h"], rows: Float[Array, "s h f"]
) -> Float[Array, "r h*f"]:
    """Each receiver's sum of share times the sender's row, head by head, heads side by side."""
    number = rows.shape[1]
    heads = side_by_side([links] * number)
    flat = rows.swapaxes(0, 1).reshape(-1, rows.shape[2])
    found = arriving(heads, flat, shares.T.reshape(-1)).reshape(number, -1, rows.shape[2])
    return found.swapaxes(0, 1).reshape(-1, number * rows.shape[2])


def side_by_side(parts: Sequence[Links]) -> Links:
    """Several paths' links as those of one block-diagonal matrix, so that one operation serves all.

    Args:
        parts: at least one; receivers and senders of each follow those of the one before.
    """
    sizes = np.array([(*of.shape, len(of.rows)) for of in parts])
    starts = np.concatenate([np.zeros((1, 3), int), np.cumsum(sizes, 0)])
    height, width, number = (int(size) for size in starts[-1])

    def joined(name: str, column: int, end: int | None = None) -> Array:
        moved = [
            jnp.asarray(getattr(of, name))[: -1 if end is not None else None] + int(start[column])
            for of, start in zip(parts, starts[:-1], strict=True)
        ]
        return jnp.concatenate(moved if end is None else [*moved, jnp.array([end], jnp.int32)])

    return Links(
        values=jnp.concatenate([jnp.asarray(of.values) for of in parts]),
        rows=joined("rows", 0),
        columns=joined("columns", 1),
        row_starts=joined("row_starts", 2, number),
        by_column=joined("by_column", 2),
        column_starts=joined("column_starts", 2, number),
        shape=(height, width),
    )


class LinkAttention(nn.Module):
    """Attention over one path's links: scores leaky(a . receiver + b . sender), by head.

    Args:
        dropout: of the shares.
        train: whether it is applied.

    Source: Veličković et al., arXiv:1710.10903, with rows of both ends given.
    """

    dropout: float = 0.0
    train: bool = False

    @nn.compact
    def __call__(
        self, links: Links, receivers: Float[Array, "r h f"], senders: Float[Array, "s h f"]
    ) -> Float[Array, "r h*f"]:
        def scored(rows: Array, name: str) -> Array:
            shape = rows.shape[1:]
            vector = self.param(name, nn.initializers.glorot_uniform(), shape, jnp.float32)
            return (rows * vector[None]).sum(-1)

        received, sent = scored(receivers, "attention"), scored(senders, "sender_attention")
        scores = nn.leaky_relu(received[links.rows] + sent[links.columns], 0.2)
        shares = Dropout(self.dropout)(link_softmax(links, scores), train=self.train)
        return attended(links, shares, senders)
