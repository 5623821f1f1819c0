"""The encoder, aggregator and decoder that are trained on second-smallest labels, and a node network."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from experiments.graphs.lcm.layers import FixedConv, LCMConv, RecurrentConv
from experiments.graphs.lcm.monoids import GRUCell, GRUWeights
from experiments.kits.graph.features import Dense, Dropout
from experiments.kits.graph.segments import GraphsTuple


class Second(nn.Module):
    """Encoder and decoder of labels given in bits, and the weights of a GRU between them.

    Args:
        bits: of a label.
        width: of all vectors.
    """

    bits: int
    width: int

    def setup(self) -> None:
        self.first, self.second = nn.Dense(self.width), nn.Dense(self.width)
        self.third, self.last = nn.Dense(self.width), nn.Dense(self.bits)
        self.cell = GRUCell(self.width)

    def __call__(self, labels: Int[Array, " *b"]) -> Any:
        """All parts once, so that variables can be made."""
        return self.decode(self.encode(labels)), self.cell()

    def encode(self, labels: Int[Array, " *b"]) -> Float[Array, "*b d"]:
        """A row for each label."""
        spread = 2.0 * bits_of(labels, self.bits) - 1
        found: Array = self.second(nn.gelu(self.first(spread)))
        return found

    def decode(self, rows: Float[Array, "*b d"]) -> Float[Array, "*b bits"]:
        """A logit for each bit of the answer."""
        found: Array = self.last(nn.gelu(self.third(rows)))
        return found

    def weights(self) -> GRUWeights:
        return self.cell()


def bits_of(labels: Int[Array, " *b"], bits: int) -> Int[Array, "*b bits"]:
    """The lowest bits of whole numbers, the lowest first."""
    shifts = jnp.arange(bits).reshape((1,) * jnp.ndim(labels) + (bits,))
    return (jnp.asarray(labels)[..., None] >> shifts) & 1


class NodeNetwork(nn.Module):
    """A dense layer, and one over neighbours, with dropout before both and ReLU between; logits.

    Args:
        classes: of the logits.
        aggregator: "lcm", "recurrent", or "fixed", which is a mean unless the weights say other.
        width: of the hidden layer and of messages.
        dropout: rate.
        longest: the largest in-degree, at least.
        sum_weight, mean_weight, max_weight: of "fixed".
    """

    classes: int
    aggregator: str
    width: int = 16
    dropout: float = 0.5
    longest: int = 32
    sum_weight: float = 0.0
    mean_weight: float = 1.0
    max_weight: float = 0.0

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n c"]:
        x = Dropout(self.dropout)(graph.nodes, train=train)
        x = jax.nn.relu(Dense(self.width)(x))
        x = Dropout(self.dropout)(x, train=train)
        found: Array = self._conv()(graph._replace(nodes=x))
        return found

    def _conv(self) -> nn.Module:
        if self.aggregator == "lcm":
            return LCMConv(self.classes, self.width, True, self.longest)
        if self.aggregator == "recurrent":
            return RecurrentConv(self.classes, self.width, True, self.longest)
        weights = (self.sum_weight, self.mean_weight, self.max_weight)
        return FixedConv(self.classes, self.width, True, self.longest, *weights)
