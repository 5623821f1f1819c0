"""What the theorems about depth-first search say."""

import functools
from collections.abc import Mapping
from typing import Any

from ....program import Program
from ...obligation import Obligation
from ...specifications import dfs as specification
from ...specifications.node import node_round
from ...theorem import COLOURING, SEMANTICS, Theorem
from ..induction import INDUCTION
from ..neighbourhood import PORTS
from . import simulation, stack

RUN = (
    "Round r of the textbook's search takes one tick. Its holder u_r is the top of the stack, at first the"
    " source. It becomes discovered if it was not yet. If it has neighbours that are not discovered, the"
    " one of the smallest identifier is u_(r+1); if not, it becomes finished, and u_(r+1) is its parent,"
    " the node that held before it when it was discovered; the source's finish ends the search. This is"
    " recursive depth-first search with its stack made explicit, and with n nodes in the component the"
    " source finishes in round 2n - 2.",
    "Before every round there is a holder with such a neighbour (`stack-push`) or without, then the source"
    " (`stack-end`) or not (`stack-pop`), or there is no holder (`stack-rest`): after the end, and always"
    " in a component without a source. What holds before round 0 (`stack-base`) and, if before a round,"
    " then before the next, holds before every round; this is what `choose` and `listen` assume of the run.",
    "The graph is undirected, without loops and with one edge at most between two nodes, and a component has"
    " at most one source. The loader checks this for every graph, or leaves loops out. A component with a"
    " source has fewer than 2^word nodes, so distances in it and heights on the stack, which are below the"
    " number of nodes, are words.",
    "Distances from the source satisfy e(v) = 0 there alone, e(v) <= e(u) + 1 for neighbours u of v, with"
    " equality for one of them at every other node of its component.",
    *PORTS,
    *INDUCTION,
)
KNOWN = (
    "After 2r + 1 steps every node v holds what depth-first search, smallest identifier first, has found in"
    " rounds 0 to r: whether v is discovered, and then its time of discovery and its parent (none at a"
    " source); whether it is finished, and then its time of finish. Times are modulo 2^word, of a clock that"
)
OVER = (
    " The flag `done` is set at v after 2r + 1 steps exactly if r >= f + e(v), where f is the round in which"
    " the source of its component finishes, and e(v) the distance of v from there. Where it is set, v is"
    " discovered and finished, the search of its component is over, and no step changes v's answer any more:"
    " a run may stop when it is set at all nodes. At one node, whatever it hears, a round does what the"
    " pseudo-code says."
)


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Depth-first search from one source in a component."""
    return Theorem(
        name="dfs",
        sizes=dict(sizes),
        sentence=f"{KNOWN} discovers the source at 1.{OVER}",
        scope=(
            *_scope(sizes),
            "any set of sources, at most one in each component",
            f"components with a source of up to {_nodes(sizes)} nodes, others of any size",
        ),
        prose=(
            *RUN,
            "The first states are as `base` says, with the sources as roots, and an answer is read from"
            " the fields `visited`, `finished`, `discovery`, `finish` and `parent`. With n nodes in the"
            " component, times are at most 2n, so below 2^word they are what they are modulo 2^word.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations=_obligations(program, sizes, 1),
    )


def forest(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Depth-first search of all components, by one clock."""
    return Theorem(
        name="dfs-forest",
        sizes=dict(sizes),
        sentence=(
            f"{KNOWN} discovers the source of a component at 1 plus what its nodes are given as the time"
            f" used before, all of them the same.{OVER}"
        ),
        scope=(
            *_scope(sizes),
            "the source of a component is its smallest node",
            f"graphs of up to {_nodes(sizes)} nodes",
        ),
        prose=(
            *RUN,
            "The textbook searches components in the order of their smallest nodes, which are the sources,"
            " and a component of n nodes takes 2n ticks; so the time used before a component is twice the"
            " number of nodes in components with a smaller smallest node. The loader computes it.",
            "The first states are as `base` says, with the smallest node of every component as its root,"
            " and an answer is read from the fields `visited`, `finished`, `discovery`, `finish` and"
            " `parent`. With n nodes in the graph, times are at most 2n, so below 2^word they are what"
            " they are modulo 2^word.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations=_obligations(program, sizes, None),
    )


def _nodes(sizes: Mapping[str, int]) -> int:
    """The most nodes whose times fit into a word."""
    return (2 ** sizes["word"] - 1) // 2


def _scope(sizes: Mapping[str, int]) -> tuple[str, ...]:
    return (
        f"undirected graphs with at most {sizes['degree']} neighbours a node",
        f"any two-hop colouring with at most {sizes['slots']} colours",
    )


def _obligations(program: Program, sizes: Mapping[str, int], clock: int | None) -> dict[str, Any]:
    rounds = {name: functools.partial(stack.build, name, sizes["word"]) for name in stack.ROUNDS}
    steps = {
        name: functools.partial(simulation.build, name, program, sizes, clock=clock)
        for name in simulation.STEPS
    }
    return rounds | steps | {"node-round": functools.partial(at_a_node, program, sizes)}


def at_a_node(program: Program, sizes: Mapping[str, int]) -> Obligation:
    """A round at one node is that of the pseudo-code."""
    begin = functools.partial(
        specification.first,
        slots=sizes["slots"],
        ports=max(1, sizes["degree"]),
        word=sizes["word"],
    )
    steps = [("choose", specification.choose), ("listen", specification.listen)]
    return node_round(program, steps, specification.invariant, begin)
