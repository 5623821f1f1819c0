"""Commutative monoids on finite types: ways to combine messages, in whatever order they come.

A stage that reads what it hears by one of them alone, a `Gather`, does not see ports. So it can be
carried out by parts, which is what a node does that was split into a tree.
"""

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, Number, Sum, any_of, either, idioms
from ntkexec.programs.local.enumeration import count, drawn, values
from ntkexec.programs.local.types import Bool, Range, Record, Set, Tuple, Type

MOST_VALUES = 128
"""The laws are checked for all triples of the values of a carrier that has at most so many."""
DRAWN_VALUES = 8
"""Of larger carriers so many values are drawn, whose triples are checked."""

Body = Callable[[Builder, Sequence[Sum], Sequence[Sequence[Sum]], str], None]


@dataclasses.dataclass(frozen=True)
class Monoid:
    """Values that any number of which combine to one, whatever their order.

    Args:
        name: for messages.
        carrier: type of the values.
        unit: what changes nothing when it is combined with.
        combine: `combine(one, other)`, pure; compiled from its table if there is no body.
        body: the same in the instruction language, `body(p, total, others, name)`: adds phases after
            which `total` holds the combination of itself and all others. They are given by their
            bits, the lowest of the first part first; `name` begins the names of phases and fields.
        law: why this is a commutative monoid, where the carrier has more than `MOST_VALUES` values.
    """

    name: str
    carrier: Type
    unit: Any
    combine: Callable[[Any, Any], Any]
    body: Body | None = None
    law: str | None = None

    def total(self, some: Iterable[Any]) -> Any:
        """The combination of any number of values, one after the other; of none the unit."""
        found = self.unit
        for value in some:
            found = self.combine(found, value)
        return found

    def check(self) -> str:
        """Says how it is known that the laws hold: all values were tried, or the author's word.

        Raises:
            ProgramError: a law does not hold, or a value is not of the carrier; names the values. Or
                the carrier is too large to try, and there is no `law`.
        """
        self._encode(self.unit, "the unit")
        number = count(self.carrier)
        if number <= MOST_VALUES:
            self._check_all(list(values(self.carrier)))
            return f"checked for all triples of {number} values"
        if self.law is None:
            raise ProgramError(
                f"{self.name}: {number:,} values have too many triples to check that combine is "
                f"associative and commutative; up to {MOST_VALUES} values would do, or the reason as `law`"
            )
        rng = random.Random(0)
        some = [self.unit, *(drawn(self.carrier, 0, {}, rng) for _ in range(DRAWN_VALUES))]
        for one, other in itertools.product(some, repeat=2):
            self._check_pair(one, other)
        for one, two, three in itertools.product(some, repeat=3):
            left = self.combine(self.combine(one, two), three)
            if left != self.combine(one, self.combine(two, three)):
                raise self._not_associative(one, two, three)
        return f"{self.law}, and {len(some) ** 3} triples checked"

    def _check_all(self, every: list[Any]) -> None:
        places = {self.carrier.encode(value): place for place, value in enumerate(every)}
        table = np.array(
            [[places[self._check_pair(one, other)] for other in every] for one in every], np.int16
        )
        for place in range(len(every)):
            # (one + two) + three against one + (two + three), for one `one`.
            differ = table[table[place]] != table[place][table]
            if differ.any():
                two, three = np.argwhere(differ)[0]
                raise self._not_associative(every[place], every[two], every[three])

    def _check_pair(self, one: Any, other: Any) -> tuple[bool, ...]:
        """The code of a combination; raises unless it is of the carrier, and the same the other way."""
        found, back = self._combined(one, other), self._combined(other, one)
        if found != back:
            raise ProgramError(
                f"{self.name} is not commutative: {one!r} with {other!r} is "
                f"{self.carrier.decode(found)!r}, and the other way round {self.carrier.decode(back)!r}"
            )
        if one == self.unit and found != self.carrier.encode(other):
            raise ProgramError(
                f"{self.name}: {self.unit!r} is no unit, since with {other!r} it is "
                f"{self.carrier.decode(found)!r}"
            )
        return found

    def _combined(self, one: Any, other: Any) -> tuple[bool, ...]:
        try:
            found = self.combine(one, other)
        except Exception as error:
            raise ProgramError(
                f"{self.name}: combine of {one!r} and {other!r} raises "
                f"{type(error).__name__}: {error}"
            ) from error
        return self._encode(found, f"combine of {one!r} and {other!r}")

    def _encode(self, value: Any, what: str) -> tuple[bool, ...]:
        try:
            return self.carrier.encode(value)
        except ProgramError as error:
            raise ProgramError(f"{self.name}: {what}: {error}") from None

    def _not_associative(self, one: Any, two: Any, three: Any) -> ProgramError:
        left = self.combine(self.combine(one, two), three)
        right = self.combine(one, self.combine(two, three))
        return ProgramError(
            f"{self.name} is not associative: ({one!r} with {two!r}) with {three!r} is {left!r}, "
            f"and {one!r} with ({two!r} with {three!r}) is {right!r}"
        )


def union(kind: Type) -> Monoid:
    """Unions of sets, *or* of flags and of the bits of numbers, part by part; takes 1 step.

    Args:
        kind: of sets, flags and ranges of 2^b numbers.

    Raises:
        ProgramError: another part, which it names.
    """
    for name, leaf in kind.leaves():
        if not isinstance(leaf, Bool | Set) and not _has_all_codes(leaf):
            raise ProgramError(
                f"sets, flags and ranges of 2^b numbers are united, not {name or 'a value'}: {leaf}"
            )
    return Monoid(
        "union",
        kind,
        unit=kind.decode([False] * kind.num_bits),
        combine=lambda one, other: _united(kind, one, other),
        body=_union_body,
        law="a union, bit by bit",
    )


def _has_all_codes(kind: Type) -> bool:
    return isinstance(kind, Range) and kind.size == 1 << kind.num_bits


def _united(kind: Type, one: Any, other: Any) -> Any:
    match kind:
        case Bool():
            return one or other
        case Set():
            return frozenset(one) | frozenset(other)
        case Range():
            return one | other
        case Record() | Tuple():
            parts = zip(kind.parts.values(), kind.split(one), kind.split(other), strict=True)
            return kind.build([_united(part, a, b) for part, a, b in parts])
    raise AssertionError(f"no union of {kind!r}")


def _union_body(
    p: Builder, total: Sequence[Sum], others: Sequence[Sequence[Sum]], name: str
) -> None:
    with p.phase(f"{name}: unite"):
        for bit, *more in zip(total, *others, strict=True):
            p.set(bit, when=any_of(more))


def least(kind: Type) -> Monoid:
    """The smallest number, or of records and tuples the first in lexicographic order.

    The unit is the largest value. Takes 2 steps a bit, and 2.

    Args:
        kind: of ranges of 2^b numbers.

    Raises:
        ProgramError: something else in it.
    """
    for name, leaf in kind.leaves():
        if not _has_all_codes(leaf):
            raise ProgramError(
                f"the least is taken of ranges of 2^b numbers, not {name or 'a value'}: {leaf}"
            )
    return Monoid(
        "least",
        kind,
        unit=kind.decode([True] * kind.num_bits),
        combine=min,
        body=lambda p, total, others, name: _least_body(p, kind, total, others, name),
        law="the smaller of two in a total order",
    )


def _least_body(
    p: Builder, kind: Type, total: Sequence[Sum], others: Sequence[Sequence[Sum]], name: str
) -> None:
    numbers = [Number(tuple(_ranked(kind, bits))) for bits in (total, *others)]
    live = p.flags(f"{name}_live", len(numbers))
    with p.phase(f"{name}: candidates"):
        for one in live:
            p.set(one)
    idioms.minimum(p, live, numbers, name=name)
    with p.phase(f"{name}: adopt"):
        firsts = idioms.priority(live)
        chosen = [number.where(first) for number, first in zip(numbers, firsts, strict=True)]
        p.assign(numbers[0], either(chosen))


def _ranked(kind: Type, bits: Sequence[Sum]) -> list[Sum]:
    """The bits of one number that is ordered as the values are: the first part decides first."""
    if not isinstance(kind, Record | Tuple):
        return list(bits)
    found: list[Sum] = []
    for part, start in reversed(list(zip(kind.parts.values(), kind.offsets.values(), strict=True))):
        found += _ranked(part, bits[start : start + part.num_bits])
    return found


def capped(limit: int) -> Monoid:
    """Sums of numbers 0 to a limit of at least 1, at which they stay."""
    return Monoid(
        "capped sum",
        Range(limit + 1),
        unit=0,
        combine=lambda one, other: min(limit, one + other),
        law="a sum that stays at its limit",
    )
