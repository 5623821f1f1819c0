"""Cellular automata: a LOCAL algorithm whose nodes are finite state machines."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ntkexec.errors import GraphError
from ntkexec.graphs import Graph
from ntkexec.programs import inputs as common
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node, Step, Update
from ntkexec.programs.local.family import Family, Gathered, as_flag
from ntkexec.programs.local.judging import Inputs
from ntkexec.programs.local.monoids import capped
from ntkexec.programs.local.types import Bool, Optional, Range, Record
from ntkexec.programs.reference import local as reference
from ntkexec.vocabulary import SUMMARIES

GENERATIONS = 8
DENSITY = 3 / 8


def generations(graph: Graph, inputs: Inputs) -> int:
    """The rounds if none are asked for."""
    return GENERATIONS


def build_life(*, degree: int, word: int) -> Local:
    """Conway's Life on any graph; it has no word. A node's input is whether it is alive."""
    State = Record("State", alive=Bool(), live=Range(degree + 1))

    def count(state: Any, message: bool | None) -> Any:
        return state._replace(live=min(degree, state.live + 1)) if message else state

    def next_generation(state: Any) -> Any:
        alive = state.live == 3 or (state.live == 2 and state.alive)
        return State(alive=alive, live=0)

    return Local(
        name="life",
        state=State,
        message=Bool(),
        init=lambda node: State(alive=bool(node.input), live=0),
        send=lambda state: state.alive,
        stages=(Fold(count), Step(next_generation)),
        output=lambda state, node: {"alive": int(state.alive)},
    )


def build_life_gathered(*, word: int) -> Local:
    """Life for split graphs: more than three live neighbours are as good as four."""
    State = Record("State", alive=Bool())
    live = capped(4)
    return Local(
        name="life",
        state=State,
        message=live.carrier,
        init=lambda node: State(alive=bool(node.input)),
        send=lambda state: int(state.alive),
        stages=(
            Gather(
                live, lambda state, total: State(alive=total == 3 or (total == 2 and state.alive))
            ),
        ),
        output=lambda state, node: {"alive": int(state.alive)},
    )


def soup(
    graph: Graph, source: Hashable | None = None, sources: Sequence[Hashable] | None = None
) -> list[bool]:
    """The inputs: the sources live, or without any a random three eighths of all, always the same."""
    if source is None and sources is None:
        return (np.random.default_rng(0).random(graph.num_nodes) < DENSITY).tolist()
    alive = common.source_indices(graph, source, sources)
    return np.isin(np.arange(graph.num_nodes), alive).tolist()


def build_rule_110(*, degree: int, word: int) -> Local:
    """Wolfram's rule 110; it has no word. A node's input is its state, and the cells beside it."""
    beside = Optional(Range(max(1, degree)))
    State = Record("State", alive=Bool(), left=beside, right=beside)

    def init(node: Node) -> Any:
        alive, left, right = node.input
        ports = [None if other < 0 else node.port(other) for other in (left, right)]
        return State(alive=bool(alive), left=ports[0], right=ports[1])

    def update(state: Any, received: tuple[bool | None, ...]) -> Any:
        left = state.left is not None and bool(received[state.left])
        right = state.right is not None and bool(received[state.right])
        return state._replace(alive=bool(110 >> (4 * left + 2 * state.alive + right) & 1))

    return Local(
        name="rule-110",
        state=State,
        message=Bool(),
        init=init,
        send=lambda state: state.alive,
        stages=(Update(update),),
        output=lambda state, node: {"alive": int(state.alive)},
    )


def row(
    graph: Graph, source: Hashable | None = None, sources: Sequence[Hashable] | None = None
) -> list[tuple[bool, int, int]]:
    """The inputs: the sources live, or without any the last cell alone.

    Raises:
        GraphError: neither paths nor a ring in the order of the identifiers; names an edge too many.
    """
    alive = [graph.num_nodes - 1]
    if source is not None or sources is not None:
        alive = common.source_indices(graph, source, sources)
    found: list[tuple[bool, int, int]] = []
    within: set[tuple[int, int]] = set()
    edges = set(zip(graph.tuple.senders.tolist(), graph.tuple.receivers.tolist(), strict=True))
    for part in graph.node_ranges():
        size = part.stop - part.start
        for index in range(size):
            left, right = (index - 1) % size, (index + 1) % size
            pairs = [(part.start + other, part.start + index) for other in (left, right)]
            beside = [
                other if other != index and pair in edges else -1
                for other, pair in zip((left, right), pairs, strict=True)
            ]
            if size == 2:
                # The only neighbour of a cell is on one side.
                beside[1 if index else 0] = -1
            found.append((part.start + index in alive, beside[0], beside[1]))
            within |= {(a, b) for a, b in pairs if abs(a - b) == 1}
        # An edge between the ends makes a ring of the whole row, not of a part.
        ends = {(part.start, part.stop - 1), (part.stop - 1, part.start)}
        if size > 2 and {(i, i + 1) for i in range(part.start, part.stop - 1)} <= edges:
            within |= ends
    edges -= within
    if edges:
        sender, receiver = (graph.names[end] for end in min(edges))
        raise GraphError(
            f"rule-110 runs on paths or a ring whose nodes follow each other; graph {graph.label!r} "
            f"has an edge from {sender!r} to {receiver!r}"
        )
    return found


LIFE = Family(
    name="life",
    summary=SUMMARIES["life"],
    build=build_life,
    rounds=generations,
    inputs=("source", "sources", "rounds"),
    node_inputs=soup,
    reference=reference.life,
    formats={"alive": as_flag},
    loops="so it is its own neighbour",
    gathered=Gathered(build_life_gathered),
)
RULE_110 = Family(
    name="rule-110",
    summary=SUMMARIES["rule-110"],
    build=build_rule_110,
    rounds=generations,
    inputs=("source", "sources", "rounds"),
    node_inputs=row,
    reference=reference.rule_110,
    formats={"alive": as_flag},
    loops="so it is its own neighbour",
    example="cycle:n=8",
)
