"""When will scaling help? An answer before training, from the start of the network itself.

Near its start a network is linear in a kernel's weights, with the gradients of its examples as
features. Scaled descent on fewer examples than weights prefers solutions where the scaling is large,
so it pays if what is to be learned lies there: `bias.excess_by_position` says by how much.
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
from jaxtyping import Array, Float, Int

from experiments.vision.sgs.bias import excess_by_position
from experiments.vision.sgs.dependence import model_scalings
from experiments.vision.sgs.scaling import is_spatial
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

Positions = Float[np.ndarray, "height width"]


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
                before training, `energy_of` what was learned after it.
        """
        return float(1 - (energy * self.scaled).sum() / (energy * self.plain).sum())

    def correlation(self, energy: Positions) -> float:
        """Of the scaling with an energy, over positions; nan if either is constant."""
        return correlation(self.scaling, energy)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's; nan if either is constant."""
    one, other = (np.ravel(v) - np.mean(v) for v in (first, second))
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / size) if size > 0 else float("nan")


def energy_of(kernel: Float[Array, "height width i o"]) -> Positions:
    """Mean square of a kernel's entries at each position, over its mean."""
    found = np.square(np.asarray(kernel, np.float64)).mean((2, 3))
    return found / found.mean()


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
        measure = _compiled(model, tuple(sorted(arguments.items())))
        found = measure(wide, jnp.asarray(images, jnp.float64), jnp.asarray(labels))
        return {
            path: Forecast(*(np.asarray(matrix, np.float64) for matrix in matrices))
            for path, matrices in found.items()
        }


def _compiled(model: nn.Module, arguments: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    """Kept from call to call where the model can be hashed; one with lists in it cannot."""
    try:
        hash((model, arguments))
    except TypeError:
        return _measuring(model, arguments)
    return _kept(model, arguments)


def _measuring(model: nn.Module, arguments: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    def measure(variables: Any, images: jax.Array, labels: jax.Array) -> Any:
        scalings = model_scalings(model, variables, images, **dict(arguments))
        rest = {name: value for name, value in variables.items() if name != "params"}

        def loss(kernels: Any, image: jax.Array, label: jax.Array) -> jax.Array:
            params = jax.tree_util.tree_map_with_path(
                lambda where, leaf: kernels.get(_path(where), leaf), variables["params"]
            )
            logits = model.apply({"params": params, **rest}, image[None], **dict(arguments))
            return optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits)[0], label)

        leaves = jax.tree_util.tree_leaves_with_path(variables["params"])
        kernels = {_path(where): leaf for where, leaf in leaves if is_spatial(leaf)}
        # Not `vmap`: a convolution with a kernel for each image is slow on a CPU, and large.
        gradients = jax.lax.map(lambda pair: jax.grad(loss)(kernels, *pair), (images, labels))
        return {
            path: _one(scaling, gradients[path], kernels[path].shape)
            for path, scaling in scalings.items()
        }

    return jax.jit(measure)


_kept = functools.cache(_measuring)


def _path(where: Any) -> str:
    return jax.tree_util.keystr(where, simple=True, separator="/")


def _one(scaling: jax.Array, gradients: jax.Array, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The fields of a `Forecast`, from the gradients of single images as (images, *shape)."""
    moment = (gradients.mean(0) ** 2).mean((2, 3))
    features = gradients.reshape(len(gradients), shape[0] * shape[1], -1)
    half = len(features) // 2
    rows = features[: min(half, int(np.prod(shape)) // 2)]
    plain, scaled = (
        excess_by_position(rows, features[half:], s.ravel()).reshape(shape[:2])
        for s in (jnp.ones_like(scaling), scaling)
    )
    return scaling, moment / moment.mean(), plain, scaled
