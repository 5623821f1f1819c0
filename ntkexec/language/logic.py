"""Boolean functions as sums of products of named bits: what conditions and values compile to."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Hashable, Iterable

from ntkexec.language import cubes
from ntkexec.language.cubes import Term

Bit = Hashable

Impossible = Callable[[Term], bool]
"""Says of a product that no valid state satisfies it."""


@dataclasses.dataclass(frozen=True)
class Sum:
    """A sum of products. Combine with `&`, `|`, `^` and `~`; terms that others absorb are dropped."""

    terms: frozenset[Term]

    def __and__(self, other: "Sum") -> "Sum":
        products = (a | b for a, b in itertools.product(self.terms, other.terms))
        return Sum(cubes.absorb([term for term in products if _is_consistent(term)]))

    def __or__(self, other: "Sum") -> "Sum":
        return Sum(cubes.absorb(self.terms | other.terms))

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
        raise TypeError(
            "a condition has no truth value while a program is written; use &, | and ~, for `if` when=... "
            "or `select`, and for min and max `idioms.minimum`"
        )

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
    return Sum(cubes.absorb({term for function in functions for term in function.terms}))


def all_of(functions: Iterable[Sum]) -> Sum:
    """True where all are; true for none."""
    return functools.reduce(Sum.__and__, functions, TRUE)


def _is_consistent(term: Term) -> bool:
    return len({bit for bit, _ in term}) == len(term)


def minimise(function: Sum) -> Sum:
    """An irredundant sum of prime implicants with the same values.

    Literals are dropped from each term as long as the function allows it, then terms that the
    others cover, longest first. The result depends on the function's terms, not on their order.

    Source: the EXPAND and IRREDUNDANT steps of espresso (Brayton et al. 1984), with containment
        decided by Shannon expansion. Not all primes are formed: they can be exponentially many.
    """
    return Sum(cubes.minimise(function.terms))
