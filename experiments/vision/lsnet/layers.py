"""LS convolution: weights from a large static window, a sum over a small one; and a static twin."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN
from experiments.vision.lsnet.aggregation import Grouping, small_kernel_aggregation
from ntkexec.errors import ExperimentError

EPSILON = 1e-5
NORMALISATIONS = ("picture", "position", "none")


class LargeKernelPerception(nn.Module):
    """What lies around each position, as weights of its small window.

    Pointwise to half the channels, a large depthwise convolution, pointwise again, and pointwise to `small
    ** 2` weights for each group of channels, which are normalised.

    Args:
        groups: of channels that share their weights.
        large: side of the window that is looked at.
        small: side of the window that weights are for.
        normalisation: over what each group's weights get mean 0 and deviation 1: "picture", all positions
            together (GroupNorm, as published); "position", each by itself; or "none".
    """

    groups: int
    large: int = 7
    small: int = 3
    normalisation: str = "picture"

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h w g k2"]:
        if self.normalisation not in NORMALISATIONS:
            raise ExperimentError(
                f"weights are normalised over one of {NORMALISATIONS}, not {self.normalisation!r}"
            )
        if self.groups < 1 or self.large < 1 or self.large % 2 == 0 or self.small % 2 == 0:
            raise ExperimentError(
                f"windows have odd sides and there is a group at least; got large={self.large}, "
                f"small={self.small}, groups={self.groups}"
            )
        around = _around(images, self.large, train)
        number = self.groups * self.small**2
        found = nn.Conv(number, (1, 1), name="weights")(around)
        if self.normalisation == "picture":
            found = nn.GroupNorm(self.groups, epsilon=EPSILON, name="norm")(found)
        found = found.reshape(*found.shape[:3], self.groups, self.small**2)
        if self.normalisation == "position":
            found = nn.LayerNorm(
                epsilon=EPSILON, reduction_axes=-1, feature_axes=(-2, -1), name="norm"
            )(found)
        return jnp.asarray(found)


class LSConv(nn.Module):
    """Large-small convolution: a residual layer that keeps a picture's size and channels.

    Each position sums its small window with weights that depend on its large one. A drop-in for a depthwise
    convolution wherever what lies around decides what a pattern means.

    Args:
        share: channels that share their weights; it divides the channels, and the number of groups is
            their quotient.
        large, small, normalisation: see `LargeKernelPerception`.
        route: see `small_kernel_aggregation`.

    Source: Wang et al., arXiv:2503.23135, section 3.2; groups interleaved and GroupNorm from the public
        code.
    """

    share: int = 8
    large: int = 7
    small: int = 3
    normalisation: str = "picture"
    route: str = "shifted"

    @nn.compact
    def __call__(
        self,
        images: Float[Array, "n h w c"],
        *,
        train: bool = False,
        grouping: Grouping = "interleaved",
    ) -> Float[Array, "n h w c"]:
        """The layer's output.

        Args:
            images: of an even number of channels.
            train: whether statistics are the batch's own.
            grouping: which group's weights a channel takes; see `small_kernel_aggregation`.
        """
        channels = images.shape[-1]
        if self.share < 1 or channels % self.share or channels % 2:
            raise ExperimentError(
                f"LSConv halves its {channels} channels and shares weights among {self.share}: both must "
                "divide"
            )
        weights = LargeKernelPerception(
            channels // self.share, self.large, self.small, self.normalisation, name="perception"
        )(images, train=train)
        found = small_kernel_aggregation(images, weights, grouping=grouping, route=self.route)
        found = nn.BatchNorm(
            use_running_average=not train, momentum=0.9, epsilon=EPSILON, name="norm"
        )(found)
        return jnp.asarray(found + images)


class LargeSmallStatic(nn.Module):
    """The same windows without the mechanism: what was perceived is itself convolved, by fixed weights.

    Args:
        large, small: sides of the depthwise convolutions.
    """

    large: int = 7
    small: int = 3

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h w c"]:
        channels = images.shape[-1]
        around = _around(images, self.large, train)
        spread = nn.Conv(channels, (1, 1), name="spread")(around)
        found = ConvBN(channels, self.small, groups=channels, activation=None, name="static")(
            spread, train=train
        )
        return jnp.asarray(found + images)


class DepthwiseBranches(nn.Module):
    """A depthwise 3 x 3 convolution, a 1 x 1 one and the picture itself, added up, as in RepVGG.

    Applied to variables in which `fused` merged them, it is one convolution.
    """

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h w c"]:
        channels = images.shape[-1]
        if not self.is_initializing() and self.has_variable("params", "merged"):
            merged = nn.Conv(
                channels, (3, 3), padding=1, feature_group_count=channels, name="merged"
            )
            return jnp.asarray(merged(images))
        wide = ConvBN(channels, 3, groups=channels, activation=None, name="wide")
        point = ConvBN(channels, 1, groups=channels, activation=None, name="point")
        return jnp.asarray(wide(images, train=train) + point(images, train=train) + images)


def lsconv_multiplications(
    height: int, width: int, channels: int, *, groups: int, large: int = 7, small: int = 3
) -> int:
    """Multiplications of an LS convolution for one picture, as the paper counts them.

    `h w c / 4 * (3 c + 2 large^2 + (2 groups + 4) small^2)`; linear in pixels and, where groups are a share
    of the channels, quadratic in channels.

    Raises:
        ExperimentError: an odd number of channels, or groups that do not divide it.

    Source: Wang et al., arXiv:2503.23135, section 3.2.
    """
    if min(height, width, channels, groups) < 1 or channels % 2 or channels % groups:
        raise ExperimentError(
            f"an LS convolution halves its channels and shares them out among groups; got {channels} "
            f"channels and {groups} groups"
        )
    per_channel = 3 * channels + 2 * large**2 + (2 * groups + 4) * small**2
    # Of an even number of channels half are multiplied by each other and by a window: no quarter is left.
    return height * width * channels * per_channel // 4


def _around(images: Array, large: int, train: bool) -> Array:
    half = images.shape[-1] // 2
    x = ConvBN(half, 1, name="reduce")(images, train=train)
    x = ConvBN(half, large, groups=half, activation=None, name="look")(x, train=train)
    return jnp.asarray(ConvBN(half, 1, name="mix")(x, train=train))
