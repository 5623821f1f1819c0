"""Training of the small detector, and what it finds: boxes by hard and by soft suppression, and masks."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from experiments.kits.detection.assigners import Truths, truths_of
from experiments.kits.detection.criterion import DetectionLoss
from experiments.kits.detection.detections import Detections, unpadded
from experiments.kits.detection.head import Predictions, decoded
from experiments.kits.detection.losses import binary_cross_entropy
from experiments.kits.detection.priors import Priors, prior_points
from experiments.kits.detection.rois import roi_align
from experiments.kits.detection.scenes import Scenes
from experiments.kits.detection.suppression import softly_suppressed, suppressed
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.catnet.detector import RULES, CatDetector
from experiments.vision.catnet.regions import pasted
from ntkexec.errors import ExperimentError

SUPPRESSIONS = ("hard", "soft")
OVERLAP, SCORE, CANDIDATES = 0.6, 0.02, 100
"""Of the suppression, the same for every detector: overlap, least score, boxes that are looked at."""
LOSS = DetectionLoss()
JITTER = 0.08
"""Deviation of the corners of regions in training, in the box's sides: found boxes are not true ones."""
GROUP = 32
"""Pictures at a time when objects are looked for."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A detector after training.

    Args:
        variables: of it, as NumPy arrays.
        losses: of boxes and of masks, of every step.
    """

    variables: Any
    losses: Float[np.ndarray, "steps 2"]


def fit(
    network: CatDetector,
    scenes: Scenes,
    *,
    generator: np.random.Generator,
    steps: int,
    batch: int = 16,
    rate: float = 6e-3,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Trained:
    """The detector after so many steps of AdamW; the rate grows over a tenth of them and falls as a cosine.

    Regions in training are the true boxes, moved a little. The program of a step is compiled once for each
    network and shape of a batch.

    Args:
        network: to train.
        scenes: to train on, with masks.
        generator: draws the order of scenes and how regions move, the same for all networks, and then the
            first variables.
        steps: in all.
        batch: scenes of a step.
        rate: at its highest.
        report: told before and after.

    Raises:
        ExperimentError: there is no step, no full batch, or scenes have no masks.
    """
    if steps < 1 or not 1 <= batch <= len(scenes):
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} pictures on {len(scenes)} scenes"
        )
    if scenes.masks is None:
        raise ExperimentError("a detector of masks is trained on scenes with masks")
    # Drawn first, so that networks of any size see the same scenes in the same order.
    ordering = np.random.default_rng(int(generator.integers(2**62)))
    example = jax.ShapeDtypeStruct((batch, *scenes.images.shape[1:]), jnp.float32)
    variables = initial_by_numpy(network, generator, example, rules=RULES)
    params = variables.pop("params")
    pace = (jnp.float32(steps), jnp.float32(rate))
    carry = (params, variables, _begun(params, *pace))
    truths = jax.tree.map(
        np.asarray, truths_of(jnp.asarray(scenes.boxes), jnp.asarray(scenes.labels))
    )
    losses: list[np.ndarray] = []
    rows = np.array([], int)
    report("training", 0, steps)
    for _ in range(steps):
        if len(rows) < batch:
            rows = ordering.permutation(len(scenes))
        chosen, rows = rows[:batch], rows[batch:]
        boxes = scenes.boxes[chosen]
        sides = np.tile(boxes[..., 2:] - boxes[..., :2], 2)
        moved = boxes + JITTER * ordering.normal(size=sides.shape).astype(np.float32) * sides
        shown = Truths(truths.boxes[chosen], truths.labels[chosen], truths.present[chosen])
        carry, loss = _step(
            network, carry, scenes.images[chosen], shown, scenes.masks[chosen], moved, *pace
        )
        losses.append(loss)
    report("training", steps, steps)
    params, state = jax.tree.map(np.asarray, carry[:2])
    return Trained({"params": params, **state}, np.stack(losses))


def look(
    network: CatDetector,
    variables: Any,
    images: Float[np.ndarray, "n h w 3"],
    *,
    limit: int = 20,
) -> dict[str, list[Detections]]:
    """What the detector finds in each picture, with masks, by hard and by soft suppression of the same boxes.

    Args:
        network: a detector.
        variables: of it.
        images: from 0 to 1.
        limit: of boxes in a picture.
    """
    groups = -(-len(images) // GROUP)
    # The last group is filled up with the first pictures, so that one program fits all numbers.
    shown = images[np.arange(groups * GROUP) % len(images)].reshape(
        groups, GROUP, *images.shape[1:]
    )
    parts = [_look(network, limit, variables, part) for part in shown]
    return {
        kind: unpadded(*(
            np.concatenate([np.asarray(part[kind][one]) for part in parts])[: len(images)]
            for one in range(4)
        ))
        for kind in SUPPRESSIONS
    }  # fmt: skip


def mask_targets(
    masks: Bool[Array, "b n h w"], boxes: Float[Array, "b n 4"], cells: int
) -> Float[Array, "b n cells cells"]:
    """Which cells of a grid over each box are at least half in the object's mask, as 0 and 1."""

    def of_one(mask: Bool[Array, "h w"], box: Float[Array, "4"]) -> Float[Array, "cells cells"]:
        return roi_align(mask[..., None].astype(box.dtype), box[None], cells)[0, :, :, 0]

    return (jax.vmap(jax.vmap(of_one))(masks, boxes) >= 0.5).astype(jnp.float32)


@jax.jit
def _begun(params: Any, steps: Array, rate: Array) -> Any:
    return _optimiser(steps, rate).init(params)


def _optimiser(steps: Array, rate: Array) -> optax.GradientTransformation:
    warm = jnp.maximum(1, steps // 10)

    def pace(count: Array) -> Array:
        return rate * jnp.minimum((count + 1) / warm, 0.5 + 0.5 * jnp.cos(jnp.pi * count / steps))

    # As one vector: an optimiser leaf by leaf takes as long to compile as the network.
    return optax.flatten(
        optax.chain(optax.clip_by_global_norm(10.0), optax.adamw(pace, weight_decay=0.02))
    )


@functools.partial(jax.jit, static_argnums=0)
def _step(
    network: CatDetector,
    carry: tuple[Any, Any, Any],
    images: Array,
    truths: Truths,
    masks: Array,
    regions: Array,
    steps: Array,
    rate: Array,
) -> tuple[tuple[Any, Any, Any], Array]:
    params, state, memory = carry
    priors = prior_points((images.shape[1], images.shape[2]), network.strides)
    wanted = mask_targets(masks, regions, 2 * network.cells)

    def value(params: Any) -> tuple[Array, Any]:
        (predictions, logits), changed = network.apply(
            {"params": params, **state}, images, regions, train=True, mutable=list(state)
        )
        boxed = LOSS(predictions, truths, priors)
        each = binary_cross_entropy(logits, wanted).mean((2, 3))
        masked = jnp.where(truths.present, each, 0).sum() / jnp.maximum(truths.present.sum(), 1)
        return boxed + masked, (dict(changed), jnp.stack([boxed, masked]))

    (_, (state, losses)), gradient = jax.value_and_grad(value, has_aux=True)(params)
    updates, memory = _optimiser(steps, rate).update(gradient, memory, params)
    return (optax.apply_updates(params, updates), state, memory), losses


@functools.partial(jax.jit, static_argnums=0)
def _seen(network: CatDetector, variables: Any, images: Array) -> tuple[Any, Any]:
    levels = network.apply(variables, images, method="levels")
    return levels, network.apply(variables, levels, method="predictions")


@functools.partial(jax.jit, static_argnums=(0, 1))
def _suppressed(
    limit: int, size: tuple[int, int], predictions: Predictions, priors: Priors
) -> dict[str, tuple[Array, Array, Array]]:
    """Boxes, scores and labels by each suppression: one program for all networks."""
    corners = decoded(predictions, priors)
    ends = jnp.array([size[1], size[0], size[1], size[0]], jnp.float32)
    corners = jnp.clip(corners, 0, ends[None, None])
    scores = jax.nn.sigmoid(predictions.scores_logits)
    classes = scores.shape[-1]

    def of_one(corners: Array, scores: Array, kind: str) -> tuple[Array, Array, Array]:
        best, place = jax.lax.top_k(scores.ravel(), min(CANDIDATES, scores.size))
        boxes, labels = corners[place // classes], place % classes
        if kind == "hard":
            kept = suppressed(boxes, best, labels, iou=OVERLAP, limit=limit, floor=SCORE)
        else:
            kept = softly_suppressed(boxes, best, labels, limit=limit, floor=SCORE)
        row = jnp.maximum(kept.indices, 0)
        return boxes[row], kept.scores, jnp.where(kept.present, labels[row], -1)

    return {
        kind: jax.vmap(functools.partial(of_one, kind=kind))(corners, scores)
        for kind in SUPPRESSIONS
    }


@functools.partial(jax.jit, static_argnums=(0, 4))
def _masks(
    network: CatDetector, variables: Any, levels: Any, boxes: Array, size: tuple[int, int]
) -> Array:
    logits: Any = network.apply(variables, levels, boxes, method="masks")
    return pasted(jax.nn.sigmoid(logits), boxes, size)


def _look(network: CatDetector, limit: int, variables: Any, images: np.ndarray) -> dict[str, Any]:
    size = (images.shape[1], images.shape[2])
    levels, predictions = _seen(network, variables, images)
    found = _suppressed(limit, size, predictions, prior_points(size, network.strides))
    boxes = np.concatenate([np.asarray(found[kind][0]) for kind in SUPPRESSIONS], 1)
    masks = np.asarray(_masks(network, variables, levels, boxes, size))
    parts = np.split(masks, len(SUPPRESSIONS), 1)
    return {kind: (*found[kind], one) for kind, one in zip(SUPPRESSIONS, parts, strict=True)}
