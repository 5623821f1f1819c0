"""Networks whose first layer reads drawn neighbours beside a graph's features, and how they are trained."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.graphs.lagnn.generator import ConditionalVAE, draw_neighbours
from experiments.kits.graph.features import Dense, Dropout, Features
from experiments.kits.graph.operators import propagate
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.nodes.fitting import Forward, Problem, masked_cross_entropy

ACTIVATIONS = {"relu": nn.relu, "elu": nn.elu}


class SageConvolution(nn.Module):
    """Linear of a node plus linear of its neighbours' mean, as one layer of `baselines.SAGE`.

    Args:
        features: of the result.
        dropout: of the inputs.
        train: whether it is applied.
    """

    features: int
    dropout: float = 0.0
    train: bool = False

    @nn.compact
    def __call__(self, x: Features, graph: GraphsTuple) -> Float[Array, "n h"]:
        x = Dropout(self.dropout)(x, train=self.train)
        own: Array = Dense(self.features)(x)
        return own + propagate(graph, Dense(self.features, use_bias=False)(x))


class LocalAugmentation(nn.Module):
    """Any first layer, once for each input, the results side by side: all that a network must change.

    Args:
        first_layer: called as `layer(x, graph)`, with a field `train`; every branch has parameters of
            its own, `branch_0` for the first input and so on.

    Source: Liu et al., arXiv:2109.03856, equation 6.
    """

    first_layer: nn.Module

    @nn.compact
    def __call__(
        self,
        inputs: Sequence[Features],
        graph: GraphsTuple,
        train: bool = False,
        dropped: int = 0,
    ) -> Float[Array, "n h"]:
        """The layer of every input; the last so many `dropped` ones have had their dropout."""
        parts = []
        for branch, x in enumerate(inputs):
            given: dict[str, Any] = {"dropout": 0.0} if branch >= len(inputs) - dropped else {}
            layer: Any = self.first_layer.clone(
                parent=self, name=f"branch_{branch}", train=train, **given
            )
            found = layer(x, graph)
            parts.append(found.reshape(found.shape[0], -1))
        return jnp.concatenate(parts, -1)


def halved(x: Float[Array, "n F"], key: Array) -> Float[Array, "n F"]:
    """Dropout at rate 1/2 with one random bit an entry: of dense features, a tenth of the time."""
    words = jax.random.bits(key, (-(-x.shape[0] // 32), 1, x.shape[1]), jnp.uint32)
    kept = (words >> jnp.arange(32, dtype=jnp.uint32)[None, :, None]) & 1
    return 2 * x * kept.reshape(-1, x.shape[1])[: x.shape[0]].astype(x.dtype)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NeighbourSampler:
    """What draws X': `drawn` times a generator's draw, plus `fixed`; all data of a compiled program.

    Args:
        network: the generator.
        variables: of it.
        projected: (n, h), `network.project` of the features.
        drawn: 1, or 0 for X' = `fixed` whatever the key.
        fixed: (n, F).
    """

    network: ConditionalVAE = dataclasses.field(metadata={"static": True})
    variables: Any
    projected: Float[Array, "n h"]
    drawn: Float[Array, ""]
    fixed: Float[Array, "n F"]

    @classmethod
    def of(
        cls, network: ConditionalVAE, variables: Any, features: Float[np.ndarray, "n F"]
    ) -> "NeighbourSampler":
        """The draws of `sample_neighbours`."""
        projected = jnp.asarray(network.apply(variables, features, method="project"))
        return cls(network, variables, projected, jnp.float32(1), jnp.zeros(features.shape))

    def at(self, fixed: Float[np.ndarray, "n F"]) -> "NeighbourSampler":
        """The same program's data for X' that are always these."""
        return dataclasses.replace(self, drawn=jnp.float32(0), fixed=jnp.float32(fixed))

    def __call__(self, key: Array) -> Float[Array, "n F"]:
        draw = draw_neighbours(self.network, self.variables, jnp.asarray(self.projected), key)
        return self.drawn * draw + self.fixed


class AugmentedNetwork(nn.Module):
    """Two layers, the first under `LocalAugmentation`; `graph.nodes` are (features, sampler).

    In training X' are drawn anew by the key of dropout. Without training they depend on the variable
    `draw/count`, which training increments: evaluations see fresh draws, and the one that validation
    picks is stored, as in the public code.

    Args:
        first_layer: of each branch, with a field `train`.
        last_layer: from all branches to logits (n, classes), or (n, heads, classes), which are averaged.
        activation: between, "relu" or "elu".
        copies: of X'.
        halving: X' are dropped by `halved` instead of by a first layer whose rate is 1/2.
    """

    first_layer: nn.Module
    last_layer: nn.Module
    activation: Literal["relu", "elu"] = "relu"
    copies: int = 1
    halving: bool = False

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n classes"]:
        own, sampler = graph.nodes
        count = self.variable("draw", "count", lambda: jnp.zeros((), jnp.int32))
        key = self.make_rng("dropout") if train else jax.random.key(count.value)
        if train:
            count.value = count.value + 1
        keys = jax.random.split(key, (self.copies, 2))
        drawn, dropped = [sampler(one) for one in keys[:, 0]], 0
        if train and self.halving:
            drawn = [halved(x, one) for x, one in zip(drawn, keys[:, 1], strict=True)]
            dropped = self.copies
        augmented = LocalAugmentation(self.first_layer, name="first")
        hidden = augmented([own, *drawn], graph, train, dropped)
        layer: Any = self.last_layer.clone(parent=self, name="last", train=train)
        logits = layer(ACTIVATIONS[self.activation](hidden), graph)
        return logits.mean(1) if logits.ndim == 3 else logits


def sharpened(p: Float[Array, "n C"], temperature: float | Array) -> Float[Array, "n C"]:
    """p^(1 / temperature), rows scaled to sum 1; at 1 it is p, at 0 it would be the largest alone."""
    return nn.softmax(jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).tiny)) / temperature)


def consistency_loss(
    logits: Float[Array, "S n C"], *, temperature: float | Array = 0.5
) -> Float[Array, ""]:
    """How far S passes are from the sharpened mean of their predictions, which gets no gradient.

    Returns:
        The mean over passes and nodes of the squared distance: 0 to 2.

    Source: Liu et al., arXiv:2109.03856, equation 9, after GRAND, arXiv:2005.11079.
    """
    p = nn.softmax(logits)
    target = jax.lax.stop_gradient(sharpened(p.mean(0), temperature))
    return ((p - target[None]) ** 2).sum(-1).mean()


class Passes(NamedTuple):
    """How passes count, all data of a compiled program.

    Args:
        weights: (S,), of each pass in the cross-entropy; (1, 0, ...) is one pass, as usual.
        consistency: of `consistency_loss`; 0 for none, as the public code has LA-GCNII on Cora.
        temperature: of its target.
    """

    weights: Float[Array, " S"]
    consistency: Float[Array, ""]
    temperature: Float[Array, ""]


def consistent(forward: Forward, problem: Problem, key: Array) -> Float[Array, ""]:
    """S passes beside each other, each with its own dropout and X': an objective for `fit`.

    Args:
        forward: of any network.
        problem: its `extras` are `Passes`.
        key: split over the passes.
    """
    passes: Passes = problem.extras
    keys = jax.random.split(key, passes.weights.shape[0])
    logits = jax.vmap(lambda one: forward(problem.graph, one))(keys)
    losses = jax.vmap(lambda one: masked_cross_entropy(one, problem.labels, problem.train))(logits)
    penalty = consistency_loss(logits, temperature=passes.temperature)
    return passes.weights @ losses + passes.consistency * penalty


def agreement_score(
    logits: Float[Array, "S n C"],
    labels: Int[Array | np.ndarray, " n"],
    mask: Bool[Array | np.ndarray, " n"],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Which generated features are kept: the score of the public code, and that of the paper.

    Args:
        logits: of S passes with dropout on one set of generated features.
        labels, mask: of the nodes that are trained on.

    Returns:
        The code's, -log mean p(label) - mean -log p(label) over passes, never above 0: the largest is
        that of the features on which passes agree. The paper's, the entropy of the mean less the mean
        entropy, never below 0: the largest is that of the features on which passes disagree.

    Source: Liu et al., arXiv:2109.03856, equation 10; cvae_pretrain.py of the public code.
    """
    log_p = nn.log_softmax(logits)
    log_mean = jax.nn.logsumexp(log_p, 0) - jnp.log(logits.shape[0])
    every = jnp.arange(log_mean.shape[0])
    code = log_p[:, every, labels].mean(0) - log_mean[every, labels]
    entropies = -(jnp.exp(log_p) * log_p).sum(-1)
    paper = -(jnp.exp(log_mean) * log_mean).sum(-1) - entropies.mean(0)
    number = jnp.maximum(mask.sum(), 1)
    return jnp.where(mask, code, 0).sum() / number, jnp.where(mask, paper, 0).sum() / number
