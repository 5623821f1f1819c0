"""One encoder for all methods, their heads, and the corrupted views of a graph that they learn from."""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.graph.features import Dense, Features, SparseFeatures, times
from experiments.kits.graph.operators import num_nodes
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import FLAX, Rule, zeros
from ntkexec.errors import ExperimentError

RULES: dict[str, Rule] = {**FLAX, "token": zeros, "first_bias": zeros, "second_bias": zeros}


class View(NamedTuple):
    """What the encoder reads.

    Args:
        features: (n, F).
        operators: for each layer, from its inputs to its outputs; the same one where all nodes are
            computed.
        masked: (n,), 1 where the learnt token stands for the features (which are then zero).
    """

    features: Features
    operators: tuple[Features, Features]
    masked: Float[Array, " n"]


class Encoder(nn.Module):
    """Two graph convolutions: ReLU of a layer norm after the first, nothing after the second.

    Norms are of single nodes, so a node's embedding needs its two hops and nothing else.

    Args:
        width: of both layers.
    """

    width: int

    @nn.compact
    def __call__(self, view: View) -> tuple[Float[Array, "n h"], Float[Array, "m h"]]:
        first = Dense(self.width, use_bias=False, name="first")
        token = self.param("token", nn.initializers.zeros, (1, view.features.shape[1]), jnp.float32)
        x = first(view.features) + view.masked[:, None] * first(token)
        hidden = times(view.operators[0], x) + self._bias("first_bias")
        hidden = nn.relu(nn.LayerNorm(name="norm")(hidden))
        x = Dense(self.width, use_bias=False, name="second")(hidden)
        return hidden, times(view.operators[1], x) + self._bias("second_bias")

    def _bias(self, name: str) -> Float[Array, "1 h"]:
        found: Array = self.param(name, nn.initializers.zeros, (1, self.width), jnp.float32)
        return found


class _Kernel(nn.Module):
    width: int

    @nn.compact
    def __call__(self, features: Features) -> Array:
        shape = (self.width, features.shape[1])
        found: Array = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        return found


class Network(nn.Module):
    """The encoder and every method's head; what a method does not use gets no gradient.

    Args:
        width: of the encoder and the heads.
    """

    width: int = 64

    def setup(self) -> None:
        self.encoder = Encoder(self.width)
        self.predictor = [Dense(self.width), Dense(self.width)]
        self.projector = [Dense(self.width), Dense(self.width)]
        self.bridge = Dense(self.width, use_bias=False)
        self.decoder = _Kernel(self.width)
        self.judge = [Dense(self.width), Dense(1)]

    def __call__(self, view: View) -> Any:
        """Everything once, for its shapes."""
        hidden, z = self.encode(view)
        judged = self.judged((hidden, z), jnp.zeros((1, 2), jnp.int32))
        return self.predict(z), self.project(z), self.bridged(z), self.kernel(view.features), judged

    def encode(self, view: View) -> tuple[Array, Array]:
        """Both layers' rows; the second ones are the embeddings."""
        found: tuple[Array, Array] = self.encoder(view)
        return found

    def predict(self, z: Float[Array, "n h"]) -> Float[Array, "n h"]:
        """BGRL's predictor."""
        return self.predictor[1](nn.relu(self.predictor[0](z)))

    def project(self, z: Float[Array, "n h"]) -> Float[Array, "n h"]:
        """GCA's projector."""
        return self.projector[1](nn.elu(self.projector[0](z)))

    def bridged(self, z: Float[Array, "n h"]) -> Float[Array, "n h"]:
        """GraphMAE's linear map from encoder to decoder."""
        return self.bridge(z)

    def kernel(self, features: Features) -> Float[Array, "h F"]:
        """GraphMAE's last map, from the decoder's rows to features."""
        return self.decoder(features)

    def judged(self, layers: tuple[Array, Array], pairs: Int[Array, "p 2"]) -> Float[Array, " p"]:
        """S2GAE's decoder: logits of pairs from the products of every layer with every other."""
        ends = [[rows[pairs[:, side]] for rows in layers] for side in (0, 1)]
        products = [u * v for u in ends[0] for v in ends[1]]
        return self.judge[1](nn.relu(self.judge[0](jnp.concatenate(products, 1))))[:, 0]


class Problem(NamedTuple):
    """A graph to be pre-trained on, and how its views are corrupted, on the device.

    Args:
        features: (n, F).
        structure: (n, n), an entry for each direction of each pair and each node's loop.
        pair_of: (E,), the pair behind each entry; one more than the last for loops.
        pairs: (m, 2), undirected edges; those beyond the graph's own are padding.
        real: (m,), 1 for the graph's own.
        edge_drop: (2, m), for each view the chance that a pair is left out.
        feature_drop: (2, F), for each view the chance that a feature is zero for all nodes.
        mask_rate: of nodes whose features the token replaces, in the first view.
    """

    features: Features
    structure: SparseFeatures
    pair_of: Int[Array, " E"]
    pairs: Int[Array, "m 2"]
    real: Float[Array, " m"]
    edge_drop: Float[Array, "2 m"]
    feature_drop: Float[Array, "2 F"]
    mask_rate: Float[Array, ""]


def pairs_of(graph: GraphsTuple) -> Int[np.ndarray, "m 2"]:
    """The undirected edges of a graph, each once as (u, v) with u < v.

    Raises:
        ExperimentError: the graph has a loop, weights, an edge in one direction only or one twice.
    """
    senders, receivers = np.asarray(graph.senders), np.asarray(graph.receivers)
    up = senders < receivers
    pairs = np.unique(np.stack([senders, receivers], 1)[up], axis=0)
    back = np.unique(np.stack([receivers, senders], 1)[senders > receivers], axis=0)
    if graph.edges is not None or 2 * len(pairs) != len(senders) or not np.array_equal(pairs, back):
        raise ExperimentError(
            f"pre-training takes an undirected graph, each edge both ways, without weights and loops; "
            f"this one has {len(senders)} edges, {len(pairs)} of them upwards, "
            f"{int((senders == receivers).sum())} loops and "
            f"{'no weights' if graph.edges is None else 'weights'}"
        )
    return pairs


def problem_of(graph: GraphsTuple, *, room: int = 0) -> Problem:
    """A graph without corruption, in NumPy; `_replace` its chances.

    Args:
        graph: undirected, with dense or sparse features.
        room: pairs that there are with padding, so that graphs of fewer edges share a program;
            nothing of the padding reaches a node.

    Raises:
        ExperimentError: the graph has more edges than `room`, or is none to be pre-trained on.
    """
    pairs, n = pairs_of(graph), num_nodes(graph)
    own, room = len(pairs), max(room, 1) if room else max(len(pairs), 1)
    if own > room:
        raise ExperimentError(f"a graph of {own} edges does not fit into room for {room}")
    # Padding is of weight 0 and lies at the end, beside the last node's loop.
    pairs = np.concatenate([pairs, np.full((room - own, 2), n - 1)])
    loops, index = np.arange(n), np.arange(room)
    rows, columns = np.r_[pairs[:, 0], pairs[:, 1], loops], np.r_[pairs[:, 1], pairs[:, 0], loops]
    pair_of = np.r_[index, index, np.full(n, room)]
    order = np.lexsort((columns, rows))
    rows, columns, pair_of = rows[order], columns[order], pair_of[order]
    by_column = np.lexsort((rows, columns))
    at = np.arange(n + 1)
    starts = np.searchsorted(rows, at), np.searchsorted(columns[by_column], at)
    arrays = (rows, columns, starts[0], by_column, starts[1])
    structure = SparseFeatures(
        np.ones(len(rows), np.float32), *(each.astype(np.int32) for each in arrays), (n, n)
    )  # type: ignore[call-arg] # the checker counts no starred arguments
    return Problem(
        features=graph.nodes,
        structure=structure,
        pair_of=pair_of.astype(np.int32),  # type: ignore[arg-type] # NumPy until a program takes them
        pairs=pairs.astype(np.int32),  # type: ignore[arg-type]
        real=(index < own).astype(np.float32),  # type: ignore[arg-type]
        edge_drop=np.zeros((2, room), np.float32),  # type: ignore[arg-type]
        feature_drop=np.zeros((2, graph.nodes.shape[1]), np.float32),  # type: ignore[arg-type]
        mask_rate=np.float32(0),  # type: ignore[arg-type]
    )


def operator_of(problem: Problem, kept: Float[Array, " m"]) -> SparseFeatures:
    """The symmetrically normalised operator with self-loops of the pairs that are kept.

    Args:
        problem: whose structure it has.
        kept: 1 for a pair that is kept, 0 for one that is left out, its degrees with it.
    """
    structure = problem.structure
    weights = jnp.append(kept, jnp.ones(1, kept.dtype))[problem.pair_of]
    counted = dataclasses.replace(structure, values=weights)
    scale = jax.lax.rsqrt(times(counted, jnp.ones((structure.shape[1], 1), kept.dtype))[:, 0])
    values = weights * scale[structure.rows] * scale[structure.columns]
    return dataclasses.replace(structure, values=values)


def whole(problem: Problem) -> View:
    """The graph as it is."""
    operator = operator_of(problem, jnp.asarray(problem.real))
    return View(problem.features, (operator, operator), jnp.zeros(operator.shape[0]))


class Drawn(NamedTuple):
    """Two corrupted views, and what was left out of them.

    Args:
        views: of one graph.
        kept: (2, m), the pairs that are left in each.
    """

    views: tuple[View, View]
    kept: Bool[Array, "2 m"]


def draw_views(problem: Problem, key: Array) -> Drawn:
    """Two views with pairs, features and nodes left out by the problem's chances."""
    edges, features, nodes = jax.random.split(key, 3)
    kept = jax.random.uniform(edges, problem.edge_drop.shape) >= problem.edge_drop
    kept = kept & (problem.real > 0)[None, :]
    columns = jax.random.uniform(features, problem.feature_drop.shape) >= problem.feature_drop
    n = problem.structure.shape[0]
    masked = (jax.random.uniform(nodes, (n,)) < problem.mask_rate).astype(jnp.float32)
    views = []
    for side, hidden in enumerate((masked, jnp.zeros_like(masked))):
        operator = operator_of(problem, kept[side].astype(jnp.float32))
        shown = _scaled(problem.features, 1 - hidden, columns[side])
        views.append(View(shown, (operator, operator), hidden))
    return Drawn((views[0], views[1]), kept)


def lengths_of(features: Features) -> Float[Array, " n"]:
    """The length of each node's features."""
    if not isinstance(features, SparseFeatures):
        return jnp.sqrt((jnp.asarray(features) ** 2).sum(1))
    squares = dataclasses.replace(features, values=features.values**2)
    return jnp.sqrt(times(squares, jnp.ones((features.shape[1], 1)))[:, 0])


def _scaled(features: Features, rows: Array, columns: Array) -> Features:
    columns = columns.astype(rows.dtype)
    if not isinstance(features, SparseFeatures):
        return features * rows[:, None] * columns[None, :]
    values = features.values * rows[features.rows] * columns[features.columns]
    return dataclasses.replace(features, values=values)
