"""From statements to templates: keeping, minimising, and refusing what cannot be meant."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.language import checks
from ntkexec.language.cubes import Term
from ntkexec.language.logic import Impossible, Sum, any_of, minimise
from ntkexec.language.places import PHASE, Place
from ntkexec.language.statements import Part, Statements
from ntkexec.program.fields import Field, Flag, OneHot, Table
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import Template, template
from ntkexec.runtime import stages

Labelled = list[tuple[Term, str]]
"""The products of a bit, each with its label."""

# `Any` since a product names its bits by anything hashable; here they are places.
Columns = Mapping[Any, int]
"""The column of every bit of a state, by its place."""


def compile_statements(source: Statements, outputs: frozenset[Place] | None) -> Program:
    """The program: keep templates written, sums minimised, equal conditions joined.

    Args:
        source: the statements.
        outputs: bits that the answer is read from, if only templates that matter are wanted.

    Raises:
        ProgramError: no phase, or statements that cannot be meant; see `checks`.
    """
    if not source.phases:
        raise ProgramError(f"program {source.name!r} has no phase")
    with stages.stage(f"building the program of {source.name}"):
        return _compile(source, outputs)


def _compile(source: Statements, outputs: frozenset[Place] | None) -> Program:
    source = dataclasses.replace(source, assignments=_with_turns(source))
    ring = len(source.phases)
    clock: tuple[Field, ...] = {1: (), 2: (Flag(PHASE),)}.get(ring, (OneHot(PHASE, ring),))
    layout = Layout((*clock, *source.computation), source.messages)
    columns = _columns_by_place(layout)
    impossible = _impossible(layout, columns)
    places = [place for place in columns if place.path != PHASE]
    parts = {place: source.parts(place, impossible) for place in places}
    checks.check_exclusive(source, layout, parts, impossible)
    checks.check_lifetimes(source)
    products = dict(_ring(source)) if ring > 1 else {}
    for place, found in parts.items():
        products[place] = _needed(list(_joined(columns, found)), impossible)
    if outputs is not None:
        wanted = outputs | ({Place(source.halt)} if source.halt else set())
        products = _that_matter(products, wanted)
    templates = _templates(columns, products)
    return Program(source.name, layout, templates, source.round_length, source.halt)


def _with_turns(source: Statements) -> Mapping[Place, list[Any]]:
    found = {place: list(statements) for place, statements in source.assignments.items()}
    for place, assignment in source.turns():
        found.setdefault(place, []).append(assignment)
    return found


def _ring(source: Statements) -> Iterator[tuple[Place, Labelled]]:
    """The clock: every phase leads to the next, the last of a repeated block also back."""
    found: dict[int, Labelled] = {}
    for index, name in enumerate(source.phases):
        for target, condition in source.successors(index).items():
            function = source.in_phase(index) & condition
            found.setdefault(target, []).extend(
                (term, f"after {name}") for term in sorted(function.terms, key=_by_name)
            )
    # In the order of the phases before them: the second phase comes first.
    if len(source.phases) == 2:
        yield Place(PHASE), found[1]
        return
    for target in sorted(found, key=lambda phase: (phase - 1) % len(source.phases)):
        yield Place(PHASE, target), found[target]


def _joined(columns: Columns, parts: list[Part]) -> Iterator[tuple[Term, str]]:
    """The products of a bit over all phases."""

    # Sets of names have another order in every process; programs must not.
    def in_order(function: Sum) -> list[Term]:
        return sorted(function.terms, key=lambda term: sorted(_columns(columns, term)))

    wholes = [part.whole for part in parts]
    joined = minimise(any_of(wholes)) if len(parts) > 1 else any_of(wholes)
    if len(joined.terms) >= sum(len(whole.terms) for whole in wholes):
        for part, whole in zip(parts, wholes, strict=True):
            yield from ((term, part.label) for term in in_order(whole))
        return
    # Fewer products serve several phases at once; each names all that it serves.
    for term in sorted(joined.terms, key=_by_name):
        product = Sum(frozenset([term]))
        pairs = zip(parts, wholes, strict=True)
        labels = (part.label for part, whole in pairs if (whole & product).terms)
        yield term, "; ".join(labels)


def _needed(products: Labelled, impossible: Impossible) -> Labelled:
    """Without products that hold in valid states only where another one holds.

    What `minimise` cannot see: where one value of a choice is set the others are not.
    """
    filed = _filed([term for term, _ in products])
    left = {term for term, _ in products}
    kept: Labelled = []
    for term, label in products:
        candidates = (other for entry in (None, *term) for other in filed.get(entry, ()))
        if any(
            other is not term and other in left and _implies(term, other, impossible)
            for other in candidates
        ):
            left.remove(term)
        else:
            kept.append((term, label))
    return kept


def _filed(terms: Sequence[Term]) -> dict[tuple[Any, bool] | None, list[Term]]:
    """Every term under its rarest positive literal, which what implies it has too; None for none."""
    frequency = Counter(entry for term in terms for entry in term if entry[1])
    found: dict[tuple[Any, bool] | None, list[Term]] = {}
    for term in terms:
        positive = [entry for entry in term if entry[1]]
        rarest = min(positive, key=frequency.__getitem__) if positive else None
        found.setdefault(rarest, []).append(term)
    return found


def _implies(term: Term, other: Term, impossible: Impossible) -> bool:
    return all(not value and impossible(term | {(bit, True)}) for bit, value in other - term)


def _that_matter(
    products: Mapping[Place, Labelled], wanted: frozenset[Place] | set[Place]
) -> dict[Place, Labelled]:
    """Without the products of bits that nothing wanted depends on, now or later."""
    needed, todo = set(wanted), list(wanted)
    while todo:
        for term, _ in products.get(todo.pop(), ()):
            for place, _ in term:
                if place not in needed:
                    needed.add(place)  # type: ignore[arg-type]
                    todo.append(place)  # type: ignore[arg-type]
    return {place: found for place, found in products.items() if place in needed}


def _templates(columns: Columns, products: Mapping[Place, Labelled]) -> tuple[Template, ...]:
    """One template for each condition, with all bits that it writes."""
    outputs: dict[Term, list[Place]] = {}
    labels: dict[Term, dict[str, None]] = {}
    for place, found in products.items():
        for term, label in found:
            outputs.setdefault(term, []).append(place)
            labels.setdefault(term, {})[label] = None
    return tuple(
        template(
            _columns(columns, term),
            [columns[place] for place in places],
            "; ".join(labels[term]),
        )
        for term, places in outputs.items()
    )


def _columns_by_place(layout: Layout) -> Columns:
    """The column of every bit of a state, in the order of the fields."""
    columns: dict[Any, int] = {}
    for field in layout.computation + layout.messages:
        if isinstance(field, Table):
            for slot, leaf in itertools.product(range(field.slots), field.fields):
                path = f"{field.name}.{leaf.name}"
                for index, column in enumerate(layout.bits(path, slot=slot)):
                    columns[Place(path, index, slot)] = column
        else:
            for index, column in enumerate(layout.bits(field.name)):
                columns[Place(field.name, index)] = column
    return columns


def _impossible(layout: Layout, columns: Columns) -> Impossible:
    """Whether a product breaks an invariant of the layout: a one-hot field, occupied slots."""
    broken_by = layout.invariants.broken_by

    def impossible(term: Term) -> bool:
        ones = (columns[place] for place, value in term if value and place in columns)
        return broken_by(ones) is not None

    return impossible


def _columns(columns: Columns, term: Term) -> list[tuple[int, bool]]:
    return [(columns[place], value) for place, value in term]


def _by_name(term: Term) -> list[str]:
    return sorted(map(repr, term))
