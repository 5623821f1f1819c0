"""Networks for whole graphs that papers compare with: GIN, GCN, and an MLP on histograms of nodes.

All are called alike, `model.apply(variables, batch, train=False)`, for either kind of batch, and return
a row of outputs for each graph. In training they need `rngs={"dropout": key}`; running averages are in
`batch_stats`.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.graph_sets.batches import Batch
from experiments.kits.graph_sets.pooling import How, node_mask, over_neighbours, pooled

MOMENTUM = 0.9
"""Of running averages, as PyTorch's 0.1."""

Outputs = Float[Array, "B out"]


class Norm(nn.Module):
    """Batch normalisation over the real nodes of a batch alone.

    Args:
        train: whether the batch's own moments are used, and the running ones updated.
    """

    train: bool

    @nn.compact
    def __call__(self, x: Float[Array, "*N h"], batch: Batch) -> Float[Array, "*N h"]:
        norm = nn.BatchNorm(use_running_average=not self.train, momentum=MOMENTUM, epsilon=1e-5)
        mask = node_mask(batch)[..., None]
        return jnp.where(mask, norm(x, mask=jnp.broadcast_to(mask, x.shape)), 0)


class GINLayer(nn.Module):
    """ReLU(norm(MLP(own + sum of neighbours))), the MLP with a norm inside.

    Args:
        hidden: width.
        train: of the norms.
    """

    hidden: int
    train: bool

    @nn.compact
    def __call__(self, x: Float[Array, "*N c"], batch: Batch) -> Float[Array, "*N h"]:
        # Multiplied first: a sum over neighbours is linear, and the width the smaller one.
        x = nn.Dense(self.hidden)(x + over_neighbours(batch, x))
        x = nn.Dense(self.hidden)(nn.relu(Norm(self.train)(x, batch)))
        return nn.relu(Norm(self.train)(x, batch))


class GIN(nn.Module):
    """GIN-0 with the readout of its paper: a linear layer on the pooled nodes of every depth, added up.

    Args:
        out: classes, or numbers to predict.
        hidden: width.
        layers: of message passing; the paper's "5 layers" count the input.
        dropout: of every depth's output.
        pool: over nodes.

    Source: Xu et al., ICLR 2019, arXiv:1810.00826, and its public code.
    """

    out: int
    hidden: int = 32
    layers: int = 4
    dropout: float = 0.5
    pool: How = "sum"

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        x: Any = batch.nodes
        total: Any = 0.0
        for layer in range(self.layers + 1):
            if layer:
                x = GINLayer(self.hidden, train)(x, batch)
            score = nn.Dense(self.out)(pooled(batch, x, self.pool))
            total = total + nn.Dropout(self.dropout, deterministic=not train)(score)
        return total


class GCN(nn.Module):
    """Symmetrically normalised convolutions with self-loops, then the mean of nodes and an MLP.

    Args:
        out, hidden, layers, dropout, pool: as for `GIN`, dropout before the last layer.

    Source: Kipf and Welling, arXiv:1609.02907; norms and readout as in GIN's comparison.
    """

    out: int
    hidden: int = 32
    layers: int = 4
    dropout: float = 0.5
    pool: How = "mean"

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        x = batch.nodes
        ones = node_mask(batch)[..., None].astype(x.dtype)
        scale = 1 / jnp.sqrt(1 + over_neighbours(batch, ones))
        for _ in range(self.layers):
            x = scale * nn.Dense(self.hidden, use_bias=False)(x)
            x = scale * (x + over_neighbours(batch, x))
            x = nn.relu(Norm(train)(x, batch))
        x = nn.relu(nn.Dense(self.hidden)(pooled(batch, x, self.pool)))
        return nn.Dense(self.out)(nn.Dropout(self.dropout, deterministic=not train)(x))


class HistogramMLP(nn.Module):
    """An MLP on how many nodes have each input; edges are not read, but where inputs are degrees.

    Args:
        out, hidden, dropout: as for `GIN`.

    Source: the structure-agnostic baseline of Errica et al., ICLR 2020, arXiv:1912.09893.
    """

    out: int
    hidden: int = 32
    dropout: float = 0.5

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        x = jnp.log1p(pooled(batch, batch.nodes))
        for _ in range(2):
            x = nn.relu(nn.Dense(self.hidden)(x))
        return nn.Dense(self.out)(nn.Dropout(self.dropout, deterministic=not train)(x))
