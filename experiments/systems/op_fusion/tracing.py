"""Operator graphs of JAX functions, read from their jaxprs; nothing is computed."""

import collections
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from experiments.systems.op_fusion.graph import Op, OpGraph, Tensor
from experiments.systems.op_fusion.primitives import (
    ELEMENTWISE,
    VIEWS,
    Live,
    Static,
    Value,
    Written,
    aligned,
    kept,
    live,
    opaque,
    rule,
    shape_of,
    tensor,
    view,
)
from ntkexec.errors import ExperimentError

LINEAR = frozenset(("conv", "dense", "reduce_sum", "reduce_window_sum"))


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
    jaxpr = jax.make_jaxpr(function)(weights, *inputs).jaxpr
    reader = _Reader()
    num_weights = len(jax.tree.leaves(weights))
    values: list[Value] = [
        Static(math.prod(shape_of(variable))) for variable in jaxpr.invars[:num_weights]
    ]
    values += [reader.input(shape_of(variable)) for variable in jaxpr.invars[num_weights:]]
    outputs = reader.walk(jaxpr, _constants(jaxpr), values)
    results = [value.source for value in live(outputs) if value.source >= 0]
    if not results:
        raise ExperimentError("no output of the function depends on its inputs")
    return _folded(reader.ops, reader.affine, reader.inputs, results)


class _Reader:
    """Walks over a jaxpr and collects operators."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.affine: dict[int, tuple[str, int]] = {}
        self.inputs: list[Tensor] = []

    def input(self, shape: tuple[int, ...]) -> Live:
        axis = 1 if len(shape) >= 3 else None
        self.inputs.append(tensor(shape, axis))
        return Live(-len(self.inputs), shape, axis, self.inputs[-1].rows)

    def walk(
        self, jaxpr: Jaxpr, constants: Sequence[Value], arguments: Sequence[Value]
    ) -> list[Value]:
        values = dict(zip(jaxpr.constvars, constants, strict=True))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def value(atom: Any) -> Value:
            # A literal is part of the instruction, not of the weights.
            return Static(0) if isinstance(atom, Literal) else values[atom]

        for equation in jaxpr.eqns:
            outs = self._apply(equation, [value(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, outs, strict=True))
        return [value(atom) for atom in jaxpr.outvars]

    def _apply(self, equation: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value]:
        name, shapes = equation.primitive.name, [shape_of(v) for v in equation.outvars]
        values = live(operands)
        if not values:
            return [Static(min(kept(operands), math.prod(shape))) for shape in shapes]
        if (inner := _inner(equation)) is not None:
            keeps_shape = len(values) == len(shapes) == 1 and values[0].shape == shapes[0]
            if keeps_shape and _is_elementwise(inner.jaxpr):
                axis = values[0].row_axis
                reads = (aligned(values[0], axis),)
                return [
                    self._add(Written(_title(equation), reads, shapes[0], axis, kept(operands)))
                ]
            return self.walk(inner.jaxpr, _constants(inner.jaxpr), operands)
        if name in VIEWS and len(values) == 1 and len(shapes) == 1:
            return [view(equation, values[0], shapes[0])]
        known = rule(name)
        written = None if known is None else known(equation, operands, shapes)
        if written is not None:
            return [self._add(operator) for operator in written]
        made = self._add(opaque(name, operands, shapes))
        return [Live(made.source, shape, None, made.rows) for shape in shapes]

    def _add(self, new: Written) -> Live:
        output = tensor(new.shape, new.row_axis)
        if new.affine is not None:
            self.affine[len(self.ops)] = new.affine
        self.ops.append(Op(new.kind, output, new.reads, new.weights, new.filters))
        return Live(len(self.ops) - 1, new.shape, new.row_axis, output.rows)


def _constants(jaxpr: Jaxpr) -> list[Value]:
    return [Static(math.prod(shape_of(variable))) for variable in jaxpr.constvars]


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


def _folded(
    ops: Sequence[Op],
    affine: Mapping[int, tuple[str, int]],
    inputs: Sequence[Tensor],
    results: Sequence[int],
) -> OpGraph:
    """The graph with affine maps folded and without what no result depends on.

    Args:
        ops: in the order in which they are computed.
        affine: the primitive and the constants of the operators that are affine and element-wise.
        inputs: of the graph.
        results: operators that are read from outside.
    """
    readers = collections.Counter(s for op in ops for s in {read.source for read in op.reads})
    readers.update(set(results))
    made: dict[int, Op] = {}
    biased: set[int] = set()
    target: dict[int, int] = {-1 - i: -1 - i for i in range(len(inputs))}
    for v, op in enumerate(ops):
        into = target[op.reads[0].source] if op.reads else -1
        target[v] = v
        if v in affine and into >= 0 and readers[op.reads[0].source] == 1:
            (name, constants), old = affine[v], made[into]
            few = constants <= (old.filters if old.kind in ("conv", "dense") else 0)
            if old.kind in LINEAR and few and old.output == op.output:
                if name in ("add", "sub") and into not in biased and constants:
                    biased.add(into)
                    made[into] = dataclasses.replace(old, weights=old.weights + old.filters)
                target[v] = into
                continue
        made[v] = _reading(op, target)
    wanted = {target[v] for v in results}
    for v in sorted(made, reverse=True):
        if v in wanted:
            wanted |= {read.source for read in made[v].reads if read.source >= 0}
    kept = [v for v in made if v in wanted]
    number = {v: place for place, v in enumerate(kept)} | {
        -1 - i: -1 - i for i in range(len(inputs))
    }
    final = tuple(_reading(made[v], number) for v in kept)
    return OpGraph(final, tuple(inputs), frozenset(number[target[v]] for v in results))


def _reading(op: Op, new: Mapping[int, int]) -> Op:
    """The operator with its sources renumbered."""
    reads = tuple(dataclasses.replace(read, source=new[read.source]) for read in op.reads)
    return dataclasses.replace(op, reads=reads)
