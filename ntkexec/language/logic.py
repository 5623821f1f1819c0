"""Boolean functions as sums of products of named bits: what conditions and values compile to."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Hashable, Iterable

Bit = Hashable
Term = frozenset[tuple[Bit, bool]]
"""A product: required value by bit. The empty product is always true."""

Impossible = Callable[[Term], bool]
"""Says of a product that no valid state satisfies it."""


@dataclasses.dataclass(frozen=True)
class Sum:
    """A sum of products. Combine with `&`, `|`, `^` and `~`; terms that others absorb are dropped."""

    terms: frozenset[Term]

    def __and__(self, other: "Sum") -> "Sum":
        products = (a | b for a, b in itertools.product(self.terms, other.terms))
        return _absorb(term for term in products if _is_consistent(term))

    def __or__(self, other: "Sum") -> "Sum":
        return _absorb(self.terms | other.terms)

    def __xor__(self, other: "Sum") -> "Sum":
        return (self & ~other) | (~self & other)

    def __invert__(self) -> "Sum":
        # De Morgan: the product over all terms of the sum of their negated literals.
        factors = (
            Sum(frozenset(frozenset([(bit, not value)]) for bit, value in term))
            for term in self.terms
        )
        return functools.reduce(Sum.__and__, factors, TRUE)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth value while a program is written; use &, | and ~")

    @property
    def bits(self) -> frozenset[Bit]:
        """The bits that it reads."""
        return frozenset(bit for term in self.terms for bit, _ in term)

    def value(self, state: dict[Bit, bool]) -> bool:
        """The function's value at an assignment of all bits that it reads."""
        return any(all(state[bit] == required for bit, required in term) for term in self.terms)

    def possible(self, impossible: Impossible) -> "Sum":
        """Without the terms that no valid state satisfies."""
        return Sum(frozenset(term for term in self.terms if not impossible(term)))


TRUE = Sum(frozenset([frozenset()]))
FALSE = Sum(frozenset())


def literal(bit: Bit, value: bool = True) -> Sum:
    """The function that is true where a bit has a value."""
    return Sum(frozenset([frozenset([(bit, value)])]))


def any_of(functions: Iterable[Sum]) -> Sum:
    """True where at least one is; false for none."""
    return functools.reduce(Sum.__or__, functions, FALSE)


def all_of(functions: Iterable[Sum]) -> Sum:
    """True where all are; true for none."""
    return functools.reduce(Sum.__and__, functions, TRUE)


def _is_consistent(term: Term) -> bool:
    return len({bit for bit, _ in term}) == len(term)


def _absorb(terms: Iterable[Term]) -> Sum:
    kept: list[Term] = []
    for term in sorted(set(terms), key=len):
        if not any(other <= term for other in kept):
            kept.append(term)
    return Sum(frozenset(kept))


def minimise(function: Sum) -> Sum:
    """An irredundant sum of prime implicants with the same values.

    Literals are dropped from each term as long as the function allows it, then terms that the
    others cover, longest first. The result depends on the function's terms, not on their order.

    Source: the EXPAND and IRREDUNDANT steps of espresso (Brayton et al. 1984), with containment
        decided by Shannon expansion. Not all primes are formed: they can be exponentially many.
    """
    terms = sorted(function.terms, key=_order)
    for index, term in enumerate(terms):
        for entry in sorted(term, key=repr):
            if _covers(set(terms), terms[index] - {entry}):
                terms[index] = terms[index] - {entry}
    kept = set(_absorb(terms).terms)
    for term in sorted(kept, key=_order):
        if _covers(kept - {term}, term):
            kept.remove(term)
    return Sum(frozenset(kept))


def _order(term: Term) -> tuple[int, list[str]]:
    return -len(term), sorted(map(repr, term))


def _covers(terms: set[Term], term: Term) -> bool:
    """Whether every assignment that satisfies `term` satisfies one of `terms`."""
    rest = []
    for other in terms:
        if any((bit, not value) in term for bit, value in other):
            continue
        remaining = other - term
        if not remaining:
            return True
        rest.append(remaining)
    if not rest:
        return False
    literals = frozenset[tuple[Bit, bool]]().union(*rest)
    # Where no literal that occurs without its opposite holds, its terms are of no help; elsewhere
    # they only add (the unate reduction). Without it, priority choices take exponentially long.
    pure = {(bit, value) for bit, value in literals if (bit, not value) not in literals}
    if pure:
        return _covers({other for other in rest if pure.isdisjoint(other)}, frozenset())
    # Split on a bit that occurs (Shannon expansion).
    bit = min((bit for bit, _ in literals), key=repr)
    return all(_covers(set(rest), frozenset([(bit, value)])) for value in (False, True))
