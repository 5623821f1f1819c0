"""Invariants: what a layout promises of states, and which of it a program keeps by itself.

A layout promises that one-hot fields hold at most one choice and that at most D + 1 slots of a
message table are occupied. A certificate may leave out states that break a promise only if a step
never leads from states that keep it to one that does not. That is shown here, template pair by
template pair, for the largest set of promises that support each other.
"""

import dataclasses
import functools
import itertools
from collections.abc import Collection, Iterable, Sequence

from ntkexec.program.templates import Template


@dataclasses.dataclass(frozen=True)
class AtMost:
    """An invariant of valid states: at most `bound` of the `groups` of bits hold any 1."""

    bound: int
    groups: tuple[tuple[int, ...], ...]
    reason: str


class Invariants(tuple[AtMost, ...]):
    """Invariants that are assumed together: a tuple of them that knows where each bit stands.

    They only forbid ones. So whether some valid state has given ones is decided by the state that
    has no others.
    """

    @functools.cached_property
    def _places(self) -> dict[int, list[tuple[int, int]]]:
        """By bit, of which groups of which invariants it is."""
        places: dict[int, list[tuple[int, int]]] = {}
        for number, invariant in enumerate(self):
            for group, bits in enumerate(invariant.groups):
                for bit in bits:
                    places.setdefault(bit, []).append((number, group))
        return places

    def broken_by(self, ones: Iterable[int]) -> AtMost | None:
        """The first invariant that no state keeps in which these bits are 1, if there is one."""
        places = self._places
        occupied: dict[int, set[int]] = {}
        for bit in ones:
            for number, group in places.get(bit, ()):
                occupied.setdefault(number, set()).add(group)
        broken = [n for n, groups in occupied.items() if len(groups) > self[n].bound]
        return self[min(broken)] if broken else None

    def compatible(self, one: Template, other: Template) -> bool:
        """Whether a state that keeps the invariants can match both templates."""
        required = dict(one.condition)
        if any(required.setdefault(bit, value) != value for bit, value in other.condition):
            return False
        return self.broken_by(bit for bit, value in required.items() if value) is None

    def among(self, bits: Collection[int]) -> "Invariants":
        """What is left of them for states whose other bits are 0.

        Groups lose the other bits, and what the remaining groups cannot break is left out.
        """
        left: dict[int, dict[int, list[int]]] = {}
        for bit in sorted(bits):
            for number, group in self._places.get(bit, ()):
                left.setdefault(number, {}).setdefault(group, []).append(bit)
        return Invariants(
            AtMost(
                self[number].bound,
                tuple(tuple(groups[group]) for group in sorted(groups)),
                self[number].reason,
            )
            for number, groups in sorted(left.items())
            if len(groups) > self[number].bound
        )


NOTHING = Invariants()
"""Nothing is assumed: all states count."""


def kept_by(
    templates: Sequence[Template],
    writers: Sequence[Sequence[int]],
    promised: Invariants,
    num_computation_bits: int,
) -> Invariants:
    """The invariants that every step preserves, on every graph of the program's degree.

    An invariant is kept if no two templates that write different groups of it can match together.
    For a message table this means that a node writes to one slot at most, so a closed neighbourhood
    of D + 1 nodes occupies D + 1 slots. The condition is sufficient, not necessary: what depends on
    more than one node, such as that there is one token, is not found and so not assumed.

    Args:
        templates: of the program.
        writers: by bit, the indices of the templates that write it.
        promised: what the layout promises.
        num_computation_bits: the bits from there on are messages.

    Source: the largest inductive subset of candidates, Flanagan and Leino, FME 2001.
    """

    def is_kept(invariant: AtMost, assumed: Invariants) -> bool:
        is_message = min(map(min, invariant.groups)) >= num_computation_bits
        if is_message and invariant.bound == 1:
            # What several neighbours write into one slot is not seen from one node.
            return False
        writing = [sorted({t for bit in group for t in writers[bit]}) for group in invariant.groups]
        return all(
            not assumed.compatible(templates[one], templates[other])
            for first, second in itertools.combinations(writing, 2)
            for one, other in itertools.product(first, second)
        )

    kept = promised
    while True:
        left = Invariants(invariant for invariant in kept if is_kept(invariant, kept))
        if left == kept:
            return kept
        kept = left
