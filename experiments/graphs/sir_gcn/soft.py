"""Which nodes, neighbourhoods and graphs a network may map together: pseudometrics on three levels.

A kernel is a function of inner products, `kernel(inner, first_squares, second_squares)`, for any
shape of them; it is positive definite, so it is the inner product of two images under some map g.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

Kernel = Callable[[Any, Any, Any], Any]


def gaussian(width: float) -> Kernel:
    """`exp(-|x - y|^2 / (2 width^2))`: distinct multisets of points are never at distance 0."""

    def kernel(inner: Any, first: Any, second: Any) -> Any:
        return inner.__array_namespace__().exp((2 * inner - first - second) / (2 * width**2))

    return kernel


def polynomial(degree: int, constant: float = 1.0) -> Kernel:
    """`(constant + <x, y>)^degree`; the linear kernel, degree 1 and constant 0, sees only sums."""
    return lambda inner, first, second: (constant + inner) ** degree


@dataclasses.dataclass(frozen=True)
class SoftDistances:
    """Distances between two graphs on all three levels.

    Args:
        node: (n, n') of final states, each with what its neighbourhoods were in all layers.
        neighbourhood: (n, n') of what arrives in the last layer, as the receiver sees it.
        graph: of the multisets of final states.
    """

    node: Float64[np.ndarray, "n m"]
    neighbourhood: Float64[np.ndarray, "n m"]
    graph: float


def soft_distance(
    first: GraphsTuple, second: GraphsTuple, *, kernel: Kernel, layers: int = 1
) -> SoftDistances:
    """The pseudometric that a soft-injective network of this kernel realises, from kernel sums alone.

    A state begins as the node's features; a layer appends `sum over senders v of g([h_u, h_v])`, and
    the readout is `sum over nodes of g(h_u)`. The squared distance of two sums is
    `sum k(x, y) + sum k(x', y') - 2 sum k(x, x')`, and g is never needed. Two inputs have distance 0
    if and only if such a network, with g for `SIRConv`'s activation, maps them together.

    Args:
        first, second: graphs with features of one width; memory grows as edges squared.
        kernel: of contexts and of states, such as `gaussian(1.0)`.
        layers: of message passing, at least one.

    Raises:
        ExperimentError: names widths that differ, or a number of layers below one.

    Source: Lim et al., arXiv:2403.12529; how levels follow each other is reconstructed.
    """
    features = [np.asarray(graph.nodes, np.float64) for graph in (first, second)]
    if features[0].shape[1] != features[1].shape[1] or layers < 1:
        raise ExperimentError(
            f"widths {features[0].shape[1]} and {features[1].shape[1]} with {layers} layers: widths "
            "are to be equal, layers at least one"
        )
    split = len(features[0])
    senders = np.r_[np.asarray(first.senders), np.asarray(second.senders) + split]
    receivers = np.r_[np.asarray(first.receivers), np.asarray(second.receivers) + split]
    states = np.concatenate(features) @ np.concatenate(features).T
    arrives = np.zeros((len(states), len(senders)))
    arrives[receivers, np.arange(len(senders))] = 1
    for _ in range(layers):
        contexts = states[np.ix_(receivers, receivers)] + states[np.ix_(senders, senders)]
        neighbourhoods = arrives @ _apply(kernel, contexts) @ arrives.T
        states = states + neighbourhoods
    images = _apply(kernel, states)
    signs = np.where(np.arange(len(states)) < split, 1.0, -1.0)
    return SoftDistances(
        node=_distances(images, split),
        neighbourhood=_distances(neighbourhoods, split),
        graph=float(np.sqrt(max(signs @ images @ signs, 0.0))),
    )


def _apply(kernel: Kernel, inner: Float64[np.ndarray, "n n"]) -> np.ndarray:
    squares = np.diag(inner)
    found: np.ndarray = kernel(inner, squares[:, None], squares[None, :])
    return found


def _distances(inner: Float64[np.ndarray, "n n"], split: int) -> np.ndarray:
    squares = np.diag(inner)
    square = squares[:split, None] + squares[None, split:] - 2 * inner[:split, split:]
    return np.sqrt(np.maximum(square, 0.0))
