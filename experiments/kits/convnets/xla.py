"""The second route: multiplications by XLA's own cost analysis, integer for integer.

It checks how each operation that a walk found was counted, and not whether one was missed: for that compare
with `cost_analysis` of the whole lowered function, whose FLOPs are of all elementwise work, too.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from experiments.kits.convnets.operations import Convolution, Product, Shape, WrittenSum
from experiments.kits.convnets.walker import Layer, Walk
from ntkexec.errors import ExperimentError

# XLA keeps its counts in float32, whose integers are exact below.
EXACT = 2**24


def multiplications_by_xla(found: Walk, *, padded: bool = True) -> int:
    """All multiplications of a walk, as XLA counts the operations; compare `found.multiplications`.

    Every distinct operation is lowered by itself, not compiled, and XLA's FLOPs are halved: it counts a
    multiplication and an addition for each. Of a convolution XLA counts no padding, so the picture
    comes padded, and an input that is dilated keeps room for all its products.

    Args:
        found: by `walk`.
        padded: whether multiplications by padding count, as papers count; else those are left out.
    """
    return sum(layer_by_xla(layer, padded=padded) for layer in found.layers)


def layer_by_xla(layer: Layer, *, padded: bool = True) -> int:
    """A layer's multiplications, as `multiplications_by_xla` counts them; 0 if it has none.

    Raises:
        ExperimentError: for an operation so large that float32 cannot tell its count, even for one
            feature of one picture.
    """
    return 0 if layer.operation is None else _counted(layer.operation, padded) * layer.times


@functools.lru_cache(maxsize=4096)
def _counted(operation: Convolution | Product | WrittenSum, padded: bool) -> int:
    if isinstance(operation, WrittenSum):
        return sum(_exact(iter([(1, _flops(jnp.multiply, *pair))])) for pair in operation.factors)
    if isinstance(operation, Convolution):
        doubled = _exact(_of_convolution(operation, padded))
    else:
        doubled = _exact(_of_product(operation))
    if doubled % 2:
        raise ExperimentError(f"XLA counts {doubled} FLOPs, an odd number, for {operation}")
    return doubled // 2


def _exact(parts: Iterator[tuple[int, float]]) -> int:
    """The first count that is exact, times the share of the whole that it was asked for."""
    count = float("nan")
    for factor, count in parts:
        if count < EXACT:
            return factor * int(count)
    raise ExperimentError(
        f"XLA counts in float32, and {count:.3g} FLOPs are beyond its exact integers: walk the model on "
        "a smaller picture"
    )


def _flops(function: Callable[..., Any], *shapes: Shape) -> float:
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    analysis = jax.jit(function).lower(*arrays).cost_analysis() or {}
    return float(analysis.get("flops", float("nan")))


def as_function(
    operation: Convolution | Product,
) -> tuple[Callable[[Array, Array], Array], Shape, Shape]:
    """The operation as a function of two arrays, with their shapes: to lower, to time, to try."""
    if isinstance(operation, Product):
        numbers = (operation.contracted, operation.batch)
        return (lambda a, b: lax.dot_general(a, b, numbers)), operation.left, operation.right

    def run(image: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(
            image,
            kernel,
            window_strides=operation.strides,
            padding=operation.padding,
            lhs_dilation=operation.image_dilation,
            rhs_dilation=operation.kernel_dilation,
            dimension_numbers=lax.ConvDimensionNumbers(*operation.numbers),
            feature_group_count=operation.groups,
            batch_group_count=operation.batch_groups,
        )

    return run, operation.image, operation.kernel


def _of_convolution(operation: Convolution, padded: bool) -> Iterator[tuple[int, float]]:
    """Counts for the whole, for one feature in and out of each group of one picture, for one group."""
    _, kernel_axes, out_axes = operation.numbers
    groups, batches = operation.groups, operation.batch_groups
    width = operation.kernel[kernel_axes[1]]
    made = operation.kernel[kernel_axes[0]] // (groups * batches)
    pictures = operation.out[out_axes[0]]
    yield 1, _flops(*as_function(_narrowed(operation, width, made, pictures, padded)))
    share = width * made * pictures
    yield share, _flops(*as_function(_narrowed(operation, 1, 1, 1, padded)))
    one = dataclasses.replace(operation, groups=1, batch_groups=1)
    yield share * groups * batches, _flops(*as_function(_narrowed(one, 1, 1, 1, padded)))


def _narrowed(
    operation: Convolution, width: int, made: int, pictures: int, padded: bool
) -> Convolution:
    """With so many features in and out of a group and so many pictures, padded beforehand or not."""
    axes, kernel_axes, _ = operation.numbers
    groups, batches = operation.groups, operation.batch_groups
    image, kernel = list(operation.image), list(operation.kernel)
    image[axes[0]], image[axes[1]] = pictures * batches, width * groups
    kernel[kernel_axes[0]], kernel[kernel_axes[1]] = made * groups * batches, width
    padding = []
    for axis, (low, high) in enumerate(operation.padding):
        if not padded:
            padding.append((low, high))
        elif operation.image_dilation[axis] == 1:
            image[axes[2 + axis]] += low + high
            padding.append((0, 0))
        elif operation.strides[axis] == 1:
            reach = (kernel[kernel_axes[2 + axis]] - 1) * operation.kernel_dilation[axis]
            padding.append((reach, reach))
        else:
            padding.append((low, high))
    return dataclasses.replace(
        operation, image=tuple(image), kernel=tuple(kernel), padding=tuple(padding)
    )


def _of_product(operation: Product) -> Iterator[tuple[int, float]]:
    """Counts for the whole, for one row and column, and for one of the batch."""
    yield 1, _flops(*as_function(operation))
    left, right = list(operation.left), list(operation.right)
    pairs = zip((left, right), operation.contracted, operation.batch, strict=True)
    for shape, summed, batch in pairs:
        for axis in {*range(len(shape))} - {*summed, *batch}:
            shape[axis] = 1
    one = dataclasses.replace(operation, left=tuple(left), right=tuple(right))
    share = math.prod(operation.free)
    yield share, _flops(*as_function(one))
    for shape, batch in zip((left, right), operation.batch, strict=True):
        for axis in batch:
            shape[axis] = 1
    share *= math.prod(operation.left[axis] for axis in operation.batch[0])
    one = dataclasses.replace(operation, left=tuple(left), right=tuple(right))
    yield share, _flops(*as_function(one))
