"""What training really sends through a frozen network: read off the program of the gradient."""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

SAME = ("convert_element_type", "copy", "stop_gradient", "optimization_barrier")
"""Operations that leave a matrix the matrix that it was."""


def transposed_products(function: Callable[..., Any], backbone: Any, *others: Any) -> int:
    """Matrix products that a function makes with a backbone's matrix along its outputs.

    States go through a matrix (in, out) along its inputs; only a gradient on its way back goes through it
    along its outputs. A training step that makes no such product propagates nothing through the backbone.

    Args:
        function: of the backbone and others, such as `jax.grad` of a loss by what is trained.
        backbone: a pytree whose matrices lie as (in, out).
        others: its further arguments.

    Returns:
        How many there are, those in a loop's body counted once.
    """
    program = jax.make_jaxpr(function)(backbone, *others)
    leaves = jax.tree.leaves(backbone)
    known: dict[int, tuple[int, ...]] = {
        id(variable): (0, 1)
        for variable, leaf in zip(program.jaxpr.invars, leaves, strict=False)
        if leaf.ndim == 2
    }
    return _count(program.jaxpr, known)


def _count(program: Jaxpr, known: dict[int, tuple[int, ...]]) -> int:
    """`known` has by variable which axis of the matrix each of its own axes is."""
    found = 0
    for step in program.eqns:
        name = step.primitive.name
        given = [None if isinstance(one, Literal) else known.get(id(one)) for one in step.invars]
        if name == "dot_general":
            contracted, _ = step.params["dimension_numbers"]
            for axes, along in zip(given, contracted, strict=True):
                found += axes is not None and any(axes[one] == 1 for one in along)
        elif name == "transpose" and given[0] is not None:
            known[id(step.outvars[0])] = tuple(given[0][one] for one in step.params["permutation"])
        elif name in SAME:
            known |= {id(to): axes for to, axes in zip(step.outvars, given, strict=True) if axes}
        for value in step.params.values():
            inner = value.jaxpr if isinstance(value, ClosedJaxpr) else value
            if isinstance(inner, Jaxpr) and len(inner.invars) == len(given):
                inside = {
                    id(to): axes for to, axes in zip(inner.invars, given, strict=True) if axes
                }
                found += _count(inner, inside)
    return found
