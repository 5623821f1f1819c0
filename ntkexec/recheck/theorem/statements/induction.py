"""Inductions over steps: what holds of a node and its in-neighbours before a step holds after it."""

from collections.abc import Callable

from ...program import Program
from ..circuit import Literal
from ..obligation import Obligation
from ..step import Fields, exchange, fields
from .neighbourhood import Neighbourhood

# What is said of the fields of a node, by parts.
Claim = list[tuple[Literal, str]]
# A hypothesis: the claim about the node of an index, as far as it speaks of this node alone.
Hypothesis = Callable[[Fields, int], Claim]

# How the obligations before and after each step make a statement about every step.
INDUCTION = (
    "A property that holds of all nodes before step 0, and after a step if it holds of all nodes"
    " before it, holds of all nodes before every step.",
)


def advance(o: Obligation, near: Neighbourhood, program: Program, hypothesis: Hypothesis) -> Fields:
    """The fields of a node after a step from states that satisfy the hypothesis.

    Adds the inputs `state0` (the node's) and so on, the hypothesis of each as assumptions, and the part
    `messages-apart`, see `exchange`.

    Args:
        o: the obligation.
        near: the node and its in-neighbours.
        program: what all of them execute.
        hypothesis: before the step.
    """
    states = [o.input(f"state{x}", program.num_bits) for x in near.members]
    for x, state in enumerate(states):
        for claim, part in hypothesis(fields(program, state), x):
            o.assume(o.circuit.implies(near.here(x), claim), f"the hypothesis: {part}")
    return fields(program, exchange(o, program, states, near.others))


def satisfied(o: Obligation, program: Program, hypothesis: Hypothesis) -> Fields:
    """The fields of a node, the input `state0`, that satisfies the hypothesis."""
    at = fields(program, o.input("state0", program.num_bits))
    for claim, part in hypothesis(at, 0):
        o.assume(claim, f"the hypothesis: {part}")
    return at


def show(o: Obligation, claims: Claim) -> None:
    """Adds the claims to what is to be shown."""
    for claim, part in claims:
        o.conclude(claim, part)
