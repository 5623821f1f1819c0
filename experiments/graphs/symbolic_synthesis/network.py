"""A network in the shape of a graph, on slices of a vector; and the encoder that gives the vector.

Graphs are padded to one shape and are data, so that many networks of different graphs are one program.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.graphs.symbolic_synthesis.language import Graph
from experiments.kits.initialisation import TORCH, Rule, zeros
from ntkexec.errors import ExperimentError


RULES: Mapping[str, Rule] = {
    **TORCH, "norm/bias": zeros, "before/bias": zeros, "between/bias": zeros,
}  # fmt: skip
"""First variables as the public code has them: PyTorch's of linear maps. Flax's are so much larger that sums
over edges, layer after layer, do not learn."""


class PaddedGraph(NamedTuple):
    """A graph as the module reads it; leading axes may be added by stacking.

    Args:
        node_slices, edge_slices: which entries of the vector each element's feature repeats.
        node_codes, edge_codes: sines of creation id and port.
        ends: 1 where a node is an edge's first, or second, end; 0 for edges that are padding.
        mask: whether a node is there.
        copies: how often each edge's message counts.
        present: 0 stands for no graph at all.
    """

    node_slices: Int[Array, "n d"]
    edge_slices: Int[Array, "e d"]
    node_codes: Float[Array, "n d"]
    edge_codes: Float[Array, "e d"]
    ends: Float[Array, "2 e n"]
    mask: Float[Array, "n"]
    copies: Float[Array, ""]
    present: Float[Array, ""]


def slices(dim: int, elements: int) -> tuple[slice, ...]:
    """Consecutive parts of a vector, one an element; the first takes what division leaves.

    Raises:
        ExperimentError: there are more elements than entries.
    """
    width = dim // elements
    if not width:
        raise ExperimentError(f"a vector of {dim} entries has no slices for {elements} elements")
    first = dim - width * (elements - 1)
    starts = [0, *range(first, dim, width)]
    return tuple(slice(a, b) for a, b in zip(starts, [*starts[1:], dim], strict=True))


def codes(ids: Int[np.ndarray, "k"], ports: Int[np.ndarray, "k"], dim: int) -> np.ndarray:
    """Sines and cosines of ids and of ports, a quarter of the entries each; `dim` is a multiple of 4."""
    rates = 1 / 10_000 ** np.linspace(0, 1, dim // 4)
    angles = np.concatenate([ids[:, None] * rates[None, :], ports[:, None] * rates[None, :]], 1)
    parts = np.split(angles, 2, axis=1)
    return np.concatenate([wave(part) for part in parts for wave in (np.sin, np.cos)], axis=1)


def padded(
    graph: Graph | None,
    *,
    dim: int,
    num_nodes: int,
    num_edges: int,
    released: bool = False,
    dtype: Any = np.float32,
) -> PaddedGraph:
    """A graph in the shape that all of a population have.

    Args:
        graph: at most as large; without one, arrays of that shape for a member that has none.
        dim: entries of the vector, a multiple of 4.
        num_nodes, num_edges: of the shape.
        released: as the public code has it: every edge twice among the elements, although only as many
            slices are read as there are nodes and edges; and twice, each way, among the messages.
        dtype: of all that are no indices.

    Raises:
        ExperimentError: the graph is larger, or `dim` no multiple of 4.
    """
    if dim % 4:
        raise ExperimentError(f"{dim} entries cannot hold four kinds of sines alike")
    given = Graph() if graph is None else graph
    n, e = len(given.nodes), len(given.edges)
    if n > num_nodes or e > num_edges:
        raise ExperimentError(
            f"a graph of {n} nodes and {e} edges has no place in {num_nodes} and {num_edges}"
        )
    parts = slices(dim, given.num_elements + released * e)
    index = np.stack([p.start + np.arange(dim) % (p.stop - p.start) for p in parts])
    nodes = np.array(given.nodes)
    edges = np.array(given.edges, np.int64).reshape(-1, 4)
    place = {node: i for i, node in enumerate(given.nodes)}
    ends = np.zeros((2, num_edges, num_nodes))
    for i, (_, u, v, _) in enumerate(given.edges):
        ends[0, i, place[u]] = ends[1, i, place[v]] = 1

    def filled(rows: np.ndarray, length: int) -> np.ndarray:
        return np.concatenate([rows, np.zeros((length - len(rows), *rows.shape[1:]), rows.dtype)])

    found: Any = (  # NumPy until compiled
        filled(index[nodes], num_nodes).astype(np.int32),
        filled(index[edges[:, 0]], num_edges).astype(np.int32),
        filled(codes(nodes, np.zeros_like(nodes), dim), num_nodes).astype(dtype),
        filled(codes(edges[:, 0], edges[:, 3] + 1, dim), num_edges).astype(dtype),
        ends.astype(dtype),
        (np.arange(num_nodes) < n).astype(dtype),
        np.asarray(2 if released else 1, dtype),
        np.asarray(graph is not None, dtype),
    )
    return PaddedGraph(*found)


def stacked(graphs: Sequence[Graph | None], **shape: Any) -> PaddedGraph:
    """Several graphs, `padded` alike, with a leading axis."""
    return PaddedGraph(
        *map(np.stack, zip(*(padded(graph, **shape) for graph in graphs), strict=True))
    )


class GraphModule(nn.Module):
    """GINE layers on a graph whose nodes and edges carry slices of a vector. No parameter depends on it.

    Args:
        outputs: of the last layer.
        depth: GINE layers.
        dropout: before each layer, of nodes and of edges.

    Source: arXiv:2303.03340; GINE is that of arXiv:1905.12265 with a linear map and epsilon 0.
    """

    outputs: int = 1
    depth: int = 3
    dropout: float = 0.3

    @nn.compact
    def __call__(
        self, x: Float[Array, "b d"], graph: PaddedGraph, train: bool = False
    ) -> Float[Array, "b out"]:
        nodes = x[:, graph.node_slices] + graph.node_codes[None]
        edges = x[:, graph.edge_slices] + graph.edge_codes[None]
        first, second = graph.ends

        def dropped(values: Array) -> Array:
            return nn.Dropout(self.dropout, deterministic=not train)(values)

        for layer in range(self.depth):
            h, e = dropped(nodes), dropped(edges)
            arriving = jnp.einsum("en,bed->bnd", second, nn.relu(first[None] @ h + e))
            arriving += jnp.einsum("en,bed->bnd", first, nn.relu(second[None] @ h + e))
            nodes = nn.Dense(x.shape[1], name=f"layer_{layer}")(h + graph.copies * arriving)
        pooled = (graph.mask[None, :, None] * nodes).sum(1) / graph.mask.sum()
        return nn.Dense(self.outputs, name="out")(pooled)


class Encoder(nn.Module):
    """Pixels by patches, a convolutional residual block and a transformer's layer, averaged to a vector.

    Args:
        outputs: entries of the vector.
        grid: patches to a side; as many as panels unless told.
        width: of each.
        heads: of attention.

    Source: arXiv:2303.03340's encoder with 1 + 1 blocks instead of 3 + 2 and a smaller width. The
        convolution is a product over shifted copies, which XLA computes well for many networks at once.
    """

    outputs: int = 64
    grid: int = 3
    width: int = 32
    heads: int = 2

    @nn.compact
    def __call__(self, images: Float[Array, "b h w"]) -> Float[Array, "b d"]:
        b, side, width = images.shape[0], self.grid, self.width
        patch = images.shape[1] // side
        x = images.reshape(b, side, patch, side, patch).swapaxes(2, 3).reshape(b, side, side, -1)
        x = nn.Dense(width, name="patches")(x)
        around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        shifted = [around[:, i : i + side, j : j + side] for i in range(3) for j in range(3)]
        y = nn.Dense(width, use_bias=False, name="convolution")(jnp.concatenate(shifted, -1))
        axes = (-3, -2, -1)
        y = nn.LayerNorm(reduction_axes=axes, feature_axes=axes, name="norm")(y)
        y = nn.gelu(nn.Dense(width, use_bias=False, name="inner")(y))
        x = x + nn.Dense(width, use_bias=False, name="outer")(y)
        rows, columns = np.mgrid[:side, :side].reshape(2, -1)
        x = x.reshape(b, side * side, width)
        x = x + jnp.asarray(codes(columns, rows, width), x.dtype)[None]
        x = x + _Attention(self.heads, name="attention")(nn.LayerNorm(name="before")(x))
        y = nn.Dense(2 * width, name="up")(nn.LayerNorm(name="between")(x))
        x = x + nn.Dense(width, name="down")(nn.gelu(y))
        return nn.Dense(self.outputs, name="vector")(x.mean(1))


class _Attention(nn.Module):
    heads: int

    @nn.compact
    def __call__(self, x: Float[Array, "b n w"]) -> Float[Array, "b n w"]:
        width = x.shape[-1] // self.heads
        qkv = nn.Dense(3 * x.shape[-1], use_bias=False, name="in")(x)
        q, k, v = jnp.moveaxis(qkv.reshape(*x.shape[:2], 3, self.heads, width), 2, 0)
        shares = nn.softmax(jnp.einsum("bqhw,bkhw->bhqk", q, k) / math.sqrt(width))
        mixed = jnp.einsum("bhqk,bkhw->bqhw", shares, v).reshape(x.shape)
        return nn.Dense(x.shape[-1], use_bias=False, name="out")(mixed)
