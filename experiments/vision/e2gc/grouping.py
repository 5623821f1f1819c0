"""Convolutions in groups: by a fixed number of groups, or by groups of a constant size."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntkexec.errors import ExperimentError

POLICIES = ("fixed", "constant")


@dataclasses.dataclass(frozen=True)
class Grouping:
    """How a layer's channels are parted; the same rule for all layers of a network.

    The number of groups g and their size G, in input channels, are often mistaken for each other: they
    are reciprocal, g G = input channels.

    Args:
        policy: `fixed`: g is the same in every layer; `constant`: G is, as E2GC has it.
        value: of g or of G. One group is a dense layer, groups of one channel a depthwise one.
    """

    policy: str
    value: int

    def __post_init__(self) -> None:
        if self.policy not in POLICIES or self.value < 1:
            raise ExperimentError(
                f"there is no grouping {self.policy!r} of {self.value!r}; there are {', '.join(POLICIES)} "
                "of 1 and more"
            )

    def groups(self, channels: int, features: int) -> int:
        """The number of groups of a layer.

        Args:
            channels: of its input.
            features: of its output.

        Raises:
            ExperimentError: the channels cannot be parted so.
        """
        groups = self.value
        if self.policy == "constant":
            groups = channels // self.value if channels % self.value == 0 else 0
        if not groups or channels % groups or features % groups:
            raise ExperimentError(
                f"{channels} channels to {features} cannot be parted into "
                + (f"{self.value} groups" if self.policy == "fixed" else f"groups of {self.value}")
                + ": groups must divide both"
            )
        return groups


DENSE, DEPTHWISE = Grouping("fixed", 1), Grouping("constant", 1)


class GroupConv(nn.Module):
    """A convolution without bias whose groups follow a policy, for any Flax network.

    Args:
        features: output channels.
        grouping: the policy and its value.
        kernel: side of the window, odd; padded by half of it on both sides.
        strides: of the window.

    Source: Jha, Saini, Nag and Mittal, E2GC, VLSID 2020, arXiv:2006.15100.
    """

    features: int
    grouping: Grouping
    kernel: int = 3
    strides: int = 1

    @nn.compact
    def __call__(self, images: Float[Array, "n h w m"]) -> Float[Array, "n h2 w2 f"]:
        side = self.kernel // 2
        conv = nn.Conv(
            self.features,
            (self.kernel, self.kernel),
            strides=self.strides,
            padding=[(side, side)] * 2,
            feature_group_count=self.grouping.groups(images.shape[-1], self.features),
            use_bias=False,
            name="conv",
        )
        return jnp.asarray(conv(images))


def block_mask(channels: int, features: int, groups: int | Int[Array, ""]) -> Float[Array, "m f"]:
    """1 where an input channel and an output channel are of one group, else 0; groups may be traced."""
    of_inputs = jnp.arange(channels) * groups // channels
    of_outputs = jnp.arange(features) * groups // features
    return (of_inputs[:, None] == of_outputs[None, :]).astype(jnp.float32)


def block_diagonal(kernel: Float[Array, "k l s f"], groups: int) -> Float[Array, "k l m f"]:
    """The kernel of a dense convolution that computes what a grouped one does.

    Args:
        kernel: as Flax stores that of a convolution in groups: inputs of one group, all outputs.
        groups: of it.
    """
    if groups < 1 or kernel.shape[3] % groups:
        raise ExperimentError(f"{kernel.shape[3]} outputs cannot be in {groups} groups")
    mask = block_mask(kernel.shape[2] * groups, kernel.shape[3], groups)
    return jnp.tile(kernel, (1, 1, groups, 1)) * mask.astype(kernel.dtype)[None, None]


class BlockConv(nn.Module):
    """A dense convolution without bias, at stride 1, that is masked into groups whose number is data.

    It computes what `GroupConv` does with more multiplications, as one product of shifted pictures. XLA
    lowers grouped convolutions and gradients of kernels poorly on CPUs: narrow layers are faster so, and
    one compiled program serves all numbers of groups.

    Args:
        features: output channels.
        kernel: side of the window, odd.
    """

    features: int
    kernel: int = 3

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w m"], groups: Int[Array, ""] | int = 1
    ) -> Float[Array, "n h w f"]:
        channels, side = images.shape[-1], self.kernel // 2
        shape = (self.kernel, self.kernel, channels, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        masked = kernel * block_mask(channels, self.features, groups)[None, None]
        height, width = images.shape[1:3]
        padded = jnp.pad(images, ((0, 0), (side, side), (side, side), (0, 0)))
        taps = [
            padded[:, row : row + height, column : column + width]
            for row in range(self.kernel)
            for column in range(self.kernel)
        ]
        return jnp.concatenate(taps, -1) @ masked.reshape(-1, self.features)
