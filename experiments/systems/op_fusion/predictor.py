"""Whether a group fits, predicted by a graph neural network, and by baselines that know no graph."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.training import train
from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group, OpGraph, members
from ntkexec.errors import ExperimentError
from ntkexec.graphs.message_passing import GraphsTuple, batch, graphs_tuple, pad

NUM_KINDS = 5
RATIOS = slice(NUM_KINDS + 5, NUM_KINDS + 9)
LARGEST = 48
"""Operators of the largest group that the predictor learns from; more would be mostly padding."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A group as the predictor sees it.

    Args:
        graph: features of its operators, and its edges in both directions; edge `e` of the group in
            the order of `OpGraph.inner_edges` has the two entries of `graph.edges` that equal `e`.
        invalid: whether it does not fit.
    """

    graph: GraphsTuple
    invalid: bool


def features(graph: OpGraph, group: Group, buffer: float) -> Float[np.ndarray, "n f"]:
    """Features of a group's operators: kind, shapes, weights, and all sizes relative to the buffer.

    Args:
        graph: the network.
        group: its operators become rows, in topological order.
        buffer: numbers that fit on chip.
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


def initial(module: nn.Module, key: jax.Array, *inputs: Any) -> Any:
    """A module's variables before training, drawn by NumPy from a key."""
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return initial_by_numpy(module, generator, *inputs)


def example(cost: CostModel, group: Group) -> Example:
    """A group with its label."""
    place = {v: i for i, v in enumerate(members(group))}
    pairs = [(place[u], place[v]) for u, v in cost.graph.inner_edges(group)]
    ends = np.asarray(pairs, np.int32).reshape(-1, 2)
    index = np.arange(len(pairs), dtype=np.int32)
    graph = graphs_tuple(
        np.concatenate([ends[:, 0], ends[:, 1]]),
        np.concatenate([ends[:, 1], ends[:, 0]]),
        len(place),
        nodes=features(cost.graph, group, cost.buffer / cost.element_bytes),
        edges=np.concatenate([index, index]),
    )
    return Example(graph, not cost.is_valid(group))


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
            padded = pad(graphs, *_sizes(graphs))._replace(edges=None, globals=None)
            logits = _logits(self.module, self.params, padded)
            found.append(np.asarray(jax.nn.sigmoid(logits))[: len(chunk)])
        return np.concatenate(found)


@functools.partial(jax.jit, static_argnums=0)
def _logits(module: KGnn, params: Any, graphs: GraphsTuple) -> jax.Array:
    return module.apply(params, graphs)[0]


def _chunks(examples: Sequence[Example], size: int) -> list[Sequence[Example]]:
    return [examples[start : start + size] for start in range(0, len(examples), size)]


def _sizes(graphs: GraphsTuple) -> tuple[int, int]:
    """Few distinct sizes, so that few programs are compiled."""
    return _power_of_two(len(graphs.nodes) + 1), _power_of_two(len(graphs.senders) + 1)


def _power_of_two(number: int) -> int:
    return max(8, 1 << (number - 1).bit_length())


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step of Adam with a cosine schedule; equal ones share compiled code.

    Args:
        loss: `(modules, params, known, items, key, progress)`, of a batch of items.
        modules: that it applies.
        steps, rate, batch: of the training.
    """

    loss: Callable[..., jax.Array]
    modules: tuple[nn.Module, ...]
    steps: int
    rate: float
    batch: int

    @property
    def optimiser(self) -> optax.GradientTransformation:
        return optax.adam(optax.cosine_decay_schedule(self.rate, max(1, self.steps)))

    def __call__(self, state: Any, index: jax.Array, data: Any) -> tuple[Any, dict[str, Any]]:
        drawn, noise = jax.random.split(jax.random.fold_in(state["key"], index))
        which = jax.random.randint(drawn, (self.batch,), 0, data["number"])
        items = jax.tree.map(lambda leaf: leaf[which], data["items"])
        value, gradient = jax.value_and_grad(
            lambda params: self.loss(
                self.modules, params, data["known"], items, noise, index / self.steps
            )
        )(state["params"])
        updates, memory = self.optimiser.update(gradient, state["memory"])
        params = optax.apply_updates(state["params"], updates)
        return {**state, "params": params, "memory": memory}, {"loss": value}


def learned(
    loss: Callable[..., jax.Array],
    modules: tuple[nn.Module, ...],
    params: Any,
    items: Any,
    *,
    known: Any = None,
    number: int,
    key: jax.Array,
    steps: int,
    rate: float,
    batch: int,
) -> Any:
    """Parameters after training.

    Args:
        loss: `(modules, params, known, items, key, progress)`; the same function for every seed.
        modules: that it applies; the first is trained.
        params: to start from.
        items: pytree with a leading axis, from which batches are drawn.
        known: parameters that are not trained.
        number: of items; others behind them only fill up.
        key: of batches and noise.
        steps, rate, batch: of the training.
    """
    step = _Step(loss, modules, steps, rate, batch)
    state = {"params": params, "memory": step.optimiser.init(params), "key": key}
    data = {"items": items, "known": known, "number": jnp.asarray(number)}
    state, _ = train(step, state, steps, data=data, chunk=max(1, steps))
    return state["params"]


def fit_predictor(
    examples: Sequence[Example],
    *,
    key: jax.Array,
    generator: np.random.Generator,
    steps: int = 500,
    hidden: int = 32,
    layers: int = 4,
    batch_size: int = 64,
    rate: float = 5e-3,
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

    Raises:
        ExperimentError: if the examples fill no batch.
    """
    if len(examples) < batch_size:
        raise ExperimentError(f"{len(examples)} examples fill no batch of {batch_size}")
    shuffled = [examples[i] for i in generator.permutation(len(examples))]
    chunks = [c for c in _chunks(shuffled, batch_size) if len(c) == batch_size]
    unions = [batch([e.graph for e in chunk]) for chunk in chunks]
    sizes = [_sizes(union) for union in unions]
    num_nodes, num_edges = (max(s[i] for s in sizes) for i in (0, 1))
    items = [
        (
            pad(union, num_nodes, num_edges)._replace(edges=None),
            jnp.asarray([e.invalid for e in chunk], jnp.float32),
        )
        for union, chunk in zip(unions, chunks, strict=True)
    ]
    # Batches that are never drawn, up to a power of two: few programs are compiled.
    filled = items + [items[0]] * (_power_of_two(len(items)) - len(items))
    module = KGnn(hidden, layers)
    init, drawn = jax.random.split(key)
    params = learned(
        _cross_entropy,
        (module,),
        initial(module, init, items[0][0]),
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *filled),
        number=len(items),
        key=drawn,
        steps=steps,
        rate=rate,
        batch=1,
    )
    return Predictor(module, params)


def _cross_entropy(
    modules: tuple[KGnn], params: Any, known: None, items: Any, key: jax.Array, progress: jax.Array
) -> Float[Array, ""]:
    graphs, labels = jax.tree.map(lambda leaf: leaf[0], items)
    logits = modules[0].apply(params, graphs)[0][: labels.shape[0]]
    return optax.sigmoid_binary_cross_entropy(logits, labels).mean()


def summed_features(examples: Sequence[Example]) -> Float[np.ndarray, "n f"]:
    """A group's sizes relative to the buffer, summed over its operators: what needs no graph."""
    return np.stack([np.asarray(e.graph.nodes)[:, RATIOS].sum(0) for e in examples])


def scores(invalid: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Accuracy, and F1 for being valid, of predictions of being invalid."""
    hits = float(np.sum(~predicted & ~invalid))
    wrong = float(np.sum(predicted != invalid))
    f1 = 2 * hits / (2 * hits + wrong) if hits or wrong else math.nan
    return {"accuracy": float(np.mean(predicted == invalid)), "f1": f1}
