"""What holds of every node in every round of the textbook's depth-first search.

`choose` and `listen` assume it of a node and its neighbours, and `stack` shows it of any nodes; both
take it from here, so that nothing is assumed but what is shown.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from ...circuit import FALSE, Bits, Circuit, Literal
from ..induction import Claim


class Other(NamedTuple):
    """Another node as a node sees it, before a round.

    Args:
        near: whether it is a neighbour.
        visited: whether it was the holder in an earlier round.
        previous: whether it was the holder in the round before.
        parent: whether it is the node's parent.
        number: tells it from others; none where all others are different nodes.
    """

    near: Literal
    visited: Literal
    previous: Literal
    parent: Literal
    number: Bits


class Seen(NamedTuple):
    """A node before a round.

    Args:
        root: whether the search begins there.
        token: whether it is the holder: on top of the stack.
        visited: whether it was the holder in an earlier round, so that it has a time of discovery.
        finished: whether it was given up for good in an earlier round.
        ended: whether the root was, one literal for all nodes of a component.
        others: some other nodes.
    """

    root: Literal
    token: Literal
    visited: Literal
    finished: Literal
    ended: Literal
    others: Sequence[Other]


def same(c: Circuit, a: Other, b: Other) -> Literal:
    """Whether both are one node; without numbers they are not."""
    return c.equal(a.number, b.number) if a.number or b.number else FALSE


def always(c: Circuit, at: Seen) -> Claim:
    """What holds whatever the other nodes are."""
    new = c.all([at.token, -at.visited])
    out = [
        (c.implies(at.token, -at.finished), "the holder is not finished"),
        (c.implies(at.finished, at.visited), "finished nodes are discovered"),
        (c.implies(at.root, c.iff(at.finished, at.ended)), "the search ends at its root"),
        (c.implies(at.ended, -at.token), "nobody is the holder at the end"),
        (c.implies(c.all([at.ended, at.visited]), at.finished), "all that began is finished"),
    ]
    for one in at.others:
        came = c.all([new, one.near, one.previous])
        known = c.all([at.visited, -at.root])
        seen = c.all([at.finished, one.near])
        out += [
            (c.implies(came, -at.root), "the root is entered from nowhere"),
            (c.implies(one.parent, one.near), "parents are neighbours"),
            (c.implies(one.parent, known), "discovered nodes but the root have parents"),
            (c.implies(seen, one.visited), "neighbours of finished nodes are discovered"),
        ]
    for one, two in combinations(at.others, 2):
        both = c.all([one.near, one.previous, two.near, two.previous])
        out.append((c.implies(both, same(c, one, two)), "one holder in a round"))
        both = c.all([one.parent, two.parent])
        out.append((c.implies(both, same(c, one, two)), "one parent"))
    return out


def somewhere(c: Circuit, at: Seen) -> Claim:
    """What holds if all neighbours are among the others, or those that matter."""
    new = c.all([at.token, -at.visited, -at.root])
    came = c.any(c.all([one.near, one.previous]) for one in at.others)
    known = c.all([at.visited, -at.root])
    return [
        (c.implies(new, came), "entered from a neighbour"),
        (c.implies(known, c.any(one.parent for one in at.others)), "has a parent"),
    ]
