"""Flax convolutions: one whose gradient is scaled inside, and branched ones for comparison."""

from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.vision.sgs.branches import Branch, convolve, merge
from experiments.vision.sgs.dependence import SHARPNESS, measured_scaling
from experiments.vision.sgs.scaling import scale_gradient
from ntkexec.errors import ExperimentError

Block = Literal["plain", "acb", "repvgg", "dbb", "dyrep"]
BLOCKS: Mapping[str, tuple[str, ...]] = {
    "plain": ("3x3",),
    "acb": ("3x3", "1x3", "3x1"),
    "repvgg": ("3x3", "1x1", "identity"),
    "dbb": ("3x3", "1x1", "1x1-3x3", "1x1-mean"),
}
"""Branches of the published blocks; RepVGG's identity only where it fits."""
CANDIDATES = ("1x1", "1x3", "3x1", "1x1-3x3", "1x1-mean")
"""Branches that DyRep may grow beside the 3x3 convolution."""
BRANCHES = ("3x3", "identity", *CANDIDATES)


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


class NormalisedBranch(nn.Module):
    """One branch of a block as it is published and trained: convolutions with batch normalisation.

    Args:
        features: output channels.
        kind: see `BRANCHES`; `identity` needs as many input channels, and stride 1.
        strides: of the branch.
    """

    features: int
    kind: str
    strides: int = 1

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool) -> Float[Array, "n h w o"]:
        def norm(x: jax.Array, name: str) -> jax.Array:
            return nn.BatchNorm(use_running_average=not train, momentum=0.9, name=name)(x)

        def conv(x: jax.Array, height: int, width: int, stride: int) -> jax.Array:
            padding = ((height // 2, height // 2), (width // 2, width // 2))
            return nn.Conv(
                self.features, (height, width), (stride, stride), padding=padding, use_bias=False
            )(x)

        if self.kind not in BRANCHES:
            raise ExperimentError(f"there is no branch {self.kind!r}; there are {BRANCHES}")
        x: Any = images
        if self.kind == "1x1-3x3":
            x = conv(norm(conv(x, 1, 1, 1), "first"), 3, 3, self.strides)
        elif self.kind == "1x1-mean":
            strides = (self.strides, self.strides)
            x = nn.avg_pool(norm(conv(x, 1, 1, 1), "first"), (3, 3), strides, ((1, 1), (1, 1)))
        elif self.kind != "identity":
            height, width = map(int, self.kind.split("x"))
            x = conv(x, height, width, self.strides)
        return norm(x, "last")


class NormalisedBlock(nn.Module):
    """A 3x3 convolution with batch normalisation, branched as it is published and trained.

    Every branch has its own batch normalisation. The scaling lemma does not cover these blocks.

    Args:
        features: output channels.
        block: which branches it has, see `BLOCKS`.
        strides: of the block.
    """

    features: int
    block: Block = "plain"
    strides: int = 1

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool) -> Float[Array, "n h w o"]:
        if self.block not in BLOCKS:
            raise ExperimentError(f"there is no block {self.block!r}; there are {tuple(BLOCKS)}")
        fits = images.shape[-1] == self.features and self.strides == 1
        branches = [
            NormalisedBranch(self.features, kind, self.strides)(images, train=train)
            for kind in BLOCKS[self.block]
            if fits or kind != "identity"
        ]
        return sum(branches[1:], branches[0])


def merged(
    block: nn.Module, variables: Any, *, channels: int, kernel_size: tuple[int, int] = (3, 3)
) -> tuple[Float[Array, "h w i o"], Float[Array, "o"]]:
    """The one kernel and bias that a trained block of stride 1 is, once its statistics are fixed.

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


class DynamicBlock(nn.Module):
    """A 3x3 convolution with batch normalisation and branches that live or not, as a variable says.

    All candidates are computed and the dead ones multiplied by 0, so that growing compiles nothing anew
    (`experiments.vision.sgs.dyrep` grows and drops them). The collection `growth` holds `alive`, a 0 or 1 for
    each of `CANDIDATES`; a dead branch's gradients are 0.

    Args:
        features: output channels.
        strides: of the block.

    Source: Huang et al., DyRep, CVPR 2022; reconstructed.
    """

    features: int
    strides: int = 1

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool) -> Float[Array, "n h w o"]:
        alive = self.variable("growth", "alive", jnp.zeros, (len(CANDIDATES),)).value

        def branch(kind: str) -> jax.Array:
            made = NormalisedBranch(self.features, kind, self.strides, name=kind)
            return made(images, train=train)

        total = branch("3x3")
        for place, kind in enumerate(CANDIDATES):
            total += alive[place] * branch(kind)
        return total


class Network(nn.Module):
    """Convolutions with ReLU, pooled over the image, and a linear read-out.

    Args:
        widths: output channels of the convolutions; a 2x2 mean follows each but the last.
        num_classes: outputs.
        block: what the convolutions are, see `BLOCKS`; or `dyrep`, see `DynamicBlock`.
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
            if self.normalised and self.block == "dyrep":
                x = DynamicBlock(width)(x, train=train)
            elif self.normalised:
                x = NormalisedBlock(width, self.block)(x, train=train)
            else:
                x = nn.Conv(width, (3, 3))(x)
            x = nn.relu(x)
            if place < len(self.widths) - 1:
                x = nn.avg_pool(x, (2, 2), (2, 2))
        return nn.Dense(self.num_classes)(x.mean((1, 2)))
