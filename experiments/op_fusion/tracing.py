"""Operator graphs of JAX functions, read from their jaxprs; nothing is computed."""

import collections
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from experiments.op_fusion.graph import Op, OpGraph, Read, Tensor
from ntkexec.errors import ExperimentError

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
LINEAR = frozenset(("conv", "dense", "reduce_sum", "reduce_window_sum"))


@dataclasses.dataclass(frozen=True)
class _Static:
    """A value that depends on weights and constants alone; `elements` must be kept for it."""

    elements: int


@dataclasses.dataclass(frozen=True)
class _Live:
    """A view of a tensor: its present shape, and which of its axes runs over the tensor's rows."""

    source: int
    shape: tuple[int, ...]
    row_axis: int | None


@dataclasses.dataclass
class _Draft:
    """An operator before folding; `affine` holds the constants of an affine element-wise one."""

    op: Op
    affine: tuple[str, int] | None = None


def trace(function: Callable[..., Any], weights: Any, *inputs: Any) -> OpGraph:
    """The operator graph of `function(weights, *inputs)` as it would be run for inference.

    What depends on weights alone is computed beforehand and costs its size. Reshapes and the like
    are no operators. A named element-wise function, such as `jax.nn.silu`, is one operator. Affine
    maps by constants after a convolution, dense layer or mean (biases, batch normalisation) are
    folded into it where nobody else reads its output. Operators of which it is not known which
    rows they need, such as loops, sorts and gathers, are taken to need all rows and to write their
    output at once, so memory is never underestimated.

    Args:
        function: any JAX function; its arguments may be pytrees.
        weights: first argument: arrays or `jax.ShapeDtypeStruct`s.
        inputs: the others, likewise. Rows run along axis 1 of inputs with three axes or more (the
            height of NHWC images, the position of sequences); other inputs are a single row.

    Returns:
        The graph, without operators on which no output depends.

    Raises:
        ExperimentError: if no output depends on the inputs.
    """
    closed = jax.make_jaxpr(function)(weights, *inputs)
    num_weights = len(jax.tree.leaves(weights))
    drafts, given, results = _Reader().read(closed, num_weights)
    if not results:
        raise ExperimentError("no output of the function depends on its inputs")
    return _finish(drafts, given, results)


class _Reader:
    """Walks over a jaxpr and collects operators."""

    def __init__(self) -> None:
        self.drafts: list[_Draft] = []
        self.inputs: list[Tensor] = []

    def read(
        self, closed: ClosedJaxpr, num_weights: int
    ) -> tuple[list[_Draft], list[Tensor], list[int]]:
        jaxpr = closed.jaxpr
        values: list[_Static | _Live] = []
        for place, variable in enumerate(jaxpr.invars):
            shape = tuple(variable.aval.shape)
            if place < num_weights:
                values.append(_Static(math.prod(shape)))
            else:
                axis = 1 if len(shape) >= 3 else None
                self.inputs.append(_tensor(shape, axis))
                values.append(_Live(-len(self.inputs), shape, axis))
        constants = [_Static(math.prod(v.aval.shape)) for v in jaxpr.constvars]
        found = self._walk(jaxpr, constants, values)
        results = [v.source for v in found if isinstance(v, _Live) and v.source >= 0]
        return self.drafts, self.inputs, results

    def _walk(
        self, jaxpr: Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]
    ) -> list[_Static | _Live]:
        values = dict(zip(jaxpr.constvars, constants, strict=True))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def value(atom: Any) -> _Static | _Live:
            # A literal is part of the instruction, not of the weights.
            return _Static(0) if isinstance(atom, Literal) else values[atom]

        for equation in jaxpr.eqns:
            operands = [value(atom) for atom in equation.invars]
            outs = self._apply(equation, operands)
            values.update(zip(equation.outvars, outs, strict=True))
        return [value(atom) for atom in jaxpr.outvars]

    def _apply(self, equation: JaxprEqn, operands: list[Any]) -> list[_Static | _Live]:
        name, shapes = equation.primitive.name, [_shape(v) for v in equation.outvars]
        live = [operand for operand in operands if isinstance(operand, _Live)]
        if not live:
            kept = sum(operand.elements for operand in operands)
            return [_Static(min(kept, math.prod(shape))) for shape in shapes]
        if (inner := _inner(equation)) is not None:
            keeps_shape = len(live) == len(shapes) == 1 and live[0].shape == shapes[0]
            if keeps_shape and _is_elementwise(inner.jaxpr):
                axis = live[0].row_axis
                static = sum(o.elements for o in operands if isinstance(o, _Static))
                read = self._aligned(live[0], axis)
                return [self._add(_title(equation), [read], shapes[0], axis, weights=static)]
            constants = [_Static(math.prod(v.aval.shape)) for v in inner.jaxpr.constvars]
            return self._walk(inner.jaxpr, constants, operands)
        if name in VIEWS and len(live) == 1 and len(shapes) == 1:
            return [_view(name, equation.params, live[0], shapes[0])]
        if name in ELEMENTWISE:
            return [self._elementwise(name, operands, live, shapes[0])]
        handler = _HANDLERS.get(name)
        if handler is None and name.startswith("reduce_window"):
            handler = _Reader._window
        elif handler is None and (name.startswith("reduce_") or name.startswith("arg")):
            handler = _Reader._reduce
        made = None if handler is None else handler(self, equation, operands, shapes)
        return made if made is not None else self._opaque(name, operands, shapes)

    def _add(
        self,
        kind: str,
        reads: Iterable[Read],
        shape: tuple[int, ...],
        row_axis: int | None,
        *,
        weights: int = 0,
        filters: int = 1,
        affine: tuple[str, int] | None = None,
    ) -> _Live:
        op = Op(kind, _tensor(shape, row_axis), tuple(reads), weights, filters)
        self.drafts.append(_Draft(op, affine))
        return _Live(len(self.drafts) - 1, shape, row_axis)

    def _rows(self, value: _Live) -> int:
        source = value.source
        tensor = self.drafts[source].op.output if source >= 0 else self.inputs[-1 - source]
        return tensor.rows

    def _axis(self, live: Sequence[_Live]) -> int | None:
        """The row axis of what is computed from these row by row: that of the tallest."""
        return max(live, key=self._rows).row_axis

    def _aligned(self, value: _Live, row_axis: int | None) -> Read:
        return Read(value.source) if self._rows(value) == 1 else _row_read(value, row_axis)

    def _elementwise(
        self, name: str, operands: list[Any], live: list[_Live], shape: tuple[int, ...]
    ) -> _Live:
        axis = self._axis(live)
        static = sum(operand.elements for operand in operands if isinstance(operand, _Static))
        affine = None
        divides_by_it = name == "div" and isinstance(operands[-1], _Live)
        if name in AFFINE and len(live) == 1 and live[0].shape == shape and not divides_by_it:
            affine = (name, static)
        reads = [self._aligned(value, axis) for value in live]
        return self._add(name, reads, shape, axis, weights=static, affine=affine)

    def _opaque(
        self, name: str, operands: list[Any], shapes: list[tuple[int, ...]]
    ) -> list[_Static | _Live]:
        live = [operand for operand in operands if isinstance(operand, _Live)]
        static = sum(operand.elements for operand in operands if isinstance(operand, _Static))
        total = sum(math.prod(shape) for shape in shapes)
        made = self._add(name, [_whole(v) for v in live], (total,), None, weights=static)
        return [_Live(made.source, shape, None) for shape in shapes]

    def _conv(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        image, kernel = operands
        if not isinstance(image, _Live) or isinstance(kernel, _Live):
            return None
        params = equation.params
        spec = params["dimension_numbers"]
        if len(spec.lhs_spec) < 3:
            return None
        taps = _shape(equation.invars[1])[spec.rhs_spec[2]]
        by_rows = image.row_axis == spec.lhs_spec[2] and params["lhs_dilation"][0] == 1
        read = Read(
            image.source,
            (taps - 1) * params["rhs_dilation"][0] + 1,
            params["window_strides"][0],
            params["padding"][0][0],
        )
        channels = shapes[0][spec.out_spec[1]]
        return [
            self._add(
                "conv",
                [read if by_rows else _whole(image)],
                shapes[0],
                spec.out_spec[2],
                weights=kernel.elements,
                filters=channels,
            )
        ]

    def _dot(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        (contracted, batched) = equation.params["dimension_numbers"]
        places: list[int | None] = []  # where each operand's rows go in the output
        for side, operand in enumerate(operands):
            if not isinstance(operand, _Live):
                places.append(None)
                continue
            axis = operand.row_axis
            if axis is None or axis in contracted[side]:
                places.append(None)
            elif axis in batched[side]:
                places.append(tuple(batched[side]).index(axis))
            else:
                rank = [len(_shape(v)) for v in equation.invars]
                free = [
                    [a for a in range(rank[s]) if a not in (*contracted[s], *batched[s])]
                    for s in (0, 1)
                ]
                offset = len(batched[0]) + (len(free[0]) if side else 0)
                places.append(offset + free[side].index(axis))
        live = [o for o in operands if isinstance(o, _Live)]
        out = next((p for p in places if p is not None), None)
        reads = [
            Read(o.source) if place == out and place is not None else _whole(o)
            for o, place in zip(operands, places, strict=True)
            if isinstance(o, _Live)
        ]
        static = sum(o.elements for o in operands if isinstance(o, _Static))
        kind = "dense" if len(live) == 1 else "dot"
        filters = shapes[0][-1] if shapes[0] else 1
        return [self._add(kind, reads, shapes[0], out, weights=static, filters=filters)]

    def _window(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        live = [operand for operand in operands if isinstance(operand, _Live)]
        params = equation.params
        axis = live[0].row_axis
        if len(live) != 1 or len(shapes) != 1 or axis is None:
            return None
        if params["base_dilation"][axis] != 1:
            return None
        kernel = (params["window_dimensions"][axis] - 1) * params["window_dilation"][axis] + 1
        read = Read(
            live[0].source, kernel, params["window_strides"][axis], params["padding"][axis][0]
        )
        return [self._add(equation.primitive.name, [read], shapes[0], axis)]

    def _reduce(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        value, axes = operands[0], equation.params.get("axes")
        if not isinstance(value, _Live) or axes is None or len(shapes) != 1:
            return None
        axis = value.row_axis
        if axis is None or axis in axes:
            reads, out = [_whole(value)], None
        else:
            reads, out = [Read(value.source)], axis - sum(a < axis for a in axes)
        return [self._add(equation.primitive.name, reads, shapes[0], out)]

    def _concatenate(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        live = [operand for operand in operands if isinstance(operand, _Live)]
        axis = self._axis(live)
        if axis is None or equation.params["dimension"] == axis:
            return None
        static = sum(operand.elements for operand in operands if isinstance(operand, _Static))
        reads = [self._aligned(value, axis) for value in live]
        return [self._add("concatenate", reads, shapes[0], axis, weights=static)]

    def _pad(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        value = operands[0]
        if not isinstance(value, _Live) or value.row_axis is None:
            return None
        low, _, interior = equation.params["padding_config"][value.row_axis]
        if interior:
            return None
        read = Read(value.source, padding=low)
        return [self._add("pad", [read], shapes[0], value.row_axis)]

    def _slice(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        value, params = operands[0], equation.params
        if value.row_axis is None:
            return None
        start = params["start_indices"][value.row_axis]
        stride = (params["strides"] or [1] * len(value.shape))[value.row_axis]
        read = Read(value.source, stride=stride, padding=-start)
        return [self._add("slice", [read], shapes[0], value.row_axis)]

    def _split(self, equation: JaxprEqn, operands: list[Any], shapes: Any) -> Any:
        value, axis = operands[0], equation.params["axis"]
        if value.row_axis is None or axis == value.row_axis:
            return None
        return [self._add("split", [Read(value.source)], s, value.row_axis) for s in shapes]


_HANDLERS: Mapping[str, Callable[..., Any]] = {
    "conv_general_dilated": _Reader._conv,
    "dot_general": _Reader._dot,
    "concatenate": _Reader._concatenate,
    "pad": _Reader._pad,
    "slice": _Reader._slice,
    "split": _Reader._split,
}


def _shape(variable: Any) -> tuple[int, ...]:
    return tuple(variable.aval.shape)


def _tensor(shape: Sequence[int], row_axis: int | None) -> Tensor:
    rows = 1 if row_axis is None else max(1, shape[row_axis])
    return Tensor(rows, max(1, math.prod(shape)) // rows)


def _whole(value: _Live) -> Read:
    return Read(value.source, whole=True)


def _row_read(value: _Live, row_axis: int | None) -> Read:
    return Read(value.source, whole=row_axis is None or value.row_axis != row_axis)


def _view(name: str, params: Mapping[str, Any], value: _Live, shape: tuple[int, ...]) -> _Live:
    """The same tensor in another shape; its row axis where it survives."""
    axis = value.row_axis
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
    return _Live(value.source, shape, axis)


def _inner(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The function that an equation calls once, with its own operands."""
    if equation.primitive.name in ("scan", "while", "cond"):
        return None
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = equation.params.get(name)
        if isinstance(inner, Jaxpr):
            inner = ClosedJaxpr(inner, ())
        if isinstance(inner, ClosedJaxpr) and len(inner.jaxpr.invars) == len(equation.invars):
            return inner
    return None


def _title(equation: JaxprEqn) -> str:
    """The name of a called function; custom derivatives wrap one that has a name."""
    inner = _inner(equation)
    if "name" in equation.params or inner is None or not inner.jaxpr.eqns:
        return str(equation.params.get("name", equation.primitive.name))
    return _title(inner.jaxpr.eqns[-1])


def _is_elementwise(jaxpr: Jaxpr) -> bool:
    return all(
        _is_elementwise(inner.jaxpr)
        if (inner := _inner(equation)) is not None
        else equation.primitive.name in ELEMENTWISE | {"broadcast_in_dim", "convert_element_type"}
        for equation in jaxpr.eqns
    )


def _finish(drafts: list[_Draft], inputs: list[Tensor], results: list[int]) -> OpGraph:
    """The graph with affine maps folded and without what no result depends on."""
    readers = collections.Counter(s for d in drafts for s in {r.source for r in d.op.reads})
    readers.update(set(results))
    ops: dict[int, Op] = {}
    biased: set[int] = set()
    target: dict[int, int] = {-1 - i: -1 - i for i in range(len(inputs))}
    for v, draft in enumerate(drafts):
        reads = tuple(dataclasses.replace(r, source=target[r.source]) for r in draft.op.reads)
        into = reads[0].source if reads else -1
        if draft.affine is not None and into >= 0 and readers[draft.op.reads[0].source] == 1:
            name, constants = draft.affine
            old = ops[into]
            few = constants <= (old.filters if old.kind in ("conv", "dense") else 0)
            if old.kind in LINEAR and few and old.output == draft.op.output:
                new_bias = name in ("add", "sub") and into not in biased and constants
                if new_bias:
                    biased.add(into)
                    ops[into] = dataclasses.replace(old, weights=old.weights + old.filters)
                target[v] = into
                continue
        target[v] = v
        ops[v] = dataclasses.replace(draft.op, reads=reads)
    wanted = {target[v] for v in results}
    for v in sorted(ops, reverse=True):
        if v in wanted:
            wanted |= {read.source for read in ops[v].reads if read.source >= 0}
    kept = [v for v in ops if v in wanted]
    number = {v: place for place, v in enumerate(kept)} | {
        -1 - i: -1 - i for i in range(len(inputs))
    }
    final = tuple(
        dataclasses.replace(
            ops[v],
            reads=tuple(dataclasses.replace(r, source=number[r.source]) for r in ops[v].reads),
        )
        for v in kept
    )
    return OpGraph(final, tuple(inputs), frozenset(number[target[v]] for v in results))
