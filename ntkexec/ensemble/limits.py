"""What an ensemble and an execution take of memory, known before either is there.

What is beyond the memory is refused with the size that would fit.
"""

import numpy as np

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.errors import EnsembleError, ProgramError
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime.memory import MEMORY_VARIABLE, max_memory

# Of a stack's weights: what training them takes beside what is kept, by XLA's own count.
COPIES_WHILE_TRAINING = 5
# The trained weights, and the same side by side for evaluation.
COPIES_KEPT = 2
# Bytes for each bit of each node's state during a step, most of them for means and thresholds, and
# for each template; measured by XLA's own count, the largest of all engines.
BYTES_PER_BIT, BYTES_PER_TEMPLATE = 25, 4


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
