"""What statements speak of: numbers and choices made of bits, each bit a Boolean function."""

import dataclasses
from collections.abc import Iterator, Sequence

from ntkexec.errors import ProgramError
from ntkexec.language.logic import FALSE, TRUE, Sum, all_of, any_of


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
    """A word: one Boolean function for each bit, lowest first.

    `number == 5` and `number + 1` give conditions and numbers; indexing gives single bits.
    """

    def __eq__(self, other: object) -> Sum:  # type: ignore[override]
        if not isinstance(other, int):
            raise ProgramError("a number is compared with a constant; `equal` compares two numbers")
        wanted = constant(other, len(self)).bits
        return all_of(bit if one is TRUE else ~bit for bit, one in zip(self, wanted, strict=True))

    def __ne__(self, other: object) -> Sum:  # type: ignore[override]
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, one: int) -> "Number":
        """The number plus 1, modulo 2^bits: bit b flips if all lower bits are 1."""
        if one != 1:
            raise ProgramError(f"only 1 can be added in one step, not {one}; see `idioms.add`")
        flipped = []
        for place, bit in enumerate(self.bits):
            carry = all_of(self.bits[:place])
            flipped.append((bit & ~carry) | (~bit & carry))
        return Number(tuple(flipped))

    def where(self, condition: Sum) -> "Number":
        """The number where a condition holds, and 0 elsewhere."""
        return Number(tuple(bit & condition for bit in self.bits))


@dataclasses.dataclass(frozen=True, eq=False)
class Choice(_Bits):
    """A one-hot field: `choice[i]` is the condition that it is i."""

    def where(self, condition: Sum) -> "Choice":
        """The choice where a condition holds, and none elsewhere."""
        return Choice(tuple(bit & condition for bit in self.bits))


Value = Sum | Number | Choice


def bits_of(value: Value) -> tuple[Sum, ...]:
    """The bits of any value; a flag has one."""
    return (value,) if isinstance(value, Sum) else value.bits


def constant(number: int, num_bits: int) -> Number:
    """A number that is known when the program is written.

    Raises:
        ProgramError: it does not fit.
    """
    if not 0 <= number < 1 << num_bits:
        raise ProgramError(
            f"{number} does not fit in {num_bits} bits; 0 to {(1 << num_bits) - 1} do"
        )
    return Number(tuple(TRUE if number >> place & 1 else FALSE for place in range(num_bits)))


def either(values: Sequence[Value]) -> Value:
    """Bit by bit the union of values of one shape, at most one of which is not 0 at a time."""
    columns = zip(*(bits_of(value) for value in values), strict=True)
    joined = tuple(any_of(column) for column in columns)
    first = values[0]
    return joined[0] if isinstance(first, Sum) else dataclasses.replace(first, bits=joined)


def equal(one: Number, other: Number) -> Sum:
    """Whether two numbers are equal; 2^bits products, so for short words only."""
    return all_of((a & b) | (~a & ~b) for a, b in zip(one, other, strict=True))
