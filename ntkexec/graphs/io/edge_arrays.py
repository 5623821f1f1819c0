"""A graph as it stands in a file: names and edges in arrays, nothing checked yet."""

import dataclasses
from collections.abc import Sequence

import networkx as nx
import numpy as np
from jaxtyping import Int64, Num


@dataclasses.dataclass(frozen=True)
class EdgeArrays:
    """Edges as a file lists them.

    names: one for each node, ascending: its index is the node's identifier.
    senders: identifier of one end of each edge; shape (e,).
    receivers: of the other; shape (e,). An undirected edge may occur in both directions, or twice.
    weights: of each edge, finite numbers of any type, or None; shape (e,).
    directed: whether edges lead from sender to receiver.
    """

    names: Sequence[int]
    senders: Int64[np.ndarray, "e"]
    receivers: Int64[np.ndarray, "e"]
    weights: Num[np.ndarray, "e"] | None = None
    directed: bool = False

    def to_networkx(self) -> nx.Graph:
        """The same in networkx, weights as "weight"; of an edge given twice, the last counts."""
        graph: nx.Graph = nx.DiGraph() if self.directed else nx.Graph()
        graph.add_nodes_from(self.names)
        ends = ([self.names[i] for i in e.tolist()] for e in (self.senders, self.receivers))
        if self.weights is None:
            graph.add_edges_from(zip(*ends, strict=True))
        else:
            numbers = self.weights.tolist()
            # Beyond 2^53 a float's digits are fewer than those of its integer.
            weights = [int(w) if abs(w) < 2**53 and w == int(w) else w for w in numbers]
            graph.add_weighted_edges_from(zip(*ends, weights, strict=True))
        return graph
