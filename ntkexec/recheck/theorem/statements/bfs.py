"""Breadth-first search finds distances and smallest-identifier parents, on all graphs.

The induction is over steps, and local: every node of every graph satisfies the hypothesis before step
0 (`base`); if a node and its in-neighbours satisfy it before a step, the node satisfies it afterwards
(`choose`, `listen`); and where it holds late enough the decoded answer is right (`final`). Apart from
that, a round at one node is that of the specification (`node-round`).

Ghosts: r, the round, and d(x), the distance of a node from the sources, for the node and its
in-neighbours. Of d nothing is assumed but two facts that hold of distances in any graph, directed or
not, from any set of sources: d(v) <= d(u) + 1 for each in-neighbour u, and a node that is no source has
d(v) = 0 never and, where d(v) is finite, an in-neighbour with d(u) + 1 = d(v).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, TRUE, Bits, Literal
from ..obligation import Obligation
from ..specifications import bfs as specification
from ..specifications.node import node_round
from ..step import Fields, fields, first_state, flat, state_of
from ..theorem import COLOURING, SEMANTICS, Theorem
from .distances import DISTANCES, Distances
from .induction import INDUCTION, Claim, advance, satisfied, show
from .neighbourhood import PORTS

OBLIGATIONS = ("base", "choose", "listen", "final", "node-round")


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Distances and parents of breadth-first search."""
    degree, slots, word = (sizes[name] for name in ("degree", "slots", "word"))

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes)

    return Theorem(
        name="bfs",
        sizes=dict(sizes),
        sentence=(
            f"After 2r + 1 steps, for any r from the largest finite distance from the sources to {2**word},"
            " every node v knows whether it is reachable, its distance d(v), and as its parent the"
            " in-neighbour u of the smallest identifier with d(u) + 1 = d(v), if it is reachable and no"
            " source. At one node, whatever it hears, a round does what the pseudo-code says."
        ),
        scope=(
            f"graphs of any number of nodes, directed or not, with at most {degree} in-neighbours of a node,"
            " itself not counted",
            f"any two-hop colouring with at most {slots} colours",
            f"any set of sources, finite distances up to {2**word - 1}",
        ),
        prose=(
            *DISTANCES,
            *PORTS,
            *INDUCTION,
            "The first states are as `base` says, and an answer is read from the fields `reached`,"
            " `distance` and `parent`.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={name: obligation(name) for name in OBLIGATIONS},
    )


class World(Distances):
    """Ghosts of breadth-first search, and what the fields of its program hold by them.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        controls: see `Distances`.
    """

    def __init__(self, obligation: Obligation, sizes: Mapping[str, int], **controls: bool) -> None:
        degree, slots, word = max(1, sizes["degree"]), sizes["slots"], sizes["word"]
        super().__init__(obligation, degree, slots, word, **controls)

    def common(self, at: Fields, x: int) -> Claim:
        """What holds before every step."""
        c = self.circuit
        out = [(c.equal(at["colour"], self.colour[x]), "colour")]
        if x == 0:
            slots = zip(at["port.slot"], self.port_slots(), strict=True)
            out += [(c.equal(own, slot), "ports") for own, slot in slots]
        return out

    def told(self, at: Fields, x: int, count: Bits, reached: Literal) -> Claim:
        """What a node knows of itself, if it counted so far, and was reached or not."""
        c, own = self.circuit, self.distance[x]
        out = [(c.iff(at["reached"][0], reached), "reached")]
        shown = c.select(reached, own, count)[: self.word]
        out.append((c.equal(at["distance"], shown), "distance"))
        if x == 0:
            known = c.all([reached, -self.source])
            first = self.smallest(self.above(own))
            parents = zip(at["parent"], first, strict=True)
            out += [(c.iff(bit, c.all([known, one])), "parent") for bit, one in parents]
        return out

    def before_choose(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 2r, as far as it speaks of the node x alone."""
        c, r, own = self.circuit, self.round, self.distance[x]
        below = [TRUE] * len(r)
        out = self.common(at, x) + self.told(at, x, c.add(r, below), c.less(own, r))
        out.append((-at["phase"][0], "phase"))
        out += [(-bit, "inbox") for bit in flat(at["inbox.call"])]
        ahead = c.at_most(r, own)
        out.append((c.implies(ahead, c.iff(at["called"][0], c.equal(own, r))), "called"))
        if x == 0:
            calls = zip(flat(at["calls.made"]), self.above(r), strict=True)
            out += [(c.implies(ahead, c.iff(bit, one)), "calls") for bit, one in calls]
        return out

    def before_listen(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 2r + 1, as far as it speaks of the node x alone."""
        c, r = self.circuit, self.round
        out = self.common(at, x) + self.told(at, x, r, c.at_most(self.distance[x], r))
        out.append((at["phase"][0], "phase"))
        if x == 0:
            new = self.by_slot([c.equal(own, r) for own in self.distance])
            inbox = zip(flat(at["inbox.call"]), new, strict=True)
            out += [(c.iff(bit, one), "inbox") for bit, one in inbox]
        return out


def build(
    name: str,
    program: Program,
    sizes: Mapping[str, int],
    *,
    world: Callable[..., World] = World,
    **controls: bool,
) -> Obligation:
    """One obligation.

    Args:
        name: one of `OBLIGATIONS`.
        program: what the nodes execute.
        sizes: of the program.
        world: the hypothesis; another one is a control.
        controls: see `Distances`.
    """
    if name == "node-round":
        width = max(1, sizes["degree"])
        begin = functools.partial(
            specification.first, slots=sizes["slots"], ports=width, word=sizes["word"]
        )
        steps = [("choose", specification.choose), ("listen", specification.listen)]
        return node_round(program, steps, specification.invariant, begin)
    o = Obligation(name)
    near = world(o, sizes, **controls)
    if name == "base":
        base(o, near, program)
    elif name == "choose":
        show(o, near.before_listen(advance(o, near, program, near.before_choose), 0))
    elif name == "listen":
        after = advance(o, near, program, near.before_listen)
        near.round = o.circuit.increment(near.round)
        show(o, near.before_choose(after, 0))
    else:
        final(o, near, program)
    return o


def base(o: Obligation, world: World, program: Program) -> None:
    """The first states satisfy the hypothesis before step 0."""
    o.assume(o.circuit.equals(world.round, 0), "before step 0")
    first = {
        "colour": world.colour[0],
        "port.slot": world.port_slots(),
        "called": [world.source],
        "distance": [TRUE] * world.word,
    }
    begin = first_state(o, program, state_of(program, first))
    show(o, world.before_choose(fields(program, begin), 0))


def final(o: Obligation, world: World, program: Program) -> None:
    """Where the hypothesis holds and all finite distances are at most r, the answer is right."""
    c, node, finite = o.circuit, world.distance[0], world.finite
    at = satisfied(o, program, world.before_listen)
    o.assume(c.implies(finite, c.at_most(node, world.round)), "d(v) <= r where it is finite")
    o.conclude(c.iff(at["reached"][0], finite), "reached")
    right = c.equal([*at["distance"], FALSE, FALSE], node)
    o.conclude(c.implies(finite, right), "distance")
    has = c.all([finite, -world.source])
    o.conclude(c.iff(has, c.any(at["parent"])), "parent")
    o.conclude(c.at_most_one(at["parent"]), "parent")
    for bit, one in zip(at["parent"], world.smallest(world.above(node)), strict=True):
        o.conclude(c.implies(bit, one), "parent")
