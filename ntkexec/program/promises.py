"""Which of a layout's promises a program keeps by itself, whatever valid states it meets.

A layout promises that one-hot fields hold at most one choice and that at most D + 1 slots of a
message table are occupied. A certificate may leave out states that break a promise only if a step
never leads from states that keep it to one that does not. That is shown here, template pair by
template pair, for the largest set of promises that support each other.
"""

import itertools
from collections.abc import Sequence

from ntkexec.program.layout import AtMost
from ntkexec.program.program import Program, Template


def promises_kept(program: Program) -> tuple[AtMost, ...]:
    """The layout's invariants that every step preserves, on every graph of the program's degree.

    An invariant is kept if no two templates that write different groups of it can match together.
    For a message table this means that a node writes to one slot at most, so a closed neighbourhood
    of D + 1 nodes occupies D + 1 slots. The condition is sufficient, not necessary: what depends on
    more than one node, such as that there is one token, is not found and so not assumed.

    Source: the largest inductive subset of candidates, Flanagan and Leino, FME 2001.
    """
    kept = list(program.layout.invariants)
    while True:
        broken = [invariant for invariant in kept if not _is_kept(program, invariant, kept)]
        if not broken:
            return tuple(kept)
        kept = [invariant for invariant in kept if invariant not in broken]


def _is_kept(program: Program, invariant: AtMost, assumed: Sequence[AtMost]) -> bool:
    bits = {bit for group in invariant.groups for bit in group}
    is_message = min(bits) >= program.layout.num_computation_bits
    if is_message and invariant.bound == 1:
        # What several neighbours write into one slot is not seen from one node.
        return False
    writers = [
        [entry for entry in program.templates if not set(group).isdisjoint(entry.outputs)]
        for group in invariant.groups
    ]
    places = invariant_places(assumed)
    return not any(
        _compatible(one, other, places)
        for first, second in itertools.combinations(writers, 2)
        for one, other in itertools.product(first, second)
    )


# By bit: the invariants and their groups that it is in, and the bound of each such invariant.
Places = dict[int, list[tuple[int, int, int]]]


def invariant_places(invariants: Sequence[AtMost]) -> Places:
    """Where every bit stands in the invariants: which of them, which group, and the bound."""
    found: Places = {}
    for i, invariant in enumerate(invariants):
        for g, group in enumerate(invariant.groups):
            for bit in group:
                found.setdefault(bit, []).append((i, g, invariant.bound))
    return found


def _compatible(one: Template, other: Template, places: Places) -> bool:
    """Whether a state that keeps the invariants can match both templates.

    The invariants only forbid ones, so the state with the required ones alone decides.
    """
    required = dict(one.condition)
    if any(required.setdefault(bit, value) != value for bit, value in other.condition):
        return False
    occupied: dict[int, set[int]] = {}
    for bit, value in required.items():
        for invariant, group, bound in places.get(bit, ()) if value else ():
            groups = occupied.setdefault(invariant, set())
            groups.add(group)
            if len(groups) > bound:
                return False
    return True
