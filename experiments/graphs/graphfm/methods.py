"""Six self-supervised methods: what each minimises, and how its two views of a graph are corrupted."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.graphs.graphfm import losses
from experiments.graphs.graphfm.encoder import Drawn, Problem, lengths_of, pairs_of
from experiments.kits.graph.features import SparseFeatures, times
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

Scalar = Float[Array, ""]
ANCHORS, PAIRS = 128, 1024
"""Nodes of GCA's and pairs of S2GAE's loss in one step, drawn anew for each, at most."""


class Step(NamedTuple):
    """What an objective reads.

    Args:
        layers: of both views, both layers' rows (n, h) each.
        drawn: the views.
        problem: the graph.
        head: `head("predict", rows)` applies a head of the network under this step's parameters.
        target: the moving average's embeddings of a view.
        key: for what else is drawn.
    """

    layers: tuple[tuple[Array, Array], tuple[Array, Array]]
    drawn: Drawn
    problem: Problem
    head: Callable[..., Any]
    target: Callable[..., Array]
    key: Array


Objective = Callable[[Step], Scalar]


def bgrl(step: Step) -> Scalar:
    """Each view predicts what a moving average of the encoder makes of the other."""
    (_, one), (_, other) = step.layers
    targets = [step.target(view) for view in step.drawn.views]
    first = losses.bootstrap_loss(step.head("predict", one), targets[1])
    return first + losses.bootstrap_loss(step.head("predict", other), targets[0])


def gbt(step: Step) -> Scalar:
    """Barlow twins: two views' columns correlate one to one."""
    return losses.barlow_loss(step.layers[0][1], step.layers[1][1])


def cca_ssg(step: Step) -> Scalar:
    """Two views agree, and columns of each are uncorrelated."""
    return losses.cca_loss(step.layers[0][1], step.layers[1][1])


def gca(step: Step) -> Scalar:
    """A node's two views are more alike than any two nodes."""
    one, other = (step.head("project", z) for _, z in step.layers)
    count = min(len(one), ANCHORS)
    anchors = jax.random.permutation(step.key, len(one))[:count]
    return losses.contrast_loss(one, other, anchors=anchors)


def graphmae(step: Step) -> Scalar:
    """Masked nodes' features are reconstructed from their neighbours."""
    view, features = step.drawn.views[0], step.problem.features
    shown = (1 - view.masked)[:, None] * step.head("bridged", step.layers[0][1])
    hidden, kernel = times(view.operators[0], shown), step.head("kernel", features)
    projected, lengths = times(features, kernel.T), lengths_of(features)
    return losses.factored_cosine_error(hidden, kernel, projected, lengths, view.masked)


def s2gae(step: Step) -> Scalar:
    """Pairs that the view lacks are told from random ones by products of all layers."""
    hidden = (step.problem.real > 0) & ~step.drawn.kept[0]
    first, second = jax.random.split(step.key)
    ranks = jax.random.uniform(first, hidden.shape) + hidden
    ranked, chosen = jax.lax.top_k(ranks, min(len(hidden), PAIRS))
    number, weights = len(step.layers[0][0]), (ranked > 1).astype(ranked.dtype)
    others = jax.random.randint(second, (len(chosen), 2), 0, number)
    pairs = jnp.concatenate([step.problem.pairs[chosen], others])
    truth = jnp.repeat(jnp.array([1.0, 0.0]), len(chosen), total_repeat_length=len(pairs))
    missed = optax.sigmoid_binary_cross_entropy(step.head("judged", step.layers[0], pairs), truth)
    return (jnp.tile(weights, 2) * missed).sum() / jnp.maximum(2 * weights.sum(), 1)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A method: what it minimises, and how its views are corrupted.

    Args:
        objective: a function at the top of a module, since programs are told apart by it.
        edge_drop, feature_drop: chances for the first and the second view.
        mask_rate: of nodes whose features a learnt token replaces in the first view.
        adaptive: chances are lower for edges and features of central nodes, as in GCA.
        learning_rate: of Adam.

    Raises:
        ExperimentError: a chance is not at least 0 and below 1, or is not there for both views.
    """

    objective: Objective
    edge_drop: tuple[float, float] = (0.3, 0.3)
    feature_drop: tuple[float, float] = (0.2, 0.2)
    mask_rate: float = 0.0
    adaptive: bool = False
    learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        for name in ("edge_drop", "feature_drop"):
            chances = getattr(self, name)
            if np.shape(chances) != (2,):
                raise ExperimentError(
                    f"{name} is a pair of chances, of the first view and of the second, not {chances!r}"
                )
        for chance in (*self.edge_drop, *self.feature_drop, self.mask_rate):
            if not 0 <= chance < 1:
                raise ExperimentError(f"a chance is at least 0 and below 1, and {chance} is not")


METHODS: Mapping[str, Recipe] = {
    "bgrl": Recipe(bgrl),
    "gbt": Recipe(gbt),
    "cca-ssg": Recipe(cca_ssg),
    "gca": Recipe(gca, (0.3, 0.4), (0.1, 0.0), adaptive=True),
    "graphmae": Recipe(graphmae, (0.0, 0.0), (0.0, 0.0), mask_rate=0.5),
    "s2gae": Recipe(s2gae, (0.5, 0.0), (0.0, 0.0)),
}
"""The six by name, with chances near the public code's defaults."""


def recipe_of(method: str | Recipe) -> Recipe:
    """A recipe by its name, or itself."""
    if isinstance(method, Recipe):
        return method
    if method not in METHODS:
        raise ExperimentError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    return METHODS[method]


def corrupted(problem: Problem, recipe: Recipe, graph: GraphsTuple) -> Problem:
    """The problem with a recipe's chances; GCA's are lower where degrees are high, at most 0.7."""
    chances: list[Any] = [
        np.asarray(rates, np.float32)[:, None] + np.zeros((1, size), np.float32)
        for rates, size in (
            (recipe.edge_drop, len(problem.pairs)),
            (recipe.feature_drop, graph.nodes.shape[1]),
        )
    ]
    if recipe.adaptive:
        degrees = np.bincount(pairs_of(graph).ravel(), minlength=problem.structure.shape[0])
        ends = np.log1p(degrees[problem.pairs]).mean(1)
        present = abs(_plain(problem.features)).T @ degrees
        central = _away(ends), _away(np.log1p(present))
        pairs = zip(chances, central, strict=True)
        chances = [
            np.minimum(rates * away[None, :], 0.7).astype(np.float32) for rates, away in pairs
        ]
    rate: Any = np.float32(recipe.mask_rate)
    return problem._replace(edge_drop=chances[0], feature_drop=chances[1], mask_rate=rate)


def _plain(features: Any) -> Any:
    return features.to_scipy() if isinstance(features, SparseFeatures) else np.asarray(features)


def _away(scores: np.ndarray) -> np.ndarray:
    """How far from the largest, relative to the mean; of equal ones 1."""
    spread = scores.max() - scores.mean()
    return (scores.max() - scores) / spread if spread > 1e-9 else np.ones_like(scores)
