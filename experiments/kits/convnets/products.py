"""Convolutions as products of shifted copies: within a scan on a CPU they train several times quicker.

XLA's convolutions on a CPU lose their quick kernels inside loops, and the gradient of a small kernel
is a convolution with a window as large as the picture; products have neither trouble.

    from experiments.kits.convnets.fitting import fit
    from experiments.kits.convnets.products import ByProducts

    found = fit(ByProducts(model), images, generator=generator, steps=300)
    model.apply(found.variables, images.test)  # the variables are the model's own
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import Padding, Size, both_sides, pair
from ntkexec.errors import ExperimentError


def convolve(
    images: Float[Array, "n h w i"],
    kernel: Float[Array, "a b j o"],
    *,
    strides: Size = 1,
    padding: Padding = 0,
    groups: int = 1,
) -> Float[Array, "n h2 w2 o"]:
    """A convolution as Flax has it, to rounding, without a convolution.

    A depthwise kernel is multiplied tap by tap. Groups are written into one dense kernel with zeros
    between: more multiplications, in less time as long as channels are few.

    Args:
        images: of any size that holds a window.
        kernel: j input channels of each group; o output channels of all groups.
        strides: of the window: height and width, or both as one number.
        padding: zeros on either side: one number, or a pair for each axis.
        groups: into which the channels are parted.

    Raises:
        ExperimentError: the kernel does not fit the channels.
    """
    (tall, wide), (down, across) = kernel.shape[:2], pair(strides)
    channels, features = images.shape[-1], kernel.shape[-1]
    if kernel.shape[2] * groups != channels or features % groups:
        raise ExperimentError(
            f"a kernel {kernel.shape} in {groups} groups does not fit {channels} channels"
        )
    pads = both_sides(padding)
    if any(low or high for low, high in pads):
        images = jnp.pad(images, ((0, 0), *pads, (0, 0)))
    height, width = images.shape[1] - tall + 1, images.shape[2] - wide + 1
    taps = [
        images[:, top : top + height : down, left : left + width : across]
        for top in range(tall)
        for left in range(wide)
    ]
    flat = kernel.reshape(tall * wide, *kernel.shape[2:])
    if groups == channels == features:
        out = taps[0] * flat[0, 0][None, None, None]
        for tap, weights in zip(taps[1:], flat[1:, 0], strict=True):
            out = out + tap * weights[None, None, None]
        return out
    if groups > 1:
        flat = _dense(flat, groups)
    joined = taps[0] if len(taps) == 1 else jnp.concatenate(taps, -1)
    return jnp.tensordot(joined, flat.reshape(-1, features), 1)


def _dense(kernel: Array, groups: int) -> Array:
    """The kernel (k, j, o) of groups as one of (k, j groups, o) that is zero between them."""
    size, inner, features = kernel.shape
    parts = kernel.reshape(size, inner, groups, features // groups)
    same = jnp.eye(groups, dtype=kernel.dtype)[None, :, None, :, None]
    return (same * parts[:, None]).reshape(size, groups * inner, features)


class ByProducts(nn.Module):
    """A model in which every two-dimensional `nn.Conv` is computed by `convolve`; its own variables.

    What `convolve` cannot do (dilation, masks, circular padding, other types than the inputs') stays
    as it is. A class of yours that inherits from `nn.Conv` and computes something else, or a convolution
    function given to one, is computed as `nn.Conv` computes: do not wrap such a model.

    Args:
        model: any linen module that is no convolution itself.
    """

    model: nn.Module

    def setup(self) -> None:
        nn.share_scope(self, self.model)

    def __call__(self, *inputs: Any, **arguments: Any) -> Any:
        with nn.intercept_methods(_by_products):
            return self.model(*inputs, **arguments)


def _by_products(
    following: Callable[..., Any],
    inputs: Any,
    arguments: Any,
    context: nn.module.InterceptorContext,
) -> Any:
    layer = context.module
    images = inputs[0] if inputs else arguments.get("inputs")
    if not isinstance(layer, nn.Conv) or context.method_name != "__call__":
        return following(*inputs, **arguments)
    if not _fits(layer) or jnp.ndim(images) != 4:
        return following(*inputs, **arguments)
    window, strides = _two(layer.kernel_size), _two(layer.strides or 1)
    padding: Any = layer.padding
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(images.shape[1:3], window, strides, padding)
    elif not isinstance(padding, int):
        padding = [_two(side) for side in padding]
    groups = layer.feature_group_count
    shape = (*window, images.shape[-1] // groups, layer.features)
    kernel = layer.param("kernel", layer.kernel_init, shape, layer.param_dtype)
    out = convolve(images, kernel, strides=strides, padding=padding, groups=groups)
    if layer.use_bias:
        bias = layer.param("bias", layer.bias_init, (layer.features,), layer.param_dtype)
        out = out + bias[None, None, None]
    return out


def _two(size: int | Sequence[int]) -> tuple[int, int]:
    one, other = (size, size) if isinstance(size, int) else size
    return one, other


def _fits(layer: nn.Conv) -> bool:
    plain = isinstance(layer.padding, int) or layer.padding in ("SAME", "VALID")
    plain = plain or not isinstance(layer.padding, str)
    dilations = (layer.input_dilation, layer.kernel_dilation)
    undilated = all(one in (None, 1, (1, 1), [1, 1]) for one in dilations)
    two = not isinstance(layer.kernel_size, int) and len(layer.kernel_size) == 2
    return plain and undilated and two and layer.mask is None and layer.dtype is None
