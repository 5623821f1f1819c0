"""Training of the detector, all of it or only what tuning to experts trains, and what it finds then.

One program trains all arms of a comparison: which experts are routed and which are always on are data.
"""

import functools
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.kits.convnets.products import ByProducts
from experiments.kits.detection.boxes import from_centres, to_centres
from experiments.kits.detection.scenes import Scenes
from experiments.vision.dynamic_dino.detector import Detections, Detector, check_classes
from experiments.vision.dynamic_dino.matching import set_loss
from experiments.vision.dynamic_dino.routing import Routing, balance_loss
from ntkexec.errors import ExperimentError

BALANCE = 0.01
"""Weight of the balance loss."""
LIMIT = 60
"""Detections of a picture: of all pairs of query and class those with the largest scores."""


class Pictures(NamedTuple):
    """What a program takes of scenes.

    Args:
        images: RGB from 0 to 1.
        boxes: centre x, centre y, width and height, as shares of the picture's side.
        labels: of the objects; -1 for padding.
    """

    images: Float[Any, "N h w 3"]
    boxes: Float[Any, "N M 4"]
    labels: Int[Any, "N M"]


class Mixing(NamedTuple):
    """Which experts are on.

    Args:
        routes: 1 if the router decides, 0 if it has no say.
        always: weight of each expert besides, for all queries alike, or along axes that fit theirs.
    """

    routes: Float[Any, ""]
    always: Float[Any, "*B E"]


def pictures(scenes: Scenes, labels: Int[np.ndarray, "N M"] | None = None) -> Pictures:
    """Scenes as programs take them.

    Args:
        scenes: of one size.
        labels: other ones than the scenes' own.
    """
    side = scenes.images.shape[1]
    boxes = np.asarray(to_centres(jnp.asarray(scenes.boxes))) / side
    labels = scenes.labels if labels is None else labels
    return Pictures(scenes.images, boxes.astype(np.float32), labels.astype(np.int32))


def detection_loss(
    found: Detections, boxes: Float[Array, "B M 4"], labels: Int[Array, "B M"]
) -> Float[Array, ""]:
    """The sum of the losses of the chosen tokens and of every layer of the decoder, for each object."""
    layers = jax.vmap(jax.vmap(set_loss), (0, 0, None, None))
    objects = jnp.maximum((labels >= 0).sum(), 1)
    return layers(found.scores, found.boxes, labels, boxes).sum() / objects


def fit(
    detector: Detector,
    variables: Any,
    scenes: Pictures,
    classes: Int[np.ndarray, "C F"],
    order: Int[np.ndarray, "steps B"],
    *,
    rate: float,
    mixing: Mixing | None = None,
    only: tuple[str, ...] = ("",),
) -> tuple[Any, Float[np.ndarray, "steps"]]:
    """The variables after training, and every step's loss before it.

    Args:
        detector: of dense layers, or of experts.
        variables: to begin with.
        scenes: all that `order` draws from.
        classes: words of each.
        order: scenes of each step.
        rate: of AdamW, at its largest after a tenth of the steps; it falls as a cosine to 0.
        mixing: of experts; by default the router decides alone.
        only: where paths of parameters begin that are trained; by default all.

    Raises:
        ExperimentError: nothing would be trained, or a class of words or an object of a class is not there.
    """
    check_classes(classes, detector.words)
    _check_labels(scenes, len(classes))
    flat = flax.traverse_util.flatten_dict(variables["params"], sep="/")
    trained = {path: leaf for path, leaf in flat.items() if path.startswith(only)}
    if not trained:
        raise ExperimentError(f"no parameter's path begins with one of {', '.join(only)}")
    frozen = {path: leaf for path, leaf in flat.items() if path not in trained}
    others = {name: leaf for name, leaf in variables.items() if name != "params"}
    data = jax.tree.map(jnp.asarray, (trained, frozen, others, scenes, classes, order))
    found, losses = _fitted(detector, *data, mixing, rate)
    inner = flax.traverse_util.unflatten_dict({**frozen, **found}, sep="/")
    return {**others, "params": jax.tree.map(np.asarray, inner)}, np.asarray(losses)


def _check_labels(scenes: Pictures, classes: int) -> None:
    """Refuses objects of classes that are not asked for: they would be taught as others or as nothing."""
    largest = int(np.max(scenes.labels, initial=-1))
    if largest >= classes:
        raise ExperimentError(f"an object is of class {largest}, and there are {classes}, from 0")


@functools.partial(jax.jit, static_argnums=0)
def _fitted(
    detector: Detector, trained: Any, frozen: Any, others: Any, scenes: Pictures, classes: Any,
    order: Any, mixing: Mixing | None, rate: Any,
) -> Any:  # fmt: skip
    steps = len(order)

    def course(step: Any) -> Any:
        warm = jnp.minimum(1.0, (step + 1) / (0.1 * steps + 1))
        return rate * warm * 0.5 * (1 + jnp.cos(jnp.pi * step / steps))

    # As one vector: what is done to each number alike is compiled once, not for every leaf.
    optimiser = optax.flatten(
        optax.chain(optax.clip_by_global_norm(5.0), optax.adamw(course, weight_decay=1e-3))
    )

    def loss(trained: Any, rows: Any) -> Any:
        params = flax.traverse_util.unflatten_dict({**frozen, **trained}, sep="/")
        batch = jax.tree.map(lambda leaf: leaf[rows], scenes)
        found, routing = _run(detector, {**others, "params": params}, batch.images, classes, mixing)
        value = detection_loss(found, batch.boxes, batch.labels)
        if routing is None:
            return value, value
        balance = jax.vmap(balance_loss)(routing).mean()
        return value + BALANCE * (1.0 if mixing is None else mixing.routes) * balance, value

    def step(carried: Any, rows: Any) -> Any:
        trained, state = carried
        gradient, value = jax.grad(loss, has_aux=True)(trained, rows)
        update, state = optimiser.update(gradient, state, trained)
        return (optax.apply_updates(trained, update), state), value

    (trained, _), losses = jax.lax.scan(step, (trained, optimiser.init(trained)), order)
    return trained, losses


def _run(
    detector: Detector, variables: Any, images: Any, classes: Any, mixing: Mixing | None
) -> tuple[Detections, Routing | None]:
    """What is found, and where tokens went in each layer, if there are experts."""
    given = () if mixing is None else tuple(mixing)
    # Steps are a scan, in which XLA's convolutions on a CPU lose their quick kernels.
    found, told = ByProducts(detector).apply(
        variables, images, classes, *given, mutable=["intermediates"]
    )
    if detector.experts is None:
        return found, None
    return found, told["intermediates"]["decoder"]["stack"]["ffn"]["routing"][0]


class Findings(NamedTuple):
    """What a detector finds, and how well it does.

    Args:
        boxes: corners in pixels.
        scores: from 0 to 1, falling.
        labels: of the classes.
        losses: of each batch, as in training.
        chosen: experts of every query in every layer; none of dense layers.
    """

    boxes: Float[np.ndarray, "N limit 4"]
    scores: Float[np.ndarray, "N limit"]
    labels: Int[np.ndarray, "N limit"]
    losses: Float[np.ndarray, "batches"]
    chosen: Int[np.ndarray, "L N Q k"] | None


def findings(
    detector: Detector,
    variables: Any,
    scenes: Pictures,
    classes: Int[np.ndarray, "C F"],
    *,
    batch: int = 32,
    mixing: Mixing | None = None,
) -> Findings:
    """What the last layer of the decoder says of pictures, without suppression: queries are a set.

    Args:
        detector, variables: trained.
        scenes: whose number is a multiple of the batch.
        classes: that are asked for.
        batch: pictures at a time.
        mixing: see `fit`.

    Raises:
        ExperimentError: another number of scenes, or a class of words or an object of a class is not there.
    """
    check_classes(classes, detector.words)
    _check_labels(scenes, len(classes))
    if len(scenes.images) % batch:
        raise ExperimentError(f"{len(scenes.images)} pictures are no multiple of {batch}")
    data = jax.tree.map(lambda leaf: jnp.asarray(leaf).reshape(-1, batch, *leaf.shape[1:]), scenes)
    found = _found(detector, variables, data, jnp.asarray(classes), mixing)
    boxes, scores, labels, losses, chosen = jax.tree.map(np.asarray, found)
    if chosen is not None:
        chosen = np.moveaxis(chosen, 1, 0)
        chosen = chosen.reshape(len(chosen), -1, *chosen.shape[3:])
    boxes, scores, labels = (leaf.reshape(-1, *leaf.shape[2:]) for leaf in (boxes, scores, labels))
    return Findings(boxes, scores, labels, losses, chosen)


@functools.partial(jax.jit, static_argnums=0)
def _found(detector: Detector, variables: Any, scenes: Pictures, classes: Any, mixing: Any) -> Any:
    def one(batch: Pictures) -> Any:
        found, routing = _run(detector, variables, batch.images, classes, mixing)
        last = found.scores[-1]
        most = min(LIMIT, last[0].size)
        scores, place = jax.lax.top_k(last.reshape(len(last), -1), most)
        query, label = place // last.shape[-1], place % last.shape[-1]
        boxes = jnp.take_along_axis(found.boxes[-1], query[..., None], 1)
        corners = from_centres(boxes) * batch.images.shape[1]
        loss = detection_loss(found, batch.boxes, batch.labels)
        chosen = None if routing is None else routing.chosen
        return corners, jax.nn.sigmoid(scores), label, loss, chosen

    return jax.lax.map(one, scenes)
