"""From statements to templates: keeping, minimising, and refusing what disagrees."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ntkexec.errors import ProgramError
from ntkexec.language.logic import TRUE, Impossible, Sum, Term, all_of, any_of, literal, minimise
from ntkexec.layout import Field, Flag, Layout, OneHot, Table
from ntkexec.template import Program, Template, template

PHASE = "phase"
"""The field that the compiler adds: a ring of one-hot bits, shared by all nodes. Of two phases a flag
says whether it is the second, so that a product may leave open which it is."""


class Place(NamedTuple):
    """A bit by name: path in the layout, position in the field, slot in a table."""

    path: str
    position: int = 0
    slot: int | None = None


@dataclasses.dataclass(frozen=True)
class Assignment:
    """In a phase, or in all if it is None, where the guard holds, a bit becomes a value."""

    phase: int | None
    guard: Sum
    value: Sum
    origin: str


@dataclasses.dataclass(frozen=True)
class Statements:
    """A program before it is compiled.

    Args:
        name: of the program.
        computation: fields that stay with the node, without the clock.
        messages: fields that are exchanged.
        temporary: paths of fields that are not kept.
        phases: names of the steps of a round.
        assignments: by bit, in the order of the statements.
    """

    name: str
    computation: tuple[Field, ...]
    messages: tuple[Field, ...]
    temporary: frozenset[str]
    phases: tuple[str, ...]
    assignments: Mapping[Place, list[Assignment]]

    def next_value(self, place: Place, impossible: Impossible) -> Iterator[tuple[Sum, str]]:
        """The function that gives a bit's next value, in parts, each with a label."""
        parts = list(self._parts(place, impossible))
        whole = minimise(any_of(function for function, _ in parts))
        if len(whole.terms) >= sum(len(function.terms) for function, _ in parts):
            yield from parts
            return
        # Fewer products serve several phases at once; each names all that it serves.
        for term in sorted(whole.terms, key=lambda found: sorted(map(repr, found))):
            product = Sum(frozenset([term]))
            yield product, "; ".join(label for part, label in parts if (part & product).terms)

    def _parts(self, place: Place, impossible: Impossible) -> Iterator[tuple[Sum, str]]:
        found = self.assignments.get(place, [])
        if found and all(assignment.phase is None for assignment in found):
            yield self._part(place, found, impossible), f"always ({_origins(found)})"
            return
        phases = sorted({a.phase for a in found if a.phase is not None})
        kept = place.path not in self.temporary
        if kept and len(phases) < len(self.phases):
            yield literal(place) & self._outside(phases), "keep"
        for phase in phases:
            here = [assignment for assignment in found if assignment.phase == phase]
            function = self._part(place, here, impossible)
            yield function & self._in_phase(phase), f"{self.phases[phase]} ({_origins(here)})"

    def _part(self, place: Place, here: list[Assignment], impossible: Impossible) -> Sum:
        """What statements that are carried out together make of a bit."""
        self._check_conflicts(place, here, impossible)
        function = any_of(a.guard & a.value for a in here)
        if place.path not in self.temporary:
            # Where a statement writes 1, keeping a 1 does no harm; not to exclude it spares
            # the negation of guards with many terms.
            cleared = any_of(a.guard for a in here if a.value != TRUE)
            function = function | (literal(place) & ~cleared)
        return minimise(function.possible(impossible)).possible(impossible)

    def _outside(self, phases: list[int]) -> Sum:
        """In none of the phases; one literal where only one phase is left."""
        others = [index for index in range(len(self.phases)) if index not in phases]
        if len(others) == 1 and phases:
            return self._in_phase(others[0])
        return all_of(~self._in_phase(phase) for phase in phases)

    def _in_phase(self, phase: int) -> Sum:
        return in_phase(phase, len(self.phases))

    def _check_conflicts(
        self, place: Place, here: list[Assignment], impossible: Impossible
    ) -> None:
        for one, other in itertools.combinations(here, 2):
            differ = (one.value & ~other.value) | (~one.value & other.value)
            clash = (one.guard & other.guard & differ).possible(impossible)
            if clash.terms:
                shortest = min(clash.terms, key=lambda t: (len(t), sorted(map(repr, t))))
                state = ", ".join(
                    f"{'' if value else 'not '}{_name(bit)}"
                    for bit, value in sorted(shortest, key=repr)
                )
                raise ProgramError(
                    f"{self.name}: {one.origin} and {other.origin} disagree on {_name(place)} "
                    f"{'always' if one.phase is None else f'in phase {self.phases[one.phase]!r}'} "
                    f"when {state or 'anything holds'}"
                )


def in_phase(phase: int, ring: int) -> Sum:
    """The condition that a phase of a ring is on."""
    if ring <= 2:
        return literal(Place(PHASE), bool(phase)) if ring == 2 else TRUE
    return literal(Place(PHASE, phase))


def _origins(here: list[Assignment]) -> str:
    return ", ".join(dict.fromkeys(a.origin for a in here))


def compile_statements(source: Statements) -> Program:
    """The program: keep templates written, sums minimised, equal conditions joined.

    Raises:
        ProgramError: no phase, or two statements give a bit different values in one state.
    """
    if not source.phases:
        raise ProgramError(f"program {source.name!r} has no phase")
    ring = len(source.phases)
    clock = {1: (), 2: (Flag(PHASE),)}.get(ring, (OneHot(PHASE, ring),))
    layout = Layout((*clock, *source.computation), source.messages)
    impossible = _impossible(layout)
    outputs: dict[Term, list[Place]] = {}
    labels: dict[Term, list[str]] = {}

    def write(place: Place, function: Sum, label: str) -> None:
        # Sets of names have another order in every process; programs must not.
        for term in sorted(function.terms, key=lambda t: sorted(_columns(layout, t))):
            outputs.setdefault(term, []).append(place)
            known = labels.setdefault(term, [])
            if label not in known:
                known.append(label)

    if ring == 2:
        write(Place(PHASE), in_phase(0, ring), f"after {source.phases[0]}")
    for index, name in enumerate(source.phases if ring > 2 else ()):
        write(Place(PHASE, (index + 1) % ring), in_phase(index, ring), f"after {name}")
    for place in _all_places(layout):
        if place.path != PHASE:
            for function, label in source.next_value(place, impossible):
                write(place, function, label)
    return Program(
        source.name,
        layout,
        tuple(
            _template(layout, term, places, "; ".join(labels[term]))
            for term, places in outputs.items()
        ),
        round_length=ring,
    )


def _name(place: Any) -> str:
    table, _, field = place.path.rpartition(".")
    base = f"{table}[{place.slot}].{field}" if table else field
    return f"{base}[{place.position}]"


def _all_places(layout: Layout) -> Iterator[Place]:
    for field in layout.computation + layout.messages:
        if isinstance(field, Table):
            for slot, leaf in itertools.product(range(field.slots), field.fields):
                for index in range(leaf.num_bits):
                    yield Place(f"{field.name}.{leaf.name}", index, slot)
        else:
            yield from (Place(field.name, index) for index in range(field.num_bits))


def _impossible(layout: Layout) -> Impossible:
    """Whether a product breaks an invariant of the layout: a one-hot field, occupied slots."""
    groups: dict[int, list[tuple[int, int]]] = {}
    for number, invariant in enumerate(layout.invariants):
        for group, bits in enumerate(invariant.groups):
            for bit in bits:
                groups.setdefault(bit, []).append((number, group))

    def impossible(term: Term) -> bool:
        occupied: dict[int, set[int]] = {}
        for place, value in term:
            if value:
                for number, group in groups.get(_column(layout, place), ()):
                    occupied.setdefault(number, set()).add(group)
        return any(len(found) > layout.invariants[n].bound for n, found in occupied.items())

    return impossible


def _column(layout: Layout, place: Any) -> int:
    return layout.bit(place.path, place.position, slot=place.slot)


def _columns(layout: Layout, term: Term) -> list[tuple[int, bool]]:
    return [(_column(layout, place), value) for place, value in term]


def _template(layout: Layout, term: Term, places: list[Place], label: str) -> Template:
    return template(_columns(layout, term), [_column(layout, place) for place in places], label)
