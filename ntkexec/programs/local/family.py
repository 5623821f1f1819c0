"""LOCAL algorithms for graphs of every degree and size, as the rest of the library runs them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import GraphError, ProgramError, shown
from ntkexec.graphs import Graph
from ntkexec.graphs.splitting import SplitGraph
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.programs import inputs as common
from ntkexec.programs import splits
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.local.algorithm import Local
from ntkexec.programs.local.compiler import (
    Compiled,
    compile,
    least_literals,
    literals_of,
    steps_counted,
)
from ntkexec.programs.local.judging import Asked, Inputs, Reference
from ntkexec.programs.local.split_instances import split_instance
from ntkexec.programs.local.split_rounds import (
    SplitCompiled,
    bits_of_depth,
    compile_split,
    least_split_literals,
)
from ntkexec.programs.local.split_simulation import SEES_PORTS


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
class Gathered:
    """The form of a family that runs on split graphs.

    Args:
        build: `build(word=)` gives an algorithm whose only stage is a `Gather`, for any degree.
        word: the least `word` with which it fits an original graph; what a word is, `build` says.
    """

    build: Callable[..., Local]
    word: Callable[[Graph], int] = one_bit

    def compiled(self, *, degree: int, slots: int, word: int, depth_bits: int) -> SplitCompiled:
        """The algorithm of these sizes, compiled; once for each."""
        return _compiled_split(self.build, degree, slots, word, depth_bits)

    def program(self, **sizes: int) -> Program:
        """Its program."""
        return self.compiled(**sizes).program


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
        gathered: the form that runs on split graphs, if there is one.
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
    gathered: Gathered | None = None

    def compiled(self, *, degree: int, slots: int, word: int) -> Compiled:
        """The algorithm of these sizes, compiled; once for each."""
        return _compiled(self.name, self.build, degree, slots, word)

    def program(
        self, *, degree: int, slots: int, word: int, depth_bits: int | None = None
    ) -> Program:
        """Its program; with `depth_bits`, which counts hops, the one for split graphs.

        Raises:
            ProgramError: what `compile` refuses; or the family has no form for split graphs.
        """
        if depth_bits is None:
            return self.compiled(degree=degree, slots=slots, word=word).program
        return self.split_form().program(
            degree=degree, slots=slots, word=word, depth_bits=depth_bits
        )

    def prepare(
        self, graph: Graph, *, sizes: Mapping[str, int] | None = None, **asked: Any
    ) -> Instance:
        """The algorithm on a graph, or on every graph of a batch at once.

        Args:
            graph: where; undirected.
            sizes: sizes of the program, if they are given; by default the least that fit. With
                `depth_bits` the graph is split.
            asked: see `inputs`.

        Raises:
            GraphError: a directed graph, an input that does not fit, or a dropped edge from a node to
                itself on which the answer depends.
            ProgramError: the graph does not fit the given sizes, or what `compile` refuses.
        """
        if sizes and "depth_bits" in sizes:
            return splits.split_first(self.split, graph, sizes=sizes, **asked)
        given = self._given(graph, asked)
        needed = {
            "degree": graph.degree,
            "slots": graph.num_colours,
            "word": self.word(graph),
        }
        sizes = common.sizes_for(graph, needed, sizes)
        compiled = self.compiled(**sizes)
        return instance(
            compiled,
            graph,
            rounds=self._rounds(compiled.algorithm, graph, given, asked),
            inputs=given,
            sizes=sizes,
            described=asked,
            reference=self.reference,
            formats=self.formats,
        )

    def split(
        self, split: SplitGraph, *, sizes: Mapping[str, int] | None = None, **asked: Any
    ) -> Instance:
        """The algorithm on a graph that is split, or on every graph of a batch at once.

        Args:
            split: where; the answer is for the original graph.
            sizes: sizes of the program, if they are given; by default the least that fit.
            asked: see `inputs`.

        Raises:
            GraphError, ProgramError: see `prepare`; or the family has no form for split graphs.
        """
        form, graph = self.split_form(), split.original
        given = self._given(graph, asked)
        needed = {
            "degree": split.graph.degree,
            "slots": split.graph.num_colours,
            "word": form.word(graph),
            "depth_bits": bits_of_depth(split),
        }
        sizes = common.sizes_for(graph, needed, sizes)
        compiled = form.compiled(**sizes)
        return split_instance(
            compiled,
            split,
            rounds=self._rounds(compiled.algorithm, graph, given, asked),
            inputs=given,
            sizes=sizes,
            described=asked,
            reference=self.reference,
            formats=self.formats,
        )

    def split_form(self) -> Gathered:
        """The form that runs on split graphs.

        Raises:
            ProgramError: there is none.
        """
        if self.gathered is None:
            raise ProgramError(f"{self.name} does not run on split graphs: {SEES_PORTS}")
        return self.gathered

    def _given(self, graph: Graph, asked: Mapping[str, Any]) -> Inputs:
        """The input of every node."""
        if self.loops is not None and graph.loops is not None:
            node = shown(graph.names[int(graph.loops.nodes[0])])
            raise GraphError(
                f"{self.name} on graph {shown(graph.label)}: node {node} has an edge to itself, "
                f"{self.loops}; it cannot be dropped without another answer"
            )
        others = {name: value for name, value in asked.items() if name != "rounds"}
        return None if self.node_inputs is None else self.node_inputs(graph, **others)

    def _rounds(
        self, algorithm: Local, graph: Graph, given: Inputs, asked: Mapping[str, Any]
    ) -> int:
        rounds: int | None = asked.get("rounds", algorithm.rounds)
        if rounds is None:
            assert self.rounds is not None, f"{self.name} says nowhere how many rounds it takes"
            rounds = self.rounds(graph, given)
        return rounds

    def work(self, graph: Graph, **asked: Any) -> Work:
        """About what a run on a graph does, of which nothing is built; arguments as for `prepare`.

        Its literals are at least those that carry messages; steps are as `steps_counted` says.
        """
        word, sizes = self.word(graph), {"degree": graph.degree, "slots": graph.num_colours}
        algorithm = self.build(degree=graph.degree, word=word)
        rounds = self._rounds(algorithm, graph, self._given(graph, asked), asked)
        literals = max(literals_of(algorithm, **sizes), _least_literals(**sizes, word=word))
        return Work(literals, graph.num_nodes, rounds * steps_counted(algorithm, graph.degree))

    def algorithm(self) -> Algorithm:
        """The entry for `ntkexec.programs.ALGORITHMS`."""
        sizes = common.degree_only if self.word is one_bit else common.degree_and_word
        found = Algorithm(
            name=self.name,
            summary=self.summary,
            sizing=functools.partial(sizes, self.name),
            program=self.program,
            prepare=self.prepare,
            inputs=self.inputs,
            example=self.example,
            whole_because=SEES_PORTS,
        )
        if self.gathered is None:
            return found
        words = common.degree_only if self.gathered.word is one_bit else common.degree_and_word
        sizing = functools.partial(splits.with_depth, functools.partial(words, self.name))
        there = dataclasses.replace(found, sizing=sizing, own_sizes=splits.OWN_SIZES)
        return dataclasses.replace(found, split=self.split, sized_on_split=there, work=self.work)


@functools.lru_cache(maxsize=128)
def _compiled(
    name: str, build: Callable[..., Local], degree: int, slots: int, word: int
) -> Compiled:
    # Before the types are made, which may be as large as the degree and the word.
    limits.check_program(name, _least_literals, degree=degree, slots=slots, word=word)
    return compile(build(degree=degree, word=word), degree=degree, slots=slots)


@functools.lru_cache(maxsize=128)
def _compiled_split(
    build: Callable[..., Local], degree: int, slots: int, word: int, depth_bits: int
) -> SplitCompiled:
    sizes = {"degree": degree, "slots": slots, "depth_bits": depth_bits}
    limits.check_program("a split LOCAL algorithm", _least_split_literals, word=word, **sizes)
    return compile_split(build(word=word), **sizes)


def _least_split_literals(*, degree: int, slots: int, word: int, depth_bits: int) -> int:
    # A bit of the word is one of every message, or of every state at least.
    return least_split_literals(degree=degree, slots=slots, depth_bits=depth_bits) + 2 * word


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
    asked = Asked(compiled.algorithm, graph, rounds, inputs, reference, formats or {})
    common.sizes_for(
        graph,
        {"degree": graph.degree, "slots": graph.num_colours},
        {"degree": compiled.degree, "slots": compiled.slots},
    )

    def decode(states: Bool[np.ndarray, "n k"]) -> Answer:
        return asked.answer(lambda index: compiled.decode(states[index : index + 1])[0])

    return Instance(
        sizes=sizes or {"degree": compiled.degree, "slots": compiled.slots},
        program=compiled.program,
        graph=graph,
        initial=compiled.initial(graph, asked.nodes),
        num_steps=rounds * compiled.steps_per_round,
        inputs=described or {},
        decode=decode,
        reference=asked.expected,
        formats=asked.shown(),
    )


def as_node(value: int, graph: Graph) -> object:
    """Shows an identifier as the node's name, on a single graph; after a wrong run, one of none."""
    return graph.names[value] if value in range(graph.num_nodes) else f"{value} (no node)"


def as_flag(value: int, graph: Graph) -> object:
    """Shows 0 and 1 as no and yes."""
    return bool(value)
