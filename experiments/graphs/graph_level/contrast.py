"""A contrast between two thinned copies of each graph, which lose the edges that a scorer finds idle."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from experiments.kits.graph.operators import propagate
from experiments.kits.graph.segments import GraphsTuple, segment_sum
from experiments.kits.graph_sets.fitting import Forward, Step, averaged
from experiments.kits.graph_sets.pooling import graph_of_node, pooled

MOST = 0.95
"""No edge is dropped more often."""
KEPT = 0.7
"""Mean importance to which scores are held."""
BINARY, CONTRAST = 0.5, 0.2
"""Temperatures of the masks and of the loss."""


class Weights(NamedTuple):
    """What of the objective is switched on; data of the program, so that rivals share it.

    Args:
        contrast: weight of the contrast: 0 is the network alone.
        regular: weight of (mean importance - 0.7)^2, which keeps scores from 0 and 1.
        rate: mean share of edges that a copy loses.
        adaptive: 1 drops unimportant edges more often, 0 all alike, as GraphCL does.
    """

    contrast: Any = 0.1
    regular: Any = 1.0
    rate: Any = 0.2
    adaptive: Any = 1.0


def nt_xent(
    one: Float[Array, "B d"],
    other: Float[Array, "B d"],
    real: Bool[Array, "B"],
    *,
    temperature: float = CONTRAST,
) -> Float[Array, ""]:
    """-log of the share that a row's twin has among all 2B - 1 others, by cosine; the mean of 2B rows.

    Args:
        one, other: a row for each graph and copy; lengths do not matter.
        real: rows of empty places take no part.
        temperature: by which cosines are divided.

    Source: Chen et al., SimCLR, arXiv:2002.05709.
    """
    rows = jnp.concatenate([one, other])
    rows = rows / jnp.sqrt(jnp.maximum((rows**2).sum(1, keepdims=True), 1e-12))
    scores = rows @ rows.T / temperature
    both = jnp.tile(real, 2)
    allowed = both[None, :] & ~jnp.eye(len(rows), dtype=bool)
    scores = jnp.where(allowed, scores, -jnp.inf)
    twins = jnp.roll(jnp.arange(len(rows)), len(one))
    # An empty row has no finite score, and neither its loss nor its gradient may be nan.
    total = jax.nn.logsumexp(jnp.where(both[:, None], scores, 0.0), axis=1)
    own = jnp.where(both, scores[jnp.arange(len(rows)), twins], 0.0)
    return averaged(total - own, both)


def drop_probabilities(
    importance: Float[Array, "E"], batch: GraphsTuple, weights: Weights
) -> Float[Array, "E"]:
    """How often each edge is dropped: rate E (1 - w) / sum(1 - w) within its graph, at most 0.95.

    The mean number of dropped edges of a graph is its rate times its edges, where nothing is cut off.
    """
    real = jnp.asarray(batch.edges) > 0
    owner = graph_of_node(batch)[batch.receivers]
    number = batch.n_node.shape[0]
    spare = jnp.where(real, 1 - importance, 0.0)
    sums = segment_sum(jnp.stack([spare, real.astype(spare.dtype)], 1), owner, number)[owner]
    adaptive = spare * sums[:, 1] / jnp.maximum(sums[:, 0], 1e-6)
    share = weights.adaptive * adaptive + (1 - weights.adaptive) * real
    return jnp.minimum(weights.rate * share, MOST)


def concrete_mask(
    probabilities: Float[Array, "E"], batch: GraphsTuple, key: Array
) -> Float[Array, "E"]:
    """Between 0 and 1 for each edge, the same both ways; below 1/2 as often as `probabilities` say."""
    low = jnp.minimum(batch.senders, batch.receivers).astype(jnp.uint32)
    high = jnp.maximum(batch.senders, batch.receivers).astype(jnp.uint32)

    def uniform(low: Array, high: Array) -> Array:
        here = jax.random.fold_in(jax.random.fold_in(key, low), high)
        return jax.random.uniform(here, minval=1e-6, maxval=1 - 1e-6)

    noise = jax.vmap(uniform)(low, high)
    some = probabilities > 0
    safe = jnp.where(some, probabilities, 0.5)
    odds = jnp.log1p(-safe) - jnp.log(safe) + jnp.log(noise) - jnp.log1p(-noise)
    return jnp.where(some, jax.nn.sigmoid(odds / BINARY), 1.0)


class EdgeScorer(nn.Module):
    """Importance of each edge, from the sum and the distance of what its ends have become.

    Args:
        hidden: width.
    """

    hidden: int

    @nn.compact
    def __call__(self, batch: GraphsTuple) -> Float[Array, "E"]:
        h = batch.nodes
        for _ in range(2):
            h = nn.relu(nn.Dense(self.hidden)(jnp.concatenate([h, propagate(batch, h)], -1)))
        u, v = h[batch.senders], h[batch.receivers]
        x = nn.relu(nn.Dense(self.hidden)(jnp.concatenate([u + v, jnp.abs(u - v)], -1)))
        return jax.nn.sigmoid(nn.Dense(1)(x)[:, 0])


class _Encoder(nn.Module):
    """GIN whose norms are of each node alone, so that copies leave no trace in running averages."""

    hidden: int
    layers: int

    @nn.compact
    def __call__(self, batch: GraphsTuple) -> Float[Array, "B h"]:
        x, seen = batch.nodes, []
        for _ in range(self.layers):
            x = nn.Dense(self.hidden)(x + propagate(batch, x))
            x = nn.relu(nn.Dense(self.hidden)(nn.relu(nn.LayerNorm()(x))))
            seen += [pooled(batch, x), pooled(batch, x, "mean")]
        return nn.LayerNorm()(jnp.concatenate(seen, -1))


class UnifiedContrast(nn.Module):
    """A GIN for whole graphs that can also show two thinned copies of each, and how it thins.

    `model.apply(variables, batch)` gives outputs, `model.apply(variables, batch, method="importance")` a
    number between 0 and 1 for each edge. Trained by `fit(..., objective=contrastive, extras=Weights())`.

    Args:
        out: classes, or numbers to predict.
        hidden: width.
        layers: of message passing.
        dropout: before the last layer.

    Source: Li et al., arXiv:2501.00773v1; the scorer and its masks are reconstructed.
    """

    out: int
    hidden: int = 32
    layers: int = 3
    dropout: float = 0.5

    def setup(self) -> None:
        self.scorer = EdgeScorer(self.hidden)
        self.encoder = _Encoder(self.hidden, self.layers)
        self.head = nn.Dense(self.out)
        self.project = nn.Sequential([nn.Dense(self.hidden), nn.relu, nn.Dense(self.hidden)])
        self.drop = nn.Dropout(self.dropout)

    def __call__(self, batch: GraphsTuple, train: bool = False) -> Float[Array, "B out"]:
        vectors = self.encoder(batch)
        if self.is_initializing():
            self.project(vectors)
            self.scorer(batch)
        outputs: Array = self.head(self.drop(vectors, deterministic=not train))
        return outputs

    def importance(self, batch: GraphsTuple, train: bool = False) -> Float[Array, "E"]:
        """Of each edge, the same both ways."""
        scores: Array = self.scorer(batch)
        return scores

    def copies(
        self, batch: GraphsTuple, weights: Weights, key: Array, train: bool = False
    ) -> tuple[Float[Array, "2 B d"], Float[Array, "2 B out"], Float[Array, "E"]]:
        """Projections and outputs of two thinned copies of each graph, and each edge's importance."""
        scores = self.scorer(batch)
        chances = drop_probabilities(scores, batch, weights)
        projected, outputs = [], []
        for which in (0, 1):
            mask = concrete_mask(chances, batch, jax.random.fold_in(key, which))
            vectors = self.encoder(batch._replace(edges=batch.edges * mask))
            projected.append(self.project(vectors))
            outputs.append(self.head(self.drop(vectors, deterministic=not train)))
        return jnp.stack(projected), jnp.stack(outputs), scores


def contrastive(forward: Forward, step: Step, key: Array) -> Float[Array, ""]:
    """The task's loss, plus the contrast, plus what holds importances; `step.extras` are `Weights`.

    The task is asked of the graphs and of their copies, half and half, so that the scorer learns which
    edges it needs. Cross-entropy for classes, absolute error for numbers.
    """
    weights: Weights = step.extras
    assert isinstance(step.batch, GraphsTuple)  # type: ignore[misc]
    task_key, copy_key = jax.random.split(key)
    whole = _missed(forward(step.batch, task_key), step)
    projected, outputs, scores = forward(
        step.batch, task_key, weights=weights, key=copy_key, method="copies"
    )
    thinned = (_missed(outputs[0], step) + _missed(outputs[1], step)) / 2
    real = jnp.asarray(step.batch.edges) > 0
    held = (averaged(scores, real) - KEPT) ** 2
    contrast = nt_xent(projected[0], projected[1], step.real)
    return (whole + thinned) / 2 + weights.contrast * contrast + weights.regular * held


def _missed(outputs: Float[Array, "B out"], step: Step) -> Float[Array, ""]:
    if step.targets.ndim == 1:
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, step.targets)
    else:
        losses = jnp.abs(outputs - step.targets).mean(1)
    return averaged(losses, step.real)
