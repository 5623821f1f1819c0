"""The machine that subtracts and branches if the result is negative: a cycle, hence every program.

Its program is data in the node's state, which is free here: one cycle from any state between cycles is
what the instruction says. The steps of the cycle are unrolled. By induction over cycles a run of the
node is a run of the machine, whatever the program.
"""

from collections.abc import Mapping
from typing import Any

from ...program import Program
from ..circuit import TRUE, Bits, Circuit, Literal
from ..clockwork import Known, controls_of, first_clock, placed
from ..obligation import Obligation
from ..step import Fields, after_step, first_state, state_of
from ..theorem import ALONE, Theorem


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """A cycle; `sizes` has the bits of a `word`, the number of `cells`, and of instructions, `code`."""
    word, cells, code = (sizes[name] for name in ("word", "cells", "code"))
    controls = controls_of(program, word + 4)

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes, controls[0])

    return Theorem(
        name="sbn",
        sizes=dict(sizes),
        sentence=(
            f"After k cycles of {word + 4} steps, k = 0, 1, 2, ..., cells and counter are those of the"
            " machine after k instructions: an instruction (a, b, aim) turns cell b into cell b minus cell"
            f" a, modulo 2^{word}, and goes to `aim` if that is negative in two's complement, else to the"
            f" instruction that follows; at {code} the machine has halted, and nothing changes any more."
        ),
        scope=(
            f"every program of {code} instructions on {cells} cells, a program being data",
            f"all numbers of {word} bits in the cells, and any instruction to begin with",
            "one node",
        ),
        prose=(
            "The first states are as `base` says: cells in the field `memory.value`, the program in"
            " `code.a`, `code.b` and `code.aim`, the instruction to begin with in `counter`; all other"
            " bits are 0, but for the first phase. A program has addresses of cells and of instructions"
            " only, which whoever loads it sees to.",
            "Between numbers of the machine and whole numbers nothing differs as long as every number that"
            f" occurs is from -2^{word - 1} to 2^{word - 1} - 1.",
            "What holds before a cycle, and after it if it holds before it, holds before every cycle.",
            *ALONE,
        ),
        obligations={name: obligation(name) for name in ("base", "cycle")},
    )


def pick(c: Circuit, which: Bits, rows: list[Bits]) -> Bits:
    """The row of the choice that is made; 0 if none is."""
    chosen = [c.where(one, row) for one, row in zip(which, rows, strict=True)]
    return [c.any(bits) for bits in zip(*chosen, strict=True)]


class Machine:
    """The machine's state: what a program and its run are.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the machine.

    Attributes:
        counter: which instruction is next, one bit each, the last where it has halted.
        code: the instructions: addresses a and b, and the aim.
        memory: the cells.
    """

    def __init__(self, obligation: Obligation, sizes: Mapping[str, int]) -> None:
        word, cells, code = (sizes[name] for name in ("word", "cells", "code"))
        o, c = obligation, obligation.circuit
        self.circuit = c
        address, place = (max(1, (most).bit_length()) for most in (cells - 1, code))
        self.counter = o.input("counter", code + 1)
        o.assume(
            c.all([c.any(self.counter), c.at_most_one(self.counter)]), "one instruction is next"
        )
        self.code: dict[str, list[Bits]] = {}
        for name, bits, most in (
            ("a", address, cells - 1),
            ("b", address, cells - 1),
            ("aim", place, code),
        ):
            self.code[name] = [o.input(f"{name}{i}", bits) for i in range(code)]
            for own in self.code[name]:
                o.assume(
                    c.at_most(own, c.number(most, bits)), "addresses of cells and instructions"
                )
        self.memory = [o.input(f"cell{i}", word) for i in range(cells)]

    def fields(self) -> Fields:
        """What the program's fields hold between cycles."""
        code: Fields = {f"code.{name}": rows for name, rows in self.code.items()}
        return {"counter": self.counter, "memory.value": self.memory, **code}

    def cycle(self, *, wrong: bool = False) -> None:
        """Carries out the next instruction.

        Args:
            wrong: subtract the other way round; a control.
        """
        c, running = self.circuit, self.counter[:-1]
        a, b, aim = (pick(c, running, self.code[name]) for name in ("a", "b", "aim"))
        is_a, is_b = ([c.equals(at, i) for i in range(len(self.memory))] for at in (a, b))
        one, other = pick(c, is_b, self.memory), pick(c, is_a, self.memory)
        if wrong:
            one, other = other, one
        difference = c.add(one, [-bit for bit in other], TRUE)
        goes = [c.equals(aim, i) for i in range(len(self.counter))]
        next_one: list[Literal] = [-TRUE, *running]
        negative, halted = difference[-1], self.counter[-1]
        after = c.select(negative, goes, next_one)
        self.counter = c.select(halted, self.counter, after)
        self.memory = [
            c.select(c.all([-halted, here]), difference, cell)
            for here, cell in zip(is_b, self.memory, strict=True)
        ]


def build(
    name: str, program: Program, sizes: Mapping[str, int], control: Known, *, wrong: bool = False
) -> Obligation:
    """One obligation: `base` or `cycle`.

    Args:
        name: which.
        program: what the node executes.
        sizes: of the machine.
        control: what the clock alone decides between cycles.
        wrong: see `Machine.cycle`.
    """
    o = Obligation(name)
    machine = Machine(o, sizes)
    held = placed(program, machine.fields())
    if name == "base":
        first = state_of(program, first_clock(program) | machine.fields())
        state = first_state(o, program, first)
    else:
        known = control | held
        free = [bit for bit in range(program.num_bits) if bit not in known]
        known |= dict(zip(free, o.input("other", len(free)), strict=True))
        state = [known[bit] for bit in range(program.num_bits)]
        for _ in range(sizes["word"] + 4):
            state = after_step(o.circuit, program, state)
        machine.cycle(wrong=wrong)
    conclude(o, program, machine, state, control)
    return o


def conclude(
    o: Obligation, program: Program, machine: Machine, state: Bits, control: Known
) -> None:
    """The node is between cycles, and holds what the machine does."""
    c = o.circuit
    o.conclude(c.all([c.any(machine.counter), c.at_most_one(machine.counter)]), "counter")
    for path, bits in machine.fields().items():
        for bit, one in placed(program, {path: bits}).items():
            o.conclude(c.iff(state[bit], one), path.partition(".")[0])
    held = placed(program, machine.fields())
    for bit, one in control.items():
        if bit not in held:
            o.conclude(c.iff(state[bit], one), "clock")
