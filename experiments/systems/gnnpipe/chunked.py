"""The same training without a schedule: all chunks at once, each edge fresh or historical.

What a chunk reads depends on the chunks' order alone, not on when a stage works on it. So an epoch of
the pipeline is one pass over all vertices in which an edge gives this epoch's row of its sender, or, where
the sender's chunk comes after the receiver's, the last epoch's.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.graph.segments import GraphsTuple, segment_sum
from experiments.systems.gnnpipe.networks import Network, refuse_unknown, summed_loss
from ntkexec.errors import ExperimentError


class Learned(NamedTuple):
    """One epoch, before the optimiser.

    Args:
        loss: of the training vertices.
        gradients: of the parameters.
        hidden: (L, N, H) what each layer got as its input: the next epoch's history.
        logits: (N, classes).
    """

    loss: Array
    gradients: Any
    hidden: Array
    logits: Array


@dataclasses.dataclass(frozen=True)
class Bias:
    """What history does to one gradient.

    Args:
        staleness: (L,) |history - fresh| / |fresh| of each layer's input, over all vertices.
        cosine: of the chunked gradient and the exact one.
        error: length of their difference over the exact one's.
    """

    staleness: Float[np.ndarray, " L"]
    cosine: float
    error: float


def fresh_edges(
    graph: GraphsTuple, chunk: Int[np.ndarray, " N"], order: Int[np.ndarray, " K"]
) -> Bool[np.ndarray, " E"]:
    """Which edges give this epoch's row: their sender's chunk comes no later than their receiver's.

    Raises:
        ExperimentError: the order is none of all chunks.
    """
    if not np.array_equal(np.sort(order), np.arange(int(np.max(chunk)) + 1)):
        raise ExperimentError(
            f"the order {np.asarray(order)} is none of chunks 0 to {np.max(chunk)}"
        )
    position = np.argsort(np.asarray(order))[np.asarray(chunk)]
    found: np.ndarray = position[np.asarray(graph.senders)] <= position[np.asarray(graph.receivers)]
    return found


def chunked_step(
    network: Network,
    parameters: Any,
    history: Float[Array, "L N H"],
    graph: GraphsTuple,
    fresh: Bool[Array, " E"],
    labels: Int[Array, " N"],
    share: Float[Array, " N"],
) -> Learned:
    """Loss and gradient of one epoch of the chunked training; history is constant.

    Args:
        network: with its `parameters`.
        history: of the last epoch. It does not matter if all edges are fresh.
        graph: features, perhaps sparse, and the operator's weights.
        fresh: as `fresh_edges` gives them; all of them are for exact training.
        labels: -1 where unknown.
        share: of each vertex's loss in the whole.
    """

    def forward(parameters: Any) -> tuple[Array, Any]:
        initial = network.encode(parameters, graph.nodes)
        constant = jax.lax.stop_gradient(history)

        def layer(own: Array, given: Any) -> tuple[Array, Array]:
            weights, old, depth = given
            sent = jnp.where(fresh[:, None], own[graph.senders], old[graph.senders])
            sent = jnp.asarray(graph.edges)[:, None].astype(own.dtype) * sent
            received = segment_sum(sent, graph.receivers, own.shape[0])
            return network.apply(weights, depth, own, received, initial), own

        layers = (parameters["layers"], constant, jnp.arange(network.layers))
        last, hidden = jax.lax.scan(layer, initial, layers)
        logits = network.decide(parameters, last)
        return summed_loss(logits, labels, share), (hidden, logits)

    (loss, (hidden, logits)), gradients = jax.value_and_grad(forward, has_aux=True)(parameters)
    return Learned(loss, gradients, hidden, logits)


def staleness(history: Float[Array, "L N H"], hidden: Float[Array, "L N H"]) -> Float[Array, " L"]:
    """By layer, how far history is from what it stands for, relative to that."""
    apart = jnp.sqrt(((history - hidden) ** 2).sum((1, 2)))
    return apart / jnp.maximum(jnp.sqrt((hidden**2).sum((1, 2))), jnp.finfo(hidden.dtype).tiny)


def history_bias(
    network: Network,
    parameters: Any,
    history: Float[Array, "L N H"],
    graph: GraphsTuple,
    chunk: Int[np.ndarray, " N"],
    order: Int[np.ndarray, " K"],
    labels: Int[np.ndarray, " N"],
    train: Bool[np.ndarray, " N"],
) -> Bias:
    """How stale history is and how far it turns the gradient, at the price of one exact pass.

    Args:
        network, parameters, history, graph, labels: as for `chunked_step`.
        chunk: of each vertex.
        order: of the chunks in this epoch.
        train: which vertices are trained on.

    Raises:
        ExperimentError: a vertex is trained on whose label is unknown, or the order is none of all chunks.
    """
    refuse_unknown(labels, train)
    share = np.asarray(train, np.asarray(history).dtype) / max(1, int(np.sum(train)))
    step = jax.jit(chunked_step, static_argnums=0)
    mixed = fresh_edges(graph, chunk, order)
    found, exact = (
        step(network, parameters, history, graph, fresh, labels, share)
        for fresh in (mixed, np.ones_like(mixed))
    )
    one, other = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(each.gradients)])
        for each in (found, exact)
    )
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    return Bias(
        np.asarray(staleness(history, exact.hidden)),
        float(one @ other / max(lengths[0] * lengths[1], np.finfo(float).tiny)),
        float(np.linalg.norm(one - other) / max(lengths[1], np.finfo(float).tiny)),
    )
