"""The phases of one round of a LOCAL algorithm, which all nodes take together, since one clock drives them:

compose     what is sent is worked out, where that is more than copying bits
send        it is written into the slot of the node's own colour
listen      what the neighbours wrote is sorted by port
...         the stages: an Update or a Step takes one step, a Fold one for each port, and a body
            as many as it has phases
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, Number, Slots, Sum, either
from ntkexec.language.values import bits_of
from ntkexec.program.fields import Code
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Stage, Update
from ntkexec.programs.local.gathering import Gathering
from ntkexec.programs.local.registers import declare, structure, words_of
from ntkexec.programs.local.tabulation import Argument, Tabulator, assign_all
from ntkexec.programs.local.types import Optional, Tuple

STATE, OUT, HEARD, REVERSE = "state", "out", "heard", "reverse"


class Part(NamedTuple):
    """Steps of a round that do one thing.

    Args:
        kind: `compose`, `send`, `listen` or `stage`.
        stage: which stage, from 0; None for the others.
        port: which port, of a `Fold`.
        num_steps: one; of a body as many as it takes.
    """

    kind: str
    stage: int | None
    port: int | None
    num_steps: int


class Received:
    """What a node has heard, for bodies in the instruction language."""

    def __init__(self, synchroniser: "Synchroniser") -> None:
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


class Synchroniser:
    """Writes the phases of one round."""

    def __init__(self, algorithm: Local, *, degree: int, slots: int) -> None:
        self.algorithm = algorithm
        self.builder = Builder(algorithm.name, slots=slots, degree=degree)
        self.num_ports = max(1, degree)
        self.table = Tabulator(algorithm.name)
        self.message = Optional(algorithm.message)
        self.state = declare(self.builder, algorithm.state, STATE)
        addresses = range(self.num_ports) if algorithm.addressed else (None,)
        prefixes = ["sent" if port is None else f"to{port}" for port in addresses]
        self.sent = [words_of(self.message, prefix) for prefix in prefixes]
        self.inbox = self.builder.message(*(leaf for leaves in self.sent for leaf in leaves))
        self.reverse: Slots | None = None
        if algorithm.addressed:
            self.reverse = self.builder.table(REVERSE, self.num_ports, Code("port", self.num_ports))
        self._heard: list[tuple[Sum, ...]] | None = None
        self._in_flight = False
        self._marks: list[tuple[str, int | None, int | None, int]] = []

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the steps of the round do, in order."""
        ends = [*(start for *_, start in self._marks[1:]), self.builder.num_steps]
        return tuple(
            Part(kind, stage, port, end - start)
            for (kind, stage, port, start), end in zip(self._marks, ends, strict=True)
            if end > start
        )

    def _mark(self, kind: str, stage: int | None = None, port: int | None = None) -> None:
        """Says what the following steps do."""
        self._marks.append((kind, stage, port, self.builder.num_steps))

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
                declare(p, self.message, f"{OUT}{port}", temporary=True)
                for port in range(len(composed))
            ]
            self._mark("compose")
            with p.phase("compose"):
                for register, bits in zip(registers, composed, strict=True):
                    for target, bit in zip(register, bits, strict=True):
                        p.assign(target, bit)
            composed = list(registers)
        self._mark("send")
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
                declare(p, self.message, f"{HEARD}{port}", temporary=brief)
                for port in range(self.num_ports)
            ]
            # In a body, after which its own steps follow.
            stage = self._marks[-1][1]
            self._mark("listen")
            with p.phase("listen"):
                for port, register in enumerate(self._heard):
                    arrived = self._arrived(port)
                    for target, bit in zip(register, arrived, strict=True):
                        p.assign(target, bit)
            if stage is not None:
                self._mark("stage", stage)
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
                self._mark("stage", number, port)
                self._assign(f"{label} at port {port}", found)
        elif isinstance(stage, Gather):
            self._gather(stage, number)
        elif stage.body is not None:
            self._mark("stage", number)
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
            self._mark("stage", number)
            self._assign(label, found)
        else:
            found = self.table(stage.function, state, kind, label)
            self._mark("stage", number)
            self._assign(label, found)
        self._in_flight = False

    def _gather(self, stage: Gather, number: int) -> None:
        p = self.builder
        writer = Gathering(self.algorithm, stage, p, self.table, self.num_ports)
        total = declare(p, self.algorithm.message, "total")
        present, heard = zip(*((bits[0], bits[1:]) for bits in self.heard()), strict=True)
        self._mark("stage", number)
        writer.count(heard, present)
        begin = writer.sent(self.state) if stage.own else writer.unit
        with p.phase("begin"):
            assign_all(p, total, begin)
            for there, bits in zip(present, heard, strict=True):
                for bit, one in zip(bits, writer.unit, strict=True):
                    p.assign(bit, one, when=~there)
        writer.combine(total, heard)
        if stage.body is not None:
            writer.body(self.state, total)
        else:
            self._assign("update", writer.updated(self.state, total))

    def _assign(self, phase: str, values: Sequence[Sum]) -> None:
        with self.builder.phase(phase):
            assign_all(self.builder, self.state, values)
