"""The cases of a Python function over finite types, found by watching what it reads.

The function is called with views of its arguments. Reading a part whose value is not fixed yet
ends the call; it is then called again once for every value of that part. So a function is only
called for what it looks at: a part that it copies, or that one branch ignores, costs nothing.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.programs.local.types import Optional, Record, Scalar, Set, Tuple, Type
from ntkexec.programs.local.views import (
    Fork,
    NumberView,
    Reader,
    RecordView,
    SetView,
    TupleView,
    concrete,
)

MAX_CASES = 1 << 16


class TooManyCasesError(ProgramError):
    """A function tells more inputs apart than a table may have."""


Cube = Mapping[int, bool]
"""Required values by input bit."""

Output = bool | int
"""A bit of a result: a constant, or the input bit (as an int) that it copies."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Where the input bits have these values, the output bits are those."""

    cube: Cube
    outputs: tuple[Output, ...]


def _outputs(value: Any, kind: Type) -> list[Output]:
    """The bits of a result; untouched parts of the input are copied without being read."""
    if isinstance(kind, Record) and isinstance(value, RecordView) and value._kind == kind:
        outputs: list[Output] = []
        for field, part in kind.parts.items():
            if field in value._changed:
                outputs += _named(field, value._changed[field], part)
            else:
                start = value._place + kind.offsets[field]
                outputs += range(start, start + part.num_bits)
        return outputs
    if isinstance(value, NumberView) and value._kind == kind:
        return list(range(value._place, value._place + kind.num_bits))
    if isinstance(kind, Set) and isinstance(value, SetView) and value._kind == kind:
        outside = [e for e, there in value._changed.items() if there and e not in range(kind.size)]
        if outside:
            kind.encode(frozenset(outside))
        return [value._changed.get(element, value._place + element) for element in range(kind.size)]
    if isinstance(value, TupleView) and value._kind == kind:
        return list(range(value._place, value._place + kind.num_bits))
    if isinstance(kind, Optional):
        if value is None:
            return list(kind.encode(None))
        return [True, *_outputs(value, kind.inner)]
    if isinstance(kind, Record | Tuple):
        entries = zip(kind.parts.items(), kind.split(value), strict=True)
        return [bit for (name, part), entry in entries for bit in _named(name, entry, part)]
    return list(kind.encode(concrete(value)))


def _named(name: str, value: Any, kind: Type) -> list[Output]:
    try:
        return _outputs(value, kind)
    except ProgramError as error:
        raise ProgramError(f"{name}: {error}") from None


def explore(
    function: Callable[..., Any],
    arguments: Mapping[str, Type],
    result: Type,
    *,
    name: str,
    max_cases: int = MAX_CASES,
) -> tuple[Case, ...]:
    """All cases of a function: disjoint cubes of input bits that cover every input.

    Args:
        function: called with the arguments by position; must be pure.
        arguments: their types; their bits are numbered one argument after another.
        result: type of what it returns.
        name: of the function, for messages.
        max_cases: calls after which to give up.

    Raises:
        ProgramError: a case in which the function raises, or returns what is not of the type.
        TooManyCasesError: see `max_cases`.
    """
    starts, start = [], 0
    for kind in arguments.values():
        starts.append(start)
        start += kind.num_bits
    cases: list[Case] = []
    open_: list[dict[int, tuple[Scalar, Any]]] = [{}]
    while open_:
        known = open_.pop()
        reader = Reader(known)
        try:
            views = [reader.view(s, k) for s, k in zip(starts, arguments.values(), strict=True)]
            value = function(*views)
            outputs = _outputs(value, result)
        except Fork as fork:
            open_ += [
                known | {fork.place: (fork.kind, v)} for v in reversed(list(fork.kind.domain))
            ]
        except ProgramError as error:
            raise ProgramError(f"{name}{_case(known, arguments)} gives {error}") from error
        except Exception as error:
            raise ProgramError(
                f"{name}{_case(known, arguments)} raises {type(error).__name__}: {error}; a function "
                "must have a value for every state and message of its types"
            ) from error
        else:
            cases.append(Case(_cube(known), tuple(outputs)))
        if len(cases) + len(open_) > max_cases:
            raise TooManyCasesError(
                f"{name} has more than {max_cases:,} cases; fold the messages one by one, read less "
                "of the state, or give a body in the instruction language"
            )
    return tuple(cases)


def _cube(known: Mapping[int, tuple[Scalar, Any]]) -> dict[int, bool]:
    return {
        place + offset: bit
        for place, (kind, value) in known.items()
        for offset, bit in enumerate(kind.encode(value))
    }


def _case(known: Mapping[int, tuple[Scalar, Any]], arguments: Mapping[str, Type]) -> str:
    """The values that a call had read, in words."""
    names: dict[int, str] = {}
    start = 0
    for argument, kind in arguments.items():
        for path, place in _places(kind, start):
            names[place] = f"{argument}{path}"
        start += kind.num_bits
    read = (f"{names[place]} = {value!r}" for place, (_, value) in sorted(known.items()))
    return f" with {', '.join(read)}" if known else ""


def _places(kind: Type, place: int) -> Iterator[tuple[str, int]]:
    """The path of everything that can be read, and where it is."""
    match kind:
        case Scalar():
            yield "", place
        case Optional():
            yield " present", place
            yield from _places(kind.inner, place + 1)
        case Set():
            yield from ((f"[{element}]", place + element) for element in range(kind.size))
        case Record() | Tuple():
            for name, part in kind.parts.items():
                access = f".{name}" if isinstance(kind, Record) else f"[{name}]"
                for path, inner in _places(part, place + kind.offsets[name]):
                    yield f"{access}{path}", inner
