"""A program as statements, and what they make of each bit in each phase."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

from ntkexec.errors import ProgramError
from ntkexec.language.cubes import Term
from ntkexec.language.logic import FALSE, TRUE, Impossible, Sum, all_of, any_of, literal, minimise
from ntkexec.language.places import PHASE, Place
from ntkexec.program.fields import Field

ALWAYS = -1
"""Stands for all phases in a statement."""


@dataclasses.dataclass(frozen=True)
class Assignment:
    """In a phase, where the guard holds, a bit becomes a value."""

    phase: int
    guard: Sum
    value: Sum
    origin: str


@dataclasses.dataclass(frozen=True)
class Loop:
    """Phases that are gone through several times.

    Args:
        first: its first phase.
        last: its last phase.
        times: how often.
        turn: path of the one-hot field that counts the passes; None for a single pass.
        origin: its source line.
    """

    first: int
    last: int
    times: int
    turn: str | None
    origin: str

    def last_pass(self) -> Sum:
        """The condition that this is the last pass."""
        return TRUE if self.turn is None else literal(Place(self.turn, self.times - 1))


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the function that gives a bit's next value.

    Args:
        phase: in which phase, or `ALWAYS` for those that have no part of their own.
        function: the next value there.
        when: the condition that it is such a phase.
        label: for people.
    """

    phase: int
    function: Sum
    when: Sum
    label: str

    @property
    def whole(self) -> Sum:
        return self.function & self.when


@dataclasses.dataclass(frozen=True)
class Statements:
    """A program before it is compiled.

    Args:
        name: of the program.
        computation: fields that stay with the node, without the clock.
        messages: fields that are exchanged.
        temporary: paths of fields that are not kept.
        exclusive: paths of choices of which the author says that two values never meet.
        phases: names of the steps of a round.
        loops: in the order in which they end, inner ones first.
        assignments: by bit, in the order of the statements.
        halt: path of the halt flag, if there is one.
    """

    name: str
    computation: tuple[Field, ...]
    messages: tuple[Field, ...]
    temporary: frozenset[str]
    exclusive: frozenset[str]
    phases: tuple[str, ...]
    loops: tuple[Loop, ...]
    assignments: Mapping[Place, Sequence[Assignment]]
    halt: str | None

    @property
    def round_length(self) -> int:
        """Steps in a round."""
        steps = [1] * len(self.phases)
        for loop in self.loops:
            for phase in range(loop.first, loop.last + 1):
                steps[phase] *= loop.times
        return sum(steps)

    def successors(self, phase: int) -> dict[int, Sum]:
        """Which phases can follow a phase, and under which condition."""
        found: dict[int, Sum] = {}
        ended = TRUE
        for loop in self.loops:
            if loop.last == phase and loop.turn is not None:
                again = ended & ~loop.last_pass()
                found[loop.first] = found.get(loop.first, FALSE) | again
                ended = ended & loop.last_pass()
        following = (phase + 1) % len(self.phases)
        found[following] = found.get(following, FALSE) | ended
        return {target: minimise(condition) for target, condition in found.items()}

    def turns(self) -> Iterator[tuple[Place, Assignment]]:
        """The statements that count the passes of loops."""
        for index, loop in enumerate(self.loops):
            if loop.turn is None:
                continue
            inner = [one for one in self.loops[:index] if one.last == loop.last]
            ended = all_of(one.last_pass() for one in inner)
            for turn in range(loop.times):
                before = literal(Place(loop.turn, (turn - 1) % loop.times))
                line = f"repeat {loop.origin}"
                yield Place(loop.turn, turn), Assignment(loop.last, ended, before, line)

    def parts(self, place: Place, impossible: Impossible) -> list[Part]:
        """The function that gives a bit's next value, phase by phase.

        Raises:
            ProgramError: two statements give the bit different values in one state.
        """
        found = self.assignments.get(place, [])
        always = [assignment for assignment in found if assignment.phase == ALWAYS]
        phases = sorted({assignment.phase for assignment in found} - {ALWAYS})
        parts = []
        if len(phases) < len(self.phases) and (always or place.path not in self.temporary):
            function = self._next(place, always, impossible)
            label = f"always ({_origins(always)})" if always else "keep"
            parts.append(Part(ALWAYS, function, self._outside(phases), label))
        for phase in phases:
            here = [one for one in found if one.phase in (phase, ALWAYS)]
            function = self._next(place, here, impossible)
            label = f"{self.phases[phase]} ({_origins(here)})"
            parts.append(Part(phase, function, self.in_phase(phase), label))
        return parts

    def _next(self, place: Place, here: Sequence[Assignment], impossible: Impossible) -> Sum:
        """The next value where these statements, and no others, are carried out."""
        kept = place.path not in self.temporary
        if not here:
            return literal(place) if kept else FALSE
        self._check_conflicts(place, here, impossible)
        function = any_of(a.guard & a.value for a in here)
        if kept:
            # Where a statement writes 1, keeping a 1 does no harm; not to exclude it spares
            # the negation of guards with many terms.
            cleared = any_of(a.guard for a in here if a.value != TRUE)
            function = function | (literal(place) & ~cleared)
        return minimise(function.possible(impossible)).possible(impossible)

    def _outside(self, phases: Sequence[int]) -> Sum:
        """In none of the phases; one literal where only one phase is left."""
        others = [index for index in range(len(self.phases)) if index not in phases]
        if len(others) == 1 and phases:
            return self.in_phase(others[0])
        return all_of(~self.in_phase(phase) for phase in phases)

    def in_phase(self, phase: int) -> Sum:
        """The condition that it is a phase."""
        return in_phase(phase, len(self.phases))

    def _check_conflicts(
        self, place: Place, here: Sequence[Assignment], impossible: Impossible
    ) -> None:
        for one, other in itertools.combinations(here, 2):
            if one.value == other.value:
                continue
            differ = (one.value & ~other.value) | (~one.value & other.value)
            clash = (one.guard & other.guard & differ).possible(impossible)
            if clash.terms:
                phase = max(one.phase, other.phase)
                where = f"in phase {self.phases[phase]!r}" if phase != ALWAYS else "always"
                raise ProgramError(
                    f"{self.name}: {one.origin} and {other.origin} disagree on {place} {where} "
                    f"when {in_words(clash.terms)}"
                )


def in_phase(phase: int, ring: int) -> Sum:
    """The condition that a phase of a ring is on."""
    if ring <= 2:
        return literal(Place(PHASE), bool(phase)) if ring == 2 else TRUE
    return literal(Place(PHASE, phase))


def in_words(terms: frozenset[Term]) -> str:
    """The shortest of some products, for people."""
    shortest = min(terms, key=lambda term: (len(term), sorted(map(repr, term))))
    literals = (f"{'' if value else 'not '}{bit}" for bit, value in sorted(shortest, key=repr))
    return ", ".join(literals) or "anything holds"


def _origins(assignments: Sequence[Assignment]) -> str:
    return ", ".join(dict.fromkeys(one.origin for one in assignments))
