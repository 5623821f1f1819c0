"""Sizes of all studies, and those of programs: random ones, their search by length, their compression."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import TypedDict

import networkx as nx
import numpy as np

from experiments.graphs.symbolic_synthesis.enumeration import Grammar, programs_by_length
from experiments.graphs.symbolic_synthesis.language import (
    PRIMITIVES,
    Abstraction,
    Graph,
    Program,
    State,
    graph_of_program,
    interpret,
)
from experiments.graphs.symbolic_synthesis.rounds import PRIOR, Round, synthesise
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Trial

# So that random programs end, and some of them draw.
ODDS = {
    "identity": 0.5,
    "push": 2.0,
    "add": 2.0,
    "connect": 2.0,
    "next_port": 2.0,
    "func": 0.5,
    "if_positions_equal": 0.2,
}
LARGEST = (8, 9)
"""Nodes and edges of a graph at most."""


@dataclasses.dataclass(frozen=True)
class SymbolicSynthesisConfig:
    """Sizes of all studies, for each seed.

    Args:
        programs: random ones that are run.
        expansions, turns: of the search.
        graphs: of the population, and as many random ones.
        runs: of each graph, with seeds of their own; as many runs without a graph in all.
        items: matrices to train on; the paper's 128.
        tests: matrices to test with; the paper's 1,200.
        epochs: the paper has 16, after which few of ours with graphs have begun to learn.
        batch: the paper's 8.
        together: networks in one call of the compiled program.
    """

    programs: int = 10_000
    expansions: int = 10_000
    turns: int = 4
    graphs: int = 6
    runs: int = 3
    items: int = 128
    tests: int = 512
    epochs: int = 32
    batch: int = 8
    together: int = 9

    def __post_init__(self) -> None:
        check_types(self)
        require(self, programs=self.programs > 0, expansions=self.expansions >= 6000)
        require(self, turns=self.turns > 2, graphs=self.graphs > 1, runs=self.runs > 1)
        require(self, batch=self.batch > 0, items=self.items >= self.batch, tests=self.tests > 0)
        require(self, epochs=self.epochs > 0, together=self.together > 0)


class ProgramsResult(TypedDict):
    """Counted: states against the rules, drawings not connected, and how many were drawn on."""

    violations: int
    unconnected: int
    accepted: int
    most_nodes: int
    most_edges: int


def programs(config: SymbolicSynthesisConfig, trial: Trial) -> ProgramsResult:
    """Random programs: what the final states break, as networkx sees it."""
    found = {"violations": 0, "unconnected": 0, "accepted": 0, "most_nodes": 0, "most_edges": 0}
    generator = trial.generator
    for _ in range(config.programs):
        program = random_program(generator)
        state = interpret(program)
        graph = state.graph
        found["violations"] += _breaks_rules(state)
        found["unconnected"] += not nx.is_connected(graph.to_networkx())
        accepted = graph_of_program(program)
        if accepted is not None:
            found["violations"] += not nx.is_connected(accepted.to_networkx())
            found["accepted"] += 1
        found["most_nodes"] = max(found["most_nodes"], len(graph.nodes))
        found["most_edges"] = max(found["most_edges"], len(graph.edges))
    edge = interpret(Program.parse("push(add(connect(identity)))")).graph
    found["violations"] += edge != Graph((0, 1), ((2, 1, 0, 0),))
    return ProgramsResult(**found)  # type: ignore[typeddict-item] # spelt out above


def random_program(generator: np.random.Generator, *, most: int = 100) -> Program:
    """A program symbol by symbol by `ODDS`; once there are `most`, every argument is `identity`."""
    names = list(PRIMITIVES)
    odds = np.array([ODDS.get(name, 1.0) for name in names])
    drawn = iter(generator.choice(len(names), most, p=odds / odds.sum()))

    def term() -> Program:
        name = names[next(drawn, 0)]
        return Program(name, tuple(term() for _ in range(PRIMITIVES[name])))

    return term()


def _breaks_rules(state: State) -> bool:
    graph = state.graph
    ids = [*graph.nodes, *(edge[0] for edge in graph.edges)]
    taken = [(node, port) for _, u, v, port in graph.edges for node in (u, v)]
    parts = list(nx.connected_components(graph.to_networkx()))
    ends = [
        (node, other, port) for _, *pair, port in graph.edges for node, other in (pair, pair[::-1])
    ]
    return not (
        sorted(ids) == list(range(len(ids)))
        and len(set(taken)) == len(taken)
        and all(u != v and {u, v} <= set(graph.nodes) for _, u, v, _ in graph.edges)
        and all(State(graph, node, port).across == other for node, other, port in ends)
        and (len(parts) == 1 or (len(parts) == 2 and {state.cursor} in parts))
    )


class SearchResult(TypedDict):
    """Counted of the search: steps down in length, isomorphic pairs; of compression: graphs that changed.

    `by_turn` has new graphs, bits before and after compression, abstractions.
    """

    steps_down: int
    alike: int
    alike_without: int
    changed: int
    changed_without: int
    lengthened: int
    by_turn: list[list[float]]


def search(config: SymbolicSynthesisConfig, trial: Trial) -> SearchResult:
    """The search's order and its graphs, and what compression does to programs; nothing here is drawn."""
    turns = turns_of(config)
    down = sum(a.bits > b.bits + 1e-9 for turn in turns for a, b in itertools.pairwise(turn.found))
    last = turns[-1]
    plain = itertools.islice(
        programs_by_length(Grammar.weighted(PRIOR), expansions=config.expansions), 200
    )
    # As it would be without comparing graphs: programs that end in different states.
    drawn = [each.graph for each in plain if len(each.graph.nodes) > 1 and not each.state.dangling]
    return {
        "steps_down": down,
        "alike": _isomorphic_pairs(last.graphs),
        "alike_without": _isomorphic_pairs(drawn),
        "changed": sum(_changed(turn, turn.library) for turn in turns),
        # Abstractions that stand for their arguments alone.
        "changed_without": sum(_changed(turn, _emptied(turn)) for turn in turns),
        "lengthened": sum(turn.after > turn.before for turn in turns),
        "by_turn": [
            [len(turn.found), turn.before, turn.after, len(turn.library)] for turn in turns
        ],
    }


@functools.cache
def turns_of(config: SymbolicSynthesisConfig) -> tuple[Round, ...]:
    """The turns of the search, which no seed changes."""
    return synthesise(
        rounds=config.turns,
        expansions=config.expansions,
        max_nodes=LARGEST[0],
        max_edges=LARGEST[1],
    )


def _isomorphic_pairs(graphs: Sequence[Graph]) -> int:
    drawn = [graph.to_networkx() for graph in graphs]
    return sum(nx.is_isomorphic(one, other) for one, other in itertools.combinations(drawn, 2))


def _changed(turn: Round, library: tuple[Abstraction, ...]) -> int:
    drawn = [graph_of_program(program, library=library) for program in turn.kept]
    return sum(
        graph is None or not nx.is_isomorphic(graph.to_networkx(), kept.to_networkx())
        for graph, kept in zip(drawn, turn.graphs, strict=True)
    )


def _emptied(turn: Round) -> tuple[Abstraction, ...]:
    return tuple(
        dataclasses.replace(each, body=Program("$0" if each.arity else "identity"))
        for each in turn.library
    )
