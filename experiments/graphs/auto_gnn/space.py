"""The search space: for each layer of a graph network, one choice of each of six kinds."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from experiments.kits.search.spaces import Candidate, Choices
from ntkexec.errors import ExperimentError

ATTENTIONS = ("const", "gcn", "gat", "sym-gat", "cos", "linear", "gene-linear")
AGGREGATES = ("sum", "mean", "max")
ACTIVATIONS = (
    "sigmoid",
    "tanh",
    "relu",
    "identity",
    "softplus",
    "leaky-relu",
    "relu6",
    "elu",
)
OPTIONS: Mapping[str, tuple[Any, ...]] = {
    "hidden": (4, 8, 16, 32, 64, 128, 256),
    "attention": ATTENTIONS,
    "heads": (1, 2, 4, 6, 8, 16),
    "aggregate": AGGREGATES,
    "combine": ("identity", "mlp"),
    "activation": ACTIVATIONS,
}
"""What a layer may be: 14,112 ways."""


class Layer(NamedTuple):
    """One layer's choices.

    Args:
        hidden: width of each head; of the last layer it is replaced by the number of classes.
        attention: how an edge is weighed.
        heads: side by side, in the last layer their mean.
        aggregate: of what arrives.
        combine: what is done with the aggregate.
        activation: at the end.
    """

    hidden: int
    attention: str
    heads: int
    aggregate: str
    combine: str
    activation: str


Architecture: TypeAlias = tuple[Layer, ...]


@dataclasses.dataclass(frozen=True)
class ArchitectureSpace:
    """Stacks of layers, each chosen freely among the options; every architecture has a number.

    Args:
        layers: of each architecture.
        options: of a layer, by `Layer`'s fields in their order; a kind with one option is fixed.

    Raises:
        ExperimentError: there is no layer, or an option that no layer has.

    Source: Zhou et al., arXiv:1909.03184, section 3.1; the lists are those of public code with the
    same vocabulary, GraphNAS.
    """

    layers: int = 2
    options: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=lambda: OPTIONS)

    def __post_init__(self) -> None:
        if self.layers < 1 or tuple(self.options) != Layer._fields:
            raise ExperimentError(
                f"an architecture has a layer at least, chosen by {', '.join(Layer._fields)} in "
                f"this order; got {self.layers} layers, chosen by {', '.join(self.options)}"
            )
        for kind in ("attention", "aggregate", "combine", "activation"):
            if unknown := [o for o in self.options[kind] if o not in OPTIONS[kind]]:
                raise ExperimentError(
                    f"{kind} is one of {', '.join(OPTIONS[kind])}, not {unknown[0]!r}"
                )

    @functools.cached_property
    def choices(self) -> Choices:
        """The same space without its meaning, layer by layer, as the search kit takes it."""
        return Choices(
            {
                f"{layer}/{kind}": tuple(found)
                for layer in range(self.layers)
                for kind, found in self.options.items()
            }
        )

    @property
    def per_layer(self) -> int:
        """Ways to choose one layer."""
        return math.prod(len(found) for found in self.options.values())

    @property
    def size(self) -> int:
        """The number of architectures, exactly."""
        return self.choices.size

    def architecture(self, candidate: Candidate) -> Architecture:
        """The layers that a candidate of `choices` stands for."""
        width = len(Layer._fields)
        return tuple(
            Layer(*candidate[width * each : width * (each + 1)]) for each in range(self.layers)
        )

    def candidate(self, architecture: Architecture) -> Candidate:
        """The inverse of `architecture`."""
        return tuple(choice for layer in architecture for choice in layer)

    def encode(self, architecture: Architecture) -> int:
        """The architecture's number, from 0 to below `size`."""
        return self.choices.encode(self.candidate(architecture))

    def decode(self, number: int) -> Architecture:
        """The architecture of a number."""
        return self.architecture(self.choices.decode(number))

    def sample(self, generator: np.random.Generator) -> Architecture:
        """One architecture, each with the same probability."""
        return self.architecture(self.choices.sample(generator))
