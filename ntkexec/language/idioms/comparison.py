"""Comparing words that are too long for one sum of products."""

from ntkexec.errors import ProgramError
from ntkexec.language.builder import Builder
from ntkexec.language.logic import FALSE, TRUE, Sum, any_of
from ntkexec.language.values import Number


def less(
    p: Builder, one: Number, other: Number, *, serial: bool = False, name: str = "less"
) -> Sum:
    """Whether one number is less than another; both must be kept until the answer is read.

    In 1 step: for every bit, whether any higher bit differs. The one number is then less if at some
    bit it has 0, the other 1, and no higher bit differs: 2 templates a bit and the answer a product
    a bit. `serial`: from the lowest bit up, 1 step and 3 templates a bit, where w must be small.

    Args:
        p: outside of all phases; 1 phase is added, or 1 a bit.
        one: a number.
        other: of the same length, signed or not as the other.
        serial: see above.
        name: of the phases and of the temporary flags.

    Returns:
        A condition to be read in the step after the last phase, and only there.

    Raises:
        ProgramError: numbers differ in length, or just one is signed.
    """
    _check(one, other, name)
    length = len(one)
    pairs = list(zip(one.ranked, other.ranked, strict=True))
    if serial:
        found: Sum = FALSE
        flags = p.word(name, length, temporary=True)
        for place, (a, b) in enumerate(pairs):
            with p.phase(f"{name} {place}"):
                p.set(flags[place], when=(~a & b) | ((~a | b) & found))
            found = flags[place]
        return found
    differ = p.word(f"{name}_differ", length - 1, temporary=True).bits if length > 1 else ()
    with p.phase(name):
        for place, flag in enumerate(differ):
            p.set(flag, when=_differs(pairs[place + 1 :]))
    blocked = (*differ, FALSE)
    return any_of(~a & b & ~no for (a, b), no in zip(pairs, blocked, strict=True))


def equal(
    p: Builder, one: Number, other: Number, *, serial: bool = False, name: str = "equal"
) -> Sum:
    """Whether two numbers are equal, in 1 step with 2 templates a bit, all of one flag.

    Args:
        p: outside of all phases; 1 phase is added, or 1 a bit.
        one: a number.
        other: of the same length; they must be kept meanwhile.
        serial: in 1 step a bit, with 2 templates for each of as many flags.
        name: of the phases and of the temporary flags.

    Returns:
        A condition to be read in the step after the last phase, and only there.

    Raises:
        ProgramError: numbers differ in length, or just one is signed.
    """
    _check(one, other, name)
    pairs = list(zip(one, other, strict=True))
    if serial:
        found: Sum = TRUE
        flags = p.word(name, len(one), temporary=True)
        for place, (a, b) in enumerate(pairs):
            with p.phase(f"{name} {place}"):
                p.set(flags[place], when=found & ((a & b) | (~a & ~b)))
            found = flags[place]
        return found
    differs = p.flag(f"{name}_differs", temporary=True)
    with p.phase(name):
        p.set(differs, when=_differs(pairs))
    return ~differs


def _differs(pairs: list[tuple[Sum, Sum]]) -> Sum:
    return any_of(a ^ b for a, b in pairs)


def _check(one: Number, other: Number, name: str) -> None:
    if len(one) != len(other):
        raise ProgramError(f"{name}: numbers of {len(one)} and {len(other)} bits")
    if one.signed != other.signed:
        raise ProgramError(f"{name}: a signed and an unsigned number are not compared")
