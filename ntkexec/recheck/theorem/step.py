"""One step of a program as a circuit, and what its neighbourhood makes of it."""

import itertools
from typing import Any

from ..program import Program
from .circuit import FALSE, Bits, Circuit, Literal
from .obligation import Obligation

Fields = dict[str, Any]


def fields(program: Program, state: Bits) -> Fields:
    """A state's bits by field: a list of them, or, in a table, a list for each slot."""

    def at(columns: Any) -> Any:
        return [at(one) if isinstance(one, list) else state[one] for one in columns]

    return {path: at(columns) for path, columns in program.fields.items()}


def state_of(program: Program, values: Fields) -> Bits:
    """The state with these fields; bits of fields that are missing are 0.

    Raises:
        ValueError: a field that the program does not have, or of another size.
    """
    state = [FALSE] * program.num_bits

    def put(columns: Any, bits: Any) -> None:
        for column, bit in zip(columns, bits, strict=True):
            if isinstance(column, list):
                put(column, bit)
            else:
                state[column] = bit

    for path, bits in values.items():
        if path not in program.fields:
            raise ValueError(f"the program has no field {path!r}")
        put(program.fields[path], bits)
    return state


def first_state(obligation: Obligation, program: Program, state: Bits) -> Bits:
    """The state, which is shown to be as the layout promises, as the part `promises`.

    Steps keep what a layout promises; that networks decide right is only looked at where it holds.
    """
    circuit = obligation.circuit
    for bound, groups in sorted(program.promised):
        used = [
            circuit.any(bit for place, bit in enumerate(state) if group >> place & 1)
            for group in groups
        ]
        some = itertools.combinations([one for one in used if one != FALSE], bound + 1)
        kept = circuit.all(-circuit.all(too_many) for too_many in some)
        obligation.conclude(kept, "promises")
    return state


def flat(bits: Any) -> Bits:
    """The bits of a field, those of a table's slots one after the other."""
    return [one for row in bits for one in (row if isinstance(row, list) else [row])]


def after_step(circuit: Circuit, program: Program, state: Bits) -> Bits:
    """The next computation bits, and the message bits as they are sent.

    A template matches if its condition holds; a bit is 1 if some template that matches writes it.
    """
    writers: list[Bits] = [[] for _ in range(program.num_bits)]
    for condition, written in program.templates:
        match = circuit.all(state[b] if value else -state[b] for b, value in condition.items())
        while written:
            lowest = written & -written
            writers[lowest.bit_length() - 1].append(match)
            written ^= lowest
    return [circuit.any(own) for own in writers]


def exchange(
    obligation: Obligation, program: Program, states: list[Bits], present: list[Literal]
) -> Bits:
    """A node's state after a step of it and its in-neighbours, and their messages.

    Shows, as the part `messages-apart`, that no two of them set the same message bit; only then is the
    sum that the executor takes the union that is returned here.

    Args:
        obligation: to which the conclusions are added.
        program: what all of them execute.
        states: before the step, the node's own first.
        present: whether each in-neighbour exists.
    """
    circuit, split = obligation.circuit, program.split
    after = [after_step(circuit, program, state) for state in states]
    own = after[0]
    sent = [own[split:]]
    for here, out in zip(present, after[1:], strict=True):
        sent.append(circuit.where(here, out[split:]))
    columns = [list(bits) for bits in zip(*sent, strict=True)]
    for bits in columns:
        obligation.conclude(circuit.at_most_one(bits), "messages-apart")
    return own[:split] + [circuit.any(bits) for bits in columns]
