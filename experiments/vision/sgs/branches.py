"""Branched convolutions, the kernel they merge into, and the scaling that trains it the same way."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["scale", "rate"], meta_fields=["mask"]
)
@dataclasses.dataclass(frozen=True)
class Branch:
    """A linear branch `scale * (mask ⊙ weights)` of a convolution; a pytree of its two factors.

    Args:
        mask: rows of 0 and 1 over the kernel's positions: where the branch has weights.
        scale: constant factor, a_i.
        rate: the branch's learning rate over that of the whole.
    """

    mask: tuple[tuple[int, ...], ...]
    scale: float = 1.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if len({len(row) for row in self.mask}) != 1 or not set(sum(self.mask, ())) <= {0, 1}:
            raise ExperimentError(f"a mask is a matrix of 0 and 1, not {self.mask}")
        # As leaves of a pytree both may be tracers, which have no value to check.
        if isinstance(self.rate, (int, float)) and self.rate <= 0:
            raise ExperimentError(f"a branch's learning rate is positive, not {self.rate}")

    @property
    def array(self) -> np.ndarray:
        """The mask, shape (height, width)."""
        return np.array(self.mask, float)


def block_mask(height: int, width: int, size: int = 3) -> tuple[tuple[int, ...], ...]:
    """A mask of ones of that extent in the middle of a size x size kernel."""
    mask = np.zeros((size, size), int)
    top, left = (size - height) // 2, (size - width) // 2
    mask[top : top + height, left : left + width] = 1
    return tuple(tuple(int(v) for v in row) for row in mask)


ACB = (Branch(block_mask(3, 3)), Branch(block_mask(1, 3)), Branch(block_mask(3, 1)))
"""Asymmetric convolution block: 3x3, 1x3 and 3x1 (Ding et al., ICCV 2019)."""
REPVGG = (Branch(block_mask(3, 3)), Branch(block_mask(1, 1)))
"""RepVGG: 3x3 and 1x1; its identity has no weights (Ding et al., CVPR 2021)."""


def predicted_scaling(branches: Sequence[Branch]) -> Any:
    """The scaling, before normalisation, with which one kernel follows these branches under SGD.

    Returns:
        `sum_i rate_i scale_i^2 mask_i`, shape (height, width); a NumPy array unless traced.

    Source: the lemma in this folder's README.
    """
    return sum(b.rate * b.scale**2 * b.array for b in branches)


def adam_scaling(branches: Sequence[Branch]) -> Any:
    """The factor on one kernel's Adam update that follows these branches under Adam, epsilon 0.

    Returns:
        `sum_i rate_i |scale_i| mask_i`, shape (height, width); a NumPy array unless traced.
    """
    return sum(b.rate * abs(b.scale) * b.array for b in branches)


def normalised(scaling: np.ndarray) -> np.ndarray:
    """The scaling over its mean; its trajectory needs a learning rate times that mean."""
    return scaling / scaling.mean()


def merge(
    branches: Sequence[Branch], weights: Sequence[Float[Array, "h w i o"]]
) -> Float[Array, "h w i o"]:
    """The one kernel that computes what the branches compute together."""
    masks = [jnp.asarray(b.scale * b.array)[:, :, None, None] for b in branches]
    return sum(m.astype(u.dtype) * u for m, u in zip(masks, weights, strict=True))  # type: ignore[return-value]


def sgd(
    learning_rate: Any, *, momentum: Any = 0.0, decay: Any = 0.0, nesterov: bool = False
) -> optax.GradientTransformation:
    """SGD with coupled decay: the decay joins the gradient before the momentum, as in PyTorch."""
    return optax.chain(
        optax.add_decayed_weights(decay),
        optax.trace(momentum, nesterov),
        optax.scale(-learning_rate),
    )


def branch_optimiser(
    branches: Sequence[Branch], make: Any, learning_rate: float
) -> optax.GradientTransformation:
    """An optimiser over a list of the branches' weights, each with its own learning rate.

    Args:
        branches: for their rates.
        make: from a learning rate to an Optax optimiser.
        learning_rate: of the whole.
    """
    labels = [str(i) for i in range(len(branches))]
    each = {label: make(b.rate * learning_rate) for label, b in zip(labels, branches, strict=True)}
    return optax.multi_transform(each, labels)


def convolve(
    images: Float[Array, "n h w i"], kernel: Float[Array, "kh kw i o"]
) -> Float[Array, "n h w o"]:
    """The images convolved with zero padding that keeps their size."""
    return jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
