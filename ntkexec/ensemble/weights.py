"""Weights of trained networks, as arrays."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

WEIGHT_FIELDS = (
    "hidden",
    "output",
    "hidden_bias",
    "output_bias",
    "hidden_shift",
    "hidden_bias_shift",
    "initial_output",
)


class Weights(NamedTuple):
    """Weights of some members of one stack, in the NTK parametrisation (unscaled).

    hidden: (members, components, n0, width).
    output: (members, components, width, outputs).
    hidden_bias, output_bias: without the middle axis, or None.
    residual: largest error on the training set; (members, components).
    steps: gradient steps, or iterations of the solver; (members, components).
    hidden_shift, hidden_bias_shift, initial_output: of a linearised network, the change of its
        hidden weights and biases, which are the initial ones, and its initial output weights;
        None for trained ones. The output is that of `hidden` and `output`, plus what the shift
        passes on through the units that are active, weighted by `initial_output`.
    peak: of networks that descended, how high the outputs that are to be 1 rose on the way, see
        `descent.Trained`; (members, components).
    """

    hidden: Float[np.ndarray, "e c i h"]
    output: Float[np.ndarray, "e c h o"]
    hidden_bias: Float[np.ndarray, "e c h"] | None
    output_bias: Float[np.ndarray, "e c o"] | None
    residual: Float[np.ndarray, "e c"]
    steps: Int[np.ndarray, "e c"]
    hidden_shift: Float[np.ndarray, "e c i h"] | None = None
    hidden_bias_shift: Float[np.ndarray, "e c h"] | None = None
    initial_output: Float[np.ndarray, "e c h o"] | None = None
    peak: Float[np.ndarray, "e c"] | None = None


def join(parts: Sequence[Weights], axis: int = 0) -> Weights:
    """Parts of one stack as one: members of several chunks, or components along axis 1."""
    fields: Any = zip(*parts, strict=True)
    return Weights._make(None if c[0] is None else np.concatenate(c, axis) for c in fields)
