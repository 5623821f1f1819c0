"""Reusable parts of programs. Those that take several steps open phases of their own."""

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
        numbers: of equal length, unsigned; they must be kept meanwhile.
        name: of the phases and of the temporary flags.

    Raises:
        ProgramError: candidates and numbers do not match.
    """
    lengths = {len(number) for number in numbers}
    if len(live) != len(numbers) or len(lengths) != 1:
        raise ProgramError(f"{name}: {len(live)} flags for numbers of {sorted(lengths)} bits")
    (length,) = lengths
    # A flag for each bit keeps every component of the program small.
    zero_seen = p.flags(f"{name}_zero", length, temporary=True)
    for place in reversed(range(length)):
        with p.phase(f"{name} {place}: look"):
            zeros = (one & ~number[place] for one, number in zip(live, numbers, strict=True))
            p.set(zero_seen[place], when=any_of(zeros))
        with p.phase(f"{name} {place}: drop"):
            for one, number in zip(live, numbers, strict=True):
                p.clear(one, when=zero_seen[place] & number[place])


def add(
    p: Builder,
    targets: Sequence[Number],
    pairs: Sequence[tuple[Number, Number]],
    *,
    name: str = "add",
) -> tuple[Sum, ...]:
    """Sums of several pairs at once, modulo 2^bits, in 1 step a bit (ripple carry).

    Args:
        p: outside of all phases; 1 phase a bit is added.
        targets: take the sums.
        pairs: the summands of each target, of its length; they must be kept meanwhile.
        name: of the phases and of the temporary carries.

    Returns:
        For each target its carry out, to be read in the step after the last phase.

    Raises:
        ProgramError: targets and pairs do not match, or numbers differ in length.
    """
    if len(targets) != len(pairs):
        raise ProgramError(f"{name}: {len(targets)} targets for {len(pairs)} pairs")
    lengths = {len(number) for number in (*targets, *(n for pair in pairs for n in pair))}
    if len(lengths) != 1:
        raise ProgramError(f"{name}: numbers of {sorted(lengths)} bits; all need the same")
    (length,) = lengths
    carries = [
        p.flags(f"{name}_carry{index}", length, temporary=True) for index in range(len(targets))
    ]
    for place in range(length):
        with p.phase(f"{name} {place}"):
            for target, (one, other), carry in zip(targets, pairs, carries, strict=True):
                a, b = one[place], other[place]
                half = (a & ~b) | (~a & b)
                if place == 0:
                    p.assign(target[0], half)
                    p.assign(carry[0], a & b)
                else:
                    c = carry[place - 1]
                    p.assign(target[place], (half & ~c) | (~half & c))
                    p.assign(carry[place], (a & b) | (a & c) | (b & c))
    return tuple(carry[-1] for carry in carries)
