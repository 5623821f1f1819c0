"""Flax convolutions: one whose gradient is scaled inside, and branched ones for comparison."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.vision.sgs.branches import convolve
from experiments.vision.sgs.estimation import SHARPNESS, measured_scaling
from experiments.vision.sgs.scaling import scale_gradient
from ntkexec.errors import ExperimentError

BLOCKS: Mapping[str, tuple[str, ...]] = {
    "plain": ("3x3",),
    "acb": ("3x3", "1x3", "3x1"),
    "repvgg": ("3x3", "1x1", "identity"),
    "dbb": ("3x3", "1x1", "1x1-3x3", "1x1-mean"),
}
"""Branches of the published blocks; RepVGG's identity only where it fits."""


class ScaledConv(nn.Module):
    """A convolution with zero padding whose kernel's gradient is scaled, for any training loop.

    Its scaling is the variable `kernel` of the collection `scalings`, all ones at first. Calling the
    model with `mutable=["scalings"]` and `refresh=True` measures it anew from the inputs.

    Args:
        features: output channels.
        kernel_size: both odd.
        use_bias: whether to add one.
        sharpness: k of f_k, for measuring.
    """

    features: int
    kernel_size: tuple[int, int] = (3, 3)
    use_bias: bool = True
    sharpness: float = SHARPNESS

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, refresh: bool = False
    ) -> Float[Array, "n h w o"]:
        shape = (*self.kernel_size, images.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        scaling = self.variable("scalings", "kernel", jnp.ones, self.kernel_size)
        if refresh:
            above, left = (size // 2 for size in self.kernel_size)
            scaling.value = measured_scaling(
                jax.lax.stop_gradient(images),
                self.kernel_size,
                padding=((above, above), (left, left)),
                sharpness=self.sharpness,
            )
        out = convolve(images, scale_gradient(kernel, scaling.value))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            out = out + bias[None, None, None]
        return out


class BranchedConv(nn.Module):
    """A 3x3 convolution as a sum of branches, as published blocks are trained.

    Args:
        features: output channels.
        block: which branches it has, see `BLOCKS`.
        normalised: whether every branch ends in a batch normalisation of its own, as they do; the
            scaling lemma covers blocks of parallel convolutions without.
    """

    features: int
    block: str = "plain"
    normalised: bool = True

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = True
    ) -> Float[Array, "n h w o"]:
        if self.block not in BLOCKS:
            raise ExperimentError(f"there is no block {self.block!r}; there are {tuple(BLOCKS)}")

        def norm(x: Any) -> Any:
            made = nn.BatchNorm(use_running_average=not train, momentum=0.9)
            return made(x) if self.normalised else x

        def conv(x: Any, *size: int) -> Any:
            return nn.Conv(self.features, size, use_bias=False)(x)

        total: Any = 0
        for branch in BLOCKS[self.block]:
            if branch == "1x1-3x3":
                total += norm(conv(norm(conv(images, 1, 1)), 3, 3))
            elif branch == "1x1-mean":
                total += norm(nn.avg_pool(norm(conv(images, 1, 1)), (3, 3), padding="SAME"))
            elif branch != "identity":
                total += norm(conv(images, *map(int, branch.split("x"))))
            elif images.shape[-1] == self.features:
                total += norm(images)
        return jnp.asarray(total)


def merged(
    block: nn.Module, variables: Any, *, channels: int, kernel_size: tuple[int, int] = (3, 3)
) -> tuple[Float[Array, "h w i o"], Float[Array, "o"]]:
    """The one kernel and bias that a trained block is, once its statistics are fixed.

    Convolved with zero padding they give the block's output, at the border too but for the branches
    of two layers (`1x1-3x3`, `1x1-mean`), which pad what lies between with zeros.

    Args:
        block: called with `train=False`.
        variables: of the block.
        channels: of its input.
        kernel_size: of the block; both odd.
    """
    (height, width), middle = kernel_size, (kernel_size[0] // 2, kernel_size[1] // 2)
    # Far from the border, the response to a point is the kernel turned by 180 degrees.
    points = jnp.zeros((channels + 1, 4 * height + 1, 4 * width + 1, channels))
    points = points.at[jnp.arange(channels), 2 * height, 2 * width, jnp.arange(channels)].set(1)
    found = jnp.asarray(block.apply(variables, points, train=False))
    rows = slice(2 * height - middle[0], 2 * height + middle[0] + 1)
    columns = slice(2 * width - middle[1], 2 * width + middle[1] + 1)
    bias = found[-1, 2 * height, 2 * width]
    responses = found[:-1, rows, columns] - bias[None, None, None]
    return jnp.moveaxis(responses[:, ::-1, ::-1], 0, 2), bias


class Network(nn.Module):
    """Blocks with ReLU, pooled over the image, and a linear read-out.

    Args:
        widths: output channels of the blocks; a 2x2 mean follows each but the last.
        num_classes: outputs.
        block: what the blocks are, see `BLOCKS`.
    """

    widths: tuple[int, ...]
    num_classes: int
    block: str = "plain"

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool) -> Float[Array, "n k"]:
        x: Any = images
        for place, width in enumerate(self.widths):
            x = nn.relu(BranchedConv(width, self.block)(x, train=train))
            if place < len(self.widths) - 1:
                x = nn.avg_pool(x, (2, 2), (2, 2))
        return nn.Dense(self.num_classes)(x.mean((1, 2)))
