"""A branch that can be run backwards: no layer of it forgets anything of the picture."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.vision.yolov9.layers import check_even, convolution
from experiments.vision.yolov9.network import check_picture
from ntkexec.errors import ExperimentError


class Coupling(nn.Module):
    """Additive coupling: `a + F(b)` and then `b + G(a)`, of two halves of the channels; its inverse is exact.

    What is added to one half is a function of the other, which is there when it has to be taken away again.

    Args:
        features: channels of both halves together, an even number.
        function: makes F and G: from half the channels a module that keeps their number and size.
    """

    features: int
    function: Callable[[int], nn.Module]

    def setup(self) -> None:
        check_even(features=self.features)
        self.first: Any = self.function(self.features // 2)
        self.second: Any = self.function(self.features // 2)

    def __call__(
        self, maps: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h w c"]:
        a, b = jnp.split(maps, 2, -1)
        a = a + self.first(b, train=train)
        b = b + self.second(a, train=train)
        return jnp.concatenate([a, b], -1)

    def inverse(self, maps: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        """The input of which `__call__` makes these maps, by running averages."""
        a, b = jnp.split(maps, 2, -1)
        b = b - self.second(a)
        a = a - self.first(b)
        return jnp.concatenate([a, b], -1)


class Narrow(nn.Module):
    """A 1 x 1, a 3 x 3 and a 1 x 1 convolution, the last one without a nonlinearity.

    Args:
        features: channels that come out.
        inner: channels between.
    """

    features: int
    inner: int

    @nn.compact
    def __call__(self, maps: Array, *, train: bool = False) -> Array:
        x = convolution(self.inner, 1, name="reduce")(maps, train=train)
        x = convolution(self.inner, name="mix")(x, train=train)
        return convolution(self.features, 1, activation=None, name="expand")(x, train=train)


class ReversibleBranch(nn.Module):
    """Couplings at falling resolution, from the picture to a map for each level; every one has its inverse.

    The picture's channels are lifted to an even number by zeros; resolution falls by writing each square of
    pixels into channels, so a map has as many numbers as the lifted picture. What the main branch sends in is
    added to one half of the channels, and can be taken away again by whoever has it.

    Args:
        strides: of the levels, each twice the one before.
        blocks: couplings of a level.
        inner: channels within each coupling's functions.

    Source: ours, since the paper lets the branch be any reversible architecture and the published one is
    none: its pools and 1 x 1 projections cannot be inverted.
    """

    strides: tuple[int, ...]
    blocks: int = 1
    inner: int = 16

    def setup(self) -> None:
        ratios = zip(self.strides[1:], self.strides, strict=False)
        if not self.strides or self.strides[0] < 1 or any(a != 2 * b for a, b in ratios):
            raise ExperimentError(f"strides that double from one to the next, not {self.strides}")
        self.couplings = [
            [
                Coupling(
                    4 * stride**2,
                    functools.partial(Narrow, inner=self.inner),
                    name=f"coupling_{level}_{place}",
                )
                for place in range(self.blocks)
            ]
            for level, stride in enumerate(self.strides)
        ]

    def __call__(
        self,
        images: Float[Array, "n h w c"],
        sums: Sequence[Array] | None = None,
        *,
        train: bool = False,
    ) -> list[Array]:
        """A map for each level, of four numbers a pixel of the picture.

        Args:
            images: of at most four channels.
            sums: for each level, what is added to the first half of its channels.
            train: whether batches normalise themselves.
        """
        check_picture(images.shape, self.strides[-1])
        x = space_to_depth(lifted(images), self.strides[0])
        found = []
        for level, couplings in enumerate(self.couplings):
            if level:
                x = space_to_depth(x, 2)
            if sums is not None:
                x = _first_half(x, sums[level], 1)
            for coupling in couplings:
                x = coupling(x, train=train)
            found.append(x)
        return found

    def inverse(
        self, maps: Float[Array, "n h w c"], sums: Sequence[Array] | None = None, *, level: int = -1
    ) -> Float[Array, "n h w 4"]:
        """The lifted picture of which the branch made a level's map, by running averages.

        Args:
            maps: of one level.
            sums: what was added on the way.
            level: of the maps; by default the last.
        """
        place = range(len(self.strides))[level]
        x = maps
        for turn in reversed(range(place + 1)):
            for coupling in reversed(self.couplings[turn]):
                x = coupling.inverse(x)
            if sums is not None:
                x = _first_half(x, sums[turn], -1)
            if turn:
                x = depth_to_space(x, 2)
        return depth_to_space(x, self.strides[0])


def _first_half(maps: Array, sums: Array, sign: int) -> Array:
    a, b = jnp.split(maps, 2, -1)
    return jnp.concatenate([a + sign * sums, b], -1)


def lifted(images: Float[Array, "n h w c"], channels: int = 4) -> Float[Array, "n h w c2"]:
    """The pictures with channels of zeros behind their own.

    Raises:
        ExperimentError: they have more channels already.
    """
    missing = channels - images.shape[-1]
    if missing < 0:
        raise ExperimentError(f"pictures have {images.shape[-1]} channels, more than {channels}")
    return jnp.pad(images, ((0, 0),) * 3 + ((0, missing),))


def space_to_depth(maps: Float[Array, "n h w c"], times: int) -> Float[Array, "n h2 w2 c2"]:
    """Every square of pixels as the channels of one: nothing is lost."""
    n, height, width, channels = maps.shape
    parts: Any = maps.reshape(n, height // times, times, width // times, times, channels)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // times, width // times, -1)


def depth_to_space(maps: Float[Array, "n h w c"], times: int) -> Float[Array, "n h2 w2 c2"]:
    """What `space_to_depth` undoes."""
    n, height, width, channels = maps.shape
    parts: Any = maps.reshape(n, height, width, times, times, channels // times**2)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(n, height * times, width * times, -1)
