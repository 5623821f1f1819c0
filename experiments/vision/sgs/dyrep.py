"""DyRep: branches that grow where the loss asks for them, and go where their scale has vanished.

Reconstructed from a description: of all dead branches of all layers the one of largest saliency grows, with
a small scale of its batch normalisation; living ones whose scale falls below a threshold are dropped.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.vision.sgs.layers import CANDIDATES

GROWN, DROPPED = 0.1, 0.02
"""The scale of a grown branch, and the mean size of a scale below which a branch is dropped."""
State = dict[str, Any]


@functools.cache
def _slopes(model: nn.Module) -> Callable[[State, jax.Array, jax.Array], Any]:
    @jax.jit
    def slopes(state: State, images: jax.Array, labels: jax.Array) -> Any:
        rest = dict(state["rest"])
        growth = rest.pop("growth")

        def loss(growth: Any) -> jax.Array:
            variables = {"params": state["params"], **rest, "growth": growth}
            outputs, _ = model.apply(variables, images, train=True, mutable=list(rest))
            return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()

        return jax.grad(loss)(growth)

    return slopes


def saliencies(
    model: nn.Module, state: State, images: jax.Array, labels: jax.Array
) -> dict[str, np.ndarray]:
    """By layer, how fast the loss changes as each of `CANDIDATES` fades in, living ones as they are.

    Args:
        model: with `DynamicBlock`s as direct children.
        state: with `params`, and in `rest` the other collections.
        images, labels: a batch.
    """
    found = _slopes(model)(state, images, labels)
    return {layer: np.abs(np.asarray(slope["alive"])) for layer, slope in found.items()}


def grown(
    model: nn.Module, state: State, images: jax.Array, labels: jax.Array
) -> tuple[State, tuple[str, str] | None]:
    """The state with one branch more, and its layer and kind; none if all are alive."""
    best: tuple[float, str, int] | None = None
    for layer, values in saliencies(model, state, images, labels).items():
        alive = np.asarray(state["rest"]["growth"][layer]["alive"])
        for place in np.flatnonzero(alive == 0):
            if best is None or values[place] > best[0]:
                best = (float(values[place]), layer, int(place))
    if best is None:
        return state, None
    _, layer, winner = best
    kind = CANDIDATES[winner]
    last = state["params"][layer][kind]["last"]
    started = {
        "scale": jnp.full_like(last["scale"], GROWN),
        "bias": jnp.zeros_like(last["bias"]),
    }
    params = _replaced(state["params"], (layer, kind, "last"), started)
    return {**_with_alive(state, layer, winner, 1.0), "params": params}, (layer, kind)


def dropped(state: State) -> tuple[State, tuple[tuple[str, str], ...]]:
    """The state without living branches of vanished scale, and their layers and kinds."""
    gone = []
    for layer, growth in state["rest"]["growth"].items():
        for place in np.flatnonzero(np.asarray(growth["alive"])):
            kind = CANDIDATES[place]
            scale = np.asarray(state["params"][layer][kind]["last"]["scale"])
            if np.abs(scale).mean() < DROPPED:
                gone.append((layer, kind))
                state = _with_alive(state, layer, int(place), 0.0)
    return state, tuple(gone)


def _with_alive(state: State, layer: str, place: int, value: float) -> State:
    alive = jnp.asarray(state["rest"]["growth"][layer]["alive"]).at[place].set(value)
    rest = _replaced(state["rest"], ("growth", layer, "alive"), alive)
    return {**state, "rest": rest}


def _replaced(tree: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    return {**tree, path[0]: _replaced(tree[path[0]], path[1:], value)}
