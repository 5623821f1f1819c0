"""Residual networks whose spatial operations are chosen, block by block."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN, max_pool
from experiments.vision.pflayer.spatial import Spatial
from ntkexec.errors import ExperimentError


class Bottleneck(nn.Module):
    """Fewer channels by a 1 x 1 convolution, a spatial operation, more channels, and the input added.

    Args:
        features: channels in the middle; `expansion` times as many come out.
        operation: in the middle, see `Spatial`.
        strides: of the operation, by which height and width are divided.
        size: of its window.
        expansion: channels that come out over those in the middle.
        normalised: see `Spatial`.

    Source: He et al., CVPR 2016, arXiv:1512.03385, the stride at the 3 x 3 convolution as in
    torchvision; Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777.
    """

    features: int
    operation: str = "conv"
    strides: int = 1
    size: int = 3
    expansion: int = 4
    normalised: bool | None = None

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 o"]:
        wide = self.features * self.expansion
        x = ConvBN(self.features, 1, name="reduce")(images, train=train)
        x = Spatial(self.operation, self.size, self.strides, self.normalised, name="spatial")(
            x, train=train
        )
        x = ConvBN(wide, 1, activation=None, name="expand")(x, train=train)
        skip = images
        if self.strides > 1 or images.shape[-1] != wide:
            skip = ConvBN(wide, 1, self.strides, activation=None, name="skip")(images, train=train)
        return nn.relu(x + skip)


class MaxBottleneck(Bottleneck):
    """`Bottleneck` with a maximum over 3 x 3 pixels in the middle: the published block of R50-max."""

    operation: str = "max"


class EffBottleneck(Bottleneck):
    """`Bottleneck` of R50-hybrid: a maximum, but where it strides, a mean and then a convolution."""

    operation: str = "hybrid"


class PfResNet(nn.Module):
    """A residual network of bottlenecks, each with a spatial operation of its own.

    Args:
        operations: of all blocks, or one for each of them; see `Spatial`.
        depths: blocks of each stage; the first of each stage but the first halves the picture.
        widths: channels in the middle of a stage's blocks.
        num_classes: outputs.
        stem: channels of the first convolution.
        stem_size: its window; odd.
        stem_strides: its stride.
        stem_pool: whether a maximum over 3 x 3 pixels, stride 2, follows it.
        expansion: channels that come out of a block over those in its middle.
        size: window of the operations.
        normalised: see `Spatial`.

    Source: Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777.
    """

    operations: str | tuple[str, ...] = "conv"
    depths: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    num_classes: int = 1000
    stem: int = 64
    stem_size: int = 7
    stem_strides: int = 2
    stem_pool: bool = True
    expansion: int = 4
    size: int = 3
    normalised: bool | None = None

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        operations = self._by_block()
        x = ConvBN(self.stem, self.stem_size, self.stem_strides, name="stem")(images, train=train)
        if self.stem_pool:
            x = max_pool(x, 3, 2, 1)
        block = 0
        for stage, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True)):
            for place in range(depth):
                # Names sort as blocks run, which `with_operations` relies on.
                x = Bottleneck(
                    width,
                    operations[block],
                    2 if stage and not place else 1,
                    self.size,
                    self.expansion,
                    self.normalised,
                    name=f"block_{block:03d}",
                )(x, train=train)
                block += 1
        return jnp.asarray(nn.Dense(self.num_classes, name="head")(x.mean((1, 2))))

    def _by_block(self) -> Sequence[str]:
        number = sum(self.depths)
        if len(self.depths) != len(self.widths):
            raise ExperimentError(
                f"{len(self.depths)} depths and {len(self.widths)} widths: one each for a stage"
            )
        if isinstance(self.operations, str):
            return [self.operations] * number
        if len(self.operations) != number:
            raise ExperimentError(
                f"{len(self.operations)} operations for {number} blocks: one for each, or one for all"
            )
        return self.operations


R50 = PfResNet()
R50_MAX = PfResNet("max")
R50_HYBRID = PfResNet("hybrid")
