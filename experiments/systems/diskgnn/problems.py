"""Graphs with classes that take two hops to tell, and features of any size, for studies."""

import dataclasses

import numpy as np
from jaxtyping import Float32, Int64
from scipy import sparse

from experiments.systems.diskgnn.sampling import neighbours_of


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Nodes to learn, on a graph.

    Args:
        graph: to sample from.
        features, labels: of all nodes.
        train, test: nodes.
        classes: that there are.
    """

    graph: sparse.csr_array
    features: Float32[np.ndarray, "n F"]
    labels: Int64[np.ndarray, " n"]
    train: Int64[np.ndarray, " t"]
    test: Int64[np.ndarray, " s"]
    classes: int


def power_law(
    generator: np.random.Generator, *, nodes: int, edges: int, exponent: float = 2.1
) -> sparse.csr_array:
    """A graph whose degrees fall off by a power: ends are drawn by weights, and what comes twice counts once.

    Args:
        generator: draws it.
        nodes: that there are; which of them are popular is random.
        edges: that are drawn.
        exponent: of the density of degrees.

    Source: Chung and Lu, Annals of Combinatorics 6, 2002.
    """
    weights = np.arange(1, nodes + 1) ** (-1 / (exponent - 1))
    ends = generator.choice(nodes, size=(edges, 2), p=weights / weights.sum())
    ends = generator.permutation(nodes)[ends]
    return neighbours_of(ends[ends[:, 0] != ends[:, 1]], nodes)


def planted(
    generator: np.random.Generator,
    graph: sparse.csr_array,
    *,
    width: int,
    classes: int,
    train: int,
    test: int,
    signal: float = 1.5,
) -> Problem:
    """Every node has scores that its features show under noise; its class has the largest mean of two hops.

    Args:
        generator: draws it.
        graph: of the nodes.
        width: of the features.
        classes: that there are.
        train, test: nodes of each, drawn among those that have neighbours.
        signal: length of what a score of 1 adds, beside noise of variance 1 in each feature.
    """
    number = graph.shape[0]
    scores = generator.normal(size=(number, classes))
    degrees = np.diff(graph.indptr)
    spread = scores
    for _ in range(2):
        spread = (graph.astype(np.float64) @ spread + spread) / (degrees + 1)[:, None]
    labels = (spread - spread.mean(0)).argmax(1).astype(np.int64)
    directions = generator.normal(size=(classes, width)).astype(np.float32)
    directions *= signal / np.linalg.norm(directions, axis=1, keepdims=True)
    features = generator.standard_normal((number, width), np.float32)
    features += scores.astype(np.float32) @ directions
    order = generator.permutation(np.flatnonzero(degrees))
    return Problem(graph, features, labels, order[:train], order[train : train + test], classes)
