"""A small detector with masks, for pictures of some 64 pixels: every module of the paper is a switch."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN
from experiments.kits.detection.head import DecoupledHead, Predictions
from experiments.kits.initialisation import FLAX, Rule, ones, zeros
from experiments.vision.catnet.context import SpatialContextPyramid
from experiments.vision.catnet.pyramids import FPN, PAFPN, DenseFPN, Level
from experiments.vision.catnet.regions import DIRECTIONS, HierarchicalRoI, SingleLevelRoI
from ntkexec.errors import ExperimentError

NECKS = ("fpn", "pafpn", "dense")
REGIONS = ("single", *DIRECTIONS)
RULES: dict[str, Rule] = {**FLAX, "logits": ones, "modulation/kernel": zeros}
"""By which `initial_by_numpy` draws the variables of this port's modules."""


class CatDetector(nn.Module):
    """Predictions at some strides, and a mask of each region, by a neck, a context and regions to choose.

    Args:
        classes: number of them.
        width: channels of the neck and of what finds masks.
        neck: `fpn`, `pafpn` or `dense`; all are normalised, so that they differ in the fusion alone.
        context: whether a `SpatialContextPyramid` follows.
        regions: `single`, or the direction of a `HierarchicalRoI`.
        stages: of a dense neck.
        widths: channels of the backbone at strides 4, 8 and 16.
        bins: of a distance, see `DecoupledHead`.
        cells: rows and columns of a region; its mask has twice as many.
        finest: see `SingleLevelRoI`.
        strides: of the levels, twofold from 4 on; coarser ones than the backbone's are made by halving.
    """

    classes: int = 3
    width: int = 16
    neck: str = "fpn"
    context: bool = False
    regions: str = "single"
    stages: int = 2
    widths: tuple[int, ...] = (12, 24, 32)
    bins: int = 8
    cells: int = 8
    finest: float = 8.0
    strides: tuple[int, ...] = (4, 8, 16)

    def setup(self) -> None:
        if self.neck not in NECKS or self.regions not in REGIONS:
            raise ExperimentError(
                f"necks are {', '.join(NECKS)} and regions {', '.join(REGIONS)}; got {self.neck!r} and "
                f"{self.regions!r}"
            )
        number = len(self.strides)
        self.trunk = Trunk(self.widths)
        necks: dict[str, Any] = {
            "fpn": FPN(self.width, number, normalised=True, parent=None),
            "pafpn": PAFPN(self.width, number, normalised=True, parent=None),
            "dense": DenseFPN(self.width, number, self.stages, parent=None),
        }
        self.fusion = necks[self.neck]
        self.around = SpatialContextPyramid() if self.context else None
        # Without convolutions of its own, so that the neck makes the difference.
        self.head = DecoupledHead(self.classes, self.bins, depth=0)
        if self.regions == "single":
            self.extractor: Any = SingleLevelRoI(self.strides, self.cells, self.finest)
        else:
            self.extractor = HierarchicalRoI(self.strides, self.cells, self.regions)
        self.masking = MaskHead(self.width)

    def __call__(
        self,
        images: Float[Array, "b h w 3"],
        boxes: Float[Array, "b n 4"] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Predictions, Float[Array, "b n a a"]]:
        """What is predicted, and logits of the masks in given boxes.

        Args:
            images: from 0 to 1; sides are multiples of the last stride.
            boxes: to look for masks in, corners in pixels; by default the whole picture.
            train: whether batches are normalised by their own moments.
        """
        if boxes is None:
            whole = jnp.array([0, 0, images.shape[2], images.shape[1]], jnp.float32)
            boxes = jnp.broadcast_to(whole[None, None], (len(images), 1, 4))
        levels = self.levels(images, train=train)
        return self.predictions(levels), self.masks(levels, boxes)

    def levels(self, images: Float[Array, "b h w 3"], *, train: bool = False) -> list[Level]:
        """The maps that heads and regions read, at the `strides`."""
        if images.shape[1] % self.strides[-1] or images.shape[2] % self.strides[-1]:
            raise ExperimentError(
                f"pictures of {images.shape[1]} x {images.shape[2]}: sides are multiples of "
                f"{self.strides[-1]}"
            )
        found: list[Level] = self.fusion(self.trunk(images, train=train), train=train)
        return found if self.around is None else self.around(found)

    def predictions(self, levels: Sequence[Level]) -> Predictions:
        """What is predicted at all points."""
        found: Predictions = self.head([nn.silu(level) for level in levels])
        return found

    def masks(
        self, levels: Sequence[Level], boxes: Float[Array, "b n 4"]
    ) -> Float[Array, "b n a a"]:
        """Logits of what of each box belongs to the object in it, on a grid over the box."""
        found: Float[Array, "b n a a"] = self.masking(self.extractor(levels, boxes))
        return found


class Trunk(nn.Module):
    """A plain backbone: stages that join four pixels into one, each with a residual convolution behind it.

    Args:
        widths: channels at strides 4, 8, 16 and so on.
    """

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"], *, train: bool = False) -> list[Level]:
        found, x = [], halved(2 * images - 1)
        for place, features in enumerate(self.widths):
            x = ConvBN(features, 1, activation=nn.silu, name=f"halved_{place}")(
                halved(x), train=train
            )
            x = x + ConvBN(features, activation=nn.silu, name=f"inner_{place}")(x, train=train)
            found.append(x)
        return found


def halved(images: Level) -> Level:
    """Four neighbours' channels side by side, in a picture of half the height and width."""
    number, height, width, channels = images.shape
    x = images.reshape(number, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(number, height // 2, width // 2, 4 * channels)


class MaskHead(nn.Module):
    """A convolution with biases, and four cells of the mask for each of a region's.

    Args:
        width: channels between.
    """

    width: int

    @nn.compact
    def __call__(self, regions: Float[Array, "b n r r c"]) -> Float[Array, "b n a a"]:
        number, each, cells = regions.shape[:3]
        x = regions.reshape(number * each, *regions.shape[2:])
        x = nn.relu(nn.Conv(self.width, (3, 3), padding=1, name="window")(x))
        x = nn.Dense(4, name="last")(x).reshape(number, each, cells, cells, 2, 2)
        return x.transpose(0, 1, 2, 4, 3, 5).reshape(number, each, 2 * cells, 2 * cells)
