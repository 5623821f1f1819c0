"""Rounds of several steps: the fields that count them, and the bits that they alone decide."""

from ..program import Program
from ..reading import need
from .circuit import FALSE, TRUE, Circuit, Literal
from .step import Fields, after_step, flat, state_of

PHASE, TURN = "phase", "turn"
Known = dict[int, Literal]


def first_clock(program: Program) -> Fields:
    """The fields that count steps, as they are before the first: one-hot, or a flag that is 0."""
    turns = [path for path in program.fields if path[:4] == TURN and path[4:].isdecimal()]
    paths = [PHASE] * (PHASE in program.fields) + turns
    found = {path: program.fields[path] for path in paths}
    return {
        path: [TRUE] * (len(at) > 1) + [FALSE] * (len(at[1:]) or 1) for path, at in found.items()
    }


def controls_of(program: Program, num_steps: int) -> list[Known]:
    """Before each step of a round, and after the last, the bits that the clock alone decides.

    Nothing here is trusted: statements assume what is found only where they show it too.
    """
    first = state_of(program, first_clock(program))
    start = {bit: TRUE for bit, value in enumerate(first) if value == TRUE}
    start |= {bit: FALSE for path in first_clock(program) for bit in program.fields[path]
              if first[bit] == FALSE}  # fmt: skip
    for _ in range(2):
        found = [start]
        for _ in range(num_steps):
            circuit = Circuit()
            state = [found[-1].get(bit) or circuit.variable() for bit in range(program.num_bits)]
            after = after_step(circuit, program, state)
            constant = {bit: one for bit, one in enumerate(after) if abs(one) == TRUE}
            # What is heard comes from all: only that nobody writes a bit is the same for all.
            found.append({b: v for b, v in constant.items() if b < program.split or v == FALSE})
        start = start | {b: v for b, v in found[-1].items() if v == first[b]}
    return [start, *found[1:]]


def placed(program: Program, values: Fields) -> Known:
    """The bits of fields, by their place in the state."""
    out: Known = {}
    for path, bits in values.items():
        need(path in program.fields, f"the program has no field {path!r}")
        columns, given = flat(program.fields[path]), flat(bits)
        need(len(columns) == len(given), f"the field {path!r} has another size")
        out |= dict(zip(columns, given, strict=True))
    return out
