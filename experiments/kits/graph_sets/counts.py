"""How often a small pattern occurs in each graph, or at each node: exact, by enumeration in NumPy.

Patterns are networkx graphs: `nx.cycle_graph(5)`, `nx.path_graph(4)`, `nx.complete_graph(4)`,
`nx.star_graph(3)`, `nx.diamond_graph()`, or any connected one.
"""

from collections.abc import Iterator, Sequence

import networkx as nx
import numpy as np
from jaxtyping import Int64

from experiments.data.graph_sets import Graph
from experiments.kits.graph_sets.families import graph_of_networkx
from ntkexec.errors import ExperimentError

LARGEST = 10
"""Nodes of a pattern."""


def tailed_triangle() -> nx.Graph:
    """A triangle, and an edge from one of its nodes to a fourth."""
    return nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3)])


def subgraph_counts(
    graphs: Sequence[Graph], pattern: nx.Graph, *, induced: bool = False
) -> Int64[np.ndarray, "G"]:
    """Subgraphs of each graph that are copies of a pattern, each counted once.

    Args:
        graphs: in which copies are counted; labels play no part.
        pattern: connected, of at most 10 nodes.
        induced: whether nodes of a copy may have no other edges between them.

    Raises:
        ExperimentError: the pattern is not connected, has loops, or is too large.
    """
    found = np.zeros(len(graphs), np.int64)
    for part, copies, _ in _embeddings(graphs, pattern, induced):
        found[part] = np.bincount(copies[:, 0], minlength=len(graphs[part]))
    return found // automorphisms(pattern)


def node_counts(
    graphs: Sequence[Graph], pattern: nx.Graph, *, induced: bool = False
) -> tuple[Int64[np.ndarray, "n"], ...]:
    """Copies of a pattern through each node of each graph; see `subgraph_counts`."""
    symmetries, found = automorphisms(pattern), []
    for part, copies, size in _embeddings(graphs, pattern, induced):
        places = copies[:, :1] * size + copies[:, 1:]
        through = np.bincount(places.ravel(), minlength=len(graphs[part]) * size) // symmetries
        rows = zip(through.reshape(-1, size), graphs[part], strict=True)
        found += [row[: graph.num_nodes] for row, graph in rows]
    return tuple(found)


def automorphisms(pattern: nx.Graph) -> int:
    """How many ways there are to lay a pattern upon itself."""
    (rows,) = (rows for _, rows, _ in _embeddings([graph_of_networkx(pattern)], pattern, True))
    return len(rows)


def _embeddings(
    graphs: Sequence[Graph], pattern: nx.Graph, induced: bool
) -> Iterator[tuple[slice, np.ndarray, int]]:
    """By blocks of graphs: which, rows (graph within the block, node of each pattern node), most nodes.

    All partial embeddings grow by one node at a time, in an order in which each pattern node but
    the first is joined to an earlier one.
    """
    size = len(pattern)
    if not 0 < size <= LARGEST or nx.number_of_selfloops(pattern) or not nx.is_connected(pattern):
        raise ExperimentError(
            f"a pattern is connected, without loops, of 1 to {LARGEST} nodes; got {size} nodes"
        )
    order = [next(iter(pattern)), *(v for _, v in nx.bfs_edges(pattern, next(iter(pattern))))]
    joined = [[pattern.has_edge(v, u) for u in order[:i]] for i, v in enumerate(order)]
    each = max((_bound(graph, size) for graph in graphs), default=1)
    step = max(1, min(256, 2_000_000 // each))
    for start in range(0, len(graphs), step):
        part = slice(start, min(start + step, len(graphs)))
        block = graphs[part]
        most = max((graph.num_nodes for graph in block), default=0)
        table = np.zeros((len(block), most, most), bool)
        there = np.zeros((len(block), most), bool)
        for i, graph in enumerate(block):
            u, v = graph.edges.T
            table[i, u, v] = table[i, v, u] = True
            there[i, : graph.num_nodes] = True
        rows = np.stack(np.nonzero(there), axis=1)
        for links in joined[1:]:
            # A candidate is joined to all that it must be; of the others it is another node.
            fits = np.ones((len(rows), most), bool)
            for i, linked in enumerate(links, start=1):
                beside = table[rows[:, 0], rows[:, i]]
                if linked:
                    fits &= beside
                elif induced:
                    fits &= ~beside
                fits[np.arange(len(rows)), rows[:, i]] = False
            # Padding is joined to nobody, and each node of a pattern to somebody.
            which, nodes = np.nonzero(fits)
            rows = np.concatenate([rows[which], nodes[:, None]], axis=1)
        yield part, rows, most


def _bound(graph: Graph, size: int) -> int:
    """No more partial embeddings than this: walks along the edges of a pattern's spanning tree."""
    degrees = np.bincount(graph.edges.ravel(), minlength=1)
    return max(1, graph.num_nodes * int(degrees.max()) ** (size - 1))
