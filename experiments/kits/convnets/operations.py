"""What a traced model does, as plain data: values, operations on them, and which of them multiply."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from ntkexec.errors import ExperimentError

Shape = tuple[int, ...]
CONVOLUTION, PRODUCT = "conv_general_dilated", "dot_general"


@dataclasses.dataclass(frozen=True)
class Value:
    """An array that an operation reads or makes.

    Args:
        number: tells values apart.
        shape: of the array.
        active: whether it depends on the model's inputs; what does not is known before them.
        leaves: paths of the variables that it is made of, such as `params/conv/kernel`; empty
            where it is active.
    """

    number: int
    shape: Shape
    active: bool
    leaves: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """One equation of the trace, calls taken apart.

    Args:
        name: of the primitive, such as `dot_general`.
        path: of the module, from the trace's name stack.
        reads, makes: values.
        settings: the primitive's parameters.
        times: how often it runs: the lengths of the scans around it, multiplied.
    """

    name: str
    path: str
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    settings: Mapping[str, Any]
    times: int


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution by its shapes; axes in the order that `numbers` says.

    Args:
        image, kernel, out: shapes.
        strides, padding, image_dilation, kernel_dilation: for each spatial axis; padding low and high.
        numbers: axes (batch, features, spatial ...) of the image, (out, in, spatial ...) of the
            kernel, (batch, features, spatial ...) of the result.
        groups: of features; `batch_groups`, of pictures, come up in gradients only.
    """

    image: Shape
    kernel: Shape
    out: Shape
    strides: Shape
    padding: tuple[tuple[int, int], ...]
    image_dilation: Shape
    kernel_dilation: Shape
    numbers: tuple[Shape, Shape, Shape]
    groups: int
    batch_groups: int

    @property
    def in_features(self) -> int:
        return self.image[self.numbers[0][1]]

    @property
    def out_features(self) -> int:
        return self.out[self.numbers[2][1]]

    @property
    def multiplications(self) -> int:
        """Products summed: every tap of every output position, padding included, as papers count.

        Along an axis whose input is dilated (a transposed convolution) the zeros between elements do not
        count, but every element meets every tap, also where the result is cropped. Where such an
        axis has a stride as well, which neither convention covers, pairs that meet are counted.
        """
        _, (_, in_axis, *_), (batch_axis, feature_axis, *_) = self.numbers
        pairs = math.prod(self._pairs(axis) for axis in range(len(self.strides)))
        return self.out[batch_axis] * self.out[feature_axis] * self.kernel[in_axis] * pairs

    def _pairs(self, axis: int) -> int:
        size, taps, out = (
            shape[spec[2 + axis]]
            for shape, spec in zip((self.image, self.kernel, self.out), self.numbers, strict=True)
        )
        spread, stride = self.image_dilation[axis], self.strides[axis]
        if spread == 1:
            return out * taps
        if stride == 1:
            return size * taps
        step, low = self.kernel_dilation[axis], self.padding[axis][0]
        places = (o * stride + k * step - low for o in range(out) for k in range(taps))
        return sum(p % spread == 0 and 0 <= p < size * spread for p in places)


@dataclasses.dataclass(frozen=True)
class Product:
    """A product of two arrays, summed over shared axes.

    Args:
        left, right: shapes.
        contracted: axes of left and of right that are summed over, in pairs.
        batch: axes of left and of right along which it is done for each index by itself.
    """

    left: Shape
    right: Shape
    contracted: tuple[Shape, Shape]
    batch: tuple[Shape, Shape]

    @property
    def summed(self) -> int:
        """Terms of each sum."""
        return math.prod(self.left[axis] for axis in self.contracted[0])

    @property
    def free(self) -> tuple[int, int]:
        """Sizes of what only left has, and only right."""
        pairs = zip((self.left, self.right), self.contracted, self.batch, strict=True)
        left, right = (
            math.prod(n for axis, n in enumerate(shape) if axis not in {*summed, *batch})
            for shape, summed, batch in pairs
        )
        return left, right

    @property
    def multiplications(self) -> int:
        left, right = self.free
        return math.prod(self.left[axis] for axis in self.batch[0]) * left * right * self.summed


@dataclasses.dataclass(frozen=True)
class WrittenSum:
    """Products of two arrays, element by element, that the model adds up by itself.

    Args:
        factors: shapes of both factors of each term.
    """

    factors: tuple[tuple[Shape, Shape], ...]

    @property
    def multiplications(self) -> int:
        return sum(
            math.prod(max(pair) for pair in zip(left, right, strict=True))
            for left, right in self.factors
        )


def multiplying(operation: Operation) -> Convolution | Product | None:
    """The convolution or product that an operation is; nothing if it is neither.

    Raises:
        ExperimentError: for a product of another kind, which nobody here can count.
    """
    settings = operation.settings
    if operation.name == CONVOLUTION:
        numbers = settings["dimension_numbers"]
        image, kernel = operation.reads[:2]
        return Convolution(
            image=image.shape,
            kernel=kernel.shape,
            out=operation.makes[0].shape,
            strides=tuple(settings["window_strides"]),
            padding=tuple((int(low), int(high)) for low, high in settings["padding"]),
            image_dilation=tuple(settings["lhs_dilation"]),
            kernel_dilation=tuple(settings["rhs_dilation"]),
            numbers=(tuple(numbers.lhs_spec), tuple(numbers.rhs_spec), tuple(numbers.out_spec)),
            groups=settings["feature_group_count"],
            batch_groups=settings["batch_group_count"],
        )
    if operation.name == PRODUCT:
        contracted, batch = settings["dimension_numbers"]
        left, right = (value.shape for value in operation.reads[:2])
        pairs = ((tuple(one), tuple(other)) for one, other in (contracted, batch))
        return Product(left, right, *pairs)
    if "dot" in operation.name.split("_"):
        raise ExperimentError(
            f"{operation.path or 'the model'} has a product of the kind {operation.name!r}, which is "
            f"not counted: write it with {PRODUCT} or einsum"
        )
    return None
