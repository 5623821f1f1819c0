"""The scaling of a layer from the mutual information between neighbouring pixels of its input."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError

SHARPNESS = 5.0
Padding = tuple[tuple[int, int], tuple[int, int]]


def sharpened(ratio: Float[Array, "..."], sharpness: float) -> Float[Array, "..."]:
    """The ratio r in [0, 1] with its odds r / (1 - r) multiplied by `sharpness`.

    Source: f_k of the public code; f_1 is the identity and f_k after f_j is f_kj.
    """
    return sharpness * ratio / ((sharpness - 1) * ratio + 1)


def information(
    first: Float[Array, "n"], second: Float[Array, "n"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mutual information of paired samples in bits, and its ratio to their joint entropy.

    Both axes are cut into 1 + ceil(log2 n) equal bins between their extremes (Sturges).

    Args:
        first, second: the pairs.

    Returns:
        The information and the ratio; the ratio is nan for constant samples.

    Source: the estimator of the public code of arXiv:2303.02733.
    """
    bins = 1 + math.ceil(math.log2(len(first)))
    place = _bin(first, bins) * bins + _bin(second, bins)
    counts = jax.ops.segment_sum(jnp.ones_like(first), place, bins * bins)
    joint = counts.reshape(bins, bins) / len(first)
    both = _entropy(joint)
    mutual = _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - both
    return mutual, mutual / both


def _bin(values: jax.Array, bins: int) -> jax.Array:
    low, high = values.min(), values.max()
    share = (values - low) / jnp.where(high > low, high - low, 1)
    # The largest value belongs to the last bin; float32 has no room for a guard above it.
    return jnp.clip(jnp.floor(share * bins), 0, bins - 1).astype(jnp.int32)


def _entropy(probabilities: jax.Array) -> jax.Array:
    safe = jnp.where(probabilities > 0, probabilities, 1)
    return -jnp.sum(probabilities * jnp.log2(safe))


def dependence(
    features: Float[Array, "n h w c"],
    kernel_size: tuple[int, int] = (3, 3),
    *,
    padding: Padding = ((1, 1), (1, 1)),
    dilation: tuple[int, int] = (1, 1),
    sharpness: float = SHARPNESS,
) -> Float[Array, "kh kw"]:
    """How much a pixel tells of each neighbour under the kernel, averaged over channels.

    Args:
        features: a layer's input.
        kernel_size: of the layer; both odd.
        padding: zeros that the layer adds; they belong to the map, as in the public code.
        dilation: between the kernel's taps. The public code ignores it.
        sharpness: k of f_k.

    Returns:
        Values in [0, 1], 1 in the centre. Channels that are constant are left out; if all are, the
        result is all ones, which scales nothing.
    """
    height, width = kernel_size
    if height % 2 == 0 or width % 2 == 0:
        raise ExperimentError(f"a kernel of odd height and width is needed, not {kernel_size}")
    maps = jnp.pad(features, ((0, 0), *padding, (0, 0)))
    found = jnp.ones(kernel_size, features.dtype)
    middle = (height // 2, width // 2)
    for dy in range(middle[0] + 1):
        for dx in range(-middle[1] if dy else 1, middle[1] + 1):
            ratio = _displaced(maps, dy * dilation[0], dx * dilation[1])
            mean = jnp.nanmean(sharpened(ratio, sharpness))
            # A pixel tells of its neighbour what the neighbour tells of it.
            for sign in (1, -1):
                found = found.at[middle[0] + sign * dy, middle[1] + sign * dx].set(mean)
    return jnp.where(jnp.isnan(found).any(), jnp.ones_like(found), found)


def _displaced(maps: jax.Array, dy: int, dx: int) -> jax.Array:
    """The ratio of every channel for pixels and those (dy, dx) further, dy at least 0."""
    height, width = maps.shape[1:3]
    if dy >= height or abs(dx) >= width:
        raise ExperimentError(f"maps of {height} x {width} have no pixels ({dy}, {dx}) apart")
    left, right = max(0, -dx), width - max(0, dx)
    first = maps[:, : height - dy, left:right]
    second = maps[:, dy:, left + dx : right + dx]

    ratio = jax.vmap(lambda one, other: information(one.ravel(), other.ravel())[1], in_axes=-1)
    return jnp.asarray(ratio(first, second))


def measured_scaling(
    features: Float[Array, "n h w c"], kernel_size: tuple[int, int] = (3, 3), **options: Any
) -> Float[Array, "kh kw"]:
    """`dependence` over its mean: the layer's spatial gradient scaling."""
    found = dependence(features, kernel_size, **options)
    return found / found.mean()


@dataclasses.dataclass(frozen=True)
class Call:
    """A module and its arguments, equal if they are: what was compiled for one serves the other."""

    module: nn.Module
    arguments: Mapping[str, Any]

    def __hash__(self) -> int:
        # Attributes such as lists have no hash of their own.
        return hash(repr((self.module, self.arguments)))


def model_scalings(
    model: nn.Module,
    variables: Mapping[str, Any],
    images: Float[Array, "n h w c"],
    *,
    sharpness: float = SHARPNESS,
    **arguments: Any,
) -> dict[str, Float[Array, "kh kw"]]:
    """The scaling of every spatial `nn.Conv` of any Flax model, from the inputs that it sees.

    Args:
        model: is left as it is; the inputs are overheard.
        variables: of the model.
        images: a batch or a few, together.
        sharpness: see `dependence`.
        arguments: for the model's call, such as `train=False`.

    Returns:
        A scaling for each kernel's path, such as "Conv_0/kernel", for `scaling.at_kernels`. A layer
        that is called several times gets the mean over its calls.
    """
    heard: dict[str, list[jax.Array]] = {}

    def listen(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        layer = context.module
        if isinstance(layer, nn.Conv) and context.method_name == "__call__":
            size = layer.kernel_size
            if not isinstance(size, int) and len(size) == 2 and min(size) > 1:
                found = measured_scaling(
                    args[0],
                    (size[0], size[1]),
                    padding=_padding(layer),
                    dilation=_pair(layer.kernel_dilation),
                    sharpness=sharpness,
                )
                heard.setdefault("/".join((*layer.path, "kernel")), []).append(found)
        return call(*args, **kwargs)

    with nn.intercept_methods(listen):
        model.apply(variables, images, **arguments)
    return {path: sum(calls) / len(calls) for path, calls in heard.items()}  # type: ignore[misc]


def _pair(value: Any) -> tuple[int, int]:
    if value is None or isinstance(value, int):
        return (value or 1, value or 1)
    return (int(value[0]), int(value[1]))


def _padding(layer: nn.Conv) -> Padding:
    """The zeros that a layer adds on each side of each axis, whatever its strides."""
    if isinstance(layer.padding, str):
        if layer.padding == "VALID":
            return ((0, 0), (0, 0))
        if layer.padding != "SAME":
            raise ExperimentError(f"padding {layer.padding!r} is not of zeros")
        dilated = zip(_pair(layer.kernel_size), _pair(layer.kernel_dilation), strict=True)
        above, left = ((size - 1) * step // 2 for size, step in dilated)
        return ((above, above), (left, left))
    if isinstance(layer.padding, int):
        return ((layer.padding, layer.padding), (layer.padding, layer.padding))
    first, second = ((p, p) if isinstance(p, int) else (p[0], p[1]) for p in layer.padding)
    return (first, second)
