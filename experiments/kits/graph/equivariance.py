"""Whether a function of graphs cares how nodes are numbered."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from experiments.kits.graph.convert import assembled
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.operators import num_nodes
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError


def permuted(graph: GraphsTuple, order: Int[np.ndarray, " n"]) -> GraphsTuple:
    """The same graph with its nodes in another order: the new node i is the old node `order[i]`.

    Raises:
        ExperimentError: `order` is no permutation of the nodes.
    """
    n = num_nodes(graph)
    if sorted(np.asarray(order).tolist()) != list(range(n)):
        raise ExperimentError(f"{order} is no order of {n} nodes")
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)

    def moved(rows: Any) -> Any:
        if isinstance(rows, SparseFeatures):
            return SparseFeatures.of(rows.to_scipy()[order])
        return rows[order]

    return assembled(
        jax.tree.map(moved, graph.nodes, is_leaf=lambda x: isinstance(x, SparseFeatures)),
        place[np.asarray(graph.senders)],
        place[np.asarray(graph.receivers)],
        graph.edges,
    )


def equivariance_error(
    function: Callable[[GraphsTuple], Any], graph: GraphsTuple, generator: np.random.Generator
) -> float:
    """The largest |f(permuted graph) - permuted f(graph)| for a random order; 0 if f is equivariant.

    Args:
        function: from a graph to one row a node.
        graph: any.
        generator: draws the order.
    """
    order = generator.permutation(num_nodes(graph))
    moved = np.asarray(function(permuted(graph, order)))
    return float(np.abs(moved - np.asarray(function(graph))[order]).max())
