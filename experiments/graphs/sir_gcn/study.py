"""What is measured: the layer's algebra, exact weights, costs, both synthetic tasks, minesweeper."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.metrics import roc_auc_score

from experiments.graphs.sir_gcn import networks, tasks
from experiments.graphs.sir_gcn.layers import SIRConv
from experiments.graphs.sir_gcn.soft import polynomial, soft_distance
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.convert import assembled, from_edges
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.graph.padding import padded
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.kits.nodes.fitting import fit
from experiments.kits.training import train
from ntkexec.runtime.precision import float64


@dataclasses.dataclass(frozen=True)
class SirConfig:
    """Sizes of all studies.

    Args:
        lookup_keys, lookup_graphs, lookup_steps, lookup_batch: dictionaries, a fifth for testing.
        count_classes, count_graphs, count_steps, count_batch: coloured graphs, likewise.
        cost_widths: of the layer whose products are counted.
        nodes_hidden, nodes_layers, nodes_steps, nodes_rate, nodes_dropout: network on minesweeper.
    """

    lookup_keys: int = 10
    lookup_graphs: int = 5000
    lookup_steps: int = 1500
    lookup_batch: int = 128
    count_classes: int = 4
    count_graphs: int = 1250
    count_steps: int = 8000
    count_batch: int = 32
    cost_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    nodes_hidden: int = 16
    nodes_layers: int = 5
    nodes_steps: int = 150
    nodes_rate: float = 0.02
    nodes_dropout: float = 0.1

    def __post_init__(self) -> None:
        check_types(self)
        whole = [f.name for f in dataclasses.fields(self) if type(getattr(self, f.name)) is int]
        require(
            self,
            **{name: getattr(self, name) > 0 for name in whole},
            cost_widths=len(self.cost_widths) > 1 and min(self.cost_widths) > 0,
            nodes_rate=self.nodes_rate > 0,
            nodes_dropout=0 <= self.nodes_dropout < 1,
        )


QUICK = SirConfig()
STANDARD = SirConfig(
    lookup_steps=8000, lookup_batch=256, count_graphs=5000, nodes_hidden=256, nodes_steps=1000,
    nodes_rate=3e-5, nodes_dropout=0.2,
)  # fmt: skip
TINY = SirConfig(
    lookup_keys=4, lookup_graphs=50, lookup_steps=20, lookup_batch=8, count_graphs=50,
    count_steps=20, count_batch=4, nodes_hidden=4, nodes_layers=1, nodes_steps=3,
)  # fmt: skip


class Deviations(TypedDict):
    """Of each identity, relative to what is compared; and with a premise taken out."""

    kept: dict[str, float]
    broken: dict[str, float]


def algebra(config: SirConfig, trial: Trial) -> Deviations:
    """W_R before and after aggregation, special cases, soft distances: two routes, in float64."""
    generator = trial.generator
    num, width, features = 30, 6, 4
    senders, receivers = np.divmod(generator.choice(num * num, 150, replace=False), num)
    x = generator.normal(size=(num, features))
    graph = assembled(x, senders, receivers)
    relate, bias = generator.normal(size=(width, features)), generator.normal(size=(1, features))
    query, key = generator.normal(size=(2, features, width))
    adjacency = dense(graph)
    degree = adjacency.sum(1, keepdims=True)

    def layer(aggregate: str, activation: Any, query: Any = query) -> np.ndarray:
        conv = SIRConv(features, width, activation, aggregate, inner_bias=False)
        weights = {"query": query, "key": key, "relation": relate}
        params: dict[str, Any] = {name: {"kernel": value} for name, value in weights.items()}
        params["relation"]["bias"] = bias[0]
        return np.asarray(jax.jit(conv.apply)({"params": params}, graph))

    contexts = (x @ query)[:, None] + (x @ key)[None]  # receiver, sender
    operators = {
        "sum": adjacency,
        "mean": adjacency / np.maximum(degree, 1),
        "sym": dense(normalised(graph, self_loops=False)),
    }
    kept, broken = {}, {}
    with float64():
        for how, operator in operators.items():
            biased = np.maximum(contexts, 0) @ relate + bias
            each = np.einsum("uv,uvc->uc", operator, biased)
            extra = (operator.sum(1, keepdims=True) - 1) * bias
            found = layer(how, nn.relu)
            kept[f"per edge, {how}"] = _apart(each - extra, found)
            if how != "mean":  # whose weights sum to 1, so that nothing is left over
                broken[f"per edge, {how}"] = _apart(each, found)
        linear = x @ key @ relate
        cases = {
            "GCN": ("sym", operators["sym"] @ linear),
            "SAGE": ("mean", operators["mean"] @ linear),
            "GIN": ("sum", adjacency @ linear),
        }
        for name, (how, rival) in cases.items():
            kept[name] = _apart(rival + bias, layer(how, lambda z: z, 0 * query))
            broken[name] = _apart(rival + bias, layer(how, lambda z: z))
        scores = np.einsum(
            "uv,uvc->uc", adjacency, np.where(contexts > 0, 1, 0.2) * contexts @ relate
        )
        kept["GATv2's scores"] = _apart(
            scores + bias, layer("sum", lambda z: nn.leaky_relu(z, 0.2))
        )
        broken["GATv2's scores"] = _apart(scores + bias, layer("sum", nn.relu))
    return {"kept": kept, "broken": broken}


def soft(config: SirConfig, trial: Trial) -> Deviations:
    """Distances from sums of a quadratic kernel, and from the layer with its explicit features."""
    generator, graphs = trial.generator, []
    for num, count in ((5, 12), (6, 15)):
        senders, receivers = np.divmod(generator.choice(num * num, count, replace=False), num)
        graphs.append(assembled(generator.normal(size=(num, 1)), senders, receivers))
    levels = soft_distance(*graphs, kernel=polynomial(2), layers=2)
    wanted = {name: getattr(levels, name) for name in ("node", "neighbourhood", "graph")}
    found = {}
    with float64():
        for context in (1.0, 0.0):
            ends = [_explicit(graph, context) for graph in graphs]
            node, around = (
                np.linalg.norm(ends[0][i][:, None] - ends[1][i][None], axis=2) for i in (0, 1)
            )
            total = np.linalg.norm(ends[0][0].sum(0) - ends[1][0].sum(0))
            found[context] = {"node": node, "neighbourhood": around, "graph": total}
    apart = {
        context: {name: _apart(wanted[name] ** 2, each[name] ** 2) for name in wanted}
        for context, each in found.items()
    }
    return {"kept": apart[1.0], "broken": apart[0.0]}


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
    """Both synthetic tasks solved by weights that are written down."""
    generator, num, labels, most = trial.generator, 20, config.count_classes, 50
    values = generator.permutation(num)
    graph = tasks.dictionary(values)
    drawn = generator.normal(size=(num + 1, num))
    gcn = [
        (dense(normalised(graph, self_loops=loops)) @ graph.nodes @ drawn)[:num]
        for loops in (False, True)
    ]
    spread = [float(np.ptp(scores, axis=0).max() / np.abs(scores).max()) for scores in gcn]
    lookups, counts, gin, without = [], [], [], []
    with float64():
        look, count = (jax.jit(SIRConv(*size).apply) for size in ((num, 3 * num), (1, labels)))
        for penalty in (None, 0.0):
            found = look(tasks.lookup_weights(num, penalty=penalty), graph)[:num]
            lookups.append(_apart(np.eye(num)[values], found))
        for _ in range(10):
            graph, target = tasks.coloured_graph(generator, labels, most)
            longer = padded(graph, most + 1, most**2).graph
            nodes = count(tasks.edge_count_weights(labels), longer)[: len(graph.nodes)]
            counts.append(abs(float(nodes.sum()) - target))
            for errors, epsilon in ((gin, -(len(graph.nodes) + 2.0)), (without, 0.0)):
                errors.append(abs(tasks.gin_edge_count(graph, epsilon=epsilon).sum() - target))
    exact = {"lookup": lookups[0], "GCN's spread": spread[0], "count": max(counts), "GIN": max(gin)}
    broken = {"lookup": lookups[1], "GCN's spread": spread[1], "GIN": max(without)}
    return {"kept": exact, "broken": broken}


def _apart(wanted: Any, found: Any) -> float:
    """The largest difference over the largest number."""
    return float(np.abs(wanted - np.asarray(found)).max() / np.abs(wanted).max())


class Costs(TypedDict):
    """Widths, and floating-point operations of one edge at each, by aggregate and activation."""

    widths: list[int]
    per_edge: dict[str, list[float]]


def costs(config: SirConfig, trial: Trial) -> Costs:
    """What one edge more costs, as XLA counts the layer's operations."""

    def operations(conv: SIRConv, num_edges: int) -> float:
        ends = np.arange(num_edges) % 100
        graph = assembled(np.zeros((100, conv.hidden), np.float32), ends, ends[::-1])
        shapes = jax.eval_shape(lambda given: conv.init(jax.random.key(0), given), graph)
        return float((jax.jit(conv.apply).lower(shapes, graph).cost_analysis() or {})["flops"])

    def edge(width: int, aggregate: str, activation: Any) -> float:
        conv = SIRConv(width, width, activation, aggregate)
        return (operations(conv, 800) - operations(conv, 400)) / 400

    kinds = {"sum": nn.relu, "mean": nn.relu, "sym": nn.relu, "max": nn.relu}
    per_edge = {
        how: [edge(width, how, kind) for width in config.cost_widths] for how, kind in kinds.items()
    }
    per_edge["sum, small network"] = [
        edge(width, "sum", networks.SmallNetwork(width)) for width in config.cost_widths
    ]
    return {"widths": list(config.cost_widths), "per_edge": per_edge}


def lookup(config: SirConfig, trial: Trial) -> dict[str, float]:
    """Test accuracy on dictionaries, by layer."""
    order = trial.generator.random((config.lookup_graphs, config.lookup_keys))
    values = np.argsort(order, 1).astype(np.int32)
    test, rest = np.split(values, [len(values) // 5])
    found = {}
    for layer in networks.LOOKUPS:
        network = networks.LookupNetwork(layer, config.lookup_keys, 4 * config.lookup_keys)
        scores = _trained(
            network, _lookup_loss, (rest,), (test,), trial, layer, steps=config.lookup_steps,
            batch=config.lookup_batch, rate=1e-3,
        )  # fmt: skip
        found[layer] = float((scores.argmax(-1) == test).mean())
    return found


def counting(config: SirConfig, trial: Trial) -> dict[str, float]:
    """Mean squared error of counted edges on test graphs, by layer."""
    generator, most, labels = trial.generator, 50, config.count_classes
    own, received = np.zeros((2, config.count_graphs, most, labels), np.float32)
    targets = np.zeros(config.count_graphs, np.float32)
    for i in range(config.count_graphs):
        graph, targets[i] = tasks.coloured_graph(generator, labels, most)
        own[i, : len(graph.nodes)] = graph.nodes
        np.add.at(received[i], graph.receivers, graph.nodes[graph.senders])
    parts = [np.split(array, [len(array) // 5]) for array in (own, received, targets)]
    test, rest = (tuple(part[i] for part in parts) for i in (0, 1))
    found = {}
    for layer in networks.COUNTS:
        network = networks.EdgeCountNetwork(layer, 10 * labels)
        counted = _trained(
            network, _count_loss, rest, test[:2], trial, layer, steps=config.count_steps,
            batch=config.count_batch, rate=3e-3,
        )  # fmt: skip
        found[layer.replace("-", "_")] = float(np.square(counted - test[2]).mean())
    return found


def _lookup_loss(network: nn.Module, params: Any, values: Any) -> jax.Array:
    scores = network.apply({"params": params}, values)
    return optax.softmax_cross_entropy_with_integer_labels(scores, values).mean()


def _count_loss(
    network: nn.Module, params: Any, own: Any, received: Any, targets: Any
) -> jax.Array:
    # The targets reach 2,500: without the factor most layers fail for the size of first steps.
    return jnp.square(network.apply({"params": params}, own, received) - targets).mean() / 1e4


@functools.cache
def _step(network: nn.Module, loss: Any, optimiser: Any, batch: int) -> Callable[..., Any]:
    def step(state: Any, index: jax.Array, data: Any) -> tuple[Any, dict[str, jax.Array]]:
        (params, inner), (key, arrays) = state, data
        rows = jax.random.randint(jax.random.fold_in(key, index), (batch,), 0, len(arrays[0]))
        picked = [array[rows] for array in arrays]
        value, slope = jax.value_and_grad(lambda p: loss(network, p, *picked))(params)
        updates, inner = optimiser.update(slope, inner, params)
        return (optax.apply_updates(params, updates), inner), {"loss": value}

    return step


@functools.cache
def _annealed(steps: int, rate: float) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(rate, steps))


def _trained(
    network: nn.Module, loss: Any, data: tuple[np.ndarray, ...], asked: tuple[np.ndarray, ...],
    trial: Trial, what: str, *, steps: int, batch: int, rate: float,
) -> np.ndarray:  # fmt: skip
    """The network's answers to `asked`, after Adam on batches of `data` with a rate that falls to 0."""
    rules = {**FLAX, "epsilon": zeros}
    params = initial_by_numpy(network, trial.generator, *(a[:2] for a in asked), rules=rules)[
        "params"
    ]
    optimiser = _annealed(steps, rate)
    step = _step(network, loss, optimiser, batch)
    (params, _), _ = train(
        step, (params, optimiser.init(params)), steps, data=(trial.key, data), chunk=steps,
        report=trial.report, what=what,
    )  # fmt: skip
    return np.asarray(jax.jit(network.apply)({"params": params}, *asked))


def minesweeper(config: SirConfig, trial: Trial) -> dict[str, float]:
    """ROC AUC on minesweeper's test nodes in percent, with the layer's messages and with a GCN's."""
    data = trial.load("minesweeper")
    graph = from_edges(data.edges, data.dense)
    split = data.splits[trial.seed % len(data.splits)]
    found = {}
    for name, activation in (("sir", nn.gelu), ("gcn", _identity)):
        network = networks.NodeNetwork(
            data.num_classes,
            config.nodes_hidden,
            config.nodes_layers,
            config.nodes_dropout,
            activation,
        )
        fitted = fit(
            network, graph, data.labels, split, generator=trial.generator, pick="loss",
            steps=config.nodes_steps, learning_rate=config.nodes_rate, optimiser=_warmed,
        )  # fmt: skip
        margin = fitted.logits[:, 1] - fitted.logits[:, 0]
        found[name] = 100 * float(roc_auc_score(data.labels[split.test], margin[split.test]))
        trial.report(name, 1, 1)
    return found


def _identity(x: jax.Array) -> jax.Array:
    return x


def _warmed(rate: Any) -> optax.GradientTransformation:
    """AdamW without decay, ten steps of rising rate, as published."""
    return optax.adam(optax.linear_schedule(rate / 10, rate, 9))


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "algebra": algebra, "soft": soft, "weights": weights, "costs": costs, "lookup": lookup,
        "counting": counting, "minesweeper": minesweeper,
    },
    num_seeds=3,
    slow=("lookup", "counting", "minesweeper"),
)  # fmt: skip
