"""The paper's two synthetic tasks, and weights that solve them exactly."""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from experiments.kits.graph.convert import assembled
from experiments.kits.graph.segments import GraphsTuple

Weights = dict[str, Any]


def dictionary(values: Int[np.ndarray, " n"]) -> GraphsTuple:
    """A dictionary to look up: n query nodes, each sent to by all n attribute nodes.

    Args:
        values: a permutation; the key of attribute node i is i, and its value is `values[i]`.

    Returns:
        The graph of 2n nodes, queries first. Features are the key, and the value one-hot, which a
        query has not: (2n, 1 + n).

    Source: Brody et al., arXiv:2105.14491; as in briangodwinlim/SIR-GCN.
    """
    num = len(values)
    keys = np.tile(np.arange(num), 2)[:, None]
    shown = np.concatenate([np.zeros((num, num)), np.eye(num)[values]])
    senders, receivers = np.divmod(np.arange(num * num), num)
    return assembled(np.concatenate([keys, shown], 1), senders + num, receivers)


def lookup_weights(num: int, *, penalty: float | None = None) -> Weights:
    """Variables of `SIRConv(n, 3n, inner_bias=True)` that look a dictionary of n keys up, exactly.

    Hidden unit (s, m), s in 1, 0, -1, is `relu(key_u - key_v + s - penalty * [value_v is not m])`: of
    the unit's three shifts, weighed 1, -2, 1, only an attribute with the query's own key is left.

    Args:
        num: keys.
        penalty: what silences an attribute with another value; n, the least that does, if not given.
    """
    penalty = num if penalty is None else penalty
    shifts = np.repeat([1.0, 0.0, -1.0], num)
    key = np.concatenate([-np.ones((1, 3 * num)), penalty * np.tile(np.eye(num), 3)])
    query = np.concatenate([np.ones((1, 3 * num)), np.zeros((num, 3 * num))])
    relation = np.tile(np.eye(num), (3, 1)) * np.repeat([1.0, -2.0, 1.0], num)[:, None]
    return _variables(query, shifts - penalty, key, relation)


def coloured_graph(
    generator: np.random.Generator, num_classes: int, most_nodes: int = 50
) -> tuple[GraphsTuple, int]:
    """A random directed graph of labelled nodes, and how many edges join different labels.

    Args:
        generator: draws the number of nodes N from 2 up, labels, the number of edges from
            N^2 // 4 up to N^2, and that many of all N^2 ordered pairs.
        num_classes: labels; features are one-hot.
        most_nodes: the largest N.

    Source: HeteroEdgeCount in briangodwinlim/SIR-GCN.
    """
    num = int(generator.integers(2, most_nodes + 1))
    labels = generator.integers(0, num_classes, num)
    count = int(generator.integers(num * num // 4, num * num + 1))
    senders, receivers = np.divmod(generator.choice(num * num, count, replace=False), num)
    graph = assembled(np.eye(num_classes)[labels], senders, receivers)
    return graph, int((labels[senders] != labels[receivers]).sum())


def edge_count_weights(num_classes: int) -> Weights:
    """Variables of `SIRConv(1, C)` that count at each node the senders of another label, exactly."""
    one = np.eye(num_classes)
    return _variables(one, np.zeros(num_classes), -one, np.ones((num_classes, 1)))


def gin_edge_count(graph: GraphsTuple, *, epsilon: float) -> Float64[np.ndarray, " n"]:
    """One GIN layer, `1 . relu((1 + epsilon) h_u + sum of senders h_v)`, of fixed weights.

    With epsilon at most -(N + 1) a node's own label is silenced, and the layer counts as SIR does;
    with the paper's epsilon of 0 it counts all senders and the node.
    """
    nodes = np.asarray(graph.nodes, np.float64)
    received = np.zeros_like(nodes)
    np.add.at(received, np.asarray(graph.receivers), nodes[np.asarray(graph.senders)])
    return np.maximum((1 + epsilon) * nodes + received, 0).sum(1)


def _variables(query: Any, bias: Any, key: Any, relation: Any) -> Weights:
    out = np.zeros(relation.shape[1])
    return {
        "params": {
            "query": {"kernel": query, "bias": bias},
            "key": {"kernel": key},
            "relation": {"kernel": relation, "bias": out},
        }
    }
