"""The flag aggregator on a mesh, one worker a device: coordinates are dealt out, p x p numbers summed.

The devices are trusted to aggregate, as a parameter server is; what may be wrong are the gradients.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from experiments.systems.flag_aggregator.gram import FlagWeights, gram_flag, stacked_gram
from experiments.systems.flag_aggregator.scales import check_floating, rescaled

Weigh = Callable[[Float[Array, "p p"]], FlagWeights]


def sharded_flag(gradient: Any, axis_name: str, weigh: Weigh | int) -> tuple[Any, FlagWeights]:
    """The aggregate of all devices' gradients, the same on each; inside `jax.shard_map` or `jax.vmap`.

    Device k gets the k-th slice of every gradient (all-to-all), all add the inner products of their
    slices (all-reduce of p x p numbers) and solve the small problem, each combines its slices, and the
    pieces are gathered. Of `shard_map`, `check_vma=False` is needed where the aggregate is taken as
    replicated.

    Args:
        gradient: this device's own, any pytree.
        axis_name: of the mesh, along which the workers are.
        weigh: the dimension of the subspace, or how a matrix of inner products is weighed.

    Returns:
        The aggregate, and the weights of the workers; coefficients are of the gradients as `rescaled`.

    Raises:
        ExperimentError: a leaf is not floating.
    """
    check_floating(gradient)
    workers = lax.axis_size(axis_name)
    if not jax.tree.leaves(gradient):
        return gradient, _weighed(jnp.zeros((workers, workers), jnp.float32), weigh)
    flat, restore = ravel_pytree(rescaled(gradient)[0])
    padded = jnp.pad(flat, (0, -flat.size % workers))
    slices = lax.all_to_all(padded.reshape(workers, -1), axis_name, 0, 0, tiled=True)
    gram = lax.psum(stacked_gram(slices), axis_name)
    weights = _weighed(gram, weigh)
    piece = (weights.coefficients @ slices).astype(flat.dtype)
    whole = lax.all_gather(piece, axis_name, tiled=True)
    return restore(whole[: flat.size]), weights


def gathered_flag(gradient: Any, axis_name: str, weigh: Weigh | int) -> tuple[Any, FlagWeights]:
    """The same where every device gathers all gradients, as a parameter server does."""
    flat, restore = ravel_pytree(rescaled(gradient)[0])
    rows = lax.all_gather(flat, axis_name)
    weights = _weighed(stacked_gram(rows), weigh)
    return restore((weights.coefficients @ rows).astype(flat.dtype)), weights


def _weighed(gram: Float[Array, "p p"], weigh: Weigh | int) -> FlagWeights:
    return weigh(gram) if callable(weigh) else gram_flag(gram, weigh)


def predicted_bytes(length: int, workers: int, itemsize: int = 4) -> dict[str, int]:
    """What the busiest device receives by `sharded_flag`, by kind of collective.

    Args:
        length: of a gradient.
        workers: devices.
        itemsize: bytes of a number of a gradient; inner products have 4, or 8 where it is 8.
    """
    piece, squares = -(-length // workers), workers**2
    # Pieces of the p x p numbers that are summed hold p each.
    return {
        "all-gather": (workers - 1) * piece * itemsize,
        "all-reduce": 2 * (workers - 1) * squares // workers * max(itemsize, 4),
        "all-to-all": (workers - 1) * piece * itemsize,
    }
