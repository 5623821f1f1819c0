"""Minimising sums of products, with products as sets of bits in integers.

A literal is a number, in the order of the literals' names. Of every literal it is known, as the bits
of one integer, which terms have it; so one operation finds all terms that a literal excludes.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

Literal = tuple[Hashable, bool]
Term = frozenset[Literal]
"""A product: required value by bit. The empty product is always true."""

# From so many terms on, looking for those that could absorb one takes an index.
FEW_TERMS = 16


class Cube(NamedTuple):
    """A product: the variables that must be 1 and those that must be 0, as bits of integers."""

    ones: int
    zeros: int

    def without(self, other: "Cube") -> "Cube":
        """The literals that the other product has not."""
        return Cube(self.ones & ~other.ones, self.zeros & ~other.zeros)


def absorb(terms: Collection[Term]) -> frozenset[Term]:
    """The terms of which no other is a part."""
    if len(terms) <= 1:
        return frozenset(terms)
    by_length = sorted(set(terms), key=len)
    if len(by_length) <= FEW_TERMS:
        kept: list[Term] = []
        for term in by_length:
            if not any(other <= term for other in kept):
                kept.append(term)
        return frozenset(kept)
    if not by_length[0]:
        return frozenset([by_length[0]])
    # Every kept term is filed under its rarest literal, which whatever it absorbs has too.
    frequency: dict[Literal, int] = {}
    for term in by_length:
        for entry in term:
            frequency[entry] = frequency.get(entry, 0) + 1
    filed: dict[Literal, list[Term]] = {}
    for term in by_length:
        if not any(other <= term for entry in term for other in filed.get(entry, ())):
            filed.setdefault(min(term, key=frequency.__getitem__), []).append(term)
    return frozenset(term for found in filed.values() for term in found)


def minimise(terms: Iterable[Term]) -> frozenset[Term]:
    """An irredundant sum of prime implicants with the same values; see `logic.minimise`."""
    given = absorb(set(terms))
    literals = {entry for term in given for entry in term}
    if not any((bit, not value) in literals for bit, value in literals):
        # In a unate sum every term that no other absorbs is prime, and needed.
        return given
    return _Minimiser(given).result()


class _Minimiser:
    """The terms of one sum, and which of them have each literal."""

    def __init__(self, terms: Iterable[Term]) -> None:
        given = list(terms)
        self.literals: list[Literal] = sorted({entry for term in given for entry in term}, key=repr)
        number = {entry: index for index, entry in enumerate(self.literals)}
        names = dict.fromkeys(bit for bit, _ in self.literals)
        variables = {bit: place for place, bit in enumerate(names)}
        self.variables = [1 << variables[bit] for bit, _ in self.literals]
        self.opposite = [number.get((bit, not value)) for bit, value in self.literals]
        self.terms = [sorted(number[entry] for entry in term) for term in given]
        self.terms.sort(key=_order)
        self.cubes = [self._cube(term) for term in self.terms]
        self.having = [0] * len(self.literals)
        for index, term in enumerate(self.terms):
            for literal in term:
                self.having[literal] |= 1 << index

    def result(self) -> frozenset[Term]:
        for index in range(len(self.terms)):
            self._expand(index)
        terms = absorb([frozenset(self.literals[i] for i in term) for term in self.terms])
        return _Minimiser(terms)._irredundant()

    def _cube(self, term: Sequence[int]) -> Cube:
        ones = zeros = 0
        for literal in term:
            if self.literals[literal][1]:
                ones |= self.variables[literal]
            else:
                zeros |= self.variables[literal]
        return Cube(ones, zeros)

    def _excluded(self, literal: int) -> int:
        """The terms that are false wherever a literal holds."""
        opposite = self.opposite[literal]
        return 0 if opposite is None else self.having[opposite]

    def _expand(self, index: int) -> None:
        """Drops the literals of a term as long as the other terms hold where one is turned round."""
        term = self.terms[index]
        after = [0] * len(term)
        for place in reversed(range(len(term) - 1)):
            after[place] = after[place + 1] | self._excluded(term[place + 1])
        held = self.cubes[index]
        low = _nearly_within([cube.ones for cube in self.cubes], held.ones)
        high = _nearly_within([cube.zeros for cube in self.cubes], held.zeros)
        kept: list[int] = []
        before, everything = 0, (1 << len(self.terms)) - 1
        for place, literal in enumerate(term):
            among = everything & ~(before | after[place] | self.having[literal])
            variable, held = self.variables[literal], self.cubes[index]
            # Dropping literals only makes the term's sets smaller: no other terms than these can
            # hold at the two points of `_is_covered`.
            positive = self.literals[literal][1]
            at_low = low.get(0, 0) | (0 if positive else low.get(variable, 0))
            at_high = high.get(0, 0) | (high.get(variable, 0) if positive else 0)
            turned = Cube(held.ones ^ variable, held.zeros ^ variable)
            if among & at_low and among & at_high and self._is_covered(turned, among):
                self.having[literal] &= ~(1 << index)
                self.cubes[index] = held.without(self._cube([literal]))
            else:
                kept.append(literal)
                before |= self._excluded(literal)
        self.terms[index] = kept

    def _irredundant(self) -> frozenset[Term]:
        """Without the terms that the others cover, longest first."""
        left = (1 << len(self.terms)) - 1
        for index, term in enumerate(self.terms):
            others = left & ~(1 << index)
            for literal in term:
                others &= ~self._excluded(literal)
            if self._is_covered(self.cubes[index], others):
                left &= ~(1 << index)
        return frozenset(
            frozenset(self.literals[i] for i in self.terms[index]) for index in _bits(left)
        )

    def _is_covered(self, cube: Cube, among: int) -> bool:
        """Whether some of these terms, which the cube does not exclude, hold wherever it does."""
        others = [self.cubes[index] for index in _bits(among)]
        # Nearly always one of two points of the cube shows that they do not: the one where all other
        # variables are 0, and the one where they are 1.
        if all(ones & ~cube.ones for ones, _ in others) or all(
            zeros & ~cube.zeros for _, zeros in others
        ):
            return False
        return is_tautology(other.without(cube) for other in others)


def _order(term: list[int]) -> tuple[int, list[int]]:
    return -len(term), term


def _nearly_within(sets: Sequence[int], whole: int) -> dict[int, int]:
    """Those of some sets of variables that lie within another, by what is missing there: 0 or one."""
    found: dict[int, int] = {}
    for index, one in enumerate(sets):
        missing = one & ~whole
        if not missing & (missing - 1):
            found[missing] = found.get(missing, 0) | 1 << index
    return found


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def is_tautology(cubes: Iterable[Cube]) -> bool:
    """Whether every assignment satisfies one of the products (Shannon expansion)."""
    left = set(cubes)
    while True:
        if Cube(0, 0) in left:
            return True
        ones = zeros = 0
        for cube in left:
            ones |= cube.ones
            zeros |= cube.zeros
        # Where no literal that occurs without its opposite holds, its terms are of no help;
        # elsewhere they only add (the unate reduction). Without it, priority choices take
        # exponentially long.
        pure = ones ^ zeros
        if not pure:
            break
        left = {cube for cube in left if not (cube.ones | cube.zeros) & pure}
    if not left:
        return False
    bit = ones & -ones
    return is_tautology(_where(left, Cube(0, bit))) and is_tautology(_where(left, Cube(bit, 0)))


def _where(cubes: Iterable[Cube], held: Cube) -> Iterator[Cube]:
    """The products as they stand where another holds."""
    return (
        cube.without(held)
        for cube in cubes
        if not (cube.ones & held.zeros or cube.zeros & held.ones)
    )
