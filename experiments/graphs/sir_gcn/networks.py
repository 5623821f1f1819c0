"""The paper's networks around its layer, and its rivals on the two synthetic tasks.

On those, nodes take few values: what passes between two values is computed once, and an edge picks it.
That is the same function as message passing over the graphs, a test holds them together.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from experiments.graphs.sir_gcn.layers import SIRConv
from experiments.kits.graph.segments import GraphsTuple

LOOKUPS = ("sir", "gin", "gatv2")
COUNTS = ("sir", "gin", "gin-epsilon")


class SmallNetwork(nn.Module):
    """ReLU, linear, ReLU: the activation that the paper gives `SIRConv` to look dictionaries up."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "*b h"]) -> Float[Array, "*b h"]:
        return nn.relu(nn.Dense(self.width)(nn.relu(x)))


class LookupNetwork(nn.Module):
    """One layer on dictionaries of n keys: scores of values (B, n, n) for each query.

    Args:
        layer: one of `LOOKUPS`; "gin" has epsilon 0.
        num: n.
        width: of all vectors.
    """

    layer: str
    num: int
    width: int

    @nn.compact
    def __call__(self, values: Int[Array, "b n"]) -> Float[Array, "b n n"]:
        keys = nn.Embed(self.num, self.width, name="keys")(jnp.arange(self.num))
        shown = nn.Embed(self.num + 1, self.width, name="values")(jnp.arange(self.num + 1))
        query, attribute = keys + shown[-1:], keys[:, None] + shown[None, :-1]
        picked = jax.nn.one_hot(values, self.num)
        found = getattr(self, f"_{self.layer}")(query, attribute, picked)
        return nn.Dense(self.num, use_bias=False, name="scores")(found)

    def _sir(self, query: Array, attribute: Array, picked: Array) -> Array:
        conv = SIRConv(self.width, self.width, SmallNetwork(self.width))
        sent = conv.messages(conv.query(query)[:, None, None], conv.key(attribute)[None])
        return conv.relation(jnp.einsum("bkv,qkvd->bqd", picked, sent))

    def _gin(self, query: Array, attribute: Array, picked: Array) -> Array:
        received = jnp.einsum("bkv,kvd->bd", picked, nn.relu(attribute))
        inner = nn.relu(nn.Dense(self.width)(nn.relu(query)[None] + received[:, None]))
        return nn.relu(nn.Dense(self.width)(inner))

    def _gatv2(self, query: Array, attribute: Array, picked: Array) -> Array:
        shared = nn.Dense(self.width)
        query, attribute = shared(nn.relu(query)), shared(nn.relu(attribute))
        contexts = nn.leaky_relu(query[:, None, None] + attribute[None], 0.2)
        scores = nn.Dense(1, use_bias=False)(contexts)[..., 0]
        shares = jax.nn.softmax(jnp.einsum("bkv,qkv->bqk", picked, scores))
        return jnp.einsum("bqk,bkv,kvd->bqd", shares, picked, attribute)


class EdgeCountNetwork(nn.Module):
    """One layer, linear, and the sum over nodes: a number for each graph.

    Args:
        layer: one of `COUNTS`; only "gin-epsilon" learns epsilon, from 0.
        width: of all vectors.
    """

    layer: str
    width: int

    @nn.compact
    def __call__(
        self, own: Float[Array, "b n c"], received: Float[Array, "b n c"]
    ) -> Float[Array, " b"]:
        """`own` has a node's label, one-hot, 0 for no node; `received` its senders by label."""
        labels = own.shape[-1]
        states = nn.Embed(labels, self.width, name="labels")(jnp.arange(labels))
        if self.layer == "sir":
            conv = SIRConv(self.width, self.width)
            sent = conv.messages(conv.query(states)[:, None], conv.key(states)[None])
            edges = jnp.einsum("bna,bnc->bac", own, received)
            total = conv.relation(jnp.einsum("bac,acd->bd", edges, sent))
            # The bias is there once; each node has it.
            bias = conv.relation(jnp.zeros((1, self.width)))
            pooled = total + (own.sum((1, 2))[:, None] - 1) * bias
        else:
            states = nn.Dense(self.width, use_bias=False)(states)
            epsilon = self.param("epsilon", nn.initializers.zeros, (1, 1, 1))
            factor = 1 + epsilon * (self.layer == "gin-epsilon")
            bias = self.param("bias", nn.initializers.zeros, (self.width,))
            inner = nn.relu((factor * own + received) @ states + bias[None, None])
            pooled = jnp.einsum("bnd,bn->bd", inner, own.sum(-1))
        return nn.Dense(1, use_bias=False, name="count")(pooled)[:, 0]


class NodeNetwork(nn.Module):
    """The paper's network for nodes of one graph: pre-normalised layers with residuals, linear ends.

    Args:
        classes: of the logits.
        hidden: width.
        layers: of convolution, each with a linear one after it.
        dropout: rate, also inside of the convolution.
        activation: of messages; the identity makes them linear, as GCN's and GraphSAGE's are.
        aggregate: of `SIRConv`.

    Source: briangodwinlim/SIR-GCN, heterophilous-datasets.
    """

    classes: int
    hidden: int = 256
    layers: int = 5
    dropout: float = 0.2
    activation: Callable[[jax.Array], jax.Array] = nn.gelu
    aggregate: str = "sym"

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n c"]:
        drop = nn.Dropout(self.dropout, deterministic=not train)

        def normalised(x: Array) -> Array:
            return nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)

        x = nn.gelu(drop(nn.Dense(self.hidden)(graph.nodes)))
        for _ in range(self.layers):
            conv = SIRConv(
                self.hidden, self.hidden, self.activation, self.aggregate, dropout=self.dropout
            )
            inner = conv(graph._replace(nodes=normalised(x)), train=train)
            x = x + drop(nn.Dense(self.hidden)(nn.gelu(drop(inner))))
        return nn.Dense(self.classes)(normalised(x))
