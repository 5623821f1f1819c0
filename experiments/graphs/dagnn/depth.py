"""How many hops a graph is good for, before anything is trained on it: ours, not the paper's."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

from experiments.graphs.dagnn.smoothing import second_eigenvalue, stationary_limit
from experiments.kits.graph.operators import normalised, to_scipy
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

LEFT = 0.01
"""A graph is smoothed out where this share of a distance to the limit is left."""
ENOUGH = 0.95
"""Of the largest gain, at the fewest hops that reach it."""


@dataclasses.dataclass(frozen=True)
class DepthAdvice:
    """How many hops to use, and why.

    Args:
        hops: the fewest with `ENOUGH` of the largest gain; 0 says that the edges do not help.
        smoothed: hops after which `LEFT` is left of any distance to the stationary limit.
        second_eigenvalue: the rate at which that happens.
        homophily: share of edges whose ends are of one class, without the labels' noise.
        gain: (max_hops + 1,) by hops: signal of the classes over noise of the features, relative
            to no hops.
    """

    hops: int
    smoothed: int
    second_eigenvalue: float
    homophily: float
    gain: Float[np.ndarray, " hops"]


def advise_depth(
    graph: GraphsTuple,
    labels: Int[np.ndarray, " n"],
    *,
    classes: int | None = None,
    label_noise: float = 0.0,
    max_hops: int = 64,
    probes: int = 16,
    seed: int = 0,
) -> DepthAdvice:
    """The number of hops at which classes stand out most from the features' noise.

    A hop keeps of a class's mean the share m = mean of (1 + d q) / (1 + d) over nodes of degree d,
    where q = (homophily classes - 1) / (classes - 1) is how alike the ends of an edge are. Of white
    noise l hops keep the variance (trace of operator^2l - components) / n, what is constant left
    out; it is estimated with random vectors. The gain is m^2l over that. Labels wrong at a rate e
    look less alike than they are, by (1 - e classes / (classes - 1))^2, which is undone.

    Args:
        graph: undirected, before normalisation.
        labels: -1 where unknown; some edge must have two known ends.
        classes: that there are; one more than the largest label if not told.
        label_noise: share of the known labels that are wrong, each by a random other class.
        max_hops: considered.
        probes: random vectors.
        seed: of them.

    Raises:
        ExperimentError: no edge has two known ends, or labels of that noise say nothing.
    """
    labels = np.asarray(labels)
    classes = int(labels.max()) + 1 if classes is None else classes
    senders, receivers = np.asarray(graph.senders), np.asarray(graph.receivers)
    known = (labels[senders] >= 0) & (labels[receivers] >= 0) & (senders != receivers)
    if not known.any() or classes < 2:
        raise ExperimentError(
            "no edge has two ends of known class; there is nothing to advise from"
        )
    clean = 1 - label_noise * classes / (classes - 1)
    if not 0 < clean <= 1:
        raise ExperimentError(
            f"labels of {classes} classes with a noise of {label_noise:g} say nothing"
        )
    observed = (labels[senders[known]] == labels[receivers[known]]).mean()
    alike = min(1.0, (observed * classes - 1) / (classes - 1) / clean**2)
    degrees = np.asarray(to_scipy(normalised(graph, how="none")).sum(1)).reshape(-1) - 1
    kept = float(((1 + degrees * alike) / (1 + degrees)).mean())
    noise = _noise(graph, max_hops, np.random.default_rng(seed), probes)
    gain = kept ** (2 * np.arange(max_hops + 1)) / noise * noise[0]
    rate = second_eigenvalue(graph)
    return DepthAdvice(
        hops=int(np.argmax(gain >= ENOUGH * gain.max())),
        smoothed=math.ceil(math.log(LEFT) / math.log(rate)) if 0 < rate < 1 else 1,
        second_eigenvalue=rate,
        homophily=float((alike * (classes - 1) + 1) / classes),
        gain=gain,
    )


def _noise(
    graph: GraphsTuple, max_hops: int, generator: np.random.Generator, probes: int
) -> Float[np.ndarray, " hops"]:
    """Of white noise, the mean square that is left beyond the limit after each number of hops."""
    operator = to_scipy(normalised(graph))
    noise = generator.choice([-1.0, 1.0], size=(operator.shape[0], probes))
    noise -= stationary_limit(graph, noise)
    left = []
    for _ in range(max_hops + 1):
        left.append((noise**2).mean())
        noise = operator @ noise
    return np.maximum(left, np.finfo(float).tiny)
