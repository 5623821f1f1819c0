"""Mini-batches of a graph: the sampled neighbourhood of a few nodes, layer by layer, as operators.

An encoder of two layers needs, to embed some nodes, their neighbours' hidden rows and these nodes'
neighbours' features; of each node's neighbours a few are drawn.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int
from scipy import sparse

from experiments.graphs.graphfm.encoder import View, pairs_of
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.operators import normalised, to_scipy
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

Degrees = Literal["graph", "sample"]


class Sampled(NamedTuple):
    """What the encoder reads to embed a few nodes.

    Args:
        view: of the nodes that are needed; the second operator ends at the wanted ones.
        nodes: (k,), which nodes of the graph are needed; the wanted ones come first.
    """

    view: View
    nodes: Int[np.ndarray, " k"]


def sampled_view(
    graph: GraphsTuple,
    wanted: Int[np.ndarray, " b"],
    fan_outs: Sequence[int],
    generator: np.random.Generator,
    *,
    degrees: Degrees = "graph",
) -> Sampled:
    """The sampled neighbourhood of some nodes, under normalised operators.

    Args:
        graph: undirected, without weights.
        wanted: distinct nodes to be embedded, in this order.
        fan_outs: for the last layer first, how many neighbours of each node are drawn at most, without
            replacement; a node itself always counts. In the paper 15, 10, 5.
        generator: draws them.
        degrees: normalised by degrees in the `graph`, with drawn neighbours weighted up to all of them:
            sums are unbiased, and a fan-out of all neighbours gives what the whole graph gives. Or by
            degrees in the `sample`, as where sampled edges are treated as a graph of their own: its
            outermost nodes then seem to have no neighbours.

    Raises:
        ExperimentError: not two fan-outs of at least 1.
    """
    if len(fan_outs) != 2 or min(fan_outs) < 1:
        raise ExperimentError(f"two layers take two fan-outs of at least 1, not {list(fan_outs)}")
    pairs_of(graph)  # refuses a graph that is not undirected
    whole = to_scipy(normalised(graph))
    nodes, layers = np.asarray(wanted, np.int64), []
    for fan_out in fan_outs:
        rows = [_drawn(whole, node, fan_out, generator) for node in nodes.tolist()]
        sizes = [len(columns) for columns, _ in rows]
        columns, up = (np.concatenate(each) for each in zip(*rows, strict=True))
        owners = np.repeat(nodes, sizes)
        layers.append((owners, columns, up, nodes))
        nodes = np.concatenate([nodes, np.setdiff1d(columns, nodes)])
    degree = np.bincount(_distinct(layers)[:, 0], minlength=whole.shape[0])
    place, operators = np.zeros(whole.shape[0], np.int64), []
    for (owners, columns, up, ends), inputs in zip(layers, (layers[1][3], nodes), strict=True):
        place[inputs] = np.arange(len(inputs))  # inputs begin with the nodes where they end
        weights = np.asarray(whole[owners, columns]).ravel() * up
        if degrees == "sample":
            weights = 1 / np.sqrt(degree[owners] * np.maximum(degree[columns], 1))
        matrix = (weights, (place[owners], place[columns]))
        shape = (len(ends), len(inputs))
        operators.append(SparseFeatures.of(sparse.coo_array(matrix, shape=shape)))
    view = View(_taken(graph.nodes, nodes), (operators[1], operators[0]), np.zeros(len(nodes)))  # type: ignore[arg-type]
    return Sampled(view, nodes)


def _drawn(
    whole: Any, node: int, fan_out: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A node and its drawn neighbours, and how many neighbours each stands for."""
    around = whole.indices[whole.indptr[node] : whole.indptr[node + 1]]
    around = around[around != node]
    chosen = around
    if len(around) > fan_out:
        chosen = generator.choice(around, fan_out, replace=False)
    up = np.full(len(chosen), len(around) / max(len(chosen), 1))
    return np.r_[node, chosen].astype(np.int64), np.r_[1.0, up]


def _distinct(layers: Sequence[tuple[np.ndarray, ...]]) -> np.ndarray:
    return np.unique(np.concatenate([np.stack(each[:2], 1) for each in layers]), axis=0)


def _taken(features: Any, nodes: np.ndarray) -> Any:
    if isinstance(features, SparseFeatures):
        return SparseFeatures.of(features.to_scipy()[nodes])
    return np.asarray(features)[nodes]
