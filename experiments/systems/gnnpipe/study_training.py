"""Accuracy of the chunked training beside exact training, by one program for each graph."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Int

from experiments.data.nodes import NodeData
from experiments.kits.graph.operators import normalised
from experiments.kits.nodes.fitting import accuracy, graph_of
from experiments.systems.gnnpipe.chunked import chunked_step, staleness
from experiments.systems.gnnpipe.layouts import cut
from experiments.systems.gnnpipe.networks import Network

STALE = 0.3
"""Above this mean staleness of the worst layer the learning rate shrinks in proportion."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How one training goes; all of it is data of the compiled program.

    Args:
        orders: (epochs, K) of the chunks.
        warm: (epochs,) 1 where the epoch is exact, as with one chunk.
        kept: what edges weigh that would give history: 1, or 0 to leave them out.
    """

    orders: Int[np.ndarray, "epochs K"]
    warm: Int[np.ndarray, " epochs"]
    kept: float = 1.0


def schedule(
    generator: np.random.Generator, epochs: int, chunks: int, *, warm: int, kept: float = 1.0
) -> Schedule:
    """Another order of chunks in each epoch; the first `warm` ones are exact, which also makes history."""
    orders = generator.permuted(np.tile(np.arange(chunks), (epochs, 1)), axis=1)
    return Schedule(orders, np.arange(epochs) < warm, kept)


def fitted(
    network: Network,
    parameters: Any,
    data: NodeData,
    chunks: int,
    plan: Schedule,
    *,
    rows: Any = "raw",
    learning_rate: float = 0.01,
    weight_decay: float = 5e-4,
) -> dict[str, float]:
    """Test accuracy in percent after the last epoch, by an exact pass, and the mean of stalenesses."""
    graph = normalised(graph_of(data, rows=rows))
    graph = graph._replace(edges=np.asarray(graph.edges, np.float32))
    _, chunk = cut(graph, 1, chunks)
    split = data.splits[0]
    share = (split.train / split.train.sum()).astype(np.float32)
    rates = np.float32(learning_rate), np.float32(weight_decay)
    given = (plan.orders, plan.warm, np.float32(plan.kept))
    logits, stale = _fit(network, parameters, graph, chunk, data.labels, share, given, rates)
    found = 100 * float(accuracy(logits, jnp.asarray(data.labels), jnp.asarray(split.test)))
    later = np.asarray(stale)[~plan.warm]
    return {"test": found, "stale": float(later.mean()) if later.size else 0.0}


@functools.partial(jax.jit, static_argnums=0)
def _fit(
    network: Network,
    parameters: Any,
    graph: Any,
    chunk: Array,
    labels: Array,
    share: Array,
    plan: tuple[Array, Array, Array],
    rates: tuple[Array, Array],
) -> tuple[Array, Array]:
    orders, warm, kept = plan
    epochs = warm.shape[0]
    # The rate falls to 0 by half a cosine: orders that change keep a constant one from settling.
    optimiser = optax.adam(lambda step: rates[0] * 0.5 * (1 + jnp.cos(jnp.pi * step / epochs)))
    number = labels.shape[0]

    def epoch(carry: Any, now: tuple[Array, Array]) -> tuple[Any, Array]:
        parameters, state, history = carry
        order, exact = now
        position = jnp.argsort(order)[chunk]
        fresh = (position[graph.senders] <= position[graph.receivers]) | exact
        weights = graph.edges * jnp.where(fresh, 1, kept)
        found = chunked_step(
            network, parameters, history, graph._replace(edges=weights), fresh, labels, share
        )
        gradients = jax.tree.map(lambda g, p: g + rates[1] * p, found.gradients, parameters)
        updates, state = optimiser.update(gradients, state)
        stale = staleness(history, found.hidden).max()
        # Exact epochs read no history, and are not slowed by it.
        slow = jnp.where(exact | (kept == 0), 1.0, jnp.minimum(1.0, STALE / stale))
        updates = jax.tree.map(lambda update: slow * update, updates)
        return (optax.apply_updates(parameters, updates), state, found.hidden), stale

    history = jnp.zeros((network.layers, number, network.width))
    start = (parameters, optimiser.init(parameters), history)
    (parameters, _, history), stale = jax.lax.scan(epoch, start, (orders, warm))
    everything = jnp.ones(graph.senders.shape, bool)
    last = chunked_step(network, parameters, history, graph, everything, labels, share)
    return last.logits, stale
