"""Random choices that networkx lacks: graphs of bounded degree, directions, weights."""

from collections.abc import Hashable

import networkx as nx
import numpy as np

from ntkexec.graphs.nodes import ordered_nodes


def random_tree(num_nodes: int, max_degree: int | None, rng: np.random.Generator) -> nx.Graph:
    """A random labelled tree on 0..n-1.

    Without a bound it is uniform over all labelled trees. With one, every tree within the bound has
    a positive chance, but not all the same.

    Args:
        num_nodes: at least 1.
        max_degree: None, or at least 2 (1 will do for two nodes, 0 for one).
        rng: where the draws come from.
    """
    if num_nodes <= 2:
        return nx.path_graph(num_nodes)
    # A node's degree is one more than how often it stands in the tree's Pruefer sequence, so a
    # bound d deals the sequence from d - 1 cards a node.
    if max_degree is None or max_degree >= num_nodes - 1:
        sequence = rng.integers(num_nodes, size=num_nodes - 2)
    else:
        cards = num_nodes * (max_degree - 1)
        sequence = rng.choice(cards, size=num_nodes - 2, replace=False) // (max_degree - 1)
    tree: nx.Graph = nx.Graph()
    tree.add_nodes_from(range(num_nodes))
    tree.add_edges_from(nx.from_prufer_sequence(sequence.tolist()).edges)
    return tree


def random_bounded(
    num_nodes: int, max_degree: int, rng: np.random.Generator, *, connected: bool
) -> nx.Graph:
    """A random graph on 0..n-1 in which no node has more than `max_degree` neighbours.

    It starts from a random tree, or from no edges if it need not be connected. Then `n * d` random
    pairs are drawn, and each becomes an edge if both ends still have room.

    Args:
        num_nodes: at least 1.
        max_degree: as for `random_tree` if the graph is connected, else at least 0.
        rng: where the draws come from.
        connected: whether to start from a tree.
    """
    graph = random_tree(num_nodes, max_degree, rng) if connected else nx.empty_graph(num_nodes)
    for u, v in rng.integers(num_nodes, size=(num_nodes * max_degree, 2)).tolist():
        if u != v and max(graph.degree(u), graph.degree(v)) < max_degree:
            graph.add_edge(u, v)
    return graph


def orient(graph: nx.Graph, rng: np.random.Generator) -> nx.DiGraph:
    """Each edge in one direction, drawn by a fair coin."""
    directed: nx.DiGraph = nx.DiGraph()
    directed.add_nodes_from(graph.nodes(data=True))
    coins = rng.integers(2, size=graph.number_of_edges()).tolist()
    for (u, v, attributes), is_forward in zip(graph.edges(data=True), coins, strict=True):
        directed.add_edge(*((u, v) if is_forward else (v, u)), **attributes)
    return directed


def with_uniform_weights(
    graph: nx.Graph, low: int, high: int, rng: np.random.Generator
) -> nx.Graph:
    """The same graph with a uniform integer in `low..high`, both included, as each "weight"."""
    index = {name: i for i, name in enumerate(ordered_nodes(graph))}

    def place(edge: tuple[Hashable, Hashable]) -> tuple[int, int]:
        i, j = (index[end] for end in edge)
        return (i, j) if graph.is_directed() else (min(i, j), max(i, j))

    # In the order of identifiers: a generator that stores edges otherwise draws the same weights.
    edges = sorted(graph.edges, key=place)
    weights = rng.integers(low, high, size=len(edges), endpoint=True).tolist()
    weighted = graph.copy()
    weighted.add_weighted_edges_from((u, v, w) for (u, v), w in zip(edges, weights, strict=True))
    return weighted
