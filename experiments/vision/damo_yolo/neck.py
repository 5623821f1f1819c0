"""RepGFPN: feature maps of three strides, merged up and down by blocks of two branches."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.reparameterised import RepConv
from experiments.vision.damo_yolo.backbone import EPSILON, MOMENTUM, convolution
from ntkexec.errors import ExperimentError

Maps = tuple[Float[Array, "b _ _ _"], ...]


class FusionBlock(nn.Module):
    """Two halves, of which one passes residual pairs of convolutions; all that comes by is joined.

    Args:
        features: output channels, an even number.
        depth: residual pairs.

    Source: the public code's `CSPStage` of `BasicBlock_3x3_Reverse`.
    """

    features: int
    depth: int = 3

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w i"], *, train: bool = False
    ) -> Float[Array, "b h w o"]:
        if self.features % 2:
            raise ExperimentError(f"channels of a fusion are halved: {self.features} is odd")
        half = self.features // 2
        found = [convolution(half, 1, name="passed")(x, train=train)]
        x = convolution(half, 1, name="worked")(x, train=train)
        for place in range(self.depth):
            inner = RepConv(half, momentum=MOMENTUM, epsilon=EPSILON, name=f"rep_{place}")(
                x, train=train
            )
            x = x + convolution(half, name=f"plain_{place}")(inner, train=train)
            found.append(x)
        joined = jnp.concatenate(found, -1)
        return convolution(self.features, 1, name="join")(joined, train=train)


class RepGFPN(nn.Module):
    """Three feature maps of other widths, each of which has seen all three of the backbone.

    Args:
        features: channels that come out, fine to coarse.
        depth: of each fusion.
        queen: whether a coarse map is also merged from finer ones of the same pass, by strided
            convolutions across; the published links. Without, it is a plain path up and down.

    Source: Xu et al., arXiv:2211.15444, on RepGFPN, with the down-sampling links that its table keeps;
    wiring from the public code's `GiraffeNeckV2`.
    """

    features: tuple[int, ...]
    depth: int = 3
    queen: bool = True

    @nn.compact
    def __call__(self, maps: Sequence[Float[Array, "b _ _ _"]], *, train: bool = False) -> Maps:
        if len(maps) != 3 or len(self.features) != 3:
            raise ExperimentError(
                f"three maps become three, not {len(maps)} become {len(self.features)}"
            )
        fine, middle, coarse = maps

        def halved(x: Float[Array, "b h w c"], name: str) -> Float[Array, "b h2 w2 c"]:
            layer = convolution(x.shape[-1], strides=2, name=name)
            return layer(x, train=train)

        def merged(name: str, features: int, *parts: Float[Array, "b h w _"]) -> Array:
            layer = FusionBlock(features, self.depth, name=name)
            return layer(jnp.concatenate(parts, -1), train=train)

        # Up: from coarse to fine, each map in the width in which the backbone gave it.
        across = (halved(middle, "middle_to_coarse"),) if self.queen else ()
        top = merged("top", coarse.shape[-1], coarse, *across)
        across = (halved(fine, "fine_to_middle"),) if self.queen else ()
        inner = merged("inner", middle.shape[-1], middle, *across, doubled(top))
        first = merged("first", self.features[0], fine, doubled(inner))
        # And down again.
        second = merged("second", self.features[1], inner, halved(first, "first_to_second"))
        across = (halved(inner, "inner_to_third"),) if self.queen else ()
        down = halved(second, "second_to_third")
        third = merged("third", self.features[2], top, *across, down)
        return first, second, third


def doubled(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """A map of twice the height and width, each value four times."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
