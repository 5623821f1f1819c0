"""Breadth-first search on split graphs finds distances and first parents, on all graphs and all trees.

The induction is local, over steps, as that of `bfs`. Nodes belong to trees, of *inner* edges of length 0;
all others are *outer* edges of length 1; d(x) is the distance of a node from the sources, whole trees.
A level has 2h + 1 times two steps: `outer` once, `up` and `down` h times each, as a counter from
2^b - h to 2^b - 1 says. Ghosts beside d are the level r, the counter k, and of each node how deep it
lies in its tree and how high above a *caller*: a node of the same tree that hears, through an outer
edge, a node with a distance smaller by one. Both are counted from where the counter starts: so "at most
j hops" reads `<= k` in the step j of a stage. What is assumed of these is true in any forest.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, TRUE, Bits, Literal
from ..obligation import Obligation
from ..specifications import bfs_split as specification
from ..specifications.node import node_round
from ..step import Fields, fields, first_state, flat, state_of
from ..theorem import COLOURING, SEMANTICS, Theorem
from .induction import INDUCTION, Claim, advance, satisfied, show
from .trees import TREES, Trees

OUTER, UP, DOWN = range(3)
STAGES = ("outer", "up", "down")
STEPS = tuple(f"{stage}-{phase}" for stage in STAGES for phase in ("send", "listen"))
OBLIGATIONS = ("base", *STEPS, "final", "node-round")


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Distances and parents of breadth-first search on a split graph."""
    degree, slots, word, bits = (sizes[n] for n in ("degree", "slots", "word", "depth_bits"))

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes)

    return Theorem(
        name="bfs-split",
        sizes=dict(sizes),
        sentence=(
            f"After 2(2h + 1)r + 1 steps, for any r from the largest finite distance from the sources to"
            f" {2**word}, every node v knows whether it is reachable, and its distance d(v), where edges of"
            " trees have length 0 and all others length 1. If it is reachable and in no source's tree, its"
            " parent is the first port that leads to another tree and there to a u with d(u) + 1 = d(v), or"
            " to a node below in its tree that lies on the way to a node with such a port; the root has"
            " one. At one node, whatever it hears, two steps do what the pseudo-code says."
        ),
        scope=(
            f"graphs of any number of nodes, directed or not, with at most {degree} in-neighbours of a node,"
            " itself not counted, in rooted trees that cover all nodes, their edges in both directions",
            f"trees of depth at most h, for every h from 1 to {2**bits - 1}",
            f"any two-hop colouring with at most {slots} colours",
            f"any set of trees as sources, finite distances up to {2**word - 1}",
        ),
        prose=(
            *TREES,
            *INDUCTION,
            "The first states are as `base` says, and an answer is read from the fields `reached`,"
            " `distance` and `parent`. From a root the parents lead down its tree and out at the first"
            " neighbour on the previous level, in the order in which the tree is walked.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={name: obligation(name) for name in OBLIGATIONS},
    )


class World(Trees):
    """What the fields of the program hold, by the ghosts of trees.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        controls: see `Trees`.
    """

    def __init__(self, obligation: Obligation, sizes: Mapping[str, int], **controls: bool) -> None:
        degree = max(1, sizes["degree"])
        super().__init__(
            obligation, degree, sizes["slots"], sizes["word"], sizes["depth_bits"], **controls
        )

    def always(self, at: Fields, x: int, stage: int, listens: bool) -> Claim:
        """What holds before every step: constants of the state, stage and phase."""
        c = self.circuit
        now = [TRUE if s == stage else FALSE for s in range(3)]
        out = [
            (c.equal(at["colour"], self.colour[x]), "colour"),
            (c.equal(at["start"], self.start), "start"),
            (c.iff(at["root"][0], self.is_root(x)), "root"),
            (c.equal(at["stage"], now), "stage"),
            (at["phase"][0] if listens else -at["phase"][0], "phase"),
        ]
        if stage != OUTER:
            out.append((c.equal(at["counter"], self.counter), "counter"))
        if x == 0:
            slots = zip(at["port.slot"], self.port_slots(), strict=True)
            out += [(c.equal(own, slot), "ports") for own, slot in slots]
            kinds = [("kind.outer", self.outer), ("kind.upper", self.upper)]
            out += [
                (c.iff(bit, ghost), "kinds")
                for path, ghosts in kinds
                for bit, ghost in zip(flat(at[path]), ghosts, strict=True)
            ]
        return out

    def told(self, at: Fields, x: int, count: Bits, reached: Literal) -> Claim:
        """What a node knows of itself, if it counted so far, and was reached or not."""
        c, own = self.circuit, self.distance[x]
        out = [(c.iff(at["reached"][0], reached), "reached")]
        shown = c.select(reached, own, count)[: self.word]
        out.append((c.equal(at["distance"], shown), "distance"))
        if x == 0:
            parents = zip(at["parent"], self.smallest(self.callers()), strict=True)
            out += [(c.iff(bit, c.all([reached, one])), "parent") for bit, one in parents]
        return out

    def calls(
        self, at: Fields, x: int, open_: Literal, ports: list[Literal], some: Literal
    ) -> Claim:
        """Which ports call, and whether some does, at a node that is not reached yet."""
        c, calls = self.circuit, flat(at["calls.made"])
        out = [(c.implies(open_, c.iff(c.any(calls), some)), "some call")]
        if x == 0:
            pairs = zip(calls, ports, strict=True)
            out += [(c.implies(open_, c.iff(bit, one)), "calls") for bit, one in pairs]
        return out

    def heard(self, at: Fields, x: int, sends: list[Literal] | None) -> Claim:
        """What is in the inbox, if the node and its in-neighbours sent so."""
        inbox = flat(at["inbox.call"])
        if sends is None:
            return [(-bit, "inbox") for bit in inbox]
        if x:
            return []
        slots = zip(inbox, self.by_slot(sends), strict=True)
        return [(self.circuit.iff(bit, one), "inbox") for bit, one in slots]

    def before_send(self, stage: int, at: Fields, x: int) -> Claim:
        """The hypothesis before a send of level r, as far as it speaks of the node x alone."""
        c, r, own = self.circuit, self.round, self.distance[x]
        out = self.always(at, x, stage, False) + self.heard(at, x, None)
        if stage == OUTER:
            before = c.add(r, [TRUE] * len(r))
            out += self.told(at, x, before, c.less(own, r))
            # Calls of the level before; nobody asks here whether there is one.
            risen = c.all([c.equal(own, r), self.rises(x)])
            out += self.calls(at, x, c.at_most(r, own), self.calling(r), risen)
            return [*out, (c.iff(at["fresh"][0], c.at_most(own, r)), "fresh")]
        return out + self._inside(stage, at, x, listens=False)

    def before_listen(self, stage: int, at: Fields, x: int) -> Claim:
        """The hypothesis before a listen of level r, as far as it speaks of the node x alone."""
        c, r = self.circuit, self.round
        out = self.always(at, x, stage, True)
        sends = [self.sends(stage, y) for y in self.members]
        out += self.heard(at, x, sends)
        if stage != OUTER:
            return out + self._inside(stage, at, x, listens=True)
        own = self.distance[x]
        out += self.told(at, x, r, c.at_most(own, r))
        out += self.calls(at, x, c.less(r, own), [FALSE] * self.degree, FALSE)
        return [*out, (c.iff(at["fresh"][0], c.at_most(own, r)), "fresh")]

    def _inside(self, stage: int, at: Fields, x: int, *, listens: bool) -> Claim:
        """What a node knows in the stages up and down."""
        c, r, own = self.circuit, self.round, self.distance[x]
        out = self.told(at, x, r, c.at_most(own, r))
        following = c.increment(r)
        new = c.equal(own, following)
        below = None if stage == DOWN else self.counter
        risen = self.rises(x) if stage == DOWN else self.risen(x)
        ports = self.calling(following, below)
        out += self.calls(at, x, c.less(r, own), ports, c.all([new, risen]))
        told = FALSE
        if stage == DOWN:
            begun = TRUE if listens else c.less(self.start, self.counter)
            told = c.all([new, begun, self.due(x)])
        return [*out, (c.iff(at["fresh"][0], c.any([c.at_most(own, r), told])), "fresh")]

    def sends(self, stage: int, x: int) -> Literal:
        """Whether a node speaks in this step."""
        c, own = self.circuit, self.distance[x]
        if stage == OUTER:
            return c.equal(own, self.round)
        reaches = self.due(x) if stage == DOWN else self.risen(x)
        return c.all([c.equal(own, c.increment(self.round)), reaches])


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
        controls: see `Trees`.
    """
    if name == "node-round":
        begin = functools.partial(
            specification.first,
            slots=sizes["slots"],
            ports=max(1, sizes["degree"]),
            word=sizes["word"],
            depth_bits=sizes["depth_bits"],
        )
        steps = [("send", specification.send), ("listen", specification.listen)]
        return node_round(program, steps, specification.invariant, begin)
    o = Obligation(name)
    near = world(o, sizes, **controls)
    if name == "base":
        base(o, near, program)
    elif name == "final":
        final(o, near, program)
    else:
        stage_name, phase = name.split("-")
        step(o, near, program, STAGES.index(stage_name), phase == "listen")
    return o


def step(o: Obligation, world: World, program: Program, stage: int, listens: bool) -> None:
    """A step of a stage leads to what holds before the next."""
    hypothesis = world.before_listen if listens else world.before_send
    after = advance(o, world, program, functools.partial(hypothesis, stage))
    if not listens:
        show(o, world.before_listen(stage, after, 0))
        return
    if stage == OUTER:
        world.counter = world.start
        show(o, world.before_send(UP, after, 0))
        return
    c = o.circuit
    last = c.all(world.counter)
    world.counter = c.increment(world.counter)
    show(o, [(c.implies(-last, claim), part) for claim, part in world.before_send(stage, after, 0)])
    world.counter = world.start
    if stage == DOWN:
        world.round = c.increment(world.round)
    following = world.before_send(DOWN if stage == UP else OUTER, after, 0)
    show(o, [(c.implies(last, claim), f"last {part}") for claim, part in following])


def base(o: Obligation, world: World, program: Program) -> None:
    """The first states satisfy the hypothesis before step 0."""
    o.assume(o.circuit.equals(world.round, 0), "before step 0")
    first = {
        "colour": world.colour[0],
        "port.slot": world.port_slots(),
        "kind.outer": [[bit] for bit in world.outer],
        "kind.upper": [[bit] for bit in world.upper],
        "root": [world.is_root(0)],
        "start": world.start,
        "stage": [TRUE, FALSE, FALSE],
        "fresh": [o.circuit.equals(world.distance[0], 0)],
        "distance": [TRUE] * world.word,
    }
    begin = first_state(o, program, state_of(program, first))
    show(o, world.before_send(OUTER, fields(program, begin), 0))


def final(o: Obligation, world: World, program: Program) -> None:
    """Where the hypothesis holds and all finite distances are at most r, the answer is right."""
    c, node, finite = o.circuit, world.distance[0], world.finite(0)
    at = satisfied(o, program, functools.partial(world.before_listen, OUTER))
    o.assume(c.implies(finite, c.at_most(node, world.round)), "d(v) <= r where it is finite")
    o.conclude(c.iff(at["reached"][0], finite), "reached")
    right = c.equal([*at["distance"], FALSE, FALSE], node)
    o.conclude(c.implies(finite, right), "distance")
    o.conclude(c.iff(world.rises(0), c.any(at["parent"])), "parent")
    o.conclude(c.at_most_one(at["parent"]), "parent")
    for bit, one in zip(at["parent"], world.smallest(world.callers()), strict=True):
        o.conclude(c.implies(bit, one), "parent")
    searched = c.all([world.is_root(0), finite, -c.equals(node, 0)])
    o.conclude(c.implies(searched, c.any(at["parent"])), "a root's parent")
