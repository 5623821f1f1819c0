"""Search and compression in turns: what one turn's graphs have in common is a primitive of the next."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from experiments.graphs.symbolic_synthesis.compression import compress
from experiments.graphs.symbolic_synthesis.enumeration import Found, Grammar, enumerate_programs
from experiments.graphs.symbolic_synthesis.language import Graph, Library, Program

PRIOR: Mapping[str, float] = {"func": 0.2, "if_positions_equal": 0.1}
"""Weights before anything was found: both run much for nothing, and Python has not OCaml's speed."""


class Round(NamedTuple):
    """One turn.

    Args:
        found: new graphs, over the library of the turn before.
        kept: programs of all turns, as they were chosen, over `library`.
        graphs: of those.
        library: after this turn's compression.
        before, after: bits of the kept programs and the library around it.
    """

    found: tuple[Found, ...]
    kept: tuple[Program, ...]
    graphs: tuple[Graph, ...]
    library: Library
    before: float
    after: float


Chosen = Callable[[Sequence[Graph]], Sequence[int]]


def synthesise(
    *,
    rounds: int = 5,
    most: int = 24,
    expansions: int = 10_000,
    max_nodes: int = 8,
    max_edges: int = 9,
    choose: Chosen = lambda graphs: range(len(graphs)),
    prior: Mapping[str, float] = PRIOR,
) -> tuple[Round, ...]:
    """Turns of search, choice and compression; nothing in it is random.

    Args:
        rounds: turns.
        most: new graphs of a turn.
        expansions, max_nodes, max_edges: of each search, as for `enumerate_programs`.
        choose: from all graphs so far to the places of those that are kept, such as the half whose networks
            fit their training items best; all unless told.
        prior: weights of symbols, to which occurrences are added after the first turn.

    Source: arXiv:2303.03340, with five turns, 50 graphs and the better half kept.
    """
    turns: list[Round] = []
    programs: tuple[Program, ...] = ()
    graphs: tuple[Graph, ...] = ()
    library: Library = ()
    known: tuple[Graph, ...] = ()
    for _ in range(rounds):
        grammar = Grammar.fitted(programs, library, prior=prior)
        found = enumerate_programs(
            grammar, expansions=expansions, most=most, known=known,
            max_nodes=max_nodes, max_edges=max_edges,
        )  # fmt: skip
        known += tuple(each.graph for each in found)
        programs += tuple(each.program for each in found)
        graphs += tuple(each.graph for each in found)
        places = list(choose(graphs))
        programs, graphs = (tuple(kind[i] for i in places) for kind in (programs, graphs))
        made = compress(programs, library)
        programs, library = made.programs, made.library
        turns.append(Round(tuple(found), programs, graphs, library, made.before, made.after))
    return tuple(turns)
