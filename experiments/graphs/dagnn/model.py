"""The network: classes are predicted first, spread over hops after, and each node weighs its hops."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.graph import operators
from experiments.kits.graph.features import Dense, Dropout
from experiments.kits.graph.segments import GraphsTuple


def propagate(graph: GraphsTuple, z: Float[Array, "n C"], hops: int) -> Float[Array, "n hops+1 C"]:
    """`z` after 0, 1, ..., `hops` applications of the graph's operator, side by side.

    Args:
        graph: `normalised`, so that its edges are weights; powers of the operator are never formed.
        z: one row a node.
        hops: how far a node sees.
    """

    def hop(h: Array, _: None) -> tuple[Array, Array]:
        further = operators.propagate(graph, h)
        return further, further

    _, rest = jax.lax.scan(hop, z, length=hops)
    return jnp.concatenate([z[None], rest]).swapaxes(0, 1)


class DAGNN(nn.Module):
    """Deep adaptive graph neural network: logits (n, classes) of all nodes.

    An MLP of two layers makes Z (n, classes); with H_l = operator^l Z a node's logits are
    sum_l sigmoid(H_l . s + b) H_l, one s and b for all nodes and hops.

    Args:
        classes: of the output.
        hidden: width of the MLP.
        hops: l goes from 0 to `hops`. The graph is `normalised` with `sym` and self-loops.
        dropout: rate, of the features and of the hidden layer.
        batch_norm: before the ReLU, as the paper's run on ogbn-arxiv has it.
        gated: 1 for the paper's gates, 0 for gates of 1 everywhere, or between. A number, so that it
            can be data of a compiled program.

    Source: Liu, Gao and Ji, arXiv:2007.09296, section 4.
    """

    classes: int
    hidden: int = 64
    hops: int = 10
    dropout: float = 0.8
    batch_norm: bool = False
    gated: float = 1.0

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n C"]:
        x = Dense(self.hidden, name="first")(Dropout(self.dropout)(graph.nodes, train=train))
        if self.batch_norm:
            x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = Dropout(self.dropout)(nn.relu(x), train=train)
        stacked = propagate(graph, Dense(self.classes, name="last")(x), self.hops)
        gates = nn.sigmoid(nn.Dense(1, name="gate")(stacked))
        self.sow("intermediates", "gates", gates[..., 0])
        return ((1 - self.gated + self.gated * gates) * stacked).sum(1)
