"""Deep graph networks that can be cut between layers: an encoder, equal layers, a head."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.kits.graph.features import times
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError


class GCNII(nn.Module):
    """relu((1 - beta) s + beta s W), s = (1 - alpha) received + alpha initial, beta = log(1 + theta / l).

    Args:
        alpha, theta: as above; l counts layers from 1.
        skips: that it reads `initial`, which a pipeline must then send along.

    Source: Chen, Wei, Huang, Ding and Li, arXiv:2007.02133, equation 5.
    """

    alpha: float = 0.1
    theta: float = 0.5
    skips: bool = True

    @nn.compact
    def __call__(self, depth: Any, own: Array, received: Array, initial: Array) -> Array:
        mixed = (1 - self.alpha) * received + self.alpha * initial
        beta = jnp.log1p(self.theta / (depth + 1)).astype(mixed.dtype)
        through = nn.Dense(own.shape[-1], use_bias=False)(mixed)
        return nn.relu((1 - beta) * mixed + beta * through)


class Residual(nn.Module):
    """own + relu(norm(received) W + b), after ResGCN+; reads no `initial`.

    Source: Li, Xiong, Thabet and Ghanem, arXiv:2006.07739, whose norm comes before aggregation; here a
    layer receives what is aggregated already.
    """

    skips: bool = False

    @nn.compact
    def __call__(self, depth: Any, own: Array, received: Array, initial: Array) -> Array:
        return own + nn.relu(nn.Dense(own.shape[-1])(nn.LayerNorm(epsilon=1e-6)(received)))


@dataclasses.dataclass(frozen=True)
class Network:
    """Logits of all vertices: a dense encoder with ReLU, `layers` equal graph layers, a dense head.

    Args:
        features, width, classes: of a vertex on the way in, between layers, on the way out.
        layers: how many.
        layer: a Flax module `(depth, own, received, initial) -> (c, width)` without state or dropout, with
            a field `skips`: whether it reads `initial`, which must then be sent along. `received` is the
            weighted sum of neighbours, `initial` what the encoder made, depth counts from 0.
    """

    features: int
    width: int
    classes: int
    layers: int
    layer: Any = dataclasses.field(default_factory=GCNII)

    def __post_init__(self) -> None:
        for name in ("features", "width", "classes", "layers"):
            if getattr(self, name) < 1:
                raise ExperimentError(f"a network with {name} = {getattr(self, name)} is none")
        if not hasattr(self.layer, "skips"):
            raise ExperimentError(
                f"{type(self.layer).__name__} has no field `skips`, which tells whether a layer (depth, own, "
                "received, initial) reads `initial`"
            )

    @property
    def carried(self) -> int:
        """Numbers of a vertex that go from stage to stage: its row, and the encoder's where it is read."""
        return (2 if self.layer.skips else 1) * self.width

    def initial(self, generator: np.random.Generator, dtype: Any = np.float32) -> Any:
        """Parameters before training: {encoder, layers, head}, those of all layers stacked along axis 0."""
        rows = np.zeros((1, self.width), np.float32)
        ends = [
            initial_by_numpy(nn.Dense(size), generator, np.zeros((1, inputs), np.float32))
            for inputs, size in ((self.features, self.width), (self.width, self.classes))
        ]
        layers = [
            initial_by_numpy(self.layer, generator, 0, rows, rows, rows)["params"]
            for _ in range(self.layers)
        ]
        tree = {
            "encoder": ends[0]["params"],
            "layers": jax.tree.map(lambda *leaves: np.stack(leaves), *layers),
            "head": ends[1]["params"],
        }
        return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)

    def encode(self, parameters: Any, features: Any) -> Float[Array, "n H"]:
        """What the first layer gets; features may be sparse."""
        encoder = parameters["encoder"]
        return nn.relu(times(features, encoder["kernel"]) + encoder["bias"][None])

    def apply(
        self, parameters: Any, depth: Any, own: Array, received: Array, initial: Array
    ) -> Float[Array, "n H"]:
        """One layer, given its own parameters without the axis of layers."""
        found: Any = self.layer.apply({"params": parameters}, depth, own, received, initial)
        return found

    def decide(self, parameters: Any, hidden: Float[Array, "*n H"]) -> Float[Array, "*n C"]:
        """Logits from what the last layer gives."""
        head = parameters["head"]
        bias = jnp.expand_dims(head["bias"], range(hidden.ndim - 1))
        logits: Array = hidden @ head["kernel"] + bias
        return logits


def refuse_unknown(labels: np.ndarray, train: np.ndarray) -> None:
    """Raises ExperimentError where a vertex is trained on whose label is unknown (negative)."""
    unknown = np.flatnonzero(np.asarray(train, bool) & (np.asarray(labels) < 0))
    if unknown.size:
        raise ExperimentError(
            f"vertex {unknown[0]} is trained on without a label, as are {unknown.size - 1} others"
        )


def summed_loss(
    logits: Float[Array, "*n C"], labels: Int[Array, "*n"], share: Float[Array, "*n"]
) -> Float[Array, ""]:
    """Cross-entropy summed with each vertex's share: 1 / (all training vertices) or 0."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
    return (jnp.where(share > 0, losses, 0) * share).sum()
