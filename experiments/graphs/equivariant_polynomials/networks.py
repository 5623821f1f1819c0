"""PPGN, PPGN with transposes and polynomials, and GIN, on dense batches of padded graphs."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Num


def pair_channels(
    adjacency: Num[Any, "B n n"], mask: Bool[Any, "B n"], *more: Num[Any, "B n n k"]
) -> Float[Any, "B n n C"]:
    """Inputs of PPGN: which nodes are joined, which are one, then further channels.

    Args:
        adjacency: of padded graphs, 0 beyond their nodes.
        mask: which nodes there are.
        more: such as `polynomial_features`, or features of nodes on diagonals.
    """
    xp = adjacency.__array_namespace__()
    one = xp.eye(mask.shape[1]) * mask[:, None, :]
    kind = adjacency.dtype if jnp.issubdtype(adjacency.dtype, jnp.floating) else one.dtype
    channels = [adjacency[..., None], one[..., None], *more]
    return xp.concatenate([channel.astype(kind) for channel in channels], -1)


class PPGN(nn.Module):
    """Provably powerful graph network: products of matrices of pairs, bounded by 2-FWL.

    Args:
        width: channels of a pair.
        blocks: each with one product.
        outputs: numbers of a graph.
        head: width of the layer before them; that of a pair by default.

    Source: Maron et al., arXiv:1905.11136; block and readout as in the public code of
        arXiv:2302.11556.
    """

    width: int
    blocks: int
    outputs: int
    head: int = 0
    turned: ClassVar[bool] = False

    @nn.compact
    def __call__(
        self, pairs: Float[jax.Array, "B n n C"], mask: Bool[jax.Array, "B n"]
    ) -> Float[jax.Array, "B outputs"]:
        """One row a graph.

        Args:
            pairs: channels, of `pair_channels`.
            mask: which nodes there are; what stands beyond is not looked at.
        """
        pairs = jnp.asarray(pairs)  # NumPy's float64 is float32 here, unless JAX is told otherwise
        one = jnp.eye(mask.shape[1], dtype=pairs.dtype)[None, :, :, None]
        both = (mask[:, :, None] & mask[:, None, :])[..., None].astype(pairs.dtype)
        x = pairs * both
        for _ in range(self.blocks):
            given, left = x, x
            if self.turned:
                given = jnp.concatenate([x, jnp.broadcast_to(one, (*x.shape[:-1], 1)) * both], -1)
                left = jnp.concatenate([given, jnp.swapaxes(given, 1, 2)], -1)
            first, second = self._small(left) * both, self._small(given) * both
            product = jnp.einsum("buwc,bwvc->buvc", first, second)
            x = nn.Dense(self.width)(jnp.concatenate([given, product], -1)) * both
        number = mask.sum(1, dtype=x.dtype)[:, None]
        own = (x * one).sum((1, 2))
        others = (x.sum((1, 2)) - own) / jnp.maximum(number * (number - 1), 1)
        read = jnp.concatenate([own / jnp.maximum(number, 1), others], -1)
        read = nn.relu(nn.Dense(self.head or self.width)(read))
        return nn.Dense(self.outputs)(read)

    def _small(self, x: jax.Array) -> jax.Array:
        """A network of two layers on each pair."""
        for _ in range(2):
            x = nn.relu(nn.Dense(self.width)(x))
        return x


class PPGNPlus(PPGN):
    """PPGN with transposes, and the identity again in every block: the paper's edge-based model.

    With the polynomials that it cannot contract as further channels of its inputs
    (`polynomial_features`) it is the paper's PPGN++.
    """

    turned: ClassVar[bool] = True


class GIN(nn.Module):
    """Graph isomorphism network, whose node features may hold polynomials.

    Args:
        width: of a node.
        layers: of message passing.
        outputs: numbers of a graph.

    Source: Xu et al., arXiv:1810.00826; polynomial features as in arXiv:2302.11556.
    """

    width: int
    layers: int
    outputs: int

    @nn.compact
    def __call__(
        self,
        adjacency: Float[jax.Array, "B n n"],
        nodes: Float[jax.Array, "B n F"],
        mask: Bool[jax.Array, "B n"],
    ) -> Float[jax.Array, "B outputs"]:
        """One row a graph, out of sums of its nodes."""
        adjacency, nodes = jnp.asarray(adjacency), jnp.asarray(nodes)
        there = mask[..., None].astype(nodes.dtype)
        x = nodes * there
        for i in range(self.layers):
            epsilon = self.param(f"epsilon{i}", nn.initializers.zeros, ())
            x = (1 + epsilon) * x + adjacency @ x
            for _ in range(2):
                x = nn.relu(nn.Dense(self.width)(x)) * there
        read = nn.relu(nn.Dense(self.width)(x.sum(1)))
        return nn.Dense(self.outputs)(read)
