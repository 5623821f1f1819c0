"""Fields of a node's state: how a value becomes bits, and how bits are read."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from ntkexec.errors import LayoutError

# Words become int64 on the host; one bit is left for the sign and one for sums of two words.
MAX_WORD_BITS = 62
# What is read where bits hold no value of their field: no algorithm's answer is this number.
INVALID = -(2**63) + 1


def _digits(values: np.ndarray, count: int) -> np.ndarray:
    """The lowest binary digits, lowest first, along a new last axis; all axes the other way in memory."""
    narrow = values.astype(_narrow(count)).T
    digits = np.empty((count, *narrow.shape), bool)
    for place in range(count):
        np.not_equal(narrow & narrow.dtype.type(1 << place), 0, out=digits[place, ...])
    return digits.T


def _number(bits: np.ndarray) -> np.ndarray:
    """What these binary digits make, lowest first along the last axis, in int64."""
    count = bits.shape[-1]
    narrow = _narrow(count)
    number = np.zeros(bits.shape[:-1], narrow)
    # A bit after the other: each lies together in memory.
    for place in range(count):
        number |= bits[..., place].astype(narrow) << narrow.type(place)
    return number.astype(np.int64)


def _narrow(count: int) -> np.dtype:
    """The narrowest kind of whole numbers that holds `count` bits."""
    return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= count)}")


@dataclasses.dataclass(frozen=True)
class Flag:
    """One bit, read as a bool."""

    name: str
    kind: ClassVar[Literal["flag"]] = "flag"

    @property
    def num_bits(self) -> int:
        return 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        return values[..., None].astype(bool)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        return bits[..., 0]

    @property
    def value_range(self) -> tuple[int, int]:
        return 0, 1


@dataclasses.dataclass(frozen=True)
class Word:
    """An integer of `num_bits` bits, lowest bit first; two's complement where signed."""

    name: str
    num_bits: int
    signed: bool = False
    kind: ClassVar[Literal["word"]] = "word"

    def __post_init__(self) -> None:
        if not 1 <= self.num_bits <= MAX_WORD_BITS:
            raise LayoutError(
                f"word {self.name!r} has {self.num_bits} bits; 1 to {MAX_WORD_BITS} fit, and more in a "
                "field of Bits"
            )

    def encode(self, values: np.ndarray) -> np.ndarray:
        return _digits(values, self.num_bits)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        number = _number(bits)
        if self.signed:
            number -= bits[..., -1].astype(np.int64) << self.num_bits
        return number

    @property
    def value_range(self) -> tuple[int, int]:
        half = 1 << (self.num_bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


@dataclasses.dataclass(frozen=True)
class OneHot:
    """A choice among `num_bits` values, one bit each; -1 stands for none of them.

    Several bits set are no choice; they are read as `INVALID`.
    """

    name: str
    num_bits: int
    kind: ClassVar[Literal["one-hot"]] = "one-hot"

    def __post_init__(self) -> None:
        if self.num_bits < 1:
            raise LayoutError(
                f"one-hot {self.name!r} has {self.num_bits} values; it needs at least 1"
            )

    def encode(self, values: np.ndarray) -> np.ndarray:
        return values[..., None] == np.arange(self.num_bits)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        kind = np.min_scalar_type(self.num_bits)
        number = np.zeros(bits.shape[:-1], kind)
        chosen = np.zeros(bits.shape[:-1], kind)
        for value in range(bits.shape[-1]):
            is_set = bits[..., value].astype(kind)
            number += is_set
            # Of one alone the sum is the choice; of several it may be any number.
            chosen += is_set * kind.type(value)
        found = np.where(number == 0, -1, chosen.astype(np.int64))
        return np.where(number > 1, INVALID, found)

    def check(self, values: np.ndarray) -> None:
        """Raises LayoutError if any decoded value is `INVALID`."""
        if (values == INVALID).any():
            raise LayoutError(f"one-hot {self.name!r} has several bits set")

    @property
    def value_range(self) -> tuple[int, int]:
        return -1, self.num_bits - 1


@dataclasses.dataclass(frozen=True)
class Code:
    """A choice among `size` values in binary, one more than its index; 0, or -1 when read, is none.

    For choices that never change: it takes fewer bits, each of which a template must keep, than one
    bit for each value. To read it takes a product of all its bits.
    """

    name: str
    size: int
    kind: ClassVar[Literal["code"]] = "code"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise LayoutError(f"code {self.name!r} has {self.size} values; it needs at least 1")

    @property
    def num_bits(self) -> int:
        return self.size.bit_length()

    def encode(self, values: np.ndarray) -> np.ndarray:
        return _digits(values.astype(np.int64) + 1, self.num_bits)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        number = _number(bits)
        return np.where(number > self.size, INVALID, number - 1)

    def check(self, values: np.ndarray) -> None:
        """Raises LayoutError if any decoded value is `INVALID`."""
        if (values == INVALID).any():
            raise LayoutError(
                f"code {self.name!r} has {self.size} values, its bits hold a larger one"
            )

    @property
    def value_range(self) -> tuple[int, int]:
        return -1, self.size - 1


@dataclasses.dataclass(frozen=True)
class Bits:
    """Any number of bits without a meaning of their own, read and written as rows of bools.

    For states that have no fields but their bits, and for numbers that no word holds.
    """

    name: str
    num_bits: int
    kind: ClassVar[Literal["bits"]] = "bits"

    def __post_init__(self) -> None:
        if self.num_bits < 1:
            raise LayoutError(f"bits {self.name!r} are {self.num_bits}; at least 1 is needed")

    def encode(self, values: np.ndarray) -> np.ndarray:
        return values.astype(bool)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        return bits.astype(bool)

    @property
    def value_range(self) -> tuple[int, int]:
        return 0, 1


Leaf = Flag | Word | OneHot | Code | Bits


@dataclasses.dataclass(frozen=True)
class Table:
    """The same fields once for every slot, that is, for every colour of the two-hop colouring.

    Args:
        name: prefix of the fields' paths, as in `inbox.full`.
        slots: number of slots.
        fields: what each slot holds.
        occupied: at how many slots at most any bit can be set at once (a node of degree D hears
            from D + 1 slots), or None if unbounded.
    """

    name: str
    slots: int
    fields: tuple[Leaf, ...]
    occupied: int | None = None
    kind: ClassVar[Literal["table"]] = "table"

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise LayoutError(f"table {self.name!r} has {self.slots} slots; it needs at least 1")
        if not self.fields:
            raise LayoutError(f"table {self.name!r} has no fields")
        check_names([field.name for field in self.fields])
        if self.occupied is not None and self.occupied < 1:
            raise LayoutError(
                f"table {self.name!r} lets {self.occupied} slots be occupied; at least 1"
            )

    @property
    def num_bits(self) -> int:
        return self.slots * sum(field.num_bits for field in self.fields)


Field = Leaf | Table


def check_names(names: Sequence[str]) -> None:
    """Raises LayoutError unless the names are different identifiers."""
    for index, name in enumerate(names):
        if not name.isidentifier():
            raise LayoutError(f"field name {name!r} is not an identifier")
        if name in names[:index]:
            raise LayoutError(f"field {name!r} is declared twice")


def field_data(field: Field) -> dict[str, object]:
    """A field as plain data, all that tells it from others."""
    data: dict[str, object] = {"kind": field.kind, "name": field.name}
    if isinstance(field, Table):
        inner = [field_data(leaf) for leaf in field.fields]
        return data | {"slots": field.slots, "occupied": field.occupied, "fields": inner}
    if isinstance(field, Word):
        data["signed"] = field.signed
    if isinstance(field, Code):
        return data | {"size": field.size}
    return data | {"bits": field.num_bits}
