"""The searched backbone: what an architecture is, and the network that it says."""

import dataclasses
import numbers
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN, max_pool
from experiments.kits.convnets.reparameterised import RepConv
from ntkexec.errors import ExperimentError

EPSILON, MOMENTUM = 1e-3, 0.97
"""Of every normalisation, as the public code sets them."""
FOCUSED = 12
"""Channels of a picture whose blocks of 2 x 2 pixels are one."""


def check_whole(of: Any, *names: str) -> None:
    """Raises unless these attributes are whole numbers.

    Raises:
        ExperimentError: names the first that is none.
    """
    for name in names:
        value = getattr(of, name)
        if not isinstance(value, numbers.Integral) or isinstance(value, bool):
            raise ExperimentError(f"{name} of {type(of).__name__} is a whole number, not {value!r}")


@dataclasses.dataclass(frozen=True)
class Stage:
    """Equal blocks, of which the first is strided.

    Args:
        features: that come out of each block.
        bottleneck: between a block's two convolutions.
        strides: of the first block: 1 or 2.
        blocks: how many.
        kernel: side of the second convolution's window; an odd number.
    """

    features: int
    bottleneck: int
    strides: int
    blocks: int
    kernel: int = 3

    def __post_init__(self) -> None:
        check_whole(self, "features", "bottleneck", "strides", "blocks", "kernel")
        if min(self.features, self.bottleneck, self.blocks, self.kernel) < 1:
            raise ExperimentError(f"numbers of a stage are 1 or more: {self}")
        if self.strides not in (1, 2) or self.kernel % 2 == 0:
            raise ExperimentError(f"a stage has a stride of 1 or 2 and an odd window: {self}")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A backbone: a convolution on focused pixels, and stages.

    Args:
        stem: channels of the first convolution, at a stride of 2.
        stages: in order.
    """

    stem: int
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        check_whole(self, "stem")
        if self.stem < 1 or not self.stages:
            raise ExperimentError(f"a backbone has a stem and stages, got {self}")

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the stages at each stride 2, 4, 8, ...; the stem stands alone at the first."""
        found: list[list[int]] = [[]]
        for number, stage in enumerate(self.stages):
            if stage.strides == 2:
                found.append([])
            found[-1].append(number)
        return tuple(map(tuple, found))

    @property
    def features(self) -> tuple[int, ...]:
        """Channels of the last feature maps at each stride 2, 4, 8, ..."""
        return tuple(
            self.stages[level[-1]].features if level else self.stem for level in self.levels
        )


TINY = Architecture(
    24,
    (
        Stage(64, 24, 2, 2),
        Stage(96, 64, 2, 2),
        Stage(192, 96, 2, 2),
        Stage(192, 152, 1, 2),
        Stage(384, 192, 2, 1),
    ),
)
"""The backbone of DAMO-YOLO-T, as found by the authors' search."""


def convolution(
    features: int,
    kernel: int = 3,
    *,
    strides: int = 1,
    activation: Callable[[Array], Array] | None = nn.relu,
    name: str,
) -> ConvBN:
    """A convolution and its normalisation with the public code's epsilon and momentum."""
    return ConvBN(
        features,
        kernel,
        strides,
        activation=activation,
        epsilon=EPSILON,
        momentum=MOMENTUM,
        name=name,
    )


class Backbone(nn.Module):
    """Feature maps at each stride 2, 4, 8, ..., the last of each.

    Args:
        architecture: what it is made of.
        pools: sides of the windows that are pooled after the last stage's first block; empty for none.

    Source: Xu et al., arXiv:2211.15444, on MAE-NAS; blocks as in the public code's `k1kx`.
    """

    architecture: Architecture
    pools: tuple[int, ...] = (5, 9, 13)

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w 3"], *, train: bool = False
    ) -> tuple[Float[Array, "b _ _ _"], ...]:
        given = self.architecture
        check_picture(images, 2 ** len(given.levels))
        x = convolution(given.stem, name="stem")(focused(images), train=train)
        found = [x]
        last = len(given.stages) - 1
        for number, stage in enumerate(given.stages):
            for place in range(stage.blocks):
                strides = stage.strides if place == 0 else 1
                x = _Block(stage, strides, name=f"stage_{number}_{place}")(x, train=train)
                if number == last and place == 0 and self.pools:
                    x = _Pools(stage.features, self.pools, name="pools")(x, train=train)
            found = [*found, x] if stage.strides == 2 else [*found[:-1], x]
        return tuple(found)


class _Block(nn.Module):
    """A pointwise convolution, one of two branches, and the input added where both fit."""

    stage: Stage
    strides: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool = False) -> Any:
        stage, skipped = self.stage, x
        if self.strides == 1 and x.shape[-1] != stage.features:
            project = convolution(stage.features, 1, activation=None, name="project")
            skipped = project(x, train=train)
        x = convolution(stage.bottleneck, 1, name="reduce")(x, train=train)
        x = RepConv(
            stage.features,
            stage.kernel,
            self.strides,
            None,
            momentum=MOMENTUM,
            epsilon=EPSILON,
            name="rep",
        )(x, train=train)
        return nn.relu(x + skipped if self.strides == 1 else x)


class _Pools(nn.Module):
    """Half the channels, and these pooled over windows of several sizes, joined by a pointwise convolution.

    The only SiLU of the T network: the public code leaves this part's nonlinearity at its default.
    """

    features: int
    sides: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool = False) -> Any:
        half = convolution(self.features // 2, 1, activation=nn.silu, name="halve")
        x = half(x, train=train)
        found = [x, *(max_pool(x, side, 1, side // 2) for side in self.sides)]
        join = convolution(self.features, 1, activation=nn.silu, name="join")
        return join(jnp.concatenate(found, -1), train=train)


def focused(images: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c4"]:
    """Pictures of half the height and width, each block of 2 x 2 pixels as channels."""
    rows = (images[:, row::2, column::2] for column in (0, 1) for row in (0, 1))
    return jnp.concatenate(list(rows), -1)


def check_picture(images: Float[Array, "b h w c"], unit: int) -> None:
    """Raises unless the sides are multiples of the largest stride.

    Raises:
        ExperimentError: says what the sides are.
    """
    height, width = images.shape[1:3]
    if height % unit or width % unit:
        raise ExperimentError(
            f"pictures of {height} x {width}: the backbone needs sides that are multiples of {unit}"
        )
