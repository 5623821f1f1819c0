"""What is frozen and adapted: an encoder whose blocks are adapted, and states that were computed before."""

import dataclasses
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.transformer.decoder import Shape, normalised, refuse_misfits
from experiments.kits.transformer.encoder import After, encode, pooled
from experiments.language.scalearn.bank import Arrays
from ntkexec.errors import ExperimentError


class Backbone(Protocol):
    """States of texts with something adapted after each block; equal ones are compiled once.

    One that has a method `refuse(frozen, inputs, bank)` is asked by it whether these fit, before JAX would
    take the nearest that do.
    """

    def __call__(self, frozen: Any, inputs: Any, after: After, own: Any) -> Float[Array, "B D"]: ...


@dataclasses.dataclass(frozen=True)
class AdaptedEncoder:
    """An encoder's mean state, adapted after every block, as in the paper; inputs are tokens (B, T).

    Args:
        shape: of the encoder, whose parameters are `frozen`.
    """

    shape: Shape

    def __call__(self, frozen: Any, inputs: Any, after: After, own: Any) -> Float[Array, "B D"]:
        last = encode(frozen, self.shape, inputs, after=after, adapted=own).last
        return pooled(normalised(last, frozen["norm"], self.shape.epsilon))

    def refuse(self, frozen: Any, inputs: Any, bank: Arrays) -> None:
        """Nothing, if tokens, parameters and adapters are of this shape.

        Raises:
            ExperimentError: names what is not.
        """
        refuse_misfits(frozen, self.shape, inputs, None, dict(bank))
        if np.shape(bank["down"])[2] != self.shape.width:
            raise ExperimentError(
                f"adapters of width {np.shape(bank['down'])[2]} are not of states of {self.shape.width}"
            )


@dataclasses.dataclass(frozen=True)
class KeptStates:
    """The mean over blocks of states that were computed before, each adapted for itself.

    Unlike in the paper nothing adapted reaches a later block, so that no block runs again. Inputs are
    states (B, L, D); nothing is `frozen`.
    """

    def __call__(self, frozen: Any, inputs: Any, after: After, own: Any) -> Float[Array, "B D"]:
        return jax.vmap(after, (1, 0))(inputs, own).mean(0)

    def refuse(self, frozen: Any, inputs: Any, bank: Arrays) -> None:
        """Nothing, if states are of the adapters' blocks and width.

        Raises:
            ExperimentError: names what is not.
        """
        blocks, _, width = np.shape(bank["down"])[:3]
        if np.shape(inputs)[1:] != (blocks, width):
            raise ExperimentError(
                f"states of shape {np.shape(inputs)} are not of {blocks} blocks of width {width}"
            )


def refuse_other_inputs(backbone: Backbone, frozen: Any, inputs: Any, bank: Arrays) -> None:
    """Nothing, if a backbone that looks at its inputs finds nothing wrong.

    Raises:
        ExperimentError: see the backbone's `refuse`.
    """
    refuse = getattr(backbone, "refuse", None)
    if refuse is not None:
        refuse(frozen, inputs, bank)
