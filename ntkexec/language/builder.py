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
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import ProgramError
from ntkexec.language.compiler import compile_statements
from ntkexec.language.fields import Fields, origin, value_of
from ntkexec.language.logic import TRUE, Sum, any_of
from ntkexec.language.places import PHASE, TURN, Place
from ntkexec.language.statements import ALWAYS, Assignment, Loop, Statements, in_phase
from ntkexec.language.values import (
    Choice,
    Value,
    bits_of,
    check_kinds,
    constant_like,
    either,
    where,
)
from ntkexec.program.fields import OneHot
from ntkexec.program.program import Program


class Builder(Fields):
    """Collects fields and statements, and compiles them to a program.

    Args:
        name: of the program.
        slots: colours of the two-hop colouring; every node knows its own, the field `colour`.
        degree: D, most neighbours of a node.

    Raises:
        ProgramError: from any method, where a statement makes no sense; names the source line.
    """

    def __init__(self, name: str, *, slots: int, degree: int) -> None:
        super().__init__(slots, degree)
        self.name = name
        self._phases: list[str] = []
        self._loops: list[Loop] = []
        self._num_turns = 0
        self._phase: int | None = None
        self._guards: list[Sum] = []
        self._assignments: dict[Place, list[Assignment]] = {}
        self._halt: str | None = None

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

    @property
    def num_steps(self) -> int:
        """Steps of the phases so far; those of a repeated block count once for each pass."""
        return sum(
            math.prod(loop.times for loop in self._loops if loop.first <= phase <= loop.last)
            for phase in range(len(self._phases))
        )

    @contextlib.contextmanager
    def always(self) -> Iterator[None]:
        """Statements inside are carried out in every phase, together with the phase's own.

        One product serves all phases, where the same statement in each of them takes one for each.
        """
        self._check_outside("'always'")
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
                f"{origin()}: no phase {index}; there are {len(self._phases)} so far"
            )
        return in_phase(index, len(self._phases))

    @contextlib.contextmanager
    def repeat(self, times: int) -> Iterator[Choice]:
        """The phases inside are gone through `times` times in a round; repeats may be nested.

        Returns:
            Which pass it is, the condition `turn[i]` for pass i. It costs a one-hot field of
            `times` bits, with 2 templates a bit.
        """
        if times < 1:
            raise ProgramError(f"{origin()}: a block is repeated at least once, not {times} times")
        self._check_outside("a repeat")
        turn, path = Choice((TRUE,)), None
        if times > 1:
            path = f"{TURN}{self._num_turns}"
            self._num_turns += 1
            field = OneHot(path, times)
            self._computation.append(field)
            found = value_of(field, path, None)
            assert isinstance(found, Choice)
            turn = found
        first, where_from = len(self._phases), origin()
        yield turn
        if len(self._phases) == first:
            raise ProgramError(f"{where_from}: a repeat without a phase")
        self._loops.append(Loop(first, len(self._phases) - 1, times, path, where_from))

    @contextlib.contextmanager
    def when(self, condition: Sum) -> Iterator[None]:
        """Statements inside are carried out where the condition holds."""
        self._guards.append(condition)
        try:
            yield
        finally:
            self._guards.pop()

    @property
    def halt(self) -> str | None:
        """The flag that is set at every node when the program is over, if it has one.

        Assign the flag: `p.halt = done`. Rounds go on until then; see `executor.execute`.
        """
        return self._halt

    @halt.setter
    def halt(self, flag: Sum) -> None:
        place = _place_of(flag)
        if place.slot is not None or place.path in self._temporary:
            raise ProgramError(f"{origin()}: only a flag that is kept can say that a node halts")
        self._halt = place.path

    # Statements.

    def assign(self, target: Value, value: Value | int, *, when: Sum = TRUE) -> None:
        """Where `when` holds, the target becomes the value; elsewhere it keeps its own."""
        places = [_place_of(bit) for bit in bits_of(target)]
        line = origin()
        try:
            if isinstance(value, int):
                value = constant_like(target, value)
            check_kinds(target, value)
        except ProgramError as error:
            raise ProgramError(f"{line}: {error}") from None
        values = bits_of(value)
        if len(values) != len(places):
            raise ProgramError(f"{line}: {len(places)} bits cannot take a value of {len(values)}")
        if self._phase is None:
            raise ProgramError(f"{line}: a statement outside all phases")
        guard = when
        for condition in self._guards:
            guard = guard & condition
        for place, one in zip(places, values, strict=True):
            if place.path in self._constant:
                raise ProgramError(f"{line}: {place.path!r} is a constant and cannot be written")
            found = Assignment(self._phase, guard, one, line)
            self._assignments.setdefault(place, []).append(found)

    def set(self, target: Value, *, when: Sum = TRUE) -> None:
        """Where `when` holds, all bits of the target become 1."""
        for bit in bits_of(target):
            self.assign(bit, 1, when=when)

    def clear(self, target: Value, *, when: Sum = TRUE) -> None:
        """Where `when` holds, all bits of the target become 0."""
        for bit in bits_of(target):
            self.assign(bit, 0, when=when)

    # Messages.

    def send(self, field: tuple[Value, ...], value: Value | int = 1, *, when: Sum = TRUE) -> None:
        """Where `when` holds, writes into the own slot of a message field, `inbox.field`."""
        for slot, target in enumerate(field):
            with self.when(self.colour[slot]):
                self.assign(target, value, when=when)

    def at_port(self, port: int, values: tuple[Value, ...]) -> Any:
        """Of a message field's values by slot, the one from the neighbour at a port."""
        slot = self.ports()[port].slot
        return either([where(value, slot[s]) for s, value in enumerate(values)])

    def call(
        self, port: int, field: tuple[Value, ...], value: Value | int = 1, *, when: Sum = TRUE
    ) -> None:
        """Where `when` holds, writes into the slot of the neighbour at a port; see `called`.

        For programs in which only one node of a neighbourhood calls at a time: the calls of two to
        the same neighbour meet in its slot, which an execution reports as collisions.
        """
        for slot, target in enumerate(field):
            with self.when(self.ports()[port].slot[slot]):
                self.assign(target, value, when=when)

    def called(self, field: tuple[Value, ...]) -> Any:
        """What a neighbour wrote into the own slot by `call`."""
        return either([where(value, self.colour[s]) for s, value in enumerate(field)])

    def address(self, port: int, field: tuple[Choice, ...], *, when: Sum = TRUE) -> None:
        """Where `when` holds, writes whom a message is for, the neighbour at a port, into it.

        All nodes may do so at once; it costs a choice among all slots in every slot.
        """
        self.send(field, self.ports()[port].slot, when=when)

    def addressed(self, field: tuple[Choice, ...]) -> tuple[Sum, ...]:
        """By slot, whether its message is for this node; see `address`."""
        return tuple(
            any_of(target[slot] & self.colour[slot] for slot in self.slots) for target in field
        )

    # Compilation.

    def compile(self, *, outputs: Iterable[Value] | None = None) -> Program:
        """The program: keep templates written, sums minimised, equal conditions joined.

        Args:
            outputs: what the answer is read from. Templates that can have no effect on these
                fields or on the halt flag are left out; by default everything counts.

        Raises:
            ProgramError: no phase; two statements give a bit different values in one state; two
                values of a choice can be set together; a temporary value is lost before it is read.
        """
        needed = None
        if outputs is not None:
            needed = frozenset(_place_of(bit) for value in outputs for bit in bits_of(value))
        return compile_statements(
            Statements(
                self.name,
                tuple(self._computation),
                tuple(self._messages),
                frozenset(self._temporary),
                frozenset(self._exclusive),
                tuple(self._phases),
                tuple(self._loops),
                self._assignments,
                self._halt,
            ),
            needed,
        )

    def _check_outside(self, what: str) -> None:
        if self._phase is not None:
            outer = "always" if self._phase == ALWAYS else f"phase {self._phases[self._phase]!r}"
            raise ProgramError(f"{origin()}: {what} begins inside {outer}")


def initial_states(
    program: Program, num_nodes: int, values: Mapping[str, object]
) -> Bool[np.ndarray, "n k"]:
    """States before the first step of a compiled program: `Layout.pack`, in the first phase."""
    clock = {
        path: 0
        for path in program.layout.paths
        if path == PHASE or (path.startswith(TURN) and path[len(TURN) :].isdecimal())
    }
    return program.layout.pack(num_nodes, clock | dict(values))


def _place_of(bit: Sum) -> Place:
    literals = [entry for term in bit.terms for entry in term]
    if len(literals) == 1 and isinstance(literals[0][0], Place) and literals[0][1]:
        return literals[0][0]
    raise ProgramError(f"{origin()}: only a field can be assigned to, not a condition")
