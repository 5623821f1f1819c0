"""What a complete certificate covers, in words that follow from what was checked and nothing else."""

from collections.abc import Sequence

from ntkexec.complete.runs import ProgramRun
from ntkexec.program.invariants import AtMost
from ntkexec.program.layout import Layout, Table


def scope_of(layout: Layout, invariants: Sequence[AtMost], executions: Sequence[ProgramRun]) -> str:
    """For what the decisions are all that there are.

    Args:
        layout: of the program: its slots are the colours that a graph may have.
        invariants: what is assumed of states. One of messages is kept by nodes that hear from so
            many slots at most, themselves included, and so limits the degree.
        executions: on what the match sets were met; none for all states.
    """
    if executions:
        where = "an execution" if len(executions) == 1 else f"{len(executions)} executions"
        return f"{where} ({'; '.join(map(size, executions))})"
    first_message = layout.num_computation_bits
    heard = [one.bound - 1 for one in invariants if min(map(min, one.groups)) >= first_message]
    slots = [field.slots for field in layout.messages if isinstance(field, Table)]
    limits = [f"degree at most {min(heard)}"] if heard else []
    limits += [f"at most {min(slots)} colours"] if slots else []
    graphs = f" with {' and '.join(limits)}" if limits else ""
    kept = f" that keep {len(invariants)} invariant(s)" if invariants else ""
    return f"every graph{graphs}, from all states{kept}"


def condition_of(layout: Layout) -> str:
    """What an execution must keep, which no list of decisions can show.

    Two neighbours of a node that write the same message bit are summed, and the sum is no bit. Whether
    that occurs is a matter of the graph, the states and the templates, not of the networks.
    """
    return ", as long as no messages meet" if layout.messages else ""


def size(run: ProgramRun) -> str:
    """How large an execution is."""
    return f"nodes: {len(run.initial)}, directed edges: {len(run.senders)}, steps: {run.num_steps}"
