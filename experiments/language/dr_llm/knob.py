"""The knob that moves what routers decide, from all skip over their own to all repeat."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from experiments.language.dr_llm.misfits import refuse_other_knob
from ntkexec.errors import ExperimentError


def turned(scores: Float[ArrayLike, "... 3"], knob: float | Array) -> Float[Array, "... 3"]:
    """Probabilities of skip, execute and repeat, moved by a knob.

    Args:
        scores: of a router.
        knob: from -1, all skip, over -0.5, the router's own, and 0.5, all execute, to 1, all repeat;
            between them it mixes the neighbours.

    Raises:
        ExperimentError: the knob is beyond them, or there are not three scores.
    """
    refuse_other_knob(knob)
    if np.shape(scores)[-1:] != (3,):
        raise ExperimentError(
            f"scores of shape {np.shape(scores)} are not three along the last axis"
        )
    own = jax.nn.softmax(jnp.asarray(scores), -1)
    skip, execute, repeat = (jnp.broadcast_to(row, own.shape) for row in np.eye(3, dtype=own.dtype))
    knob = jnp.asarray(knob, own.dtype)
    low, middle, high = 2 * (knob + 1), knob + 0.5, 2 * (knob - 0.5)
    return jnp.where(
        knob <= -0.5,
        (1 - low) * skip + low * own,
        jnp.where(
            knob <= 0.5,
            (1 - middle) * own + middle * execute,
            (1 - high) * execute + high * repeat,
        ),
    )
