"""The networks that papers on graphs compare with: MLP, GCN, SGC, APPNP, SAGE, GIN, GAT.

All are called alike, `model.apply(variables, graph, train=False)`, and return logits (n, classes).
`graph.nodes` are features, dense or sparse, and its edges as each class says. In training they need
`rngs={"dropout": key}`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.graph.features import Dense, Dropout, Features
from experiments.kits.graph.operators import propagate
from experiments.kits.graph.segments import GraphsTuple, segment_softmax, segment_sum
from ntkexec.errors import ExperimentError

Logits = Float[Array, "n classes"]


class MLP(nn.Module):
    """Each node by itself; edges are not read.

    Args:
        classes: of the output.
        hidden: width of each layer but the last.
        layers: dense ones, each after dropout, ReLU between.
        dropout: rate.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        x = graph.nodes
        for layer in range(self.layers):
            last = layer == self.layers - 1
            x = Dense(self.classes if last else self.hidden)(Dropout(self.dropout)(x, train=train))
            x = x if last else nn.relu(x)
        return x


class GraphConvolution(nn.Module):
    """operator (dropout(x) W) + b.

    Args:
        features: of the result.
        dropout: rate.
        train: whether it is applied.
    """

    features: int
    dropout: float = 0.0
    train: bool = False

    @nn.compact
    def __call__(self, x: Features, graph: GraphsTuple) -> Float[Array, "n h"]:
        x = Dropout(self.dropout)(x, train=self.train)
        x = Dense(self.features, use_bias=False, name="linear")(x)
        return propagate(graph, x) + _bias(self, self.features)


class _Hidden(nn.Module):
    features: int
    dropout: float
    train: bool

    @nn.compact
    def __call__(self, x: Array, graph: GraphsTuple) -> tuple[Array, None]:
        layer = GraphConvolution(self.features, self.dropout, self.train, name="convolution")
        return nn.relu(layer(x, graph)), None


class GCN(nn.Module):
    """Graph convolutions, ReLU between; equal layers are compiled once, as `stack`.

    Args:
        classes, hidden, dropout: as for `MLP`.
        layers: at least 1. The graph is `normalised` with `sym` and self-loops.

    Source: Kipf and Welling, arXiv:1609.02907.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        x = graph.nodes
        if self.layers > 1:
            x = nn.relu(GraphConvolution(self.hidden, self.dropout, train, name="first")(x, graph))
        if self.layers > 2:
            stack = nn.scan(
                _Hidden,
                variable_axes={"params": 0},
                split_rngs={"params": True, "dropout": True},
                in_axes=nn.broadcast,
                length=self.layers - 2,
            )
            x, _ = stack(self.hidden, self.dropout, train, name="stack")(x, graph)
        return GraphConvolution(self.classes, self.dropout, train, name="last")(x, graph)


class SGC(nn.Module):
    """operator^hops of one linear layer.

    Args:
        classes, dropout: as for `MLP`.
        hops: times that the operator is applied. The graph is `normalised` with `sym` and self-loops.

    Source: Wu et al., arXiv:1902.07153.
    """

    classes: int
    hops: int = 2
    dropout: float = 0.0

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        # The operator goes last: the same by linearity, over fewer columns.
        z = Dense(self.classes, use_bias=False)(Dropout(self.dropout)(graph.nodes, train=train))
        z, _ = jax.lax.scan(lambda h, _: (propagate(graph, h), None), z, length=self.hops)
        return z + _bias(self, self.classes)


class APPNP(nn.Module):
    """An MLP, then hops that each return to its output with probability `alpha`.

    Without dropout of edges, which the paper has.

    Args:
        classes, hidden, layers, dropout: of the MLP.
        hops, alpha: h <- (1 - alpha) operator h + alpha MLP. The graph is `normalised` with `sym` and
            self-loops.

    Source: Gasteiger, Bojchevski and Günnemann, arXiv:1810.05997.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5
    hops: int = 10
    alpha: float = 0.1

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        z = MLP(self.classes, self.hidden, self.layers, self.dropout)(graph, train)

        def hop(h: Array, _: None) -> tuple[Array, None]:
            return (1 - self.alpha) * propagate(graph, h) + self.alpha * z, None

        return jax.lax.scan(hop, z, length=self.hops)[0]


class SAGE(nn.Module):
    """Linear of a node plus linear of its neighbours' mean, ReLU between layers.

    Args:
        classes, hidden, layers, dropout: as for `MLP`. The graph is `normalised` with `mean`, without
            self-loops.

    Source: Hamilton, Ying and Leskovec, arXiv:1706.02216.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        x = graph.nodes
        for layer in range(self.layers):
            last = layer == self.layers - 1
            x = Dropout(self.dropout)(x, train=train)
            width = self.classes if last else self.hidden
            x = Dense(width)(x) + propagate(graph, Dense(width, use_bias=False)(x))
            x = x if last else nn.relu(x)
        return x


class GINConvolution(nn.Module):
    """W2 relu(((1 + epsilon) I + operator) W1 x + b1) + b2.

    Args:
        hidden, features: width inside and of the result.
        learn_epsilon: from 0; otherwise it stays 0.
    """

    hidden: int
    features: int
    learn_epsilon: bool

    @nn.compact
    def __call__(self, x: Features, graph: GraphsTuple) -> Float[Array, "n h"]:
        x = Dense(self.hidden, use_bias=False)(x)
        own = x
        if self.learn_epsilon:
            own = x + self.param("epsilon", nn.initializers.zeros, (1, 1), jnp.float32) * x
        x = nn.relu(own + propagate(graph, x) + _bias(self, self.hidden))
        return Dense(self.features)(x)


class GIN(nn.Module):
    """Per layer an MLP on (1 + epsilon) times a node plus its neighbours' sum.

    Args:
        classes, hidden, layers, dropout: as for `MLP`. The graph has no weights, or is `normalised` with
            `none`, without self-loops.
        learn_epsilon: one number a layer, from 0; otherwise it stays 0.

    Source: Xu et al., arXiv:1810.00826.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5
    learn_epsilon: bool = False

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        x = graph.nodes
        for layer in range(self.layers):
            last = layer == self.layers - 1
            width = self.classes if last else self.hidden
            x = Dropout(self.dropout)(x, train=train)
            x = GINConvolution(self.hidden, width, self.learn_epsilon)(x, graph)
            x = x if last else nn.relu(x)
        return x


class GraphAttention(nn.Module):
    """Each head's mean of arriving rows, weighted by a softmax of scores.

    Args:
        features: of each head.
        heads: beside each other in the result.
        version: 1 scores leaky(a . W u + b . W v), 2 scores a . leaky(W u + V v).
        dropout: of the inputs and of the weights.
        train: whether it is applied.
    """

    features: int
    heads: int
    version: int
    dropout: float
    train: bool

    @nn.compact
    def __call__(self, x: Features, graph: GraphsTuple) -> Float[Array, "n h f"]:
        x = Dropout(self.dropout)(x, train=self.train)
        shape = (self.heads, self.features)
        senders, receivers = graph.senders, graph.receivers

        def projected() -> Array:
            return Dense(self.heads * self.features, use_bias=False)(x).reshape(-1, *shape)

        def scored(rows: Array, name: str) -> Array:
            return (
                rows * self.param(name, nn.initializers.glorot_uniform(), shape, jnp.float32)[None]
            ).sum(-1)

        values = projected()
        if self.version == 1:
            sent, received = scored(values, "sender_attention"), scored(values, "attention")
            scores = nn.leaky_relu(sent[senders] + received[receivers], 0.2)
        else:
            both = values[senders] + projected()[receivers]
            scores = scored(nn.leaky_relu(both, 0.2), "attention")
        shares = segment_softmax(scores, receivers, values.shape[0])
        shares = Dropout(self.dropout)(shares, train=self.train)
        result = segment_sum(shares[..., None] * values[senders], receivers, values.shape[0])
        return result + _bias(self, self.heads * self.features).reshape(1, *shape)


class GAT(nn.Module):
    """Graph attention, ELU between layers; heads side by side, and their mean at the end.

    Args:
        classes, layers, dropout: as for `MLP`. Of the graph only edges count, with self-loops.
        hidden: width of all heads of a layer together.
        heads: of each layer but the last.
        last_heads: of the last.
        version: 1, or 2 for attention whose ranking depends on the receiver.

    Raises:
        ExperimentError: heads do not divide `hidden`, or there is no such version.

    Source: Veličković et al., arXiv:1710.10903; Brody, Alon and Yahav, arXiv:2105.14491.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.6
    heads: int = 8
    last_heads: int = 1
    version: int = 1

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        if self.hidden % self.heads or self.version not in (1, 2):
            raise ExperimentError(
                f"attention of version 1 or 2 whose heads divide its width: got version "
                f"{self.version}, {self.heads} heads, width {self.hidden}"
            )
        x, width = graph.nodes, self.hidden // self.heads
        for _ in range(self.layers - 1):
            layer = GraphAttention(width, self.heads, self.version, self.dropout, train)
            x = nn.elu(layer(x, graph)).reshape(-1, self.hidden)
        last = GraphAttention(self.classes, self.last_heads, self.version, self.dropout, train)
        return last(x, graph).mean(1)


def _bias(module: nn.Module, features: int) -> Float[Array, "1 h"]:
    bias: Array = module.param("bias", nn.initializers.zeros, (features,), jnp.float32)
    return bias[None]
