"""EfficientNet-Lite0: a published network of 4.7 million parameters whose trained weights can be had.

It serves as the real network on which the walker, the folding of normalisations and the reader of weights
are tried. Lite0 is EfficientNet-B0 without squeeze-and-excitation and with ReLU6.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array, Float, Float32

from experiments.files.sources import picture
from experiments.files.words import quoted
from experiments.kits.convnets.layers import ConvBN
from ntkexec.errors import ExperimentError

SIZE = 224
"""Height and width of the pictures that it was trained on."""
EPSILON = 1e-3
"""Of all normalisations."""
STEM, HEAD = 32, 1280
"""Channels of the first convolution and of the last."""
CENTRE, SCALE = 127.0, 128.0
"""Pixels from 0 to 255 become (pixel - CENTRE) / SCALE, the same for each colour."""
CROP = 0.875
"""Share of a photograph's shorter side that is looked at."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Equal blocks after each other; the first may stride and change the width.

    Args:
        repeats: number of blocks.
        kernel: side of the depthwise window.
        strides: of the first block.
        expansion: channels of the depthwise convolution over those that come in.
        features: output channels.
    """

    repeats: int
    kernel: int
    strides: int
    expansion: int
    features: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def same(shape: tuple[int, ...], kernel: int, strides: int) -> list[tuple[int, int]]:
    """TensorFlow's `SAME` padding of pictures (n, h, w, c): where it is odd, more on the right and below."""
    total = [max(0, (-(-n // strides) - 1) * strides + kernel - n) for n in shape[1:3]]
    return [(both // 2, both - both // 2) for both in total]


def _convolved(
    images: Array, features: int, kernel: int, strides: int, train: bool, **settings: Any
) -> Array:
    padding = same(images.shape, kernel, strides)
    made = ConvBN(
        features, kernel, strides, padding=padding, epsilon=EPSILON, momentum=0.99, **settings
    )
    return made(images, train=train)


class InvertedBottleneck(nn.Module):
    """Widen, convolve each channel, narrow; added to the input where shape allows.

    Args:
        features: output channels.
        kernel: side of the depthwise window.
        strides: of it.
        expansion: factor by which channels are widened; at 1 nothing widens.
    """

    features: int
    kernel: int
    strides: int
    expansion: int

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 o"]:
        width, relu6, x = images.shape[-1] * self.expansion, nn.relu6, images
        if self.expansion > 1:
            x = _convolved(x, width, 1, 1, train, activation=relu6, name="expand")
        x = _convolved(
            x,
            width,
            self.kernel,
            self.strides,
            train,
            groups=width,
            activation=relu6,
            name="depthwise",
        )
        x = _convolved(x, self.features, 1, 1, train, activation=None, name="project")
        return images + x if x.shape == images.shape else x


class EfficientNetLite0(nn.Module):
    """The whole network, from standardised pictures to a logit for each class.

    Args:
        num_classes: of the read-out.

    Source: Tan and Le, ICML 2019, arXiv:1905.11946; the changes that make it lite are on the page
    `models/official/efficientnet/lite` of github.com/tensorflow/tpu. There its dropout (0.2) and its
    dropped blocks help training; they are not here.
    """

    num_classes: int = 1000

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w 3"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        x = _convolved(images, STEM, 3, 2, train, activation=nn.relu6, name="stem")
        for place, block in enumerate(blocks()):
            made = InvertedBottleneck(
                block.features, block.kernel, block.strides, block.expansion, name=f"block{place}"
            )
            x = made(x, train=train)
        x = _convolved(x, HEAD, 1, 1, train, activation=nn.relu6, name="head")
        return nn.Dense(self.num_classes, name="classifier")(x.mean((1, 2)))


def blocks() -> Iterator[Stage]:
    """The sixteen blocks one by one."""
    for stage in STAGES:
        for place in range(stage.repeats):
            strides = stage.strides if place == 0 else 1
            yield dataclasses.replace(stage, repeats=1, strides=strides)


def variables_from(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Variables of `EfficientNetLite0` out of the tensors of a file of PyTorch's.

    Args:
        tensors: by the names that they have in `efficientnet-lite0-57934424.pth`, as the data set
            `efficientnet-lite0` is loaded.

    Returns:
        `params` and `batch_stats`, as the model's `init` returns them.

    Raises:
        ExperimentError: names a tensor that is missing, has another shape, or is left over.
    """
    left = {
        name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")
    }

    def taken(path: Any, leaf: Any) -> np.ndarray:
        name = _torch_name([part.key for part in path])
        if name not in left:
            raise ExperimentError(f"the weights lack {name}, of which EfficientNet-Lite0 has one")
        tensor = left.pop(name)
        # From (out, in, h, w) to (h, w, in, out), and from (out, in) to (in, out).
        turned = tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T
        if turned.shape != leaf.shape or tensor.dtype != leaf.dtype:
            raise ExperimentError(
                f"{name} has the shape {tensor.shape} of {tensor.dtype}; turned, EfficientNet-Lite0 has "
                f"{leaf.shape} of {leaf.dtype}"
            )
        return np.ascontiguousarray(turned).reshape(leaf.shape)

    found: dict[str, Any] = jax.tree_util.tree_map_with_path(taken, _shapes())
    if left:
        raise ExperimentError(
            f"the weights hold {quoted(min(left))}, which EfficientNet-Lite0 has not"
        )
    return found


@functools.cache
def _shapes() -> Any:
    """Of all variables; tracing the network takes half a second."""
    picture = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    return jax.eval_shape(EfficientNetLite0().init, jax.random.key(0), picture)


TOP = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
INNER = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def _torch_name(path: list[str]) -> str:
    """What PyTorch's file calls the leaf of a path such as params, block3, expand, conv, kernel."""
    _, layer, *inner, leaf = path
    if layer == "classifier":
        return f"_fc.{LEAVES[leaf]}"
    conv, norm = INNER[inner[0]] if layer.startswith("block") else TOP[layer]
    own = f"{conv if inner[-1] == 'conv' else norm}.{LEAVES[leaf]}"
    return f"_blocks.{layer.removeprefix('block')}.{own}" if layer.startswith("block") else own


def photograph(path: Path, *, size: int = SIZE) -> Float32[np.ndarray, "size size 3"]:
    """The middle of a photograph as the network takes it: cropped, scaled bilinearly, standardised.

    Args:
        path: of a picture file.
        size: height and width of the result.

    Raises:
        ExperimentError: it cannot be read.
        MissingExtraError: without Pillow.
    """
    found = picture(path, "RGB")
    width, height = found.size
    side = CROP * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    bilinear = 2
    pixels = found.resize((size, size), bilinear, box=(left, top, left + side, top + side))
    return (np.asarray(pixels, np.float32) - np.float32(CENTRE)) / np.float32(SCALE)
