"""Layers for graphs whose nodes combine what arrives: by a learned monoid, one by one, by fixed means."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from experiments.graphs.lcm.monoids import BinaryMonoid, GRUCell, GRUWeights, gated, project
from experiments.graphs.lcm.segments import segment_sequential_fold, segment_tree_fold
from experiments.kits.graph.features import Dense, Features
from experiments.kits.graph.segments import GraphsTuple, segment_max, segment_mean, segment_sum
from ntkexec.errors import ExperimentError


class _Conv(nn.Module):
    """W_1 x_v + W_2 fold of the messages W_3 x_u of all u that send to v.

    Args:
        features: of the result.
        width: of the messages.
        is_sorted: the caller's word that edges are sorted by receiver, as those of the kit are.
        longest: the largest in-degree, at least; a node with more becomes not a number.
    """

    features: int
    width: int
    is_sorted: bool = False
    longest: int | None = None

    @nn.compact
    def __call__(self, graph: GraphsTuple) -> Float[Array, "n f"]:
        x: Features = graph.nodes
        messages = Dense(self.width, name="message")(x)[graph.senders]
        received = self.folded(messages, graph.receivers, x.shape[0])
        self.sow("intermediates", "messages", messages)
        self.sow("intermediates", "received", received)
        return Dense(self.features, name="own")(x) + Dense(
            self.features, use_bias=False, name="received"
        )(received)

    def folded(
        self, messages: Float[Array, "e d"], receivers: Int[Array, " e"], num: int
    ) -> Float[Array, "n d"]:
        raise NotImplementedError


class LCMConv(_Conv):
    """A layer whose aggregator is a learned commutative monoid, folded as a tree at every node.

    Args:
        features: of the result W_1 x_v + W_2 fold of the messages W_3 x_u of all u that send to v.
        width: of the messages.
        is_sorted: the caller's word that edges are sorted by receiver, as those of the kit are.
        longest: the largest in-degree, at least, which saves levels; a node with more becomes not a
            number.
        kind: of `BinaryMonoid`. A node that nobody sends to receives the monoid's identity.

    Source: Ong and Veličković, arXiv:2212.08541.
    """

    kind: str = "gru"

    def folded(self, messages: Array, receivers: Array, num: int) -> Array:
        monoid = BinaryMonoid(self.width, self.kind, name="monoid")
        found = segment_tree_fold(
            monoid, messages, receivers, num, identity=monoid.identity(), longest=self.longest,
            is_sorted=self.is_sorted,
        )  # fmt: skip
        # The identity of a maximum or minimum is infinite, and no number to go on with.
        return jnp.where(jnp.isfinite(found), found, 0)


class RecurrentConv(_Conv):
    """A layer whose aggregator is a GRU over what arrives, in the order of the edges.

    Args:
        features, width, is_sorted, longest: as for `LCMConv`; as many steps as `longest`, which must be
            told.

    Raises:
        ExperimentError: it was not told.
    """

    def folded(self, messages: Array, receivers: Array, num: int) -> Array:
        if self.longest is None:
            raise ExperimentError(
                "a recurrent layer takes `longest` steps: give the largest in-degree"
            )
        weights = GRUCell(self.width, name="cell")()
        return segment_sequential_fold(
            functools.partial(_gated, weights),
            project(weights.input_kernel, weights.input_bias, messages),
            receivers,
            num,
            longest=self.longest,
            begin=jnp.zeros(self.width),
            is_sorted=self.is_sorted,
        )


def _gated(weights: GRUWeights, rows: Array, state: Array) -> Array:
    return gated(rows, weights, state)


class FixedConv(_Conv):
    """A layer whose aggregator is a sum, a mean, a maximum, or a weighted sum of the three.

    Args:
        features, width: as for `LCMConv`; the other two are not needed.
        sum_weight, mean_weight, max_weight: numbers, so that they can be data of a compiled program.
    """

    sum_weight: float = 0.0
    mean_weight: float = 1.0
    max_weight: float = 0.0

    def folded(self, messages: Array, receivers: Array, num: int) -> Array:
        return (
            self.sum_weight * segment_sum(messages, receivers, num)
            + self.mean_weight * segment_mean(messages, receivers, num)
            + self.max_weight * segment_max(messages, receivers, num)
        )
