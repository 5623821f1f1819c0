"""Results that XLA writes down rather than computes anew for whatever reads them.

On a CPU it fuses element-wise operations into each operation that reads them, past every optimisation
barrier. What a branch of a condition returns is written down.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


# Any: whatever the function takes and returns.
def written(always: jax.Array, function: Callable[..., Any], *given: Any) -> Any:
    """The function's result, written down.

    Args:
        always: true, but XLA must not know it; where it is false, the result is zeros.
        function: of the given arrays.
        given: pytrees of arrays.
    """
    shapes = jax.eval_shape(function, *given)
    return jax.lax.cond(
        always,
        function,
        lambda *_: jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes),
        *given,
    )
