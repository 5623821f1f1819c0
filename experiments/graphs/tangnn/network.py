"""The network and its variants, with heads for nodes, for pairs of nodes and for whole graphs."""

from collections.abc import Mapping
from typing import Literal, get_args

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.graphs.tangnn.layers import (
    AttentionBlock,
    Graphs,
    Neighbourhood,
    Selected,
    TANGNNLayer,
    joined,
    linear,
    mask_of,
    mean_of,
)
from experiments.graphs.tangnn.selection import Mode, TopM, cosines
from experiments.kits.graph.features import Features, SparseFeatures
from experiments.kits.graph_sets.batches import DenseBatch
from experiments.kits.initialisation import FLAX, Rule, zeros
from ntkexec.errors import ExperimentError

Variant = Literal["base", "LC", "FLC", "NAI", "TAI", "public_tiled", "public_tiled_LC"]
Readout = Literal["node", "pair", "graph"]
VARIANTS: tuple[str, ...] = get_args(Variant)
READOUTS: tuple[str, ...] = get_args(Readout)


def auxiliary_rules() -> Mapping[str, Rule]:
    """How `initial_by_numpy` and `fit` draw the network's variables: Flax's rules, and two of its own."""
    return {**FLAX, "auxiliary": _normal, "constant": zeros}


def _normal(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return generator.normal(size=shape)


class TANGNN(nn.Module):
    """Layers of `TANGNNLayer` and a head; called as the kits' baselines are, it gives logits.

    Args:
        outputs: classes, or targets of a regression.
        hidden, m, mode, heads, dropout: as for `TANGNNLayer`.
        per_node, neighbours, gated, attended, constant: likewise.
        layers: of two hops each.
        variant: `base` selects from each layer's inputs; `LC` gives the head all layers beside each other;
            `FLC` runs neighbourhood and attention once, of `layers` blocks, and joins them at the end;
            `NAI` and `TAI` select from the neighbourhood's outputs, and TAI's head is linear.
            `public_tiled` and `public_tiled_LC` compute what two released scripts do instead, for
            comparison only: see `TiledLayer`.
        readout: logits of nodes (..., n, outputs); of pairs (..., p, outputs), of the rows of both
            ends beside each other; or of graphs (..., outputs), of the mean over nodes.

    Raises:
        ExperimentError: there is no such variant or readout, no layer, or pairs do not fit the readout.

    Source: E, Xia and Xu, arXiv:2411.15458; ejwww/TANGNN. Pairs and graphs are reconstructed: the
        public scripts classify nodes.
    """

    outputs: int
    hidden: int = 32
    m: int = 20
    layers: int = 2
    variant: Variant = "base"
    mode: Mode = "learn"
    readout: Readout = "node"
    heads: int = 1
    dropout: float | Array = 0.3
    per_node: bool = False
    neighbours: int = 0
    gated: float | Array = 1.0
    attended: float | Array = 1.0
    constant: float | Array = 0.0

    @nn.compact
    def __call__(
        self,
        graph: Graphs,
        train: bool = False,
        *,
        ranks: Float[Array, "*b n"] | None = None,
        pairs: Int[Array, "*b p 2"] | None = None,
    ) -> Float[Array, "*b outputs"]:
        """Logits.

        Args:
            graph: one, or `DenseBatch`; edges are weights, or ones.
            train: whether dropout is applied; needs `rngs={"dropout": key}`.
            ranks: select by these in every layer, as `TopM` says.
            pairs: of nodes, for the readout `pair`.
        """
        if self.variant not in VARIANTS or self.readout not in READOUTS or self.layers < 1:
            raise ExperimentError(
                f"no network of {self.layers} layers, variant {self.variant!r} and readout "
                f"{self.readout!r}: variants are {', '.join(VARIANTS)}, readouts {', '.join(READOUTS)}"
            )
        if (pairs is None) == (self.readout == "pair"):
            raise ExperimentError(f"pairs go with the readout 'pair', and this is {self.readout!r}")
        if not isinstance(graph, DenseBatch) and graph.n_node.shape != (1,):
            raise ExperimentError(
                f"{graph.n_node.shape[0]} graphs in one GraphsTuple would be selected from as one; "
                "give them as a DenseBatch"
            )
        rows = self._rows(graph, train, ranks)
        if self.readout == "pair":
            ends = [jnp.take_along_axis(rows, pairs[..., end, None], -2) for end in (0, 1)]  # type: ignore[index]
            rows = jnp.concatenate(ends, -1)
        elif self.readout == "graph":
            rows = _graph_mean(rows, graph)
        if self.variant != "TAI":
            width = self.hidden if self.variant == "FLC" else 2 * self.hidden
            rows = nn.relu(linear(rows, width, "head"))
        return linear(rows, self.outputs, "logits")

    def _rows(self, graph: Graphs, train: bool, ranks: Array | None) -> Array:
        if self.variant == "FLC":
            return self._once(graph, train, ranks)
        x, outputs = graph.nodes, []
        for layer in range(self.layers):
            if self.variant.startswith("public_tiled"):
                tiled = TiledLayer(
                    self.hidden, self.m, self.heads, self.dropout, name=f"layer_{layer}"
                )
                x, attended = tiled(x, graph, train)
                outputs.append(attended if self.variant == "public_tiled_LC" else x)
                continue
            made = TANGNNLayer(
                self.hidden, self.m, self.mode, self.heads, self.dropout,
                "neighbourhood" if self.variant in ("NAI", "TAI") else "inputs",
                self.per_node, self.neighbours, self.gated, self.attended, self.constant,
                name=f"layer_{layer}",
            )  # fmt: skip
            x = made(x, graph, train, ranks=ranks)
            outputs.append(x)
        every = self.variant in ("LC", "public_tiled_LC")
        return jnp.concatenate(outputs, -1) if every else outputs[-1]

    def _once(self, graph: Graphs, train: bool, ranks: Array | None) -> Array:
        """Both parts once: selection of the features led to the width linearly, several blocks."""
        if self.per_node or self.neighbours:
            raise ExperimentError("FLC has neither per_node nor neighbours")
        near = Neighbourhood(self.hidden, self.dropout, last=False, name="near")(
            graph.nodes, graph, train
        )
        source = linear(graph.nodes, self.hidden, "embed")
        top = TopM(self.m, self.mode, gated=self.gated, name="top")
        found = top(source, mask_of(graph), ranks=ranks, train=train)
        far = jnp.zeros_like(near)
        if found.indices.shape[-1]:
            far = Selected(self.hidden, "neighbourhood", name="rows")(source, found)
            for block in range(self.layers):
                made = AttentionBlock(self.hidden, self.heads, name=f"attention_{block}")
                far = made(far, far, found.chosen)
            far = mean_of(far, found)
        return joined(self, near, far)


class TiledLayer(nn.Module):
    """The released main and LC scripts' wiring, which depends on how nodes are numbered.

    Node i gets row i mod m of the selected, not attended to. Attention runs over all n nodes, at a
    cost of n^2; the main script throws its result away. Where features have another width than
    `hidden`, they are compared with a vector of ones. Nothing trains the auxiliary vector.

    Args:
        hidden, m, heads, dropout: as for `TANGNNLayer`.

    Source: ejwww/TANGNN, the scripts TANGNN and TANGNN-LC.
    """

    hidden: int = 32
    m: int = 20
    heads: int = 1
    dropout: float | Array = 0.3

    @nn.compact
    def __call__(self, x: Features, graph: Graphs, train: bool = False) -> tuple[Array, Array]:
        """What goes to the next layer, (..., n, 2h), and what attention gives, (..., n, h)."""
        if isinstance(x, SparseFeatures) or self.m < 1:
            raise ExperimentError(
                f"public_tiled needs dense features and m of 1 or more, not {self.m}"
            )
        near = Neighbourhood(self.hidden, self.dropout, name="near")(x, graph, train)
        flat = cosines(x, jnp.ones(x.shape[-1])) if x.shape[-1] != self.hidden else None
        found = TopM(self.m, "random", name="top")(x, mask_of(graph), ranks=flat)
        rows = jnp.take_along_axis(x, found.indices[..., None], -2)
        rows = nn.relu(linear(rows, 2 * self.hidden, "widen"))
        rows = nn.relu(linear(rows, self.hidden, "narrow"))
        far = jnp.take(rows, jnp.arange(near.shape[-2]) % rows.shape[-2], axis=-2)
        both = jnp.concatenate([near, far], -1)
        adjusted = linear(both, self.hidden, "adjust")
        mask = mask_of(graph)
        there = jnp.ones(near.shape[:-1], bool) if mask is None else mask
        block = AttentionBlock(self.hidden, self.heads, name="attention")
        return both, block(adjusted, adjusted, there)


def _graph_mean(rows: Array, graph: Graphs) -> Array:
    if isinstance(graph, DenseBatch):
        there = jnp.asarray(graph.mask)[..., None]
        return (rows * there).sum(-2) / jnp.maximum(there.sum(-2), 1)
    return rows.mean(-2)
