"""The cases of a Python function over finite types, found by watching what it reads.

The function is called with views of its arguments. Reading a part whose value is not fixed yet
ends the call; it is then called again once for every value of that part. So a function is only
called for what it looks at: a part that it copies, or that one branch ignores, costs nothing.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.programs.local.types import Bool, Optional, Range, Record, Scalar, Set, Tuple, Type

MAX_CASES = 1 << 16
# Numbers of larger ranges are read only when something is done with them, so that they can be
# passed on; the others are plain, and cheaper.
MAX_PLAIN = 16

Cube = Mapping[int, bool]
"""Required values by input bit."""

Output = bool | int
"""A bit of a result: a constant, or the input bit (as an int) that it copies."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Where the input bits have these values, the output bits are those."""

    cube: Cube
    outputs: tuple[Output, ...]


class _Fork(BaseException):
    """Ends a call that reads a part whose value is not fixed yet."""

    # Not an Exception: functions may catch those.
    def __init__(self, place: int, kind: Scalar) -> None:
        self.place, self.kind = place, kind


class _Reader:
    """What one call knows of the input: values of the scalars that earlier calls read."""

    def __init__(self, known: Mapping[int, tuple[Scalar, Any]]) -> None:
        self.known = known

    def read(self, place: int, kind: Scalar) -> Any:
        if place not in self.known:
            raise _Fork(place, kind)
        return self.known[place][1]

    def view(self, place: int, kind: Type) -> Any:
        """The part of the input at a place: a value, or a view of something composite."""
        match kind:
            case Range() if kind.size > MAX_PLAIN:
                return _NumberView(self, place, kind)
            case Scalar():
                return self.read(place, kind)
            case Optional():
                present = self.read(place, Bool())
                return self.view(place + 1, kind.inner) if present else None
            case Record():
                return _RecordView(self, place, kind, {})
            case Tuple():
                return _TupleView(self, place, kind)
            case Set():
                return _SetView(self, place, kind, {})
        raise AssertionError(f"unknown type {kind!r}")


class _View:
    """A composite part of the input, read where it is looked at."""

    _reader: _Reader
    _place: int
    # Its type, of the kind that the view is for.
    _kind: Any
    _changed: dict[Any, Any]

    def __init__(self, reader: _Reader, place: int, kind: Any) -> None:
        self.__dict__.update(_reader=reader, _place=place, _kind=kind)

    def _value(self) -> Any:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return bool(self._value() == (other._value() if isinstance(other, _View) else other))

    def __hash__(self) -> int:
        return hash(self._value())

    def __repr__(self) -> str:
        return repr(self._value())


class _RecordView(_View):
    def __init__(self, reader: _Reader, place: int, kind: Record, changed: dict[str, Any]) -> None:
        super().__init__(reader, place, kind)
        self.__dict__["_changed"] = changed

    @property
    def _fields(self) -> tuple[str, ...]:
        return tuple(self._kind.parts)

    def _replace(self, **changes: Any) -> "_RecordView":
        if unknown := changes.keys() - self._kind.parts.keys():
            raise ValueError(f"{self._kind.name} has no field {min(unknown)!r}")
        return _RecordView(self._reader, self._place, self._kind, self._changed | changes)

    def _asdict(self) -> dict[str, Any]:
        return {field: getattr(self, field) for field in self._fields}

    def __getattr__(self, field: str) -> Any:
        if field in self._changed:
            return self._changed[field]
        if field not in self._kind.parts:
            raise AttributeError(f"{self._kind.name} has no field {field!r}")
        place = self._place + self._kind.offsets[field]
        return self._reader.view(place, self._kind.parts[field])

    def __setattr__(self, field: str, value: object) -> None:
        raise AttributeError(f"a {self._kind.name} cannot be changed; use _replace({field}=...)")

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, field) for field in self._fields)

    def _value(self) -> Any:
        return self._kind.build([_concrete(entry) for entry in self])


class _TupleView(_View):
    def __len__(self) -> int:
        return len(self._kind.parts)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        name = str(range(len(self))[index])
        return self._reader.view(self._place + self._kind.offsets[name], self._kind.parts[name])

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __add__(self, other: Any) -> tuple[Any, ...]:
        return (*self, *other)

    def _value(self) -> Any:
        return tuple(_concrete(entry) for entry in self)


class _NumberView(_View):
    """A whole number, read by the first thing that is done with it."""

    def _value(self) -> int:
        return int(self._reader.read(self._place, self._kind))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._value(), name)


def _forced(name: str) -> Callable[..., Any]:
    def operation(self: _NumberView, *others: Any) -> Any:
        return getattr(self._value(), name)(*map(_concrete, others))

    return operation


_BINARY = ("add", "sub", "mul", "floordiv", "mod", "divmod", "pow", "and", "or", "xor", "truediv")
for _name in (
    *("lt", "le", "gt", "ge", "bool", "int", "index", "float", "neg", "pos", "abs", "invert"),
    *("lshift", "rlshift", "rshift", "rrshift", "format", "str", "round"),
    *_BINARY,
    *(f"r{name}" for name in _BINARY),
):
    setattr(_NumberView, f"__{_name}__", _forced(f"__{_name}__"))


class _SetView(_View):
    """A set, of which single elements can be asked for and united or removed."""

    def __init__(self, reader: _Reader, place: int, kind: Set, changed: dict[int, bool]) -> None:
        super().__init__(reader, place, kind)
        self.__dict__["_changed"] = changed

    def __contains__(self, element: object) -> bool:
        element = _concrete(element)
        if element in self._changed:
            return bool(self._changed[element])
        if not isinstance(element, int) or element not in range(self._kind.size):
            return False
        return bool(self._reader.read(self._place + element, Bool()))

    def __or__(self, elements: Any) -> Any:
        return self._with({element: True for element in elements})

    def __sub__(self, elements: Any) -> Any:
        return self._with({element: False for element in elements})

    def __and__(self, elements: Any) -> Any:
        return frozenset(element for element in elements if element in self)

    __ror__, __rand__ = __or__, __and__

    def _with(self, changes: dict[int, bool]) -> "_SetView":
        return _SetView(self._reader, self._place, self._kind, self._changed | changes)

    def __iter__(self) -> Iterator[int]:
        members = {*range(self._kind.size), *self._changed}
        return (element for element in sorted(members) if element in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _value(self) -> frozenset[int]:
        return frozenset(self)


def _concrete(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return frozenset(map(_concrete, value))
    return value._value() if isinstance(value, _View) else value


def _outputs(value: Any, kind: Type) -> list[Output]:
    """The bits of a result; untouched parts of the input are copied without being read."""
    if isinstance(kind, Record) and isinstance(value, _RecordView) and value._kind == kind:
        outputs: list[Output] = []
        for field, part in kind.parts.items():
            if field in value._changed:
                outputs += _named(field, value._changed[field], part)
            else:
                start = value._place + kind.offsets[field]
                outputs += range(start, start + part.num_bits)
        return outputs
    if isinstance(value, _NumberView) and value._kind == kind:
        return list(range(value._place, value._place + kind.num_bits))
    if isinstance(kind, Set) and isinstance(value, _SetView) and value._kind == kind:
        outside = [e for e, there in value._changed.items() if there and e not in range(kind.size)]
        if outside:
            kind.encode(frozenset(outside))
        return [value._changed.get(element, value._place + element) for element in range(kind.size)]
    if isinstance(value, _TupleView) and value._kind == kind:
        return list(range(value._place, value._place + kind.num_bits))
    if isinstance(kind, Optional):
        if value is None:
            return list(kind.encode(None))
        return [True, *_outputs(value, kind.inner)]
    if isinstance(kind, Record | Tuple):
        entries = zip(kind.parts.items(), kind.split(value), strict=True)
        return [bit for (name, part), entry in entries for bit in _named(name, entry, part)]
    return list(kind.encode(_concrete(value)))


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
        ProgramError: a case in which the function raises, or returns what is not of the type;
            too many cases.
    """
    starts, start = [], 0
    for kind in arguments.values():
        starts.append(start)
        start += kind.num_bits
    cases: list[Case] = []
    open_: list[dict[int, tuple[Scalar, Any]]] = [{}]
    while open_:
        known = open_.pop()
        reader = _Reader(known)
        try:
            views = [reader.view(s, k) for s, k in zip(starts, arguments.values(), strict=True)]
            value = function(*views)
            outputs = _outputs(value, result)
        except _Fork as fork:
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
            raise ProgramError(
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
