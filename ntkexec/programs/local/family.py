"""LOCAL algorithms for graphs of every degree and size, as the rest of the library runs them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
from jaxtyping import Bool

from ntkexec.errors import GraphError, ProgramError, shown
from ntkexec.graphs import Graph
from ntkexec.program import limits
from ntkexec.program.fields import INVALID
from ntkexec.program.program import Program
from ntkexec.programs import inputs as common
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.local.algorithm import Local, Node
from ntkexec.programs.local.compiler import Compiled, compile, least_literals
from ntkexec.programs.local.simulation import nodes_of, simulate

Inputs = Sequence[Any] | None
"""The input of every node, by index; None if there are none."""

Reference = Callable[[nx.Graph, Any, int], Mapping[int, Mapping[str, int]]]


def one_bit(graph: Graph) -> int:
    """The word of an algorithm that has none."""
    return 1


def identifier_bits(graph: Graph) -> int:
    """Bits of the largest identifier of a graph, or of any graph of a batch."""
    return common.bits_for(int(graph.tuple.n_node.max()) - 1)


def num_identifiers(graph: Graph) -> int:
    """Nodes of a graph, or of the largest of a batch."""
    return int(graph.tuple.n_node.max())


@dataclasses.dataclass(frozen=True)
class Family:
    """A LOCAL algorithm for every size.

    Args:
        name: as users write it.
        summary: one line.
        build: `build(degree=, word=)` gives the algorithm.
        rounds: `rounds(graph, inputs)`, T on a graph; None where the algorithm says it itself. If
            `rounds` is one of `inputs`, users can ask for another number.
        word: the least `word` with which it fits a graph; what a word is, `build` says.
        inputs: names of what users can ask.
        node_inputs: `node_inputs(graph, **asked)` gives each node its input.
        reference: `reference(graph, inputs, rounds)`, for one networkx graph whose nodes are the
            identifiers the answer by node and field, obtained in another way; by default the
            algorithm's own functions are carried out.
        formats: by field, `format(value, graph)` shows a value.
        loops: what an edge from a node to itself would mean, where the answer depends on it; a graph
            from which one was dropped is refused then.
        example: see `Algorithm`.
    """

    name: str
    summary: str
    build: Callable[..., Local]
    rounds: Callable[[Graph, Inputs], int] | None
    word: Callable[[Graph], int] = one_bit
    inputs: tuple[str, ...] = ()
    node_inputs: Callable[..., Inputs] | None = None
    reference: Reference | None = None
    formats: Mapping[str, Callable[[int, Graph], object]] = dataclasses.field(default_factory=dict)
    loops: str | None = None
    example: str = "karate"

    def compiled(self, *, degree: int, slots: int, word: int) -> Compiled:
        """The algorithm of these sizes, compiled; once for each."""
        return _compiled(self.name, self.build, degree, slots, word)

    def program(self, *, degree: int, slots: int, word: int) -> Program:
        """Its program."""
        return self.compiled(degree=degree, slots=slots, word=word).program

    def prepare(
        self, graph: Graph, *, sizes: Mapping[str, int] | None = None, **asked: Any
    ) -> Instance:
        """The algorithm on a graph, or on every graph of a batch at once.

        Args:
            graph: where; undirected.
            sizes: sizes of the program, if they are given; by default the least that fit.
            asked: see `inputs`.

        Raises:
            GraphError: a directed graph, an input that does not fit, or a dropped edge from a node to
                itself on which the answer depends.
            ProgramError: the graph does not fit the given sizes, or what `compile` refuses.
        """
        if self.loops is not None and graph.loops is not None:
            node = shown(graph.names[int(graph.loops.nodes[0])])
            raise GraphError(
                f"{self.name} on graph {shown(graph.label)}: node {node} has an edge to itself, "
                f"{self.loops}; it cannot be dropped without another answer"
            )
        others = {name: value for name, value in asked.items() if name != "rounds"}
        given = None if self.node_inputs is None else self.node_inputs(graph, **others)
        needed = {
            "degree": graph.degree,
            "slots": graph.num_colours,
            "word": self.word(graph),
        }
        sizes = common.sizes_for(graph, needed, sizes)
        compiled = self.compiled(**sizes)
        rounds = asked.get("rounds", compiled.algorithm.rounds)
        if rounds is None:
            assert self.rounds is not None, f"{self.name} says nowhere how many rounds it takes"
            rounds = self.rounds(graph, given)
        return instance(
            compiled,
            graph,
            rounds=rounds,
            inputs=given,
            sizes=sizes,
            described=asked,
            reference=self.reference,
            formats=self.formats,
        )

    def algorithm(self) -> Algorithm:
        """The entry for `ntkexec.programs.ALGORITHMS`."""
        sizes = common.degree_only if self.word is one_bit else common.degree_and_word
        return Algorithm(
            name=self.name,
            summary=self.summary,
            sizing=functools.partial(sizes, self.name),
            program=self.program,
            prepare=self.prepare,
            inputs=self.inputs,
            example=self.example,
        )


@functools.lru_cache(maxsize=128)
def _compiled(
    name: str, build: Callable[..., Local], degree: int, slots: int, word: int
) -> Compiled:
    # Before the types are made, which may be as large as the degree and the word.
    limits.check_program(name, _least_literals, degree=degree, slots=slots, word=word)
    return compile(build(degree=degree, word=word), degree=degree, slots=slots)


def _least_literals(*, degree: int, slots: int, word: int) -> int:
    # A word is a bit of every state at least, and has a template that keeps it.
    return least_literals(degree=degree, slots=slots) + 2 * word


def instance(
    compiled: Compiled,
    graph: Graph,
    *,
    rounds: int,
    inputs: Inputs = None,
    sizes: Mapping[str, int] | None = None,
    described: Mapping[str, object] | None = None,
    reference: Reference | None = None,
    formats: Mapping[str, Callable[[int, Graph], object]] | None = None,
) -> Instance:
    """A compiled LOCAL algorithm on a graph, ready to run.

    Args:
        compiled: the algorithm and its program.
        graph: where; undirected.
        rounds: T.
        inputs: of every node.
        sizes: sizes by name, for reports; by default degree and slots.
        described: what was asked, in words, for reports.
        reference: see `Family`.
        formats: see `Family`.

    Raises:
        GraphError: a directed graph.
        ProgramError: the graph has too large a degree or too many colours, or no rounds.
    """
    algorithm = compiled.algorithm
    if graph.directed:
        raise GraphError(f"{algorithm.name} runs on undirected graphs; {graph.label!r} is directed")
    if rounds < 0:
        raise ProgramError(
            f"{algorithm.name}: the number of rounds cannot be negative, got {rounds}"
        )
    common.sizes_for(
        graph,
        {"degree": graph.degree, "slots": graph.num_colours},
        {"degree": compiled.degree, "slots": compiled.slots},
    )
    nodes = nodes_of(graph, inputs)

    def answer(states: Sequence[Any]) -> Answer:
        for node, state in zip(nodes, states, strict=True):
            algorithm.check_halted(node, state, rounds)
        return outputs(algorithm, nodes, states)

    def simulated() -> Answer:
        return answer(simulate(algorithm, graph, rounds=rounds, inputs=inputs))

    def expected() -> Answer:
        if reference is not None:
            return _by_graph(reference, graph, inputs, rounds)
        return simulated()

    def decode(states: Bool[np.ndarray, "n k"]) -> Answer:
        rows: list[Mapping[str, int] | None] = []
        for node, row in zip(nodes, states, strict=True):
            try:
                (state,) = compiled.decode(row[None])
                algorithm.check_halted(node, state, rounds)
                rows.append(algorithm.output(state, node))
            except (ProgramError, LookupError):
                rows.append(None)
        if None in rows:
            # What the algorithm itself is to blame for is an error here; the rest, a wrong run's.
            nothing = dict.fromkeys(simulated(), INVALID)
            return _columns([nothing if row is None else row for row in rows])
        return _columns([row for row in rows if row is not None])

    return Instance(
        sizes=sizes or {"degree": compiled.degree, "slots": compiled.slots},
        program=compiled.program,
        graph=graph,
        initial=compiled.initial(graph, nodes),
        num_steps=rounds * compiled.steps_per_round,
        inputs=described or {},
        decode=decode,
        reference=expected,
        formats={
            field: functools.partial(_format, show, graph)
            for field, show in (formats or {}).items()
        },
    )


def outputs(algorithm: Local, nodes: Sequence[Node], states: Sequence[Any]) -> Answer:
    """The answer of an algorithm, by field."""
    return _columns([algorithm.output(s, node) for node, s in zip(nodes, states, strict=True)])


def _columns(rows: Sequence[Mapping[str, int]]) -> Answer:
    return {field: np.array([row[field] for row in rows]) for field in rows[0]}


def _by_graph(reference: Reference, graph: Graph, inputs: Inputs, rounds: int) -> Answer:
    """The reference's answer, graph by graph."""
    whole = common.index_graph(graph).to_undirected()
    by_node: dict[int, Mapping[str, int]] = {}
    for part in graph.node_ranges():
        one = nx.relabel_nodes(
            whole.subgraph(range(part.start, part.stop)), lambda node, s=part.start: node - s
        )
        found = reference(one, None if inputs is None else inputs[part], rounds)
        by_node |= {node + part.start: row for node, row in found.items()}
    return common.as_columns(by_node)


def _format(show: Callable[[int, Graph], object], graph: Graph, value: int) -> object:
    return show(value, graph)


def as_node(value: int, graph: Graph) -> object:
    """Shows an identifier as the node's name, on a single graph; after a wrong run, one of none."""
    return graph.names[value] if value in range(graph.num_nodes) else f"{value} (no node)"


def as_flag(value: int, graph: Graph) -> object:
    """Shows 0 and 1 as no and yes."""
    return bool(value)
