"""Training of chains of operations: one compiled part of a course serves every chain, length and set."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from experiments.kits.convnets.products import ByProducts
from experiments.kits.images import Images
from experiments.kits.training import Metrics, train
from experiments.vision.pflayer.resnets import PfResNet

PART = 50
"""Steps that are compiled into one loop; a course has a multiple of them."""
OPTIMISER = optax.chain(optax.add_decayed_weights(5e-4), optax.trace(0.9, nesterov=True))
State = dict[str, Any]


def trained(
    network: PfResNet,
    variables: Mapping[str, Any],
    images: Images,
    *,
    parts: int,
    batch: int,
    rate: float,
    seed: int,
) -> tuple[dict[str, Any], Float[np.ndarray, "steps"]]:
    """The network's variables after so many steps, and the losses on the way.

    SGD with Nesterov's momentum 0.9, coupled decay 5e-4 and a cosine schedule. Every epoch is a permutation
    of which the last, incomplete batch is left out.

    Args:
        network: to train.
        variables: of it before the first step.
        images: to train on.
        parts: of the course, `PART` steps each.
        batch: images of a step.
        rate: of the first step.
        seed: of the order of images.
    """
    variables = dict(variables)
    state: State = {"memory": OPTIMISER.init(variables["params"]), "variables": variables}
    data = {
        "images": jnp.asarray(images.train),
        "labels": jnp.asarray(images.train_labels),
        "key": jax.random.key(seed),
        "rate": jnp.float32(rate),
        "steps": jnp.float32(parts * PART),
    }
    state, metrics = train(_step(network, batch), state, parts * PART, data=data, chunk=PART)
    return state["variables"], metrics["loss"]


@functools.cache
def _step(network: PfResNet, batch: int) -> Callable[[State, jax.Array, Any], Any]:
    """One function for each network, so that it is compiled once."""
    model = ByProducts(network)

    def step(state: State, index: jax.Array, data: dict[str, jax.Array]) -> tuple[State, Metrics]:
        number, variables = len(data["labels"]), state["variables"]
        epoch, place = jnp.divmod(index, number // batch)
        order = jax.random.permutation(jax.random.fold_in(data["key"], epoch), number)
        rows = jax.lax.dynamic_slice_in_dim(order, place * batch, batch)

        def loss(params: Any) -> tuple[jax.Array, Any]:
            outputs, rest = model.apply(
                {**variables, "params": params},
                data["images"][rows],
                train=True,
                mutable=["batch_stats"],
            )
            labels = data["labels"][rows]
            losses = optax.softmax_cross_entropy_with_integer_labels(outputs, labels)
            return losses.mean(), rest

        params = variables["params"]
        (value, rest), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, memory = OPTIMISER.update(gradient, state["memory"], params)
        rate = data["rate"] * (1 + jnp.cos(jnp.pi * index / data["steps"])) / 2
        params = jax.tree.map(lambda one, update: one - rate * update, params, updates)
        return {"memory": memory, "variables": {**variables, **rest, "params": params}}, {
            "loss": value
        }

    return step


def labels_of(
    network: PfResNet, variables: Mapping[str, Any], images: Float[np.ndarray, "m h w c"]
) -> np.ndarray:
    """The class that the network sees in each image, by its running averages."""
    return np.asarray(_outputs(network, dict(variables), jnp.asarray(images))).argmax(1)


@functools.partial(jax.jit, static_argnums=0)
def _outputs(network: PfResNet, variables: Any, images: jax.Array) -> jax.Array:
    return jnp.asarray(ByProducts(network).apply(variables, images, train=False))
