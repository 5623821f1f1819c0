"""What statements speak of: numbers and choices made of bits, each bit a Boolean function."""

import dataclasses
import operator
from collections.abc import Iterator, Sequence
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.language.logic import FALSE, TRUE, Sum, all_of, any_of

MAX_ONE_STEP_BITS = 8
"""Two longer numbers are not compared in one step: it takes about 2^bits products."""

_SUM = (
    "the sum of two numbers takes phases of its own: idioms.add(p, [target], [(one, other)]); "
    "only 1 is added by +"
)


# Any: whatever somebody compares with.
def _whole(value: Any) -> int | None:
    """A whole number, NumPy's too, or None."""
    try:
        return operator.index(value)
    except TypeError:
        return None


@dataclasses.dataclass(frozen=True, eq=False)
class _Bits:
    """Several bits, each a Boolean function."""

    bits: tuple[Sum, ...]

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, index: int) -> Sum:
        return self.bits[index]

    def __iter__(self) -> Iterator[Sum]:
        return iter(self.bits)


@dataclasses.dataclass(frozen=True, eq=False)
class Number(_Bits):
    """A word: one Boolean function for each bit, lowest first; two's complement where signed.

    `number == 5`, `number < 5` and `number + 1` give conditions and numbers; indexing gives single
    bits. Two numbers of up to `MAX_ONE_STEP_BITS` bits are compared by `<`, `<=`, `>` and `>=`.
    """

    signed: bool = False

    def __eq__(self, other: object) -> Sum:  # type: ignore[override]
        value = _whole(other)
        if value is None:
            raise ProgramError("a number is compared with a constant; `equal` compares two numbers")
        wanted = constant(value, len(self), signed=self.signed).bits
        return all_of(bit if one is TRUE else ~bit for bit, one in zip(self, wanted, strict=True))

    def __ne__(self, other: object) -> Sum:  # type: ignore[override]
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: "int | Number") -> Sum:
        if isinstance(other, Number):
            return _less(self, other, FALSE)
        return _below(self.ranked, self._rank(other))

    def __le__(self, other: "int | Number") -> Sum:
        if isinstance(other, Number):
            return _less(self, other, TRUE)
        return _below(self.ranked, self._rank(other) + 1)

    def __gt__(self, other: "int | Number") -> Sum:
        if isinstance(other, Number):
            return _less(other, self, FALSE)
        return _above(self.ranked, self._rank(other))

    def __ge__(self, other: "int | Number") -> Sum:
        if isinstance(other, Number):
            return _less(other, self, TRUE)
        return _above(self.ranked, self._rank(other) - 1)

    @property
    def ranked(self) -> tuple[Sum, ...]:
        """The bits of the number's place among all numbers of its kind, in their order."""
        return (*self.bits[:-1], ~self.bits[-1]) if self.signed else self.bits

    def _rank(self, other: object) -> int:
        value = _whole(other)
        if value is None:
            raise ProgramError(f"a number is compared with a number, not with {other!r}")
        constant(value, len(self), signed=self.signed)
        return value + (1 << len(self) - 1 if self.signed else 0)

    def __add__(self, one: int) -> "Number":
        """The number plus 1, modulo 2^bits: bit b flips if all lower bits are 1."""
        if isinstance(one, _Bits):
            raise ProgramError(_SUM)
        if one != 1:
            raise ProgramError(f"only 1 can be added in one step, not {one}; see `idioms.add`")
        flipped = []
        for place, bit in enumerate(self.bits):
            carry = all_of(self.bits[:place])
            flipped.append((bit & ~carry) | (~bit & carry))
        return dataclasses.replace(self, bits=tuple(flipped))

    def __radd__(self, one: int) -> "Number":
        # What Python's `sum` begins with.
        if isinstance(one, int) and one == 0:
            raise ProgramError(_SUM)
        return self + one

    def where(self, condition: Sum) -> "Number":
        """The number where a condition holds, and 0 elsewhere."""
        return dataclasses.replace(self, bits=tuple(bit & condition for bit in self.bits))


@dataclasses.dataclass(frozen=True, eq=False)
class Choice(_Bits):
    """A one-hot field: `choice[i]` is the condition that it is i.

    `choice == 2`, `choice < 2` and `one == other` are conditions too. Where a choice has no value none
    of them holds, and `!=` does.
    """

    def __eq__(self, other: object) -> Sum:  # type: ignore[override]
        if isinstance(other, Choice):
            self._check_size(other)
            return any_of(a & b for a, b in zip(self, other, strict=True))
        return self[self._value(other)]

    def __ne__(self, other: object) -> Sum:  # type: ignore[override]
        if isinstance(other, Choice):
            self._check_size(other)
            # Of one value at most: it differs where it has one that the other has not, or none.
            differs = any_of(a & ~b for a, b in zip(self, other, strict=True))
            return differs | all_of(~a for a in self)
        return ~self[self._value(other)]

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: int) -> Sum:
        return any_of(self.bits[: self._value(other)])

    def __le__(self, other: int) -> Sum:
        return any_of(self.bits[: self._value(other) + 1])

    def __gt__(self, other: int) -> Sum:
        return any_of(self.bits[self._value(other) + 1 :])

    def __ge__(self, other: int) -> Sum:
        return any_of(self.bits[self._value(other) :])

    def _value(self, other: object) -> int:
        value = None if isinstance(other, bool) else _whole(other)
        if value is None:
            raise ProgramError(
                f"a choice is compared with one of its values, 0 to {len(self) - 1}, and by == with "
                f"another choice, not with {other!r:.80}"
            )
        if not 0 <= value < len(self):
            raise ProgramError(f"{value} is no choice; 0 to {len(self) - 1} are")
        return value

    def _check_size(self, other: "Choice") -> None:
        if len(self) != len(other):
            raise ProgramError(f"choices of {len(self)} and {len(other)} values are not compared")

    def where(self, condition: Sum) -> "Choice":
        """The choice where a condition holds, and none elsewhere."""
        return Choice(tuple(bit & condition for bit in self.bits))


Value = Sum | Number | Choice


def bits_of(value: Value) -> tuple[Sum, ...]:
    """The bits of any value; a flag has one."""
    return (value,) if isinstance(value, Sum) else value.bits


def constant(number: int, num_bits: int, *, signed: bool = False) -> Number:
    """A number that is known when the program is written.

    Raises:
        ProgramError: it does not fit.
    """
    low = -(1 << num_bits - 1) if signed else 0
    high = low + (1 << num_bits) - 1
    if not low <= number <= high:
        kind = "signed bits" if signed else "bits"
        raise ProgramError(f"{number} does not fit in {num_bits} {kind}; {low} to {high} do")
    bits = tuple(TRUE if number >> place & 1 else FALSE for place in range(num_bits))
    return Number(bits, signed)


def constant_like(value: Value, number: int) -> Value:
    """A constant of another value's kind and length.

    Raises:
        ProgramError: it does not fit.
    """
    if isinstance(value, Choice):
        if not 0 <= number < len(value):
            raise ProgramError(f"{number} is no choice; 0 to {len(value) - 1} are")
        return Choice(tuple(TRUE if i == number else FALSE for i in range(len(value))))
    if isinstance(value, Number):
        return constant(number, len(value), signed=value.signed)
    return constant(number, 1).bits[0]


def either(values: Sequence[Value]) -> Value:
    """Bit by bit the union of values of one shape, of which those that are not 0 at a time are equal."""
    columns = zip(*(bits_of(value) for value in values), strict=True)
    joined = tuple(any_of(column) for column in columns)
    first = values[0]
    return joined[0] if isinstance(first, Sum) else dataclasses.replace(first, bits=joined)


def where(value: Value, condition: Sum) -> Value:
    """The value where a condition holds, and all zeros elsewhere."""
    return value & condition if isinstance(value, Sum) else value.where(condition)


def select(condition: Sum, one: Value, other: Value | int) -> Value:
    """If the condition holds the one value, else the other; both of one kind, or a constant."""
    if isinstance(other, int):
        other = constant_like(one, other)
    check_kinds(one, other)
    return either([where(one, condition), where(other, ~condition)])


def check_kinds(target: Value, value: Value) -> None:
    """Raises ProgramError where a number stands for a choice or the other way round."""
    if isinstance(target, Choice) and isinstance(value, Number):
        raise ProgramError("a choice cannot take a number; a choice has a bit for every value")
    if isinstance(target, Number) and isinstance(value, Choice):
        raise ProgramError("a number cannot take a choice, which has a bit for every value")


def equal(one: Number, other: Number) -> Sum:
    """Whether two numbers are equal; 2^bits products, so for short words only.

    Raises:
        ProgramError: more than `MAX_ONE_STEP_BITS` bits; `idioms.equal` takes a step for those.
    """
    _check_short(one, other, "idioms.equal")
    return all_of((a & b) | (~a & ~b) for a, b in zip(one, other, strict=True))


def _less(one: Number, other: Number, if_equal: Sum) -> Sum:
    """Whether one number is less, from the lowest bit up; 2^bits - 1 products, or 3/2 as many."""
    if not isinstance(other, Number) or one.signed != other.signed:
        raise ProgramError("a signed and an unsigned number are not compared")
    _check_short(one, other, "idioms.less")
    found = if_equal
    for a, b in zip(one.ranked, other.ranked, strict=True):
        found = (~a & b) | ((~a | b) & found)
    return found


def _check_short(one: Number, other: Number, instead: str) -> None:
    if len(one) != len(other):
        raise ProgramError(f"numbers of {len(one)} and {len(other)} bits are not compared")
    if len(one) > MAX_ONE_STEP_BITS:
        raise ProgramError(
            f"numbers of {len(one)} bits are not compared in one step, which takes about 2^bits "
            f"products; up to {MAX_ONE_STEP_BITS} bits are, and `{instead}` compares longer ones"
        )


def _below(bits: Sequence[Sum], limit: int) -> Sum:
    """Whether an unsigned number is below a limit of 0 to 2^bits; a product for each 1 in it.

    Such a product says at which 1 of the limit the number is first smaller.
    """
    if limit >> len(bits):
        return TRUE
    higher, products = TRUE, []
    for place in reversed(range(len(bits))):
        if limit >> place & 1:
            products.append(higher & ~bits[place])
        else:
            higher = higher & ~bits[place]
    return any_of(products)


def _above(bits: Sequence[Sum], limit: int) -> Sum:
    """Whether an unsigned number is above a limit of -1 to 2^bits - 1; a product for each 0."""
    return _below([~bit for bit in bits], (1 << len(bits)) - 1 - limit)
