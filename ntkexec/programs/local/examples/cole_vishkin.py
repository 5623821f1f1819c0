"""Cole and Vishkin's colouring of rooted trees and rings with 3 colours, in O(log* n) rounds.

A round replaces a colour by the lowest place at which it differs from the parent's, and the bit
there, until 6 colours are left. Then 3, 4 and 5 go: colours move down one edge, so that a node's
children share one, and the nodes of the colour to go take another.

Source: Cole and Vishkin, Deterministic coin tossing with applications to optimal parallel list
    ranking, Information and Control 70, 1986; shift-down of Goldberg, Plotkin and Shannon, 1988.
"""

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import networkx as nx

from ntkexec.errors import GraphError
from ntkexec.graphs import Graph
from ntkexec.language import FALSE, Builder, Number, any_of, idioms
from ntkexec.programs import inputs as common
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node, Stage, Step
from ntkexec.programs.local.family import Family, Gathered, identifier_bits
from ntkexec.programs.local.graph_rounds import roots
from ntkexec.programs.local.monoids import union
from ntkexec.programs.local.types import Bool, Identifier, Optional, Range, Record
from ntkexec.programs.reference import local as reference
from ntkexec.programs.reference.local import FINAL_ROUNDS
from ntkexec.vocabulary import SUMMARIES

REMOVED = (3, 4, 5)
MIN_WORD = 3
"""Bits for the six colours that are left."""


def num_reductions(word: int) -> int:
    """Rounds until at most 6 colours of `word` bits are left."""
    colours, rounds = 1 << word, 0
    while colours > 6:
        colours, rounds = 2 * (colours - 1).bit_length(), rounds + 1
    return rounds


def build(*, degree: int, word: int) -> Local:
    """The algorithm; a word is an identifier. A node's input is its parent, or -1."""
    State = _state(word, degree)

    def init(node: Node) -> Any:
        parent = None if node.input < 0 else node.port(node.input)
        return State(round=0, parent=parent, colour=node.identifier, before=0, above=0)

    def listen(state: Any, message: int | None, port: int) -> Any:
        is_parent = message is not None and state.parent == port
        return state._replace(above=message) if is_parent else state

    choose, body = functools.partial(_choose, word), functools.partial(_choose_body, word)
    return _local(word, State, init, (Fold(listen), Step(choose, body)))


def build_gathered(*, word: int) -> Local:
    """The same for split graphs: a mark tells the parent from the others, who count as nothing."""
    # Whether there is a parent is all that is asked.
    State, identifier = _state(word, 1), Identifier(word)

    def init(node: Node) -> Any:
        parent = None if node.input < 0 else 0
        return State(round=0, parent=parent, colour=node.identifier, before=0, above=0)

    def choose(state: Any, total: Any) -> Any:
        return _choose(word, state._replace(above=total))

    def body(p: Builder, state: Any, total: Any) -> None:
        with p.phase("hear the parent"):
            p.assign(state.above, total)
        _choose_body(word, p, state)

    gather = Gather(
        union(identifier),
        choose,
        body,
        mark=Bool(),
        marked=lambda node, neighbour: neighbour == node.input,
        value=lambda message, is_parent: message if is_parent else 0,
    )
    return _local(word, State, init, (gather,))


def _state(word: int, degree: int) -> Record:
    return Record(
        "State",
        round=Range(num_reductions(word) + FINAL_ROUNDS + 1),
        parent=Optional(Range(max(1, degree))),
        colour=Identifier(word),
        before=Identifier(word),
        above=Identifier(word),
    )


def _local(word: int, state: Record, init: Callable[[Node], Any], stages: Sequence[Stage]) -> Local:
    rounds = num_reductions(word) + FINAL_ROUNDS
    return Local(
        name="cole-vishkin",
        state=state,
        message=Identifier(word),
        init=init,
        send=lambda state: state.colour,
        stages=stages,
        output=lambda state, node: {"colour": state.colour},
        halted=lambda state: state.round == rounds,
        rounds=rounds,
    )


def _choose(word: int, state: Any) -> Any:
    """The state after a round, when what the parent said is there."""
    reductions = num_reductions(word)
    rounds = reductions + FINAL_ROUNDS
    after = state._replace(round=min(state.round + 1, rounds))
    if state.round < reductions:
        return after._replace(colour=_reduced(state, word))
    if state.round == rounds:
        return after
    removed, recolour = divmod(state.round - reductions, 2)
    if recolour:
        if state.colour != REMOVED[removed]:
            return after
        return after._replace(colour=_free(state.above, state.before))
    shifted = _free(state.colour) if state.parent is None else state.above
    return after._replace(before=state.colour, colour=shifted)


def _choose_body(word: int, p: Builder, state: Any) -> None:
    """The same in the instruction language."""
    reductions = num_reductions(word)
    rounds = reductions + FINAL_ROUNDS
    parent, colour, above = state.parent.present, state.colour, state.above
    now = [state.round == r for r in range(rounds)]
    # Conditions become flags before they guard anything: their negations stay short.
    differs = p.flags("differs", word, temporary=True)
    lowest = p.choice("lowest", word, temporary=True)
    reduces, shifts, goes = p.choice("does", 3, temporary=True)
    free_at_root = p.flags("free_at_root", 2, temporary=True)
    free = p.flags("free", 2, temporary=True)
    with p.phase("compare"):
        for place in range(word):
            other = (colour[place] & ~above[place]) | (~colour[place] & above[place])
            p.assign(differs[place], (other & parent) | (~parent if place == 0 else FALSE))
    with p.phase("locate"):
        for flag, first in zip(lowest, idioms.priority(differs), strict=True):
            p.assign(flag, first)
        p.set(reduces, when=any_of(now[:reductions]))
        for index, removed in enumerate(REMOVED):
            p.set(shifts, when=now[reductions + 2 * index])
            p.set(goes, when=now[reductions + 2 * index + 1] & (colour == removed))
        for bit in range(2):
            p.assign(free_at_root[bit], _is_free(bit + 1, colour))
            p.assign(free[bit], _is_free(bit + 1, above, state.before))
    with p.phase("choose"):
        own = any_of(one & bit for one, bit in zip(lowest, colour, strict=True))
        places = [
            any_of(one for place, one in enumerate(lowest) if place >> bit & 1)
            for bit in range(word - 1)
        ]
        rest = (FALSE,) * (word - 2)
        p.assign(colour, Number((own, *places)), when=reduces)
        p.assign(state.before, colour, when=shifts)
        p.assign(colour, above, when=shifts & parent)
        # Colours 0, 1 and 2 are neither bit, the lower, or the upper one.
        p.assign(colour, Number((*free_at_root, *rest)), when=shifts & ~parent)
        p.assign(colour, Number((*free, *rest)), when=goes)
        p.assign(state.round, state.round + 1, when=~(state.round == rounds))


def _reduced(state: Any, word: int) -> int:
    """Twice the lowest place at which the colours differ, plus the own bit there; 0 if at none."""
    above = state.colour ^ 1 if state.parent is None else state.above
    different = state.colour ^ above
    if different == 0:  # not in a proper colouring
        return 0
    place = (different & -different).bit_length() - 1
    return 2 * place + (state.colour >> place & 1)


def _free(*taken: int) -> int:
    return min({0, 1, 2} - set(taken))


def _is_free(colour: int, *taken: Number) -> Any:
    """That a colour is the smallest of 0, 1, 2 that none of the numbers has."""
    smaller_are_taken = [any_of(number == c for number in taken) for c in range(colour)]
    free = ~any_of(number == colour for number in taken)
    for condition in smaller_are_taken:
        free = free & condition
    return free


def parents(
    graph: Graph, source: Hashable | None = None, sources: Sequence[Hashable] | None = None
) -> list[int]:
    """The inputs: in a tree the neighbour towards the root, in a ring the next node.

    The root of a tree is a source, or its smallest node; a ring is walked from its smallest node
    to the smaller of that node's neighbours.

    Raises:
        GraphError: a component that is neither; names a node of it.
    """
    whole = common.index_graph(graph).to_undirected()
    found = [-1] * graph.num_nodes
    start = {
        index: part.start for part in graph.node_ranges() for index in range(part.start, part.stop)
    }
    for root in roots(graph, source, sources):
        component = whole.subgraph(nx.node_connected_component(whole, root))
        edges, size = component.number_of_edges(), len(component)
        if edges == size - 1:
            steps = [(child, parent) for parent, child in nx.bfs_edges(component, root)]
        elif edges == size and all(degree == 2 for _, degree in component.degree):
            walk = [root, *nx.dfs_preorder_nodes(component, root, sort_neighbors=sorted)][1:]
            steps = list(zip(walk, [*walk[1:], root], strict=True))
        else:
            raise GraphError(
                f"the component of node {graph.names[root]!r} in graph {graph.label!r} is neither a "
                f"tree nor a ring: {size} nodes, {edges} edges"
            )
        for child, parent in steps:
            found[child] = parent - start[parent]
    return found


def word_for(graph: Graph) -> int:
    """Identifiers, and the six colours that are left in between, must fit."""
    return max(MIN_WORD, identifier_bits(graph))


FAMILY = Family(
    name="cole-vishkin",
    summary=SUMMARIES["cole-vishkin"],
    build=build,
    rounds=None,
    word=word_for,
    inputs=("source", "sources"),
    node_inputs=parents,
    reference=reference.cole_vishkin,
    example="cycle:n=8",
    gathered=Gathered(build_gathered, word_for),
)
