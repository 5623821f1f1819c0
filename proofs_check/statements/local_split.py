"""LOCAL algorithms that read messages by a commutative monoid: bounded degree is no restriction to them.

Algorithms are drawn at random, every decision of theirs from a table of random numbers. What they
must do is worked out here, from the tables, neighbour by neighbour, on graphs with nodes of many
neighbours; what is executed are programs for nodes of few.
"""

import functools
import operator
from collections.abc import Callable
from typing import NamedTuple

import networkx as nx
import numpy as np

from ntkexec import executor, graphs, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.programs import local

STATES, ROUNDS = 4, 3
SPLIT_DEGREES = (3, 4)


class Operation(NamedTuple):
    """A commutative monoid on the numbers 0 to `size` - 1, and the same for the compiler."""

    size: int
    unit: int
    combine: Callable[[int, int], int]
    monoid: local.Monoid


def _modulo_3(one: int, other: int) -> int:
    return (one + other) % 3


OPERATIONS = (
    Operation(3, 0, _modulo_3, local.Monoid("sum modulo 3", local.Range(3), 0, _modulo_3)),
    Operation(4, 0, operator.or_, local.union(local.Range(4))),
    Operation(4, 3, min, local.least(local.Range(4))),
    Operation(3, 0, lambda one, other: min(2, one + other), local.capped(2)),
)


class Tables(NamedTuple):
    """An algorithm: what is sent in each state, -1 for silence, and the state after a total."""

    operation: Operation
    sent: np.ndarray
    after: np.ndarray

    def algorithm(self) -> local.Local:
        """The same for the compiler."""

        def send(state: int) -> int | None:
            return None if self.sent[state] < 0 else int(self.sent[state])

        def update(state: int, total: int) -> int:
            return int(self.after[state, total])

        return local.Local(
            name="random",
            state=local.Range(STATES),
            message=self.operation.monoid.carrier,
            init=lambda node: node.identifier % STATES,
            send=send,
            stages=(local.Gather(self.operation.monoid, update),),
            output=lambda state, node: {"state": state},
        )

    def states(self, graph: nx.Graph, rounds: int) -> dict[int, int]:
        """The state of every node after so many rounds, by its definition."""
        found = {node: node % STATES for node in graph}
        for _ in range(rounds):
            totals = {}
            for node in graph:
                said = (int(self.sent[found[other]]) for other in graph[node])
                heard = (message for message in said if message >= 0)
                totals[node] = functools.reduce(self.operation.combine, heard, self.operation.unit)
            found = {node: int(self.after[found[node], totals[node]]) for node in graph}
        return found


def some_graphs(scale: Scale) -> list[nx.Graph]:
    """Graphs with nodes of many neighbours."""
    rng = np.random.default_rng(11)
    found = [nx.star_graph(6), nx.complete_graph(6), nx.star_graph(13)]
    for _ in range({"quick": 2, "standard": 8, "full": 30}[scale]):
        size, seed = int(rng.integers(8, 20)), int(rng.integers(1 << 30))
        found += [
            nx.barabasi_albert_graph(size, 2, seed=seed),
            nx.fast_gnp_random_graph(size, 0.4, seed=seed),
        ]
    return found


def measure_split(scale: Scale, early: int = 0) -> Measurement:
    """States of nodes of trees that are not those of the nodes that were split.

    Args:
        scale: how many algorithms and graphs.
        early: hops by which states are read too early, for counter-cases.
    """
    original = some_graphs(scale)
    batch = graphs.batch([graphs.from_networkx(graph) for graph in original])
    rng = np.random.default_rng(12)
    wrong = compared = 0
    sizes = []
    for number in range({"quick": 4, "standard": 8, "full": 40}[scale]):
        operation = OPERATIONS[number % len(OPERATIONS)]
        tables = Tables(
            operation,
            rng.integers(-1, operation.size, size=STATES),
            rng.integers(STATES, size=(STATES, operation.size)),
        )
        split = graphs.split(batch, SPLIT_DEGREES[(number + number // len(OPERATIONS)) % 2])
        compiled = local.compile_split(
            tables.algorithm(),
            degree=split.most,
            slots=split.graph.num_colours,
            depth_bits=2,
        )
        sizes.append(compiled.program.num_templates)
        instance = local.split_instance(compiled, split, rounds=ROUNDS)
        certificate = pipeline.certify(instance.program, num_decisions=1)
        wrong += not certificate.certified
        execution = executor.execute(
            pipeline.make_engine("kernel", certificate),
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps - early * compiled.steps_per_hop,
            verify=False,
        )
        states = np.array(compiled.decode(execution.states))
        expected = [
            state for graph in original for _, state in sorted(tables.states(graph, ROUNDS).items())
        ]
        wrong += int((states != np.array(expected)[split.owner]).sum())
        compared += len(states)
    return Measurement(wrong, details={"states": compared, "templates": sizes})


CHECK = Check(
    name="local-split",
    claim="a LOCAL algorithm that reads messages by a commutative monoid does in T (2h + 1) hops on trees of "
    "nodes of degree D, h deep, what it does in T rounds on nodes of any degree",
    formula=r"s_x(T (2h + 1)) = s_{v(x)}(T) \quad \text{for every node } x \text{ of } v\text{'s tree}",
    source="convergecast and broadcast in every tree, Peleg 2000, chapter 3; the proof is in docs/local.md",
    how="states of all nodes of all trees after the last round, random algorithms over four monoids, stars "
    "and random graphs split to degree 3 and 4, by the kernel engine; programs with no certificate count",
    bound=0,
    bound_from="the claim is exact",
    measure=measure_split,
    broken=functools.partial(measure_split, early=1),
)
