"""The pipeline: stages of consecutive layers, chunks of vertices that flow through them tick by tick.

Chunks later in an epoch's order read what chunks before them have made in this epoch, and of chunks that
are still to come what they made in the last one, which is history, a constant.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.kits.graph.segments import segment_sum
from experiments.systems.gnnpipe.exchange import PART, Pairs, exchanged, pairs_of
from experiments.systems.gnnpipe.layouts import Layout, Wiring
from experiments.systems.gnnpipe.networks import Network, refuse_unknown, summed_loss
from experiments.systems.gnnpipe.spreading import Axes, sizes_of, spread
from ntkexec.errors import ExperimentError

STAGE = "stage"


class Problem(NamedTuple):
    """What is learned, as `Layout.placed` puts it.

    Args:
        features: (P, K+1, C, F).
        labels: (P, K+1, C), -1 where unknown.
        share: (P, K+1, C), of each vertex's loss in the whole; 1 / number of those trained on, or 0.
    """

    features: Any
    labels: Any
    share: Any


class Epoch(NamedTuple):
    """One epoch, before the optimiser.

    Args:
        loss: (S, P), which all devices' entries make up together; only the last stage's are not 0.
        gradients: (S, ...) of the parameters of each stage.
        history: (S, P, L/S, R, H) for the next epoch.
        logits: (S, P, K, C, classes); the last stage's are the network's.
        busy: (S, P) ticks in which there was a chunk to work on, of K + S - 1.
    """

    loss: Array
    gradients: Any
    history: Array
    logits: Array
    busy: Array


def problem_of(layout: Layout, features: Any, labels: np.ndarray, train: np.ndarray) -> Problem:
    """The problem of (N, F) features, (N,) labels and which vertices are trained on.

    Raises:
        ExperimentError: these are not of every vertex, or one is trained on whose label is unknown.
    """
    for name, given in (("features", features), ("labels", labels), ("train", train)):
        if len(given) != layout.number:
            raise ExperimentError(f"{len(given)} {name} are not of {layout.number} vertices each")
    if np.asarray(train).dtype != bool:
        raise ExperimentError("train says of each vertex whether it is trained on: True or False")
    refuse_unknown(labels, train)
    share = np.asarray(train) / max(1, int(np.sum(train)))
    share = share.astype(np.asarray(features).dtype)
    return Problem(layout.placed(features), layout.placed(labels, -1), layout.placed(share))


def by_stage(parameters: Any, stages: int) -> Any:
    """A network's parameters with an axis of stages first: of layers each its own, of both ends copies.

    Only the first stage's encoder and the last one's head are used; gradients of the others are 0, and so
    no gradient has to be sent.

    Raises:
        ExperimentError: the layers make no stages of equal length.
    """
    layers = len(jax.tree.leaves(parameters["layers"])[0])
    if layers % stages:
        raise ExperimentError(f"{layers} layers make no {stages} stages of equal length")
    return {
        "encoder": jax.tree.map(lambda leaf: np.stack([leaf] * stages), parameters["encoder"]),
        "layers": jax.tree.map(
            lambda leaf: leaf.reshape(stages, -1, *leaf.shape[1:]), parameters["layers"]
        ),
        "head": jax.tree.map(lambda leaf: np.stack([leaf] * stages), parameters["head"]),
    }


def whole(parameters: Any) -> Any:
    """The inverse of `by_stage`, also for gradients."""
    return {
        "encoder": jax.tree.map(lambda leaf: leaf[0], parameters["encoder"]),
        "layers": jax.tree.map(
            lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), parameters["layers"]
        ),
        "head": jax.tree.map(lambda leaf: leaf[-1], parameters["head"]),
    }


def pipeline_step(
    network: Network, layout: Layout, axes: Axes
) -> Callable[[Any, Array, Wiring, Problem, Array], Epoch]:
    """One epoch's forward and backward pass as a compiled program, pipelined over the axis `stage`.

    With an axis `part` too this is the hybrid: the devices of a stage share each chunk's vertices, and
    send each other the rows of remote neighbours, each once for a layer, as soon as they are fresh.

    Args:
        network: its layers are divided evenly among stages.
        layout: of as many parts as the axis `part` has; of one without it. Only its sizes matter.
        axes: of a mesh of devices, or to be simulated on one: `{"stage": 4}`.

    Returns:
        `(parameters, history, wiring, problem, order) -> Epoch`: parameters `by_stage`, history as
        `Layout.history` makes it, and the chunks' order of this epoch, a permutation of 0 to K - 1; of
        another order the loss is no number.

    Raises:
        ExperimentError: stages or parts do not fit.

    Source: Chen, Chen and Qian, arXiv:2308.10087; the backward pass and what a layer reads are
    reconstructed: the exact gradient of the chunked forward pass, in which history is constant.
    """
    sizes = sizes_of(axes)
    stages, parts = sizes.get(STAGE, 0), sizes.get(PART, 1)
    if set(sizes) - {STAGE, PART} or not stages:
        raise ExperimentError(f"a pipeline has axes {STAGE!r}, {PART!r}, and these are {sizes}")
    if network.layers % stages:
        raise ExperimentError(f"{network.layers} layers make no {stages} stages of equal length")
    if parts != layout.parts:
        raise ExperimentError(f"a layout of {layout.parts} parts does not fit {parts} devices")
    pairs = pairs_of(layout.rounds, parts, axes)
    local = functools.partial(
        _epoch, network, layout.size, layout.chunks, _onward(stages, axes), pairs, PART in sizes
    )
    part = (PART,) if PART in sizes else ()
    both = (STAGE, *part)
    mapped = spread(
        local, axes, ((STAGE,), both, part, part, ()), (both, (STAGE,), both, both, both)
    )

    def step(
        parameters: Any, history: Array, wiring: Wiring, problem: Problem, order: Array
    ) -> Epoch:
        length = network.layers // stages
        given = {jnp.shape(leaf)[:2] for leaf in jax.tree.leaves(parameters["layers"])}
        if given != {(stages, length)}:
            raise ExperimentError(
                f"parameters are not of {stages} stages of {length}: use by_stage"
            )
        if jnp.shape(history)[:3] != (stages, parts, length):
            raise ExperimentError(
                f"history of shape {jnp.shape(history)} is not of {stages} stages, {parts} parts and "
                f"{length} layers a stage"
            )
        if jnp.shape(order) != (layout.chunks,):
            raise ExperimentError(f"an order of {jnp.size(order)} is not of {layout.chunks} chunks")
        if not part:  # there is one part, which no axis of the mesh divides
            history = history[:, 0]
            wiring, problem = jax.tree.map(lambda leaf: leaf[0], [wiring, problem])
        found = Epoch(*mapped(parameters, history, wiring, problem, order))
        if part:
            return found
        lone = {
            name: getattr(found, name)[:, None] for name in ("loss", "history", "logits", "busy")
        }
        return found._replace(**lone)

    return jax.jit(step)


def _onward(stages: int, axes: Axes) -> list[tuple[int, int]]:
    """Who sends to whom."""
    pairs = [(one, one + 1) for one in range(stages - 1)]
    # A mapped axis knows whole permutations only; what the first stage gets it does not read.
    return pairs if isinstance(axes, jax.sharding.Mesh) else [*pairs, (stages - 1, 0)]


def _epoch(
    network: Network,
    size: int,
    chunks: int,
    onward: list[tuple[int, int]],
    pairs: Pairs,
    shared: bool,
    parameters: Any,
    history: Array,
    wiring: Wiring,
    problem: Problem,
    order: Array,
) -> tuple[Any, ...]:
    """One device's share of an epoch."""
    stage, stages = jax.lax.axis_index(STAGE), jax.lax.psum(1, STAGE)
    length, width = network.layers // stages, network.width
    depths = stage * length + jnp.arange(length)
    skips = network.carried > width
    dtype = history.dtype

    def forward(parameters: Any) -> tuple[Array, Any]:
        def encoded() -> Array:
            flat = problem.features.reshape((chunks + 1) * size, -1)
            return network.encode(parameters, flat).astype(dtype).reshape(chunks + 1, size, width)

        first = stage == 0
        entering = jax.lax.cond(first, encoded, lambda: jnp.zeros((chunks + 1, size, width), dtype))

        def tick(carry: Any, now: Array) -> tuple[Any, Any]:
            (row, initial), buffers, busy = carry
            position = now - stage
            active = (position >= 0) & (position < chunks)
            # Idle ticks work on a chunk of padding, which no edge of a real one leads from.
            chunk = jnp.where(active, order[jnp.clip(position, 0, chunks - 1)], chunks)
            row = jnp.where(first, entering[chunk], row)
            initial = jnp.where(first, entering[chunk], initial)
            edges = jax.tree.map(lambda leaf: leaf[chunk], wiring)

            def layer(row: Array, given: Any) -> tuple[Array, Array]:
                own, buffer, depth = given
                buffer = jax.lax.dynamic_update_slice(buffer, row, (chunk * size, 0))
                buffer = exchanged(buffer, row, edges, pairs)
                sent = edges.weights[:, None].astype(dtype) * buffer[edges.senders]
                received = segment_sum(sent, edges.receivers, size)
                return network.apply(own, depth, row, received, initial), buffer

            row, buffers = jax.lax.scan(layer, row, (parameters["layers"], buffers, depths))
            leaving = (row, initial if skips else None)
            moved = jax.tree.map(lambda leaf: jax.lax.ppermute(leaf, STAGE, onward), leaving)
            moved = (moved[0], moved[1] if skips else initial)
            return (moved, buffers, busy + active), row

        nothing = jnp.zeros((size, width), dtype)
        start = ((nothing, nothing), jax.lax.stop_gradient(history), jnp.int32(0))
        ticks = jnp.arange(chunks + stages - 1)
        (_, buffers, busy), rows = jax.lax.scan(tick, start, ticks)

        def decided() -> tuple[Array, Array]:
            # The last stage works on the chunks in order, after the ticks in which it fills.
            logits = network.decide(parameters, rows[stages - 1 :])
            known = summed_loss(logits, problem.labels[order], problem.share[order])
            # Chunks left out or taken twice would give a loss that looks like one.
            known = jnp.where((jnp.sort(order) == jnp.arange(chunks)).all(), known, jnp.nan)
            return known.astype(dtype), jnp.zeros_like(logits).at[order].set(logits)

        def undecided() -> tuple[Array, Array]:
            kinds = jax.eval_shape(decided)
            return jnp.zeros((), kinds[0].dtype), jnp.zeros(kinds[1].shape, kinds[1].dtype)

        loss, logits = jax.lax.cond(stage == stages - 1, decided, undecided)
        return loss, (buffers, logits, busy)

    (loss, (buffers, logits, busy)), gradients = jax.value_and_grad(forward, has_aux=True)(
        parameters
    )
    if shared:
        gradients = jax.lax.psum(gradients, PART)
    return loss, gradients, buffers, logits, busy
