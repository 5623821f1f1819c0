"""What a program can hardly mean: two values of a choice at once, a value lost before it is read."""

import itertools
from collections.abc import Mapping, Sequence

from ntkexec.errors import ProgramError
from ntkexec.language.cubes import Term
from ntkexec.language.logic import FALSE, Impossible, Sum, literal
from ntkexec.language.places import Place
from ntkexec.language.statements import ALWAYS, Part, Statements, in_words
from ntkexec.program.fields import OneHot
from ntkexec.program.layout import Layout


def check_exclusive(
    source: Statements,
    layout: Layout,
    parts: Mapping[Place, Sequence[Part]],
    impossible: Impossible,
) -> None:
    """Raises ProgramError where a step can set two bits of a choice, from some valid state.

    A state is valid if it keeps the layout's invariants. They only forbid ones, so a product of
    literals that does not break them by itself is true in the valid state in which all other bits
    are 0: the check is exact. What it does not know is which valid states occur.
    """
    rows: dict[tuple[str, int | None], list[Place]] = {}
    for place in parts:
        if isinstance(layout.leaves[place.path], OneHot) and place.path not in source.exclusive:
            rows.setdefault((place.path, place.slot), []).append(place)
    for row in rows.values():
        if source.assignments.keys().isdisjoint(row):
            continue
        written = {place: {one.phase: one for one in parts[place]} for place in row}
        for phase in sorted({phase for found in written.values() for phase in found}):
            for one, other in itertools.combinations(row, 2):
                both = _both(
                    _in_phase(source, one, written[one], phase),
                    _in_phase(source, other, written[other], phase),
                    impossible,
                )
                if both:
                    labels = (f[phase].label for f in (written[one], written[other]) if phase in f)
                    lines = "; ".join(dict.fromkeys(labels))
                    raise ProgramError(
                        f"{source.name}: {lines} can set {one} and {other} together, when "
                        f"{in_words(both)}. Assign the whole choice, or declare it with "
                        "exclusive=True if this never happens"
                    )


def _in_phase(source: Statements, place: Place, found: Mapping[int, Part], phase: int) -> Sum:
    part = found.get(phase, found.get(ALWAYS))
    if part is not None:
        return part.function
    return FALSE if place.path in source.temporary else literal(place)


def _both(one: Sum, other: Sum, impossible: Impossible) -> frozenset[Term]:
    """Products that are true in some valid state, and in which both functions are."""
    pairs = (a | b for a, b in itertools.product(one.terms, other.terms))
    return frozenset(
        term
        for term in pairs
        if len({bit for bit, _ in term}) == len(term) and not impossible(term)
    )


def check_lifetimes(source: Statements) -> None:
    """Raises ProgramError where a temporary field or a message is read, but at the wrong time.

    What is written in a phase is there in the phase after it, and in no other. A field that no
    statement reads may be there for the answer.
    """
    reads: dict[Place, set[int]] = {}
    for one in itertools.chain.from_iterable(source.assignments.values()):
        for bit in one.guard.bits | one.value.bits:
            if isinstance(bit, Place) and bit.path in source.temporary:
                reads.setdefault(bit, set()).add(one.phase)
    for place, readers in reads.items():
        for one in source.assignments.get(place, ()):
            if ALWAYS in readers or one.phase == ALWAYS:
                continue
            if readers.isdisjoint(source.successors(one.phase)):
                names = ", ".join(repr(source.phases[reader]) for reader in sorted(readers))
                raise ProgramError(
                    f"{source.name}: {one.origin}: {place} lives for one step; what phase "
                    f"{source.phases[one.phase]!r} writes is lost before phase {names} reads it"
                )
