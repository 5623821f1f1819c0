"""A finite space: a few decisions, each among a few options; every candidate has a number."""

import dataclasses
import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ntkexec.errors import ExperimentError

Option: TypeAlias = Hashable
Candidate: TypeAlias = tuple[Any, ...]
"""One option a decision, in the space's order. They are the user's own values: numbers, words, ..."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """All ways to take each of some decisions; a candidate is the tuple of the options taken.

    Numbers of candidates are Python's, so a space of 10^30 is as exact as one of 10. Iterating gives
    every candidate in the order of its number, and `len` is refused by Python above 2^63: use `size`.

    Args:
        options: of each decision by its name, in order; of one decision no two are equal (1 and True
            are).

    Raises:
        ExperimentError: there is no decision, or one has no option or twice the same.
    """

    options: Mapping[str, Sequence[Option]]

    def __post_init__(self) -> None:
        kept = {name: tuple(found) for name, found in self.options.items()}
        if not kept:
            raise ExperimentError("a space needs a decision to take")
        for name, found in kept.items():
            if not found or len(set(found)) < len(found):
                raise ExperimentError(
                    f"the decision {name!r} needs options that differ, got {found!r}"
                )
        object.__setattr__(self, "options", kept)

    def __hash__(self) -> int:
        return hash(tuple(self.options.items()))

    def __iter__(self) -> Iterator[Candidate]:
        return itertools.product(*self.options.values())

    def __contains__(self, candidate: object) -> bool:
        return (
            isinstance(candidate, tuple)
            and len(candidate) == len(self.options)
            and all(c in found for c, found in zip(candidate, self.options.values(), strict=True))
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the decisions."""
        return tuple(self.options)

    @property
    def counts(self) -> tuple[int, ...]:
        """Options of each decision."""
        return tuple(len(found) for found in self.options.values())

    @property
    def size(self) -> int:
        """The number of candidates, exactly."""
        return math.prod(self.counts)

    def positions(self, candidate: Candidate) -> tuple[int, ...]:
        """Where each option stands among its decision's.

        Raises:
            ExperimentError: names the first option that its decision has not.
        """
        if len(candidate) != len(self.options):
            raise ExperimentError(
                f"{candidate!r} takes {len(candidate)} decisions, and there are {len(self.options)}"
            )
        found = []
        for option, (name, among) in zip(candidate, self.options.items(), strict=True):
            if option not in among:
                raise ExperimentError(f"{name!r} is one of {among!r}, not {option!r}")
            found.append(among.index(option))
        return tuple(found)

    def at(self, positions: Sequence[int]) -> Candidate:
        """The candidate whose options stand at these positions; the inverse of `positions`."""
        pairs = zip(self.options.values(), positions, strict=True)
        return tuple(among[int(place)] for among, place in pairs)

    def encode(self, candidate: Candidate) -> int:
        """The candidate's number, from 0 to below `size`: the first decision weighs most."""
        number = 0
        for place, count in zip(self.positions(candidate), self.counts, strict=True):
            number = number * count + place
        return number

    def decode(self, number: int) -> Candidate:
        """The candidate of a number; the inverse of `encode`.

        Raises:
            ExperimentError: no candidate has it.
        """
        if not 0 <= number < self.size:
            raise ExperimentError(f"candidates have the numbers 0 to {self.size - 1}, not {number}")
        places = []
        for count in reversed(self.counts):
            number, place = divmod(int(number), count)
            places.append(place)
        return self.at(places[::-1])

    def sample(self, generator: np.random.Generator) -> Candidate:
        """One candidate, each with the same probability."""
        return self.at([int(generator.integers(count)) for count in self.counts])

    def mutate(self, candidate: Candidate, generator: np.random.Generator) -> Candidate:
        """The candidate with one decision taken otherwise: the decision uniform, then the option.

        Decisions with a single option are left alone.

        Raises:
            ExperimentError: there is no other candidate.
        """
        places, counts = list(self.positions(candidate)), self.counts
        open_decisions = [index for index, count in enumerate(counts) if count > 1]
        if not open_decisions:
            raise ExperimentError(f"{candidate!r} is the only candidate of its space")
        index = open_decisions[int(generator.integers(len(open_decisions)))]
        other = int(generator.integers(counts[index] - 1))
        places[index] = other + (other >= places[index])
        return self.at(places)

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """All candidates that differ in one decision; there are `sum(counts) - len(counts)`."""
        places = self.positions(candidate)
        for index, count in enumerate(self.counts):
            for other in range(count):
                if other != places[index]:
                    yield self.at([*places[:index], other, *places[index + 1 :]])
