"""Greedy algorithms in the order of identifiers: (D+1)-colouring, maximal independent set.

Every node waits for its smaller neighbours; since ports follow identifiers, they are the first ones.
"""

import functools
from typing import Any

import numpy as np

from ntkexec.graphs import Graph
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node, Step
from ntkexec.programs.local.family import Family, Gathered, as_flag
from ntkexec.programs.local.graph_rounds import longest_descent
from ntkexec.programs.local.monoids import union
from ntkexec.programs.local.types import Bool, Enum, Optional, Range, Record, Set
from ntkexec.programs.reference import local as reference
from ntkexec.vocabulary import SUMMARIES


def _num_smaller(node: Node) -> int:
    return sum(other < node.identifier for other in node.neighbours)


def build_colouring(*, degree: int, word: int) -> Local:
    """First-fit colouring with D + 1 colours; has no word."""
    colours = degree + 1
    State = Record(
        "State",
        colour=Optional(Range(colours)),
        smaller=Range(colours),
        taken=Set(colours),
        waits=Bool(),
    )

    def look(state: Any, message: int | None, port: int) -> Any:
        if port >= state.smaller:
            return state
        if message is None:
            return state._replace(waits=True)
        return state._replace(taken=state.taken | {message})

    def choose(state: Any) -> Any:
        colour = state.colour
        if colour is None and not state.waits:
            # With `smaller` = D, D + 1 colours would be taken only in a state that never occurs.
            colour = next((c for c in range(colours) if c not in state.taken), 0)
        return State(colour=colour, smaller=state.smaller, taken=frozenset(), waits=False)

    return Local(
        name="greedy-colouring",
        state=State,
        message=Range(colours),
        init=lambda node: State(
            colour=None, smaller=_num_smaller(node), taken=frozenset(), waits=False
        ),
        send=lambda state: state.colour,
        stages=(Fold(look), Step(choose)),
        output=lambda state, node: {"colour": -1 if state.colour is None else state.colour},
        halted=lambda state: state.colour is not None,
    )


@functools.cache
def _independent_types(degree: int) -> tuple[Record, Enum]:
    status = Enum("waiting", "in", "out")
    state = Record("State", status=status, smaller=Range(degree + 1), waits=Bool(), beaten=Bool())
    return state, status


def build_independent_set(*, degree: int, word: int) -> Local:
    """Maximal independent set; has no word."""
    State, status = _independent_types(degree)

    def look(state: Any, message: str | None, port: int) -> Any:
        if message == "in":
            return state._replace(beaten=True)
        if message == "waiting" and port < state.smaller:
            return state._replace(waits=True)
        return state

    def decide(state: Any) -> Any:
        after = state._replace(waits=False, beaten=False)
        if state.status != "waiting":
            return after
        if state.beaten:
            return after._replace(status="out")
        return after if state.waits else after._replace(status="in")

    return Local(
        name="independent-set",
        state=State,
        message=status,
        init=lambda node: State(
            status="waiting", smaller=_num_smaller(node), waits=False, beaten=False
        ),
        send=lambda state: state.status,
        stages=(Fold(look), Step(decide)),
        output=lambda state, node: {"member": int(state.status == "in")},
        halted=lambda state: state.status != "waiting",
    )


# The same for split graphs: ports do not tell who is smaller, but a mark of each neighbour does.


def _is_smaller(node: Node, neighbour: int) -> bool:
    return neighbour < node.identifier


def _waited_for(message: Any, smaller: bool) -> Any:
    return message if smaller else message._replace(waits=False)


def build_colouring_gathered(*, word: int) -> Local:
    """First fit; a word is the number of colours."""
    State = Record("State", colour=Optional(Range(word)))
    Taken = Record("Taken", colours=Set(word), waits=Bool())

    def send(state: Any) -> Any:
        colours = frozenset() if state.colour is None else frozenset({state.colour})
        return Taken(colours=colours, waits=state.colour is None)

    def choose(state: Any, total: Any) -> Any:
        if state.colour is not None or total.waits:
            return state
        # All colours are taken only in a state that never occurs, with as many as `most_colours`.
        return State(colour=next((c for c in range(word) if c not in total.colours), 0))

    return Local(
        name="greedy-colouring",
        state=State,
        message=Taken,
        init=lambda node: State(colour=None),
        send=send,
        stages=(Gather(union(Taken), choose, mark=Bool(), marked=_is_smaller, value=_waited_for),),
        output=lambda state, node: {"colour": -1 if state.colour is None else state.colour},
        halted=lambda state: state.colour is not None,
    )


def most_colours(graph: Graph) -> int:
    """One more than the smaller neighbours that any node has: first fit takes no more colours."""
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    return 1 + int(np.bincount(receivers[senders < receivers], minlength=1).max())


def build_independent_set_gathered(*, word: int) -> Local:
    """Maximal independent set; has no word."""
    status = Enum("waiting", "in", "out")
    State = Record("State", status=status)
    Beside = Record("Beside", beaten=Bool(), waits=Bool())

    def decide(state: Any, total: Any) -> Any:
        if state.status != "waiting":
            return state
        if total.beaten:
            return State(status="out")
        return state if total.waits else State(status="in")

    return Local(
        name="independent-set",
        state=State,
        message=Beside,
        init=lambda node: State(status="waiting"),
        send=lambda state: Beside(beaten=state.status == "in", waits=state.status == "waiting"),
        stages=(Gather(union(Beside), decide, mark=Bool(), marked=_is_smaller, value=_waited_for),),
        output=lambda state, node: {"member": int(state.status == "in")},
        halted=lambda state: state.status != "waiting",
    )


COLOURING = Family(
    name="greedy-colouring",
    summary=SUMMARIES["greedy-colouring"],
    build=build_colouring,
    rounds=longest_descent,
    reference=reference.greedy_colouring,
    loops="which no colouring allows",
    gathered=Gathered(build_colouring_gathered, most_colours),
)
INDEPENDENT_SET = Family(
    name="independent-set",
    summary=SUMMARIES["independent-set"],
    build=build_independent_set,
    rounds=longest_descent,
    reference=reference.independent_set,
    formats={"member": as_flag},
    loops="so it is its own neighbour and in no such set",
    gathered=Gathered(build_independent_set_gathered),
)
