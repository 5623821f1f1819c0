"""Bipartiteness: sides spread from a root, and so does the news that two neighbours share one."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ntkexec.graphs import Graph
from ntkexec.programs import inputs as common
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node
from ntkexec.programs.local.family import Family, Gathered, as_flag
from ntkexec.programs.local.graph_rounds import diameter, roots
from ntkexec.programs.local.judging import Inputs
from ntkexec.programs.local.monoids import union
from ntkexec.programs.local.types import Bool, Optional, Range, Record, Set
from ntkexec.programs.reference import local as reference
from ntkexec.vocabulary import SUMMARIES

State = Record("State", side=Optional(Range(2)), odd=Bool())
Message = Record("Message", side=Range(2), odd=Bool())
Heard = Record("Heard", sides=Set(2), odd=Bool())


def build(*, degree: int, word: int) -> Local:
    """The algorithm; it has no word. A node's input is whether it is the root of its component."""
    return Local(
        name="bipartite",
        state=State,
        message=Message,
        init=lambda node: State(side=0 if node.input else None, odd=False),
        send=lambda state: None if state.side is None else Message(side=state.side, odd=state.odd),
        stages=(Fold(_hear),),
        output=_answer,
    )


def _hear(state: Any, message: Any) -> Any:
    if message is None:
        return state
    if state.side is None:
        return State(side=1 - message.side, odd=message.odd)
    # Two walks from the root, of the same parity, and the edge between their ends close an odd walk.
    return state._replace(odd=state.odd or message.odd or message.side == state.side)


def build_gathered(*, word: int) -> Local:
    """The same for split graphs. Who hears of both sides at once takes 1, and knows that it is odd."""

    def send(state: Any) -> Any:
        sides = frozenset() if state.side is None else frozenset({state.side})
        return Heard(sides=sides, odd=state.odd)

    def hear(state: Any, total: Any) -> Any:
        side = state.side
        if side is None:
            if not (0 in total.sides or 1 in total.sides):
                return state
            side = 1 if 0 in total.sides else 0
        return State(side=side, odd=state.odd or total.odd or side in total.sides)

    return Local(
        name="bipartite",
        state=State,
        message=Heard,
        init=lambda node: State(side=0 if node.input else None, odd=False),
        send=send,
        stages=(Gather(union(Heard), hear),),
        output=_answer,
    )


def _answer(state: Any, node: Node) -> dict[str, int]:
    if state.side is None:
        return {"bipartite": -1, "side": -1}
    return {"bipartite": int(not state.odd), "side": -1 if state.odd else state.side}


def is_root(
    graph: Graph, source: Hashable | None = None, sources: Sequence[Hashable] | None = None
) -> list[bool]:
    """The inputs: by default the smallest node of every component is its root."""
    return np.isin(np.arange(graph.num_nodes), roots(graph, source, sources)).tolist()


def rounds(graph: Graph, inputs: Inputs) -> int:
    """Rounds until every side is there, one to meet, and until the news is everywhere."""
    assert inputs is not None
    return common.rounds_needed(graph, np.flatnonzero(inputs).tolist()) + 1 + diameter(graph)


FAMILY = Family(
    name="bipartite",
    summary=SUMMARIES["bipartite"],
    build=build,
    rounds=rounds,
    inputs=("source", "sources"),
    node_inputs=is_root,
    reference=reference.bipartite,
    formats={"bipartite": as_flag},
    loops="a cycle of odd length",
    gathered=Gathered(build_gathered),
)
