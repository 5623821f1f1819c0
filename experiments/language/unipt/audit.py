"""What training really sends through a frozen network: read off the program of the gradient."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ntkexec.errors import ExperimentError

INPUTS, OUTPUTS = 0, 1
Axes = tuple[int | None, ...]
"""Of a variable that holds matrices of the backbone, which axis of them each axis is; of a stack, none."""
SAME = (
    "convert_element_type", "copy", "copy_p", "stop_gradient", "slice", "split", "rev", "dynamic_slice",
    "reduce_precision", "neg", "sign", "abs", "integer_pow", "square", "sqrt", "rsqrt", "tanh", "exp", "log",
    "logistic", "add", "add_any", "sub", "mul", "div", "max", "min", "pow", "select_n", "clamp", "round",
    "concatenate",
)  # fmt: skip
"""Operations that leave matrices where they are, whatever becomes of their numbers."""
REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "squeeze")


def transposed_products(function: Callable[..., Any], backbone: Any, *others: Any) -> int:
    """Products that a function makes with a backbone's matrices along their outputs.

    States go through a matrix (in, out) along its inputs; only a gradient on its way back goes through it
    along its outputs. A training step that makes no such product propagates nothing through the backbone.
    A table of tokens that also scores them is used along its outputs on the way there, and counts.

    Matrices are followed through transpositions, indices and slices, changes of single numbers by others or
    by themselves, inner functions, conditions and loops: stacked ones as well, whose last two axes are
    (in, out). What looks up a row of them (a table of tokens) is a state, and followed no more.

    Args:
        function: of the backbone and others, such as `jax.grad` of a loss by what is trained.
        backbone: a pytree whose matrices lie as (..., in, out); kernels of convolutions as Flax has them do.
            Leaves of fewer than two axes are no matrices.
        others: its further arguments.

    Returns:
        How many there are, those in a loop's body counted once, and those in every branch of a condition.

    Raises:
        ExperimentError: a matrix goes through an operation behind which it cannot be told from states, such
            as the sum with an array; the count would be no bound. Tables that are added to states can be
            among `others` instead.
    """
    program = jax.make_jaxpr(function)(backbone, *others)
    given: list[Axes | None] = [None] * len(program.jaxpr.invars)
    for number, leaf in enumerate(jax.tree.leaves(backbone)):
        axes = len(jax.numpy.shape(leaf))
        if axes > 1:
            given[number] = (None,) * (axes - 2) + (INPUTS, OUTPUTS)
    return _followed(program.jaxpr, given)[0]


def _followed(program: Jaxpr, given: Sequence[Axes | None]) -> tuple[int, list[Axes | None]]:
    """How many products a program makes, and which of its results are matrices."""
    known: dict[int, Axes] = {
        id(to): axes for to, axes in zip(program.invars, given, strict=True) if _is_matrix(axes)
    }

    def of(variable: Any) -> Axes | None:
        return None if isinstance(variable, Literal) else known.get(id(variable))

    found = 0
    for step in program.eqns:
        own = [of(one) for one in step.invars]
        if not any(own):
            continue
        count, made = _stepped(step, own)
        found += count
        known |= {
            id(to): axes for to, axes in zip(step.outvars, made, strict=True) if _is_matrix(axes)
        }
    return found, [of(one) for one in program.outvars]


def _is_matrix(axes: Axes | None) -> TypeGuard[Axes]:
    return axes is not None and INPUTS in axes and OUTPUTS in axes


def _stepped(step: Any, own: list[Axes | None]) -> tuple[int, list[Axes | None]]:
    """One operation of which at least one input is a matrix."""
    name, params = step.primitive.name, step.params
    shapes = [tuple(one.aval.shape) for one in step.invars]
    nothing: list[Axes | None] = [None] * len(step.outvars)
    if name == "dot_general" and not all(own):
        contracted, _ = params["dimension_numbers"]
        return sum(
            axes is not None and any(axes[one] == OUTPUTS for one in along)
            for axes, along in zip(own, contracted, strict=True)
        ), nothing
    if name == "conv_general_dilated" and own[0] is None and own[1] is not None:
        return int(own[1][params["dimension_numbers"].rhs_spec[1]] == OUTPUTS), nothing
    if name == "scan":
        return _looped(step, own, params["num_consts"], params["num_carry"], params["jaxpr"].jaxpr)
    if name == "while":
        first, second = params["cond_nconsts"], params["body_nconsts"]
        carried = own[first:]
        count, made = _looped(
            step, carried, second, len(carried) - second, params["body_jaxpr"].jaxpr
        )
        tested = [*own[:first], *made]
        return count + _followed(params["cond_jaxpr"].jaxpr, tested)[0], made
    if name == "cond":
        ways = [_followed(one.jaxpr, own[1:]) for one in params["branches"]]
        merged = [_one(step, ends) for ends in zip(*(made for _, made in ways), strict=True)]
        return sum(count for count, _ in ways), merged
    inner = [
        value.jaxpr if isinstance(value, ClosedJaxpr) else value
        for value in params.values()
        if isinstance(value, (ClosedJaxpr, Jaxpr))
    ]
    if len(inner) == 1 and len(inner[0].invars) == len(own):
        count, made = _followed(inner[0], own)
        if len(made) == len(step.outvars):
            return count, made
    if name == "optimization_barrier":
        return 0, own
    return 0, [_moved(step, own, shapes)] * len(step.outvars)


def _moved(step: Any, own: list[Axes | None], shapes: list[tuple[int, ...]]) -> Axes | None:
    """Where the axes of a matrix are after an operation with one result."""
    name, params, axes = step.primitive.name, step.params, own[0]
    if name in SAME:
        # Whatever is no number, and no matrix that lies alike, may make states of it.
        arrays = {one for one, shape in zip(own, shapes, strict=True) if math.prod(shape) > 1}
        if len(arrays) == 1:
            return next(iter(arrays))
    elif name == "stack" and len(set(own)) == 1 and axes is not None:
        return (*axes[: params["axis"]], None, *axes[params["axis"] :])
    elif axes is not None and not any(own[1:]):
        if name == "transpose":
            return tuple(axes[one] for one in params["permutation"])
        if name in REDUCTIONS:
            gone = params["dimensions" if name == "squeeze" else "axes"]
            left = tuple(one for number, one in enumerate(axes) if number not in gone)
            if name == "squeeze" or OUTPUTS in left or INPUTS not in left:
                return left
        elif name == "broadcast_in_dim":
            spread: list[int | None] = [None] * len(params["shape"])
            for number, to in enumerate(params["broadcast_dimensions"]):
                spread[to] = axes[number]
            return tuple(spread)
        elif name == "reshape":
            here, there = shapes[0], tuple(params["new_sizes"])
            if [one for one in here if one > 1] == [one for one in there if one > 1]:
                kept = iter([one for one, size in zip(axes, here, strict=True) if size > 1])
                return tuple(next(kept) if size > 1 else None for size in there)
        elif name == "gather":
            numbers = params["dimension_numbers"]
            gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
            others = iter([one for number, one in enumerate(axes) if number not in gone])
            made = range(step.outvars[0].aval.ndim)
            return tuple(next(others) if one in numbers.offset_dims else None for one in made)
    raise ExperimentError(
        f"a matrix of the backbone goes through {name!r} with {shapes}, behind which its products cannot be "
        "counted; if it is none, such as a table that is added to states, pass it among the others"
    )


def _looped(
    step: Any, own: Sequence[Axes | None], constants: int, carried: int, body: Jaxpr
) -> tuple[int, list[Axes | None]]:
    """A loop's body, with what it carries known as soon as one turn makes it a matrix."""
    held, carry, rows = (
        list(own[:constants]), list(own[constants : constants + carried]), own[constants + carried :]
    )  # fmt: skip
    cut = [None if axes is None else axes[1:] for axes in rows]
    while True:
        count, made = _followed(body, [*held, *carry, *cut])
        turned = [_one(step, pair) for pair in zip(carry, made[:carried], strict=True)]
        if turned == carry:
            stacked = [None if axes is None else (None, *axes) for axes in made[carried:]]
            return count, [*carry, *stacked]
        carry = turned


def _one(step: Any, ends: Sequence[Axes | None]) -> Axes | None:
    """What a variable is that is one of these: a matrix if any is."""
    found = {axes for axes in ends if axes}
    if len(found) > 1:
        raise ExperimentError(
            f"a result of {step.primitive.name!r} is a matrix of the backbone that lies in several ways, "
            "and its products cannot be counted"
        )
    return next(iter(found), None)
