"""Graph parallelism, the rival: every device has all layers and a part of the vertices."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from experiments.kits.graph.segments import segment_sum
from experiments.systems.gnnpipe.exchange import PART, Pairs, exchanged, pairs_of
from experiments.systems.gnnpipe.layouts import Layout, Wiring
from experiments.systems.gnnpipe.networks import Network, summed_loss
from experiments.systems.gnnpipe.pipeline import Problem
from experiments.systems.gnnpipe.spreading import Axes, sizes_of, spread
from ntkexec.errors import ExperimentError


class Pass(NamedTuple):
    """One epoch of exact training, before the optimiser.

    Args:
        loss: (P,), which all parts' entries make up together.
        gradients: of the parameters, summed over parts.
        logits: (P, C, classes).
    """

    loss: Array
    gradients: Any
    logits: Array


def graph_parallel_step(
    network: Network, layout: Layout, axes: Axes
) -> Callable[[Any, Wiring, Problem], Pass]:
    """One epoch's exact forward and backward pass as a compiled program, over the axis `part`.

    Before each layer the parts send each other the rows of remote neighbours, and the same way back
    their gradients; gradients of parameters are summed over parts.

    Args:
        network: all of it on every device.
        layout: of one chunk, and as many parts as the axis has. Only its sizes matter.
        axes: of a mesh of devices, or to be simulated on one: `{"part": 4}`.

    Returns:
        `(parameters, wiring, problem) -> Pass`.

    Raises:
        ExperimentError: chunks or parts do not fit.
    """
    if sizes_of(axes) != {PART: layout.parts} or layout.chunks != 1:
        raise ExperimentError(
            f"a layout of {layout.parts} parts and {layout.chunks} chunks does not fit axes "
            f"{sizes_of(axes)}: there is one, {PART!r}, and one chunk"
        )
    pairs = pairs_of(layout.rounds, layout.parts, axes)
    local = functools.partial(_pass, network, layout.size, layout.vertices.shape[1], pairs)
    names = (PART,)
    mapped = spread(local, axes, ((), names, names), (names, (), names))
    return jax.jit(lambda *given: Pass(*mapped(*given)))


def _pass(
    network: Network,
    size: int,
    rows: int,
    pairs: Pairs,
    parameters: Any,
    wiring: Wiring,
    problem: Problem,
) -> tuple[Array, Any, Array]:
    """One device's share."""
    edges = jax.tree.map(lambda leaf: leaf[0], wiring)
    features, labels, share = (leaf[0] for leaf in problem)

    def forward(parameters: Any) -> tuple[Array, Array]:
        initial = network.encode(parameters, features)

        def layer(own: Array, given: Any) -> tuple[Array, None]:
            weights, depth = given
            buffer = jnp.zeros((rows, network.width), own.dtype).at[:size].set(own)
            known = exchanged(buffer, own, edges, pairs)
            sent = edges.weights[:, None].astype(own.dtype) * known[edges.senders]
            received = segment_sum(sent, edges.receivers, size)
            return network.apply(weights, depth, own, received, initial), None

        layers = (parameters["layers"], jnp.arange(network.layers))
        hidden, _ = jax.lax.scan(layer, initial, layers)
        logits = network.decide(parameters, hidden)
        return summed_loss(logits, labels, share), logits

    (loss, logits), gradients = jax.value_and_grad(forward, has_aux=True)(parameters)
    return loss, jax.lax.psum(gradients, PART), logits
