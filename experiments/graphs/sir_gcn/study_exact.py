"""What is measured exactly: the layer's algebra, soft distances, written-down weights, costs."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.graphs.sir_gcn import tasks
from experiments.graphs.sir_gcn.layers import SIRConv
from experiments.graphs.sir_gcn.networks import SmallNetwork
from experiments.graphs.sir_gcn.soft import polynomial, soft_distance
from experiments.graphs.sir_gcn.study_config import SirConfig
from experiments.harness.study import Trial
from experiments.kits.graph.convert import assembled
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.graph.padding import padded
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.runtime.precision import float64

Deviations = dict[str, dict[str, float]]
"""Of each identity, relative to what is compared: "kept", and "broken" with a premise taken out."""


def algebra(config: SirConfig, trial: Trial) -> Deviations:
    """W_R before and after aggregation, and special cases: the layer and dense sums, in float64."""
    generator, num, width, features = trial.generator, 30, 6, 4
    senders, receivers = np.divmod(generator.choice(num * num, 150, replace=False), num)
    x = generator.normal(size=(num, features))
    graph = assembled(x, senders, receivers)
    relate, bias = generator.normal(size=(width, features)), generator.normal(size=(1, features))
    query, key = generator.normal(size=(2, features, width))

    def layer(aggregate: str, activation: Any, factor: float = 1.0) -> np.ndarray:
        conv = SIRConv(features, width, activation, aggregate, inner_bias=False)
        params = {
            "query": {"kernel": factor * query},
            "key": {"kernel": key},
            "relation": {"kernel": relate, "bias": bias[0]},
        }
        return np.asarray(jax.jit(conv.apply)({"params": params}, graph))

    adjacency = dense(graph)
    operators = {
        "sum": adjacency,
        "mean": adjacency / np.maximum(adjacency.sum(1, keepdims=True), 1),
        "sym": dense(normalised(graph, self_loops=False)),
    }
    contexts = (x @ query)[:, None] + (x @ key)[None]  # receiver, sender
    kept, broken = {}, {}
    with float64():
        for how, operator in operators.items():
            each = np.einsum("uv,uvc->uc", operator, np.maximum(contexts, 0) @ relate + bias)
            extra, found = (operator.sum(1, keepdims=True) - 1) * bias, layer(how, nn.relu)
            kept[f"per edge, {how}"] = _apart(each - extra, found)
            if how != "mean":  # whose weights sum to 1, so that nothing is left over
                broken[f"per edge, {how}"] = _apart(each, found)
        for name, how in {"GCN": "sym", "SAGE": "mean", "GIN": "sum"}.items():
            rival = operators[how] @ x @ key @ relate + bias
            kept[name] = _apart(rival, layer(how, _as_it_is, 0.0))
            broken[name] = _apart(rival, layer(how, _as_it_is))
        leaky = np.where(contexts > 0, 1, 0.2) * contexts
        scores = np.einsum("uv,uvc->uc", adjacency, leaky @ relate) + bias
        kept["GATv2's scores"] = _apart(scores, layer("sum", lambda z: nn.leaky_relu(z, 0.2)))
        broken["GATv2's scores"] = _apart(scores, layer("sum", nn.relu))
    return {"kept": kept, "broken": broken}


def _as_it_is(x: jax.Array) -> jax.Array:
    return x


def distances(config: SirConfig, trial: Trial) -> Deviations:
    """Squared distances from sums of a quadratic kernel, and from the layer with its features."""
    generator, graphs = trial.generator, []
    for num, count in ((5, 12), (6, 15)):
        senders, receivers = np.divmod(generator.choice(num * num, count, replace=False), num)
        graphs.append(assembled(generator.normal(size=(num, 1)), senders, receivers))
    wanted = soft_distance(*graphs, kernel=polynomial(2), layers=2)
    found = {}
    for part, context in (("kept", 1.0), ("broken", 0.0)):
        with float64():
            (node, around), (node2, around2) = (_explicit(graph, context) for graph in graphs)
        pairs: dict[str, tuple[np.ndarray, Any]] = {
            "node": (node[:, None] - node2[None], wanted.node),
            "neighbourhood": (around[:, None] - around2[None], wanted.neighbourhood),
            "graph": (node.sum(0) - node2.sum(0), wanted.graph),
        }
        found[part] = {
            name: _apart(np.square(distance), np.square(gap).sum(-1))
            for name, (gap, distance) in pairs.items()
        }
    return found


def _explicit(graph: GraphsTuple, context: float) -> tuple[np.ndarray, np.ndarray]:
    """g of final states, and the last neighbourhoods, by two layers whose activation is g."""
    states = np.asarray(graph.nodes)
    for _ in range(2):
        width = states.shape[1]
        own = np.eye(width, 2 * width)
        size = (2 * width + 1) ** 2
        kernels = {"query": context * own, "key": np.roll(own, width, 1), "relation": np.eye(size)}
        conv = SIRConv(size, 2 * width, _monomials, inner_bias=False, outer_bias=False)
        variables = {"params": {name: {"kernel": kernel} for name, kernel in kernels.items()}}
        around = np.asarray(conv.apply(variables, graph._replace(nodes=states)))
        states = np.concatenate([states, around], 1)
    return np.asarray(_monomials(states)), around


def _monomials(x: Any) -> Any:
    """All products of two entries of (1, x): their inner products are `(1 + <x, y>)^2`."""
    longer = jnp.concatenate([jnp.ones((*x.shape[:-1], 1)), x], -1)
    return (longer[..., :, None] * longer[..., None, :]).reshape(*x.shape[:-1], -1)


def weights(config: SirConfig, trial: Trial) -> Deviations:
    """Both synthetic tasks solved by weights that are written down; a GCN's scores of queries."""
    generator, num, labels, most = trial.generator, 20, config.count_classes, 50
    values = generator.permutation(num)
    graph = tasks.dictionary(values)
    drawn = graph.nodes @ generator.normal(size=(num + 1, num))
    kept, broken = {"count": 0.0, "GIN": 0.0}, {"GIN": 0.0}
    with float64():
        look, count = (jax.jit(SIRConv(*size).apply) for size in ((num, 3 * num), (1, labels)))
        for part, penalty, loops in ((kept, None, False), (broken, 0.0, True)):
            found = look(tasks.lookup_weights(num, penalty=penalty), graph)[:num]
            part["lookup"] = _apart(np.eye(num)[values], found)
            scores = (dense(normalised(graph, self_loops=loops)) @ drawn)[:num]
            part["GCN's spread"] = _apart(scores, scores[:1])
        for _ in range(10):
            graph, target = tasks.coloured_graph(generator, labels, most)
            longer = padded(graph, most + 1, most**2).graph
            nodes = count(tasks.edge_count_weights(labels), longer)[: len(graph.nodes)]
            kept["count"] = max(kept["count"], abs(float(nodes.sum()) - target))
            for part, epsilon in ((kept, -(len(graph.nodes) + 2.0)), (broken, 0.0)):
                counted = tasks.gin_edge_count(graph, epsilon=epsilon).sum()
                part["GIN"] = max(part["GIN"], abs(float(counted) - target))
    return {"kept": kept, "broken": broken}


def _apart(wanted: Any, found: Any) -> float:
    """The largest difference over the largest number."""
    return float(np.abs(wanted - np.asarray(found)).max() / np.abs(wanted).max())


def costs(config: SirConfig, trial: Trial) -> dict[str, Any]:
    """Operations of one edge by width, as XLA counts them: two aggregates, a network inside."""

    def operations(conv: SIRConv, num_edges: int) -> float:
        ends = np.arange(num_edges) % 100
        graph = assembled(np.zeros((100, conv.hidden), np.float32), ends, ends[::-1])
        shapes = jax.eval_shape(lambda given: conv.init(jax.random.key(0), given), graph)
        return float((jax.jit(conv.apply).lower(shapes, graph).cost_analysis() or {})["flops"])

    def edge(width: int, aggregate: str, activation: Any) -> float:
        conv = SIRConv(width, width, activation, aggregate)
        return (operations(conv, 800) - operations(conv, 400)) / 400

    per_edge = {
        "sym": [edge(width, "sym", nn.relu) for width in config.cost_widths],
        "max": [edge(width, "max", nn.relu) for width in config.cost_widths],
        "network": [edge(width, "sum", SmallNetwork(width)) for width in config.cost_widths],
    }
    return {"widths": list(config.cost_widths), "per_edge": per_edge}
