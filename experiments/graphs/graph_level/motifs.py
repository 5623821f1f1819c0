"""Graphs whose class is a small motif on a random background: which edges matter is known."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from experiments.data.graph_sets import Graph, GraphSet
from ntkexec.errors import ExperimentError

MOTIFS = (
    np.array([[0, 1], [1, 2], [2, 3], [0, 3], [0, 4], [1, 4]]),  # a house
    np.array([[0, 1], [1, 2], [2, 3], [3, 4], [0, 4]]),  # a cycle of as many nodes
)
SIZE = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Planted:
    """A set and what was planted.

    Args:
        graphs: their classes are the motifs' places in `MOTIFS`.
        motif_edges: of each graph, which edges are the motif's, in the order of its edges.
    """

    graphs: GraphSet
    motif_edges: tuple[Bool[np.ndarray, "m"], ...]


def planted_motifs(
    number: int, generator: np.random.Generator, *, background: int = 15, noise: int = 2
) -> Planted:
    """Random trees that hold a house or a cycle of five nodes.

    Args:
        number: of graphs, half of each class; even.
        generator: draws trees, places and the order of nodes.
        background: nodes of the tree.
        noise: further edges between nodes of the tree.

    Raises:
        ExperimentError: an odd number, or too small a tree.

    Source: the sets by which explanations are tested, Ying et al., arXiv:1903.03894, section 5.
    """
    if number < 2 or number % 2 or background < 4 or noise < 0:
        raise ExperimentError(
            f"{number} graphs on trees of {background} nodes with {noise} further edges: the first is even"
        )
    graphs, marks, targets = [], [], np.arange(number) % len(MOTIFS)
    for target in targets:
        parents = [int(generator.integers(node)) for node in range(1, background)]
        tree = {(parent, node) for node, parent in enumerate(parents, 1)}
        while len(tree) < background - 1 + noise:
            u, v = sorted(generator.choice(background, 2, replace=False).tolist())
            tree.add((u, v))
        motif = {(u + background, v + background) for u, v in MOTIFS[target].tolist()}
        bridge = (int(generator.integers(background)), background + int(generator.integers(SIZE)))
        edges = np.array([*sorted(tree), bridge, *sorted(motif)], np.int64)
        edges = np.sort(generator.permutation(background + SIZE)[edges], axis=1)
        graphs.append(Graph(background + SIZE, edges))
        marks.append(np.arange(len(edges)) >= len(edges) - len(motif))
    return Planted(
        GraphSet("planted-motifs", tuple(graphs), targets.astype(np.int64), ("house", "cycle")),
        tuple(marks),
    )
