"""From a LOCAL algorithm to a program: tables become templates, rounds become phases."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool as BoolArray

from ntkexec.graphs import Graph
from ntkexec.graphs.ports import by_identifiers, port_slots
from ntkexec.language import initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node, Update
from ntkexec.programs.local.gathering import MARK
from ntkexec.programs.local.registers import words_of
from ntkexec.programs.local.simulation import reverse_ports
from ntkexec.programs.local.synchroniser import REVERSE, STATE, Part, Synchroniser
from ntkexec.programs.local.tabulation import TableSize
from ntkexec.programs.local.types import Optional, Type


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A LOCAL algorithm as a program.

    Args:
        algorithm: what was compiled.
        degree: D.
        slots: colours.
        program: its templates; a round is `program.round_length` steps.
        tables: the functions that were tabulated, in the order of the round.
        parts: what the steps of a round do, in order.
    """

    algorithm: Local
    degree: int
    slots: int
    program: Program
    tables: tuple[TableSize, ...]
    parts: tuple[Part, ...]

    @property
    def steps_per_round(self) -> int:
        """r: T rounds take T * r steps."""
        return self.program.round_length

    def initial(self, graph: Graph, nodes: Sequence[Node]) -> BoolArray[np.ndarray, "n k"]:
        """The states of all nodes before the first step."""
        num_ports = max(1, self.degree)
        values: dict[str, object] = {"colour": graph.colours}
        if "port.slot" in self.program.layout.paths:
            values["port.slot"] = port_slots(by_identifiers(graph), num_ports)
        if self.algorithm.addressed:
            values[f"{REVERSE}.port"] = reverse_ports(graph, num_ports)
        states = initial_states(self.program, graph.num_nodes, values)
        gather = self.algorithm.gather
        for row, node in zip(states, nodes, strict=True):
            row[self._state_columns] = self.algorithm.state.encode(self.algorithm.start(node))
            if gather is not None and gather.mark is not None:
                for port, mark in enumerate(gather.marks(node)):
                    bits = columns_of(self.program, gather.mark, f"{MARK}{port}")
                    row[bits] = gather.mark.encode(mark)
        return states

    def decode(self, states: BoolArray[np.ndarray, "n k"]) -> list[Any]:
        """The algorithm's state of every node, between rounds."""
        return [self.algorithm.state.decode(row[self._state_columns]) for row in states]

    @functools.cached_property
    def _state_columns(self) -> list[int]:
        return columns_of(self.program, self.algorithm.state, STATE)


def columns_of(program: Program, kind: Type, prefix: str) -> list[int]:
    """The columns of the fields that hold a value."""
    return [bit for leaf in words_of(kind, prefix) for bit in program.layout.bits(leaf.name)]


def least_literals(*, degree: int, slots: int, message_bits: int = 1, by_port: bool = False) -> int:
    """What the templates that carry messages have at least: conditions and outputs together.

    Args:
        degree: D.
        slots: colours.
        message_bits: of all messages that a node sends at once.
        by_port: whether messages are sorted by port, which takes a product for each slot and port.
    """
    place = slots.bit_length()
    heard = max(1, degree) * (place + 3) if by_port else 0
    return 2 * (1 + degree) * place + message_bits * slots * (place + 2 + heard)


def literals_of(algorithm: Local, *, degree: int, slots: int) -> int:
    """What the templates that carry the messages of an algorithm have at least.

    Args:
        algorithm: what a node does.
        degree: D.
        slots: colours.
    """
    bits, stages = Optional(algorithm.message).num_bits, algorithm.stages
    addresses = max(1, degree) if algorithm.addressed else 1
    by_port = any(
        isinstance(s, Fold | Gather) or (isinstance(s, Update) and s.body is None) for s in stages
    )
    return least_literals(
        degree=degree, slots=slots, message_bits=bits * addresses, by_port=by_port
    )


def steps_counted(algorithm: Local, degree: int) -> int:
    """Steps of a round: 3, and one for each stage, or for each port of a `Fold`.

    They are the most, unless a stage has a body in the instruction language, which can take more.
    """
    ports = max(1, degree)
    return 3 + sum(ports if isinstance(stage, Fold) else 1 for stage in algorithm.stages)


def compile(algorithm: Local, *, degree: int, slots: int) -> Compiled:
    """The program of a LOCAL algorithm.

    Args:
        algorithm: what a node does.
        degree: D, most neighbours of a node.
        slots: colours of the two-hop colouring; D^2 + 1 are always enough.

    Raises:
        ProgramError: a function that is not total or leaves a type, a table that is too large, what
            a body refuses; names the case. Or a program beyond `limits`.
    """
    limits.check_program(
        algorithm.name, functools.partial(literals_of, algorithm), degree=degree, slots=slots
    )
    writer = Synchroniser(algorithm, degree=degree, slots=slots)
    writer.send()
    if any(isinstance(stage, Update | Fold) for stage in algorithm.stages[1:]):
        # A later stage needs the messages when they are gone from the slots.
        writer.heard()
    for number, stage in enumerate(algorithm.stages):
        writer.stage(stage, number)
    program, tables = writer.builder.compile(), tuple(writer.table.sizes)
    return Compiled(algorithm, degree, slots, program, tables, writer.parts)
