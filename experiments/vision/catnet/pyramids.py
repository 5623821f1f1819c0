"""Necks of detectors: the dense feature pyramid, and those that it is compared with.

All take maps from fine to coarse, and give as many levels as they are asked for with equal channels.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN
from experiments.vision.catnet.resampling import adaptive_max_pool, resized
from ntkexec.errors import ExperimentError

Level = Float[Array, "n h w c"]
Weights = Sequence[Float[Array, "others"]]
"""For each level, of the other levels that are added to it, in their order from fine to coarse."""


def top_down_sums(levels: Sequence[Level], weights: Weights) -> list[Level]:
    """Each level with the weighted sum of all coarser ones, as they came in: not of what was already fused.

    Args:
        levels: from fine to coarse.
        weights: of the coarser ones of each level; none for the last.
    """
    found = []
    for place, level in enumerate(levels):
        for share, other in zip(weights[place], levels[place + 1 :], strict=True):
            level = level + share * resized(other, (level.shape[1], level.shape[2]))
        found.append(level)
    return found


def bottom_up_sums(
    levels: Sequence[Level], downs: Sequence[Level], weights: Weights
) -> list[Level]:
    """Each level with what the way down made of it, and the weighted sum of what it made of all finer ones.

    Args:
        levels: from fine to coarse.
        downs: likewise.
        weights: of the finer ones of each level; none for the first.
    """
    found = []
    for place, (level, down) in enumerate(zip(levels, downs, strict=True)):
        total = level + down
        for share, other in zip(weights[place], downs[:place], strict=True):
            total = total + share * adaptive_max_pool(other, (level.shape[1], level.shape[2]))
        found.append(total)
    return found


class FusionWeights(nn.Module):
    """Shares of some levels: a softmax of logits that begin equal; for one level, 1 without a parameter.

    Args:
        number: of levels.
        sets: of them that are learned apart; none for a single one.
    """

    number: int
    sets: int | None = None

    @nn.compact
    def __call__(self) -> Float[Array, "... number"]:
        shape = (self.number,) if self.sets is None else (self.sets, self.number)
        if self.number < 2:
            return jnp.ones(shape)
        return jax.nn.softmax(self.param("logits", nn.initializers.ones_init(), shape))


class Narrowed(nn.Module):
    """Three convolutions, 1 x 1, 3 x 3 and 1 x 1, the middle one narrower; no nonlinearity between.

    Args:
        features: channels that come out.
        reduction: by which the middle is narrower.
    """

    features: int
    reduction: int = 2

    @nn.compact
    def __call__(self, x: Level, *, train: bool = False) -> Level:
        middle = max(1, self.features // self.reduction)
        for name, features, kernel in (
            ("narrow", middle, 1),
            ("window", middle, 3),
            ("wide", self.features, 1),
        ):
            x = ConvBN(features, kernel, activation=None, name=name)(x, train=train)
        return x


class Laterals(nn.Module):
    """Maps of a backbone brought to equal channels, and coarser levels made of the last by halving.

    Args:
        features: channels of each level.
        levels: in all.
        normalised: whether convolutions are followed by a batch normalisation, or have biases.
    """

    features: int
    levels: int
    normalised: bool = True

    @nn.compact
    def __call__(self, inputs: Sequence[Level], *, train: bool = False) -> list[Level]:
        if not 1 <= len(inputs) <= self.levels:
            raise ExperimentError(
                f"{self.levels} levels are made of 1 to {self.levels} maps, got {len(inputs)}"
            )
        found = [
            _layer(self.features, 1, 1, self.normalised, f"lateral_{place}", x, train)
            for place, x in enumerate(inputs)
        ]
        for place in range(len(inputs), self.levels):
            x = found[-1]
            found.append(_layer(self.features, 3, 2, self.normalised, f"extra_{place}", x, train))
        return found


class DenseFPN(nn.Module):
    """Stages in which every level hears all coarser ones, and then all finer ones, each by a share.

    `D_i = B(relu(L_i + sum_(j > i) a_ij up(L_j)))`, then
    `U_i = B'(relu(L_i + D_i + sum_(j < i) b_ij pool(D_j)))`, and U are the
    next stage's L. The shares a and b are one set for all stages, B and B' are not.

    Args:
        features: channels of each level.
        levels: that come out; those that the backbone does not give are made by halving the last.
        stages: one after the other.
        reduction: of the bottlenecks B.
        shared: whether the stages share a and b, as published.

    Source: Liu et al., arXiv:2111.11057, and its public code.
    """

    features: int = 256
    levels: int = 5
    stages: int = 5
    reduction: int = 2
    shared: bool = True

    @nn.compact
    def __call__(self, inputs: Sequence[Level], *, train: bool = False) -> list[Level]:
        levels = Laterals(self.features, self.levels, name="laterals")(inputs, train=train)
        down = self._weights("down", range(self.levels - 1, -1, -1))
        up = self._weights("up", range(self.levels))
        for stage in range(self.stages):
            weights = [[share[stage] for share in shares] for shares in (down, up)]
            made = FusionStage(self.features, self.reduction, name=f"stage_{stage}")
            levels = made(levels, *weights, train=train)
        return levels

    def _weights(self, name: str, numbers: range) -> list[Float[Array, "stages others"]]:
        sets = None if self.shared else self.stages
        found = [
            FusionWeights(number, sets, name=f"{name}_{place}")()
            for place, number in enumerate(numbers)
        ]
        return [jnp.broadcast_to(one, (self.stages, one.shape[-1])) for one in found]


class FusionStage(nn.Module):
    """One stage of a `DenseFPN`.

    Args:
        features, reduction: as there.
    """

    features: int
    reduction: int = 2

    @nn.compact
    def __call__(
        self, levels: Sequence[Level], down: Weights, up: Weights, *, train: bool = False
    ) -> list[Level]:
        def fused(x: Level, name: str) -> Level:
            return Narrowed(self.features, self.reduction, name=name)(nn.relu(x), train=train)

        sums = top_down_sums(levels, down)
        downs = [fused(x, f"down_{place}") for place, x in enumerate(sums)]
        sums = bottom_up_sums(levels, downs, up)
        return [fused(x, f"up_{place}") for place, x in enumerate(sums)]


class FPN(nn.Module):
    """The classical pyramid: to each level, the coarser one is added as it was already fused.

    Args:
        features: channels of each level.
        levels: that come out.
        extra: what the levels that the backbone does not give are made of: `laterals`, as in `DenseFPN`, so
            that they take part in the fusion; `inputs`, convolutions of the backbone's last map; or `pool`,
            every second pixel of the last level.
        normalised: whether convolutions are followed by a batch normalisation; as usual they are not.

    Source: Lin et al., arXiv:1612.03144; extra levels of inputs and pools as in MMDetection.
    """

    features: int = 256
    levels: int = 5
    extra: str = "laterals"
    normalised: bool = False

    @nn.compact
    def __call__(self, inputs: Sequence[Level], *, train: bool = False) -> list[Level]:
        if self.extra not in ("laterals", "inputs", "pool"):
            raise ExperimentError(f"extra is laterals, inputs or pool, got {self.extra!r}")
        fused = self.levels if self.extra == "laterals" else len(inputs)
        laterals = Laterals(self.features, fused, self.normalised, name="laterals")
        levels = from_coarse(laterals(inputs, train=train))
        found = [
            _layer(self.features, 3, 1, self.normalised, f"out_{place}", x, train)
            for place, x in enumerate(levels)
        ]
        source = inputs[-1]
        while len(found) < self.levels:
            if self.extra == "pool":
                found.append(found[-1][:, ::2, ::2])
                continue
            name = f"extra_{len(found)}"
            source = _layer(self.features, 3, 2, self.normalised, name, source, train)
            found.append(source)
        return found


class PAFPN(nn.Module):
    """A classical pyramid and a way back up: each level also hears the finer one, halved.

    Args:
        features: channels of each level.
        levels: that come out; those that the backbone does not give are made as in `DenseFPN`.
        normalised: see `FPN`.

    Source: Liu et al., arXiv:1803.01534, in MMDetection's form.
    """

    features: int = 256
    levels: int = 5
    normalised: bool = False

    @nn.compact
    def __call__(self, inputs: Sequence[Level], *, train: bool = False) -> list[Level]:
        pyramid = FPN(self.features, self.levels, "laterals", self.normalised, name="fpn")
        levels = pyramid(inputs, train=train)
        found = levels[:1]
        below = levels[0]
        for place, level in enumerate(levels[1:], 1):
            halved = _layer(self.features, 3, 2, self.normalised, f"halved_{place}", below, train)
            below = level + halved[:, : level.shape[1], : level.shape[2]]
            found.append(_layer(self.features, 3, 1, self.normalised, f"up_{place}", below, train))
        return found


def from_coarse(levels: Sequence[Level]) -> list[Level]:
    """Each level with the fused level above it added, the nearest pixel's value: the classical way down."""
    found = [levels[-1]]
    for level in levels[-2::-1]:
        above, (height, width) = found[0], level.shape[1:3]
        rows = jnp.arange(height) * above.shape[1] // height
        columns = jnp.arange(width) * above.shape[2] // width
        if height % above.shape[1] or width % above.shape[2]:
            above = above[:, rows][:, :, columns]
        else:
            above = jnp.repeat(above, height // above.shape[1], 1)
            above = jnp.repeat(above, width // above.shape[2], 2)
        found.insert(0, level + above)
    return found


def _layer(
    features: int, kernel: int, strides: int, normalised: bool, name: str, x: Level, train: bool
) -> Level:
    if normalised:
        return ConvBN(features, kernel, strides, activation=None, name=name)(x, train=train)
    half = kernel // 2
    window = (kernel, kernel)
    padding = [(half, half)] * 2
    return nn.Conv(features, window, strides=strides, padding=padding, name=name)(x)
