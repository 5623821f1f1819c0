"""Graphs that are known to be hard to tell apart, and random ones whose degrees say nothing."""

from collections.abc import Iterable

import networkx as nx
import numpy as np

from experiments.data.graph_sets import Graph
from ntkexec.errors import ExperimentError

SKIPS = (2, 3, 4, 5, 6, 9, 11, 12, 13, 16)
"""Of the ten graphs of 41 nodes that Murphy et al. (arXiv:1903.02541) use."""


def graph_of_networkx(graph: nx.Graph) -> Graph:
    """A graph without labels; its nodes are numbered in networkx's order, and loops dropped."""
    number = {node: i for i, node in enumerate(graph)}
    pairs = {tuple(sorted((number[u], number[v]))) for u, v in graph.edges() if u != v}
    edges = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return Graph(len(number), edges, None, None, None)


def networkx_of_graph(graph: Graph) -> nx.Graph:
    """The same graph for networkx, without its labels."""
    made = nx.Graph()
    made.add_nodes_from(range(graph.num_nodes))
    made.add_edges_from(graph.edges.tolist())
    return made


def circular_skip_links(nodes: int = 41, skips: Iterable[int] = SKIPS) -> tuple[Graph, ...]:
    """Cycles with further links from each node to those `skip` steps away, one graph a skip.

    All are 4-regular, so 1-WL gives one colour to every node.

    Args:
        nodes: of each graph.
        skips: from 2 to below half of the nodes.

    Raises:
        ExperimentError: names a skip that repeats links of the cycle, or meets itself.

    Source: Murphy et al., Relational pooling, ICML 2019, arXiv:1903.02541.
    """
    found = []
    for skip in skips:
        if not 2 <= skip < nodes / 2:
            raise ExperimentError(
                f"a skip of {skip} in {nodes} nodes; it is 2 to below {nodes / 2:g}"
            )
        found.append(graph_of_networkx(nx.circulant_graph(nodes, [1, skip])))
    return tuple(found)


def cycle_and_halves(half: int) -> tuple[Graph, Graph]:
    """A cycle of `2 half` nodes, and two cycles of `half`: the same under 1-WL.

    Raises:
        ExperimentError: half is below 3, of which there is no cycle.
    """
    if half < 3:
        raise ExperimentError(f"there is no cycle of {half} nodes")
    two = nx.disjoint_union(nx.cycle_graph(half), nx.cycle_graph(half))
    return graph_of_networkx(nx.cycle_graph(2 * half)), graph_of_networkx(two)


def rook_and_shrikhande() -> tuple[Graph, Graph]:
    """Both strongly regular graphs with parameters (16, 6, 2, 2): the same under 2-FWL.

    Source: Shrikhande, The uniqueness of the L2 association scheme, 1959.
    """
    rook = nx.line_graph(nx.complete_bipartite_graph(4, 4))
    shrikhande = nx.Graph()
    for x in range(4):
        for y in range(4):
            for across, up in ((1, 0), (0, 1), (1, 1)):
                shrikhande.add_edge((x, y), ((x + across) % 4, (y + up) % 4))
    return graph_of_networkx(rook), graph_of_networkx(shrikhande)


def triangular_and_chang() -> tuple[Graph, Graph, Graph, Graph]:
    """All strongly regular graphs with parameters (28, 12, 6, 4): T(8), then Chang's three.

    Chang's come from T(8), whose nodes are the edges of K8, by switching at four disjoint edges, at a
    cycle of eight, and at cycles of three and of five.

    Source: Chang, 1959; switching as in Seidel, 1967.
    """
    triangular = nx.line_graph(nx.complete_graph(8))
    nodes = list(triangular)
    where = {tuple(sorted(node)): i for i, node in enumerate(nodes)}
    table = nx.to_numpy_array(triangular, nodelist=nodes, dtype=int)
    switches = (
        [(0, 1), (2, 3), (4, 5), (6, 7)],
        list(nx.cycle_graph(8).edges),
        [*nx.cycle_graph(3).edges, *nx.cycle_graph([3, 4, 5, 6, 7]).edges],
    )
    found = [graph_of_networkx(triangular)]
    for edges in switches:
        inside = np.zeros(len(nodes), bool)
        inside[[where[tuple(sorted(edge))] for edge in edges]] = True
        across = inside[:, None] != inside[None, :]
        found.append(graph_of_networkx(nx.from_numpy_array(np.where(across, 1 - table, table))))
    return found[0], found[1], found[2], found[3]


def random_regular(
    degree: int, nodes: int, number: int, *, generator: np.random.Generator
) -> tuple[Graph, ...]:
    """Random graphs all of whose nodes have one degree, so that degrees say nothing of counts.

    Args:
        degree: of every node.
        nodes: of each graph; degree times nodes is even.
        number: of graphs.
        generator: of networkx's seeds.

    Raises:
        ExperimentError: there is no such graph.
    """
    if not 0 <= degree < nodes or degree * nodes % 2:
        raise ExperimentError(f"there is no graph of {nodes} nodes, all of degree {degree}")
    seeds = generator.integers(2**31, size=number).tolist()
    return tuple(graph_of_networkx(nx.random_regular_graph(degree, nodes, seed)) for seed in seeds)
