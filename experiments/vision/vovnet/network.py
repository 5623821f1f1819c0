"""One-shot aggregation, and the networks that are built of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN, max_pool
from ntkexec.errors import ExperimentError


class OneShotAggregation(nn.Module):
    """A chain of 3 x 3 convolutions; the input and all their outputs meet in one 1 x 1 convolution.

    Args:
        width: channels of each convolution of the chain.
        features: channels that come out.
        layers: of the chain.
        identity: whether the input is added to the output; it has as many channels then.

    Source: Lee et al., arXiv:1904.09730, section 3.2; the identity is the public code's, in all blocks of
    a stage but the first.
    """

    width: int
    features: int
    layers: int = 5
    identity: bool = False

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h w features"]:
        check_identity(self.identity, images.shape[-1], self.features)
        if self.layers < 1:
            raise ExperimentError(f"a block has a layer at least, got {self.layers}")
        found = [images]
        for number in range(self.layers):
            found.append(ConvBN(self.width, name=f"layer_{number}")(found[-1], train=train))
        out = ConvBN(self.features, 1, name="aggregate")(jnp.concatenate(found, -1), train=train)
        return out + images if self.identity else out


def check_identity(identity: bool, channels: int, features: int) -> None:
    """Raises unless a block's input can be added to its output.

    Raises:
        ExperimentError: for another number of channels.
    """
    if identity and channels != features:
        raise ExperimentError(
            f"{channels} channels cannot be added to {features}: the identity needs as many"
        )


Block = Callable[..., nn.Module]


class VoVNet(nn.Module):
    """Three convolutions, stages of blocks with pools between them, a mean, a classifier.

    Args:
        widths: of the chains, for each stage.
        features: that come out of each stage.
        depths: blocks of each stage.
        layers: of each chain.
        stem: channels of the convolutions before, and `stem_strides`, by which they divide the picture.
        num_classes: outputs; `None` gives the last feature maps, as a detector's backbone does.
        block: `OneShotAggregation`, or another of its arguments, such as `DenseBlock`.

    Source: Lee et al., arXiv:1904.09730, table 2, and the public code, whose pools count windows that jut
    out.
    """

    widths: tuple[int, ...]
    features: tuple[int, ...]
    depths: tuple[int, ...]
    layers: int = 5
    stem: tuple[int, ...] = (64, 64, 128)
    stem_strides: tuple[int, ...] = (2, 1, 2)
    num_classes: int | None = 1000
    block: Block = OneShotAggregation

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"], *, train: bool = False) -> Array:
        if not len(self.widths) == len(self.features) == len(self.depths):
            raise ExperimentError(
                f"{len(self.widths)} widths, {len(self.features)} features, {len(self.depths)} depths: "
                "one each for a stage"
            )
        if len(self.stem) != len(self.stem_strides):
            raise ExperimentError(
                f"a stem of {len(self.stem)} convolutions needs as many strides, not "
                f"{len(self.stem_strides)}"
            )
        x = images
        stem = zip(self.stem, self.stem_strides, strict=True)
        for number, (channels, strides) in enumerate(stem):
            x = ConvBN(channels, strides=strides, name=f"stem_{number}")(x, train=train)
        stages = zip(self.widths, self.features, self.depths, strict=True)
        for stage, (width, features, depth) in enumerate(stages):
            if stage:
                x = max_pool(x, 3, 2, ceil=True)
            for place in range(depth):
                x = self.block(
                    width, features, self.layers, place > 0, name=f"stage_{stage}_{place}"
                )(x, train=train)
        if self.num_classes is None:
            return x
        return jnp.asarray(nn.Dense(self.num_classes, name="head")(x.mean((1, 2))))


_WIDE = ((128, 160, 192, 224), (256, 512, 768, 1024))
NETWORKS: Mapping[str, VoVNet] = MappingProxyType(
    {
        "27-slim": VoVNet((64, 80, 96, 112), (128, 256, 384, 512), (1, 1, 1, 1)),
        "39": VoVNet(*_WIDE, (1, 1, 2, 2)),
        "57": VoVNet(*_WIDE, (1, 1, 4, 3)),
    }
)
"""The published networks by name; `.clone(num_classes=None)` is the backbone alone."""
