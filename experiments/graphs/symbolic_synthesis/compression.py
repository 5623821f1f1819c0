"""New primitives out of what programs have in common, accepted only where they save bits.

A candidate is the anti-unification of two subterms that occur: what they share, with a hole wherever
they part. Holes are never shared, so each is used once and they come from left to right, which is what
lets the search write a call of one symbol by symbol.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from experiments.graphs.symbolic_synthesis.enumeration import Grammar
from experiments.graphs.symbolic_synthesis.language import Abstraction, Library, Program


class Compressed(NamedTuple):
    """Programs over a larger library.

    Args:
        library: with new abstractions at its end.
        programs: the same programs, rewritten.
        before, after: bits of all programs and of the library's bodies, each symbol as long as the
            logarithm of their number.
    """

    library: Library
    programs: tuple[Program, ...]
    before: float
    after: float


def compress(
    programs: Sequence[Program],
    library: Library = (),
    *,
    rounds: int = 3,
    candidates: int = 20,
    max_holes: int = 2,
) -> Compressed:
    """The programs rewritten with up to `rounds` new abstractions, each the best of its round.

    Args:
        programs: over the library's symbols.
        library: abstractions that are there already.
        rounds: new abstractions at most; fewer where none saves anything.
        candidates: that are tried in earnest each round, by an upper bound of what each saves.
        max_holes: of an abstraction.

    Source: the role of stitch (arXiv:2211.16605) in arXiv:2303.03340, by exhaustive anti-unification of
        pairs instead of its branch and bound; a hole is not used twice.
    """
    current = tuple(programs)
    before = total = description_length(current, library)
    for _ in range(rounds):
        name = f"f{len(library)}"
        tried = [
            (*library, Abstraction(name, body.size - _fixed(body), body))
            for body in _candidates(current, candidates, max_holes)
        ]
        options = []
        for new in tried:
            rewritten = tuple(rewrite(program, new[-1]) for program in current)
            options.append((description_length(rewritten, new), new, rewritten))
        if not options:
            break
        best = min(options, key=lambda option: option[0])
        if best[0] >= total:
            break
        total, library, current = best
    return Compressed(library, current, before, total)


def description_length(programs: Sequence[Program], library: Library = ()) -> float:
    """Bits of programs and of the library's bodies where all symbols cost alike, and holes nothing."""
    cost = Grammar.uniform(library).costs["identity"]
    bodies = [abstraction.body for abstraction in library]
    return cost * sum(_fixed(program) for program in (*programs, *bodies))


def rewrite(program: Program, abstraction: Abstraction) -> Program:
    """The program with the fewest symbols among those that the abstraction's calls make of it."""
    done: dict[Program, Program] = {}

    def inner(term: Program) -> Program:
        if term not in done:
            best = Program(term.symbol, tuple(map(inner, term.arguments)))
            filling: list[Program] = []
            if _matched(abstraction.body, term, filling):
                called = Program(abstraction.name, tuple(map(inner, filling)))
                best = min(called, best, key=lambda each: each.size)
            done[term] = best
        return done[term]

    return inner(program)


def _is_hole(term: Program) -> bool:
    return term.symbol.startswith("$")


def _fixed(term: Program) -> int:
    """Symbols that are no holes."""
    return sum(not _is_hole(each) for each in term.subterms())


def _matched(pattern: Program, term: Program, filling: list[Program]) -> bool:
    """Whether the term is the pattern; what fills its holes is appended from left to right."""
    if _is_hole(pattern):
        filling.append(term)
        return True
    return pattern.symbol == term.symbol and all(
        _matched(inner, part, filling)
        for inner, part in zip(pattern.arguments, term.arguments, strict=True)
    )


def _candidates(programs: Sequence[Program], most: int, max_holes: int) -> list[Program]:
    occurrences = Counter(term for program in programs for term in program.subterms())
    by_symbol: dict[str, list[Program]] = {}
    for term in occurrences:
        by_symbol.setdefault(term.symbol, []).append(term)
    bodies: set[Program] = set()
    for terms in by_symbol.values():
        for one, other in itertools.combinations_with_replacement(terms, 2):
            body = _numbered(_shared(one, other))
            if body.size - _fixed(body) <= max_holes and _fixed(body) > 1:
                bodies.add(body)

    def saved(body: Program) -> int:
        # Calls may overlap, so this is more than what is saved in the end.
        uses = sum(count for term, count in occurrences.items() if _matched(body, term, []))
        return uses * (_fixed(body) - 1) - _fixed(body)

    # By text where they save alike, since sets have no order.
    return sorted(bodies, key=lambda body: (-saved(body), str(body)))[:most]


def _shared(one: Program, other: Program) -> Program:
    if one.symbol != other.symbol:
        return Program("$")
    parts = zip(one.arguments, other.arguments, strict=True)
    return Program(one.symbol, tuple(itertools.starmap(_shared, parts)))


def _numbered(body: Program) -> Program:
    numbers = itertools.count()

    def inner(term: Program) -> Program:
        if _is_hole(term):
            return Program(f"${next(numbers)}")
        return Program(term.symbol, tuple(map(inner, term.arguments)))

    return inner(body)
