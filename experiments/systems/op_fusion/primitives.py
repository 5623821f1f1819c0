"""What each primitive of a jaxpr reads, row by row, and what it writes."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jax.extend.core import JaxprEqn

from experiments.systems.op_fusion.graph import Read, Tensor

# fmt: off
ELEMENTWISE = frozenset(
    (
        "add", "add_any", "sub", "mul", "div", "max", "min", "neg", "abs", "sign", "exp",
        "exp2", "expm1", "log", "log1p", "tanh", "logistic", "sqrt", "rsqrt", "cbrt",
        "square", "pow", "integer_pow", "erf", "erfc", "erf_inv", "floor", "ceil", "round",
        "is_finite", "rem", "sin", "cos", "tan", "atan2", "asin", "acos", "atan", "sinh",
        "cosh", "asinh", "acosh", "atanh", "nextafter", "select_n", "clamp", "ge", "gt",
        "le", "lt", "eq", "ne", "and", "or", "xor", "not", "real", "imag", "shift_left",
        "shift_right_logical", "shift_right_arithmetic"
    )
)
VIEWS = frozenset(
    (
        "reshape", "squeeze", "transpose", "broadcast_in_dim", "convert_element_type",
        "copy", "copy_p", "stop_gradient", "reduce_precision", "optimization_barrier",
        "sharding_constraint"
    )
)
# fmt: on
AFFINE = frozenset(("add", "sub", "mul", "div", "neg"))


@dataclasses.dataclass(frozen=True)
class Static:
    """A value that depends on weights and constants alone; `elements` must be kept for it."""

    elements: int


@dataclasses.dataclass(frozen=True)
class Live:
    """A view of a tensor.

    Args:
        source: the operator that wrote it, or an input, as in `Read`.
        shape: its present one.
        row_axis: which axis of it runs over the tensor's rows; none where that is lost.
        rows: of the tensor.
    """

    source: int
    shape: tuple[int, ...]
    row_axis: int | None
    rows: int


Value = Static | Live


@dataclasses.dataclass(frozen=True)
class Written:
    """An operator that has no number yet.

    Args:
        kind: as in `Op`.
        reads: as in `Op`.
        shape: of its output.
        row_axis: of its output.
        weights: as in `Op`.
        filters: as in `Op`.
        affine: the primitive and the constants of an element-wise affine map.
    """

    kind: str
    reads: tuple[Read, ...]
    shape: tuple[int, ...]
    row_axis: int | None
    weights: int = 0
    filters: int = 1
    affine: tuple[str, int] | None = None


Shapes = Sequence[tuple[int, ...]]
Rule = Callable[[JaxprEqn, Sequence[Value], Shapes], list[Written] | None]
"""Operators for an equation with these operands and outputs of these shapes, one for each output;
none where it is not known which rows it needs."""


def shape_of(variable: Any) -> tuple[int, ...]:
    """The shape of a jaxpr's variable."""
    return tuple(variable.aval.shape)


def tensor(shape: Sequence[int], row_axis: int | None) -> Tensor:
    """What a value of a shape is to the memory: rows along an axis, or one row."""
    rows = 1 if row_axis is None else max(1, shape[row_axis])
    return Tensor(rows, max(1, math.prod(shape)) // rows)


def live(operands: Iterable[Value]) -> list[Live]:
    """The operands that depend on inputs."""
    return [operand for operand in operands if isinstance(operand, Live)]


def kept(operands: Iterable[Value]) -> int:
    """Elements of the operands that do not."""
    return sum(operand.elements for operand in operands if isinstance(operand, Static))


def aligned(value: Live, row_axis: int | None) -> Read:
    """The read of one row for one row of an output whose rows run along an axis."""
    same = row_axis is not None and value.row_axis == row_axis
    return Read(value.source, whole=value.rows > 1 and not same)


def whole(value: Live) -> Read:
    """The read of all rows."""
    return Read(value.source, whole=True)


def view(equation: JaxprEqn, value: Live, shape: tuple[int, ...]) -> Live:
    """The same tensor in another shape; its row axis where it survives."""
    name, params, axis = equation.primitive.name, equation.params, value.row_axis
    if axis is not None and name == "transpose":
        axis = tuple(params["permutation"]).index(axis)
    elif axis is not None and name == "broadcast_in_dim":
        axis = params["broadcast_dimensions"][axis]
    elif axis is not None and name in ("reshape", "squeeze"):
        before, rows = math.prod(value.shape[:axis]), value.shape[axis]
        axis = next(
            (a for a in range(len(shape)) if math.prod(shape[:a]) == before and shape[a] == rows),
            None,
        )
    return dataclasses.replace(value, shape=shape, row_axis=axis)


def rule(name: str) -> Rule | None:
    """The rule for a primitive; none for those of which nothing is known."""
    if name in ELEMENTWISE:
        return _elementwise
    if name.startswith("reduce_window"):
        return _window
    if name.startswith(("reduce_", "arg")) and name not in VIEWS:
        return _reduce
    return _RULES.get(name)


def opaque(name: str, operands: Sequence[Value], shapes: Shapes) -> Written:
    """An operator that needs all rows, and writes all of its outputs at once as a single row."""
    total = sum(math.prod(shape) for shape in shapes)
    reads = tuple(whole(value) for value in live(operands))
    return Written(name, reads, (total,), None, kept(operands))


def _tallest(values: Sequence[Live]) -> int | None:
    """The row axis of what is computed from these row by row: that of the one with most rows."""
    return max(values, key=lambda value: value.rows).row_axis


def _elementwise(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written]:
    name, values, shape = equation.primitive.name, live(operands), shapes[0]
    axis, weights = _tallest(values), kept(operands)
    divides_by_it = name == "div" and isinstance(operands[-1], Live)
    is_affine = name in AFFINE and len(values) == 1 and values[0].shape == shape
    reads = tuple(aligned(value, axis) for value in values)
    affine = (name, weights) if is_affine and not divides_by_it else None
    return [Written(name, reads, shape, axis, weights, affine=affine)]


def _conv(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written] | None:
    image, kernel = operands
    if not isinstance(image, Live) or isinstance(kernel, Live):
        return None
    params = equation.params
    spec = params["dimension_numbers"]
    if len(spec.lhs_spec) < 3:
        return None
    taps = shape_of(equation.invars[1])[spec.rhs_spec[2]]
    by_rows = image.row_axis == spec.lhs_spec[2] and params["lhs_dilation"][0] == 1
    read = Read(
        image.source,
        (taps - 1) * params["rhs_dilation"][0] + 1,
        params["window_strides"][0],
        params["padding"][0][0],
    )
    reads = (read if by_rows else whole(image),)
    filters = shapes[0][spec.out_spec[1]]
    return [Written("conv", reads, shapes[0], spec.out_spec[2], kernel.elements, filters)]


def _dot(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written]:
    contracted, batched = equation.params["dimension_numbers"]
    ranks = [len(shape_of(variable)) for variable in equation.invars]
    free = [
        [a for a in range(ranks[side]) if a not in (*contracted[side], *batched[side])]
        for side in (0, 1)
    ]

    def place(side: int, operand: Value) -> int | None:
        """Where an operand's rows go in the output."""
        axis = operand.row_axis if isinstance(operand, Live) else None
        if axis is None or axis in contracted[side]:
            return None
        if axis in batched[side]:
            return tuple(batched[side]).index(axis)
        return len(batched[0]) + (len(free[0]) if side else 0) + free[side].index(axis)

    places = [place(side, operand) for side, operand in enumerate(operands)]
    out = next((p for p in places if p is not None), None)
    reads = tuple(
        Read(o.source) if p == out and p is not None else whole(o)
        for o, p in zip(operands, places, strict=True)
        if isinstance(o, Live)
    )
    kind = "dense" if len(reads) == 1 else "dot"
    filters = shapes[0][-1] if shapes[0] else 1
    return [Written(kind, reads, shapes[0], out, kept(operands), filters)]


def _window(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written] | None:
    value, params = live(operands)[0], equation.params
    axis = value.row_axis
    if len(live(operands)) != 1 or len(shapes) != 1 or axis is None:
        return None
    if params["base_dilation"][axis] != 1:
        return None
    kernel = (params["window_dimensions"][axis] - 1) * params["window_dilation"][axis] + 1
    stride, padding = params["window_strides"][axis], params["padding"][axis][0]
    read = Read(value.source, kernel, stride, padding)
    return [Written(equation.primitive.name, (read,), shapes[0], axis)]


def _reduce(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written] | None:
    value, axes = operands[0], equation.params.get("axes")
    if not isinstance(value, Live) or axes is None or len(shapes) != 1:
        return None
    axis, name = value.row_axis, equation.primitive.name
    if axis is None or axis in axes:
        return [Written(name, (whole(value),), shapes[0], None)]
    return [Written(name, (Read(value.source),), shapes[0], axis - sum(a < axis for a in axes))]


def _concatenate(
    equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes
) -> list[Written] | None:
    values = live(operands)
    axis = _tallest(values)
    if axis is None or equation.params["dimension"] == axis:
        return None
    reads = tuple(aligned(value, axis) for value in values)
    return [Written("concatenate", reads, shapes[0], axis, kept(operands))]


def _pad(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written] | None:
    value = operands[0]
    if not isinstance(value, Live) or value.row_axis is None:
        return None
    low, _, interior = equation.params["padding_config"][value.row_axis]
    if interior:
        return None
    return [Written("pad", (Read(value.source, padding=low),), shapes[0], value.row_axis)]


def _slice(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written] | None:
    value, params = operands[0], equation.params
    if not isinstance(value, Live) or value.row_axis is None:
        return None
    start = params["start_indices"][value.row_axis]
    stride = (params["strides"] or [1] * len(value.shape))[value.row_axis]
    read = Read(value.source, stride=stride, padding=-start)
    return [Written("slice", (read,), shapes[0], value.row_axis)]


def _split(equation: JaxprEqn, operands: Sequence[Value], shapes: Shapes) -> list[Written] | None:
    value = operands[0]
    if not isinstance(value, Live) or value.row_axis in (None, equation.params["axis"]):
        return None
    return [Written("split", (Read(value.source),), s, value.row_axis) for s in shapes]


_RULES: Mapping[str, Rule] = {
    "conv_general_dilated": _conv,
    "dot_general": _dot,
    "concatenate": _concatenate,
    "pad": _pad,
    "slice": _slice,
    "split": _split,
}
