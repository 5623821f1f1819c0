"""The exact end of training of a network that is linearised at its initial weights."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntkexec.ensemble.descent import largest
from ntkexec.ensemble.network import TwoLayerNetwork


class Linearised(NamedTuple):
    """The change of weights at the end of training, and how exactly it was found.

    shift: a pytree like the weights.
    residual: largest error of the linearised network on the training set.
    steps: iterations of the solver.
    """

    shift: Any
    residual: Float[Array, ""]
    steps: Int[Array, ""]


# Any: the pytree of weights that Flax makes.
def solve(
    network: TwoLayerNetwork,
    weights: Any,
    target: Float[Array, "n0 o"],
    *,
    tolerance: float,
    max_steps: int,
) -> Linearised:
    """The least change of the weights with which the linearised network has zero error.

    Gradient flow of f0(x) + J(x) shift from shift = 0 ends at shift = J^T (J J^T)^-1 (y - f0), J the
    derivative on the training set and J J^T the network's own NTK. The system has n0 times outputs
    unknowns and the condition number of that kernel, so conjugate gradients solve it in some
    ten products with J and J^T, and no kernel matrix is ever formed.

    Args:
        network: the network.
        weights: its initial weights.
        target: outputs for the standard basis vectors.
        tolerance: largest error that may be left.
        max_steps: iterations after which to give up.

    Source: Lee et al., arXiv:1902.06720, equations 8 to 11, at infinite time.
    """

    def on_basis(point: Any) -> Any:
        return network.apply(point, method="on_basis")

    before, pull_back = jax.vjp(on_basis, weights)

    def push_forward(shift: Any) -> Array:
        return jax.jvp(on_basis, (weights,), (shift,))[1]

    def keep_going(carry: Any) -> Array:
        _, _, residual, _, step = carry
        # Ten times less than is allowed, for the rounding between this residual and the true one.
        return (largest(residual) > tolerance / 10) & (step < max_steps)

    def iterate(carry: Any) -> Any:
        solution, direction, residual, power, step = carry
        applied = push_forward(pull_back(direction)[0])
        length = power / jnp.sum(direction * applied)
        solution = solution + length * direction
        residual = residual - length * applied
        new_power = jnp.sum(residual**2)
        return solution, residual + new_power / power * direction, residual, new_power, step + 1

    error = target - before
    start = (jnp.zeros_like(error), error, error, jnp.sum(error**2), jnp.asarray(0, jnp.int32))
    solution, _, _, _, steps = jax.lax.while_loop(keep_going, iterate, start)
    (shift,) = pull_back(solution)
    left = largest(before + push_forward(shift) - target)
    return Linearised(shift, left, steps)
