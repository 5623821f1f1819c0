"""The instruction language: fields, phases and guarded statements, compiled to templates.

    p = Builder("announce", slots=5, degree=2)
    loud, heard = p.flag("loud"), p.flag("heard")
    inbox = p.message(Flag("noise"))
    with p.phase("send"):
        p.send(inbox.noise, loud)
    with p.phase("receive"):
        for slot in p.slots:
            p.set(heard, when=inbox[slot].noise)
    program = p.compile()

Fields keep their values unless a statement says otherwise: the compiler writes the keep templates.
All nodes go through the phases together; the last is followed by the first.
"""

import contextlib
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import ProgramError
from ntkexec.language.compiler import (
    PHASE,
    Assignment,
    Place,
    Statements,
    compile_statements,
    in_phase,
)
from ntkexec.language.logic import FALSE, TRUE, Sum, literal
from ntkexec.language.values import Choice, Number, Value, bits_of, constant, either
from ntkexec.layout import Code, Field, Flag, Leaf, OneHot, Table, Word
from ntkexec.template import Program

ALWAYS = -1
COLOUR, PORT = "colour", "port"


class Record:
    """The fields of one slot of a table, as attributes."""

    def __init__(self, fields: dict[str, Value]) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        raise ProgramError(f"a slot has the fields {', '.join(self.__dict__)}, not {name!r}")


class Slots:
    """A table: `table[slot].field`, or `table.field` for that field of every slot."""

    def __init__(self, name: str, records: tuple[Record, ...]) -> None:
        self._name, self._records = name, records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, slot: int) -> Record:
        return self._records[slot]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __getattr__(self, field: str) -> tuple[Any, ...]:
        return tuple(getattr(record, field) for record in self._records)


class Builder:
    """Collects fields and statements, and compiles them to a program.

    Args:
        name: of the program.
        slots: colours of the two-hop colouring; every node knows its own, the field `colour`.
        degree: D, most neighbours of a node.

    Raises:
        ProgramError: from any method, where a statement makes no sense; names the source line.
    """

    def __init__(self, name: str, *, slots: int, degree: int) -> None:
        self.name, self.degree, self.slots = name, degree, range(slots)
        self._computation: list[Field] = []
        self._messages: list[Field] = []
        self._temporary: set[str] = set()
        self._phases: list[str] = []
        # The index of the open phase, ALWAYS, or None.
        self._phase: int | None = None
        self._guards: list[Sum] = []
        self._assignments: dict[Place, list[Assignment]] = {}
        self._ports: Slots | None = None
        colour = self._declare(Code(COLOUR, slots), temporary=False)
        assert isinstance(colour, Choice)
        self.colour = colour

    # Fields.

    def flag(self, name: str, *, temporary: bool = False) -> Sum:
        """A bit. A temporary one lives for the step after it was set, and needs no keeping."""
        value = self._declare(Flag(name), temporary)
        assert isinstance(value, Sum)
        return value

    def word(self, name: str, num_bits: int, *, temporary: bool = False) -> Number:
        """A number of `num_bits` bits."""
        value = self._declare(Word(name, num_bits), temporary)
        assert isinstance(value, Number)
        return value

    def flags(self, name: str, size: int, *, temporary: bool = False) -> tuple[Sum, ...]:
        """Up to 62 bits, any of which may be set; a table of flags has no limit."""
        return self.word(name, size, temporary=temporary).bits

    def choice(self, name: str, size: int, *, temporary: bool = False) -> Choice:
        """One of `size` values, or none."""
        value = self._declare(OneHot(name, size), temporary)
        assert isinstance(value, Choice)
        return value

    def table(
        self,
        name: str,
        size: int,
        *fields: Leaf,
        occupied: int | None = None,
        temporary: bool = False,
    ) -> Slots:
        """`size` records of the same fields.

        Args:
            name: of the table.
            size: number of records.
            fields: what each holds.
            occupied: at how many records at most any bit can be set at once.
            temporary: as for a flag.
        """
        return self._declare_table(
            Table(name, size, fields, occupied), self._computation, temporary
        )

    def message(self, *fields: Leaf, name: str = "inbox") -> Slots:
        """What nodes send: one record for every slot, of which a node writes only its own.

        After the step in which a neighbour sent, its record is here in the neighbour's slot; in all
        other steps it is 0.
        """
        size = len(self.slots)
        table = Table(name, size, fields, min(self.degree + 1, size))
        return self._declare_table(table, self._messages, True)

    def ports(self) -> Slots:
        """For each port the neighbour's slot, ports in the order of the neighbours' identifiers.

        The field `port[i].slot` is a constant of the node; `at_port` reads messages through it.
        """
        if self._ports is None:
            self._ports = self.table(PORT, max(1, self.degree), Code("slot", len(self.slots)))
        return self._ports

    def at_port(self, port: int, values: tuple[Value, ...]) -> Any:
        """Of a message field's values by slot, the one from the neighbour at a port."""
        slot = self.ports()[port].slot
        return either([_where(value, slot[s]) for s, value in enumerate(values)])

    def _declare(self, field: Leaf, temporary: bool) -> Value:
        _check_not_reserved(field.name)
        self._computation.append(field)
        if temporary:
            self._temporary.add(field.name)
        return _value_of(field, field.name, None)

    def _declare_table(self, table: Table, room: list[Field], temporary: bool) -> Slots:
        _check_not_reserved(table.name)
        room.append(table)
        if temporary:
            self._temporary |= {f"{table.name}.{leaf.name}" for leaf in table.fields}
        records = (
            Record({f.name: _value_of(f, f"{table.name}.{f.name}", slot) for f in table.fields})
            for slot in range(table.slots)
        )
        return Slots(table.name, tuple(records))

    # Control.

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """The next step of the round; its statements are carried out together."""
        self._check_outside(f"phase {name!r}")
        self._phases.append(name)
        self._phase = len(self._phases) - 1
        try:
            yield
        finally:
            self._phase = None

    @contextlib.contextmanager
    def always(self) -> Iterator[None]:
        """Statements that are carried out in every step, whatever the phase.

        One product serves all phases, where the same statement in each of them would take one for
        each. A bit that is written here is written nowhere else.
        """
        self._check_outside("always")
        self._phase = ALWAYS
        try:
            yield
        finally:
            self._phase = None

    def in_phase(self, index: int) -> Sum:
        """The condition that a phase is on, for statements in `always` after all phases; from 0.

        Raises:
            ProgramError: there are not so many phases yet.
        """
        if not 0 <= index < len(self._phases):
            raise ProgramError(
                f"{_origin()}: no phase {index}; there are {len(self._phases)} so far"
            )
        return in_phase(index, len(self._phases))

    def _check_outside(self, what: str) -> None:
        if self._phase is not None:
            outer = "always" if self._phase == ALWAYS else f"phase {self._phases[self._phase]!r}"
            raise ProgramError(f"{_origin()}: {what} begins inside {outer}")

    @contextlib.contextmanager
    def when(self, condition: Sum) -> Iterator[None]:
        """Statements inside are carried out where the condition holds."""
        self._guards.append(condition)
        try:
            yield
        finally:
            self._guards.pop()

    # Statements.

    def assign(self, target: Value, value: Value | int, *, when: Sum = TRUE) -> None:
        """Where `when` holds, the target becomes the value; elsewhere it keeps its own."""
        places = [_place_of(bit) for bit in bits_of(target)]
        origin = _origin()
        if isinstance(value, int):
            value = _constant(target, value, origin)
        values = bits_of(value)
        if len(values) != len(places):
            raise ProgramError(f"{origin}: {len(places)} bits cannot take a value of {len(values)}")
        if self._phase is None:
            raise ProgramError(f"{origin}: a statement outside all phases")
        guard = when
        for condition in self._guards:
            guard = guard & condition
        for place, one in zip(places, values, strict=True):
            phase = None if self._phase == ALWAYS else self._phase
            known = self._assignments.setdefault(place, [])
            if known and (known[0].phase is None) != (phase is None):
                raise ProgramError(
                    f"{origin}: {known[0].origin} writes the same bit; one does so always, the other "
                    f"in a phase"
                )
            known.append(Assignment(phase, guard, one, origin))

    def set(self, target: Value, *, when: Sum = TRUE) -> None:
        """Where `when` holds, all bits of the target become 1."""
        for bit in bits_of(target):
            self.assign(bit, 1, when=when)

    def clear(self, target: Value, *, when: Sum = TRUE) -> None:
        """Where `when` holds, all bits of the target become 0."""
        for bit in bits_of(target):
            self.assign(bit, 0, when=when)

    def send(self, field: tuple[Value, ...], value: Value | int = 1, *, when: Sum = TRUE) -> None:
        """Where `when` holds, writes into the own slot of a message field, `inbox.field`."""
        for slot, target in enumerate(field):
            with self.when(self.colour[slot]):
                self.assign(target, value, when=when)

    # Compilation.

    def compile(self) -> Program:
        """The program: keep templates written, sums minimised, equal conditions joined.

        Raises:
            ProgramError: no phase, or two statements give a bit different values in one state.
        """
        return compile_statements(
            Statements(
                self.name,
                tuple(self._computation),
                tuple(self._messages),
                frozenset(self._temporary),
                tuple(self._phases),
                self._assignments,
            )
        )


def initial_states(
    program: Program, num_nodes: int, values: Mapping[str, object]
) -> Bool[np.ndarray, "n k"]:
    """States before the first step of a compiled program: `Layout.pack`, in the first phase."""
    clock = {PHASE: 0} if PHASE in program.layout.paths else {}
    return program.layout.pack(num_nodes, clock | dict(values))


def _where(value: Value, condition: Sum) -> Value:
    return value & condition if isinstance(value, Sum) else value.where(condition)


def _value_of(field: Leaf, path: str, slot: int | None) -> Value:
    bits = tuple(literal(Place(path, index, slot)) for index in range(field.num_bits))
    if isinstance(field, Flag):
        return bits[0]
    if isinstance(field, Code):
        number = Number(bits)
        return Choice(tuple(number == value + 1 for value in range(field.size)))
    return Number(bits) if isinstance(field, Word) else Choice(bits)


def _constant(target: Value, number: int, origin: str) -> Value:
    """A constant as a value of the target's kind."""
    if isinstance(target, Choice):
        if not 0 <= number < len(target):
            raise ProgramError(f"{origin}: {number} is no choice; 0 to {len(target) - 1} are")
        return Choice(tuple(TRUE if i == number else FALSE for i in range(len(target))))
    try:
        return constant(number, len(bits_of(target)))
    except ProgramError as error:
        raise ProgramError(f"{origin}: {error}") from None


def _place_of(bit: Sum) -> Place:
    literals = [entry for term in bit.terms for entry in term]
    if len(literals) == 1 and isinstance(literals[0][0], Place) and literals[0][1]:
        return literals[0][0]
    raise ProgramError(f"{_origin()}: only a field can be assigned to, not a condition")


def _check_not_reserved(name: str) -> None:
    if name == PHASE:
        raise ProgramError(
            f"{_origin()}: {name!r} is the field that the compiler adds for its clock"
        )


def _origin() -> str:
    """File and line of the statement, outside this package."""
    # A phase begins inside contextlib, which calls the generator.
    inside = (str(pathlib.Path(__file__).parent), contextlib.__file__)
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame = frame.f_back
    return f"{pathlib.Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
