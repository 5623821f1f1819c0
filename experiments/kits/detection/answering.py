"""What a detector can be trained on and look at: labels that are classes, pictures from 0 to 1, objects that
are given priors. Refused outside of compiled programs, which would clamp and go on.

```python
import functools
import numpy as np
from experiments.kits.detection.answering import owned_share
from experiments.kits.detection.assigners import atss
from experiments.kits.detection.digits import digit_scenes

scenes = digit_scenes(np.random.default_rng(0), 8)
print(owned_share(functools.partial(atss, side=2.0), scenes, (8, 16)))  # of all objects
```
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.kits.detection.assigners import Assigner, truths_of
from experiments.kits.detection.labels import check_classes
from experiments.kits.detection.priors import Priors, prior_points
from experiments.kits.detection.scenes import Scenes
from ntkexec.errors import ExperimentError

LOOKED_AT = 64
"""Scenes of which `check_owned` asks whether an object is given a prior."""
ROUNDING = 1e-6
"""By which pixels may miss 0 and 1."""


def check_images(images: np.ndarray) -> None:
    """Refuses what are no pictures of numbers from 0 to 1.

    Raises:
        ExperimentError: bytes, numbers outside or none, or another shape.
    """
    given = np.asarray(images)
    if given.ndim != 4:
        raise ExperimentError(f"pictures are (n, height, width, 3), got the shape {given.shape}")
    if given.dtype.kind != "f":
        raise ExperimentError(
            f"pictures hold numbers from 0 to 1, got {given.dtype}; divide bytes by 255"
        )
    if given.size and not (given.min() >= -ROUNDING and given.max() <= 1 + ROUNDING):
        raise ExperimentError(
            f"pictures hold numbers from 0 to 1, got {given.min():g} to {given.max():g}"
        )


def check_scenes(scenes: Scenes, classes: int | None) -> None:
    """Refuses scenes that a network of so many classes cannot be trained on, or judged by.

    Args:
        scenes: pictures and objects.
        classes: of the network; None, if that is not known.

    Raises:
        ExperimentError: pictures that `check_images` refuses, or a label that is no class.
    """
    check_images(scenes.images)
    if classes is not None:
        check_classes(scenes.labels, classes, scenes.labels >= 0)


def classes_of(
    network: Any, variables: Any, images: np.ndarray, fields: Mapping[str, Any] | None
) -> int | None:
    """How many classes a network tells apart, found without computing; None if it predicts something else.

    Args:
        network, variables, images, fields: as for `fitting.detect`.
    """
    one = jax.ShapeDtypeStruct((1, *np.shape(images)[1:]), jnp.float32)
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)),
        (dict(variables), dict(fields or {})),
    )
    found = _predicted.eval_shape(network, *shapes, one)
    scores = getattr(found, "scores_logits", None)
    return None if scores is None else int(scores.shape[-1])


@functools.partial(jax.jit, static_argnums=0)
def _predicted(network: Any, variables: Any, fields: Any, images: Any) -> Any:
    return network.apply(variables, images, train=False, **fields)


def owned_share(assign: Assigner, scenes: Scenes, strides: tuple[int, ...]) -> float:
    """The share of objects that are given a prior at all, by predictions that are as good as can be.

    Every prior predicts the object whose centre is nearest, for sure. An object without a prior even then
    is never taught; nan, where there is no object.

    Args:
        assign: gives priors to objects.
        scenes: with the objects.
        strides: of the network.
    """
    number = int((scenes.labels >= 0).sum())
    if not number:
        return float("nan")
    size = (scenes.images.shape[1], scenes.images.shape[2])
    classes = int(scenes.labels.max()) + 1
    found = _owners(
        assign, classes, prior_points(size, strides), jnp.asarray(scenes.boxes), scenes.labels
    )
    return sum(len(np.unique(row[row >= 0])) for row in np.asarray(found)) / number


# Milliseconds of arithmetic are not worth seconds of optimising.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=QUICKLY)
def _owners(
    assign: Assigner,
    classes: int,
    priors: Priors,
    boxes: Float[Array, "b m 4"],
    labels: Int[Array, "b m"],
) -> Int[Array, "b p"]:
    def of_one(boxes: Float[Array, "m 4"], labels: Int[Array, "m"]) -> Int[Array, "p"]:
        truths = truths_of(boxes, labels)
        centres = (truths.boxes[:, :2] + truths.boxes[:, 2:]) / 2
        far = jnp.square(jnp.asarray(priors.points)[:, None] - centres[None]).sum(-1)
        near = jnp.where(truths.present[None], far, jnp.inf).argmin(1)
        scores = jax.nn.one_hot(truths.labels[near], classes)
        return assign(scores, truths.boxes[near], priors, truths).owner

    return jax.vmap(of_one)(boxes, labels)


def check_owned(assign: Assigner, scenes: Scenes, strides: tuple[int, ...]) -> None:
    """Refuses an assigner that gives no prior to any object of the first scenes.

    Args:
        assign, scenes, strides: as for `owned_share`.

    Raises:
        ExperimentError: nothing would be learned but that there is nothing.
    """
    if owned_share(assign, scenes[:LOOKED_AT], strides) == 0:
        named = getattr(assign, "func", assign)
        raise ExperimentError(
            f"{getattr(named, '__name__', named)} gives no prior to any object of the scenes at the "
            f"strides {tuple(strides)}: other settings (such as a smaller `side` of `atss`) or finer "
            "strides do"
        )
