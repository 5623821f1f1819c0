"""Whether a group fits, predicted by a graph neural network, and by baselines that know no graph."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.kits.training import initial, train
from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group, OpGraph, members
from ntkexec.errors import ExperimentError
from ntkexec.graphs.message_passing import GraphsTuple, batch, graphs_tuple, pad

KINDS = ("conv", "dense", "reduction", "join", "whole")


@dataclasses.dataclass(frozen=True)
class Example:
    """A group as the predictor sees it.

    Args:
        graph: features of its operators, and its edges in both directions; edge `e` of the group in
            the order of `OpGraph.inner_edges` has the two entries of `graph.edges` that equal `e`.
        invalid: whether it does not fit.
        network: where it comes from.
    """

    graph: GraphsTuple
    invalid: bool
    network: str = ""


def features(graph: OpGraph, group: Group, buffer: float) -> Float[np.ndarray, "n f"]:
    """Features of a group's operators: kind, shapes, weights, and all sizes relative to the buffer.

    Args:
        graph: the network.
        group: its operators become rows, in topological order.
        buffer: bytes on chip, at one byte for each number.
    """
    rows = []
    for v in members(group):
        op = graph.ops[v]
        read = max(op.reads, key=lambda r: graph.tensor(r.source).size)
        entering = graph.tensor(read.source)
        lines = entering.rows if read.whole else min(read.kernel, entering.rows)
        kind = [
            op.kind == "conv",
            op.kind == "dense",
            op.kind.startswith("reduce"),
            len(op.reads) > 1,
            any(r.whole for r in op.reads),
        ]
        sizes = [entering.rows, entering.width, op.output.rows, op.output.width, op.weights]
        held = [op.weights, entering.width, lines * entering.width, op.output.width]
        rows.append(
            [
                *map(float, kind),
                *(math.log2(1 + size) / 16 for size in sizes),
                *(amount / buffer for amount in held),
                math.log2(buffer) / 16,
            ]
        )
    return np.asarray(rows, np.float32)


NUM_FEATURES = len(KINDS) + 5 + 4 + 1
RATIOS = slice(len(KINDS) + 5, len(KINDS) + 9)


def example(cost: CostModel, group: Group, network: str = "") -> Example:
    """A group with its label."""
    place = {v: i for i, v in enumerate(members(group))}
    pairs = [(place[u], place[v]) for u, v in cost.graph.inner_edges(group)]
    ends = np.asarray(pairs, np.int32).reshape(-1, 2)
    index = np.arange(len(pairs), dtype=np.int32)
    graph = graphs_tuple(
        np.concatenate([ends[:, 0], ends[:, 1]]),
        np.concatenate([ends[:, 1], ends[:, 0]]),
        len(place),
        nodes=features(cost.graph, group, cost.buffer),
        edges=np.concatenate([index, index]),
    )
    return Example(graph, not cost.is_valid(group), network)


class KGnn(nn.Module):
    """A graph network with separate weights for a node and the sum of its neighbours.

    Args:
        hidden: width of every layer.
        num_layers: rounds of messages.

    Source: Morris et al., AAAI 2019, as used in section 3 of arXiv:2501.00636.
    """

    hidden: int = 128
    num_layers: int = 4

    @nn.compact
    def __call__(
        self,
        graphs: GraphsTuple,
        edge_mask: Float[Array, "e"] | None = None,
        node_mask: Float[Array, "n"] | None = None,
    ) -> tuple[Float[Array, "g"], Float[Array, "n h"]]:
        """Logits of being invalid for each graph, and the last layer's node states.

        Args:
            graphs: a batch; edges in both directions.
            edge_mask: factor on each message.
            node_mask: factor on each node's part in the sum.
        """
        h = graphs.nodes
        num_nodes = h.shape[0]
        for _ in range(self.num_layers):
            sent = h[graphs.senders]
            if edge_mask is not None:
                sent = sent * edge_mask[:, None]
            received = jax.ops.segment_sum(sent, graphs.receivers, num_nodes)
            own = nn.Dense(self.hidden)(h)
            h = nn.relu(own + nn.Dense(self.hidden, use_bias=False)(received))
        owner = jnp.repeat(
            jnp.arange(graphs.n_node.shape[0]), graphs.n_node, total_repeat_length=num_nodes
        )
        seen = h if node_mask is None else h * node_mask[:, None]
        total = jax.ops.segment_sum(seen, owner, graphs.n_node.shape[0])
        return nn.Dense(1)(total)[:, 0], h


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained network: `predictor(examples)` gives the probability of being invalid."""

    module: KGnn
    params: Any

    def __call__(self, examples: Sequence[Example]) -> Float[np.ndarray, "n"]:
        found = []
        for chunk in _chunks(examples, 256):
            graphs = batch([e.graph for e in chunk])
            padded = pad(graphs, *_sizes(graphs))
            logits = _logits(self.module, self.params, padded._replace(edges=None, globals=None))
            found.append(np.asarray(jax.nn.sigmoid(logits))[: len(chunk)])
        return np.concatenate(found)


@functools.partial(jax.jit, static_argnums=0)
def _logits(module: KGnn, params: Any, graphs: GraphsTuple) -> jax.Array:
    return module.apply(params, graphs)[0]


def _chunks(examples: Sequence[Example], size: int) -> list[Sequence[Example]]:
    return [examples[start : start + size] for start in range(0, len(examples), size)]


def _sizes(graphs: GraphsTuple) -> tuple[int, int]:
    """Few distinct sizes, so that few programs are compiled."""
    return power_of_two(len(graphs.nodes) + 1), power_of_two(len(graphs.senders) + 1)


def power_of_two(number: int) -> int:
    """The least power of two that is no less, 8 at least."""
    return max(8, 1 << (number - 1).bit_length())


def fit(
    examples: Sequence[Example],
    *,
    key: jax.Array,
    generator: np.random.Generator,
    steps: int,
    hidden: int,
    layers: int = 4,
    batch_size: int = 64,
    rate: float = 5e-3,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
    checkpoint: Path | None = None,
) -> Predictor:
    """The predictor after training on labelled groups.

    Args:
        examples: at least one batch.
        key: of initial weights and the order of batches.
        generator: for which examples share a batch.
        steps: of Adam with a cosine schedule.
        hidden: width of the network.
        layers: rounds of messages.
        batch_size: examples of one step.
        rate: its largest learning rate.
        report, checkpoint: see `experiments.kits.training.train`.
    """
    if len(examples) < batch_size:
        raise ExperimentError(f"{len(examples)} examples fill no batch of {batch_size}")
    order = generator.permutation(len(examples))
    shuffled = [examples[i] for i in order]
    chunks = [c for c in _chunks(shuffled, batch_size) if len(c) == batch_size]
    unions = [batch([e.graph for e in chunk]) for chunk in chunks]
    sizes = [_sizes(union) for union in unions]
    num_nodes, num_edges = (max(s[i] for s in sizes) for i in (0, 1))
    padded = [pad(union, num_nodes, num_edges)._replace(edges=None) for union in unions]
    labels = [jnp.asarray([e.invalid for e in chunk], jnp.float32) for chunk in chunks]
    # Batches that are never drawn, up to a power of two: few programs are compiled.
    unused = [(padded[0], labels[0])] * (power_of_two(len(chunks)) - len(chunks))
    graphs, targets = zip(*zip(padded, labels, strict=True), *unused, strict=True)
    data = {
        "graphs": jax.tree.map(lambda *leaves: jnp.stack(leaves), *graphs),
        "labels": jnp.stack(targets),
        "number": jnp.asarray(len(chunks)),
    }
    module = KGnn(hidden, layers)
    init, drawn = jax.random.split(key)
    params = initial(module, init, jax.tree.map(lambda leaf: leaf[0], data["graphs"]))
    optimiser = _optimiser(rate, steps)
    state = {"params": params, "memory": optimiser.init(params), "key": drawn}
    step = _step(module, rate, steps)
    chunk = max(1, steps // 10)
    state, _ = train(
        step,
        state,
        steps,
        data=data,
        chunk=chunk,
        report=report,
        checkpoint=checkpoint,
        what="training the predictor",
    )
    return Predictor(module, state["params"])


def _optimiser(rate: float, steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(rate, max(1, steps)))


@functools.cache
def _step(module: KGnn, rate: float, steps: int) -> Callable[..., Any]:
    optimiser = _optimiser(rate, steps)

    def step(state: Any, index: jax.Array, data: Any) -> tuple[Any, dict[str, jax.Array]]:
        which = jax.random.randint(jax.random.fold_in(state["key"], index), (), 0, data["number"])
        graphs = jax.tree.map(lambda leaf: leaf[which], data["graphs"])
        labels = data["labels"][which]

        def loss(params: Any) -> jax.Array:
            logits = module.apply(params, graphs)[0][: labels.shape[0]]
            return optax.sigmoid_binary_cross_entropy(logits, labels).mean()

        value, gradient = jax.value_and_grad(loss)(state["params"])
        updates, memory = optimiser.update(gradient, state["memory"])
        params = optax.apply_updates(state["params"], updates)
        return {**state, "params": params, "memory": memory}, {"loss": value}

    return step


def summed_features(examples: Sequence[Example]) -> Float[np.ndarray, "n f"]:
    """A group's sizes relative to the buffer, summed over its operators: what needs no graph."""
    return np.stack([np.asarray(e.graph.nodes)[:, RATIOS].sum(0) for e in examples])


def scores(invalid: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Accuracy, and F1 for being valid, of predictions of being invalid."""
    hits = float(np.sum(~predicted & ~invalid))
    wrong = float(np.sum(predicted != invalid))
    f1 = 2 * hits / (2 * hits + wrong) if hits or wrong else math.nan
    return {"accuracy": float(np.mean(predicted == invalid)), "f1": f1}
