"""Breadth-first search finds distances and smallest-identifier parents, on all graphs.

The induction is over steps, and local: every node of every graph satisfies the hypothesis before step
0 (`base`); if a node and its in-neighbours satisfy it before a step, the node satisfies it afterwards
(`choose`, `listen`); and where it holds late enough the decoded answer is right (`final`).

Ghosts: r, the round, and d(x), the distance of a node from the sources, for the node and its
in-neighbours. Of d nothing is assumed but two facts that hold of distances in any graph, directed or
not, from any set of sources: d(v) <= d(u) + 1 for each in-neighbour u, and a node that is no source has
d(v) = 0 never and, where d(v) is finite, an in-neighbour with d(u) + 1 = d(v).
"""

from collections.abc import Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, TRUE, Bits, Literal
from ..obligation import Obligation
from ..step import Fields, exchange, fields, flat, state_of
from ..theorem import COLOURING, SEMANTICS, Theorem
from .neighbourhood import Neighbourhood

Claim = list[tuple[Literal, str]]


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Distances and parents of breadth-first search."""
    degree, slots, word = (sizes[name] for name in ("degree", "slots", "word"))

    def obligations(step: str) -> Any:
        return lambda: build(step, program, sizes)

    return Theorem(
        name="bfs",
        sizes=dict(sizes),
        sentence=(
            "After 2r + 1 steps, where r is at least the largest finite distance from the sources, every"
            " node v knows whether it is reachable, its distance d(v), and as its parent the in-neighbour u"
            " of the smallest identifier with d(u) + 1 = d(v)."
        ),
        scope=(
            f"graphs of any number of nodes, directed or not, with at most {degree} in-neighbours a node",
            f"any two-hop colouring with at most {slots} colours",
            f"any set of sources, finite distances up to {2**word - 1}",
        ),
        prose=(
            "Distances in graphs satisfy d(v) = 0 exactly at sources, d(v) <= d(u) + 1 for in-neighbours"
            " u of v, with equality for one of them where 0 < d(v) is finite.",
            "A property that holds of all nodes before step 0, and after a step if it holds of all nodes"
            " before it, holds of all nodes before every step.",
            "The first states are as `base` says, and an answer is read from the fields `reached`,"
            " `distance` and `parent`.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={step: obligations(step) for step in ("base", "choose", "listen", "final")},
    )


class World(Neighbourhood):
    """Ghosts: the round r, and the distances of a node and its in-neighbours.

    Distances below 2^word are finite; all others are one number, above every round.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        coloured: see `Neighbourhood`.
        distances: whether to assume of d what holds of distances; without it is a control.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        coloured: bool = True,
        distances: bool = True,
    ) -> None:
        super().__init__(obligation, max(1, sizes["degree"]), sizes["slots"], coloured=coloured)
        c, o = self.circuit, obligation
        self.word = sizes["word"]
        width = self.word + 2
        limit = c.number(1 << self.word, width)
        self.infinite = c.number(1 << self.word + 1, width)
        self.round = o.input("round", width)
        o.assume(c.at_most(self.round, limit), "rounds up to 2^word")
        self.distance = [o.input(f"distance{x}", width) for x in self.members]
        for own in self.distance:
            finite = c.less(own, limit)
            o.assume(c.any([finite, c.equal(own, self.infinite)]), "finite or infinite")
        node = self.distance[0]
        self.source = c.equals(node, 0)
        if distances:
            for here, other in zip(self.present, self.distance[1:], strict=True):
                near = c.at_most(node, c.increment(other))
                o.assume(c.implies(here, near), "d(v) <= d(u) + 1")
            far = c.equal(node, self.infinite)
            o.assume(c.any([self.source, far, *self.above(node)]), "d(v) = d(u) + 1 for some u")

    def above(self, distance: Bits) -> list[Literal]:
        """By port, whether there is an in-neighbour one level above this distance."""
        c = self.circuit
        return [
            c.all([here, c.equal(c.increment(other), distance)])
            for here, other in zip(self.present, self.distance[1:], strict=True)
        ]

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
    coloured: bool = True,
    distances: bool = True,
) -> Obligation:
    """One obligation of the induction.

    Args:
        name: `base`, `choose`, `listen` or `final`.
        program: what the nodes execute.
        sizes: of the program.
        coloured: see `World`.
        distances: see `World`.
    """
    o = Obligation(name)
    world = World(o, sizes, coloured=coloured, distances=distances)
    if name == "base":
        base(o, world, program)
    elif name == "final":
        final(o, world, program)
    else:
        induction(o, world, program)
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
    for claim, part in world.before_choose(fields(program, state_of(program, first)), 0):
        o.conclude(claim, part)


def induction(o: Obligation, world: World, program: Program) -> None:
    """A step of a node and its in-neighbours keeps the hypothesis at the node."""
    chooses = o.name == "choose"
    states = [o.input(f"state{x}", program.num_bits) for x in world.members]
    hypothesis = world.before_choose if chooses else world.before_listen
    for x, state in enumerate(states):
        for claim, part in hypothesis(fields(program, state), x):
            o.assume(o.circuit.implies(world.here(x), claim), f"the hypothesis: {part}")
    after = fields(program, exchange(o, program, states, world.present))
    if not chooses:
        world.round = o.circuit.increment(world.round)
    for claim, part in (world.before_listen if chooses else world.before_choose)(after, 0):
        o.conclude(claim, part)


def final(o: Obligation, world: World, program: Program) -> None:
    """Where the hypothesis holds and all finite distances are at most r, the answer is right."""
    c, node = o.circuit, world.distance[0]
    at = fields(program, o.input("state0", program.num_bits))
    for claim, part in world.before_listen(at, 0):
        o.assume(claim, f"the hypothesis: {part}")
    finite = -c.equal(node, world.infinite)
    o.assume(c.implies(finite, c.at_most(node, world.round)), "d(v) <= r where it is finite")
    o.conclude(c.iff(at["reached"][0], finite), "reached")
    right = c.equal([*at["distance"], FALSE, FALSE], node)
    o.conclude(c.implies(finite, right), "distance")
    has = c.all([finite, -world.source])
    o.conclude(c.iff(has, c.any(at["parent"])), "parent")
    o.conclude(c.at_most_one(at["parent"]), "parent")
    for bit, one in zip(at["parent"], world.smallest(world.above(node)), strict=True):
        o.conclude(c.implies(bit, one), "parent")
