"""Spanning tree: the breadth-first tree of every component from its smallest node.

Nodes elect a leader and measure their distance from it at once: what they keep is the smallest
pair of a root and a distance that they have heard of, and the first port that offered it.
"""

import functools
from typing import Any

from ntkexec.graphs import Graph
from ntkexec.language import Builder, Number, any_of, either, idioms
from ntkexec.programs.inputs import bits_for
from ntkexec.programs.local.algorithm import Gather, Local, Node, Update
from ntkexec.programs.local.family import Family, Gathered, as_node, num_identifiers
from ntkexec.programs.local.graph_rounds import from_smallest
from ntkexec.programs.local.monoids import least
from ntkexec.programs.local.synchroniser import Received
from ntkexec.programs.local.types import Identifier, Optional, Range, Record
from ntkexec.programs.reference import local as reference
from ntkexec.vocabulary import SUMMARIES


def build(*, degree: int, word: int) -> Local:
    """The algorithm; a word holds identifiers and distances, and the number of nodes."""
    State, Message = _types(degree, word)
    return Local(
        name="spanning-tree",
        state=State,
        message=Message,
        init=lambda node: State(root=node.identifier, distance=0, parent=None),
        send=lambda state: Message(root=state.root, distance=state.distance),
        stages=(Update(functools.partial(nearest, 1 << word), nearest_body),),
        output=answer,
    )


@functools.cache
def _types(degree: int, word: int) -> tuple[Record, Record]:
    pair = {"root": Identifier(word), "distance": Identifier(word)}
    state = Record("State", **pair, parent=Optional(Range(max(1, degree))))
    return state, Record("Message", **pair)


def nearest(size: int, state: Any, received: tuple[Any, ...]) -> Any:
    """The smallest pair of root and distance; the own one, then the first port, goes before."""
    for port, message in enumerate(received):
        if message is not None:
            offer = (message.root, (message.distance + 1) % size)
            if offer < (state.root, state.distance):
                state = state._replace(root=offer[0], distance=offer[1], parent=port)
    return state


def nearest_body(p: Builder, state: Any, received: Received) -> None:
    """The same in the instruction language."""
    heard = received.by_port()
    offers = [message.value for message in heard]
    live = p.flags("live", 1 + len(heard))
    with p.phase("count the hop"):
        p.set(live[0])
        for one, message in zip(live[1:], heard, strict=True):
            p.assign(one, message.present)
            p.assign(message.value.distance, message.value.distance + 1)
    # The root is the upper half of the number, so that it decides first.
    pairs = [Number((*one.distance, *one.root)) for one in (state, *offers)]
    idioms.minimum(p, live, pairs)
    with p.phase("adopt"), p.when(~live[0]):
        _, *firsts = idioms.priority(live)
        for field in ("root", "distance"):
            chosen = [
                getattr(offer, field).where(one) for offer, one in zip(offers, firsts, strict=True)
            ]
            p.assign(getattr(state, field), either(chosen))
        p.set(state.parent.present, when=any_of(firsts))
        for port, one in enumerate(firsts):
            p.assign(state.parent.value, port, when=one)


def answer(state: Any, node: Node) -> dict[str, int]:
    """Root, distance and parent, an identifier."""
    parent = -1 if state.parent is None else node.neighbours[state.parent]
    return {"root": state.root, "distance": state.distance, "parent": parent}


def build_gathered(*, word: int) -> Local:
    """The same for split graphs: neighbours say who they are, so that the first of them is the least."""
    number, size = Identifier(word), 1 << word
    Offer = Record("Offer", root=number, distance=number, sender=number)
    # What neighbours are offered is one hop further than the node itself.
    State = Record("State", offer=Offer, distance=number, parent=Optional(number))

    def init(node: Node) -> Any:
        offer = Offer(root=node.identifier, distance=1 % size, sender=node.identifier)
        return State(offer=offer, distance=0, parent=None)

    def adopt(state: Any, total: Any) -> Any:
        if (total.root, total.distance) >= (state.offer.root, state.distance):
            return state
        offer = Offer(
            root=total.root, distance=(total.distance + 1) % size, sender=state.offer.sender
        )
        return State(offer=offer, distance=total.distance, parent=total.sender)

    def adopt_body(p: Builder, state: Any, total: Any) -> None:
        smaller = p.flag("smaller", temporary=True)
        found = idioms.less(
            p,
            Number((*total.distance, *total.root)),
            Number((*state.distance, *state.offer.root)),
        )
        with p.phase("compare"):
            p.assign(smaller, found)
        with p.phase("adopt"), p.when(smaller):
            p.assign(state.offer.root, total.root)
            p.assign(state.offer.distance, total.distance + 1)
            p.assign(state.distance, total.distance)
            p.set(state.parent.present)
            p.assign(state.parent.value, total.sender)

    return Local(
        name="spanning-tree",
        state=State,
        message=Offer,
        init=init,
        send=lambda state: state.offer,
        stages=(Gather(least(Offer), adopt, adopt_body),),
        output=lambda state, node: {
            "root": state.offer.root,
            "distance": state.distance,
            "parent": -1 if state.parent is None else state.parent,
        },
    )


def word_for(graph: Graph) -> int:
    """One more than the largest distance is compared, before it loses."""
    return bits_for(num_identifiers(graph))


FAMILY = Family(
    name="spanning-tree",
    summary=SUMMARIES["spanning-tree"],
    build=build,
    rounds=from_smallest,
    word=word_for,
    reference=reference.spanning_tree,
    formats={"root": as_node, "parent": as_node},
    gathered=Gathered(build_gathered, word_for),
)
