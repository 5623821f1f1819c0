"""An algorithm on a given graph with given inputs: all that is needed to run and to judge it."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import NtkexecError, ProgramError
from ntkexec.executor import Engine, Executing, Execution, execute
from ntkexec.graphs import Graph, SplitGraph
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.vocabulary import ALGORITHM_NAMES, Until

LOG = logging.getLogger("ntkexec")

Answer = Mapping[str, np.ndarray]
"""By field, the value at every node; -1 where a field has none, or `NONE` if it can be negative.

After a run that went wrong, `layout.INVALID` where a node's state holds no value at all.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    """One execution, prepared.

    Args:
        sizes: the sizes that the program was built with.
        program: its templates.
        graph: one graph or a batch, which the answer speaks of; shape (n,) for every field.
        initial: states before the first step, of the nodes of `executed_graph`; shape (N, k).
        num_steps: steps after which the answer is complete.
        inputs: what was asked, in words, for reports.
        decode: reads the answer off final states.
        reference: computes the answer independently of the program.
        formats: by field, how to show a value that is there.
        until: when to stop, unless the user says otherwise; see `executor.execute`.
        signed: fields whose values can be negative, with `NONE` for none.
        colour_by: the field that pictures colour nodes by at first; by default any.
        shown_where: by field, the flag without which its value means nothing.
        num_inputs: how many different inputs of its size the program computes on, where that is
            a number: in arithmetic.
        final: the states after the last step of the program's own execution, where nothing but
            they says what is right; shape (N, k). Then every bit is judged, not the answer.
        equation: a field of the answer and what it is, in words such as ("sum", "13 + 29"), where the
            whole answer is one value at one node.
        split: the trees that the graph's nodes became, where the program runs on those; `split.original`
            is `graph`.
        slowdown: where it runs on those, what a step or a round on the graph as it is takes, but for a few
            steps at the ends; None where that is not known, or nothing is split.
        slowdown_in: of what `slowdown` speaks: steps for each step of the same kind, hops for each
            round of a LOCAL algorithm, or at most so many rounds for each round.
    """

    sizes: Mapping[str, int]
    program: Program
    graph: Graph
    initial: Bool[np.ndarray, "N k"]
    num_steps: int
    inputs: Mapping[str, object]
    decode: Callable[[Bool[np.ndarray, "N k"]], Answer]
    reference: Callable[[], Answer]
    formats: Mapping[str, Callable[[int], object]] = dataclasses.field(default_factory=dict)
    signed: frozenset[str] = frozenset()
    until: Until = "steps"
    colour_by: str | None = None
    shown_where: Mapping[str, str] = dataclasses.field(default_factory=dict)
    num_inputs: int | None = None
    final: Bool[np.ndarray, "N k"] | None = None
    equation: tuple[str, str] | None = None
    split: SplitGraph | None = None
    slowdown: int | None = None
    slowdown_in: Literal["steps", "hops", "rounds"] = "steps"

    @property
    def executed_graph(self) -> Graph:
        """The graph whose nodes have states: the split one, or else the one that was asked about."""
        return self.graph if self.split is None else self.split.graph

    @property
    def graphs(self) -> GraphsTuple:
        """The executed graph with the initial states as nodes."""
        return self.executed_graph.tuple._replace(nodes=self.initial)

    @property
    def halt(self) -> str | None:
        """The program's halt flag, which is set at every node when the answer is complete."""
        return self.program.halt

    @property
    def is_own(self) -> bool:
        """Whether the program is somebody's own, which may be called like a shipped one."""
        # A shipped one has sizes that it was built with.
        return not self.sizes or self.program.name not in ALGORITHM_NAMES

    @property
    def num_decisions(self) -> int:
        """Bits times nodes times steps, over which a union bound is taken; at least 1.

        Bits that nothing writes count too: a network for all templates decides them as well.
        """
        return max(1, self.program.layout.num_bits * self.executed_graph.num_nodes * self.num_steps)

    def execute(self, engine: Engine, executing: Executing | None = None) -> Execution:
        """Runs the instance with a learned update.

        Args:
            engine: evaluates the learned function.
            executing: until when, and what is kept; by default as `Executing` says.

        Raises:
            NtkexecError: it is to run until all nodes halt, and has no halt flag.
        """
        asked = executing or Executing()
        until = self.until if asked.until is None else asked.until
        if until == "halt" and self.halt is None:
            raise NtkexecError(
                f"{self.program.name} has no halt flag; it can run until steps or fixed-point"
            )
        execution = execute(
            engine,
            self.program,
            self.graphs,
            num_steps=self.num_steps,
            until=until,
            halt=self.halt if until == "halt" else None,
            verify=asked.verify,
            trace=asked.trace,
        )
        LOG.info(
            "%d steps in %.3f s, compiled in %.2f s",
            execution.steps,
            execution.run_seconds,
            execution.compile_seconds,
        )
        return execution


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """What the library and the command line need to know of an algorithm.

    Args:
        name: as users write it.
        summary: one line.
        sizing: `sizing(degree=, word=, slots=, ...)`, of which users may leave out any, gives the
            sizes of the program for all graphs of a degree; see `sizes`.
        program: builds the program from its sizes.
        prepare: `prepare(graph, *, sizes, **inputs)` gives an instance on a single graph;
            inputs speak of nodes by name, and may be left out.
        inputs: names of the inputs.
        weighted: whether it reads the weights of edges.
        own_sizes: what users may give beside degree, word and slots, by name what it must be on
            graphs of so many nodes.
        operands: `operands(words, bits)` turns what stands on the command line instead of a graph
            into a graph and inputs; None where there is a graph.
        example: a graph that it runs on, for whoever gave none.
        split: `split(split_graph, *, sizes, **inputs)` gives the same on a split graph; its answers are
            those on the original one. None where there is none.
        sized_on_split: the same with the sizes that `program` has for split graphs, where it has others
            there. None where what runs there is an algorithm by itself, has the same sizes, or is none.
        whole_because: why not, where there is none.
        same_program: whether it is `program` that runs on split graphs too.
        work: `work(graph, **inputs)`, what a run of `program` on the graph does, by which it is
            weighed against one on the split graph; None where there is none.
    """

    name: str
    summary: str
    sizing: Callable[..., dict[str, int]]
    program: Callable[..., Program]
    prepare: Callable[..., Instance]
    inputs: tuple[str, ...]
    weighted: bool = False
    own_sizes: Mapping[str, Callable[[int], int]] = dataclasses.field(default_factory=dict)
    operands: Callable[[Sequence[str], int | None], tuple[Graph, dict[str, Any]]] | None = None
    example: str = "karate"
    split: Callable[..., Instance] | None = None
    sized_on_split: "Algorithm | None" = None
    whole_because: str = "in a tree that stands for a node its answer could be another one"
    same_program: bool = False
    work: Callable[..., Work] | None = None

    def sizes(self, **given: int | None) -> dict[str, int]:
        """The sizes of the program without a graph, for all of a degree.

        Args:
            given: `degree`, `word`, `slots` and `own_sizes`, by name; None is as good as left out.

        Raises:
            ProgramError: a size that is not the program's, or too few.
        """
        asked = {name: value for name, value in given.items() if value is not None}
        for name in asked.keys() - {"degree", "word", "slots"} - self.own_sizes.keys():
            words = name.split("_")
            raise ProgramError(
                f"{self.name} has no {' '.join(words)}; leave --{'-'.join(words)} out"
            )
        return self.sizing(**asked)

    def asked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is asked of the algorithm, by name; None is as good as left out.

        Raises:
            NtkexecError: it asks nothing of that name.
        """
        found = {name: value for name, value in given.items() if value is not None}
        if unknown := found.keys() - set(self.inputs):
            takes = f"the inputs {', '.join(self.inputs)}" if self.inputs else "no inputs"
            raise NtkexecError(f"{self.name} takes {takes}, not {min(unknown)!r}")
        return found

    def require_split(self) -> Callable[..., Instance]:
        """`split`.

        Raises:
            NtkexecError: there is none.
        """
        if self.split is None:
            why = "it computes on one node" if self.operands is not None else self.whole_because
            raise NtkexecError(
                f"{self.name} does not run on split graphs: {why}; it runs on the graph as it is, without a "
                "split degree (docs/any-graph.md)"
            )
        return self.split
