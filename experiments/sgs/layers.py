"""Flax convolutions: one whose gradient is scaled inside, and branched ones for comparison."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.sgs.branches import Branch, convolve, merge
from experiments.sgs.dependence import SHARPNESS, measured_scaling
from experiments.sgs.scaling import scale_gradient
from ntkexec.errors import ExperimentError

Block = Literal["plain", "acb", "repvgg", "dbb"]


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
    """A convolution of linear 3x3 branches, without anything between a branch and the sum.

    Args:
        features: output channels.
        branches: their masks and factors.
        learnable: whether the factors are trained as well; then no scaling follows it exactly.
    """

    features: int
    branches: tuple[Branch, ...]
    learnable: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"]) -> Float[Array, "n h w o"]:
        shape = (*self.branches[0].array.shape, images.shape[-1], self.features)
        weights = [
            self.param(f"branch_{i}", nn.initializers.lecun_normal(), shape)
            for i in range(len(self.branches))
        ]
        if self.learnable:
            ones = nn.initializers.ones_init()
            factors = [self.param(f"factor_{i}", ones, (1,) * 4) for i in range(len(weights))]
            weights = [f * w for f, w in zip(factors, weights, strict=True)]
        return convolve(images, merge(self.branches, weights))


class NormalisedBlock(nn.Module):
    """A 3x3 convolution with batch normalisation, branched as it is published and trained.

    Every branch has its own batch normalisation. The scaling lemma does not cover these blocks.

    Args:
        features: output channels.
        block: `plain` (one branch), `acb` (3x3, 1x3, 3x1), `repvgg` (3x3, 1x1, identity) or `dbb`
            (3x3, 1x1, 1x1 - 3x3, 1x1 - mean over 3x3).
        strides: of the block.
    """

    features: int
    block: Block = "plain"
    strides: int = 1

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool) -> Float[Array, "n h w o"]:
        def norm(x: jax.Array) -> jax.Array:
            return nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)

        def conv(x: jax.Array, *size: int, stride: int = self.strides) -> jax.Array:
            padding = [(s // 2, s // 2) for s in size]
            return nn.Conv(self.features, size, (stride, stride), padding=padding, use_bias=False)(
                x
            )

        total = norm(conv(images, 3, 3))
        if self.block == "acb":
            total += norm(conv(images, 1, 3)) + norm(conv(images, 3, 1))
        elif self.block == "repvgg":
            total += norm(conv(images, 1, 1))
            if images.shape[-1] == self.features and self.strides == 1:
                total += norm(images)
        elif self.block == "dbb":
            total += norm(conv(images, 1, 1))
            total += norm(conv(norm(conv(images, 1, 1, stride=1)), 3, 3))
            mean = nn.avg_pool(
                norm(conv(images, 1, 1, stride=1)),
                (3, 3),
                (self.strides, self.strides),
                ((1, 1), (1, 1)),
            )
            total += norm(mean)
        elif self.block != "plain":
            raise ExperimentError(f"there is no block {self.block!r}")
        return total


class Network(nn.Module):
    """Convolutions with ReLU, pooled over the image, and a linear read-out.

    Args:
        widths: output channels of the convolutions; a 2x2 mean follows each but the last.
        num_classes: outputs.
        block: what the convolutions are, see `NormalisedBlock`.
        normalised: with batch normalisation; without, only `plain`.
    """

    widths: tuple[int, ...]
    num_classes: int
    block: Block = "plain"
    normalised: bool = True

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool) -> Float[Array, "n k"]:
        x: Any = images
        for place, width in enumerate(self.widths):
            if self.normalised:
                x = NormalisedBlock(width, self.block)(x, train=train)
            else:
                x = nn.Conv(width, (3, 3))(x)
            x = nn.relu(x)
            if place < len(self.widths) - 1:
                x = nn.avg_pool(x, (2, 2), (2, 2))
        return nn.Dense(self.num_classes)(x.mean((1, 2)))
