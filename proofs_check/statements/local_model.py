"""LOCAL algorithms: any of them is a certified program, which says and does the same each round.

Algorithms are drawn at random, every decision of theirs from a table of random numbers. What they
must do is worked out here, from the tables, edge by edge; nothing of the compiler is used for it.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import networkx as nx
import numpy as np

from ntkexec import executor, graphs, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.programs import local
from ntkexec.programs.instance import Instance
from ntkexec.programs.local import Fold, Local, Range, Update

DEGREE = 3
STATES, MESSAGES = 4, 2
ROUNDS = 4
IDENTIFIERS = 16


class Tables(NamedTuple):
    """A random algorithm. The code of a message is 0 for silence, and else the message and 1.

    start: state of a node by identifier (modulo 16) and degree.
    send: code of what is sent, by state and port; the same at all ports unless `addressed`.
    update: the next state by state and the codes received at all ports; with `folds` by port,
        state and the code received there.
    addressed: whether messages differ from port to port.
    folds: whether ports are taken in one after the other.
    """

    start: np.ndarray
    send: np.ndarray
    update: np.ndarray
    addressed: bool
    folds: bool

    def next_state(self, state: int, codes: tuple[int, ...]) -> int:
        """The state after a round in which these codes came in."""
        if not self.folds:
            return int(self.update[state, *codes])
        for port, code in enumerate(codes):
            state = int(self.update[port, state, code])
        return state

    def algorithm(self) -> Local:
        """The same, as users write it."""

        def say(state: int, port: int = 0) -> int | None:
            code = int(self.send[state, port])
            return None if code == 0 else code - 1

        def code_of(message: int | None) -> int:
            return 0 if message is None else message + 1

        update = Update(
            lambda state, received: self.next_state(int(state), tuple(map(code_of, received)))
        )
        fold = Fold(
            lambda state, message, port: int(self.update[port, int(state), code_of(message)])
        )
        return Local(
            name="random",
            state=Range(STATES),
            message=Range(MESSAGES),
            init=lambda node: int(self.start[node.identifier % IDENTIFIERS, node.degree]),
            send=(lambda state, port: say(int(state), port))
            if self.addressed
            else (lambda state: say(int(state))),
            stages=(fold if self.folds else update,),
            output=lambda state, node: {"state": state},
            addressed=self.addressed,
            rounds=ROUNDS,
        )

    @property
    def update_steps(self) -> int:
        """Steps that the update takes: one for each port, or one for all of them."""
        return DEGREE if self.folds else 1

    @property
    def most_steps_per_round(self) -> int:
        """r: compose (where messages are more than copies of a product), send, listen, update."""
        return 3 + self.update_steps


def draw(rng: np.random.Generator, *, addressed: bool, folds: bool) -> Tables:
    """A random algorithm."""
    send = rng.integers(MESSAGES + 1, size=(STATES, DEGREE))
    codes = (MESSAGES + 1,)
    shape = (DEGREE, STATES, *codes) if folds else (STATES, *codes * DEGREE)
    return Tables(
        start=rng.integers(STATES, size=(IDENTIFIERS, DEGREE + 1)),
        send=send if addressed else np.repeat(send[:, :1], DEGREE, axis=1),
        update=rng.integers(STATES, size=shape),
        addressed=addressed,
        folds=folds,
    )


def rounds(
    tables: Tables, graph: nx.Graph
) -> Iterator[tuple[dict[int, int], dict[int, tuple[int, ...]]]]:
    """States before every round, and the codes that each node then hears by port; one more state.

    Args:
        tables: the algorithm.
        graph: its nodes are the identifiers.
    """
    ports = {node: sorted(graph[node]) for node in graph}
    states = {node: int(tables.start[node % IDENTIFIERS, len(ports[node])]) for node in graph}
    while True:
        heard: dict[int, tuple[int, ...]] = {}
        for node in graph:
            codes = [
                int(tables.send[states[other], ports[other].index(node)]) for other in ports[node]
            ]
            heard[node] = (*codes, *[0] * (DEGREE - len(codes)))
        yield states, heard
        states = {node: tables.next_state(states[node], heard[node]) for node in graph}


@functools.cache
def some_graphs(scale: Scale) -> tuple[nx.Graph, ...]:
    """All graphs of degree at most 3 up to a size, and random ones."""
    largest = {"quick": 4, "standard": 5, "full": 6}[scale]
    atlas = [
        graph
        for graph in nx.graph_atlas_g()[1:]
        if len(graph) <= largest and max(dict(graph.degree).values()) <= DEGREE
    ]
    rng = np.random.default_rng(1)
    sizes = rng.integers(5, 2 * IDENTIFIERS, size={"quick": 3, "standard": 20, "full": 100}[scale])
    return (
        *atlas,
        *(
            graphs.generators.samplers.random_bounded(int(size), DEGREE, rng, connected=True)
            for size in sizes
        ),
    )


class Case(NamedTuple):
    """A compiled random algorithm, and its states on all graphs in every step, learned in the mean."""

    tables: Tables
    compiled: local.Compiled
    instance: Instance
    certified: bool
    trace: np.ndarray


@functools.cache
def cases(scale: Scale) -> tuple[Case, ...]:
    """Random algorithms with messages to all neighbours or to each, and both kinds of updates."""
    batch = graphs.batch(
        [graphs.from_networkx(graph, degree=DEGREE) for graph in some_graphs(scale)]
    )
    rng = np.random.default_rng(2)
    found = []
    for number in range({"quick": 4, "standard": 12, "full": 100}[scale]):
        tables = draw(rng, addressed=number % 2 == 1, folds=number // 2 % 2 == 1)
        compiled = local.compile(tables.algorithm(), degree=DEGREE, slots=batch.num_colours)
        instance = local.instance(compiled, batch, rounds=ROUNDS)
        certificate = pipeline.certify(instance.program, num_decisions=1)
        execution = executor.execute(
            pipeline.make_engine("kernel", certificate),
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps,
            verify=False,
            trace=True,
        )
        assert execution.trace is not None
        found.append(Case(tables, compiled, instance, certificate.certified, execution.trace))
    return tuple(found)


def measure_rounds(scale: Scale, early: int = 0) -> Measurement:
    """States of nodes between rounds that are wrong, and programs uncertified or with a larger r.

    Args:
        scale: how many algorithms and graphs.
        early: steps by which states are read too early, for counter-cases.
    """
    wrong, compared, steps = 0, 0, []
    for case in cases(scale):
        r = case.compiled.steps_per_round
        wrong += (not case.certified) + (r > case.tables.most_steps_per_round)
        steps.append(r)
        expected = [_rounds(case.tables, graph) for graph in some_graphs(scale)]
        for time in range(ROUNDS + 1):
            now = [state for each in expected for state in each[time][0]]
            states = case.trace[max(time * r - early, 0)]
            wrong += int((np.array(case.compiled.decode(states)) != now).sum())
            compared += len(now)
    return Measurement(wrong, details={"states": compared, "steps a round": steps})


def measure_messages(scale: Scale, early: int = 0) -> Measurement:
    """Messages that are not, at the port that leads to their sender, what was sent.

    Args:
        scale: how many algorithms and graphs.
        early: rounds by which messages are expected too early, for counter-cases.
    """
    wrong = compared = 0
    for case in cases(scale):
        r, layout = case.compiled.steps_per_round, case.compiled.program.layout
        expected = [_rounds(case.tables, graph) for graph in some_graphs(scale)]
        for time in range(ROUNDS):
            heard = [codes for each in expected for codes in each[time + early][1]]
            # What is left of the round is the update.
            fields = layout.unpack(case.trace[(time + 1) * r - case.tables.update_steps])
            for port in range(DEGREE):
                present, value = (fields[f"heard{port}_{part}"] for part in ("present", "value"))
                wrong += int((np.where(present, value + 1, 0) != np.array(heard)[:, port]).sum())
                compared += len(heard)
    return Measurement(wrong, details={"messages": compared})


def _rounds(tables: Tables, graph: nx.Graph) -> list[tuple[list[int], list[tuple[int, ...]]]]:
    """States and codes by node, in order, before every round and after the last."""
    found = []
    for (states, heard), _ in zip(rounds(tables, graph), range(ROUNDS + 2), strict=False):
        nodes = sorted(graph)
        found.append(([states[node] for node in nodes], [heard[node] for node in nodes]))
    return found


CHECKS = (
    Check(
        name="local-rounds",
        claim="T rounds of a LOCAL algorithm of bounded degree are T r steps of a certified program",
        formula=r"r \le 3 + 1, \quad \text{or, one port after another,} \quad r \le 3 + D",
        source="theory of LOCAL compilation; r is compose, send, listen, and the update; of one algorithm, "
        "on every graph, `ntkexec prove` shows it: docs/theorems.md",
        how="wrong states after each round, random algorithms (D = 3), all graphs up to 4, 5 or 6 "
        "nodes and random ones, by the kernel engine; programs with no certificate or a larger r count",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_rounds,
        broken=functools.partial(measure_rounds, early=1),
    ),
    Check(
        name="local-messages",
        claim="messages arrive intact, in the port of the neighbour that sent them, silence included",
        source="theory of LOCAL compilation",
        how="what is in the registers of all ports after the step *listen*, against the tables",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_messages,
        broken=functools.partial(measure_messages, early=1),
    ),
)
