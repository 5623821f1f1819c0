"""What networks of typed graphs share: rows for every type, and attention over a path's links."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
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
    heads = [arriving(links, rows[:, h], shares[:, h]) for h in range(rows.shape[1])]
    return jnp.concatenate(heads, axis=1)


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
