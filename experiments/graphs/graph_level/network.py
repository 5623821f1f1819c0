"""A network whose roots are paths: for each path its own copy of the graph, in which its nodes are marked."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.data.graph_sets import Graph
from experiments.graphs.graph_level.paths import Roots
from experiments.kits.graph_sets.batches import DenseBatch, dense_batch
from ntkexec.errors import ExperimentError


class PaddedRoots(NamedTuple):
    """Roots of each graph of a batch.

    Args:
        paths: their nodes; -1 where there is no root.
        weights: 0 where there is none.
    """

    paths: Int[Array, "B P k+1"]
    weights: Float[Array, "B P"]


def rooted_batch(
    graphs: Sequence[Graph],
    roots: Sequence[Roots],
    *,
    num_nodes: int,
    num_roots: int,
    inputs: Sequence[np.ndarray] | None = None,
) -> DenseBatch:
    """Graphs with their roots, as arrays of one shape.

    Args:
        graphs: of at most `num_nodes` nodes.
        roots: of each, as `path_roots` gives them, of one k and at most `num_roots`.
        num_nodes, num_roots: of the result.
        inputs: a row for each node of each graph; without them, a column of ones.

    Raises:
        ExperimentError: names what does not fit.
    """
    length = roots[0].paths.shape[1]
    paths = np.full((len(graphs), num_roots, length), -1, np.int32)
    weights = np.zeros((len(graphs), num_roots), np.float32)
    for i, found in enumerate(roots):
        if found.paths.shape[1] != length or len(found.paths) > num_roots:
            raise ExperimentError(
                f"graph {i} has {len(found.paths)} roots of {found.paths.shape[1]} nodes, and the "
                f"batch {num_roots} of {length}"
            )
        paths[i, : len(found.paths)] = found.paths
        weights[i, : len(found.paths)] = found.weights
    extras = PaddedRoots(paths, weights)  # type: ignore[arg-type] # NumPy until compiled
    return dense_batch(graphs, num_nodes, inputs, extras)


class _MLP(nn.Module):
    features: int
    activation: Callable[[Array], Array]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.LayerNorm()(nn.Dense(self.features)(x))
        return nn.Dense(self.features)(self.activation(x))


class KPathGNN(nn.Module):
    """GIN on each root's marked copy; sums over nodes, over roots and over first nodes.

    With k = 0 it is a nested network whose root is a node, with k = 1 one whose root is an edge.

    Args:
        out: classes, or numbers to predict.
        k: edges of a root.
        hidden: width.
        layers: of message passing.
        mean: whether first nodes are averaged instead of summed, as for classes. Roots are always summed:
            their mean hides what they count.
        activation: of all layers. Sums of an analytic one, such as `jnp.sin`, tell nearly all multisets
            apart; those of ReLU do not (Amir et al., arXiv:2306.06529).

    Source: Li et al., arXiv:2501.00773v1; reconstructed, see the port's page.
    """

    out: int
    k: int
    hidden: int = 32
    layers: int = 3
    mean: bool = False
    activation: Callable[[Array], Array] = nn.relu

    @nn.compact
    def __call__(self, batch: DenseBatch, train: bool = False) -> Float[Array, "B out"]:
        roots: PaddedRoots = batch.extras
        if roots.paths.shape[-1] != self.k + 1:
            raise ExperimentError(
                f"roots of {roots.paths.shape[-1]} nodes are not those of k = {self.k}"
            )
        adjacency, size = batch.adjacency, batch.adjacency.shape[-1]
        dtype = batch.nodes.dtype
        marks = jax.nn.one_hot(roots.paths, size, dtype=dtype)  # B P k+1 n; -1 marks nothing
        there = batch.mask[:, None, :, None].astype(dtype)
        shape = (*roots.weights.shape, *batch.nodes.shape[1:])
        given = jnp.broadcast_to(batch.nodes[:, None], shape)
        h = jnp.concatenate([given, jnp.swapaxes(marks, -1, -2)], -1)
        seen = []
        for _ in range(self.layers):
            h = (
                _MLP(self.hidden, self.activation)(h + jnp.einsum("bij,bpjh->bpih", adjacency, h))
                * there
            )
            h = self.activation(h)
            seen.append(h.sum(2))
        own = jnp.einsum("bpkn,bpnh->bpkh", marks, h)
        seen.append(own.reshape(*own.shape[:2], (self.k + 1) * self.hidden))
        path = (
            _MLP(self.hidden, self.activation)(jnp.concatenate(seen, -1)) * roots.weights[..., None]
        )
        node = jnp.einsum("bpn,bph->bnh", marks[:, :, 0], path)
        node = _MLP(self.hidden, self.activation)(node) * batch.mask[..., None]
        graph = node.sum(1)
        if self.mean:
            graph = graph / jnp.maximum(batch.mask.sum(1), 1)[:, None]
        return nn.Dense(self.out)(self.activation(nn.Dense(self.hidden)(graph)))
