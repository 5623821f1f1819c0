"""What a program takes, known before it is built.

A program is measured by its *literals*, the conditions and outputs of all templates together: the
time and the memory that compiling, certifying and encoding it take grow with them. The shipped
programs have closed forms for them, `num_literals` of their modules; a LOCAL algorithm a lower bound.
What is beyond the limit is refused with the size that would fit.
"""

import os
from collections.abc import Callable, Mapping

from ntkexec.errors import ProgramError

MAX_LITERALS = 2_000_000
LITERALS_VARIABLE = "NTKEXEC_LITERALS"

MOST_STEPS = 2**31 - 2
"""What a run can count, and so the longest round."""

# Measured on one core of 2025: 9 to 31 microseconds, by program.
SECONDS_PER_LITERAL = 20e-6


def max_literals(environment: Mapping[str, str] = os.environ) -> int:
    """The limit on a program's literals: `NTKEXEC_LITERALS`, or `MAX_LITERALS`.

    Raises:
        ProgramError: the variable is no number.
    """
    asked = environment.get(LITERALS_VARIABLE, "")
    if not asked:
        return MAX_LITERALS
    if not asked.isdecimal() or len(asked) > 18:
        raise ProgramError(f"{LITERALS_VARIABLE} is a number of literals, not {asked!r}")
    return int(asked)


def check_program(name: str, literals: Callable[..., int], **sizes: int) -> None:
    """Raises unless a program of these sizes can be built.

    Args:
        name: of the program.
        literals: `literals(**sizes)` gives the literals of the program, and grows with every size.
        sizes: of the program.

    Raises:
        ProgramError: a size below its least, or too large a program; says what would fit.
    """
    for size, value in sizes.items():
        least = 0 if size == "degree" else 1
        if value < least:
            what = "a degree" if size == "degree" else size
            raise ProgramError(f"{name} needs {what} of at least {least}, got {value}")
    limit = max_literals()
    count = literals(**sizes)
    if count <= limit:
        return
    described = ", ".join(f"{size} {value:,}" for size, value in sizes.items())
    raise ProgramError(
        f"{name} of {described} has {_rounded(count)} literals, which takes "
        f"{_duration(SECONDS_PER_LITERAL * count)} to build; the limit is {limit:,} "
        f"({LITERALS_VARIABLE} sets another): {_that_fits(literals, sizes, limit)}"
    )


def _that_fits(literals: Callable[..., int], sizes: Mapping[str, int], limit: int) -> str:
    """The size that would have to be smaller, and how much."""
    # Slots first where there are more than any colouring needs.
    spare = sizes.get("slots", 0) > sizes.get("degree", 0) ** 2 + 1
    for size in sorted(sizes, key=lambda name: name == "slots", reverse=spare):
        others = {name: value for name, value in sizes.items() if name != size}

        def smaller(value: int, size: str = size, others: Mapping[str, int] = others) -> int:
            if size == "degree" and "slots" in others:
                slots = _slots_for(value, sizes["degree"], others["slots"])
                return literals(**{**others, "slots": slots, size: value})
            return literals(**others, **{size: value})

        least = 0 if size == "degree" else 1
        if smaller(least) > limit:
            continue
        low, high = least, sizes[size]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if smaller(middle) <= limit else (low, middle)
        return f"{size} {low:,} would fit"
    return "no smaller size would fit alone"


def _slots_for(degree: int, given_degree: int, given_slots: int) -> int:
    """Slots of a smaller degree: as many more than the least, or as always enough, as were given."""
    if given_slots >= given_degree**2 + 1:
        return min(given_slots, degree**2 + 1)
    return min(given_slots, degree + max(1, given_slots - given_degree))


def _rounded(number: int) -> str:
    return f"{number:,}" if number < 10**12 else f"{number:.1e}" if number < 10**300 else "too many"


def _duration(seconds: float) -> str:
    for unit, length in (("years", 3.15e7), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}" if seconds < 1e12 else "ages"
    return f"about {seconds:.0f} seconds"
