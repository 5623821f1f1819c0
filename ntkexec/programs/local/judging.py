"""What an execution of a LOCAL algorithm is judged by: its answer, and the one that it must have."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np

from ntkexec.errors import GraphError, ProgramError
from ntkexec.graphs import Graph
from ntkexec.program.fields import INVALID
from ntkexec.programs import inputs as common
from ntkexec.programs.instance import Answer
from ntkexec.programs.local.algorithm import Local, Node
from ntkexec.programs.local.simulation import nodes_of, simulate

Inputs = Sequence[Any] | None
"""The input of every node, by index; None if there are none."""

Reference = Callable[[nx.Graph, Any, int], Mapping[int, Mapping[str, int]]]

Format = Callable[[int, Graph], object]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A LOCAL algorithm on a graph for so many rounds, whatever carries it out.

    Args:
        algorithm: what the nodes do.
        graph: where; undirected.
        rounds: T.
        inputs: of every node.
        reference: see `Family`.
        formats: see `Family`.

    Raises:
        GraphError: a directed graph.
        ProgramError: no number of rounds.
    """

    algorithm: Local
    graph: Graph
    rounds: int
    inputs: Inputs = None
    reference: Reference | None = None
    formats: Mapping[str, Format] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.algorithm.name
        if self.graph.directed:
            raise GraphError(f"{name} runs on undirected graphs; {self.graph.label!r} is directed")
        if self.rounds < 0:
            raise ProgramError(
                f"{name}: the number of rounds cannot be negative, got {self.rounds}"
            )

    @functools.cached_property
    def nodes(self) -> list[Node]:
        """What every node knows at the start."""
        return nodes_of(self.graph, self.inputs)

    def simulated(self) -> Answer:
        """The answer by the algorithm's own functions.

        Raises:
            ProgramError: see `simulate`.
        """
        rounds, inputs = self.rounds, self.inputs
        states = simulate(self.algorithm, self.graph, rounds=rounds, inputs=inputs)
        return outputs(self.algorithm, self.nodes, states)

    def expected(self) -> Answer:
        """The answer that there must be, by the reference if there is one."""
        if self.reference is None:
            return self.simulated()
        return _by_graph(self.reference, self.graph, self.inputs, self.rounds)

    def answer(self, read: Callable[[int], Any]) -> Answer:
        """The answer that was found.

        Args:
            read: `read(index)`, the state of a node; raises where it is of no value.

        Raises:
            ProgramError: the algorithm itself is to blame; `INVALID` stands for what a wrong run is.
        """
        rows: list[Mapping[str, int] | None] = []
        for index, node in enumerate(self.nodes):
            try:
                state = read(index)
                self.algorithm.check_halted(node, state, self.rounds)
                rows.append(self.algorithm.output(state, node))
            except (ProgramError, LookupError):
                rows.append(None)
        if None in rows:
            nothing = dict.fromkeys(self.simulated(), INVALID)
            return _columns([nothing if row is None else row for row in rows])
        return _columns([row for row in rows if row is not None])

    def shown(self) -> dict[str, Callable[[int], object]]:
        """By field, how to show a value on this graph."""
        return {
            field: functools.partial(_format, show, self.graph)
            for field, show in self.formats.items()
        }


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


def _format(show: Format, graph: Graph, value: int) -> object:
    return show(value, graph)
