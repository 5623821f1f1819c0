"""What a program lets an execution leave out, proven from its templates and the initial states.

*Clock.* Bits that are the same at all nodes and depend on nothing else stay the same at all nodes:
their values in every step are known beforehand, and with them which templates cannot match. For a
program in the instruction language this is the one-hot ring of phases.

*Zeros.* Bits that are 0 at the start and that no template can write in a phase need no storage.

*Own slots.* If all templates that write into a slot require the same values of bits that never change,
say of the colour, and no node has those of two slots, a node only ever writes into one, and it
suffices to send what it writes there: the receiver knows the slot.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ntkexec.program.fields import Table
from ntkexec.program.program import Program
from ntkexec.program.work import Work

# The clock may show this many different readings, or two rounds of them: all are compiled.
MAX_CLOCK = 64

# Packed execution compiles the program itself: about so long for each condition and output, whatever
# the graph. The plain kernel takes so long for each of them, at each node and step.
COMPILE_SECONDS_PER_LITERAL = 6e-3
KERNEL_SECONDS_PER_LITERAL = 1e-9
# What compiles within this is not worth a choice.
SHORT_COMPILATION = 12.0

Clock = tuple[tuple[int, bool], ...]
"""Pairs (bit, value), by increasing bit: what the clock shows before a step."""


class Correction(NamedTuple):
    """A set of matches at which a learned function does not decide as the program does.

    bit: which it decides the other way round.
    matched: templates that match.
    unmatched: templates of the same learning problem that do not.
    """

    bit: int
    matched: tuple[int, ...]
    unmatched: tuple[int, ...]


class Live(NamedTuple):
    """A template as it stands in one step: what is left of its condition, and what it writes."""

    template: int
    condition: tuple[tuple[int, bool], ...]
    outputs: tuple[int, ...]


class StepPlan(NamedTuple):
    """What a step can do: its templates and corrections, what is known left out."""

    templates: tuple[Live, ...]
    corrections: tuple[Correction, ...]

    @property
    def possible(self) -> frozenset[int]:
        """Bits outside the clock that may be 1 afterwards."""
        written = {bit for entry in self.templates for bit in entry.outputs}
        return frozenset(written | {correction.bit for correction in self.corrections})

    @property
    def kept(self) -> frozenset[int]:
        """Bits that stay as they are."""
        writers: dict[int, list[Live]] = {}
        for entry in self.templates:
            for bit in entry.outputs:
                writers.setdefault(bit, []).append(entry)
        corrected = {correction.bit for correction in self.corrections}
        return frozenset(
            bit
            for bit, found in writers.items()
            if [entry.condition for entry in found] == [((bit, True),)] and bit not in corrected
        )

    @property
    def literals(self) -> int:
        """Conditions and outputs of the templates that do more than keep a bit."""
        kept = self.kept
        return sum(
            len(entry.condition) + len(entry.outputs)
            for entry in self.templates
            if not kept.issuperset(entry.outputs)
        )


def compile_seconds(literals: int) -> float:
    """About how long it takes to compile a program of so many literals for packed execution."""
    return COMPILE_SECONDS_PER_LITERAL * literals


def pays(work: Work) -> bool:
    """Whether packed execution of a run, or of a longer one, can be worth its compilation."""
    plain = KERNEL_SECONDS_PER_LITERAL * work.literals * work.nodes * work.steps
    return compile_seconds(work.literals) <= max(SHORT_COMPILATION, plain)


@dataclasses.dataclass(frozen=True)
class Orbit:
    """What the clock shows, step by step: `head` once, then `ring` for ever."""

    head: tuple[Clock, ...]
    ring: tuple[Clock, ...]

    def at(self, step: int) -> Clock:
        """Before step `step`, from 0."""
        if step < len(self.head):
            return self.head[step]
        return self.ring[(step - len(self.head)) % len(self.ring)]


@dataclasses.dataclass(frozen=True)
class OwnSlots:
    """The proof that a node writes some message bits in one slot only.

    Args:
        guards: by slot, what a node that writes these bits in it fulfils: values of bits that never
            change. A node that fulfils none sends none of them.
        bits: for every guard the message bits that it guards, increasing; shape (guards, payload),
            -1 where there are fewer.
    """

    guards: tuple[tuple[tuple[int, bool], ...], ...]
    bits: tuple[tuple[int, ...], ...]

    @functools.cached_property
    def covered(self) -> frozenset[int]:
        """The message bits that the proof is about."""
        return frozenset(bit for row in self.bits for bit in row if bit >= 0)

    @property
    def payload(self) -> int:
        """Bits covered that a node sends at most."""
        return max(map(len, self.bits), default=0)


@dataclasses.dataclass(frozen=True, eq=False)
class PackedProgram:
    """A program as a static argument of compiled functions: equal ones are interchangeable.

    Args:
        program: what a step unites.
        corrections: where a learned function differs from it.
    """

    program: Program
    corrections: tuple[Correction, ...] = ()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PackedProgram)
            and self.program.digest == other.program.digest
            and self.corrections == other.corrections
        )

    def __hash__(self) -> int:
        return hash((self.program.digest, self.corrections))

    @property
    def num_bits(self) -> int:
        """K."""
        return self.program.layout.num_bits

    @property
    def split(self) -> int:
        """Message bits begin here."""
        return self.program.layout.num_computation_bits

    @functools.cached_property
    def _corrected(self) -> frozenset[int]:
        return frozenset(correction.bit for correction in self.corrections)

    @functools.cached_property
    def constants(self) -> frozenset[int]:
        """Computation bits that no step ever changes."""
        templates = self.program.templates
        return frozenset(
            bit
            for bit in range(self.split)
            if [templates[t].condition for t in self.program.writers[bit]] == [((bit, True),)]
            and bit not in self._corrected
        )

    def plan(self, possible: frozenset[int], clock: Clock) -> StepPlan:
        """A step's plan.

        Args:
            possible: bits outside the clock that may be 1 before the step.
            clock: what the clock shows before it.
        """
        if (possible, clock) not in self._plans:
            self._plans[possible, clock] = self._plan(possible, clock)
        return self._plans[possible, clock]

    @functools.cached_property
    def _plans(self) -> dict[tuple[frozenset[int], Clock], StepPlan]:
        """Those asked for so far: an execution asks for the same few again and again."""
        return {}

    def _plan(self, possible: frozenset[int], clock: Clock) -> StepPlan:
        shown, live = dict(clock), {}
        for index, entry in enumerate(self.program.templates):
            if all(v == shown.get(bit, False) or bit in possible for bit, v in entry.condition):
                condition = tuple(literal for literal in entry.condition if literal[0] in possible)
                outputs = tuple(bit for bit in entry.outputs if bit not in shown)
                live[index] = Live(index, condition, outputs)
        corrections = tuple(
            found._replace(unmatched=tuple(t for t in found.unmatched if t in live))
            for found in self.corrections
            if all(t in live for t in found.matched)
        )
        return StepPlan(tuple(live.values()), corrections)

    def possible_when_ring_starts(
        self, possible: frozenset[int], ring: Sequence[Clock]
    ) -> frozenset[int]:
        """Bits that may be 1 whenever the ring begins, if those given may be the first time."""
        while True:
            after = possible
            for clock in ring:
                after = self.plan(after, clock).possible
            if after <= possible:
                return possible
            possible |= after

    def orbit(self, uniform: Mapping[int, bool]) -> Orbit:
        """The clock of an execution.

        Args:
            uniform: computation bits that have the same value at all nodes before the first step.
        """
        closed = {bit for bit in uniform if bit < self.split} - self._corrected
        while True:
            outside = {
                bit
                for bit in closed
                if any(
                    not self._reads(template) <= closed for template in self.program.writers[bit]
                )
            }
            if not outside:
                break
            closed -= outside
        longest = max(MAX_CLOCK, 2 * self.program.round_length)
        chosen: set[int] = set()
        found = Orbit((), ((),))
        # The most self-contained bits first: a counter that runs for long must not cost the phases.
        for bit in sorted(closed, key=lambda b: (len(self._needs(b)), b)):
            if bit in chosen:
                continue
            wider = chosen | self._needs(bit)
            longer = self._simulate({b: uniform[b] for b in sorted(wider)}, longest)
            if longer is not None:
                chosen, found = wider, longer
        return found

    def _reads(self, template: int) -> set[int]:
        return {bit for bit, _ in self.program.templates[template].condition}

    def _needs(self, bit: int) -> set[int]:
        """The bit and all that its future depends on."""
        found, left = {bit}, [bit]
        while left:
            for template in self.program.writers[left.pop()]:
                new = self._reads(template) - found
                found |= new
                left += new
        return found

    def _simulate(self, values: dict[int, bool], longest: int) -> Orbit | None:
        templates, seen = self.program.templates, dict[Clock, int]()
        while (reading := tuple(values.items())) not in seen:
            if len(seen) == longest:
                return None
            seen[reading] = len(seen)
            values = {
                bit: any(
                    all(values[b] == v for b, v in templates[t].condition)
                    for t in self.program.writers[bit]
                )
                for bit in values
            }
        readings, start = tuple(seen), seen[reading]
        return Orbit(readings[:start], readings[start:])

    @functools.cached_property
    def own(self) -> OwnSlots | None:
        """The proof that nodes write in one slot only, or None if the templates give it for no bit.

        A message may have bits of both kinds: depth-first search announces a node in its own slot,
        but calls another in that one's. It also needs that no node fulfils two guards before the
        first step.
        """
        if any(bit >= self.split for bit in self._corrected):
            return None
        guarded: dict[frozenset[tuple[int, bool]], list[int]] = {}
        for slot in self._message_slots:
            required = {
                bit: self._always_required(bit) for bit in slot if self.program.writers[bit]
            }
            written = [bit for bit, guard in required.items() if guard]
            guard = frozenset.intersection(*(required[bit] for bit in written)) if written else None
            if guard:
                guarded.setdefault(guard, []).extend(written)
        if not guarded:
            return None
        width = max(map(len, guarded.values()))
        rows = tuple((*bits, *[-1] * (width - len(bits))) for bits in guarded.values())
        return OwnSlots(tuple(tuple(sorted(guard)) for guard in guarded), rows)

    @property
    def _message_slots(self) -> list[list[int]]:
        """The message bits of each slot of each table; of other fields, each bit alone."""
        slots, start = list[list[int]](), self.split
        for field in self.program.layout.messages:
            count = field.slots if isinstance(field, Table) else field.num_bits
            bits = range(start, start + field.num_bits)
            size = field.num_bits // count
            slots += [list(bits[index * size : (index + 1) * size]) for index in range(count)]
            start += field.num_bits
        return slots

    def _always_required(self, bit: int) -> frozenset[tuple[int, bool]]:
        """What all writers of a bit require of constant bits."""
        conditions = (self.program.templates[t].condition for t in self.program.writers[bit])
        return frozenset.intersection(
            *(frozenset(entry for entry in c if entry[0] in self.constants) for c in conditions)
        )
