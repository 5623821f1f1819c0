"""A search for distinct neighbourhoods that a layer maps together."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.graphs.sir_gcn.soft import Kernel
from experiments.kits.graph.convert import assembled
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


@dataclasses.dataclass(frozen=True)
class Collision:
    """Two neighbourhoods of one node that a layer maps to the same features.

    Args:
        centre: (F,) features of the receiving node.
        first, second: (k, F) features of its senders.
        output: largest difference of the layer's outputs.
        distance: soft distance of the two neighbourhoods.
    """

    centre: np.ndarray
    first: np.ndarray
    second: np.ndarray
    output: float
    distance: float


def star(centre: Any, senders: Any) -> GraphsTuple:
    """The graph of one neighbourhood: node 0 is the centre, all others send to it.

    Args:
        centre: (F,) features, of NumPy or JAX, as are those of the senders.
        senders: (k, F) features.
    """
    nodes = senders.__array_namespace__().concatenate([centre[None, :], senders])
    return assembled(nodes, np.arange(1, len(nodes)), np.zeros(len(nodes) - 1, int))


def find_collisions(
    layer: Callable[[GraphsTuple], jax.Array],
    *,
    features: int,
    neighbours: int,
    generator: np.random.Generator,
    kernel: Kernel,
    low: float = -1.0,
    high: float = 1.0,
    apart: float = 0.1,
    tolerance: float = 1e-8,
    starts: int = 10,
) -> tuple[Collision, ...]:
    """Pairs of distinct neighbourhoods that a layer maps together, found by its gradient.

    From random pairs, bounded least squares bring the outputs together and keep the pair apart. No
    pair found is no proof that there is none.

    Args:
        layer: a graph's node features to its new ones, such as
            `lambda graph: conv.apply(variables, graph)`; it is called in float64.
        features: width of a node.
        neighbours: in each neighbourhood.
        generator: for centres and starts.
        kernel: of the soft distance.
        low, high: bounds of each feature.
        apart: least soft distance of a pair.
        tolerance: greatest difference of outputs, relative to that of random pairs.
        starts: random pairs tried.

    Returns:
        The collisions, the most distant first; empty if there are none.

    Raises:
        ExperimentError: bounds that hold nothing, or nothing to search for.
    """
    from scipy.optimize import least_squares

    if not low < high or min(features, neighbours, starts) < 1 or not apart > 0:
        raise ExperimentError(
            f"{starts} starts for {neighbours} neighbours of {features} features from {low:g} to "
            f"{high:g}, {apart:g} apart: each is at least one, and what is between more than nothing"
        )

    def ends(unknown: jax.Array) -> tuple[jax.Array, jax.Array]:
        pair = unknown.reshape(2, neighbours, features)
        return pair[0], pair[1]

    def distance(unknown: jax.Array, centre: jax.Array) -> jax.Array:
        rows = jnp.concatenate(ends(unknown))
        inner = rows @ rows.T + centre @ centre
        squares = jnp.diag(inner)
        signs = jnp.repeat(jnp.array([1.0, -1.0]), neighbours)
        return jnp.sqrt(jnp.abs(signs @ kernel(inner, squares[:, None], squares[None, :]) @ signs))

    def gap(unknown: jax.Array, centre: jax.Array) -> jax.Array:
        first, second = (layer(star(centre, end))[0] for end in ends(unknown))
        return first - second

    def residual(unknown: jax.Array, centre: jax.Array, scale: float) -> jax.Array:
        short = jnp.maximum(apart - distance(unknown, centre), 0) / apart
        return jnp.append(gap(unknown, centre) / scale, short)

    found = []
    with float64():
        value, slope = jax.jit(residual), jax.jit(jax.jacrev(residual))
        centres = generator.uniform(low, high, (starts, features))
        begins = generator.uniform(low, high, (starts, 2 * neighbours * features))
        raw = [np.asarray(value(*pair, 1.0))[:-1] for pair in zip(begins, centres, strict=True)]
        scale = float(np.median(np.abs(raw).max(1))) or 1.0
        for begin, centre in zip(begins, centres, strict=True):
            end = least_squares(
                lambda x, c=centre: np.asarray(value(x, c, scale)),
                begin,
                jac=lambda x, c=centre: np.asarray(slope(x, c, scale)),
                bounds=(low, high),
                **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
            ).x
            difference = float(np.abs(np.asarray(value(end, centre, scale))[:-1]).max())
            far = float(distance(jnp.asarray(end), jnp.asarray(centre)))
            if difference <= tolerance and far >= 0.99 * apart:
                one, other = np.asarray(end).reshape(2, neighbours, features)
                found.append(Collision(centre, one, other, difference * scale, far))
    return tuple(sorted(found, key=lambda collision: -collision.distance))
