"""Which of a layout's promises a program keeps by itself, whatever valid states it meets.

A layout promises that one-hot fields hold at most one choice and that at most D + 1 slots of a
message table are occupied. A certificate may leave out states that break a promise only if a step
never leads from states that keep it to one that does not. That is shown here, template pair by
template pair, for the largest set of promises that support each other.
"""

import itertools
from collections.abc import Sequence

from ntkexec.layout import AtMost
from ntkexec.template import Program, Template


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
    return not any(
        compatible(one, other, assumed)
        for first, second in itertools.combinations(writers, 2)
        for one, other in itertools.product(first, second)
    )


def compatible(one: Template, other: Template, invariants: Sequence[AtMost]) -> bool:
    """Whether a state that keeps the invariants can match both templates.

    The invariants only forbid ones, so the state with the required ones alone decides.
    """
    required = dict(one.condition)
    if any(required.setdefault(bit, value) != value for bit, value in other.condition):
        return False
    ones = {bit for bit, value in required.items() if value}
    return all(
        sum(not ones.isdisjoint(group) for group in invariant.groups) <= invariant.bound
        for invariant in invariants
    )
