"""GELAN: a detector of stages, a path down and up again between them, and a head for each level."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.detection.head import Predictions
from experiments.kits.initialisation import FLAX, Rule
from experiments.vision.yolov9.layers import SPPELAN, ADown, RepNCSPELAN, check_even, convolution
from ntkexec.errors import ExperimentError

BINS = 16
"""Of the distance to a box's side, in strides, as published."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Channels of a `RepNCSPELAN`.

    Args:
        features: that come out.
        split: halved at the block's start.
        inner: of its two stages.
    """

    features: int
    split: int
    inner: int

    def __post_init__(self) -> None:
        check_even(features=self.features, split=self.split, inner=self.inner)

    def block(self, name: str) -> RepNCSPELAN:
        """The block of a network, so named."""
        return RepNCSPELAN(self.features, self.split, self.inner, name=name)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Sizes of a GELAN network.

    Args:
        num_classes: to tell apart.
        stem: channels of the two strided convolutions before the first stage.
        stages: of the backbone: the first at a stride of 4, each next at twice the one before.
        levels: how many of the last stages the neck and the head read.
        pooled: channels within the chained pools.
        bins: of the distance to a box's side, in strides: 0 to `bins - 1`.
        groups: of the convolutions that predict boxes.
    """

    num_classes: int
    stem: tuple[int, int]
    stages: tuple[Stage, ...]
    levels: int
    pooled: int
    bins: int = BINS
    groups: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.levels < len(self.stages):
            raise ExperimentError(
                f"{self.levels} levels of {len(self.stages)} stages: one at least, and fewer than stages"
            )
        if self.num_classes < 1:
            raise ExperimentError(f"a detector tells a class at least, not {self.num_classes}")
        if self.bins < 2:
            raise ExperimentError(f"a distance has two bins at least, not {self.bins}")
        if self.groups not in (1, 4):
            raise ExperimentError(f"four sides in 1 or 4 groups, not {self.groups}")

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels between neighbouring positions of each level."""
        return tuple(4 * 2**place for place in range(len(self.stages)))[-self.levels :]

    @property
    def read(self) -> tuple[Stage, ...]:
        """The stages that are levels."""
        return self.stages[-self.levels :]


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        "C": Plan(
            80,
            (64, 128),
            (Stage(256, 128, 64), Stage(512, 256, 128), Stage(512, 512, 256), Stage(512, 512, 256)),
            levels=3,
            pooled=256,
        )
    }
)
"""The published network by its letter, for COCO's 80 classes."""


def small_plan(width: int = 8, num_classes: int = 10, levels: int = 2) -> Plan:
    """A network of the same wiring for pictures of 64 pixels: levels at strides 8, 16 and so on.

    Channels are in the published proportions, so that a stage hands on four times what it works with inside.
    Eight bins, so that no side is told to be farther than the picture is wide: with sixteen, untrained boxes
    are twice as wide as the picture. No groups, which cost thirty times as much on a CPU.

    Args:
        width: of the first convolution; an even number, 64 in the published network.
        num_classes: to tell apart.
        levels: at which it predicts.
    """
    deeper = (Stage(8 * width, 8 * width, 4 * width),) * (levels - 1)
    stages = (
        Stage(4 * width, 2 * width, width),
        Stage(8 * width, 4 * width, 2 * width),
        *deeper,
    )
    stem = (width, 2 * width)
    return Plan(num_classes, stem, stages, levels, pooled=4 * width, bins=8, groups=1)


class Backbone(nn.Module):
    """Two strided convolutions, and stages with an `ADown` between; the maps of all stages that are levels.

    Called with `sums`, as an auxiliary branch, each level's map has one added before its block.

    Args:
        plan: of the network.
    """

    plan: Plan

    @nn.compact
    def __call__(
        self,
        images: Float[Array, "n h w c"],
        sums: Sequence[Array] | None = None,
        *,
        train: bool = False,
    ) -> list[Array]:
        check_picture(images.shape, self.plan.strides[-1])
        x = images
        for place, channels in enumerate(self.plan.stem):
            x = convolution(channels, strides=2, name=f"stem_{place}")(x, train=train)
        found: list[Array] = []
        first = len(self.plan.stages) - self.plan.levels
        for place, stage in enumerate(self.plan.stages):
            if place:
                x = ADown(x.shape[-1], name=f"down_{place}")(x, train=train)
            if sums is not None and place >= first:
                x = x + sums[place - first]
            x = stage.block(f"stage_{place}")(x, train=train)
            found.append(x)
        return found[first:]


class Neck(nn.Module):
    """Chained pools on the deepest level, a path from deep to shallow, and one back.

    Args:
        plan: of the network.
        back: whether there is the second path; the smallest published networks' auxiliary lacks it.
    """

    plan: Plan
    back: bool = True

    @nn.compact
    def __call__(self, levels: Sequence[Array], *, train: bool = False) -> list[Array]:
        plan = self.plan.read
        x = SPPELAN(plan[-1].features, self.plan.pooled, name="pools")(levels[-1], train=train)
        found = [x]
        for place in reversed(range(len(levels) - 1)):
            joined = jnp.concatenate([enlarged(x, 2), levels[place]], -1)
            # On its way down the shallowest level has half the channels of the one above.
            x = self._stage(place).block(f"down_{place}")(joined, train=train)
            found.insert(0, x)
        if not self.back:
            return found
        for place in range(1, len(levels)):
            smaller = ADown(x.shape[-1], name=f"smaller_{place}")(x, train=train)
            joined = jnp.concatenate([smaller, found[place]], -1)
            x = plan[place].block(f"up_{place}")(joined, train=train)
            found[place] = x
        return found

    def _stage(self, place: int) -> Stage:
        stage = self.plan.read[place]
        if place:
            return stage
        return Stage(stage.features // 2, stage.split, stage.inner)


class Head(nn.Module):
    """For every position of every level: a logit a class, and one a bin for each side of a box.

    Args:
        plan: of the network.
    """

    plan: Plan

    @nn.compact
    def __call__(self, levels: Sequence[Array], *, train: bool = False) -> Predictions:
        number, shallow = len(levels[0]), levels[0].shape[-1]
        bins, groups = self.plan.bins, self.plan.groups
        sides = -(-max(shallow // 4, 4 * bins) // 4) * 4
        classes = max(shallow, min(2 * self.plan.num_classes, 128))
        scores, distances = [], []
        for place, x in enumerate(levels):
            a, b = x, x
            for turn, parts in enumerate((1, groups)):
                a = convolution(sides, groups=parts, name=f"sides_{place}_{turn}")(a, train=train)
                b = convolution(classes, name=f"classes_{place}_{turn}")(b, train=train)
            last = nn.Conv(4 * bins, (1, 1), feature_group_count=groups, name=f"sides_{place}")
            a = last(a)
            b = nn.Conv(self.plan.num_classes, (1, 1), name=f"classes_{place}")(b)
            distances.append(a.reshape(number, -1, 4, bins))
            scores.append(b.reshape(number, -1, self.plan.num_classes))
        return Predictions(jnp.concatenate(scores, 1), jnp.concatenate(distances, 1))


class GELAN(nn.Module):
    """The detector: backbone, neck and head, for pictures of any size that its last stride divides.

    Args:
        plan: of the network, such as `PLANS["C"]`.

    Source: Wang et al., arXiv:2402.13616; widths and wiring from the public code.
    """

    plan: Plan

    def setup(self) -> None:
        self.backbone = Backbone(self.plan)
        self.neck = Neck(self.plan)
        self.head = Head(self.plan)

    @property
    def strides(self) -> tuple[int, ...]:
        """Where the points of its predictions are."""
        return self.plan.strides

    def __call__(self, images: Float[Array, "n h w c"], *, train: bool = False) -> Predictions:
        return self.predicted(self.backbone(images, train=train), train=train)

    def predicted(self, levels: Sequence[Array], *, train: bool = False) -> Predictions:
        """What the neck and the head make of the backbone's levels."""
        found: Predictions = self.head(self.neck(levels, train=train), train=train)
        return found


def initial_rules(plan: Plan, size: int) -> Mapping[str, Rule]:
    """How a network's variables begin, for `initial_by_numpy`: as Flax's, but for the head's biases.

    A class begins with the chance of five objects among a picture's positions, a side's bins with 1.

    Args:
        plan: of the network.
        size: height and width of the pictures.
    """

    def constant(value: float) -> Rule:
        return lambda generator, shape, fan_in: np.full(shape, value)

    rules = dict(FLAX)
    for place, stride in enumerate(plan.strides):
        chance = 5 / plan.num_classes / (size / stride) ** 2
        rules[f"classes_{place}/bias"] = constant(math.log(chance))
        rules[f"sides_{place}/bias"] = constant(1.0)
    return rules


def enlarged(images: Float[Array, "n h w c"], times: int) -> Float[Array, "n h2 w2 c"]:
    """Every pixel repeated downwards and across."""
    return jnp.repeat(jnp.repeat(images, times, 1), times, 2)


def check_picture(shape: tuple[int, ...], stride: int) -> None:
    """Raises unless pictures divide into positions of the largest stride.

    Raises:
        ExperimentError: gives the shape.
    """
    if len(shape) != 4 or any(side < 1 or side % stride for side in shape[1:3]):
        raise ExperimentError(
            f"pictures of shape (number, height, width, channels), sides multiples of {stride}, not {shape}"
        )
