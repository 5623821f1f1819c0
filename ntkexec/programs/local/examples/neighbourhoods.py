"""What nodes find out by telling each other sets of identifiers, one bit for every node."""

import functools
from typing import Any

from ntkexec.graphs import Graph
from ntkexec.language import Builder, Flag, any_of
from ntkexec.programs.inputs import bits_for
from ntkexec.programs.local.algorithm import Gather, Local, Update
from ntkexec.programs.local.family import Family, Gathered, as_flag, num_identifiers
from ntkexec.programs.local.graph_rounds import diameter
from ntkexec.programs.local.judging import Inputs
from ntkexec.programs.local.monoids import union
from ntkexec.programs.local.synchroniser import Received
from ntkexec.programs.local.types import Bool, Range, Record, Set
from ntkexec.programs.reference import local as reference
from ntkexec.vocabulary import SUMMARIES


def build_triangles(*, degree: int, word: int) -> Local:
    """Triangle detection in one round; a word has a bit for every node."""
    State = Record("State", neighbours=Set(word), triangle=Bool())

    def look(state: Any, received: tuple[Any, ...]) -> Any:
        met = any(m is not None and m & state.neighbours for m in received)
        return state._replace(triangle=state.triangle or met)

    def body(p: Builder, state: Any, received: Received) -> None:
        by_slot = received.by_slot()
        # A flag for each slot keeps the components of the program small.
        met = p.table("met", len(by_slot), Flag("any"), temporary=True).any
        with p.phase("compare"):
            for slot, message in enumerate(by_slot):
                pairs = zip(message.value, state.neighbours, strict=True)
                common = any_of(theirs & ours for theirs, ours in pairs)
                # In a node's own slot stands what it sent itself.
                p.set(met[slot], when=common & ~p.colour[slot])
        with p.phase("conclude"):
            p.set(state.triangle, when=any_of(met))

    return Local(
        name="triangles",
        state=State,
        message=Set(word),
        init=lambda node: State(neighbours=frozenset(node.neighbours), triangle=False),
        send=lambda state: state.neighbours,
        stages=(Update(look, body),),
        output=lambda state, node: {"triangle": int(state.triangle)},
        rounds=1,
    )


def build_size(*, degree: int, word: int) -> Local:
    """Size of the k-hop neighbourhood in k rounds; a word has a bit for every node."""
    State = Record("State", known=Set(word))

    def learn(state: Any, received: tuple[Any, ...]) -> Any:
        return State(known=state.known.union(*(m for m in received if m is not None)))

    def body(p: Builder, state: Any, received: Received) -> None:
        by_slot = received.by_slot()
        with p.phase("learn"):
            for element, known in enumerate(state.known):
                p.set(known, when=any_of(message.value[element] for message in by_slot))

    return Local(
        name="neighbourhood-size",
        state=State,
        message=Set(word),
        init=lambda node: State(known=frozenset({node.identifier})),
        send=lambda state: state.known,
        stages=(Update(learn, body),),
        output=lambda state, node: {"size": len(state.known)},
    )


def build_eccentricity(*, degree: int, word: int) -> Local:
    """Eccentricity, the number of rounds that bring news; a word has a bit for every node."""
    length = bits_for(word)
    State = Record("State", known=Set(word), eccentricity=Range(1 << length))

    def learn(state: Any, received: tuple[Any, ...]) -> Any:
        known = state.known.union(*(m for m in received if m is not None))
        grew = known != state.known
        return State(known=known, eccentricity=(state.eccentricity + grew) % (1 << length))

    def body(p: Builder, state: Any, received: Received) -> None:
        by_slot = received.by_slot()
        news = p.table("news", len(state.known), Flag("any"), temporary=True).any
        with p.phase("learn"):
            for element, known in enumerate(state.known):
                heard = any_of(message.value[element] for message in by_slot)
                p.set(news[element], when=heard & ~known)
                p.set(known, when=heard)
        with p.phase("count"):
            p.assign(state.eccentricity, state.eccentricity + 1, when=any_of(news))

    return Local(
        name="eccentricity",
        state=State,
        message=Set(word),
        init=lambda node: State(known=frozenset({node.identifier}), eccentricity=0),
        send=lambda state: state.known,
        stages=(Update(learn, body),),
        output=lambda state, node: {"eccentricity": state.eccentricity},
    )


# The same for split graphs.


def build_triangles_gathered(*, word: int) -> Local:
    """A node lies on a triangle if a neighbour of some neighbour is its own neighbour."""
    State, nodes = Record("State", neighbours=Set(word), triangle=Bool()), Set(word)

    def look(state: Any, total: Any) -> Any:
        return state._replace(triangle=state.triangle or bool(total & state.neighbours))

    def body(p: Builder, state: Any, total: Any) -> None:
        with p.phase("compare"):
            pairs = zip(total, state.neighbours, strict=True)
            p.set(state.triangle, when=any_of(theirs & ours for theirs, ours in pairs))

    return Local(
        name="triangles",
        state=State,
        message=nodes,
        init=lambda node: State(neighbours=frozenset(node.neighbours), triangle=False),
        send=lambda state: state.neighbours,
        stages=(Gather(union(nodes), look, body),),
        output=lambda state, node: {"triangle": int(state.triangle)},
        rounds=1,
    )


def build_size_gathered(*, word: int) -> Local:
    """The union of all that is known to the neighbours and to the node."""
    State, nodes = Record("State", known=Set(word)), Set(word)
    return Local(
        name="neighbourhood-size",
        state=State,
        message=nodes,
        init=lambda node: State(known=frozenset({node.identifier})),
        send=lambda state: state.known,
        stages=(Gather(union(nodes), lambda state, total: State(known=total), own=True),),
        output=lambda state, node: {"size": len(state.known)},
    )


def build_eccentricity_gathered(*, word: int) -> Local:
    """Likewise; rounds in which the union grows are counted."""
    length, nodes = bits_for(word), Set(word)
    State = Record("State", known=nodes, eccentricity=Range(1 << length))

    def learn(state: Any, total: Any) -> Any:
        grew = total != state.known
        return State(known=total, eccentricity=(state.eccentricity + grew) % (1 << length))

    def body(p: Builder, state: Any, total: Any) -> None:
        news = p.flags("news", word, temporary=True)
        with p.phase("learn"):
            for new, known, heard in zip(news, state.known, total, strict=True):
                p.set(new, when=heard & ~known)
                p.set(known, when=heard)
        with p.phase("count"):
            p.assign(state.eccentricity, state.eccentricity + 1, when=any_of(news))

    return Local(
        name="eccentricity",
        state=State,
        message=nodes,
        init=lambda node: State(known=frozenset({node.identifier}), eccentricity=0),
        send=lambda state: state.known,
        stages=(Gather(union(nodes), learn, body, own=True),),
        output=lambda state, node: {"eccentricity": state.eccentricity},
    )


def two_hops(graph: Graph, inputs: Inputs) -> int:
    """The rounds of `neighbourhood-size` if none are asked for."""
    return 2


_family = functools.partial(Family, word=num_identifiers)
TRIANGLES = _family(
    name="triangles",
    summary=SUMMARIES["triangles"],
    build=build_triangles,
    rounds=None,
    reference=reference.triangles,
    gathered=Gathered(build_triangles_gathered, num_identifiers),
    formats={"triangle": as_flag},
)
SIZE = _family(
    name="neighbourhood-size",
    summary=SUMMARIES["neighbourhood-size"],
    build=build_size,
    rounds=two_hops,
    inputs=("rounds",),
    reference=reference.neighbourhood_size,
    gathered=Gathered(build_size_gathered, num_identifiers),
)
ECCENTRICITY = _family(
    name="eccentricity",
    summary=SUMMARIES["eccentricity"],
    build=build_eccentricity,
    rounds=diameter,
    reference=reference.eccentricity,
    gathered=Gathered(build_eccentricity_gathered, num_identifiers),
)
