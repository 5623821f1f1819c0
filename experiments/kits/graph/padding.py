"""Padding to common sizes, so that graphs of several sizes share one compiled program."""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool

from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.operators import num_nodes
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Padded:
    """A graph with nodes and edges that change nothing for the real ones.

    Args:
        graph: the real nodes first, then nodes of zeros; edges that were added lead from the last
            node to itself, with weight 0.
        nodes: (num_nodes,), whether each is real.
    """

    graph: GraphsTuple
    nodes: Bool[np.ndarray, " n"]


def padded(graph: GraphsTuple, num_nodes_padded: int, num_edges_padded: int) -> Padded:
    """The graph with this many nodes and edges; features are padded with zeros.

    Args:
        graph: with weights, or without: then it gets weights of 1 and 0.
        num_nodes_padded: at least one more than its nodes, unless no edges are added.
        num_edges_padded: at least its edges.

    Raises:
        ExperimentError: says which of the two is too small.
    """
    n, e = num_nodes(graph), len(np.asarray(graph.senders))
    more_nodes, more_edges = num_nodes_padded - n, num_edges_padded - e
    if more_edges < 0 or more_nodes < (1 if more_edges else 0):
        raise ExperimentError(
            f"{num_nodes_padded} nodes and {num_edges_padded} edges do not hold {n} nodes, {e} edges "
            "and a node for the edges that are added"
        )

    def longer(rows: Any, more: int, value: float = 0) -> np.ndarray:
        rows = np.asarray(rows)
        end = np.full((more, *rows.shape[1:]), value, rows.dtype)
        return np.concatenate([rows, end])

    def with_zeros(rows: Any) -> Any:
        if isinstance(rows, SparseFeatures):
            matrix = rows.to_scipy()
            matrix.resize((num_nodes_padded, rows.shape[1]))
            return SparseFeatures.of(matrix)
        return longer(rows, more_nodes)

    weights = np.ones(e) if graph.edges is None else graph.edges
    found = GraphsTuple(
        nodes=jax.tree.map(
            with_zeros, graph.nodes, is_leaf=lambda x: isinstance(x, SparseFeatures)
        ),
        edges=longer(weights, more_edges),
        senders=longer(graph.senders, more_edges, num_nodes_padded - 1),
        receivers=longer(graph.receivers, more_edges, num_nodes_padded - 1),
        n_node=np.array([num_nodes_padded], np.int32),
        n_edge=np.array([num_edges_padded], np.int32),
        globals=None,
    )
    return Padded(found, np.arange(num_nodes_padded) < n)
