"""What stacks of random layers forget, and whose gradients are steady: measured on handwritten digits."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.study import Trial
from experiments.kits.images import digits
from experiments.kits.initialisation import FLAX, he_normal, initial_by_numpy
from experiments.vision.yolov9.guidance import WEIGHT
from experiments.vision.yolov9.probe import information_curve
from experiments.vision.yolov9.stacks import UNITS, GuidedStack, Stack
from experiments.vision.yolov9.study_config import YoloConfig

BATCH, GELAN_DEPTH = 64, 10
"""Digits of a batch; and units up to which GELAN's stack goes, each of twelve convolutions in a row."""
ARMS = {"none": (0.0, 0.0), "deep": (WEIGHT, 0.0), "reversible": (0.0, WEIGHT)}
"""Weights of the loss in the middle and of the branch's, beside the main one."""


def information(config: YoloConfig, trial: Trial) -> dict[str, Any]:
    """By unit and depth: the share of a digit's pixels that ridge regression reads out of a drawn stack."""
    generator = trial.generator
    images = digits(num_train=config.digits, generator=generator).train
    found: dict[str, Any] = {"depths": list(config.depths), "linear": {}, "nats": {}, "rise": {}}
    for done, unit in enumerate(UNITS):
        trial.report(f"{unit} looked into", done, len(UNITS))
        depths = [depth for depth in config.depths if unit != "gelan" or depth <= GELAN_DEPTH]
        model = Stack(unit, max(depths))
        variables = initial_by_numpy(model, generator, images, train=True)
        paths = {f"unit_{depth - 1}" for depth in depths}
        curve = information_curve(model, variables, images, layers=paths.__contains__, train=True)
        found["linear"][unit] = [layer.linear for layer in curve.layers]
        found["nats"][unit] = [layer.nats for layer in curve.layers]
        found["rise"][unit] = curve.largest_rise
    return found


def gradients(config: YoloConfig, trial: Trial) -> dict[str, float]:
    """By auxiliary loss: the mean cosine of a batch's gradient for early layers and the other batches'.

    Of the first layer and the first unit of a plain stack of drawn layers.
    """
    generator = trial.generator
    number = config.gradient_batches * BATCH
    images = digits(num_train=number, generator=generator)
    model = GuidedStack(config.gradient_depth)
    batches = images.train.reshape(config.gradient_batches, BATCH, 8, 8, 1)
    labels = images.train_labels.reshape(config.gradient_batches, BATCH)
    # Normalisations do nothing yet, so that a batch's gradient is the mean of its examples'.
    rules = {**FLAX, "kernel": he_normal}
    variables = initial_by_numpy(model, generator, batches[0], rules=rules)
    found = {}
    for done, (name, weights) in enumerate(ARMS.items()):
        trial.report(f"gradients with {name}", done, len(ARMS))
        rows = np.asarray(_early(model, variables, batches, labels, jnp.array(weights)), float)
        found[name] = steadiness(rows)
    return found


def steadiness(gradients: np.ndarray) -> float:
    """The mean cosine of each row and the mean of all others."""
    others = (gradients.sum(0) - gradients) / (len(gradients) - 1)
    lengths = np.linalg.norm(gradients, axis=1) * np.linalg.norm(others, axis=1)
    return float(((gradients * others).sum(1) / np.maximum(lengths, 1e-300)).mean())


@functools.partial(jax.jit, static_argnums=0)
def _early(
    model: Any, variables: Any, batches: jax.Array, labels: jax.Array, weights: jax.Array
) -> jax.Array:
    """Of each batch the gradient for the first layer's and the first unit's kernel, in one row."""

    def loss(params: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        given = {**variables, "params": params}
        heads = model.apply(given, images)
        losses = [
            optax.softmax_cross_entropy_with_integer_labels(head, labels).mean() for head in heads
        ]
        return losses[0] + weights[0] * losses[1] + weights[1] * losses[2]

    def one(batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        found = jax.grad(loss)(variables["params"], *batch)
        first = found["half_0"]["stack"]["unit"]["conv"]["conv"]["kernel"][0]
        return jnp.concatenate([found["lift"]["conv"]["kernel"].ravel(), first.ravel()])

    rows: jax.Array = jax.lax.map(one, (batches, labels))
    return rows
