"""Convolutional networks in Flax, laid out as in torchvision, and their operator graphs."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.kits.costs import num_parameters
from experiments.systems.op_fusion.graph import OpGraph
from experiments.systems.op_fusion.tracing import trace
from ntkexec.errors import ExperimentError


class Unit(nn.Module):
    """A convolution with torch's padding, batch normalisation and an activation.

    Args:
        features: output channels.
        kernel: size of the square kernel.
        stride: in both directions.
        groups: of channels.
        act: activation, none for a linear unit.
        norm: batch normalisation instead of a bias.
        padding: on all sides; half the kernel by default.
    """

    features: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1
    act: Any = nn.relu
    norm: bool = True
    padding: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pad = self.kernel // 2 if self.padding is None else self.padding
        x = nn.Conv(
            self.features,
            (self.kernel, self.kernel),
            (self.stride, self.stride),
            padding=((pad, pad), (pad, pad)),
            feature_group_count=self.groups,
            use_bias=not self.norm,
        )(x)
        if self.norm:
            x = nn.BatchNorm(use_running_average=True)(x)
        return x if self.act is None else self.act(x)


def _max_pool(x: jax.Array, size: int, stride: int, padding: int = 0) -> jax.Array:
    return nn.max_pool(x, (size, size), (stride, stride), ((padding, padding),) * 2)


class ResNet(nn.Module):
    """A residual network.

    Args:
        blocks: in each of the four stages.
        bottleneck: 1x1, 3x3, 1x1 with four times the channels, instead of twice 3x3.
    """

    blocks: Sequence[int]
    bottleneck: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = _max_pool(Unit(64, 7, 2)(x), 3, 2, 1)
        for stage, count in enumerate(self.blocks):
            width = 64 * 2**stage
            out = width * (4 if self.bottleneck else 1)
            for place in range(count):
                stride = 2 if stage and not place else 1
                if self.bottleneck:
                    y = Unit(width, 3, stride)(Unit(width, 1)(x))
                    y = Unit(out, 1, act=None)(y)
                else:
                    y = Unit(out, 3, act=None)(Unit(width, 3, stride)(x))
                if stride != 1 or x.shape[-1] != out:
                    x = Unit(out, 1, stride, act=None)(x)
                x = nn.relu(y + x)
        return nn.Dense(1000)(x.mean((1, 2)))


class VGG16(nn.Module):
    """VGG with 16 layers, without batch normalisation."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                x = Unit(width, norm=False)(x)
            x = _max_pool(x, 2, 2)
        x = x.reshape((x.shape[0], -1))
        return nn.Dense(1000)(nn.relu(nn.Dense(4096)(nn.relu(nn.Dense(4096)(x)))))


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Unit(64, 3, 2, norm=False, padding=0)(x)
        for place, (squeeze, expand) in enumerate(
            ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
        ):
            if place in (0, 2, 4):
                x = _max_pool(x, 3, 2)
            x = Unit(squeeze, 1, norm=False)(x)
            parts = [Unit(expand, 1, norm=False)(x), Unit(expand, 3, norm=False)(x)]
            x = jnp.concatenate(parts, axis=-1)
        return Unit(1000, 1, norm=False)(x).mean((1, 2))


class InvertedResiduals(nn.Module):
    """MobileNetV2, or an EfficientNet, whose blocks squeeze and excite.

    Args:
        stages: expansion, kernel, stride, output channels and number of blocks of each.
        act: the activation.
        squeeze: whether blocks squeeze and excite.
        width: factor on channels.
        depth: factor on numbers of blocks.
    """

    stages: tuple[tuple[int, int, int, int, int], ...]
    act: Any
    squeeze: bool
    width: float = 1.0
    depth: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Unit(self._channels(32), 3, 2, act=self.act)(x)
        for expand, kernel, first, out, count in self.stages:
            for place in range(math.ceil(count * self.depth)):
                stride = 1 if place else first
                x = self._block(x, expand, kernel, stride, self._channels(out))
        x = Unit(4 * self._channels(320), 1, act=self.act)(x)
        return nn.Dense(1000)(x.mean((1, 2)))

    def _channels(self, channels: int) -> int:
        wanted = channels * self.width
        near = max(8, int(wanted + 4) // 8 * 8)
        return near if near >= 0.9 * wanted else near + 8

    def _block(self, x: jax.Array, expand: int, kernel: int, stride: int, out: int) -> jax.Array:
        width = x.shape[-1] * expand
        y = x if expand == 1 else Unit(width, 1, act=self.act)(x)
        y = Unit(width, kernel, stride, width, act=self.act)(y)
        if self.squeeze:
            squeezed = y.mean((1, 2), keepdims=True)
            squeezed = Unit(max(1, x.shape[-1] // 4), 1, act=self.act, norm=False)(squeezed)
            y = y * Unit(width, 1, act=nn.sigmoid, norm=False)(squeezed)
        y = Unit(out, 1, act=None)(y)
        return x + y if stride == 1 and x.shape[-1] == out else y


# fmt: off
_MOBILE = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 3, 2, 32, 3), (6, 3, 2, 64, 4),
    (6, 3, 1, 96, 3), (6, 3, 2, 160, 3), (6, 3, 1, 320, 1),
)
_EFFICIENT = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)
# fmt: on
NETWORKS: Mapping[str, tuple[nn.Module, int, int]] = {
    "vgg16": (VGG16(), 224, 138_357_544),
    "squeezenet": (SqueezeNet(), 224, 1_235_496),
    "mobilenet-v2": (InvertedResiduals(_MOBILE, nn.relu6, False), 224, 3_504_872),
    "resnet-18": (ResNet((2, 2, 2, 2), False), 224, 11_689_512),
    "resnet-50": (ResNet((3, 4, 6, 3), True), 224, 25_557_032),
    "resnet-101": (ResNet((3, 4, 23, 3), True), 224, 44_549_160),
    "resnet-152": (ResNet((3, 8, 36, 3), True), 224, 60_192_808),
    "efficientnet-b0": (InvertedResiduals(_EFFICIENT, nn.silu, True), 224, 5_288_548),
    "efficientnet-b3": (InvertedResiduals(_EFFICIENT, nn.silu, True, 1.2, 1.4), 300, 12_233_232),
}
"""For each network the module, the height of its images, and the published number of parameters
(kernels, biases, scales of batch normalisation; torchvision)."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as fusion sees it, without any weights.

    Args:
        graph: its operators for one image.
        parameters: of kernels, biases and batch normalisation.
        scales: those among them that folding a batch normalisation removes.
    """

    graph: OpGraph
    parameters: int
    scales: int


@functools.cache
def network(name: str) -> Network:
    """The network of that name, traced once.

    Raises:
        ExperimentError: names those that exist.
    """
    if name not in NETWORKS:
        raise ExperimentError(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    module, height, _ = NETWORKS[name]
    image = jax.ShapeDtypeStruct((1, height, height, 3), jnp.float32)
    variables = jax.eval_shape(module.init, jax.random.key(0), image)
    leaves = jax.tree_util.tree_flatten_with_path(variables["params"])[0]
    scales = [leaf for path, leaf in leaves if path[-1] == jax.tree_util.DictKey("scale")]
    return Network(
        trace(module.apply, variables, image),
        num_parameters(variables["params"]),
        num_parameters(scales),
    )
