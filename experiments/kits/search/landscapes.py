"""Evaluators whose best candidate is known: tables, and random landscapes of pairwise interaction."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float64

from experiments.kits.search.spaces import Candidate, Choices
from ntkexec.errors import ExperimentError

Factor = tuple[tuple[int, ...], np.ndarray]
"""Decisions, ascending, and a value for each way to take them: one axis a decision."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tabulated:
    """A space whose every candidate was scored before.

    Args:
        space: of the candidates.
        values: by the candidate's number.

    Raises:
        ExperimentError: there are more or fewer values than candidates, or one is not finite.
    """

    space: Choices
    values: Float64[np.ndarray, " size"]

    def __post_init__(self) -> None:
        if self.values.shape != (self.space.size,) or not np.isfinite(self.values).all():
            raise ExperimentError(
                f"{self.space.size} candidates need as many finite values, got shape "
                f"{self.values.shape}"
            )

    def __call__(self, candidate: Candidate) -> float:
        """The candidate's value."""
        return float(self.values[self.space.encode(candidate)])

    @property
    def optimum(self) -> float:
        """The largest value."""
        return float(self.values.max())


@dataclasses.dataclass(frozen=True, eq=False)
class PairwiseLandscape:
    """Values that add up from single decisions and from pairs of them, seen through noise.

    Args:
        space: of the candidates.
        factors: the parts that are added.
        noise: standard deviation of what is added to what is seen; for a candidate it is always
            the same, so seeing it again teaches nothing.
        seed: of the noise.
    """

    space: Choices
    factors: tuple[Factor, ...]
    noise: float = 0.0
    seed: int = 0

    @classmethod
    def drawn(
        cls,
        space: Choices,
        generator: np.random.Generator,
        *,
        share: float = 0.3,
        strength: float = 1.0,
        noise: float = 0.0,
    ) -> Self:
        """Standard normal effects of every option, and normal tables for a share of the pairs.

        Args:
            space: of the candidates.
            generator: draws all.
            share: of the pairs that interact, rounded to a number of them.
            strength: standard deviation of a table's entries; the larger, the more rugged.
            noise: as of the class.
        """
        counts = space.counts
        factors: list[Factor] = [
            ((index,), generator.normal(size=count)) for index, count in enumerate(counts)
        ]
        pairs = list(itertools.combinations(range(len(counts)), 2))
        for place in sorted(generator.permutation(len(pairs))[: round(share * len(pairs))]):
            one, other = pairs[place]
            shape = (counts[one], counts[other])
            factors.append(((one, other), strength * generator.normal(size=shape)))
        return cls(space, tuple(factors), noise, int(generator.integers(2**32)))

    def truth(self, candidate: Candidate) -> float:
        """The candidate's value without noise."""
        places = self.space.positions(candidate)
        return float(sum(table[tuple(places[d] for d in of)] for of, table in self.factors))

    def __call__(self, candidate: Candidate) -> float:
        """The candidate's value as it is seen."""
        if not self.noise:
            return self.truth(candidate)
        drawn = np.random.default_rng([self.seed, self.space.encode(candidate)]).normal()
        return self.truth(candidate) + self.noise * float(drawn)

    @functools.cached_property
    def optimum(self) -> float:
        """The largest value without noise, over all candidates, exactly."""
        return largest_sum(self.factors, self.space.counts)


def largest_sum(factors: Sequence[Factor], counts: Sequence[int]) -> float:
    """The largest sum of factors over all ways to take the decisions, without visiting them all.

    Decisions are eliminated one after the other, always the one whose neighbours have the fewest
    ways together: of 2 * 10^8 candidates with twenty interacting pairs it visits some 10^5.

    Args:
        factors: each axis as long as its decision's options.
        counts: options of each decision.

    Source: variable elimination; Dechter, Artificial Intelligence 113 (1999).
    """
    left, total = list(factors), 0.0
    remaining = set(range(len(counts)))
    while remaining:
        scopes = {each: _scope(each, left) for each in remaining}
        ways = {each: math.prod(counts[o] for o in of) for each, of in scopes.items()}
        decision = min(sorted(remaining), key=ways.__getitem__)
        around = scopes[decision]
        table = np.zeros([counts[other] for other in around])
        for of, values in left:
            if decision in of:
                table = table + values.reshape([counts[o] if o in of else 1 for o in around])
        left = [factor for factor in left if decision not in factor[0]]
        reduced = table.max(around.index(decision))
        if len(around) == 1:
            total += float(reduced)
        else:
            left.append((tuple(other for other in around if other != decision), reduced))
        remaining.remove(decision)
    return total


def _scope(decision: int, factors: Sequence[Factor]) -> tuple[int, ...]:
    """The decision, and those that share a factor with it."""
    found = {other for of, _ in factors if decision in of for other in of}
    return tuple(sorted(found | {decision}))
