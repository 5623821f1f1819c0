"""The layer: a message depends on both of its ends, non-linearly, and costs no product per edge."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.graph.segments import GraphsTuple, segment_max, segment_sum
from ntkexec.errors import ExperimentError

AGGREGATES = ("sum", "mean", "sym", "max")


class SIRConv(nn.Module):
    """`h*_u = sum over senders v of W_R activation(W_Q h_u + W_K h_v)`.

    Args:
        features: width of the result.
        hidden: width of messages.
        activation: of messages; any function along the last axis, so also a small network, which
            then is paid for at each edge.
        aggregate: `sum`; `mean` over senders; `sym`, a sum in which each message is divided by
            sqrt(out-degree of its sender * in-degree of its receiver), both at least 1; `max`.
            The first three are linear, so W_R and its bias are applied once a node, after them;
            `max` applies both to each message. A node that nobody sends to gets the bias from the
            linear ones, 0 from `max`.
        dropout: rate on W_Q h_u and W_K h_v; the generator is called `dropout`.
        inner_bias: whether W_Q has a bias.
        outer_bias: whether W_R has a bias.

    Source: Lim et al., arXiv:2403.12529; degrees and biases as in briangodwinlim/SIR-GCN.
    """

    features: int
    hidden: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    aggregate: str = "sum"
    dropout: float = 0.0
    inner_bias: bool = True
    outer_bias: bool = True

    def setup(self) -> None:
        if self.aggregate not in AGGREGATES:
            raise ExperimentError(f"no aggregate {self.aggregate!r}; there are {AGGREGATES}")
        self.query = nn.Dense(self.hidden, use_bias=self.inner_bias)
        self.key = nn.Dense(self.hidden, use_bias=False)
        self.relation = nn.Dense(self.features, use_bias=self.outer_bias)
        self.drop = nn.Dropout(self.dropout)

    def __call__(self, graph: GraphsTuple, *, train: bool = False) -> Float[Array, "n c"]:
        """The new features of each node; what `graph` has on its edges is ignored."""
        query = self.drop(self.query(graph.nodes), deterministic=not train)
        key = self.drop(self.key(graph.nodes), deterministic=not train)
        return self._gather(graph, self.messages(query[graph.receivers], key[graph.senders]))

    def messages(self, query: Float[Array, "*b h"], key: Float[Array, "*b h"]) -> jax.Array:
        """What passes an edge before W_R, of W_Q h_u and W_K h_v."""
        return self.activation(query + key)

    def _gather(self, graph: GraphsTuple, messages: Float[Array, "m h"]) -> jax.Array:
        senders, receivers, num_nodes = graph.senders, graph.receivers, len(graph.nodes)

        def degrees(ends: jax.Array) -> Float[Array, "n 1"]:
            ones = jnp.ones((len(ends), 1), messages.dtype)
            return jnp.maximum(segment_sum(ones, ends, num_nodes), 1)

        if self.aggregate == "max":
            return segment_max(self.relation(messages), receivers, num_nodes)
        if self.aggregate == "sym":
            messages = messages * jax.lax.rsqrt(degrees(senders))[senders]
        total = segment_sum(messages, receivers, num_nodes)
        if self.aggregate == "sym":
            total = total * jax.lax.rsqrt(degrees(receivers))
        if self.aggregate == "mean":
            total = total / degrees(receivers)
        return self.relation(total)


class SIREdgeConv(SIRConv):
    """`SIRConv` with features on edges: `W_E h_uv` is added inside of the activation.

    Source: as `SIRConv`; there the layer is called SIREConv.
    """

    def setup(self) -> None:
        super().setup()
        self.edge = nn.Dense(self.hidden, use_bias=False)

    def __call__(self, graph: GraphsTuple, *, train: bool = False) -> Float[Array, "n c"]:
        """The new features of each node.

        Raises:
            ExperimentError: if the graph has no features on its edges.
        """
        if getattr(graph.edges, "ndim", 0) != 2:
            raise ExperimentError("SIREdgeConv needs edges of shape (edges, features); see SIRConv")
        query, key, edge = (
            self.drop(layer(given), deterministic=not train)
            for layer, given in (
                (self.query, graph.nodes),
                (self.key, graph.nodes),
                (self.edge, graph.edges),
            )
        )
        return self._gather(graph, self.messages(query[graph.receivers], key[graph.senders] + edge))
