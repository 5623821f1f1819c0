"""What a program, an ensemble and an execution take, known before any of it is built.

A program is measured by its *literals*, the conditions and outputs of all templates together: the
time and the memory that compiling, certifying and encoding it take grow with them. The shipped
programs have closed forms for them, `num_literals` of their modules; a LOCAL algorithm a lower bound.
What is beyond the limits is refused with the size that would fit.
"""

import os
from collections.abc import Callable, Mapping

import numpy as np

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.errors import EnsembleError, ProgramError
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime.memory import MEMORY_VARIABLE, max_memory

MAX_LITERALS = 2_000_000
LITERALS_VARIABLE = "NTKEXEC_LITERALS"

# Measured on one core of 2025: 9 to 31 microseconds, by program.
SECONDS_PER_LITERAL = 20e-6

# Of a stack's weights: what training them takes beside what is kept, by XLA's own count.
COPIES_WHILE_TRAINING = 5
# The trained weights, and the same side by side for evaluation.
COPIES_KEPT = 2
# Bytes for each bit of each node's state during a step, most of them for means and thresholds, and
# for each template; measured by XLA's own count, the largest of all engines.
BYTES_PER_BIT, BYTES_PER_TEMPLATE = 25, 4


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


def build_seconds(literals: int) -> float:
    """About how long it takes to build a program."""
    return SECONDS_PER_LITERAL * literals


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
    found = literals(**sizes)
    if found <= limit:
        return
    described = ", ".join(f"{size} {value:,}" for size, value in sizes.items())
    raise ProgramError(
        f"{name} of {described} has {_rounded(found)} literals, which takes "
        f"{_duration(build_seconds(found))} to build; the limit is {limit:,} "
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


def ensemble_bytes(problem: LearningProblem, config: EnsembleConfig) -> int:
    """Memory for training and running an ensemble, that of infinite width left out.

    Args:
        problem: what is learned.
        config: how many networks, and how wide.
    """
    if config.draw == "gaussian":
        return 0
    return _ensemble_bytes(problem, config.members, config.width, config.precision)


def _ensemble_bytes(
    problem: LearningProblem, members: int, width: int, precision: str = "float32"
) -> int:
    weights = [len(s.components) * (s.num_inputs + s.num_outputs) for s in problem.stacks]
    itemsize = np.dtype(precision).itemsize
    kept = COPIES_KEPT * members * sum(weights)
    return itemsize * width * (kept + COPIES_WHILE_TRAINING * max(weights))


def check_ensemble(problem: LearningProblem, config: EnsembleConfig) -> None:
    """Raises unless an ensemble fits into memory.

    Raises:
        EnsembleError: it does not; says how many networks, or which width, would fit.
    """
    needed, limit = ensemble_bytes(problem, config), max_memory()
    if needed <= limit:
        return
    one = _ensemble_bytes(problem, 1, config.width, config.precision)
    each = _ensemble_bytes(problem, 2, config.width, config.precision) - one
    if one <= limit:
        fits = f"{1 + (limit - one) // each:,} members would fit"
    else:
        width = limit // _ensemble_bytes(problem, 1, 1, config.precision)
        fits = f"a width of {width:,} would fit with one member" if width else "no width would fit"
    raise EnsembleError(
        f"{config.members:,} networks of width {config.width:,} for each of "
        f"{len(problem.components):,} learning problems take {_amount(needed)}, and there are "
        f"{_amount(limit)} ({MEMORY_VARIABLE} sets another limit): {fits}"
    )


def execution_bytes(
    *, num_nodes: int, num_bits: int, num_templates: int, trace_steps: int | None = None
) -> int:
    """Memory for a step of all nodes, and for all states if they are kept.

    Args:
        num_nodes: n.
        num_bits: K.
        num_templates: of the program.
        trace_steps: steps whose states are kept, or None.
    """
    step = num_nodes * (BYTES_PER_BIT * num_bits + BYTES_PER_TEMPLATE * num_templates)
    # Kept states are there twice, as the loop and as the caller has them.
    traced = 0 if trace_steps is None else 2 * num_nodes * num_bits * (trace_steps + 1)
    return step + traced


def check_execution(
    *, num_nodes: int, num_bits: int, num_templates: int, trace_steps: int | None = None
) -> None:
    """Raises unless an execution fits into memory; see `execution_bytes`.

    Raises:
        ProgramError: it does not; says how many nodes, or steps, would fit.
    """
    size = {"num_bits": num_bits, "num_templates": num_templates}
    limit = max_memory()
    needed = execution_bytes(num_nodes=num_nodes, trace_steps=trace_steps, **size)
    if needed <= limit:
        return
    untraced = execution_bytes(num_nodes=num_nodes, **size)
    if trace_steps is not None and untraced < limit:
        what = f"the states of {trace_steps:,} steps of {num_nodes:,} nodes, which are kept to show them,"
        fits = f"{(limit - untraced) // (2 * num_nodes * num_bits):,} steps would fit, or none kept"
    else:
        what = (
            f"steps of {num_nodes:,} nodes with {num_bits:,} bits and {num_templates:,} templates"
        )
        fits = f"{limit // execution_bytes(num_nodes=1, **size):,} nodes would fit"
    raise ProgramError(
        f"{what} take {_amount(needed)}, and there are {_amount(limit)} ({MEMORY_VARIABLE} sets "
        f"another limit): {fits}"
    )


def _amount(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.3g} GB" if num_bytes < 1e13 else f"{num_bytes / 1e12:,.3g} TB"


def _rounded(number: int) -> str:
    return f"{number:,}" if number < 10**12 else f"{number:.1e}" if number < 10**300 else "too many"


def _duration(seconds: float) -> str:
    for unit, length in (("years", 3.15e7), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}" if seconds < 1e12 else "ages"
    return f"about {seconds:.0f} seconds"
