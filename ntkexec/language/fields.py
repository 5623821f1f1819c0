"""How a program's fields are declared, and what statements see of them."""

import contextlib
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.language.logic import Sum, literal
from ntkexec.language.places import PHASE, TURN, Place
from ntkexec.language.values import Choice, Number, Value
from ntkexec.program.fields import Bits, Code, Field, Flag, Leaf, OneHot, Table, Word

COLOUR, PORT = "colour", "port"
_RESERVED = re.compile(rf"{PHASE}|{TURN}\d+")


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


class Fields:
    """The fields of a program. All kinds but messages take the same options:

    Args:
        temporary: it lives for the step after it was written, and needs no keeping.
        constant: it is given at the start; statements that write it are refused.
        exclusive: for choices, the author's word that no two of its values are ever set together,
            where the compiler cannot prove it. `Layout.unpack` still refuses such a state.
    """

    def __init__(self, slots: int, degree: int) -> None:
        self.degree, self.slots = degree, range(slots)
        self._computation: list[Field] = []
        self._messages: list[Field] = []
        self._temporary: set[str] = set()
        self._constant: set[str] = set()
        self._exclusive: set[str] = set()
        self._ports: Slots | None = None
        colour = self._declare(Code(COLOUR, slots), temporary=False, constant=True)
        assert isinstance(colour, Choice)
        self.colour = colour

    def flag(self, name: str, *, temporary: bool = False, constant: bool = False) -> Sum:
        """A bit."""
        value = self._declare(Flag(name), temporary, constant)
        assert isinstance(value, Sum)
        return value

    def word(
        self,
        name: str,
        num_bits: int,
        *,
        signed: bool = False,
        temporary: bool = False,
        constant: bool = False,
    ) -> Number:
        """A number of `num_bits` bits, in two's complement if it is signed."""
        value = self._declare(Word(name, num_bits, signed), temporary, constant)
        assert isinstance(value, Number)
        return value

    def flags(
        self, name: str, size: int, *, temporary: bool = False, constant: bool = False
    ) -> tuple[Sum, ...]:
        """Any number of bits, any of which may be set: the column `name.set` of a table."""
        found = self.table(name, size, Flag("set"), temporary=temporary, constant=constant)
        return found.set

    def choice(
        self,
        name: str,
        size: int,
        *,
        temporary: bool = False,
        constant: bool = False,
        exclusive: bool = False,
    ) -> Choice:
        """One of `size` values, or none."""
        value = self._declare(OneHot(name, size), temporary, constant)
        if exclusive:
            self._exclusive.add(name)
        assert isinstance(value, Choice)
        return value

    def table(
        self,
        name: str,
        size: int,
        *fields: Leaf,
        occupied: int | None = None,
        temporary: bool = False,
        constant: bool = False,
        exclusive: bool = False,
    ) -> Slots:
        """`size` records of the same fields.

        Args:
            name: of the table.
            size: number of records.
            fields: what each holds.
            occupied: at how many records at most any bit can be set at once.
            temporary: see `Fields`.
            constant: see `Fields`.
            exclusive: see `Fields`; for the choices among its fields.
        """
        table = Table(name, size, fields, occupied)
        return self._declare_table(table, self._computation, temporary, constant, exclusive)

    def message(self, *fields: Leaf, name: str = "inbox", exclusive: bool = False) -> Slots:
        """What nodes send: one record for every slot, of which a node writes only its own.

        After the step in which a neighbour sent, its record is here in the neighbour's slot; in all
        other steps it is 0.
        """
        size = len(self.slots)
        table = Table(name, size, fields, min(self.degree + 1, size))
        return self._declare_table(table, self._messages, True, False, exclusive)

    def ports(self) -> Slots:
        """For each port the neighbour's slot, ports in the order of the neighbours' identifiers.

        The field `port[i].slot` is a constant of the node; `at_port` reads messages through it.
        """
        if self._ports is None:
            slot = Code("slot", len(self.slots))
            self._ports = self.table(PORT, max(1, self.degree), slot, constant=True)
        return self._ports

    def _declare(self, field: Leaf, temporary: bool, constant: bool) -> Value:
        _check_not_reserved(field.name)
        self._computation.append(field)
        self._mark([field.name], temporary, constant)
        return value_of(field, field.name, None)

    def _declare_table(
        self, table: Table, room: list[Field], temporary: bool, constant: bool, exclusive: bool
    ) -> Slots:
        _check_not_reserved(table.name)
        room.append(table)
        paths = [f"{table.name}.{leaf.name}" for leaf in table.fields]
        self._mark(paths, temporary, constant)
        if exclusive:
            self._exclusive |= set(paths)
        records = (
            Record({f.name: value_of(f, f"{table.name}.{f.name}", slot) for f in table.fields})
            for slot in range(table.slots)
        )
        return Slots(table.name, tuple(records))

    def _mark(self, paths: list[str], temporary: bool, constant: bool) -> None:
        if temporary and constant:
            raise ProgramError(f"{origin()}: {paths[0]!r} cannot be temporary and constant")
        if temporary:
            self._temporary |= set(paths)
        if constant:
            self._constant |= set(paths)


def value_of(field: Leaf, path: str, slot: int | None) -> Value:
    """A field as a value that statements can read and write."""
    bits = tuple(literal(Place(path, index, slot)) for index in range(field.num_bits))
    if isinstance(field, Flag):
        return bits[0]
    if isinstance(field, Bits):
        raise ProgramError(
            f"{origin()}: bits {field.name!r} have no meaning that a statement could use; take "
            "p.flags for any number of bits"
        )
    if isinstance(field, Code):
        number = Number(bits)
        return Choice(tuple(number == value + 1 for value in range(field.size)))
    return Number(bits, field.signed) if isinstance(field, Word) else Choice(bits)


def _check_not_reserved(name: str) -> None:
    if _RESERVED.fullmatch(name):
        raise ProgramError(f"{origin()}: {name!r} is a field that the compiler adds for its clock")


def origin() -> str:
    """File and line of the statement, outside this package."""
    # A phase begins inside contextlib, which calls the generator.
    inside = (str(pathlib.Path(__file__).parent), contextlib.__file__)
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame = frame.f_back
    return f"{pathlib.Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
