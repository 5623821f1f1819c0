"""Training a detector on scenes, and what it finds then: one program for a step, one to detect.

```python
import numpy as np
from experiments.kits.detection.digits import digit_scenes
from experiments.kits.detection.fitting import detect, evaluate, fit_detector
from experiments.kits.detection.small_detector import SmallDetector

generator = np.random.default_rng(0)
network = SmallDetector(classes=10, width=8)
fit = fit_detector(network, digit_scenes(generator, 16), generator=generator, steps=2, batch=8)
test = digit_scenes(generator, 4)
print(fit.losses, evaluate(network, fit.variables, test).ap50)
print(detect(network, fit.variables, test.images)[0].boxes.shape)
```
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.kits.detection.answering import (
    check_images,
    check_owned,
    check_scenes,
    classes_of,
)
from experiments.kits.detection.assigners import Truths, truths_of
from experiments.kits.detection.criterion import DetectionLoss
from experiments.kits.detection.detections import Detections, Objects, unpadded, unpadded_objects
from experiments.kits.detection.head import decoded
from experiments.kits.detection.precision import Precision, average_precision
from experiments.kits.detection.priors import Priors, prior_points
from experiments.kits.detection.scenes import Scenes
from experiments.kits.detection.suppression import suppressed
from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy
from ntkexec.errors import ExperimentError

# (outputs in training, truth, priors, given) -> what is made small
Loss = Callable[[Any, Truths, Priors, Any], Array]
Optimiser = Callable[[optax.Schedule], optax.GradientTransformation]
SCENE_SIZES = {"small": (0.0, 12.0**2), "medium": (12.0**2, 20.0**2), "large": (20.0**2, 1e10)}
"""Areas in square pixels as COCO's, for scenes of 64 pixels, in which COCO would call every object small."""
GROUP = 50
"""Pictures at a time in `detect`, so that memory is bounded and one program fits all numbers of pictures."""


def adamw(rate: optax.Schedule) -> optax.GradientTransformation:
    """AdamW with decay 0.02 and gradients clipped at norm 10: what `fit_detector` takes."""
    return optax.chain(optax.clip_by_global_norm(10.0), optax.adamw(rate, weight_decay=0.02))


@dataclasses.dataclass(frozen=True)
class DetectorFit:
    """A trained detector.

    Args:
        variables: of the network, as NumPy arrays.
        losses: of every step.
    """

    variables: Any
    losses: Float[np.ndarray, "steps"]


def fit_detector(
    network: Any,  # a Flax module with `strides`
    scenes: Scenes,
    loss: Loss = DetectionLoss(),  # noqa: B008 - frozen, holds two numbers and a function
    *,
    generator: np.random.Generator,
    steps: int = 300,
    batch: int = 32,
    rate: float = 6e-3,
    optimiser: Optimiser = adamw,
    rules: Mapping[str, Rule] = FLAX,
    variables: Any = None,
    fields: Mapping[str, Any] | None = None,
    given: Any = None,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> DetectorFit:
    """The network after so many steps; the rate grows over a tenth of them and falls as a cosine.

    The steps are no scan: on a CPU, XLA's convolutions lose their quick kernels inside loops, and a scan
    took five times as long. Network, loss, optimiser, steps and batch make the program of a step; scenes of
    the same shapes, seeds, the rate, `variables`, `fields` and `given` are its data, and compile nothing
    anew.

    Args:
        network: `network.apply(variables, images, train=..., **fields)` gives what the loss takes while
            training, and `head.Predictions` otherwise; it may have batch statistics. Its attribute
            `strides` says where its points are.
        scenes: to train on; every step takes the next pictures of an order that each epoch draws anew.
        loss: what is made small; by default, the kit's.
        generator: draws the first variables and the order of pictures, in this order.
        steps: in all.
        batch: pictures of a step.
        rate: at its highest.
        optimiser: from a schedule to an Optax transformation; a function at the top of a module.
        rules: by which `initial_by_numpy` draws variables.
        variables: to begin with, instead of drawing them.
        fields: further arguments of the network's call, as arrays.
        given: a pytree of arrays that the loss takes, such as a teacher's variables.
        report: told before and after.

    Raises:
        ExperimentError: there is no step, or no full batch; pictures that are not from 0 to 1; a label that
            is no class of the network; a loss one of whose `assigners`, if it has any, gives no prior to any
            object; or a training
            in which the loss or a variable became no finite number.
    """
    if steps < 1 or not 1 <= batch <= len(scenes):
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} pictures on {len(scenes)} scenes"
        )
    fields = {name: jnp.asarray(value) for name, value in (fields or {}).items()}
    if variables is None:
        example = jax.ShapeDtypeStruct((batch, *scenes.images.shape[1:]), jnp.float32)
        variables = initial_by_numpy(
            network, generator, example, rules=rules, train=False, **fields
        )
    check_scenes(scenes, classes_of(network, variables, scenes.images, fields))
    for assign in getattr(loss, "assigners", ()):
        check_owned(assign, scenes, network.strides)
    # Copies: a step overwrites what it was given, which must not be the caller's.
    state = jax.tree.map(jnp.array, dict(variables))
    params = state.pop("params")
    carry = (params, state, _begin(optimiser, steps, params))
    truths = jax.tree.map(
        np.asarray, truths_of(jnp.asarray(scenes.boxes), jnp.asarray(scenes.labels))
    )
    losses: list[Array] = []
    for index, rows in enumerate(_batches(len(scenes), batch, steps, generator)):
        if index % max(1, steps // 20) == 0:
            report("training", index, steps)
        shown = Truths(truths.boxes[rows], truths.labels[rows], truths.present[rows])
        carry, found = _step(
            network, loss, optimiser, steps, carry, scenes.images[rows], shown,
            jnp.float32(rate), fields, given,
        )  # fmt: skip
        losses.append(found)
    report("training", steps, steps)
    trained, state, _ = jax.tree.map(np.asarray, carry)
    made = {"params": trained, **state}
    known = np.array(losses, np.float32)
    _check_finite(known, made)
    return DetectorFit(made, known)


def _check_finite(losses: np.ndarray, variables: Any) -> None:
    """Refuses a training that broke: what it finds would look like nothing found."""
    wrong = np.flatnonzero(~np.isfinite(losses))
    if len(wrong):
        where = f"the loss of step {wrong[0]} of {len(losses)} is {losses[wrong[0]]}"
    elif all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(variables)):
        return
    else:
        where = "a variable is no finite number after the last step"
    raise ExperimentError(f"the training broke: {where}; take a lower rate")


def _batches(
    number: int, batch: int, steps: int, generator: np.random.Generator
) -> Iterator[Int[np.ndarray, "batch"]]:
    """Rows of each step: every epoch is a permutation of which the last, incomplete batch is left out."""
    done = 0
    while done < steps:
        order = generator.permutation(number)
        for place in range(min(number // batch, steps - done)):
            yield order[place * batch : (place + 1) * batch]
        done += number // batch


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3), donate_argnums=4)
def _step(
    network: Any,
    loss: Loss,
    optimiser: Optimiser,
    steps: int,
    carry: tuple[Any, Any, Any],
    images: Array,
    truth: Truths,
    rate: Array,
    fields: dict[str, Array],
    given: Any,
) -> tuple[tuple[Any, Any, Any], Array]:
    params, state, inner = carry
    priors = prior_points((images.shape[1], images.shape[2]), network.strides)

    def value(params: Any) -> tuple[Array, Any]:
        outputs, changed = network.apply(
            {"params": params, **state}, images, train=True, mutable=list(state), **fields
        )
        return loss(outputs, truth, priors, given), dict(changed)

    (found, state), gradient = jax.value_and_grad(value, has_aux=True)(params)
    updates, inner = _update(optimiser, steps, rate).update(gradient, inner, params)
    return (optax.apply_updates(params, updates), state, inner), found


@functools.partial(jax.jit, static_argnums=(0, 1))
def _begin(optimiser: Optimiser, steps: int, params: Any) -> Any:
    return _update(optimiser, steps, jnp.float32(0)).init(params)


def _update(optimiser: Optimiser, steps: int, rate: Array) -> optax.GradientTransformation:
    def pace(count: Array) -> Array:
        warm = max(1, steps // 10)
        return rate * jnp.minimum((count + 1) / warm, 0.5 + 0.5 * jnp.cos(jnp.pi * count / steps))

    return optimiser(pace)


def detect(
    network: Any,  # a Flax module with `strides`
    variables: Any,
    images: Float[np.ndarray, "n h w 3"],
    *,
    score: float = 0.02,
    iou: float = 0.6,
    limit: int = 50,
    candidates: int = 200,
    fields: Mapping[str, Any] | None = None,
    group: int = GROUP,
) -> list[Detections]:
    """What the network finds in each picture, best first.

    Args:
        network, fields: as for `fit_detector`.
        variables: of the network.
        images: from 0 to 1; of one size, whose sides are multiples of the strides.
        score: below which nothing is told.
        iou: overlap up to which two boxes of one class may both stay.
        limit: of boxes in a picture.
        candidates: pairs of a point and a class, the best of a picture, that are looked at.
        group: pictures at a time, to which fewer are filled up: for a single large picture, 1.

    Raises:
        ExperimentError: pictures that are not from 0 to 1, or predictions that are no finite numbers, of
            which nothing would be told.
    """
    check_images(images)
    if group < 1:
        raise ExperimentError(f"a picture or more is looked at at a time, got group={group}")
    if not len(images):
        return []
    groups = -(-len(images) // group)
    shown = np.zeros((groups * group, *images.shape[1:]), np.float32)
    shown[: len(images)] = images
    settings = (jnp.float32(score), jnp.float32(iou))
    fields = {name: jnp.asarray(value) for name, value in (fields or {}).items()}
    parts = [
        _detect(network, limit, candidates, variables, fields, part, *settings)
        for part in shown.reshape(groups, group, *images.shape[1:])
    ]
    boxes, scores, labels, finite = (
        np.concatenate([np.asarray(part[one]) for part in parts])[: len(images)] for one in range(4)
    )
    if not finite.all():
        raise ExperimentError(
            f"the network's predictions of picture {finite.argmin()} are no finite numbers; was its "
            "training sound?"
        )
    return unpadded(boxes, scores, labels)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _detect(
    network: Any,
    limit: int,
    candidates: int,
    variables: Any,
    fields: dict[str, Array],
    images: Array,
    score: Any,  # a traced number, as the next
    iou: Any,
) -> tuple[Array, Array, Array, Array]:
    priors = prior_points((images.shape[1], images.shape[2]), network.strides)
    predictions = network.apply(variables, images, train=False, **fields)
    boxes = decoded(predictions, priors)
    height, width = images.shape[1:3]
    boxes = jnp.clip(boxes, 0, jnp.array([width, height, width, height], jnp.float32)[None, None])
    scores = jax.nn.sigmoid(predictions.scores_logits)
    classes = scores.shape[-1]

    def of_one(boxes: Array, scores: Array) -> tuple[Array, Array, Array]:
        best, place = jax.lax.top_k(scores.ravel(), min(candidates, scores.size))
        corners, labels = boxes[place // classes], place % classes
        kept = suppressed(corners, best, labels, iou=iou, limit=limit, floor=score)
        row = jnp.maximum(kept.indices, 0)
        return corners[row], kept.scores, jnp.where(kept.present, labels[row], -1)

    finite = jnp.isfinite(boxes).all((1, 2)) & jnp.isfinite(scores).all((1, 2))
    return *jax.vmap(of_one)(boxes, scores), finite


def objects_of(scenes: Scenes) -> list[Objects]:
    """The scenes' objects as `average_precision` takes them, with masks if there are any."""
    return unpadded_objects(scenes.boxes, scenes.labels, scenes.masks)


def evaluate(
    network: Any,  # a Flax module with `strides`
    variables: Any,
    scenes: Scenes,
    *,
    sizes: Mapping[str, tuple[float, float]] = SCENE_SIZES,
    **settings: Any,  # of `detect`
) -> Precision:
    """How well the network finds the scenes' objects.

    Args:
        network, variables: as for `detect`.
        scenes: that it was not trained on.
        sizes: ranges of areas, as for `average_precision`.
        settings: further ones of `detect`.

    Raises:
        ExperimentError: as `detect`, or a label that is no class of the network.
    """
    check_scenes(scenes, classes_of(network, variables, scenes.images, settings.get("fields")))
    found = detect(network, variables, scenes.images, **settings)
    return average_precision(found, objects_of(scenes), sizes=sizes)
