"""Spatial gradient scaling: a convolution's gradient times a matrix over its kernel's positions.

Two ways to the same training. `spatial_gradient_scaling` is an Optax transformation, for a training
loop whose optimiser one builds. `scale_gradient` acts inside the model, for one whose optimiser is
given; `experiments.vision.sgs.layers.ScaledConv` uses it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError

Scaling = Float[Array, "height width"]


class ScalingState(NamedTuple):
    """State of the transformations here.

    Args:
        scalings: a pytree of the parameters' structure: a (height, width) matrix at every spatial
            kernel, and a scalar 1 elsewhere.
    """

    scalings: Any


def is_spatial(leaf: Any) -> bool:
    """Whether a parameter is a kernel of shape (height, width, in, out) larger than one pixel."""
    return leaf.ndim == 4 and leaf.shape[0] > 1 and leaf.shape[1] > 1


def no_scaling(params: Any) -> Any:
    """Scalings that change nothing: ones at every spatial kernel, a scalar 1 elsewhere."""

    def ones(leaf: Any) -> jax.Array:
        return jnp.ones(leaf.shape[:2] if is_spatial(leaf) else (), leaf.dtype)

    return jax.tree.map(ones, params)


def check_scalings(scalings: Any, params: Any) -> None:
    """Raises unless every scaling fits its parameter, is positive and has the mean 1.

    Inside compiled code a scaling has a shape but no values, and only that is checked.

    Raises:
        ExperimentError: names the parameter and what is wrong with its scaling.
    """
    expected = jax.tree_util.tree_leaves_with_path(no_scaling(params))
    given = jax.tree_util.tree_leaves_with_path(scalings)
    if [where for where, _ in given] != [where for where, _ in expected]:
        raise ExperimentError("scalings and parameters are trees of different structures")
    for (where, matrix), (_, like) in zip(given, expected, strict=True):
        name = jax.tree_util.keystr(where, simple=True, separator="/")
        if np.shape(matrix) != like.shape:
            raise ExperimentError(
                f"{name} needs a scaling of shape {like.shape}, got {np.shape(matrix)}"
            )
        if isinstance(matrix, jax.core.Tracer):
            continue
        values = np.asarray(matrix, np.float64)
        if not (values >= 0).all():
            raise ExperimentError(f"the scaling of {name} has the entry {values.min():.3g}")
        if abs(values.mean() - 1) > 1e-4:
            raise ExperimentError(f"the scaling of {name} has the mean {values.mean():.6g}, not 1")


def spread(scaling: jax.Array, leaf: jax.Array) -> jax.Array:
    """A scaling, aligned with the first axes of its parameter for multiplication."""
    return scaling.reshape(scaling.shape + (1,) * (leaf.ndim - scaling.ndim))


def _scale(scalings: Any = None) -> optax.GradientTransformation:
    def init(params: Any) -> ScalingState:
        if scalings is None:
            return ScalingState(no_scaling(params))
        check_scalings(scalings, params)
        return ScalingState(scalings)

    def update(updates: Any, state: ScalingState, params: Any = None) -> tuple[Any, ScalingState]:
        scaled = jax.tree.map(
            lambda u, s: spread(s, u).astype(u.dtype) * u, updates, state.scalings
        )
        return scaled, state

    return optax.GradientTransformation(init, update)


def spatial_gradient_scaling(scalings: Any = None) -> optax.GradientTransformation:
    """An Optax transformation that multiplies every spatial kernel's gradient by its scaling.

    It must come first in a chain, before `add_decayed_weights`, `trace` and the learning rate:
    then momentum SGD on one kernel follows a branched convolution exactly, decay included. The
    scalings live in its state; `with_scalings` replaces them during training.

    Args:
        scalings: a pytree of the parameters' structure as in `ScalingState`; all ones by default.

    Raises:
        ExperimentError: at `init`, for scalings that do not fit, are negative or have not mean 1.

    Source: Detkov et al., ICLR 2023, arXiv:2303.02733.
    """
    return _scale(scalings)


def spatial_update_scaling(scalings: Any = None) -> optax.GradientTransformation:
    """The same multiplication for the end of a chain, where it acts on the optimiser's step.

    Adam's step does not change when its gradient is scaled (but for epsilon), so scaling gradients
    does nothing there. A branched convolution under Adam with epsilon 0 equals one kernel whose
    *update* is multiplied by the sum of |a_i| m_i (`branches.adam_scaling`).
    """
    return _scale(scalings)


def with_scalings(opt_state: Any, scalings: Any) -> Any:
    """An optimiser's state, however deep its chain, with other scalings.

    Raises:
        ExperimentError: if the state holds no scalings or more than one set of them.
    """
    leaves, structure = jax.tree.flatten(opt_state, is_leaf=lambda x: isinstance(x, ScalingState))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, ScalingState)]
    if len(places) != 1:
        raise ExperimentError(
            f"an optimiser's state with one set of scalings was needed, not {len(places)}"
        )
    leaves[places[0]] = ScalingState(scalings)
    return jax.tree.unflatten(structure, leaves)


def at_kernels(params: Any, scalings: Mapping[str, Any]) -> Any:
    """A tree of scalings from a mapping of kernels' paths, such as "Conv_0/kernel"; 1 elsewhere.

    Raises:
        ExperimentError: names a path that leads to no spatial kernel.
    """
    left = dict(scalings)

    def pick(where: Any, one: jax.Array) -> jax.Array:
        matrix = left.pop(jax.tree_util.keystr(where, simple=True, separator="/"), None)
        return one if matrix is None else jnp.asarray(matrix, one.dtype)

    tree = jax.tree_util.tree_map_with_path(pick, no_scaling(params))
    if left:
        raise ExperimentError(f"{min(left)!r} is the path of no parameter")
    check_scalings(tree, params)
    return tree


@jax.custom_jvp
def scale_gradient(kernel: Float[Array, "h w i o"], scaling: Scaling) -> Float[Array, "h w i o"]:
    """The kernel itself; but its gradient, in either mode, is multiplied by the scaling."""
    return kernel


@scale_gradient.defjvp
def _scale_gradient_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    kernel, scaling = primals
    return kernel, spread(scaling, kernel) * tangents[0]
