"""The network that an architecture stands for: seven attentions, three aggregates, Flax modules."""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.graphs.auto_gnn.space import OPTIONS, Architecture, Layer
from experiments.kits.graph.features import Dropout, Features, times
from experiments.kits.graph.segments import (
    GraphsTuple,
    segment_max,
    segment_mean,
    segment_softmax,
    segment_sum,
)
from ntkexec.errors import ExperimentError

Rows = Float[Array, "n h f"]
Scores = Float[Array, "e h"]


class Weights(NamedTuple):
    """What attentions learn; None where one's layer does without.

    Args:
        sender_attention, attention: (h, f) for the sending and the receiving end.
        neighbour, centre: (F, h f) for the features of the sending and the receiving node.
        mixer: (h, f) for what both make together.
    """

    sender_attention: Float[Array, "h f"] | None = None
    attention: Float[Array, "h f"] | None = None
    neighbour: Float[Array, "F hf"] | None = None
    centre: Float[Array, "F hf"] | None = None
    mixer: Float[Array, "h f"] | None = None


NEEDS: Mapping[str, tuple[str, ...]] = {
    "const": (),
    "gcn": (),
    "gat": ("sender_attention", "attention"),
    "sym-gat": ("sender_attention", "attention"),
    "cos": ("neighbour", "centre"),
    "linear": ("neighbour",),
    "gene-linear": ("neighbour", "centre", "mixer"),
}
"""The weights of each attention."""


def const(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """1 on every edge."""
    return jnp.ones((len(graph.senders), rows.shape[1]), rows.dtype)


def gcn(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """1 / sqrt(edges that leave the sender times edges that arrive at the receiver)."""
    ones = jnp.ones(len(graph.senders), rows.dtype)
    left, arrived = (
        segment_sum(ones, at, len(rows))[at] for at in (graph.senders, graph.receivers)
    )
    return jnp.broadcast_to(jax.lax.rsqrt(left * arrived)[:, None], (len(ones), rows.shape[1]))


def gat(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """leaky(a_l . W x_sender + a_r . W x_receiver)."""
    sent, received = _ends(rows, weights)
    return nn.leaky_relu(sent[graph.senders] + received[graph.receivers], 0.2)


def sym_gat(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """gat's score of the edge, plus that of the edge turned round."""
    sent, received = _ends(rows, weights)
    back = nn.leaky_relu(sent[graph.receivers] + received[graph.senders], 0.2)
    return gat(x, rows, weights, graph) + back


def cos(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """<W_c x_receiver, W_r x_sender>."""
    centre, neighbour = (_projected(x, rows, w) for w in (weights.centre, weights.neighbour))
    return (centre[graph.receivers] * neighbour[graph.senders]).sum(-1)


def linear(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """tanh of the sum of W_r x_sender."""
    return jnp.tanh(_projected(x, rows, weights.neighbour).sum(-1))[graph.senders]


def gene_linear(x: Features, rows: Rows, weights: Weights, graph: GraphsTuple) -> Scores:
    """w_g . tanh(W_c x_receiver + W_r x_sender)."""
    centre, neighbour = (_projected(x, rows, w) for w in (weights.centre, weights.neighbour))
    both = jnp.tanh(centre[graph.receivers] + neighbour[graph.senders])
    return (both * jnp.asarray(weights.mixer)[None]).sum(-1)


SCORES: Mapping[str, Callable[[Features, Rows, Weights, GraphsTuple], Scores]] = {
    "const": const,
    "gcn": gcn,
    "gat": gat,
    "sym-gat": sym_gat,
    "cos": cos,
    "linear": linear,
    "gene-linear": gene_linear,
}
FIXED = ("const", "gcn")
"""Their scores are the weights of edges; those of the others are normalised by a softmax."""
GATHERS: Mapping[str, Callable[[Array, Array, int], Array]] = {
    "sum": segment_sum,
    "mean": segment_mean,
    "max": segment_max,
}
ACTS: Mapping[str, Callable[[Array], Array]] = {
    "sigmoid": nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": nn.relu,
    "identity": lambda x: x,
    "softplus": nn.softplus,
    "leaky-relu": nn.leaky_relu,
    "relu6": nn.relu6,
    "elu": nn.elu,
}


def edge_weights(
    attention: str, x: Features, rows: Rows, weights: Weights, graph: GraphsTuple
) -> Scores:
    """How much of each sender's row arrives, head by head.

    Args:
        attention: one of `SCORES`.
        x: the layer's inputs.
        rows: W x, head by head.
        weights: those that `NEEDS` names.
        graph: of its edges only the ends are read; it has self-loops.
    """
    scores = SCORES[attention](x, rows, weights, graph)
    if attention in FIXED:
        return scores
    return segment_softmax(scores, graph.receivers, len(rows))


class Kernel(nn.Module):
    """A matrix of weights.

    Args:
        inputs, outputs: its shape.
    """

    inputs: int
    outputs: int

    @nn.compact
    def __call__(self) -> Float[Array, "inputs outputs"]:
        shape = (self.inputs, self.outputs)
        found: Array = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        return found


class Vectors(nn.Module):
    """A vector of weights for each head.

    Args:
        heads, width: its shape.
    """

    heads: int
    width: int

    @nn.compact
    def __call__(self) -> Float[Array, "h f"]:
        shape, rule = (self.heads, self.width), nn.initializers.glorot_uniform()
        found: Array = self.param("attention", rule, shape, jnp.float32)
        return found


def learned(needs: tuple[str, ...], inputs: int, heads: int, width: int, at: nn.Module) -> Weights:
    """The weights of these names, as parameters of the module that is being called."""
    found: dict[str, Array] = {}
    for name in needs:
        if name in ("neighbour", "centre"):
            found[name] = Kernel(inputs, heads * width, name=name)()
        elif name == "mixer":
            found[name] = Vectors(heads, width, name=name)()
        else:
            rule = nn.initializers.glorot_uniform()
            found[name] = at.param(name, rule, (heads, width), jnp.float32)
    return Weights(**found)


class SearchedLayer(nn.Module):
    """act(combine(what arrives)), where an edge brings its weight times W times the sender's features.

    Args:
        choice: of the layer.
        last: whether heads are averaged instead of put side by side.
        dropout: of inputs and of edges' weights.
        use_bias: adds one to what is combined.
    """

    choice: Layer
    last: bool = False
    dropout: float = 0.0
    use_bias: bool = True

    @nn.compact
    def __call__(
        self, x: Features, graph: GraphsTuple, train: bool = False
    ) -> Float[Array, "n out"]:
        width, attention, heads, aggregate, combine, activation = self.choice
        x, inputs = Dropout(self.dropout)(x, train=train), x.shape[-1]
        rows = times(x, Kernel(inputs, heads * width, name="value")()).reshape(-1, heads, width)
        weights = learned(NEEDS[attention], inputs, heads, width, self)
        shares = edge_weights(attention, x, rows, weights, graph)
        shares = Dropout(self.dropout)(shares, train=train)
        sent = shares[..., None] * rows[graph.senders]
        h = GATHERS[aggregate](sent, graph.receivers, len(rows))
        h = h.mean(1) if self.last else h.reshape(-1, heads * width)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (h.shape[1],), jnp.float32)
            h = h + bias[None]
        if combine == "mlp":
            h = nn.relu(nn.Dense(h.shape[1], name="combine_first")(h))
            h = nn.Dense(h.shape[1], name="combine_second")(h)
        return ACTS[activation](h)


class SearchedGNN(nn.Module):
    """The layers of an architecture after each other, the last one's outputs the logits.

    Args:
        architecture: as chosen; the last layer's width is replaced by `classes`.
        classes: of the logits.
        dropout: of every layer.
        batch_norm: normalises what goes from layer to layer.
        use_bias: of every layer.
    """

    architecture: Architecture
    classes: int
    dropout: float = 0.0
    batch_norm: bool = False
    use_bias: bool = True

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n classes"]:
        x = graph.nodes
        for place, choice in enumerate(self.architecture):
            last = place == len(self.architecture) - 1
            choice = choice._replace(hidden=self.classes) if last else choice
            layer = SearchedLayer(choice, last, self.dropout, self.use_bias, name=f"layer_{place}")
            x = layer(x, graph, train)
            if self.batch_norm and not last:
                x = nn.BatchNorm(use_running_average=not train, name=f"norm_{place}")(x)
        return x


def build(
    architecture: Architecture,
    classes: int,
    *,
    dropout: float = 0.6,
    batch_norm: bool = False,
    widest: int = 4096,
) -> SearchedGNN:
    """The Flax module of an architecture; call it with a graph that has self-loops.

    Args:
        architecture: of an `ArchitectureSpace`.
        classes: of the logits.
        dropout: of inputs and edges' weights in every layer; 0.6 is GraphNAS's default.
        batch_norm: between layers.
        widest: heads times width that is allowed, for memory.

    Raises:
        ExperimentError: the architecture has no layer, or one is too wide or of unknown choices, or there
            is no class.

    Source: arXiv:1909.03184, table 1. Reconstructed: `combine` is a two-layer MLP on the aggregate
    alone, and the last layer has its activation too, as in GraphNAS.
    """
    if not architecture:
        raise ExperimentError("an architecture without layers is no network")
    if classes < 1:
        raise ExperimentError(f"a network tells at least one class, not {classes}")
    for place, layer in enumerate(architecture):
        for kind in ("attention", "aggregate", "combine", "activation"):
            if (choice := getattr(layer, kind)) not in OPTIONS[kind]:
                raise ExperimentError(
                    f"{kind} of layer {place} is one of {', '.join(OPTIONS[kind])}, not {choice!r}"
                )
        for kind in ("hidden", "heads"):
            number = getattr(layer, kind)
            if not isinstance(number, Integral) or number < 1:
                raise ExperimentError(
                    f"{kind} of layer {place} is a whole number above 0, not {number!r}"
                )
        if layer.hidden * layer.heads > widest:
            raise ExperimentError(
                f"layer {place} is {layer.heads} heads of {layer.hidden}, wider than {widest}"
            )
    return SearchedGNN(tuple(architecture), classes, dropout, batch_norm)


def _ends(rows: Rows, weights: Weights) -> tuple[Float[Array, "n h"], Float[Array, "n h"]]:
    sent, received = (
        (rows * jnp.asarray(each)[None]).sum(-1)
        for each in (weights.sender_attention, weights.attention)
    )
    return sent, received


def _projected(x: Features, rows: Rows, kernel: Any) -> Rows:
    return times(x, kernel).reshape(rows.shape)
