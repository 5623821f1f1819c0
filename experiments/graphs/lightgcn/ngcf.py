"""NGCF, the rival, and the paper's ablation of it: what transforms and non-linearities are good for."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.graphs.lightgcn.model import Bipartite, propagate

ReadOut = Literal["concatenated", "summed"]


class NGCF(nn.Module):
    """Vectors of users and of items: neighbourhoods are transformed, multiplied with, and bent.

    A layer is leaky_relu((A E + E) W1 + b1 + (A E * E) W2 + b2), with slope 0.2.

    Args:
        num_users, num_items: rows of `embedding`, users first.
        width: of embeddings and layers.
        layers: their number.
        read_out: `concatenated` layers of unit length, as published, or their plain sum, as the ablation
            has it so that variants differ in nothing else.
        transformed: 1 for W1, W2 and the biases, 0 for identities instead, or between. A number, so
            that it can be data of a compiled program.
        bent: 1 for the leaky ReLU, 0 for none, or between.
        std: of the first embedding.

    Source: Wang et al., SIGIR 2019, arXiv:1905.08108; the ablation is table 1 of arXiv:2002.02126.
    """

    num_users: int
    num_items: int
    width: int = 64
    layers: int = 3
    read_out: ReadOut = "concatenated"
    std: float = 0.1

    @nn.compact
    def __call__(
        self, graph: Bipartite, transformed: Float[Array, ""] | float = 1.0,
        bent: Float[Array, ""] | float = 1.0,
    ) -> tuple[Float[Array, "n D"], Float[Array, "m D"]]:  # fmt: skip
        shape = (self.num_users + self.num_items, self.width)
        table = self.param("embedding", nn.initializers.normal(self.std), shape, jnp.float32)
        nodes, found = table, [table]
        for k in range(self.layers):
            received = jnp.concatenate(
                propagate(graph, nodes[: self.num_users], nodes[self.num_users :])
            )
            linear = _switched(self.width, transformed, name=f"sum_{k}")(received + nodes)
            product = _switched(self.width, transformed, name=f"product_{k}")(received * nodes)
            made = linear + product
            nodes = bent * jax.nn.leaky_relu(made, 0.2) + (1 - bent) * made
            found.append(nodes / _length(nodes) if self.read_out == "concatenated" else nodes)
        if self.read_out == "concatenated":
            whole = jnp.concatenate(found, axis=1)
        else:
            whole = sum(found[1:], found[0])
        return whole[: self.num_users], whole[self.num_users :]


class _Switched(nn.Module):
    """A dense layer, or the identity of the same width, or between."""

    width: int
    transformed: Float[Array, ""] | float

    @nn.compact
    def __call__(self, inputs: Float[Array, "v d"]) -> Float[Array, "v d"]:
        made = nn.Dense(self.width, name="dense")(inputs)
        return self.transformed * made + (1 - self.transformed) * inputs


def _switched(width: int, transformed: Float[Array, ""] | float, *, name: str) -> _Switched:
    return _Switched(width, transformed, name=name)


def _length(nodes: Float[Array, "v d"]) -> Float[Array, "v 1"]:
    # As TensorFlow's and PyTorch's normalisations: a zero vector stays zero, and its gradient finite.
    return jnp.sqrt(jnp.maximum(jnp.square(nodes).sum(axis=1, keepdims=True), 1e-24))
