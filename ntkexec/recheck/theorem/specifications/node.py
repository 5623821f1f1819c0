"""The obligation that a program does at one node what a specification says."""

from collections.abc import Callable, Sequence

from ...program import Program
from ..circuit import FALSE, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, after_step, fields, flat, state_of

# The fields that a step changes, as the pseudo-code has them.
Specification = Callable[[Circuit, Fields], Fields]
# What is assumed of a node's fields before a round, and to be kept by it.
Invariant = Callable[[Circuit, Fields], list[Literal]]


def node_round(
    program: Program,
    steps: Sequence[tuple[str, Specification]],
    invariant: Invariant,
    first: Callable[[Obligation], Fields],
) -> Obligation:
    """A round of a node, whatever it hears, is that of a specification.

    The state is any that keeps the invariant. What arrives after a step are the node's own messages and
    any others at all: more than any neighbours could send.

    Args:
        program: what the node executes.
        steps: of a round, by name; a name is the part that shows the step.
        invariant: the part `invariant` shows that a round keeps it, and first states have it.
        first: the fields of a first state that are not 0, given the obligation.
    """
    o = Obligation("node-round")
    circuit, split = o.circuit, program.split
    state = o.input("state0", program.num_bits)
    for literal in invariant(circuit, fields(program, state)):
        o.assume(literal, "the invariant")
    for number, (name, specification) in enumerate(steps):
        after = after_step(circuit, program, state)
        expected = fields(program, state[:split] + [FALSE] * (len(state) - split))
        expected |= specification(circuit, fields(program, state))
        for path, bits in fields(program, after).items():
            o.conclude(circuit.equal(flat(bits), flat(expected[path])), name)
        heard = o.input(f"heard{number}", len(state) - split)
        messages = zip(after[split:], heard, strict=True)
        state = after[:split] + [circuit.any(pair) for pair in messages]
    begin = fields(program, state_of(program, first(o)))
    for at in (fields(program, state), begin):
        for literal in invariant(circuit, at):
            o.conclude(literal, "invariant")
    return o


def chosen(circuit: Circuit, slot: list[Literal], table: list[Literal]) -> Literal:
    """The bit of a table at a slot, counted from 1; false at slot 0 and beyond the table."""
    value = FALSE
    for number, bit in enumerate(table, 1):
        value = circuit.choose(circuit.equals(slot, number), bit, value)
    return value


def at_slot(circuit: Circuit, slot: list[Literal], value: Literal, slots: int) -> list[Literal]:
    """A table that holds a bit at one slot, counted from 1, and is empty otherwise."""
    return [circuit.all([value, circuit.equals(slot, number + 1)]) for number in range(slots)]
