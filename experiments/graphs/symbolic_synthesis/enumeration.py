"""Programs by description length, the shortest first, without those that do what a shorter one does.

A term is written symbol by symbol from its left while it runs: what is open is a machine's state and
the agenda of what is still to be written. Two beginnings with the same state and agenda go on alike, so
only the shorter is followed; of the branch of a conditional that does not run only the shortest
term is. Both lose no final state and none of its shortest programs' lengths.
"""

import dataclasses
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import networkx as nx

from experiments.graphs.symbolic_synthesis.language import (
    CHANGES,
    PRIMITIVES,
    START,
    Graph,
    Library,
    Program,
    State,
    after_func,
    expanded,
)
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Grammar:
    """What each symbol costs to write, wherever it stands.

    Args:
        costs: in bits, by primitive and abstraction.
        library: the abstractions.
    """

    costs: Mapping[str, float]
    library: Library = ()

    @classmethod
    def weighted(cls, weights: Mapping[str, float], library: Library = ()) -> "Grammar":
        """Costs by how likely symbols are: positive weights, of any sum, 1 where none is given.

        Raises:
            ExperimentError: a weight is not above 0, or of no symbol.
        """
        names = (*PRIMITIVES, *(abstraction.name for abstraction in library))
        if unknown := [name for name in weights if name not in names]:
            raise ExperimentError(
                f"{unknown[0]!r} is no symbol that a weight could be of; there are {', '.join(names)}"
            )
        given = {name: weights.get(name, 1.0) for name in names}
        if not all(weight > 0 for weight in given.values()):
            raise ExperimentError(f"weights of symbols are above 0, not {dict(weights)}")
        total = math.fsum(given.values())
        return cls({name: math.log2(total / weight) for name, weight in given.items()}, library)

    @classmethod
    def uniform(cls, library: Library = ()) -> "Grammar":
        """All symbols cost alike."""
        return cls.weighted({}, library)

    @classmethod
    def fitted(
        cls, programs: Iterable[Program], library: Library = (), *, prior: Mapping[str, float]
    ) -> "Grammar":
        """Costs by how often symbols occur, besides what a prior counts of each (1 unless given)."""
        seen = Counter(term.symbol for program in programs for term in program.subterms())
        names = (*PRIMITIVES, *(abstraction.name for abstraction in library))
        return cls.weighted({name: seen[name] + prior.get(name, 1.0) for name in names}, library)

    @property
    def arities(self) -> dict[str, int]:
        """Arguments of every symbol."""
        return {**PRIMITIVES, **{each.name: each.arity for each in self.library}}

    def bits(self, program: Program) -> float:
        """Description length of a program."""
        return math.fsum(self.costs[term.symbol] for term in program.subterms())


class Found(NamedTuple):
    """A program that the search came by.

    Args:
        program: over the grammar's symbols.
        bits: its description length.
        state: in which it ends.
    """

    program: Program
    bits: float
    state: State

    @property
    def graph(self) -> Graph:
        return self.state.graph


class _Then(NamedTuple):
    """What happens when the term before it on the agenda is written: `kind` says which of the four."""

    kind: str
    state: Any = None
    terms: tuple[Program, ...] = ()
    cursor: int = 0


_HOLE = Program("?")


def programs_by_length(
    grammar: Grammar,
    *,
    expansions: int,
    max_nodes: int = 8,
    max_edges: int = 12,
    open_terms: int = 8,
) -> Iterator[Found]:
    """For every final state a shortest program, in non-decreasing order of description length.

    Args:
        grammar: symbols and their costs.
        expansions: beginnings of programs that are looked at before the search ends.
        max_nodes, max_edges: beginnings that draw more are dropped.
        open_terms: likewise those with more left open.

    Raises:
        ExperimentError: names an abstraction whose holes are not each used once, from left to right.
    """  # fmt: skip
    library = grammar.library
    bodies = {each.name: _with_holes(expanded(each.body, library), each.arity) for each in library}
    arities = grammar.arities
    shortest = min((n for n in arities if arities[n] == 0), key=lambda name: grammar.costs[name])
    counter = itertools.count()
    queue: list[tuple[float, int, State, tuple[Any, ...], Any]] = [
        (0.0, next(counter), START, (_HOLE,), None)
    ]
    done: set[tuple[State, tuple[Any, ...]]] = set()
    while queue and expansions > 0:
        cost, _, state, agenda, written = heapq.heappop(queue)
        if (state, agenda) in done:
            continue
        done.add((state, agenda))
        expansions -= 1
        if not agenda:
            yield Found(_unwritten(written, arities), cost, state)
            continue
        # The agenda begins with a hole, in a branch that runs or in one that does not.
        head, *rest = agenda
        for name in (shortest,) if isinstance(head, _Then) else arities:
            term = bodies.get(name) or Program(name, (_HOLE,) * arities[name])
            written_here = () if isinstance(head, _Then) else (term,)
            after = _advanced(state, (*written_here, *rest))
            if len(after[1]) <= open_terms and _fits(after[0].graph, max_nodes, max_edges):
                total = cost + grammar.costs[name]
                if after not in done:
                    heapq.heappush(queue, (total, next(counter), *after, (name, written)))


def enumerate_programs(
    grammar: Grammar,
    *,
    expansions: int,
    most: int | None = None,
    known: Iterable[Graph] = (),
    max_nodes: int = 8,
    max_edges: int = 12,
) -> list[Found]:
    """The shortest program of every graph that is new: connected, more than one node, up to isomorphism.

    Args:
        grammar: symbols and their costs.
        expansions, max_nodes, max_edges: as for `programs_by_length`.
        most: graphs that are found before the search ends.
        known: graphs that are not new.

    Source: arXiv:2303.03340; its search ends after 15 seconds instead of a number of expansions.
    """
    seen: dict[tuple[int, ...], list[nx.Graph]] = {}
    for graph in known:
        _is_new(graph, seen)
    found: list[Found] = []
    limits = {"max_nodes": max_nodes, "max_edges": max_edges}
    for each in programs_by_length(grammar, expansions=expansions, **limits):
        accepted = len(each.graph.nodes) > 1 and not each.state.dangling
        if accepted and _is_new(each.graph, seen):
            found.append(each)
            if most is not None and len(found) >= most:
                break
    return found


def _is_new(graph: Graph, seen: dict[tuple[int, ...], list[nx.Graph]]) -> bool:
    drawn = graph.to_networkx()
    alike = seen.setdefault(tuple(sorted(degree for _, degree in drawn.degree)), [])
    new = not any(nx.is_isomorphic(drawn, other) for other in alike)
    if new:
        alike.append(drawn)
    return new


def _fits(graph: Graph, max_nodes: int, max_edges: int) -> bool:
    return len(graph.nodes) <= max_nodes and len(graph.edges) <= max_edges


def _advanced(state: State, agenda: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
    """Runs what is written, up to the next hole or the end."""
    while agenda:
        head, rest = agenda[0], agenda[1:]
        if isinstance(head, _Then):
            if head.kind == "func":
                state, agenda = after_func(head.state, state), rest
            elif head.kind == "one":
                then = _Then("other", head.state, head.terms[1:], state.cursor)
                state, agenda = head.state, (head.terms[0], then, *rest)
            elif head.kind == "other":
                same, (then_term, else_term, last) = state.cursor == head.cursor, head.terms
                # In the order in which they are written.
                live, dead = (then_term, else_term) if same else (else_term, then_term)
                written = (live, *_dead(dead)) if same else (*_dead(dead), live)
                state, agenda = head.state, (*written, last, *rest)
            else:
                return state, agenda
        elif head.symbol == "?":
            return state, agenda
        elif head.symbol == "identity":
            agenda = rest
        elif head.symbol in CHANGES:
            state, agenda = CHANGES[head.symbol](state), (head.arguments[0], *rest)
        elif head.symbol == "func":
            body, after = head.arguments
            agenda = (body, _Then("func", state), after, *rest)
        else:
            one, *others = head.arguments
            agenda = (one, _Then("one", state, tuple(others)), *rest)
    return state, agenda


def _dead(term: Program) -> tuple[_Then, ...]:
    """A hole that is filled without running, for each that the term has."""
    return tuple(_Then("dead") for each in term.subterms() if each.symbol == "?")


def _with_holes(body: Program, arity: int) -> Program:
    holes = [term.symbol for term in body.subterms() if term.symbol.startswith("$")]
    if holes != [f"${i}" for i in range(arity)]:
        raise ExperimentError(
            f"the abstraction {body} of {arity} arguments must use each once, from left to right"
        )

    def inner(term: Program) -> Program:
        if term.symbol.startswith("$"):
            return _HOLE
        return Program(term.symbol, tuple(map(inner, term.arguments)))

    return inner(body)


def _unwritten(written: Any, arities: Mapping[str, int]) -> Program:
    """The term whose symbols were written from left to right, the last one outermost in the list."""
    terms: list[Program] = []
    while written is not None:
        name, written = written
        arguments = tuple(terms.pop() for _ in range(arities[name]))
        terms.append(Program(name, arguments))
    return terms[0]
