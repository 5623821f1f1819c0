"""When will scaling help? An answer before training, from the start of the network itself.

Near its start a network is linear in a kernel's weights, with the gradients of its examples as
features. Scaled descent on fewer examples than weights prefers solutions where the scaling is large,
so it pays if what is to be learned lies there: `excess_by_position` says by how much.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.vision.sgs.estimation import Call, model_scalings
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

Positions = Float[np.ndarray, "height width"]


def limit_of_descent(
    inputs: Float[Array, "n d"], targets: Float[Array, "n *k"], scaling: Float[Array, "d"]
) -> Float[Array, "d *k"]:
    """Where scaled gradient descent on least squares from zero ends, for fewer rows than weights.

    Args:
        inputs: X, of full rank.
        targets: y, of one teacher or, by columns, of several.
        scaling: S, of the gradient.

    Returns:
        S Xᵀ (X S Xᵀ)⁻¹ y: of all exact fits the one of least sum of squares over S.
    """
    scaled = inputs * scaling[None, :]
    return scaled.T @ jnp.linalg.solve(scaled @ inputs.T, targets)


def excess_by_position(
    rows: Float[Array, "n p c"], fresh: Float[Array, "m p c"], scaling: Float[Array, "p"]
) -> Float[Array, "p"]:
    """The mean squared error that scaled descent leaves, by where the teacher's weights lie.

    Teachers with independent weights of mean 0, with variance v at each position, leave `v @ found`
    in expectation: with P = S Xᵀ (X S Xᵀ)⁺ X their fit is P w, off on a fresh row x by x (I - P) w.

    Args:
        rows: what is learned from, X; fewer than weights.
        fresh: on which the error counts.
        scaling: of the gradient, by position.
    """
    scaled = rows * scaling[None, :, None]
    products = jnp.einsum("npc,mpc->nm", scaled, jnp.concatenate([rows, fresh]))
    # Rows may repeat or vanish; descent does not care.
    inverse = jnp.linalg.pinv(products[:, : len(rows)], hermitian=True)
    coefficients = inverse @ products[:, len(rows) :]
    left = fresh - jnp.einsum("nm,npc->mpc", coefficients, rows)
    return (left**2).sum(2).mean(0)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What scaling one kernel's gradient would change.

    Args:
        scaling: S, as mutual information suggests.
        moment: mean square of the loss gradient's entries at each position, over its mean.
        plain: the error that plain descent leaves of a unit of variance at each position.
        scaled: the same with the scaling.
    """

    scaling: Positions
    moment: Positions
    plain: Positions
    scaled: Positions

    def gain(self, energy: Positions) -> float:
        """Predicted share of plain descent's error that the scaling saves; negative if it adds.

        Args:
            energy: variance of the weights to be learned, by position and up to a factor: `moment`
                before training.
        """
        return float(1 - (energy * self.scaled).sum() / (energy * self.plain).sum())


def forecast(
    model: nn.Module,
    variables: Mapping[str, Any],
    images: Float[Array, "n h w c"],
    labels: Int[Array, "n"],
    **arguments: Any,
) -> dict[str, Forecast]:
    """Forecasts for every spatial `nn.Conv` of a Flax classifier, each as if it alone were trained.

    Half of the images, but no more than half as many as a kernel has weights, are what it learns
    from; the other half is what its error is measured on.

    Args:
        model: gives logits.
        variables: at the start of training.
        images: at least four; memory goes with their number times that of all kernels' weights.
        labels: their classes.
        arguments: for the model's call, such as `train=False`: an image must not see the others.

    Returns:
        By the kernel's path, such as "Conv_0/kernel".

    Raises:
        ExperimentError: too few images, or not as many labels.
    """
    if len(images) < 4 or len(labels) != len(images):
        raise ExperimentError(
            f"at least four images and as many labels are needed, got {len(images)} and {len(labels)}"
        )
    with float64():
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), dict(variables))
        pixels = jnp.asarray(images, jnp.float64)
        found = _measured(Call(model, arguments), wide, pixels, jnp.asarray(labels))
        return {
            path: Forecast(*(np.asarray(matrix, np.float64) for matrix in matrices))
            for path, matrices in found.items()
        }


@functools.partial(jax.jit, static_argnums=0)
def _measured(
    call: Call, variables: dict[str, Any], images: jax.Array, labels: jax.Array
) -> dict[str, tuple[jax.Array, ...]]:
    scalings = model_scalings(call.module, variables, images, **call.arguments)
    flat, structure = jax.tree_util.tree_flatten_with_path(variables["params"])
    paths = [jax.tree_util.keystr(where, simple=True, separator="/") for where, _ in flat]
    leaves = dict(zip(paths, (leaf for _, leaf in flat), strict=True))

    def loss(kernels: Any, image: jax.Array, label: jax.Array) -> jax.Array:
        params = jax.tree.unflatten(structure, ({**leaves, **kernels}).values())
        given = {**variables, "params": params}
        logits = jnp.asarray(call.module.apply(given, image[None], **call.arguments))
        return optax.softmax_cross_entropy_with_integer_labels(logits[0], label)

    kernels = {path: leaves[path] for path in scalings}
    # Not `vmap`: a convolution with a kernel for each image is slow on a CPU, and large.
    gradients = jax.lax.map(lambda pair: jax.grad(loss)(kernels, *pair), (images, labels))
    return {path: _one(scaling, gradients[path]) for path, scaling in scalings.items()}


def _one(scaling: jax.Array, gradients: jax.Array) -> tuple[jax.Array, ...]:
    """The fields of a `Forecast`, from the gradients of single images as (images, *shape)."""
    moment = (gradients.mean(0) ** 2).mean((2, 3))
    features = gradients.reshape(len(gradients), scaling.size, -1)
    half = len(features) // 2
    rows = features[: min(half, gradients[0].size // 2)]
    plain, scaled = (
        excess_by_position(rows, features[half:], s.ravel()).reshape(scaling.shape)
        for s in (jnp.ones_like(scaling), scaling)
    )
    return scaling, moment / moment.mean(), plain, scaled
