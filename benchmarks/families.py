"""Families of graphs with sources, and which algorithm is measured on which with what engine."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx
import numpy as np

from ntkexec import graphs

Case = tuple[nx.Graph, Any]
"""A graph and its source."""

ALGORITHMS = ("flooding", "bfs", "bfs-queue", "dfs", "dfs-forest", "bellman-ford")


def atlas() -> Iterator[Case]:
    """Every connected graph of up to seven nodes, from every source."""
    for graph in nx.graph_atlas_g()[1:]:
        if nx.is_connected(graph):
            yield from ((graph, source) for source in graph)


def random_graphs(number: int, max_nodes: int = 30, max_degree: int = 5) -> Iterator[Case]:
    """Random graphs of bounded degree, half of them connected, from a random source."""
    rng = np.random.default_rng(0)
    for index in range(number):
        num_nodes, degree = int(rng.integers(1, max_nodes + 1)), 2 + index % (max_degree - 1)
        graph = graphs.generators.samplers.random_bounded(
            num_nodes, degree, rng, connected=bool(index % 2)
        )
        yield graph, int(rng.integers(num_nodes))


def classical() -> Iterator[Case]:
    """Grids, paths, stars, complete graphs, trees, cliques with tails, from three sources each."""
    specs = (
        "grid:8x9",
        "path:40",
        "star:12",
        "complete:9",
        "cycle:25",
        "hypercube:4",
        "tree:n=60,seed=1",
    )
    found = [graphs.load(spec).to_networkx() for spec in specs]
    found += [nx.lollipop_graph(clique, 12) for clique in (4, 7, 10)]
    for graph in map(nx.convert_node_labels_to_integers, found):
        yield from ((graph, source) for source in (0, len(graph) // 2, len(graph) - 1))


def real() -> Iterator[Case]:
    """The social networks that come with networkx, from three sources each."""
    for name in ("karate", "les-miserables", "florentine", "davis"):
        graph = nx.convert_node_labels_to_integers(graphs.load(name).to_networkx())
        yield from ((graph, source) for source in (0, len(graph) // 2, len(graph) - 1))


def road(num_nodes: int = 2000) -> Iterator[Case]:
    """A planar graph like a road map: neighbours in a random triangulation, short edges only."""
    from scipy.spatial import Delaunay

    points = np.random.default_rng(0).random((num_nodes, 2))
    pairs = np.concatenate([Delaunay(points).simplices[:, p] for p in ([0, 1], [1, 2], [2, 0])])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    graph: nx.Graph = nx.empty_graph(num_nodes)
    # The shortest way to be connected, and the shorter half of the rest where there is room.
    weighted = nx.Graph()
    weighted.add_weighted_edges_from(
        (int(u), int(v), w) for (u, v), w in zip(pairs, length, strict=True)
    )
    graph.add_edges_from(nx.minimum_spanning_edges(weighted, data=False))
    for u, v in pairs[np.argsort(length)][: len(pairs) // 2].tolist():
        if max(graph.degree(u), graph.degree(v)) < 4:
            graph.add_edge(u, v)
    yield graph, 0


def sized(num_nodes: int, number: int = 100) -> Iterator[Case]:
    """Connected random graphs of one size and degree 4."""
    rng = np.random.default_rng(num_nodes)
    for _ in range(number):
        yield (
            graphs.generators.samplers.random_bounded(num_nodes, 4, rng, connected=True),
            int(rng.integers(num_nodes)),
        )


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "atlas, all sources": atlas,
    "random, n <= 30, D <= 5": functools.partial(random_graphs, 10_000),
    "classical": classical,
    "real": real,
    "road": road,
    **{f"n = {n}": functools.partial(sized, n) for n in (16, 80, 160, 800, 1600)},
    "random, n <= 12, D <= 3": functools.partial(random_graphs, 200, 12, 3),
}
TRAINED = "random, n <= 12, D <= 3"
SPLIT = ("flooding-split", "bfs-split", "dfs-split", "dfs-forest-split", "bellman-ford on trees")
HUBS = ("atlas, all sources", "random, n <= 30, D <= 5", "classical", "real")
"""Programs on graphs that are split at degree 3, and families in which there is something to split."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What a line of the table measures."""

    algorithm: str
    family: str
    engine: str = "kernel"
    seed: int = 0

    @property
    def head(self) -> tuple[str, str, str]:
        """The first cells of its line."""
        engine = self.engine if self.engine == "kernel" else f"{self.engine}, seed {self.seed}"
        return self.algorithm, self.family, engine


def plan() -> list[Row]:
    """Every algorithm on every family with the kernel engine, then trained ensembles."""
    kernel = [
        Row(algorithm, family)
        for algorithm in ALGORITHMS
        for family in FAMILIES
        # The token passes the tree once for each of its levels: an hour and more.
        if family != TRAINED and (algorithm, family) != ("bfs-queue", "n = 1600")
    ]
    trained = [
        Row(algorithm, TRAINED, "ensemble", seed) for algorithm in ALGORITHMS for seed in range(3)
    ]
    split = [Row(algorithm, family) for algorithm in SPLIT for family in HUBS]
    return kernel + split + trained
