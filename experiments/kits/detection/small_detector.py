"""A plain small detector for pictures of 64 x 64 pixels, with which methods are compared."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN
from experiments.kits.detection.head import DecoupledHead, Predictions
from ntkexec.errors import ExperimentError


class SmallDetector(nn.Module):
    """Five stages of convolutions, a passage from coarse to fine features, and a head on strides 8 and 16.

    Its strides are few and its pictures small: assigners whose defaults are for COCO may give its objects
    no prior. Of those in `assigners`, `atss` does so at its default and takes `side=2` here;
    `answering.owned_share` says how many objects are given one, and `fit_detector` refuses none at all.

    Args:
        classes: number of them.
        width: channels at stride 4; twice as many beyond.
        bins: of a distance, see `DecoupledHead`.
    """

    classes: int
    width: int = 24
    bins: int = 8

    strides = (8, 16)

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"], *, train: bool = False) -> Predictions:
        number, height, width, channels = images.shape
        if height % 16 or width % 16:
            raise ExperimentError(f"pictures of {height} x {width}: sides are multiples of 16")
        # Blocks of four pixels as one: the finest maps would cost the most.
        x = images.reshape(number, height // 2, 2, width // 2, 2, channels)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(number, height // 2, width // 2, 4 * channels)
        x = ConvBN(self.width, strides=2, activation=nn.silu, name="stem")(2 * x - 1, train=train)
        x = _Block(self.width, name="quarter")(x, train=train)
        x = ConvBN(2 * self.width, strides=2, activation=nn.silu, name="to_8")(x, train=train)
        fine = _Block(2 * self.width, name="eighth")(x, train=train)
        x = ConvBN(2 * self.width, strides=2, activation=nn.silu, name="to_16")(fine, train=train)
        coarse = _Block(2 * self.width, name="sixteenth")(x, train=train)
        above = jnp.repeat(jnp.repeat(coarse, 2, 1), 2, 2)
        fine = jnp.concatenate([fine, above], -1)
        fine = ConvBN(2 * self.width, 1, activation=nn.silu, name="passage")(fine, train=train)
        return DecoupledHead(self.classes, self.bins, 2 * self.width, name="head")(
            [fine, coarse], train=train
        )


class _Block(nn.Module):
    """A convolution with a residual."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool = False) -> Float[Array, "..."]:
        return x + ConvBN(self.features, activation=nn.silu, name="inner")(x, train=train)
