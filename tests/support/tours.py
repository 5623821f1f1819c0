"""How long a search in queue order takes, counted in the search tree of networkx."""

import networkx as nx

from ntkexec.programs.graph import bfs_queue


def halting_step(graph: nx.Graph, source: int) -> int:
    """The step after which all of the source's component know that the search is over."""
    parents = dict(nx.bfs_predecessors(graph, source, sort_neighbors=sorted))
    levels = list(nx.bfs_layers(graph, source))[1:]
    edges = []
    for level in levels:
        path_edges: set[tuple[int, int]] = set()
        for node in level:
            while node != source:
                path_edges.add((parents[node], node))
                node = parents[node]
        edges.append(len(path_edges))
    rounds = bfs_queue.num_rounds(edges, [len(level) for level in levels])
    return bfs_queue.num_steps(rounds, len(levels))
