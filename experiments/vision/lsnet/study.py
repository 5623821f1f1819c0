"""What is measured: counts of the networks, cost and reach of the layer, and accuracy where context decides."""

import dataclasses
import functools
from typing import Any, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.fitting import fit
from experiments.kits.convnets.layers import ConvBN
from experiments.kits.convnets.pictures import mnist
from experiments.kits.convnets.scenes import context_glyphs
from experiments.kits.convnets.walker import walk, walk_function
from experiments.kits.convnets.xla import multiplications_by_xla
from experiments.kits.costs import num_parameters
from experiments.kits.images import Images
from experiments.kits.initialisation import initial_by_numpy, zeros
from experiments.vision.lsnet.aggregation import far_field_share
from experiments.vision.lsnet.layers import LargeSmallStatic, LSConv, lsconv_multiplications
from experiments.vision.lsnet.network import VARIANTS, fused, lsnet_variant

CLASSES = 10


@dataclasses.dataclass(frozen=True)
class LsnetConfig:
    """Sizes of all studies.

    Args:
        resolution: of the picture for which the networks are counted, a multiple of 64.
        shapes: random ones, for the cost of the layer.
        reach: height and width of the picture on which derivatives are taken.
        size: of the pictures that networks are trained on.
        width, blocks: of these networks.
        train_images, test_images: of each task.
        steps, batch: of each training.
        shares: numbers of channels that share weights, each dividing the width.
    """

    resolution: int = 224
    shapes: int = 50
    reach: int = 15
    size: int = 16
    width: int = 16
    blocks: int = 1
    train_images: int = 3000
    test_images: int = 1000
    steps: int = 400
    batch: int = 64
    shares: tuple[int, ...] = (1, 8, 16)

    def __post_init__(self) -> None:
        check_types(self)
        require(self, resolution=self.resolution % 32 == 0 < self.resolution, shapes=self.shapes > 0)
        require(self, reach=self.reach >= 9, size=self.size in (16, 32), blocks=self.blocks > 0)
        require(self, width=self.width % 8 == 0 < self.width, batch=self.batch > 0)
        require(self, train_images=self.batch <= self.train_images, steps=self.steps > 0)
        require(self, test_images=0 < self.test_images <= 5000 - self.train_images)
        require(self, shares=all(s > 0 == self.width % s for s in self.shares))


class Small(nn.Module):
    """One wide convolution, mixers with channel mixers after them, and the largest value of each channel.

    Args:
        width: channels.
        blocks: of a mixer and a channel mixer.
        mixer: "ls" or "static".
        normalisation: of the weights of LS convolutions.
    """

    width: int
    blocks: int
    mixer: str
    normalisation: str = "picture"

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False, **fields: Any
    ) -> Float[Array, "n k"]:
        x: Any = ConvBN(self.width, name="stem")(images, train=train)
        for place in range(self.blocks):
            # One set of weights a channel, of which `grouping` picks: sharing is data, not a program.
            mixer: Any = (
                LSConv(share=1, normalisation=self.normalisation, name=f"mixer_{place}")
                if self.mixer == "ls"
                else LargeSmallStatic(name=f"mixer_{place}")
            )
            x = mixer(x, train=train, **fields)
            inner = ConvBN(2 * self.width, 1, name=f"expand_{place}")(x, train=train)
            reduce = ConvBN(self.width, 1, activation=None, name=f"reduce_{place}")
            x = x + reduce(inner, train=train)
        return jnp.asarray(nn.Dense(CLASSES)(x.max((1, 2))))
