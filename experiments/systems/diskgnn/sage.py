"""GraphSAGE on sampled mini-batches of one padded shape, so that one program trains on all of them."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.kits.graph.segments import segment_mean
from experiments.systems.diskgnn.layout import Located
from experiments.systems.diskgnn.sampling import MiniBatch


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What batches are padded to.

    Args:
        nodes: after 0, 1, ... hops.
        edges: of each layer, the first to be applied first.
    """

    nodes: tuple[int, ...]
    edges: tuple[int, ...]

    @classmethod
    def most(cls, batch: int, fanouts: Sequence[int], num_nodes: int) -> "Sizes":
        """What no batch of so many targets and neighbours exceeds, whatever is drawn.

        So batches of all draws, and of all seeds, share a program.
        """
        nodes, edges = [batch], []
        for fanout in fanouts:
            edges.append(nodes[-1] * fanout)
            nodes.append(min(num_nodes, nodes[-1] + edges[-1]))
        return cls(tuple(nodes), tuple(edges[::-1]))


class Prepared(NamedTuple):
    """A padded batch, ready for the device.

    Args:
        x: features; rows behind the batch's are zero.
        senders, receivers: of each layer; an edge that was added has a receiver that there is not.
        labels: of the targets; -1 where there is none.
        places, slots: which rows of `x` the device's cache fills, and with which of its own; a place that
            was added is behind all rows.
    """

    x: Any
    senders: tuple[Any, ...]
    receivers: tuple[Any, ...]
    labels: Any
    places: Any
    slots: Any


class BlockSAGE(nn.Module):
    """Linear of a node plus linear of its drawn neighbours' mean, ReLU between layers.

    Args:
        classes: of the output.
        hidden: width of each layer but the last.
        dropout: rate, before every layer but the first: features are not scaled anew where they are read.

    Source: Hamilton, Ying and Leskovec, arXiv:1706.02216.
    """

    classes: int
    hidden: int = 64
    dropout: float = 0.2

    @nn.compact
    def __call__(self, batch: Prepared, sizes: Sizes, train: bool = False) -> Float[Array, "t C"]:
        x = batch.x
        layers = len(batch.senders)
        for layer, (senders, receivers) in enumerate(
            zip(batch.senders, batch.receivers, strict=True)
        ):
            last, number = layer == layers - 1, sizes.nodes[layers - 1 - layer]
            if layer:
                x = nn.relu(x)
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
            mean = segment_mean(x[senders], receivers, number)
            width = self.classes if last else self.hidden
            x = nn.Dense(width)(x[:number]) + nn.Dense(width, use_bias=False)(mean)
        return x


class TrainState(NamedTuple):
    """Parameters, the optimiser's state, how many steps were taken, and a key for dropout."""

    params: Any
    optimiser: Any
    taken: Int[Array, ""]
    key: Array


def fresh(variables: Any, key: Array, learning_rate: float) -> TrainState:
    """The state before the first step."""
    params = jax.tree.map(jnp.asarray, variables["params"])
    return TrainState(params, _adam(learning_rate).init(params), jnp.int32(0), key)


def prepare(
    batch: MiniBatch,
    x: Float[np.ndarray, "n F"],
    labels: Int[np.ndarray, " N"],
    sizes: Sizes,
    on_device: Located | None = None,
    device_rows: int = 0,
) -> Prepared:
    """A batch padded to the sizes.

    Args:
        batch: of nodes.
        x: its features, of `sizes.nodes[-1]` rows already.
        labels: of all nodes.
        sizes: to which it is padded.
        on_device: rows that the device's cache fills; none if it fills none.
        device_rows: most of them that a batch can have, and to which they are padded.
    """
    hops = len(batch.senders)
    none = [sizes.nodes[hops - 1 - layer] for layer in range(hops)]
    targets = labels[batch.nodes[: batch.sizes[0]]]
    found = (
        (np.zeros(0, np.int64),) * 2 if on_device is None else (on_device.places, on_device.slots)
    )
    return Prepared(
        x,
        tuple(_longer(ends, n, 0) for ends, n in zip(batch.senders, sizes.edges, strict=True)),
        tuple(
            _longer(ends, n, value)
            for ends, n, value in zip(batch.receivers, sizes.edges, none, strict=True)
        ),
        _longer(targets, sizes.nodes[0], -1),
        _longer(found[0], device_rows, sizes.nodes[-1]),
        _longer(found[1], device_rows, 0),
    )


def _longer(values: np.ndarray, length: int, value: int) -> np.ndarray:
    found = np.full(length, value, np.int32)
    found[: len(values)] = values
    return found


@functools.partial(jax.jit, static_argnames=("model", "sizes"))
def advance(
    state: TrainState,
    batch: Prepared,
    cache: Float[Array, "d F"],
    learning_rate: Float[Array, ""],
    *,
    model: BlockSAGE,
    sizes: Sizes,
) -> tuple[TrainState, Float[Array, ""]]:
    """One step of Adam on a batch, and its loss before.

    Args:
        state: before.
        batch: padded to `sizes`.
        cache: the rows that the device holds.
        learning_rate: of Adam.
        model, sizes: of the program.
    """
    batch = _completed(batch, cache)
    key = jax.random.fold_in(state.key, state.taken)

    def loss_of(params: Any) -> Array:
        logits = model.apply({"params": params}, batch, sizes, train=True, rngs={"dropout": key})
        known = batch.labels >= 0
        losses = optax.softmax_cross_entropy_with_integer_labels(
            logits, jnp.maximum(batch.labels, 0)
        )
        return jnp.where(known, losses, 0).sum() / jnp.maximum(known.sum(), 1)

    loss, gradient = jax.value_and_grad(loss_of)(state.params)
    updates, inner = _adam(learning_rate).update(gradient, state.optimiser, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(params, inner, state.taken + 1, state.key), loss


@functools.partial(jax.jit, static_argnames=("model", "sizes"))
def num_right(
    params: Any, batch: Prepared, cache: Float[Array, "d F"], *, model: BlockSAGE, sizes: Sizes
) -> Int[Array, ""]:
    """How many of a batch's targets get their own class."""
    logits = jnp.asarray(model.apply({"params": params}, _completed(batch, cache), sizes))
    return (jnp.argmax(logits, 1) == batch.labels).sum()


def without_device(width: int) -> Float[np.ndarray, "1 F"]:
    """The cache of a device that holds nothing: a row that no batch asks for."""
    return np.zeros((1, width), np.float32)


def num_different(one: Any, other: Any) -> int:
    """How many numbers of two trees of arrays differ in their bits; nan equals nan."""
    pairs: Sequence[tuple[Any, Any]] = list(
        zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )
    return sum(
        int((np.asarray(a).view(np.uint32) != np.asarray(b).view(np.uint32)).sum())
        for a, b in pairs
    )


def _completed(batch: Prepared, cache: Array) -> Prepared:
    return batch._replace(x=batch.x.at[batch.places].set(cache[batch.slots], mode="drop"))


def _adam(learning_rate: Any) -> optax.GradientTransformation:
    return optax.adam(learning_rate)
