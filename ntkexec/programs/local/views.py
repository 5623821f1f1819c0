"""Views of a function's arguments that know what was read, and copy what was not."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ntkexec.programs.local.types import Bool, Optional, Range, Record, Scalar, Set, Tuple, Type

# Numbers of larger ranges are read only when something is done with them, so that they can be
# passed on; the others are plain, and cheaper.
MAX_PLAIN = 16


class Fork(BaseException):
    """Ends a call that reads a part whose value is not fixed yet."""

    # Not an Exception: functions may catch those.
    def __init__(self, place: int, kind: Scalar) -> None:
        self.place, self.kind = place, kind


class Reader:
    """What one call knows of the input: values of the scalars that earlier calls read."""

    def __init__(self, known: Mapping[int, tuple[Scalar, Any]]) -> None:
        self.known = known

    def read(self, place: int, kind: Scalar) -> Any:
        """The value of a scalar; ends the call, by a `Fork`, if no earlier call has read it."""
        if place not in self.known:
            raise Fork(place, kind)
        return self.known[place][1]

    def view(self, place: int, kind: Type) -> Any:
        """The part of the input at a place: a value, or a view of something composite."""
        match kind:
            case Range() if kind.size > MAX_PLAIN:
                return NumberView(self, place, kind)
            case Scalar():
                return self.read(place, kind)
            case Optional():
                present = self.read(place, Bool())
                return self.view(place + 1, kind.inner) if present else None
            case Record():
                return RecordView(self, place, kind, {})
            case Tuple():
                return TupleView(self, place, kind)
            case Set():
                return SetView(self, place, kind, {})
        raise AssertionError(f"unknown type {kind!r}")


class View:
    """A composite part of the input, read where it is looked at.

    What is its own begins with an underscore: other attributes are those of the value.
    """

    _reader: Reader
    _place: int
    # Its type, of the kind that the view is for.
    _kind: Any
    _changed: dict[Any, Any]

    def __init__(self, reader: Reader, place: int, kind: Any) -> None:
        self.__dict__.update(_reader=reader, _place=place, _kind=kind)

    def _value(self) -> Any:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return bool(self._value() == (other._value() if isinstance(other, View) else other))

    def __hash__(self) -> int:
        return hash(self._value())

    def __repr__(self) -> str:
        return repr(self._value())


class RecordView(View):
    """A record, of which fields can be read and replaced."""

    def __init__(self, reader: Reader, place: int, kind: Record, changed: dict[str, Any]) -> None:
        super().__init__(reader, place, kind)
        self.__dict__["_changed"] = changed

    @property
    def _fields(self) -> tuple[str, ...]:
        return tuple(self._kind.parts)

    def _replace(self, **changes: Any) -> "RecordView":
        if unknown := changes.keys() - self._kind.parts.keys():
            raise ValueError(f"{self._kind.name} has no field {min(unknown)!r}")
        return RecordView(self._reader, self._place, self._kind, self._changed | changes)

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
        return self._kind.build([concrete(entry) for entry in self])


class TupleView(View):
    """A tuple, of which entries and slices can be read."""

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
        return tuple(concrete(entry) for entry in self)


class NumberView(View):
    """A whole number, read by the first thing that is done with it."""

    def _value(self) -> int:
        return int(self._reader.read(self._place, self._kind))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._value(), name)


def _forced(name: str) -> Callable[..., Any]:
    def operation(self: NumberView, *others: Any) -> Any:
        return getattr(self._value(), name)(*map(concrete, others))

    return operation


_BINARY = ("add", "sub", "mul", "floordiv", "mod", "divmod", "pow", "and", "or", "xor", "truediv")
for _name in (
    *("lt", "le", "gt", "ge", "bool", "int", "index", "float", "neg", "pos", "abs", "invert"),
    *("lshift", "rlshift", "rshift", "rrshift", "format", "str", "round"),
    *_BINARY,
    *(f"r{name}" for name in _BINARY),
):
    setattr(NumberView, f"__{_name}__", _forced(f"__{_name}__"))


class SetView(View):
    """A set, of which single elements can be asked for and united or removed."""

    def __init__(self, reader: Reader, place: int, kind: Set, changed: dict[int, bool]) -> None:
        super().__init__(reader, place, kind)
        self.__dict__["_changed"] = changed

    def __contains__(self, element: object) -> bool:
        element = concrete(element)
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

    def union(self, *others: Any) -> Any:
        return self._with({element: True for other in others for element in other})

    def _with(self, changes: dict[int, bool]) -> "SetView":
        return SetView(self._reader, self._place, self._kind, self._changed | changes)

    def __iter__(self) -> Iterator[int]:
        members = {*range(self._kind.size), *self._changed}
        return (element for element in sorted(members) if element in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _value(self) -> frozenset[int]:
        return frozenset(self)


def concrete(value: Any) -> Any:
    """What a view, or a set of views, shows, read in full; any other value is what it is."""
    if isinstance(value, frozenset | set):
        return frozenset(map(concrete, value))
    return value._value() if isinstance(value, View) else value
