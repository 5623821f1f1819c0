"""Training classifiers plainly, by SGS, by fixed scalings, and with branches as they are published."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Bool

from experiments.kits.images import Images
from experiments.kits.training import Metrics, initial, train
from experiments.vision.sgs.branches import ACB, normalised, predicted_scaling
from experiments.vision.sgs.dependence import model_scalings
from experiments.vision.sgs.dyrep import dropped, grown
from experiments.vision.sgs.layers import Block
from experiments.vision.sgs.scaling import (
    at_kernels,
    no_scaling,
    spatial_gradient_scaling,
    with_scalings,
)

State = dict[str, Any]
Data = dict[str, Any]
Augment = Callable[[jax.Array, jax.Array], jax.Array]
MOMENTUM, DECAY = 0.9, 5e-4

METHODS: dict[str, Block] = {
    "plain": "plain",
    "sgs": "plain",
    "inverse": "plain",
    "acb-scaling": "plain",
    "acb": "acb",
    "repvgg": "repvgg",
    "dbb": "dbb",
    "dyrep": "dyrep",
}
"""Ways to train a network, and the block that each is built of."""


def optimiser(decay: float = DECAY) -> optax.GradientTransformation:
    """Scaled gradients, coupled decay, momentum; the learning rate is applied by the step."""
    return optax.chain(
        spatial_gradient_scaling(), optax.add_decayed_weights(decay), optax.trace(MOMENTUM)
    )


@functools.cache
def step_function(
    model: nn.Module,
    batch: int,
    num_steps: int,
    augment: Augment | None = None,
    decay: float = DECAY,
) -> Callable[[State, jax.Array, Data], tuple[State, Metrics]]:
    """A step of SGD with a cosine schedule; the same function for the same arguments.

    Args:
        model: called with `train=True`.
        batch: images of a step, drawn anew for each epoch's permutation.
        num_steps: of the schedule.
        augment: from a key and images to other images.
        decay: of all parameters, coupled.
    """

    def step(state: State, index: jax.Array, data: Data) -> tuple[State, Metrics]:
        rows = _rows(data, index, batch)
        images, labels = data["images"][rows], data["labels"][rows]
        if augment is not None:
            images = augment(jax.random.fold_in(data["key"], index), images)

        def loss(params: Any) -> tuple[jax.Array, Any]:
            variables = {"params": params, **state["rest"]}
            outputs, rest = model.apply(variables, images, train=True, mutable=list(state["rest"]))
            losses = optax.softmax_cross_entropy_with_integer_labels(outputs, labels)
            return losses.mean(), rest

        (value, rest), gradient = jax.value_and_grad(loss, has_aux=True)(state["params"])
        updates, memory = optimiser(decay).update(gradient, state["memory"], state["params"])
        rate = data["rate"] * (1 + jnp.cos(jnp.pi * index / num_steps)) / 2
        params = jax.tree.map(lambda p, u: p - rate * u, state["params"], updates)
        return {"params": params, "rest": rest, "memory": memory}, {"loss": value}

    return step


def _rows(data: Data, index: jax.Array, batch: int) -> jax.Array:
    """The images of a step: every epoch is a permutation, of which the remainder is left out."""
    number = data["labels"].shape[0]
    per_epoch = max(1, number // batch)
    order = jax.random.permutation(jax.random.fold_in(data["order"], index // per_epoch), number)
    return jax.lax.dynamic_slice_in_dim(order, (index % per_epoch) * batch, min(batch, number))


@functools.cache
def _measuring(
    model: nn.Module, drop_zeros: bool
) -> Callable[[Any, jax.Array], dict[str, jax.Array]]:
    return jax.jit(
        lambda variables, images: model_scalings(
            model, variables, images, drop_zeros=drop_zeros, train=False
        )
    )


@functools.cache
def _predicting(model: nn.Module) -> Callable[[Any, jax.Array], jax.Array]:
    def predict(variables: Any, images: jax.Array) -> jax.Array:
        return jnp.argmax(jnp.asarray(model.apply(variables, images, train=False)), -1)

    return jax.jit(predict)


def scalings_for(
    method: str, model: nn.Module, state: State, images: jax.Array, *, drop_zeros: bool = False
) -> Any:
    """The scalings with which a method goes on training, as a tree over the parameters."""
    params = state["params"]
    if METHODS[method] != "plain" or method == "plain":
        return no_scaling(params)
    measured = _measuring(model, drop_zeros)({"params": params, **state["rest"]}, images)
    if method == "acb-scaling":
        fixed = normalised(predicted_scaling(ACB))
        return at_kernels(params, dict.fromkeys(measured, fixed))
    if method == "inverse":
        return at_kernels(params, {k: _inverted(s) for k, s in measured.items()})
    return at_kernels(params, measured)


def _inverted(scaling: jax.Array) -> np.ndarray:
    return normalised(1 / np.asarray(scaling, float))


def initial_state(model: nn.Module, key: jax.Array, images: jax.Array) -> State:
    """Parameters, other collections and the optimiser's memory before the first step."""
    variables = dict(initial(model, key, images, train=True))
    params = variables.pop("params")
    return {"params": params, "rest": variables, "memory": optimiser().init(params)}


def fit(
    model: nn.Module,
    method: str,
    images: Images,
    *,
    key: jax.Array,
    rate: float,
    batch: int,
    num_steps: int,
    refresh: int,
    measured_on: int,
    augment: Augment | None = None,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
    checkpoint: Path | None = None,
) -> tuple[State, dict[str, np.ndarray]]:
    """A trained model's state and its losses.

    Args:
        model: built of the method's block.
        method: one of `METHODS`.
        images: to train on.
        key: of weights, order of images, and augmentation; the same for all methods of a seed.
        rate: peak of the cosine schedule.
        batch: images of a step.
        num_steps: in all.
        refresh: steps between two measurements of the scalings, or two branches grown.
        measured_on: training images, the first ones, from which either is measured.
        augment: see `step_function`.
        report: told about progress.
        checkpoint: continued from if it exists.
    """
    start, order, drawn = jax.random.split(key, 3)
    pixels, labels = jnp.asarray(images.train), jnp.asarray(images.train_labels)
    state = initial_state(model, start, pixels[:2])
    data = {
        "images": pixels,
        "labels": labels,
        "key": drawn,
        "order": order,
        "rate": jnp.float32(rate),
    }

    def renew(state: State, done: int) -> State:
        if method == "dyrep":
            # Nothing grows before the first steps have told what the loss asks for.
            if not done:
                return state
            return grown(model, dropped(state)[0], pixels[:measured_on], labels[:measured_on])[0]
        scalings = scalings_for(method, model, state, pixels[:measured_on])
        return {**state, "memory": with_scalings(state["memory"], scalings)}

    return train(
        step_function(model, batch, num_steps, augment),
        state,
        num_steps,
        data=data,
        chunk=refresh,
        between=renew,
        report=report,
        checkpoint=checkpoint,
        what=method,
    )


def accuracy(
    model: nn.Module, state: State, images: np.ndarray, labels: np.ndarray, *, batch: int = 1000
) -> float:
    """The share of images that the trained model labels right, with stored batch statistics."""
    return float(right(model, state, images, labels, batch=batch).mean())


def right(
    model: nn.Module, state: State, images: np.ndarray, labels: np.ndarray, *, batch: int = 1000
) -> Bool[np.ndarray, "n"]:
    """Which images the trained model labels right, with stored batch statistics."""
    variables = {"params": state["params"], **state["rest"]}
    found = [
        np.asarray(_predicting(model)(variables, jnp.asarray(images[first : first + batch])))
        for first in range(0, len(images), batch)
    ]
    return np.concatenate(found) == np.asarray(labels)
