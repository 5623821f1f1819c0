"""Which m nodes are attended to: those most like an auxiliary vector, which may learn or look away."""

from typing import Any, Literal, NamedTuple, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.graph.features import Features, SparseFeatures, times
from experiments.kits.graph.segments import segment_sum
from ntkexec.errors import ExperimentError

Mode = Literal["random", "learn", "rotate"]
MODES: tuple[str, ...] = get_args(Mode)


class Selection(NamedTuple):
    """The selected nodes of each graph, most alike first.

    Args:
        indices: (..., m), of nodes.
        chosen: (..., m), whether there is such a node; graphs smaller than m have fewer.
        gates: (..., m), by which the rows of the selected are multiplied.
        scores: (..., n), of all nodes.
        tied: (...), whether the last selected node scores as much as the best that was not: which of
            them is taken depends on the numbering of nodes.
    """

    indices: Int[Array, "*b m"]
    chosen: Bool[Array, "*b m"]
    gates: Float[Array, "*b m"]
    scores: Float[Array, "*b n"]
    tied: Bool[Array, "*b"]


def cosines(x: Features, a: Float[Array, " d"]) -> Float[Array, "*b n"]:
    """The cosine between each node's rectified features and `a`; 0 for a node that has none."""
    squares: Array
    if isinstance(x, SparseFeatures):
        rectified: Any = SparseFeatures(**{**vars(x), "values": nn.relu(jnp.asarray(x.values))})
        squares = segment_sum(jnp.square(rectified.values), x.rows, x.shape[0])
    else:
        rectified = nn.relu(x)
        squares = jnp.square(rectified).sum(-1)
    a = jnp.asarray(a)
    unit = a / jnp.sqrt(_positive(jnp.square(a).sum()))
    unit = unit.astype(squares.dtype)
    found: Array
    if isinstance(rectified, SparseFeatures):
        found = times(rectified, unit[:, None])[:, 0]
    else:
        found = jnp.einsum("...d,d->...", rectified, unit)
    return found / jnp.sqrt(_positive(squares))


def _positive(square: Array) -> Array:
    # Not a small number added: scores would no longer be those of the same features in other units.
    return jnp.where(square > 0, square, 1)


def looked_away(a: Float[Array, " d"], mean: Float[Array, " d"]) -> Float[Array, " d"]:
    """The vector without its part along the mean of all features, at length 1.

    The public code's formula leaves the division by |mean|^2 out, and nothing calls it.
    """
    along = (a @ mean) / _positive(mean @ mean)
    rest = a - along * mean
    return rest / jnp.sqrt(_positive(rest @ rest))


class TopM(nn.Module):
    """The m nodes of each graph whose features are most like an auxiliary vector, by cosine.

    Args:
        m: nodes selected; all of a graph that has fewer.
        mode: `learn` multiplies the rows of the selected by sigmoid(sharpness * cosine), through which
            the vector has a gradient; `random` leaves it as it was drawn, since a selection has no
            gradient; `rotate` takes out of it, whenever it is called to train, the direction of the mean
            feature, itself a mean over calls. Its vector and mean are in `batch_stats`.
        sharpness: of the gate.
        momentum: of the mean.
        gated: 1 for the gate of `learn`, 0 for none, or between. A number, so that it can be data of a
            compiled program.

    Raises:
        ExperimentError: there is no such mode, or m is negative.
    """

    m: int
    mode: Mode = "learn"
    sharpness: float = 4.0
    momentum: float = 0.9
    gated: float | Array = 1.0

    @nn.compact
    def __call__(
        self,
        x: Features,
        mask: Bool[Array, "*b n"] | None = None,
        *,
        ranks: Float[Array, "*b n"] | None = None,
        train: bool = False,
    ) -> Selection:
        """Selects.

        Args:
            x: (..., n, d); graphs have the same number of nodes, with those of the mask.
            mask: nodes that there are; all if not given.
            ranks: scores to select by instead of cosines, where they are not NaN.
            train: whether `rotate` turns.
        """
        if self.mode not in MODES or self.m < 0:
            raise ExperimentError(
                f"{self.m!r} nodes cannot be selected in the mode {self.mode!r}: modes are "
                f"{', '.join(MODES)}, and m is at least 0"
            )
        mask = jnp.ones(x.shape[:-1], bool) if mask is None else jnp.asarray(mask)
        cosine = cosines(x, self._vector(x, mask, train))
        scores = cosine
        if ranks is not None:
            scores = jnp.where(jnp.isnan(ranks), cosine, ranks)
        n = scores.shape[-1]
        m = min(self.m, n)
        ordered, indices = jax.lax.top_k(jnp.where(mask, scores, -jnp.inf), min(m + 1, n))
        chosen = jnp.take_along_axis(mask, indices, -1)
        tied = jnp.zeros(scores.shape[:-1], bool)
        if 0 < m < n:
            tied = (ordered[..., m - 1] == ordered[..., m]) & chosen[..., m]
        indices, chosen = indices[..., :m], chosen[..., :m]
        self.sow("intermediates", "selected", indices)
        self.sow("intermediates", "tied", tied)
        gates = chosen.astype(scores.dtype)
        if self.mode == "learn":
            opened = nn.sigmoid(self.sharpness * jnp.take_along_axis(cosine, indices, -1))
            gates = gates * (1 - self.gated + self.gated * opened)
        return Selection(indices, chosen, gates, scores, tied)

    def _vector(self, x: Features, mask: Array, train: bool) -> Array:
        width = x.shape[-1]
        draw = nn.initializers.normal(1.0)
        if self.mode != "rotate":
            found: Array = self.param("auxiliary", draw, (width,), jnp.float32)
            return found
        kept = self.variable(
            "batch_stats", "auxiliary", lambda: draw(self.make_rng("params"), (width,))
        )
        mean = self.variable("batch_stats", "mean", lambda: jnp.zeros(width))
        if train and not self.is_initializing():
            mean.value = self.momentum * mean.value + (1 - self.momentum) * _mean(x, mask)
            kept.value = looked_away(kept.value, mean.value)
        return jnp.asarray(kept.value)


def _mean(x: Features, mask: Array) -> Float[Array, " d"]:
    """Of the features of all nodes that there are; the auxiliary vector is never differentiated here."""
    weights = jnp.asarray(mask) / mask.sum()
    if isinstance(x, SparseFeatures):
        shares = jnp.asarray(x.values) * weights[x.rows]
        return segment_sum(shares, x.columns, x.shape[1])
    return jax.lax.stop_gradient((weights[..., None] * x).reshape(-1, x.shape[-1]).sum(0))
