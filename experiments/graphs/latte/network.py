"""The network: layer t attends over the links of all metapaths of order t, and weighs the metapaths."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.graphs.latte.paths import PathGraph
from experiments.kits.graph.features import Dense, Dropout
from experiments.kits.graph.segments import segment_max, segment_sum
from experiments.kits.initialisation import FLAX, glorot_normal
from experiments.kits.nodes.fitting import Forward, Problem, supervised
from experiments.kits.typed.device import Links
from experiments.kits.typed.layers import TypeEncoder, attended, link_softmax, side_by_side
from experiments.kits.typed.operators import Metapath
from ntkexec.errors import ExperimentError

XAVIER = {
    **FLAX,
    **dict.fromkeys(("kernel", "embedding", "attention", "sender_attention"), glorot_normal),
}
"""Rules for `initial_by_numpy`, as the public code begins."""
NEGATIVES = 2
"""Pairs without a link that are drawn for each link."""


class Attention(NamedTuple):
    """What one layer gave to each link and each metapath.

    Args:
        shares: (k, heads) by metapath; over a head node's links they sum to 1, or are all 0.
        weights: (n, metapaths + 1) by head type: of its metapaths in sorted order, and last of the node
            itself; rows sum to 1.
        loss: the mean over metapaths of their proximity loss; 0 if it was not asked for.
    """

    shares: dict[Metapath, Float[Array, "k h"]]
    weights: dict[str, Float[Array, "n m"]]
    loss: Float[Array, ""]


class _Scored(NamedTuple):
    """All metapaths of a layer, block by block: their links, and what makes a link's score."""

    links: Links
    left: Float[Array, "r h"]
    right: Float[Array, "s h"]
    sharpness: Float[Array, " r"]

    def raw(self, rows: Int[Array, " k"], columns: Int[Array, " k"]) -> Float[Array, "k h"]:
        return self.left[rows] + self.right[columns]

    def sharpened(self, rows: Int[Array, " k"], raw: Float[Array, "k *h"]) -> Float[Array, "k *h"]:
        factor = self.sharpness[rows].reshape(-1, *(1,) * (raw.ndim - 1))
        return factor * nn.leaky_relu(raw, 0.2)


class _Scores(nn.Module):
    """What both ends add to a link's score, by head, and the factor that sharpens it."""

    @nn.compact
    def __call__(
        self, head: Float[Array, "n h f"], tail: Float[Array, "s h f"]
    ) -> tuple[Float[Array, "n h"], Float[Array, "s h"], Float[Array, " n"]]:
        def scored(rows: Array, name: str) -> Array:
            shape = rows.shape[1:]
            vector = self.param(name, nn.initializers.glorot_normal(), shape, jnp.float32)
            return (rows * vector[None]).sum(-1)

        sharpness = self.param("scale", nn.initializers.ones, (), jnp.float32)
        every = jnp.broadcast_to(sharpness, (head.shape[0],))
        return scored(head, "attention"), scored(tail, "sender_attention"), every


class LATTEConv(nn.Module):
    """One layer: attention over each metapath's links, then over metapaths and the node itself.

    With l = W_l h of the head and r = W_r h of the tails, a metapath m scores a link sharp_m
    leaky(a_l . l + a_r . r), softmax over the head's links gives shares, and the new row is
    relu(sum_m weight_m sum_j share_j r_j + weight_self l), weights a softmax of C h + c.

    Args:
        features: width of the result.
        num_heads: of the attention, dividing the width.
        dropout: of the shares.
        uniform: 0 for the paper's weights of metapaths, 1 for equal ones. A number, so that it can be
            data of a compiled program.
        proximity: whether the proximity loss of the links is taken, which draws from `dropout`.

    Raises:
        ExperimentError: heads do not divide the width.

    Source: Tran and Gao, arXiv:2009.08072, section 4; its public code.
    """

    features: int
    num_heads: int = 2
    dropout: float = 0.2
    uniform: float = 0.0
    proximity: bool = False

    @nn.compact
    def __call__(
        self,
        rows: Mapping[str, Float[Array, "n d"]],
        links: Mapping[Metapath, Links],
        kinds: Sequence[str],
        train: bool = False,
    ) -> tuple[dict[str, Float[Array, "n d"]], Attention]:
        """New rows of some types.

        Args:
            rows: of the heads' and the tails' types.
            links: by metapath; those of other heads are not read.
            kinds: the heads' types.
            train: whether dropout is applied.
        """
        if self.features % self.num_heads:
            raise ExperimentError(
                f"{self.num_heads} heads do not divide a width of {self.features}"
            )
        used = {path: of for path, of in sorted(links.items()) if path[0][2] in kinds}
        tails = {path[-1][0] for path in used}
        shape = (-1, self.num_heads, self.features // self.num_heads)
        left = {k: Dense(self.features, name=f"left_{k}")(rows[k]) for k in sorted(kinds)}
        right = {
            k: Dense(self.features, name=f"right_{k}")(rows[k]).reshape(shape)
            for k in sorted(tails)
        }
        heads = [left[path[0][2]].reshape(shape) for path in used]
        senders = [right[path[-1][0]] for path in used]
        ends = zip(used, heads, senders, strict=True)
        parts = [_Scores(name=path_key(path))(head, tail) for path, head, tail in ends]
        scored = _Scored(
            side_by_side(list(used.values())),
            *(jnp.concatenate(part) for part in zip(*parts, strict=True)),
        )
        of = scored.links
        shares = link_softmax(of, scored.sharpened(of.rows, scored.raw(of.rows, of.columns)))
        dropped = Dropout(self.dropout)(shares, train=train)
        arrived = attended(of, dropped, jnp.concatenate(senders))
        by_path = dict(zip(used, _split(arrived, [len(head) for head in heads]), strict=True))
        new, weights = {}, {}
        for kind in sorted(kinds):
            paths = [path for path in used if path[0][2] == kind]
            logits = Dense(len(paths) + 1, name=f"weights_{kind}")(rows[kind])
            weights[kind] = jax.nn.softmax((1 - self.uniform) * logits, axis=1)
            total = weights[kind][:, -1:] * left[kind]
            for place, path in enumerate(paths):
                total = total + weights[kind][:, place : place + 1] * by_path[path]
            new[kind] = nn.relu(total)
        loss = self._proximity(scored, shares, list(used.values())) if self.proximity else 0.0
        each = _split(shares, [len(part.rows) for part in used.values()])
        return new, Attention(dict(zip(used, each, strict=True)), weights, jnp.asarray(loss))

    def _proximity(self, scored: _Scored, shares: Array, parts: Sequence[Links]) -> Array:
        """At pairs without a link that are drawn anew each call, as many for each path's links."""
        of = scored.links
        best = scored.raw(of.rows, of.columns).max(1)
        numbers = [len(part.rows) for part in parts]
        group = np.repeat(np.arange(len(parts)), numbers)
        drawn, groups = [], np.tile(group, NEGATIVES)
        for side, key in enumerate(jax.random.split(self.make_rng("dropout"))):
            sizes = np.array([part.shape[side] for part in parts])
            starts = (np.cumsum(sizes) - sizes)[groups]
            drawn.append(jax.random.randint(key, groups.shape, starts, starts + sizes[groups]))
        rows, columns = drawn
        return proximity_loss(
            scored.sharpened(of.rows, best),
            shares.max(1),
            scored.sharpened(rows, scored.raw(rows, columns).max(1)),
            there=of.values > 0,
            absent=~is_linked(of, rows, columns),
            groups=(group, groups),
        )


class LATTE(nn.Module):
    """Layer-stacked attention: logits (n, classes) of the target's nodes.

    Args:
        classes: of the output.
        hidden: width of each layer.
        layers: as many as the graph has orders: LATTE-1, LATTE-2, ...
        num_heads: of each layer.
        dropout: of the first rows and of shares.
        last_dropout: of all layers' rows, side by side, before the last matrix.
        uniform: as for `LATTEConv`.
        threshold: a composed link stays if in the layers before two links that make it have a share of
            at least this, in their best head; if none of a metapath has, its largest counts. The public
            code's default is 0.5. At 0 or below all stay. A number, so that it can be data of a compiled
            program; the graph must have wedges unless it is None.
        proximity: whether a call in training gives logits and the proximity loss of all its links.

    A call in training needs `rngs={"dropout": key}`. `intermediates` hold the attention of each layer.

    Source: Tran and Gao, arXiv:2009.08072; its public code.
    """

    classes: int
    hidden: int = 128
    layers: int = 2
    num_heads: int = 2
    dropout: float = 0.2
    last_dropout: float = 0.4
    uniform: float = 0.0
    threshold: float | None = None
    proximity: bool = False

    @nn.compact
    def __call__(self, graph: PathGraph, train: bool = False) -> Any:
        arrays = graph.arrays
        if self.threshold is not None and self.layers > 1 and not graph.wedges:
            raise ExperimentError("a threshold needs a graph with wedges: path_graph(wedges=True)")
        needed = self._needed(graph)
        rows = TypeEncoder(self.hidden, needed[0], self.dropout, name="encoder")(arrays, train)
        outputs, losses = [], []
        strong: dict[Metapath, Array] = {}
        for layer in range(1, self.layers + 1):
            links = graph.of_order(layer)
            if layer > 1 and self.threshold is not None:
                links = {path: _surviving(graph, path, of, strong) for path, of in links.items()}
            fields = (self.hidden, self.num_heads, self.dropout, self.uniform)
            conv = LATTEConv(*fields, self.proximity and train, name=f"layer_{layer}")
            rows, found = conv(rows, links, needed[layer], train)
            self.sow("intermediates", "attention", found)
            if self.threshold is not None:
                for path, shares in found.shares.items():
                    strong[path] = _strong(shares.max(1), self.threshold)
            losses.append(found.loss)
            outputs.append(rows[arrays.target])
        pooled = Dropout(self.last_dropout)(jnp.concatenate(outputs, axis=1), train=train)
        logits = nn.Dense(self.classes, name="last")(pooled)
        return (logits, sum(losses)) if self.proximity and train else logits

    def _needed(self, graph: PathGraph) -> list[tuple[str, ...]]:
        """Types whose rows are needed before the first layer and after each."""
        found: list[tuple[str, ...]] = [(graph.arrays.target,)]
        for layer in range(self.layers, 0, -1):
            heads = set(found[0])
            if graph.wedges and layer < self.layers:
                heads = {path[0][2] for path in graph.of_order(layer)}
                found[0] = tuple(sorted(heads))
            tails = {path[-1][0] for path in graph.of_order(layer) if path[0][2] in heads}
            found.insert(0, tuple(sorted(tails | heads)))
        return found


def proximity_loss(
    scores: Float[Array, " k"],
    weights: Float[Array, " k"],
    others: Float[Array, " o"],
    *,
    there: Bool[Array, " k"] | None = None,
    absent: Bool[Array, " o"] | None = None,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
) -> Float[Array, ""]:
    """Half of -mean weight log sigmoid(score) over links and half of -mean log sigmoid(-score) over others.

    Args:
        scores: of links, from the maximum over heads of what both ends add; with several heads these
            are not the scores that the attention has.
        weights: of links, such as their largest share over heads.
        others: scores of pairs without a link.
        there: which links count; all if there is none.
        absent: which of the others count.
        groups: to which metapath each link and each other pair belongs; the loss is the mean over them.

    Returns:
        At least 0; with scores of 0 and weights of 1 it is log 2.

    Source: Tran and Gao, arXiv:2009.08072, section 4; its public code.
    """
    number = 1 if groups is None else int(groups[0].max()) + 1
    near, far = -weights * jax.nn.log_sigmoid(scores), -jax.nn.log_sigmoid(-jnp.asarray(others))
    total = jnp.zeros((), near.dtype)
    for place, (values, mask) in enumerate(((near, there), (far, absent))):
        mask = jnp.ones(values.shape, bool) if mask is None else mask
        group = np.zeros(values.shape, int) if groups is None else groups[place]
        counted = jnp.stack([jnp.where(mask, values, 0), mask.astype(values.dtype)], 1)
        sums = segment_sum(counted, jnp.asarray(group), number)
        total = total + 0.5 * (sums[:, 0] / jnp.maximum(sums[:, 1], 1)).mean()
    return total


def with_proximity(forward: Forward, problem: Problem, key: Array) -> Float[Array, ""]:
    """Cross-entropy plus the proximity loss: an objective of `fit` for a LATTE with `proximity`."""
    losses = []

    def logits(graph: Any, key: Array) -> Array:
        found, loss = forward(graph, key)
        losses.append(loss)
        return found

    return supervised(logits, problem, key) + losses[0]


def is_linked(links: Links, heads: Int[Array, " o"], tails: Int[Array, " o"]) -> Bool[Array, " o"]:
    """Whether each pair of a head and a tail has a link, by bisection of the head's sorted tails."""
    starts, ends = links.row_starts[heads], links.row_starts[heads + 1]
    columns = jnp.asarray(links.columns)
    last = len(links.columns) - 1

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) // 2
        before = (columns[jnp.minimum(middle, last)] < tails) & (low < high)
        return jnp.where(before, middle + 1, low), jnp.where(before, high, middle)

    steps = max(1, len(links.columns).bit_length())
    low, _ = jax.lax.fori_loop(0, steps, halve, (jnp.asarray(starts), jnp.asarray(ends)))
    place = jnp.minimum(low, last)
    return (low < ends) & (columns[place] == tails) & (jnp.asarray(links.values)[place] > 0)


def path_key(path: Metapath) -> str:
    """Names of a metapath's relations, which tell it from all others."""
    return ".".join(name for _, name, _ in path)


def _split(rows: Array, sizes: Sequence[int]) -> list[Array]:
    return jnp.split(rows, np.cumsum(sizes)[:-1].tolist())


def _strong(shares: Array, threshold: float | Array) -> Array:
    """Links of at least this share, or of the largest if there are none."""
    return shares >= jnp.minimum(jnp.asarray(threshold, shares.dtype), shares.max())


def _surviving(
    graph: PathGraph, path: Metapath, links: Links, strong: Mapping[Metapath, Array]
) -> Links:
    """The composed links that two strong ones make; the others weigh nothing."""
    wedges = graph.wedges[path]
    made = strong[path[:-1]][wedges.first] & strong[path[-1:]][wedges.second]
    some = segment_max(made.astype(jnp.float32), wedges.made, len(links.values))
    values = jnp.where(some > 0, links.values, 0)
    return dataclasses.replace(links, values=values)
