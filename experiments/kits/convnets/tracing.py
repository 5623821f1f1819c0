"""A function's trace as one flat list of operations: calls taken apart, loops by their length."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from experiments.kits.convnets.operations import Operation, Shape, Value, multiplying
from ntkexec.errors import ExperimentError

# Primitives that only run a trace of their own, by the setting that holds it.
CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")
INLINED = {
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint",
    "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
}  # fmt: skip
BEGIN, END = "scan begins", "scan ends"
CHOICE, CHOSEN = "cond begins", "cond ends"


@dataclasses.dataclass(frozen=True)
class Trace:
    """What a function does with its arguments.

    Args:
        operations: in order; those that no output needs are left out, as XLA leaves them out.
        inputs: values of the inputs, without the variables.
        outputs: values.
        sizes: elements of every leaf of the variables, by its path, such as `params/conv/kernel`.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    sizes: Mapping[str, int]


def traced(function: Callable[..., Any], variables: Any, *inputs: Any) -> Trace:
    """The trace of `function(variables, *inputs)`; nothing is computed.

    Args:
        function: pure.
        variables: pytree of arrays or of `jax.ShapeDtypeStruct`.
        inputs: the same.

    Raises:
        ExperimentError: for products in a loop of unknown length, and in a primitive that keeps a
            trace of its own and is not a call.
    """
    closed = jax.make_jaxpr(function)(variables, *inputs)
    found, _ = jax.tree_util.tree_flatten_with_path(variables)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in found]
    tracer = _Tracer()
    given = [
        tracer.value(
            var.aval.shape, [], active=number >= len(names), leaves=names[number : number + 1]
        )
        for number, var in enumerate(closed.jaxpr.invars)
    ]
    outputs = tracer.run(closed, given, "", 1)
    sizes = {name: value.size for name, value in zip(names, given[: len(names)], strict=True)}
    needed = _needed(tracer.operations, outputs)
    return Trace(needed, tuple(given[len(names) :]), tuple(outputs), sizes)


class _Tracer:
    """Collects operations while it walks through traces within traces."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._numbers = itertools.count()

    def value(
        self,
        shape: Shape,
        origins: Sequence[Value],
        *,
        active: bool = False,
        leaves: Sequence[str] = (),
    ) -> Value:
        active = active or any(origin.active for origin in origins)
        known = frozenset(leaves).union(*(origin.leaves for origin in origins))
        return Value(next(self._numbers), tuple(shape), active, frozenset() if active else known)

    def run(
        self, closed: ClosedJaxpr, given: Sequence[Value], path: str, times: int
    ) -> list[Value]:
        """The outputs of a trace, whose operations are appended."""
        jaxpr = closed.jaxpr
        values = dict(zip(jaxpr.invars, given, strict=True))
        values |= {var: self.value(var.aval.shape, []) for var in jaxpr.constvars}

        def of(var: Any) -> Value:
            return self.value((), []) if isinstance(var, Literal) else values[var]

        for equation in jaxpr.eqns:
            reads = [of(var) for var in equation.invars]
            inner = _joined(path, str(equation.source_info.name_stack))
            made = self._equation(equation, reads, inner, times)
            values |= dict(zip(equation.outvars, made, strict=True))
        return [of(var) for var in jaxpr.outvars]

    def _equation(
        self, equation: JaxprEqn, reads: list[Value], path: str, times: int
    ) -> list[Value]:
        name, settings = equation.primitive.name, equation.params
        if name in INLINED:
            held = next(settings[key] for key in CALLS if key in settings)
            return self.run(_closed(held), reads, path, times)
        if name == "scan" and settings["length"] > 0:
            return self._scan(settings, reads, path, times)
        if name == "cond":
            return self._dearest(settings["branches"], reads, path, times)
        if any(_multiplies(part) for part in _parts(settings)):
            advice = (
                "its length is not known before it runs: use jax.lax.scan"
                if name == "while"
                else "take it out of there"
            )
            raise ExperimentError(
                f"{path or 'the model'} has products inside of {name!r}, where they cannot be "
                f"counted; {advice}"
            )
        makes = [self.value(_shape(var), reads) for var in equation.outvars]
        self._add(name, path, reads, makes, settings, times)
        return makes

    def _scan(
        self, settings: Mapping[str, Any], reads: list[Value], path: str, times: int
    ) -> list[Value]:
        num_consts, num_carry, length = (
            settings[key] for key in ("num_consts", "num_carry", "length")
        )
        body = settings["jaxpr"]
        constants, rest = reads[:num_consts], reads[num_consts:]
        slices = [self.value(value.shape[1:], [value]) for value in rest[num_carry:]]
        carry = [self.value(value.shape, [value]) for value in rest[:num_carry]]
        before = self.operations
        while True:  # until no carried value turns out to depend on the inputs
            self.operations = []
            made = self.run(body, [*constants, *carry, *slices], path, times * length)
            pairs = list(zip(carry, made[:num_carry], strict=True))
            if all(value.active or not after.active for value, after in pairs):
                break
            carry = [self.value(value.shape, [value, after]) for value, after in pairs]
        within, self.operations = self.operations, before
        rows = [self.value((length, *each.shape), [each]) for each in made[num_carry:]]
        self._add(BEGIN, path, rest, [*carry, *slices, *rows], {}, times)
        self.operations += within
        results = [self.value(each.shape, [each]) for each in [*made[:num_carry], *rows]]
        kept = [*constants, *rest[num_carry:]]
        self._add(END, path, [*made, *rows, *kept], results, {}, times)
        return results

    def _dearest(
        self, branches: Sequence[ClosedJaxpr], reads: list[Value], path: str, times: int
    ) -> list[Value]:
        """The branch with the most multiplications; the first of those that have as many.

        All that the choice reads is needed, as for XLA, also what only cheaper branches read. It gives
        a token of no elements to the end, since operands may go on being used: they are not copied.
        """
        token = self.value((0,), [])
        self._add(CHOICE, path, reads, [token], {}, times)
        before = self.operations
        tried: list[tuple[int, list[Operation], list[Value]]] = []
        for branch in branches:
            self.operations = []
            outputs = self.run(branch, reads[1:], path, times)
            counts = ((multiplying(each), each.times) for each in self.operations)
            total = sum(found.multiplications * n for found, n in counts if found)
            tried.append((total, self.operations, outputs))
        _, chosen, outputs = max(tried, key=lambda each: each[0])
        self.operations = [*before, *chosen]
        # Whichever branch runs, a result depends on what the choice and its own branch depend on.
        possible = zip(*(each for _, _, each in tried), strict=True)
        results = [
            self.value(one.shape, [reads[0], *each])
            for one, each in zip(outputs, possible, strict=True)
        ]
        self._add(CHOSEN, path, [token, *outputs], results, {}, times)
        return results

    def _add(
        self,
        name: str,
        path: str,
        reads: Sequence[Value],
        makes: Sequence[Value],
        settings: Mapping[str, Any],
        times: int,
    ) -> None:
        self.operations.append(Operation(name, path, tuple(reads), tuple(makes), settings, times))


def _needed(operations: list[Operation], outputs: Sequence[Value]) -> tuple[Operation, ...]:
    wanted = {value.number for value in outputs}
    kept: list[Operation] = []
    for operation in reversed(operations):
        if any(value.number in wanted for value in operation.makes):
            kept.append(operation)
            wanted |= {value.number for value in operation.reads}
    return tuple(reversed(kept))


def _shape(var: Any) -> Shape:
    return getattr(var.aval, "shape", ())  # a token has none


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _closed(held: Any) -> ClosedJaxpr:
    return held if isinstance(held, ClosedJaxpr) else ClosedJaxpr(held, ())


def _parts(settings: Mapping[str, Any]) -> Iterator[Jaxpr]:
    """Traces among a primitive's settings."""
    for held in settings.values():
        for one in held if isinstance(held, tuple | list) else (held,):
            if isinstance(one, ClosedJaxpr | Jaxpr):
                yield _closed(one).jaxpr


def _multiplies(jaxpr: Jaxpr) -> bool:
    """Whether a trace, or one within it, has a convolution or a product."""
    for equation in jaxpr.eqns:
        parts = equation.primitive.name.split("_")
        if "dot" in parts or "conv" in parts or any(map(_multiplies, _parts(equation.params))):
            return True
    return False
