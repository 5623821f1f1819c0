"""Convolutions and pools of published networks: padding explicit on both sides, windows as in PyTorch.

XLA's `SAME` pads a strided window more on the right than on the left; published networks pad alike on
both sides, so counts and weights fit only with the padding written out.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError

Size = int | tuple[int, int]
Padding = int | Sequence[tuple[int, int]]
Activation = Callable[[Array], Array]


class ConvBN(nn.Module):
    """A convolution without bias, a batch normalisation, and a nonlinearity.

    Its parts are called `conv` and `norm`, by which `folding.fold_tree` finds them. Applied to variables
    that hold no `norm`, as that leaves them, it is a convolution with a bias and normalises nothing.

    Args:
        features: output channels.
        kernel: height and width of the window, or both as one number.
        strides: of the window.
        groups: into which channels are parted; as many as there are inputs is a depthwise convolution.
        activation: applied last; `None` for none.
        padding: zeros on either side: one number, or a pair for each axis; by default half the
            dilated kernel, which keeps the size of odd windows.
        dilation: distance of neighbours in the window.
        momentum: of the running averages: the share that a step keeps.
        epsilon: added to the variance.
        scale_init: of the normalisation's scale, such as zeros where a residual branch begins at 0.
    """

    features: int
    kernel: Size = 3
    strides: Size = 1
    groups: int = 1
    activation: Activation | None = nn.relu
    padding: Padding | None = None
    dilation: int = 1
    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_init: nn.initializers.Initializer = nn.initializers.ones_init()

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 o"]:
        channels = images.shape[-1]
        if channels % self.groups or self.features % self.groups:
            raise ExperimentError(
                f"{channels} channels to {self.features} cannot be parted into {self.groups} groups: "
                "it must divide both"
            )
        kernel = pair(self.kernel)
        padding = self.padding
        if padding is None:
            halves = [(self.dilation * (size - 1) + 1) // 2 for size in kernel]
            padding = [(half, half) for half in halves]
        sides = both_sides(padding)
        plain = kernel == (1, 1) and self.groups == 1 and not any(map(any, sides))
        folded = not self.is_initializing() and not self.has_variable("params", "norm")
        x = nn.Conv(
            self.features,
            kernel,
            strides=pair(self.strides),
            padding=sides,
            kernel_dilation=self.dilation,
            feature_group_count=self.groups,
            use_bias=folded,
            conv_general_dilated=pointwise if plain else None,
            name="conv",
        )(images)
        if not folded:
            x = nn.BatchNorm(
                use_running_average=not train,
                momentum=self.momentum,
                epsilon=self.epsilon,
                scale_init=self.scale_init,
                name="norm",
            )(x)
        return x if self.activation is None else self.activation(x)


def pointwise(
    lhs: Array, rhs: Array, window_strides: Sequence[int], padding: Any, **others: Any
) -> Array:
    """A convolution with a window of one pixel and no padding, as the product that it is.

    On a CPU, XLA takes a quarter of the time for it in training: a convolution's gradient for a kernel is a
    convolution with a window as large as the picture.
    """
    down, across = window_strides
    return jnp.tensordot(lhs[:, ::down, ::across], rhs[0, 0], 1)


def max_pool(
    images: Float[Array, "n h w c"],
    window: Size,
    strides: Size,
    padding: Padding = 0,
    *,
    ceil: bool = False,
) -> Float[Array, "n h2 w2 c"]:
    """The largest value of each window; padding never wins, since it is minus infinity.

    Args:
        images: to pool.
        window, strides: height and width, or both as one number.
        padding: on either side: one number, or a pair for each axis.
        ceil: whether a last window counts that only begins inside, as PyTorch's `ceil_mode`.
    """
    inner, extra = _windows(images.shape, window, strides, padding, ceil)
    pads = [(low, high + more) for (low, high), more in zip(inner, extra, strict=True)]
    return jnp.asarray(nn.max_pool(images, pair(window), pair(strides), pads))


def mean_pool(
    images: Float[Array, "n h w c"],
    window: Size,
    strides: Size,
    padding: Padding = 0,
    *,
    ceil: bool = False,
    count_padding: bool = True,
) -> Float[Array, "n h2 w2 c"]:
    """The mean of each window.

    Args:
        images, window, strides, padding, ceil: as in `max_pool`.
        count_padding: whether zeros of the padding count as values, as in PyTorch unless told; what
            `ceil` adds beyond them never does.
    """
    inner, extra = _windows(images.shape, window, strides, padding, ceil)

    def sums(values: Array, pads: Sequence[tuple[int, int]]) -> Array:
        frame = ((0, 0), *pads, (0, 0))
        size, steps = (1, *pair(window), 1), (1, *pair(strides), 1)
        return jax.lax.reduce_window(values, 0.0, jax.lax.add, size, steps, frame)

    pads = [(low, high + more) for (low, high), more in zip(inner, extra, strict=True)]
    if not any(extra) and (count_padding or not any(low or high for low, high in inner)):
        return sums(images, pads) / math.prod(pair(window))
    height, width = images.shape[1:3]
    if count_padding:
        height, width = (
            n + low + high for n, (low, high) in zip((height, width), inner, strict=True)
        )
        pads_of_ones = [(0, more) for more in extra]
    else:
        pads_of_ones = pads
    counts = sums(jnp.ones((1, height, width, 1), images.dtype), pads_of_ones)
    return sums(images, pads) / counts


def pair(size: Size) -> tuple[int, int]:
    """Height and width of what was given as one number or as both."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def both_sides(padding: Padding) -> list[tuple[int, int]]:
    """A pair for each of two axes, of what was given as one number or as pairs."""
    if isinstance(padding, int):
        return [(padding, padding)] * 2
    return [(low, high) for low, high in padding]


def _windows(
    shape: tuple[int, ...], window: Size, strides: Size, padding: Padding, ceil: bool
) -> tuple[list[tuple[int, int]], list[int]]:
    """Padding of both axes, and what must be added on the right for a window that juts out."""
    pads, extra = both_sides(padding), []
    for size, step, length, (low, high) in zip(
        pair(window), pair(strides), shape[1:3], pads, strict=True
    ):
        room = length + low + high - size
        if room < 0:
            raise ExperimentError(
                f"a window of {size} does not fit into {length} pixels padded by {low} and {high}"
            )
        if max(low, high) > size // 2:
            raise ExperimentError(
                f"padding by {max(low, high)} is more than half a window of {size}"
            )
        last = -(-room // step) if ceil else room // step
        if last * step >= length + low:  # it would begin in the padding on the right
            last -= 1
        extra.append(max(0, last * step - room))
    return pads, extra
