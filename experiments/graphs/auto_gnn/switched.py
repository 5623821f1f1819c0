"""One network that is every architecture of a small space: choices are data, so it is compiled once."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.graphs.auto_gnn.model import (
    ACTS,
    GATHERS,
    NEEDS,
    Kernel,
    edge_weights,
    learned,
)
from experiments.graphs.auto_gnn.space import Architecture, ArchitectureSpace
from experiments.kits.graph.features import Dropout, Features, times
from experiments.kits.graph.segments import GraphsTuple

SWITCHED = ("attention", "aggregate", "activation")
"""What may differ between the architectures; the other kinds have one option."""


class SwitchedLayer(nn.Module):
    """`SearchedLayer` with one head and identity combine, whose functions are picked by number.

    It has the weights of all its attentions; those of the others get no gradient.

    Args:
        attentions, aggregates, activations: among which is picked.
        width: of the result.
        dropout: of inputs and of edges' weights.
    """

    attentions: tuple[str, ...]
    aggregates: tuple[str, ...]
    activations: tuple[str, ...]
    width: int
    dropout: Any

    @nn.compact
    def __call__(
        self, x: Features, graph: GraphsTuple, picked: Mapping[str, Array], train: bool
    ) -> Float[Array, "n out"]:
        x = Dropout(self.dropout)(x, train=train)
        inputs = x.shape[-1]
        rows = times(x, Kernel(inputs, self.width, name="value")())[:, None]
        needs = sorted({name for each in self.attentions for name in NEEDS[each]})
        weights = learned(tuple(needs), inputs, 1, self.width, self)

        def weighed(name: str) -> Callable[[], Array]:
            return lambda: edge_weights(name, x, rows, weights, graph)

        shares = jax.lax.switch(picked["attention"], [weighed(name) for name in self.attentions])
        shares = Dropout(self.dropout)(shares, train=train)
        sent = shares[..., None] * rows[graph.senders]

        def gathered(name: str) -> Callable[[], Array]:
            return lambda: GATHERS[name](sent, graph.receivers, len(rows))

        h = jax.lax.switch(picked["aggregate"], [gathered(name) for name in self.aggregates])[:, 0]
        bias = self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32)
        h = h + bias[None]
        return jax.lax.switch(picked["activation"], [ACTS[name] for name in self.activations], h)


class SwitchedGNN(nn.Module):
    """Every architecture of two layers of a space in which only functions differ.

    Args:
        options: of the space, kind by kind, as pairs.
        classes: of the logits.
        dropout: rate.
        first_attention, ..., second_activation: places among the space's options.
    """

    options: tuple[tuple[str, tuple[Any, ...]], ...]
    classes: int
    dropout: Any = 0.0
    first_attention: Any = 0
    first_aggregate: Any = 0
    first_activation: Any = 0
    second_attention: Any = 0
    second_aggregate: Any = 0
    second_activation: Any = 0

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n classes"]:
        of, x = dict(self.options), graph.nodes
        for place, (order, width) in enumerate(
            zip(("first", "second"), (of["hidden"][0], self.classes), strict=True)
        ):
            picked = {
                kind: jnp.asarray(getattr(self, f"{order}_{kind}")).astype(jnp.int32)
                for kind in SWITCHED
            }
            layer = SwitchedLayer(
                of["attention"],
                of["aggregate"],
                of["activation"],
                width,
                self.dropout,
                name=f"layer_{place}",
            )
            x = layer(x, graph, picked, train)
        return x


def switched_network(space: ArchitectureSpace, classes: int) -> SwitchedGNN:
    """The network that is every architecture of the space, at its first one."""
    return SwitchedGNN(tuple((kind, tuple(of)) for kind, of in space.options.items()), classes)


def switches(space: ArchitectureSpace, architecture: Architecture) -> dict[str, float]:
    """The fields by which the network becomes this architecture; give them to `fit` as data."""
    pairs = itertools.product(zip(("first", "second"), architecture, strict=True), SWITCHED)

    def place(options: Sequence[Any], option: Any) -> float:
        return float(options.index(option))

    return {
        f"{order}_{kind}": place(tuple(space.options[kind]), getattr(layer, kind))
        for (order, layer), kind in pairs
    }
