"""Training a network on pictures: one compiled scan over the steps, evaluation inside.

Seeds, pictures of the same shapes, the rate and the model's own 0/1 fields are data of the program: it is
compiled once for each model, optimiser, number of steps and size of batches.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.kits.images import Images
from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy
from ntkexec.errors import ExperimentError

Optimiser = Callable[[optax.Schedule], optax.GradientTransformation]
Augmentation = Callable[[Array, Array], Array]
EVALUATED = 250
"""Pictures at a time when accuracies are taken, so that memory is bounded."""


def momentum(rate: optax.Schedule) -> optax.GradientTransformation:
    """SGD with momentum 0.9 and coupled decay 5e-4, as CIFAR's networks are usually trained."""
    return optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(rate, 0.9, nesterov=True))


def moved_and_mirrored(
    key: Array, images: Float[Array, "n h w c"], *, most: int = 2
) -> Float[Array, "n h w c"]:
    """Each picture moved by up to `most` pixels, zeros coming in, and mirrored in half of all cases."""
    number, height, width, channels = images.shape
    down, mirror = jax.random.split(key)
    framed = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    corners = jax.random.randint(down, (number, 2), 0, 2 * most + 1)

    def cut(image: Array, corner: Array) -> Array:
        start = (corner[0], corner[1], 0)
        return jax.lax.dynamic_slice(image, start, (height, width, channels))

    moved = jax.vmap(cut)(framed, corners)
    turned = jax.random.bernoulli(mirror, shape=(number, 1, 1, 1))
    return jnp.where(turned, moved[:, :, ::-1], moved)


@dataclasses.dataclass(frozen=True)
class Fit:
    """A trained network.

    Args:
        train, test: accuracies after the last step, from 0 to 1, by running averages.
        losses: the mean cross-entropy of every batch.
        outputs: for the test pictures.
        variables: of the model.
    """

    train: float
    test: float
    losses: Float[np.ndarray, "steps"]
    outputs: Float[np.ndarray, "m classes"]
    variables: Any


def fit(
    model: nn.Module,
    images: Images,
    *,
    generator: np.random.Generator,
    steps: int,
    batch: int = 64,
    optimiser: Optimiser = optax.adamw,
    learning_rate: float = 2e-3,
    augmentation: Augmentation | None = None,
    smoothing: float = 0.0,
    rules: Mapping[str, Rule] = FLAX,
    variables: Any = None,
    fields: Mapping[str, Any] | None = None,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Fit:
    """The model after so many steps on the training pictures, the rate falling as a cosine.

    Args:
        model: `model.apply(variables, images, train=..., **fields)` gives a row of outputs a picture;
            it may have batch statistics and dropout.
        images: to train and to test with.
        generator: draws variables and the order of pictures, in this order.
        steps: in all; every epoch is a permutation of which the last, incomplete batch is left out.
        batch: pictures of a step.
        optimiser: from a schedule to an Optax transformation; a function at the top of a module, since
            programs are told apart by it.
        learning_rate: of the first step.
        augmentation: `(key, pictures) -> pictures` of a step, such as `moved_and_mirrored`; as `optimiser`.
        smoothing: share of each label that is spread over all classes.
        rules: by which `initial_by_numpy` draws the variables.
        variables: to begin with, instead of drawing them.
        fields: further arguments of the model's call, as arrays: what differs between arms need not be
            compiled.
        report: told before and after.

    Raises:
        ExperimentError: there is no step, or no full batch.
    """
    if steps < 1 or not 1 <= batch <= len(images.train):
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} pictures on {len(images.train)}"
        )
    fields = {name: jnp.asarray(value) for name, value in (fields or {}).items()}
    if variables is None:
        example = jax.ShapeDtypeStruct((batch, *images.train.shape[1:]), jnp.float32)
        variables = initial_by_numpy(model, generator, example, rules=rules, train=False, **fields)
    key = jax.random.key(int(generator.integers(2**32)))
    data = [jnp.asarray(each) for each in (images.train, images.train_labels, images.test)]
    report("training", 0, steps)
    found, losses, train, outputs = _fit(
        model, optimiser, augmentation, steps, batch, dict(variables), fields, *data, key,
        jnp.float32(learning_rate), jnp.float32(smoothing),
    )  # fmt: skip
    outputs = np.asarray(outputs)
    report("training", steps, steps)
    return Fit(
        float(np.mean(train)),
        float(np.mean(outputs.argmax(1) == images.test_labels)),
        np.asarray(losses),
        outputs,
        jax.tree.map(np.asarray, found),
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _fit(
    model: Any,  # a module, called with fields of its own
    optimiser: Optimiser,
    augmentation: Augmentation | None,
    steps: int,
    batch: int,
    variables: dict[str, Any],
    fields: dict[str, Array],
    pictures: Array,
    labels: Array,
    tested: Array,
    key: Array,
    rate: Array,
    smoothing: Array,
) -> tuple[Any, Array, Array, Array]:
    number, params = len(pictures), variables.pop("params")
    per_epoch = number // batch
    update = optimiser(optax.cosine_decay_schedule(rate, steps))
    order_key, changing, dropping = jax.random.split(key, 3)

    def step(carry: Any, index: Array) -> tuple[Any, Array]:
        params, state, inner = carry
        turn = jax.random.fold_in(order_key, index // per_epoch)
        order = jax.random.permutation(turn, number)
        rows = jax.lax.dynamic_slice_in_dim(order, index % per_epoch * batch, batch)
        shown = pictures[rows]
        if augmentation is not None:
            shown = augmentation(jax.random.fold_in(changing, index), shown)

        def loss(params: Any) -> tuple[Array, Any]:
            outputs, changed = model.apply(
                {"params": params, **state},
                shown,
                train=True,
                rngs={"dropout": jax.random.fold_in(dropping, index)},
                mutable=list(state),
                **fields,
            )
            wanted = jax.nn.one_hot(labels[rows], outputs.shape[-1])
            wanted = optax.smooth_labels(wanted, smoothing)
            return optax.softmax_cross_entropy(outputs, wanted).mean(), dict(changed)

        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, inner = update.update(gradient, inner, params)
        return (optax.apply_updates(params, updates), state, inner), value

    start = (params, variables, update.init(params))
    (params, state, _), losses = jax.lax.scan(step, start, jnp.arange(steps))
    # Both parts in one loop, so that the network is compiled once more and not twice; the last group of
    # pictures is filled up with the first ones.
    shown = jnp.concatenate([pictures, tested])
    groups = -(-len(shown) // EVALUATED)
    size = -(-len(shown) // groups)
    rows = (jnp.arange(groups * size) % len(shown)).reshape(groups, size)
    found = {"params": params, **state}
    outputs = jax.lax.map(lambda at: model.apply(found, shown[at], train=False, **fields), rows)
    outputs = outputs.reshape(groups * size, -1)[: len(shown)]
    right = outputs[:number].argmax(-1) == labels
    return found, losses, right, outputs[number:]
