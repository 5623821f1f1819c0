"""From a LOCAL algorithm to a program: tables become templates, rounds become phases.

A round is a ring of steps that all nodes take together, since one clock drives them:

    compose     what is sent is worked out, where that is more than copying bits
    send        it is written into the slot of the node's own colour
    listen      what the neighbours wrote is sorted by port
    ...         the stages: an Update or a Step takes one step, a Fold one for each port, and a body
                as many as it has phases
"""

import dataclasses
import functools
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool as BoolArray

from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph
from ntkexec.graphs.ports import port_slots
from ntkexec.language import Builder, Number, Slots, Sum, Word, either, initial_states
from ntkexec.language.values import bits_of
from ntkexec.program import limits
from ntkexec.program.fields import MAX_WORD_BITS, Code, Flag, Leaf
from ntkexec.program.program import Program
from ntkexec.programs.local.algorithm import Fold, Local, Node, Stage, Update
from ntkexec.programs.local.exploration import Case, explore
from ntkexec.programs.local.simulation import reverse_ports
from ntkexec.programs.local.tables import sums
from ntkexec.programs.local.types import (
    Bool,
    Optional,
    Record,
    Scalar,
    Set,
    Tuple,
    Type,
)

Argument = tuple[Type, Sequence[Sum]]
"""A type and the bits that hold a value of it."""

STATE, OUT, HEARD, INBOX, REVERSE = "state", "out", "heard", "inbox", "reverse"


@dataclasses.dataclass(frozen=True)
class TableSize:
    """One function that was tabulated.

    Args:
        function: its name.
        cases: combinations of values that it distinguishes.
        bits_read: bits on which it depends.
        products: of the minimised sums, over all output bits.
    """

    function: str
    cases: int
    bits_read: int
    products: int


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A LOCAL algorithm as a program.

    Args:
        algorithm: what was compiled.
        degree: D.
        slots: colours.
        program: its templates; a round is `program.round_length` steps.
        tables: the functions that were tabulated, in the order of the round.
    """

    algorithm: Local
    degree: int
    slots: int
    program: Program
    tables: tuple[TableSize, ...]

    @property
    def steps_per_round(self) -> int:
        """r: T rounds take T * r steps."""
        return self.program.round_length

    def initial(self, graph: Graph, nodes: Sequence[Node]) -> BoolArray[np.ndarray, "n k"]:
        """The states of all nodes before the first step."""
        num_ports = max(1, self.degree)
        values: dict[str, object] = {"colour": graph.colours}
        if "port.slot" in self.program.layout.paths:
            values["port.slot"] = port_slots(graph, num_ports)
        if self.algorithm.addressed:
            values[f"{REVERSE}.port"] = reverse_ports(graph, num_ports)
        states = initial_states(self.program, graph.num_nodes, values)
        columns = self._state_columns
        for row, node in zip(states, nodes, strict=True):
            row[columns] = self.algorithm.state.encode(self.algorithm.start(node))
        return states

    def decode(self, states: BoolArray[np.ndarray, "n k"]) -> list[Any]:
        """The algorithm's state of every node, between rounds."""
        return [self.algorithm.state.decode(row[self._state_columns]) for row in states]

    @functools.cached_property
    def _state_columns(self) -> list[int]:
        layout = self.program.layout
        return [
            bit for leaf in _words(self.algorithm.state, STATE) for bit in layout.bits(leaf.name)
        ]


class Received:
    """What a node has heard, for bodies in the instruction language."""

    def __init__(self, synchroniser: "_Synchroniser") -> None:
        self._synchroniser = synchroniser

    def by_port(self) -> tuple[Any, ...]:
        """Messages by port, each with `present` and `value`; kept until the round ends.

        Adds the phase in which they are sorted, if no stage before did.
        """
        kind = Optional(self._synchroniser.algorithm.message)
        return tuple(structure(kind, bits) for bits in self._synchroniser.heard())

    def by_slot(self) -> tuple[Any, ...]:
        """Messages by the sender's colour, to be read in the next phase and only there.

        For what is the same whatever port it came in at; saves sorting. The node's own message is
        there as well, in its own slot.
        """
        return self._synchroniser.raw()


def structure(kind: Type, bits: Sequence[Sum]) -> Any:
    """Bits as values of the instruction language.

    A `Bool` becomes a condition, another scalar a `Number`, a set a tuple of conditions, a record or an
    optional value an object with attributes, a tuple a tuple.
    """
    match kind:
        case Bool():
            return bits[0]
        case Scalar():
            return Number(tuple(bits))
        case Set():
            return tuple(bits)
        case Optional():
            return types.SimpleNamespace(present=bits[0], value=structure(kind.inner, bits[1:]))
        case Record() | Tuple():
            parts = {
                name: structure(part, bits[start : start + part.num_bits])
                for (name, part), start in zip(
                    kind.parts.items(), kind.offsets.values(), strict=True
                )
            }
            is_record = isinstance(kind, Record)
            return types.SimpleNamespace(**parts) if is_record else tuple(parts.values())
    raise AssertionError(f"unknown type {kind!r}")


def _words(kind: Type, prefix: str) -> list[Leaf]:
    """The fields that hold a value; long sets take several words."""
    fields: list[Leaf] = []
    for name, leaf in kind.leaves():
        whole = "_".join(filter(None, (prefix, name)))
        if isinstance(leaf, Bool):
            fields.append(Flag(whole))
            continue
        for start in range(0, leaf.num_bits, MAX_WORD_BITS):
            part = f"{whole}_from{start}" if leaf.num_bits > MAX_WORD_BITS else whole
            fields.append(Word(part, min(MAX_WORD_BITS, leaf.num_bits - start)))
    return fields


def _declare(p: Builder, kind: Type, prefix: str, *, temporary: bool = False) -> tuple[Sum, ...]:
    bits: list[Sum] = []
    for field in _words(kind, prefix):
        if isinstance(field, Flag):
            bits.append(p.flag(field.name, temporary=temporary))
        else:
            bits += p.word(field.name, field.num_bits, temporary=temporary).bits
    return tuple(bits)


class _Synchroniser:
    """Writes the phases of one round."""

    def __init__(self, algorithm: Local, *, degree: int, slots: int) -> None:
        self.algorithm = algorithm
        self.builder = Builder(algorithm.name, slots=slots, degree=degree)
        self.num_ports = max(1, degree)
        self.tables: list[TableSize] = []
        self.message = Optional(algorithm.message)
        self.state = _declare(self.builder, algorithm.state, STATE)
        addresses = range(self.num_ports) if algorithm.addressed else (None,)
        prefixes = ["sent" if port is None else f"to{port}" for port in addresses]
        self.sent = [_words(self.message, prefix) for prefix in prefixes]
        self.inbox = self.builder.message(*(leaf for leaves in self.sent for leaf in leaves))
        self.reverse: Slots | None = None
        if algorithm.addressed:
            self.reverse = self.builder.table(REVERSE, self.num_ports, Code("port", self.num_ports))
        self._heard: list[tuple[Sum, ...]] | None = None
        self._in_flight = False

    def table(
        self,
        function: Any,
        arguments: Mapping[str, Argument],
        result: Type,
        name: str,
    ) -> tuple[Sum, ...]:
        """A function as one condition for each bit of its result."""
        kinds = {argument: kind for argument, (kind, _) in arguments.items()}
        cases = explore(function, kinds, result, name=f"{self.algorithm.name}: {name}")
        found = sums(cases, [bit for _, bits in arguments.values() for bit in bits])
        self.tables.append(_size(name, cases, found))
        return found

    def send(self) -> None:
        """The phases *compose*, if it is needed, and *send*."""
        p = self.builder
        state: dict[str, Argument] = {"state": (self.algorithm.state, self.state)}
        composed = []
        for port in range(len(self.sent)):
            send = self.algorithm.send
            if self.algorithm.addressed:
                composed.append(
                    self.table(
                        lambda s, q=port, f=send: f(s, q),
                        state,
                        self.message,
                        f"send to port {port}",
                    )
                )
            else:
                composed.append(self.table(send, state, self.message, "send"))
        # A product is sent as it is; a sum, whose products each slot would repeat, is composed first.
        if any(len(bit.terms) > 1 for bits in composed for bit in bits):
            registers = [
                _declare(p, self.message, f"{OUT}{port}", temporary=True)
                for port in range(len(composed))
            ]
            with p.phase("compose"):
                for register, bits in zip(registers, composed, strict=True):
                    for target, bit in zip(register, bits, strict=True):
                        p.assign(target, bit)
            composed = list(registers)
        with p.phase("send"):
            for leaves, bits in zip(self.sent, composed, strict=True):
                start = 0
                for leaf in leaves:
                    part = Number(tuple(bits[start : start + leaf.num_bits]))
                    p.send(getattr(self.inbox, leaf.name), part)
                    start += leaf.num_bits
        self._in_flight = True

    def heard(self) -> list[tuple[Sum, ...]]:
        """Messages by port; the first call adds the phase *listen*."""
        if self._heard is None:
            self._check_in_flight()
            p = self.builder
            lone = len(self.algorithm.stages) == 1
            first = self.algorithm.stages[0]
            brief = lone and isinstance(first, Update) and first.body is None
            self._heard = [
                _declare(p, self.message, f"{HEARD}{port}", temporary=brief)
                for port in range(self.num_ports)
            ]
            with p.phase("listen"):
                for port, register in enumerate(self._heard):
                    arrived = self._arrived(port)
                    for target, bit in zip(register, arrived, strict=True):
                        p.assign(target, bit)
            self._in_flight = False
        return self._heard

    def raw(self) -> tuple[Any, ...]:
        """Messages by slot."""
        self._check_in_flight()
        if self.algorithm.addressed:
            raise ProgramError(
                f"{self.algorithm.name}: addressed messages are read by port, not by slot"
            )
        (leaves,) = self.sent
        return tuple(
            structure(
                self.message,
                [bit for leaf in leaves for bit in bits_of(getattr(record, leaf.name))],
            )
            for record in self.inbox
        )

    def _check_in_flight(self) -> None:
        if not self._in_flight:
            raise ProgramError(
                f"{self.algorithm.name}: messages are in their slots for one step after they were "
                "sent, and that is over; `received.by_port()` has kept them"
            )

    def _arrived(self, port: int) -> list[Sum]:
        """The bits of the message that arrives at a port."""
        p = self.builder
        by_address = []
        for address, leaves in enumerate(self.sent):
            values = [p.at_port(port, getattr(self.inbox, leaf.name)) for leaf in leaves]
            bits = Number(tuple(bit for value in values for bit in bits_of(value)))
            if self.reverse is not None:
                bits = bits.where(self.reverse[port].port[address])
            by_address.append(bits)
        return list(bits_of(either(by_address)))

    def stage(self, stage: Stage, number: int) -> None:
        """The phases of a stage."""
        p, kind = self.builder, self.algorithm.state
        label = f"{type(stage).__name__.lower()} {number}"
        state: dict[str, Argument] = {"state": (kind, self.state)}
        if isinstance(stage, Fold):
            heard = self.heard()
            for port in range(self.num_ports):
                message: dict[str, Argument] = {"message": (self.message, heard[port])}
                found = self.table(
                    lambda s, m, q=port: stage.at_port(s, m, q),
                    state | message,
                    kind,
                    f"{label} at port {port}",
                )
                self._assign(f"{label} at port {port}", found)
        elif stage.body is not None:
            if isinstance(stage, Update):
                stage.body(p, structure(kind, self.state), Received(self))
            else:
                stage.body(p, structure(kind, self.state))
        elif isinstance(stage, Update):
            heard = self.heard()
            received = (
                Tuple(*[self.message] * self.num_ports),
                [bit for bits in heard for bit in bits],
            )
            found = self.table(stage.function, state | {"received": received}, kind, label)
            self._assign(label, found)
        else:
            self._assign(label, self.table(stage.function, state, kind, label))
        self._in_flight = False

    def _assign(self, phase: str, values: Sequence[Sum]) -> None:
        with self.builder.phase(phase):
            for target, value in zip(self.state, values, strict=True):
                if value != target:
                    self.builder.assign(target, value)


def _size(name: str, cases: Sequence[Case], found: Sequence[Sum]) -> TableSize:
    return TableSize(
        name,
        len(cases),
        len(frozenset().union(*(function.bits for function in found))),
        len(frozenset[Any]().union(*(function.terms for function in found))),
    )


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
    bits, stages = Optional(algorithm.message).num_bits, algorithm.stages
    addresses = max(1, degree) if algorithm.addressed else 1
    by_port = any(isinstance(s, Fold) or (isinstance(s, Update) and s.body is None) for s in stages)
    counted = functools.partial(least_literals, message_bits=bits * addresses, by_port=by_port)
    limits.check_program(algorithm.name, counted, degree=degree, slots=slots)
    writer = _Synchroniser(algorithm, degree=degree, slots=slots)
    writer.send()
    if any(isinstance(stage, Update | Fold) for stage in algorithm.stages[1:]):
        # A later stage needs the messages when they are gone from the slots.
        writer.heard()
    for number, stage in enumerate(algorithm.stages):
        writer.stage(stage, number)
    return Compiled(algorithm, degree, slots, writer.builder.compile(), tuple(writer.tables))
