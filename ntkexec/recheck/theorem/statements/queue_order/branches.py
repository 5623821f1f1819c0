"""What a node knows of its branches: where the walk has found something, and is still to go."""

from typing import NamedTuple

from ...circuit import FALSE, Bits, Literal
from ...step import Fields, flat
from ..induction import Claim
from .walk import Moment, Walk


class Branches(NamedTuple):
    """What a node knows, by port.

    Args:
        alive: whether the walk has found descendants on the level that it went to, or if it was
            there already, on the level below.
        pending: whether the walk is still to go there.
        current: whether it is there, or came from there.
        found: whether this tour has found something in an earlier branch.
    """

    alive: Bits
    pending: Bits
    current: Bits
    found: Literal


def held(walk: Walk, at: Fields, cases: list[tuple[Literal, Branches]]) -> Claim:
    """That the fields of the node are those of the case that holds, and empty if none does.

    Args:
        walk: which.
        at: the fields.
        cases: conditions that exclude each other, each with what is known then.
    """
    c = walk.circuit

    def union(field: str) -> Bits:
        options = [c.where(when, getattr(known, field)) for when, known in cases]
        return [c.any(bits) for bits in zip(*options, strict=True)]

    found = c.any(c.all([when, known.found]) for when, known in cases)
    claims = [
        c.equal(flat(at["branch.alive"]), union("alive")),
        c.equal(flat(at["branch.pending"]), union("pending")),
        c.equal(at["current"], union("current")),
        c.iff(at["found"][0], found),
    ]
    return [(claim, "branches") for claim in claims]


def here(walk: Walk, at: Moment) -> Bits:
    """By port, whether there is a child with descendants on level k."""
    c = walk.circuit
    return [c.all([down, walk.some(at, x)]) for x, down in enumerate(walk.child, 1)]


def below(walk: Walk, at: Moment) -> Bits:
    """By port, whether there is a child with descendants on level k + 1."""
    return [walk.circuit.all(pair) for pair in zip(walk.child, at.deeper[1:], strict=True)]


def closed(walk: Walk, known: Bits) -> Branches:
    """What is known between two tours: where there is something, the walk is to go."""
    none = [FALSE] * walk.degree
    return Branches(known, known, none, FALSE)


def claimed(walk: Walk) -> Branches:
    """What is known of children who have just answered."""
    none = [FALSE] * walk.degree
    return Branches(list(walk.child), none, none, walk.circuit.any(walk.child))


def underway(walk: Walk, at: Moment, current: Bits) -> Branches:
    """What is known within a tour.

    Args:
        walk: which.
        at: when.
        current: the branch where the walk is, is about to go, or came from: what it finds there the
            node does not know yet.
    """
    c = walk.circuit
    alive, pending, found = [], [], []
    pairs = zip(here(walk, at), below(walk, at), at.low[1:], current, strict=True)
    for now, later, low, there in pairs:
        to_come = c.at_most(at.turns, low)
        alive.append(c.any([there, c.choose(to_come, now, later)]))
        pending.append(c.all([-there, to_come, now]))
        found.append(c.all([-there, -to_come, later]))
    return Branches(alive, pending, current, c.any(found))


def at_rest(walk: Walk, at: Moment, visited: Literal) -> list[tuple[Literal, Branches]]:
    """The cases of a node that is not y.

    Args:
        walk: which.
        at: when.
        visited: whether the node is.
    """
    c = walk.circuit
    to_come = c.at_most(at.turns, at.low[0])
    pairs = zip(here(walk, at), below(walk, at), strict=True)
    known = closed(walk, [c.choose(to_come, *pair) for pair in pairs])
    within = [c.all(pair) for pair in zip(walk.child, at.open[1:], strict=True)]
    return [
        (c.all([visited, -at.open[0]]), known),
        (c.all([at.open[0], -at.token[0]]), underway(walk, at, within)),
    ]


def came_back(walk: Walk, at: Moment) -> Bits:
    """By port, whether the walk is at the node, passes through, and came from there."""
    c = walk.circuit
    passes = c.all([at.token[0], at.mode["walks"]])
    pairs = zip(here(walk, at), at.high[1:], strict=True)
    return [c.all([passes, now, c.equal(high, at.turns)]) for now, high in pairs]
