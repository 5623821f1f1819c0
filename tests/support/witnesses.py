"""Values of ghosts and states from real executions, for the inputs of obligations."""

import numpy as np

from ntkexec import executor, pipeline
from ntkexec.graphs.ports import in_neighbours


def trace(instance, num_steps=None):
    """The states of all nodes before every step and after the last, as numbers, by the executor."""
    certificate = pipeline.certify(instance.program, num_decisions=1)
    execution = executor.execute(
        pipeline.make_engine("boolean", certificate),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps if num_steps is None else num_steps,
        verify=False,
        trace=True,
    )
    return [[as_number(state) for state in states] for states in execution.trace]


def as_number(bits):
    """Bits as a number, the first the lowest."""
    return sum(1 << place for place, bit in enumerate(np.asarray(bits).tolist()) if bit)


def near(graph, node, degree, values=None):
    """A node and its in-neighbours: `present`, colours, identifiers, and lists by member.

    Args:
        graph: where.
        node: an index.
        degree: D.
        values: by a name to which the member's number is appended, a number for every node; what
            belongs to no node is the number under the name `none_of` with it, or 0.
    """
    members = [node, *in_neighbours(graph, degree)[node].tolist()]
    out = {"present": as_number([u >= 0 for u in members[1:]])}
    out |= {f"identifier{p}": p for p in range(degree)}
    out |= {f"colour{x}": int(graph.colours[u]) + 1 if u >= 0 else 1 for x, u in enumerate(members)}
    for name, of in (values or {}).items():
        out |= {f"{name}{x}": int(of[u]) for x, u in enumerate(members) if u >= 0}
    return out, members
