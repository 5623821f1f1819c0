"""Training by chunks with history, all epochs in one program, and what keeps stale rows from spoiling it.

The gradient of a chunked epoch is that of other functions than the network where history is stale: with
history from zeros and a constant rate training may not get anywhere. What is done against it here: the
first epochs are exact, and make history; the chunks' order is another one in each epoch; the rate falls
to 0 by half a cosine, and shrinks where history is stale.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.graph.segments import GraphsTuple
from experiments.systems.gnnpipe.chunked import chunked_step, staleness
from experiments.systems.gnnpipe.networks import Network, refuse_unknown

STALE = 0.3
"""Above this mean staleness of the worst layer the learning rate shrinks in proportion."""


class Fit(NamedTuple):
    """A training's end.

    Args:
        parameters: after the last epoch.
        logits: (N, classes) by an exact pass with them.
        staleness: (epochs,) of the worst layer.
    """

    parameters: Any
    logits: Array
    staleness: Float[Array, " epochs"]


def train_by_chunks(
    network: Network,
    parameters: Any,
    graph: GraphsTuple,
    chunk: Int[np.ndarray, " N"],
    labels: Int[np.ndarray, " N"],
    train: Bool[np.ndarray, " N"],
    orders: Int[np.ndarray, "epochs K"],
    *,
    warm: int = 5,
    kept: float = 1.0,
    learning_rate: float = 0.01,
    weight_decay: float = 5e-4,
) -> Fit:
    """Trains by Adam, with the gradients that a pipeline would give, on one device and without a schedule.

    Args:
        network, parameters: before training.
        graph: features and the operator's weights.
        chunk: of each vertex, as `cut` gives it.
        labels: -1 where unknown.
        train: which vertices are trained on.
        orders: of the chunks, one for each epoch.
        warm: so many epochs are exact, as with one chunk; all of them are where it is not less.
        kept: what edges weigh that would give history: 1, or 0 to leave them out.
        learning_rate, weight_decay: of Adam; the decay is added to the gradient.

    Raises:
        ExperimentError: a vertex is trained on whose label is unknown.
    """
    refuse_unknown(labels, train)
    share = (np.asarray(train) / max(1, int(np.sum(train)))).astype(np.float32)
    graph = graph._replace(edges=np.asarray(graph.edges, np.float32))
    plan = np.asarray(orders), np.arange(len(orders)) < warm, np.float32(kept)
    rates = np.float32(learning_rate), np.float32(weight_decay)
    return Fit(*_fit(network, parameters, graph, chunk, labels, share, plan, rates))


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
) -> tuple[Any, Array, Array]:
    orders, warm, kept = plan
    epochs = warm.shape[0]
    # Orders that change keep a constant rate from settling.
    optimiser = optax.adam(lambda step: rates[0] * 0.5 * (1 + jnp.cos(jnp.pi * step / epochs)))

    def epoch(carry: Any, now: tuple[Array, Array]) -> tuple[Any, Array]:
        parameters, state, history = carry
        order, exact = now
        position = jnp.argsort(order)[chunk]
        fresh = (position[graph.senders] <= position[graph.receivers]) | exact
        weights = graph.edges * jnp.where(fresh, 1, kept)
        learned = chunked_step(
            network, parameters, history, graph._replace(edges=weights), fresh, labels, share
        )
        gradients = jax.tree.map(lambda g, p: g + rates[1] * p, learned.gradients, parameters)
        updates, state = optimiser.update(gradients, state)
        stale = staleness(history, learned.hidden).max()
        # Exact epochs read no history, and are not slowed by it.
        slow = jnp.where(exact, 1.0, jnp.minimum(1.0, STALE / stale))
        updates = jax.tree.map(lambda update: slow * update, updates)
        return (optax.apply_updates(parameters, updates), state, learned.hidden), stale

    history = jnp.zeros((network.layers, labels.shape[0], network.width))
    start = (parameters, optimiser.init(parameters), history)
    (parameters, _, history), stale = jax.lax.scan(epoch, start, (orders, warm))
    everything = jnp.ones(graph.senders.shape, bool)
    last = chunked_step(network, parameters, history, graph, everything, labels, share)
    return parameters, last.logits, stale
