"""What of a gain by augmentation is the augmentation's: the same network and loss with other X'."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.data.nodes import Split
from experiments.graphs.lagnn.generator import ConditionalVAE, fit_generator
from experiments.graphs.lagnn.network import (
    AugmentedNetwork,
    NeighbourSampler,
    Passes,
    SageConvolution,
    consistent,
)
from experiments.kits.graph.baselines import GAT, GCN, SAGE, GraphAttention, GraphConvolution
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.operators import normalised, to_scipy
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import FLAX, Rule, glorot_uniform
from experiments.kits.nodes.fitting import Fitted, fit
from ntkexec.errors import ExperimentError, did_you_mean, shown

ARMS: Mapping[str, tuple[str, bool]] = {
    "plain": ("none", False),
    "consistency": ("none", True),
    "augmented": ("drawn", True),
    "augmented_alone": ("drawn", False),
    "copy": ("copy", True),
    "mean": ("mean", True),
    "shuffled": ("shuffled", True),
    "copy_alone": ("copy", False),
}
"""By arm: which X' a network reads, and whether its passes are made consistent.

`none` is the plain network of the whole width; `copy` X' = X, `mean` the mean of neighbours, `drawn`
what the generator draws, `shuffled` the same from one trained with conditions of other pairs.
"""


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A two-layer network, whole and in parts.

    Args:
        whole: from classes and width to the plain network.
        first: from a branch's width to its first layer.
        last: from classes to the last layer.
        activation: between.
        operator: of a graph's edges.
    """

    whole: Callable[[int, int], nn.Module]
    first: Callable[[int], Any]
    last: Callable[[int], nn.Module]
    activation: Any
    operator: Callable[[GraphsTuple], GraphsTuple]


BACKBONES: Mapping[str, Backbone] = {
    "gcn": Backbone(
        lambda classes, width: GCN(classes, width),
        lambda width: GraphConvolution(width, 0.5),
        lambda classes: GraphConvolution(classes, 0.5),
        "relu",
        normalised,
    ),
    "gat": Backbone(
        lambda classes, width: GAT(classes, width, heads=2),
        lambda width: GraphAttention(width, 1, 1, 0.6, False),
        lambda classes: GraphAttention(classes, 1, 1, 0.6, False),
        "elu",
        normalised,
    ),
    "sage": Backbone(
        lambda classes, width: SAGE(classes, width),
        lambda width: SageConvolution(width, 0.5),
        lambda classes: SageConvolution(classes, 0.5),
        "relu",
        functools.partial(normalised, how="mean", self_loops=False),
    ),
}


@dataclasses.dataclass(frozen=True)
class Attribution:
    """All arms of one graph, split and seed; printed, what the method gains on each.

    Args:
        fitted: by arm, at the step of the lowest validation loss.
        labels: (n,).
        test: (n,), the nodes that count.
        degrees: (n,), without self-loops.
        network: the one with two branches.
        graphs: by arm, what it was fitted on.
    """

    fitted: Mapping[str, Fitted]
    labels: Int[np.ndarray, " n"]
    test: Bool[np.ndarray, " n"]
    degrees: Int[np.ndarray, " n"]
    network: AugmentedNetwork
    graphs: Mapping[str, GraphsTuple]

    @property
    def accuracies(self) -> dict[str, float]:
        """Of the test nodes, by arm."""
        return {arm: found.test for arm, found in self.fitted.items()}

    def gains_by_degree(self, arm: str, control: str) -> tuple[float, float]:
        """An arm's gain on a control in the third of test nodes of lowest degree, and of highest.

        Nodes of equal degree stay together, so thirds are rough.
        """
        right = {name: self.fitted[name].logits.argmax(1) == self.labels for name in (arm, control)}
        gains = (right[arm].astype(float) - right[control])[self.test]
        degrees = self.degrees[self.test]
        low, high = np.quantile(degrees, (1 / 3, 2 / 3))
        return float(gains[degrees <= low].mean()), float(gains[degrees >= high].mean())

    def fresh(self, arm: str, draws: int = 50) -> Float[np.ndarray, " draws"]:
        """Test accuracies of an augmented arm under X' that validation has not picked."""
        variables = self.fitted[arm].variables
        # Far from the counts of the steps that training took.
        counts = (variables["draw"]["count"] // 2 + 2**30 + np.arange(draws)).astype(np.int32)
        logits = _redrawn(self.network, variables["params"], self.graphs[arm], counts)
        right = np.asarray(logits).argmax(-1) == self.labels
        return np.asarray(right[:, self.test].mean(1))

    def __str__(self) -> str:
        ours, head = self.accuracies.get("augmented"), f"{'arm':16}{'test':>8}"
        rows = [f"{arm:16}{found:8.3f}" for arm, found in self.accuracies.items()]
        if ours is not None:
            gains = [f"{ours - found:+15.3f}" for found in self.accuracies.values()]
            rows = [row + gain for row, gain in zip(rows, gains, strict=True)]
            head += f"{'augmented less':>15}"
        return "\n".join([head, *rows])


@functools.partial(jax.jit, static_argnums=0)
def _redrawn(network: AugmentedNetwork, params: Any, graph: GraphsTuple, counts: Array) -> Array:
    def logits(count: Array) -> Array:
        variables = {"params": params, "draw": {"count": count}}
        return jnp.asarray(network.apply(variables, graph))

    return jax.lax.map(logits, counts)


def attribute(
    graph: GraphsTuple,
    labels: Int[np.ndarray, " n"],
    split: Split,
    *,
    generator: np.random.Generator,
    backbone: str = "gcn",
    arms: Sequence[str] = tuple(ARMS),
    others: Mapping[str, Float[np.ndarray, "n F"]] | None = None,
    width: int = 16,
    vae: ConditionalVAE | None = None,
    epochs: int = 10,
    batch: int = 64,
    steps: int = 200,
    passes: int = 4,
    consistency: float = 1.0,
    temperature: float = 0.5,
    weight_decay: float | Mapping[str, float] = 5e-4,
    learning_rate: float = 0.01,
) -> Attribution:
    """Local augmentation beside everything that it could owe its gain to, in two compiled programs.

    Args:
        graph: any, without weights, its `nodes` words that are there or not, or other features.
        labels: -1 where unknown.
        split: of the nodes.
        generator: draws all of it.
        backbone: of `BACKBONES`: gcn, gat, sage.
        arms: of `ARMS`.
        others: more X' to compare with, by name: any other augmentation's features.
        width: of the first layer, halved where there are two branches.
        vae: the generator; by default the public code's, for words.
        epochs, batch: of the generator's training.
        steps, learning_rate, weight_decay: of each network, with Adam.
        passes, consistency, temperature: of the loss of arms that are consistent.

    Raises:
        ExperimentError: an unknown arm or backbone, or one that `others` names again.

    Source: arms `plain`, `copy_alone`, `augmented_alone` and `augmented` are the rows of table 5 of
        Liu et al., arXiv:2109.03856.
    """
    others = others or {}
    for name, known in [(backbone, BACKBONES), *((arm, ARMS) for arm in arms)]:
        if name not in known:
            hint = f"{', '.join(known)}{did_you_mean(name, known)}"
            raise ExperimentError(f"{shown(name)} is none of {hint}")
    if set(others) & set(ARMS):
        raise ExperimentError(f"an arm is called {min(set(others) & set(ARMS))} already")
    parts = BACKBONES[backbone]
    sparse = isinstance(graph.nodes, SparseFeatures)
    x = np.asarray(graph.nodes.to_scipy().toarray() if sparse else graph.nodes, np.float32)
    vae = vae or ConditionalVAE(x.shape[1])
    words = vae.scale is None
    matrix = to_scipy(normalised(graph, how="row", self_loops=False))
    wanted = {arm: ARMS[arm] for arm in arms} | {name: (name, True) for name in others}
    kinds = {kind for kind, _ in wanted.values()}
    plain = graph._replace(nodes=x)
    samplers: dict[str, NeighbourSampler] = {}
    for kind in ("drawn", "shuffled"):
        if kind in kinds or (kind == "drawn" and kinds - {"none", "shuffled"}):
            variables = fit_generator(
                vae, plain, generator=generator, epochs=epochs, batch=batch,
                shuffled=kind == "shuffled",
            )  # fmt: skip
            samplers[kind] = NeighbourSampler.of(vae, variables, x)
    fixed = {"copy": x, "mean": np.asarray(matrix @ x), **others}
    samplers |= {
        kind: samplers["drawn"].at(_scaled(fixed[kind]) if words else fixed[kind])
        for kind in kinds & set(fixed)
    }
    own: Any = _scaled(x) if words else x
    if sparse:
        own = SparseFeatures.of(
            _scaled(graph.nodes.to_scipy()) if words else graph.nodes.to_scipy()
        )
    operator = parts.operator(graph)
    classes = int(np.max(labels)) + 1
    first = parts.first(width // 2)
    # Attention drops its weights as well, which is not all that `halving` stands for.
    halving = first.dropout == 0.5
    two = AugmentedNetwork(first, parts.last(classes), parts.activation, halving=halving)
    fitted, graphs = {}, {}
    for arm, (kind, is_consistent) in wanted.items():
        nodes = own if kind == "none" else (own, samplers[kind])
        graphs[arm] = operator._replace(nodes=nodes)
        weights = np.full(passes, 1 / passes) if is_consistent else np.eye(1, passes)[0]
        extras = Passes(
            jnp.float32(weights), jnp.float32(consistency * is_consistent), jnp.float32(temperature)
        )
        fitted[arm] = fit(
            parts.whole(classes, width) if kind == "none" else two, graphs[arm], labels, split,
            generator=generator, steps=steps, pick="loss", objective=consistent, extras=extras,
            rules=RULES, weight_decay=weight_decay, learning_rate=learning_rate,
        )  # fmt: skip
    degrees = np.diff(matrix.indptr)
    return Attribution(fitted, np.asarray(labels), split.test, degrees, two, graphs)


def _scaled(x: Any) -> Any:
    """Rows of bags of words, scaled to sum 1; empty ones stay."""
    sums = np.maximum(np.asarray(x.sum(1)).reshape(-1, 1), np.finfo(np.float32).tiny)
    return (x / sums).astype(np.float32) if isinstance(x, np.ndarray) else x.multiply(1 / sums)


def _any_count(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return rng.integers(2**29, size=shape)


# The first evaluation's X' differ between seeds.
RULES: Mapping[str, Rule] = {**FLAX, "kernel": glorot_uniform, "draw/count": _any_count}
