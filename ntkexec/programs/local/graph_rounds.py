"""How many rounds algorithms need on a given graph."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Int

from ntkexec.errors import GraphError
from ntkexec.graphs import Graph
from ntkexec.programs import inputs as common
from ntkexec.programs.local.judging import Inputs


def smallest_of_components(graph: Graph) -> list[int]:
    """For every connected component, also of a batch, the index of its smallest node."""
    from scipy.sparse import csgraph

    _, component = csgraph.connected_components(common.adjacency(graph), directed=False)
    return np.unique(component, return_index=True)[1].tolist()


def from_smallest(graph: Graph, inputs: Inputs = None) -> int:
    """Rounds until everyone has heard of the smallest node of its component."""
    return common.rounds_needed(graph, smallest_of_components(graph))


def diameter(graph: Graph, inputs: Inputs = None) -> int:
    """The largest finite distance."""
    from scipy.sparse import csgraph

    distances = csgraph.shortest_path(common.adjacency(graph), directed=False, unweighted=True)
    return int(distances[np.isfinite(distances)].max())


def longest_descent(graph: Graph, inputs: Inputs = None) -> int:
    """Nodes of the longest path along which identifiers fall.

    An algorithm in which every node waits for its smaller neighbours takes so many rounds.
    """
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    length: Int[np.ndarray, n] = np.ones(graph.num_nodes, int)
    # Edges are sorted by receiver, and every smaller neighbour is final when its turn comes.
    for sender, receiver in zip(senders.tolist(), receivers.tolist(), strict=True):
        if sender < receiver:
            length[receiver] = max(length[receiver], length[sender] + 1)
    return int(length.max())


def roots(
    graph: Graph, source: Hashable | None = None, sources: Sequence[Hashable] | None = None
) -> list[int]:
    """One root for every component that has one: as given, or the smallest node of each.

    Raises:
        GraphError: an unknown node, or two in one component.
    """
    if source is None and sources is None:
        return smallest_of_components(graph)
    given = common.source_indices(graph, source, sources)
    common.check_sources(graph, given)
    from scipy.sparse import csgraph

    _, component = csgraph.connected_components(common.adjacency(graph), directed=False)
    first: dict[int, int] = {}
    for node in given:
        other = first.setdefault(int(component[node]), node)
        if other != node:
            raise GraphError(
                f"{graph.names[other]!r} and {graph.names[node]!r} are in one component of graph "
                f"{graph.label!r}; it takes one root"
            )
    return given
