"""What a program costs: its size, the steps of a round, w and m."""

import dataclasses
from typing import Any

import numpy as np

from ntkexec.language.places import PHASE
from ntkexec.program.fields import Flag
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.theory.match_bound import state_bound


@dataclasses.dataclass(frozen=True)
class ProgramSizes:
    """The counts of a program, the same for every graph.

    Args:
        name: of the program.
        templates: n0 before padding.
        nonzeros: conditions and outputs of all templates together.
        state_bits: K.
        message_bits: those of them that are exchanged.
        phases: different steps of a round.
        steps: steps of a round; more than the phases if some are repeated.
        writers: w, most templates that write one bit.
        busiest_bit: the first bit that has so many.
        joint_matches: m, most templates that one state matches.
        factored_matches: the same among the templates that write one bit.
        basis: which states count, and how m was found.
        halt: the flag that is set where the program is over, if there is one.
        idle: templates that write nothing.
        repeated: templates with the condition of one before them.
        remarks: both in words; empty for none.
    """

    name: str
    templates: int
    nonzeros: int
    state_bits: int
    message_bits: int
    phases: int
    steps: int
    writers: int
    busiest_bit: str
    joint_matches: int
    factored_matches: int
    basis: str
    halt: str | None
    idle: int = 0
    repeated: int = 0
    remarks: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, for a table."""
        messages = f"{self.state_bits} bits, {self.message_bits} of them messages"
        phases = f", {self.phases} phases" if self.phases != self.steps else ""
        remarks = f"; {self.remarks}" if self.remarks else ""
        return [
            (
                "templates",
                f"{self.templates}, with {self.nonzeros:,} conditions and outputs{remarks}",
            ),
            ("state", messages),
            ("steps", f"{self.steps} a round{phases}"),
            ("writers w", f"at most {self.writers} for one bit, first {self.busiest_bit}"),
            (
                "matches m",
                f"at most {self.joint_matches} in one state, {self.factored_matches} among the "
                "writers of one bit",
            ),
            ("  holds for", self.basis),
            *([("halt flag", self.halt)] if self.halt else []),
        ]

    def to_data(self) -> dict[str, Any]:
        """The sizes as plain data."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        rows = [("program", self.name), *self.rows()]
        return "\n".join(f"{name:<11} {value}" for name, value in rows)


def sizes_of(program: Program, *, time_limit: float = 10.0) -> ProgramSizes:
    """The counts of a program; m by integer programming.

    Args:
        program: any, from the language or not.
        time_limit: seconds for a joint network's m, after which an upper bound is taken.
    """
    joint, factored = (
        state_bound(LearningProblem(program, kind=kind), time_limit=time_limit)
        for kind in ("joint", "factored")
    )
    layout, writers = program.layout, program.num_writers
    return ProgramSizes(
        name=program.name,
        templates=program.num_templates,
        nonzeros=program.num_nonzeros,
        state_bits=layout.num_bits,
        message_bits=layout.num_message_bits,
        phases=_num_phases(program),
        steps=program.round_length,
        writers=int(writers.max()),
        busiest_bit=layout.bit_names[int(np.argmax(writers))],
        joint_matches=int(joint.max_matches.max()),
        factored_matches=int(factored.max_matches.max()),
        basis=joint.basis,
        halt=program.halt,
        idle=len(program.idle),
        repeated=len(program.repeated),
        remarks=program.remarks,
    )


def _num_phases(program: Program) -> int:
    clock = program.layout.leaves.get(PHASE)
    if clock is None:
        return program.round_length
    return 2 if isinstance(clock, Flag) else clock.num_bits
