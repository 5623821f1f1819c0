"""What the theorem about breadth-first search in queue order says."""

import functools
from collections.abc import Mapping
from typing import Any

from ....program import Program
from ...theorem import COLOURING, SEMANTICS, Theorem
from ..induction import INDUCTION
from ..neighbourhood import PORTS
from . import messages, order

TREE = (
    "In a component with one source s, the textbook's queue, into which a node puts its neighbours in the"
    " order of its ports, gives every node x its level d(x), its place ord(x), from 0, in the order in"
    " which nodes leave the queue, and, but for s, its parent: the neighbour that put it in. A parent is one"
    " level up, and of all neighbours the first to leave. Nodes of smaller levels leave first; those of"
    " one level leave by the places of their parents, and those of one parent by its ports.",
    "These are facts about that tree, for every level k. A_k(s) is the number of nodes above level k. If x"
    " is above level k, its children c_1, ..., c_m by port satisfy A_k(c_1) = A_k(x) and A_k(c_(i+1)) ="
    " B_k(c_i), where B_k(c) - A_k(c) is the number of descendants of c on level k; so B_k(x) = B_k(c_m),"
    " or A_k(x) if there are no children. If x is on level k, A_k(x) = ord(x) = B_k(x) - 1. Below level k"
    " both are 0. A node has descendants on a level from its own on only if it has some on every level"
    " between, and all nodes descend from s. Let d(x) <= k: a node y of level k is x or descends from"
    " it exactly if A_k(x) <= ord(y) < B_k(x).",
)
WALK = (
    "The walk through the tree is the following. It begins at s, with k = c = 0. At a node y above level k it"
    " goes on, in one round, to the child z with descendants on level k for which A_k(z) = c, or, where"
    " B_k(y) = c, to y's parent. At a node of level k it takes three rounds, adds 1 to c in the third and"
    " goes to the parent. Where it would go up from s, it stays there, with k + 1 in place of k, or ends if"
    " there is no level k + 1. It is a function of the round: `order-listen` shows that one of these"
    " applies, and no two. While it is at y, the ancestors of y are those nodes through which it came down"
    " and has not gone up from: the path from s to y.",
    "What is assumed of the walk, at a node, its neighbours, or where it is, is shown there by `order-base`"
    " and `order-listen`, or is one of these facts and rules.",
    "The walk ends: a tour passes each edge of the tree at most once in each direction, and there are"
    " finitely many levels. d(u) and d(v) differ by one at most if u and v are neighbours.",
)


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Nodes are visited in the order of the textbook's queue, and one token does it."""
    degree, slots, word = (sizes[name] for name in ("degree", "slots", "word"))
    return Theorem(
        name="bfs-queue",
        sizes=dict(sizes),
        sentence=(
            "Before every step, a node v that is visited holds what the textbook's queue, first in, first"
            " out, gives v: its distance d(v) from the source, its parent (none at the source), and its place"
            " in the order of visits. Nodes are visited in this order, one at a time. Before round r, which"
            " takes three steps, the flag `done` is set at v exactly if r >= f + d(v), where f is the first"
            " round before which the walk has ended. Where `done` is set, before any step, every node of the"
            " component is visited, so that no answer changes any more: a run may stop when it is set at all"
            " nodes. In every round at most one node of a component holds the token, and is either called,"
            " or claims, or waits; no two messages meet. At one node, whatever it hears, a round does what"
            " the pseudo-code says."
        ),
        scope=(
            f"undirected graphs with at most {degree} neighbours of a node, itself not counted",
            f"any two-hop colouring with at most {slots} colours",
            f"what is said of the queue: components with exactly one source and up to {2**word - 1} nodes;"
            " what is said of token, messages and pseudo-code: components of any size with one source"
            " at most",
        ),
        prose=(
            *TREE,
            *WALK,
            "The holder of the token is a function of the round: the source in round 0, and then the node"
            " that the state of the holder before names. Components do not hear each other.",
            *PORTS,
            *INDUCTION,
            "The first states are as `base` and `order-base` say, and an answer is read from the fields"
            " `visited`, `distance`, `order` and `parent`, before any step.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={
            name: functools.partial(one.build, name, program, sizes)
            for one in (messages, order)
            for name in one.OBLIGATIONS
        },
    )
