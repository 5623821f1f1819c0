"""Small classifiers trained plainly, by SGS, and with branches as they are published."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Bool, Float

from experiments.kits.images import Images
from experiments.vision.sgs.estimation import model_scalings
from experiments.vision.sgs.layers import Network
from experiments.vision.sgs.scaling import (
    at_kernels,
    no_scaling,
    spatial_gradient_scaling,
    with_scalings,
)

MOMENTUM, DECAY = 0.9, 5e-4
"""The public code's, for CIFAR."""


@dataclasses.dataclass(frozen=True)
class Course:
    """How long and in which steps is trained; what is compiled for one serves all seeds and methods.

    Args:
        batch: images of a step.
        refreshes: times that the scalings are measured.
        between: steps from one measurement to the next.
        measured_on: training images, the first ones, from which they are measured.
    """

    batch: int
    refreshes: int
    between: int
    measured_on: int


def fit(
    model: Network,
    variables: Mapping[str, Any],
    images: Images,
    course: Course,
    *,
    scaled: bool,
    key: jax.Array,
    rate: float,
) -> tuple[Bool[np.ndarray, "m"], Float[np.ndarray, "steps"]]:
    """Which test images a network labels right once it is trained, and the losses on the way.

    SGD with momentum 0.9, coupled decay 5e-4 and a cosine schedule.

    Args:
        model: to train.
        variables: of the model before the first step.
        images: to train and to test on.
        course: of the training.
        scaled: whether gradients are scaled as mutual information says; a model of plain blocks only.
        key: of the order of images: every epoch is a permutation.
        rate: peak of the schedule.
    """
    data = {name: jnp.asarray(getattr(images, name)) for name in ("train", "train_labels", "test")}
    found, losses = _trained(model, course, dict(variables), data, key, rate, scaled)
    return np.asarray(found) == images.test_labels, np.asarray(losses)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _trained(
    model: Network,
    course: Course,
    variables: dict[str, Any],
    data: dict[str, jax.Array],
    key: jax.Array,
    rate: jax.Array,
    scaled: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    num_images, num_steps = len(data["train"]), course.refreshes * course.between
    per_epoch = num_images // course.batch
    optimiser = optax.chain(
        spatial_gradient_scaling(),
        optax.add_decayed_weights(DECAY),
        optax.sgd(optax.cosine_decay_schedule(rate, num_steps), MOMENTUM),
    )

    def scalings(variables: Any) -> Any:
        params, images = variables["params"], data["train"][: course.measured_on]
        if model.block != "plain":
            return no_scaling(params)

        def measure() -> Any:
            return at_kernels(params, model_scalings(model, variables, images, train=False))

        return jax.lax.cond(scaled, measure, lambda: no_scaling(params))

    def step(state: Any, index: jax.Array) -> tuple[Any, jax.Array]:
        variables, memory = state
        order = jax.random.permutation(jax.random.fold_in(key, index // per_epoch), num_images)
        first = (index % per_epoch) * course.batch
        rows = jax.lax.dynamic_slice_in_dim(order, first, course.batch)

        def loss(params: Any) -> tuple[jax.Array, Any]:
            outputs, rest = model.apply(
                {**variables, "params": params},
                data["train"][rows],
                train=True,
                mutable=["batch_stats"],
            )
            labels = data["train_labels"][rows]
            losses = optax.softmax_cross_entropy_with_integer_labels(outputs, labels)
            return losses.mean(), rest

        (value, rest), gradient = jax.value_and_grad(loss, has_aux=True)(variables["params"])
        updates, memory = optimiser.update(gradient, memory, variables["params"])
        params = optax.apply_updates(variables["params"], updates)
        return ({"params": params, **rest}, memory), value

    def part(state: Any, place: jax.Array) -> tuple[Any, jax.Array]:
        variables, memory = state
        memory = with_scalings(memory, scalings(variables))
        indices = place * course.between + jnp.arange(course.between)
        return jax.lax.scan(step, (variables, memory), indices)

    start = (variables, optimiser.init(variables["params"]))
    (variables, _), losses = jax.lax.scan(part, start, jnp.arange(course.refreshes))
    logits = jnp.asarray(model.apply(variables, data["test"], train=False))
    return logits.argmax(-1), losses.ravel()
