"""Training on second-smallest labels, of sets and of neighbours: one compiled program an aggregator.

What differs between arms and seeds is data of the program: parameters, keys, the penalty's strength,
which fixed aggregator it is. Every arm of a seed sees the same batches.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.graphs.lcm.folds import reordered, sequential_states, tree_levels
from experiments.graphs.lcm.laws import apart
from experiments.graphs.lcm.monoids import GRUWeights, gated, gru, gru_monoid, project
from experiments.graphs.lcm.networks import Second, bits_of
from experiments.graphs.lcm.regularisers import (
    associativity_loss,
    both_brackets,
    both_orders,
    order_loss,
    picked,
    visited,
)
from experiments.graphs.lcm.segments import segment_sequential_fold, segment_tree_fold
from experiments.kits.graph.segments import segment_max, segment_mean, segment_sum

TESTED = 256
"""Sets of each size, in a test."""
AGGREGATORS = ("lcm", "recurrent", "fixed")


class Arm(NamedTuple):
    """What is data of a program.

    Args:
        strength: of the penalty: for associativity of "lcm", for the order of "recurrent".
        shares: (3,) of sum, mean and maximum, for "fixed".
    """

    strength: Any = 0.0
    shares: Any = (0.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Setup:
    """What is part of a program.

    Args:
        aggregator: one of `AGGREGATORS`.
        bits, width: of `Second`.
        most: elements of a training set, at most; at least 2. Of a graph, its largest in-degree.
        batch, steps, rate: sets a step, or one graph; steps of Adam, annealed from that rate.
    """

    aggregator: str
    bits: int
    width: int
    most: int
    batch: int
    steps: int
    rate: float

    @property
    def network(self) -> Second:
        return Second(self.bits, self.width)


class Graphs(NamedTuple):
    """Graphs of as many nodes and as many edges, which are sorted by receiver.

    Args:
        senders, receivers: (graphs, e).
    """

    senders: Int[Array, "g e"]
    receivers: Int[Array, "g e"]


def second_smallest(labels: Int[Array, "*b n"], mask: Bool[Array, "*b n"]) -> Int[Array, " *b"]:
    """With multiplicity: of 3, 3, 5 it is 3. Of fewer than two it is the largest whole number."""
    large = jnp.iinfo(jnp.int32).max
    return jnp.sort(jnp.where(mask, labels, large), -1)[..., 1]


def drawn_sets(
    key: Array, bits: int, batch: int, most: int, fewest: int = 2
) -> tuple[Int[Array, "b n"], Bool[Array, "b n"]]:
    """Labels of sets whose sizes are uniform from `fewest` to `most`, and which of them are real."""
    keys = jax.random.split(key)
    sizes = jax.random.randint(keys[0], (batch, 1), fewest, most + 1)
    labels = jax.random.randint(keys[1], (batch, most), 0, 2**bits)
    return labels, jnp.arange(most)[None] < sizes


@functools.partial(jax.jit, static_argnums=(0, 1))
def trained_on_sets(
    setup: Setup, sizes: tuple[int, ...], params: Any, arm: Arm, key: Array
) -> dict[str, Any]:
    """Trains on sets, then tests on sets of given sizes.

    Returns:
        `loss` at the last steps; `matches` (len(sizes),), the share of sets whose answer is right in
        all bits; `law`, the relative error of what the penalty is on, on sets of the largest training
        size; `permutation`, how far two orders of such a set's elements lead apart, likewise.
    """
    network: Any = setup.network  # whose methods give one array each
    train_key, test_key = jax.random.split(key)

    def loss(params: Any, key: Array) -> Array:
        keys = jax.random.split(key)
        labels, mask = drawn_sets(keys[0], setup.bits, setup.batch, setup.most)
        rows = network.apply(params, labels, method="encode")
        weights = _weights(network, params)
        found, states = _folded(setup.aggregator, weights, rows, mask, arm)
        one, other = _sides(setup.aggregator, weights, states, rows, mask, keys[1])
        logits = network.apply(params, found, method="decode")
        missed = _missed(logits, second_smallest(labels, mask), setup.bits)
        return missed + arm.strength * jnp.square(one - other).mean()

    params, history = _descended(setup, loss, params, train_key)
    # All that is asked in one fold: sets of each size, and those of the law in two orders.
    keys, longest, number = jax.random.split(test_key, 4), max(sizes), TESTED
    asked = [drawn_sets(jax.random.fold_in(keys[0], n), setup.bits, number, n, n) for n in sizes]
    usual = drawn_sets(keys[1], setup.bits, number, setup.most, setup.most)
    asked += [usual, reordered(keys[2], usual[0][..., None], usual[1])]
    widths = [longest - mask.shape[1] for _, mask in asked]
    labels = jnp.concatenate(
        [
            jnp.pad(part.reshape(mask.shape), ((0, 0), (0, width)))
            for (part, mask), width in zip(asked, widths, strict=True)
        ]
    )
    mask = jnp.concatenate(
        [jnp.pad(m, ((0, 0), (0, width))) for (_, m), width in zip(asked, widths, strict=True)]
    )
    weights = _weights(network, params)
    rows = network.apply(params, labels, method="encode")
    found, states = _folded(setup.aggregator, weights, rows, mask, arm)
    right = _right(
        network.apply(params, found, method="decode"), second_smallest(labels, mask), setup.bits
    )
    last = slice((len(sizes)) * number, (len(sizes) + 1) * number)
    states, rows, mask = jax.tree.map(lambda part: part[last], (states, rows, mask))
    sides = _sides(setup.aggregator, weights, states, rows, mask, keys[3])
    return {
        "loss": history[-min(50, setup.steps) :].mean(),
        "matches": right[: last.start].reshape(len(sizes), number).mean(1),
        "law": apart(*sides).mean(),
        "permutation": apart(found[last], found[last.stop :]).mean(),
    }


@functools.partial(jax.jit, static_argnums=(0, 1))
def trained_on_graphs(
    setup: Setup, nodes: int, params: Any, arm: Arm, key: Array, train: Graphs, test: Graphs
) -> dict[str, Any]:
    """Trains nodes to tell the second-smallest label among their neighbours, a graph a step.

    Returns:
        `matches` on the graphs of the test, and `usual` on graphs like those of the training, both
        over nodes with at least two neighbours, whose labels are drawn anew.
    """
    network: Any = setup.network  # whose methods give one array each
    train_key, test_key = jax.random.split(key)

    def logits_of(
        params: Any, labels: Array, graph: Graphs, arm: Arm, key: Array
    ) -> tuple[Array, Array]:
        rows = network.apply(params, labels, method="encode")[graph.senders]
        weights = _weights(network, params)
        found, penalty = _of_graph(setup, weights, rows, graph.receivers, nodes, arm, key)
        return network.apply(params, found, method="decode"), penalty

    def drawn(key: Array, graph: Graphs) -> tuple[Array, Array, Array]:
        labels = jax.random.randint(key, (nodes,), 0, 2**setup.bits)
        answers, known = second_of_neighbours(labels, graph.senders, graph.receivers, nodes)
        return labels, answers, known

    def loss(params: Any, key: Array) -> Array:
        keys = jax.random.split(key, 3)
        index = jax.random.randint(keys[0], (), 0, train.senders.shape[0])
        graph = Graphs(train.senders[index], train.receivers[index])
        labels, answers, known = drawn(keys[1], graph)
        logits, penalty = logits_of(params, labels, graph, arm, keys[2])
        return _missed(logits, answers, setup.bits, known) + penalty

    def right(graph: Graphs, key: Array) -> Array:
        labels, answers, known = drawn(key, graph)
        logits, _ = logits_of(params, labels, graph, Arm(0.0, arm.shares), key)
        return jnp.stack([(_right(logits, answers, setup.bits) & known).sum(), known.sum()])

    params, history = _descended(setup, loss, params, train_key)
    shares = {}
    for name, graphs in (("matches", test), ("usual", train)):
        keys = jax.random.split(jax.random.fold_in(test_key, len(name)), graphs.senders.shape[0])
        counted = jax.lax.map(lambda each: right(*each), (graphs, keys)).sum(0)
        shares[name] = counted[0] / counted[1]
    return {"loss": history[-min(50, setup.steps) :].mean(), **shares}


def second_of_neighbours(
    labels: Int[Array, " n"], senders: Int[Array, " e"], receivers: Int[Array, " e"], nodes: int
) -> tuple[Int[Array, " n"], Bool[Array, " n"]]:
    """Of each node, the second-smallest label that is sent to it, and whether there are two."""
    order = jnp.lexsort((labels[senders], receivers))
    arriving = jnp.asarray(labels[senders])[order]
    names = jnp.arange(nodes)
    first = jnp.searchsorted(receivers[order], names, side="left")
    count = jnp.searchsorted(receivers[order], names, side="right") - first
    return arriving.at[first + 1].get(mode="clip"), count >= 2


def _descended(setup: Setup, loss: Any, params: Any, key: Array) -> tuple[Any, Float[Array, " s"]]:
    schedule = optax.cosine_decay_schedule(setup.rate, setup.steps)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))

    def step(state: Any, index: Array) -> tuple[Any, Array]:
        params, inner = state
        value, slope = jax.value_and_grad(loss)(params, jax.random.fold_in(key, index))
        updates, inner = optimiser.update(slope, inner, params)
        return (optax.apply_updates(params, updates), inner), value

    begin = (params, optimiser.init(params))
    (params, _), history = jax.lax.scan(step, begin, jnp.arange(setup.steps))
    return params, history


def _weights(network: Any, params: Any) -> GRUWeights:
    found: GRUWeights = network.apply(params, method="weights")
    return found


def _missed(logits: Array, answers: Array, bits: int, known: Array | None = None) -> Array:
    losses = optax.sigmoid_binary_cross_entropy(logits, bits_of(answers, bits)).mean(-1)
    return losses.mean() if known is None else jnp.where(known, losses, 0).sum() / known.sum()


def _right(logits: Array, answers: Array, bits: int) -> Array:
    return ((logits > 0) == (bits_of(answers, bits) == 1)).all(-1)


def _gated(weights: GRUWeights, rows: Array, state: Array) -> Array:
    return gated(rows, weights, state)


States = tuple[Array, Array]
"""Visited by the folds of sets, (B, k, d), and which of them are real, (B, k)."""


def _folded(
    aggregator: str, weights: GRUWeights, rows: Array, mask: Array, arm: Arm
) -> tuple[Array, States]:
    """What sets are folded to, and what is visited on the way."""
    if aggregator == "lcm":
        levels = tree_levels(functools.partial(gru_monoid, weights), rows, mask, packed=True)
        return levels[-1][0][:, 0], visited(levels)
    if aggregator == "recurrent":
        inputs = project(weights.input_kernel, weights.input_bias, rows)
        begin = jnp.zeros(rows.shape[-1])
        states = sequential_states(functools.partial(_gated, weights), inputs, mask, begin=begin)
        before = jnp.concatenate([jnp.ones_like(mask[:, :1]), mask], 1)
        return states[-1], (jnp.moveaxis(states, 0, 1), before)
    present, shares = mask[..., None], jnp.asarray(arm.shares)
    total = jnp.where(present, rows, 0).sum(1)
    largest = jnp.where(present, rows, -jnp.inf).max(1)
    parts = jnp.stack([total, total / mask.sum(1, keepdims=True), largest])
    return (shares[:, None, None] * parts).sum(0), (rows, mask)


def _sides(
    aggregator: str, weights: GRUWeights, states: States, rows: Array, mask: Array, key: Array
) -> tuple[Array, Array]:
    """Both sides of the law that is learned, one draw a set; equal for what keeps it anyhow."""
    if aggregator == "lcm":
        return both_brackets(functools.partial(gru_monoid, weights), *picked(key, *states, 3))
    if aggregator == "recurrent":
        keys = jax.random.split(key)
        state, a, b = *picked(keys[0], *states, 1), *picked(keys[1], rows, mask, 2)
        return both_orders(functools.partial(gru, weights), state, a, b)
    return rows[:, 0], rows[:, 0]


def _of_graph(
    setup: Setup,
    weights: GRUWeights,
    rows: Array,
    receivers: Array,
    nodes: int,
    arm: Arm,
    key: Array,
) -> tuple[Array, Array]:
    """What arrives at nodes, folded, and the penalty on as many draws as there are nodes."""
    if setup.aggregator == "fixed":
        parts = [f(rows, receivers, nodes) for f in (segment_sum, segment_mean, segment_max)]
        shares = jnp.asarray(arm.shares)
        return (shares[:, None, None] * jnp.stack(parts)).sum(0), jnp.float32(0)
    a, b = rows[jax.random.randint(key, (2, nodes), 0, rows.shape[0])]
    if setup.aggregator == "lcm":
        operator = functools.partial(gru_monoid, weights)
        found = segment_tree_fold(
            operator, rows, receivers, nodes, longest=setup.most, is_sorted=True
        )
        # Of the three one is a tree's root: the deepest states are among those that are kept in line.
        return found, arm.strength * associativity_loss(operator, a, b, found)
    inputs = project(weights.input_kernel, weights.input_bias, rows)
    found = segment_sequential_fold(
        functools.partial(_gated, weights), inputs, receivers, nodes, longest=setup.most,
        begin=jnp.zeros(rows.shape[1]), is_sorted=True,
    )  # fmt: skip
    return found, arm.strength * order_loss(functools.partial(gru, weights), found, a, b)


def random_graphs(
    generator: np.random.Generator, number: int, nodes: int, edges: int
) -> tuple[Graphs, int]:
    """Erdős–Rényi graphs with exactly that many edges, both ways; and the largest degree."""
    pairs = np.array(np.triu_indices(nodes, 1))
    found, largest = [], 0
    for _ in range(number):
        u, v = pairs[:, generator.choice(pairs.shape[1], edges, replace=False)]
        senders, receivers = np.concatenate([u, v]), np.concatenate([v, u])
        order = np.lexsort((senders, receivers))
        found.append((senders[order], receivers[order]))
        largest = max(largest, int(np.bincount(receivers).max()))
    senders, receivers = (np.stack(part).astype(np.int32) for part in zip(*found, strict=True))
    return Graphs(jnp.asarray(senders), jnp.asarray(receivers)), largest
