"""GELAN's parts: a block whose paths are all aggregated, what halves the size, chained pools, fusion."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN, max_pool, mean_pool
from experiments.kits.convnets.reparameterised import RepConv, merged
from ntkexec.errors import ExperimentError

EPSILON, MOMENTUM = 1e-3, 0.97
"""Of every normalisation, as the public code sets them."""


def convolution(features: int, kernel: int = 3, **fields: Any) -> ConvBN:
    """A convolution, its normalisation and SiLU, with the public code's epsilon and momentum."""
    return ConvBN(
        features,
        kernel,
        **{"activation": nn.silu, "epsilon": EPSILON, "momentum": MOMENTUM, **fields},
    )


def two_branched(features: int, *, strides: int = 1, name: str | None = None) -> RepConv:
    """The sum of a 3 x 3 and a 1 x 1 convolution, each with its normalisation, then SiLU.

    Source: `RepConvN` of the public code, which has no identity branch.
    """
    return RepConv(
        features,
        strides=strides,
        activation=nn.silu,
        momentum=MOMENTUM,
        epsilon=EPSILON,
        name=name,
    )


class RepNCSP(nn.Module):
    """Two halves, of which one passes residual pairs of convolutions; joined by a 1 x 1 convolution.

    Args:
        features: output channels, an even number.
        repeats: residual pairs.
    """

    features: int
    repeats: int = 1

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h w o"]:
        half = self.features // 2
        x = convolution(half, 1, name="worked")(images, train=train)
        for place in range(self.repeats):
            inner = two_branched(half, name=f"rep_{place}")(x, train=train)
            x = x + convolution(half, name=f"plain_{place}")(inner, train=train)
        passed = convolution(half, 1, name="passed")(images, train=train)
        joined = jnp.concatenate([x, passed], -1)
        return convolution(self.features, 1, name="join")(joined, train=train)


class RepNCSPELAN(nn.Module):
    """GELAN's block: both halves of the input and what each of two stages makes meet in one convolution.

    Args:
        features: output channels.
        split: channels that are halved.
        inner: channels of the two stages.
        repeats: of each `RepNCSP`.

    Source: `RepNCSPELAN4`; Wang et al., arXiv:2402.13616, section 4.2.
    """

    features: int
    split: int
    inner: int
    repeats: int = 1

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h w o"]:
        first = convolution(self.split, 1, name="split")(images, train=train)
        found = [first]  # both halves
        x = jnp.split(first, 2, -1)[1]
        for place in range(2):
            x = RepNCSP(self.inner, self.repeats, name=f"csp_{place}")(x, train=train)
            x = convolution(self.inner, name=f"conv_{place}")(x, train=train)
            found.append(x)
        joined = jnp.concatenate(found, -1)
        return convolution(self.features, 1, name="aggregate")(joined, train=train)


class ADown(nn.Module):
    """Half the size: means of 2 x 2, then a strided convolution of one half, a pool of the other.

    It has 2.5 weights for each pair of channels, where a strided 3 x 3 convolution has 9.

    Args:
        features: output channels, an even number.
    """

    features: int

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 o"]:
        left, right = jnp.split(mean_pool(images, 2, 1), 2, -1)
        half = self.features // 2
        convolved = convolution(half, strides=2, name="strided")(left, train=train)
        pooled = convolution(half, 1, name="pooled")(max_pool(right, 3, 2, 1), train=train)
        return jnp.concatenate([convolved, pooled], -1)


class SPPELAN(nn.Module):
    """A 1 x 1 convolution, three chained 5 x 5 pools, and all four joined.

    Args:
        features: output channels.
        inner: channels that are pooled.
    """

    features: int
    inner: int

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h w o"]:
        found = chained_pools(convolution(self.inner, 1, name="reduce")(images, train=train))
        joined = jnp.concatenate(found, -1)
        return convolution(self.features, 1, name="join")(joined, train=train)


def chained_pools(images: Float[Array, "n h w c"], number: int = 3) -> list[Array]:
    """The input, and what 1, 2, ... pools of 5 x 5 in a row make of it: windows of 5, 9, 13, ..."""
    found = [images]
    for _ in range(number):
        found.append(max_pool(found[-1], 5, 1, 2))
    return found


def fused(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables with which the same network computes the same at inference, with fewer numbers.

    Normalisations are folded into their convolutions, and both branches of a `RepConv` become one.

    Args:
        variables: of a network of these layers; they are not changed.

    Raises:
        ExperimentError: there is nothing to fold, or running averages are missing.
    """
    return merged(variables, epsilon=EPSILON)


def check_even(**channels: int) -> None:
    """Raises unless every number of channels is positive and can be halved.

    Raises:
        ExperimentError: names the one that cannot.
    """
    for name, number in channels.items():
        if number < 2 or number % 2:
            raise ExperimentError(f"{name} must be an even number of channels, not {number}")
