"""Functions over finite types as conditions on the bits of their arguments, and how large they are."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ntkexec.language import Builder, Sum
from ntkexec.language.logic import TRUE
from ntkexec.programs.local.exploration import Case, explore
from ntkexec.programs.local.tables import sums
from ntkexec.programs.local.types import Type

Argument = tuple[Type, Sequence[Sum]]
"""A type and the bits that hold a value of it."""


@dataclasses.dataclass(frozen=True)
class TableSize:
    """One function that was tabulated.

    Args:
        function: its name.
        cases: combinations of values that it distinguishes.
        bits_read: bits on which it depends.
        products: of the minimised sums, over all output bits.
    """

    function: str
    cases: int
    bits_read: int
    products: int


class Tabulator:
    """Tabulates functions of an algorithm, and remembers how large the tables were.

    Args:
        algorithm: its name, for messages.
    """

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.sizes: list[TableSize] = []

    def __call__(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Argument],
        result: Type,
        name: str,
    ) -> tuple[Sum, ...]:
        """A function as one condition for each bit of its result.

        Raises:
            ProgramError: see `explore`.
        """
        kinds = {argument: kind for argument, (kind, _) in arguments.items()}
        cases = explore(function, kinds, result, name=f"{self.algorithm}: {name}")
        found = sums(cases, [bit for _, bits in arguments.values() for bit in bits])
        self.sizes.append(_size(name, cases, found))
        return found


def assign_all(
    p: Builder, targets: Sequence[Sum], found: Sequence[Sum], *, when: Sum = TRUE
) -> None:
    """Assigns the bits that change."""
    for target, value in zip(targets, found, strict=True):
        if value != target:
            p.assign(target, value, when=when)


def _size(name: str, cases: Sequence[Case], found: Sequence[Sum]) -> TableSize:
    return TableSize(
        name,
        len(cases),
        len(frozenset().union(*(function.bits for function in found))),
        len(frozenset[Any]().union(*(function.terms for function in found))),
    )
