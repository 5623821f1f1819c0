"""MobileNet-V1 and ResNeXt-50 with groups by a policy, and a small network in which groups are data."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from experiments.kits.convnets.layers import ConvBN, max_pool, mean_pool
from experiments.vision.e2gc.grouping import DEPTHWISE, BlockConv, Grouping

MOBILE = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Of each block of MobileNet-V1 the output channels, and the strides of its grouped convolution."""
STAGES = ((3, 128), (4, 256), (6, 512), (3, 1024))
"""Of each stage of ResNeXt-50 the blocks, and the width of their grouped convolutions."""


class MobileNetV1(nn.Module):
    """MobileNet-V1, whose 3 x 3 convolutions may be in other groups than one for each channel.

    Args:
        grouping: of all of them but the first; the paper's own networks have `DEPTHWISE`.
        width: factor of all channels.
        num_classes: of the read-out.

    Source: Howard et al., MobileNets, 2017, arXiv:1704.04861.
    """

    grouping: Grouping = DEPTHWISE
    width: float = 1.0
    num_classes: int = 1000

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        x = ConvBN(int(32 * self.width), 3, 2, name="stem")(images, train=train)
        for place, (features, strides) in enumerate(MOBILE):
            channels = x.shape[-1]
            groups = self.grouping.groups(channels, channels)
            x = ConvBN(channels, 3, strides, groups=groups, name=f"grouped{place}")(x, train=train)
            x = ConvBN(int(features * self.width), 1, name=f"pointwise{place}")(x, train=train)
        return nn.Dense(self.num_classes, name="classifier")(x.mean((1, 2)))


class ResNeXtBlock(nn.Module):
    """Narrow, convolve in groups, widen; added to the input, which is projected where shapes differ.

    Args:
        width: channels of the grouped convolution; twice as many come out.
        strides: of it.
        grouping: of it.
    """

    width: int
    strides: int
    grouping: Grouping

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 o"]:
        groups = self.grouping.groups(self.width, self.width)
        x = ConvBN(self.width, 1, name="narrow")(images, train=train)
        x = ConvBN(self.width, 3, self.strides, groups=groups, name="grouped")(x, train=train)
        x = ConvBN(2 * self.width, 1, activation=None, name="widen")(x, train=train)
        if images.shape != x.shape:
            project = ConvBN(2 * self.width, 1, self.strides, activation=None, name="project")
            images = project(images, train=train)
        return nn.relu(images + x)


class ResNeXt50(nn.Module):
    """ResNeXt-50; of 32 groups as published (32x4d), or by another policy.

    Args:
        grouping: of the 3 x 3 convolutions of all blocks.
        num_classes: of the read-out.

    Source: Xie et al., Aggregated residual transformations, CVPR 2017, arXiv:1611.05431.
    """

    grouping: Grouping = Grouping("fixed", 32)
    num_classes: int = 1000

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        x = ConvBN(64, 7, 2, name="stem")(images, train=train)
        x = max_pool(x, 3, 2, 1)
        for stage, (blocks, width) in enumerate(STAGES):
            for place in range(blocks):
                strides = 2 if stage > 0 and place == 0 else 1
                block = ResNeXtBlock(width, strides, self.grouping, name=f"stage{stage}_{place}")
                x = block(x, train=train)
        return nn.Dense(self.num_classes, name="classifier")(x.mean((1, 2)))


class SwitchedNet(nn.Module):
    """A small network in MobileNet's manner, whose numbers of groups are data of one program.

    Four grouped 3 x 3 convolutions of the widths w, 2 w, 4 w and 4 w, each with a pointwise one after it;
    pictures are halved thrice. Whatever the pictures' side, g groups in every grouped layer multiply exactly
    as often as groups of the size 2 w / g in every one do.

    Args:
        width: w.
        num_classes: of the read-out.
    """

    width: int
    num_classes: int

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, groups: Int[Array, "4"], train: bool = False
    ) -> Float[Array, "n k"]:
        def normalised(x: Array) -> Array:
            return nn.relu(nn.BatchNorm(not train, momentum=0.9)(x))

        x = mean_pool(normalised(BlockConv(self.width, name="stem")(images)), 2, 2)
        for place, factor in enumerate(FACTORS):
            x = normalised(BlockConv(x.shape[-1], name=f"grouped{place}")(x, groups[place]))
            features = self.width * FACTORS[min(place + 1, 3)]
            if features > self.width * factor:
                x = mean_pool(x, 2, 2)
            x = normalised(nn.Dense(features, use_bias=False, name=f"pointwise{place}")(x))
        return jnp.asarray(nn.Dense(self.num_classes, name="classifier")(x.mean((1, 2))))


FACTORS = (1, 2, 4, 4)
"""Widths of its grouped convolutions, over the first's."""
