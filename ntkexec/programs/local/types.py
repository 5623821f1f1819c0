"""Finite types: which values states and messages can have, and the bits that hold them.

Values are plain Python: bool, int, str, None, tuple, frozenset, and a named tuple for a record.
"""

import abc
import collections
import dataclasses
import functools
import itertools
import keyword
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ntkexec.errors import ProgramError

Bits = tuple[bool, ...]


class Type(abc.ABC):
    """A finite set of values, each with a code of `num_bits` bits."""

    @property
    @abc.abstractmethod
    def num_bits(self) -> int: ...

    @abc.abstractmethod
    def encode(self, value: Any) -> Bits:
        """The code of a value.

        Raises:
            ProgramError: not a value of this type; names the value and where in it the fault is.
        """

    @abc.abstractmethod
    def decode(self, bits: Sequence[bool]) -> Any:
        """The value of a code."""

    @abc.abstractmethod
    def leaves(self) -> Iterator[tuple[str, "Type"]]:
        """The parts that hold bits, in order, by name."""


def _refuse(value: object, wanted: str) -> ProgramError:
    return ProgramError(f"{value!r} is not {wanted}")


class Scalar(Type):
    """A type whose values are listed, in binary."""

    @property
    @abc.abstractmethod
    def domain(self) -> Sequence[Any]:
        """All values; a value's code is its place."""

    @property
    def num_bits(self) -> int:
        return max(1, (len(self.domain) - 1).bit_length())

    def encode(self, value: Any) -> Bits:
        number = self._index(value)
        return tuple(bool(number >> place & 1) for place in range(self.num_bits))

    def decode(self, bits: Sequence[bool]) -> Any:
        return self.domain[sum(bool(bit) << place for place, bit in enumerate(bits))]

    def leaves(self) -> Iterator[tuple[str, Type]]:
        yield "", self

    @abc.abstractmethod
    def _index(self, value: Any) -> int:
        """The place of a value; raises ProgramError."""


@dataclasses.dataclass(frozen=True)
class Bool(Scalar):
    """True or False."""

    @property
    def domain(self) -> Sequence[bool]:
        return (False, True)

    def _index(self, value: Any) -> int:
        if not (isinstance(value, bool) or type(value).__name__ == "bool"):
            raise _refuse(value, "True or False")
        return int(value)


@dataclasses.dataclass(frozen=True)
class Range(Scalar):
    """The whole numbers 0 to `size` - 1."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ProgramError(f"a range has at least one value, not {self.size}")

    @property
    def domain(self) -> Sequence[int]:
        return range(self.size)

    def _index(self, value: Any) -> int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise _refuse(value, f"a whole number 0 to {self.size - 1}")
        if not 0 <= value < self.size:
            raise _refuse(value, f"in the range 0 to {self.size - 1}")
        return int(value)


def Identifier(num_bits: int) -> Range:
    """The identifiers of `num_bits` bits."""
    return Range(1 << num_bits)


@dataclasses.dataclass(frozen=True)
class Enum(Scalar):
    """One of several words: `Enum("waiting", "in", "out")`."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        if not words or len(set(words)) < len(words):
            raise ProgramError(f"an enumeration has different words, at least one; got {words}")
        object.__setattr__(self, "words", words)

    @property
    def domain(self) -> Sequence[str]:
        return self.words

    def _index(self, value: Any) -> int:
        if value not in self.words:
            raise _refuse(value, f"one of {', '.join(self.words)}")
        return self.words.index(value)


@dataclasses.dataclass(frozen=True)
class Optional(Type):
    """None, or a value of another type; one more bit says which."""

    inner: Type

    def __post_init__(self) -> None:
        if isinstance(self.inner, Optional):
            raise ProgramError(
                f"{self.inner} is optional already: None would have two meanings; messages, which "
                "may be silence, are of a type without None"
            )

    @property
    def num_bits(self) -> int:
        return 1 + self.inner.num_bits

    def encode(self, value: Any) -> Bits:
        if value is None:
            return (False,) * self.num_bits
        return (True, *self.inner.encode(value))

    def decode(self, bits: Sequence[bool]) -> Any:
        return self.inner.decode(bits[1:]) if bits[0] else None

    def leaves(self) -> Iterator[tuple[str, Type]]:
        yield "present", Bool()
        for name, leaf in self.inner.leaves():
            yield name or "value", leaf


@dataclasses.dataclass(frozen=True)
class Set(Type):
    """A subset of 0 to `size` - 1, a frozenset; one bit for each element."""

    size: int

    @property
    def num_bits(self) -> int:
        return self.size

    def encode(self, value: Any) -> Bits:
        if not isinstance(value, frozenset | set):
            raise _refuse(value, f"a set of numbers 0 to {self.size - 1}")
        outside = sorted(element for element in value if element not in range(self.size))
        if outside:
            raise ProgramError(f"{outside[0]!r} in a set is not in the range 0 to {self.size - 1}")
        return tuple(element in value for element in range(self.size))

    def decode(self, bits: Sequence[bool]) -> frozenset[int]:
        return frozenset(element for element, bit in enumerate(bits) if bit)

    def leaves(self) -> Iterator[tuple[str, Type]]:
        yield "", self


class _Composite(Type):
    """Parts one after another."""

    @property
    @abc.abstractmethod
    def parts(self) -> dict[str, Type]: ...

    @abc.abstractmethod
    def build(self, values: Sequence[Any]) -> Any: ...

    @abc.abstractmethod
    def split(self, value: Any) -> Sequence[Any]: ...

    @property
    def num_bits(self) -> int:
        return sum(part.num_bits for part in self.parts.values())

    @property
    def offsets(self) -> dict[str, int]:
        """Where each part's bits begin."""
        sizes = [part.num_bits for part in self.parts.values()]
        return dict(zip(self.parts, itertools.accumulate([0, *sizes]), strict=False))

    def encode(self, value: Any) -> Bits:
        codes: list[bool] = []
        for (name, part), entry in zip(self.parts.items(), self.split(value), strict=True):
            try:
                codes += part.encode(entry)
            except ProgramError as error:
                raise ProgramError(f"{name}: {error}") from None
        return tuple(codes)

    def decode(self, bits: Sequence[bool]) -> Any:
        starts = self.offsets
        return self.build(
            [
                part.decode(bits[starts[name] : starts[name] + part.num_bits])
                for name, part in self.parts.items()
            ]
        )

    def leaves(self) -> Iterator[tuple[str, Type]]:
        for name, part in self.parts.items():
            for inner, leaf in part.leaves():
                yield "_".join(filter(None, (name, inner))), leaf


class Tuple(_Composite):
    """A tuple with a type for each place: `Tuple(Bool(), Range(3))`."""

    def __init__(self, *types: Type) -> None:
        self._parts = {str(place): one for place, one in enumerate(types)}

    @property
    def parts(self) -> dict[str, Type]:
        return self._parts

    def build(self, values: Sequence[Any]) -> Any:
        return tuple(values)

    def split(self, value: Any) -> Sequence[Any]:
        if not isinstance(value, tuple | list) or len(value) != len(self.parts):
            raise _refuse(value, f"a tuple of {len(self.parts)}")
        return value

    def __eq__(self, other: object) -> bool:
        return type(other) is Tuple and other._parts == self._parts

    def __hash__(self) -> int:
        return hash(tuple(self._parts.values()))


class Record(_Composite):
    """Named fields: `State = Record("State", mark=Bool(), colour=Range(3))`.

    Calling it makes a value, a named tuple: `State(mark=True, colour=0)`.
    """

    def __init__(self, name: str, /, **fields: Type) -> None:
        bad = [field for field in fields if field.startswith("_") or keyword.iskeyword(field)]
        if not fields or bad:
            raise ProgramError(f"record {name!r} needs fields with plain names; got {list(fields)}")
        self.name = name
        self._parts = fields

    @functools.cached_property
    def values(self) -> Callable[..., Any]:
        """The class of its values."""
        return collections.namedtuple(self.name, self._parts)

    def __call__(self, **fields: Any) -> Any:
        """A value; every field must be given."""
        try:
            return self.values(**fields)
        except TypeError as error:
            raise ProgramError(f"{self.name}: {error}") from None

    @property
    def parts(self) -> dict[str, Type]:
        return self._parts

    def build(self, values: Sequence[Any]) -> Any:
        return self.values(*values)

    def split(self, value: Any) -> Sequence[Any]:
        if getattr(value, "_fields", None) != tuple(self._parts):
            raise _refuse(value, f"a {self.name} ({', '.join(self._parts)})")
        return tuple(getattr(value, field) for field in self._parts)

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is Record
            and other.name == self.name
            and list(other._parts.items()) == list(self._parts.items())
        )

    def __hash__(self) -> int:
        return hash((self.name, *self._parts.items()))
