"""What a network is told of each node: labels one-hot, degrees one-hot, numbers, or that it is there."""

from typing import Literal

import numpy as np
from jaxtyping import Float32

from experiments.data.graph_sets import Graph, GraphSet
from ntkexec.errors import ExperimentError

Kind = Literal["labels", "degrees", "features", "ones"]
KINDS = ("labels", "degrees", "features", "ones")


def node_inputs(
    graphs: GraphSet, *, kind: Kind | None = None, most_degree: int | None = None
) -> tuple[Float32[np.ndarray, "n F"], ...]:
    """A row for each node of each graph.

    Args:
        graphs: of a set.
        kind: `labels` or `degrees` one-hot, `features` as they are, or a column of `ones`; without it,
            labels where the set has some and degrees otherwise, as GIN's public code does.
        most_degree: larger degrees count as this one; without it, the largest of the set.

    Raises:
        ExperimentError: the set has not what `kind` says.
    """
    kind = kind or ("labels" if graphs.num_node_labels else "degrees")
    if kind not in KINDS:
        raise ExperimentError(f"{kind!r} is none of {', '.join(KINDS)}")
    if kind == "labels":
        if not graphs.num_node_labels:
            raise ExperimentError(f"the nodes of {graphs.name} have no labels")
        one = np.eye(graphs.num_node_labels, dtype=np.float32)
        return tuple(one[g.node_labels] for g in graphs.graphs)
    if kind == "degrees":
        most = most_degree or max(int(g.degrees.max()) for g in graphs.graphs)
        one = np.eye(most + 1, dtype=np.float32)
        return tuple(one[np.minimum(g.degrees, most)] for g in graphs.graphs)
    if kind == "features":
        return tuple(_features(g, graphs.name) for g in graphs.graphs)
    return tuple(np.ones((g.num_nodes, 1), np.float32) for g in graphs.graphs)


def _features(graph: Graph, name: str) -> np.ndarray:
    if graph.features is None:
        raise ExperimentError(f"the nodes of {name} have no features")
    return graph.features
