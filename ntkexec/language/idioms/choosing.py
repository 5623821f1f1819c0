"""Choosing among candidates: the first that asks, the smallest."""

from collections.abc import Sequence

from ntkexec.errors import ProgramError
from ntkexec.language.builder import Builder
from ntkexec.language.logic import Sum, any_of
from ntkexec.language.values import Number


def priority(conditions: Sequence[Sum]) -> tuple[Sum, ...]:
    """For each condition, that it holds and none before it does; nothing to be paid in steps."""
    return tuple(one & ~any_of(conditions[:index]) for index, one in enumerate(conditions))


def minimum(
    p: Builder, live: Sequence[Sum], numbers: Sequence[Number], *, name: str = "minimum"
) -> None:
    """Leaves of the live candidates those whose number is smallest, in 2 steps a bit.

    From the top bit down: if any live candidate has 0 here, those with 1 die.

    Args:
        p: outside of all phases; 2 phases a bit are added.
        live: a flag for each candidate, cleared when it dies. With none live, nothing happens.
        numbers: of equal length, all signed or all not; they must be kept meanwhile.
        name: of the phases and of the temporary flags.

    Raises:
        ProgramError: candidates and numbers do not match.
    """
    lengths = {len(number) for number in numbers}
    if len(live) != len(numbers) or len(lengths) != 1:
        raise ProgramError(f"{name}: {len(live)} flags for numbers of {sorted(lengths)} bits")
    if len({number.signed for number in numbers}) != 1:
        raise ProgramError(f"{name}: signed and unsigned numbers are not compared")
    (length,) = lengths
    # A flag for each bit keeps every component of the program small.
    ranks = [number.ranked for number in numbers]
    zero_seen = p.word(f"{name}_zero", length, temporary=True)
    for place in reversed(range(length)):
        with p.phase(f"{name} {place}: look"):
            zeros = (one & ~rank[place] for one, rank in zip(live, ranks, strict=True))
            p.set(zero_seen[place], when=any_of(zeros))
        with p.phase(f"{name} {place}: drop"):
            for one, rank in zip(live, ranks, strict=True):
                p.clear(one, when=zero_seen[place] & rank[place])


def argmin(
    p: Builder, live: Sequence[Sum], numbers: Sequence[Number], *, name: str = "minimum"
) -> tuple[Sum, ...]:
    """For each candidate, whether it is the first whose number is smallest; as `minimum`.

    Returns:
        Conditions to be read in the steps after, of which at most one holds: with Choice(...) they
        can be assigned to a choice.
    """
    minimum(p, live, numbers, name=name)
    return priority(live)
