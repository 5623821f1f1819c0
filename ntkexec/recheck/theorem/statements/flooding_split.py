"""Flooding on split graphs brings the message to all trees that it can reach, and in time, on all graphs.

The induction is local, over steps, as that of `flooding`. Nodes belong to parts, here trees, of *inner*
edges of length 0; all others are *outer* edges of length 1; d(x) is the distance of a node from the
sources, whole parts. A round takes one hop through outer edges and then as many inside as a counter from
`start` to 2^b - 1 says. Ghosts beside d are the round r, the counter k, the message, and of each node the
hops inside from the nearest *entrance* of its part: a node that hears, through an outer edge, a node
with a distance smaller by one. They are counted from `start`: so "at most j hops" reads `<= k`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, Bits, Literal
from ..obligation import Obligation
from ..specifications import flooding_split as specification
from ..specifications.node import node_round
from ..step import Fields, fields, first_state, flat, state_of
from ..theorem import COLOURING, SEMANTICS, Theorem
from .induction import INDUCTION, Claim, advance, satisfied, show
from .neighbourhood import Neighbourhood

STEPS = ("across-send", "across-receive", "inside-send", "inside-receive")
OBLIGATIONS = ("base", *STEPS, "final", "node-round")
# What is assumed below, as a reader has to believe it.
PARTS = (
    "Where edges of parts have length 0 and all others length 1, distances are the same at both ends of an"
    " inner edge, 0 exactly in sources' parts, and satisfy d(v) <= d(u) + 1 for in-neighbours u of v in"
    " other parts, with equality for some v and u of every other part at a finite distance.",
    "In such a part the hops of a node from the nearest v of this kind are 0 at these v alone, at most one"
    " more than an inner neighbour's, one more than some inner neighbour's elsewhere, and at most the"
    " largest number of hops between two nodes of a part.",
)


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Who has the message, and since when."""
    names = ("degree", "slots", "message_bits", "arrival_bits", "depth_bits")
    degree, slots, message, arrival, bits = (sizes[name] for name in names)

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes)

    return Theorem(
        name="flooding-split",
        sizes=dict(sizes),
        sentence=(
            "Let H be as the constant says with which the counter starts, 2^b - H, for b ="
            f" {bits}. After 2(H + 1)r steps, for any r from the largest finite distance from the sources"
            f" to {2**arrival}, every node v knows whether it is reachable and, if it is, holds the sources'"
            " message and d(v), its distance, as the round of its arrival, where edges inside parts have"
            " length 0 and all others length 1. At one node, whatever it hears, two steps do what the"
            " pseudo-code says."
        ),
        scope=(
            f"graphs of any number of nodes, directed or not, with at most {degree} in-neighbours of a node,"
            " itself not counted, in parts, such as trees, whose edges lead both ways",
            f"parts in which nodes are at most H hops apart, for every H from 1 to {2**bits - 1}; in trees"
            " of depth h these are 2h",
            f"any two-hop colouring with at most {slots} colours",
            f"any set of parts as sources, finite distances up to {2**arrival - 1}",
            f"any one message of {message} bits, which all nodes of sources' parts hold",
        ),
        prose=(
            *PARTS,
            *INDUCTION,
            "The first states are as `base` says, and an answer is read from the fields `informed`,"
            " `message` and `arrival`.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={name: obligation(name) for name in OBLIGATIONS},
    )


class World(Neighbourhood):
    """Ghosts of flooding in parts, and what the fields of its program hold by them.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        coloured: see `Neighbourhood`.
        distances: whether to assume what holds of distances; without it is a control.
        entrances: whether to assume what holds of hops from entrances; without it is a control.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        coloured: bool = True,
        distances: bool = True,
        entrances: bool = True,
    ) -> None:
        degree, bits = max(1, sizes["degree"]), sizes["depth_bits"]
        super().__init__(obligation, degree, sizes["slots"], coloured=coloured)
        c, o = self.circuit, obligation
        self.word = sizes["arrival_bits"]
        width, self.most = self.word + 2, c.number(1 << bits, bits + 1)
        limit = c.number(1 << self.word, width)
        self.infinite = c.number(1 << self.word + 1, width)
        self.message = o.input("message", sizes["message_bits"])
        self.round = o.input("round", width)
        o.assume(c.at_most(self.round, limit), "rounds up to 2^word")
        self.start, self.counter = o.input("start", bits), o.input("counter", bits)
        o.assume(c.any(self.start), "H is less than 2^b")
        o.assume(c.at_most(self.start, self.counter), "the counter starts there")
        self.distance = [o.input(f"distance{x}", width) for x in self.members]
        self.hops = [o.input(f"hops{x}", bits + 1) for x in self.members]
        self.outer = o.input("outer", degree)
        pairs = zip(self.present, self.outer, strict=True)
        self.inner = [c.all([here, -out]) for here, out in pairs]
        for here, out in zip(self.present, self.outer, strict=True):
            o.assume(c.implies(out, here), "ports lead somewhere")
        for own in self.distance:
            finite = c.less(own, limit)
            o.assume(c.any([finite, c.equal(own, self.infinite)]), "finite or infinite")
        if distances:
            self._assume_distances()
        if entrances:
            self._assume_entrances()

    @property
    def finite(self) -> Literal:
        """Whether the node can be reached."""
        return -self.circuit.equal(self.distance[0], self.infinite)

    def _assume_distances(self) -> None:
        c, o, node = self.circuit, self.obligation, self.distance[0]
        for out, inner, other in zip(self.outer, self.inner, self.distance[1:], strict=True):
            o.assume(c.implies(out, c.at_most(node, c.increment(other))), "d(v) <= d(u) + 1")
            o.assume(c.implies(inner, c.equal(node, other)), "one distance in a part")

    def _assume_entrances(self) -> None:
        """Hops at nodes of searched parts; elsewhere they say nothing."""
        c, o, node, hops = self.circuit, self.obligation, self.distance[0], self.hops[0]
        start = [*self.start, FALSE]
        for own in self.hops:
            o.assume(c.all([c.at_most(start, own), c.at_most(own, self.most)]), "from 0 to H hops")
        searched = c.all([self.finite, -c.equals(node, 0)])
        enters, follows = [], []
        for p, (out, inner) in enumerate(zip(self.outer, self.inner, strict=True)):
            enters.append(c.all([out, c.equal(c.increment(self.distance[p + 1]), node)]))
            after = c.increment(self.hops[p + 1])
            near = c.at_most(hops, after)
            o.assume(c.implies(c.all([searched, inner]), near), "at most one more")
            follows.append(c.all([inner, c.equal(hops, after)]))
        at_entrance = c.equal(hops, start)
        o.assume(c.implies(searched, c.iff(at_entrance, c.any(enters))), "0 at entrances alone")
        farther = c.all([searched, -at_entrance])
        o.assume(c.implies(farther, c.any(follows)), "one more than some inner neighbour's")

    def told(self, at: Fields, x: int, informed: Literal, count: Bits) -> Claim:
        """What a node knows of itself, if it is informed or not, and counted so far."""
        c, own = self.circuit, self.distance[x]
        out = [
            (c.equal(at["colour"], self.colour[x]), "colour"),
            (c.equal(at["start"], self.start), "start"),
            (c.iff(at["informed"][0], informed), "informed"),
            (c.equal(at["message"], c.where(informed, self.message)), "message"),
            (c.equal(at["arrival"], c.select(informed, own, count)[: self.word]), "arrival"),
        ]
        if x == 0:
            for path, ghosts in (("side.outer", self.outer), ("side.inner", self.inner)):
                slots = self.by_slot([FALSE, *ghosts])
                pairs = zip(flat(at[path]), slots, strict=True)
                out += [(c.iff(bit, one), "sides") for bit, one in pairs]
        return out

    def has(self, x: int, *, inside: bool) -> Literal:
        """Whether a node has the message before a step of round r, before or in the hops inside."""
        c, r, own = self.circuit, self.round, self.distance[x]
        earlier = c.at_most(own, r)
        if not inside:
            return earlier
        near = c.at_most(self.hops[x], [*self.counter, FALSE])
        return c.any([earlier, c.all([c.equal(own, c.increment(r)), near])])

    def before(self, at: Fields, x: int, *, inside: bool, receives: bool) -> Claim:
        """The hypothesis before a step of round r, as far as it speaks of the node x alone."""
        c, r = self.circuit, self.round
        count = c.increment(r) if inside or receives else r
        out = self.told(at, x, self.has(x, inside=inside), count)
        out.append((at["phase"][0] if receives else -at["phase"][0], "phase"))
        out.append((at["inside"][0] if inside else -at["inside"][0], "inside"))
        if inside:
            out.append((c.equal(at["counter"], self.counter), "counter"))
        inbox = flat(at["inbox.full"]) + flat(at["inbox.message"])
        if not receives:
            return out + [(-bit, "inbox") for bit in inbox]
        if x == 0:
            full = self.by_slot([self.has(y, inside=inside) for y in self.members])
            pairs = zip(flat(at["inbox.full"]), full, strict=True)
            out += [(c.iff(bit, one), "inbox") for bit, one in pairs]
            for word, one in zip(at["inbox.message"], full, strict=True):
                out.append((c.equal(word, c.where(one, self.message)), "inbox"))
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
        controls: see `World`.
    """
    if name == "node-round":
        begin = functools.partial(
            specification.first,
            slots=sizes["slots"],
            message_bits=sizes["message_bits"],
            depth_bits=sizes["depth_bits"],
        )
        steps = [("send", specification.send), ("receive", specification.receive)]
        return node_round(program, steps, specification.invariant, begin)
    o = Obligation(name)
    near = world(o, sizes, **controls)
    if name == "base":
        base(o, near, program)
    elif name == "final":
        final(o, near, program)
    else:
        place, phase = name.split("-")
        step(o, near, program, inside=place == "inside", receives=phase == "receive")
    return o


def step(o: Obligation, world: World, program: Program, *, inside: bool, receives: bool) -> None:
    """A step leads to what holds before the next."""
    now = functools.partial(world.before, inside=inside, receives=receives)
    after = advance(o, world, program, now)
    if not receives:
        show(o, world.before(after, 0, inside=inside, receives=True))
        return
    if not inside:
        world.counter = world.start
        show(o, world.before(after, 0, inside=True, receives=False))
        return
    c = o.circuit
    last = c.all(world.counter)
    world.counter = c.increment(world.counter)
    following = world.before(after, 0, inside=True, receives=False)
    show(o, [(c.implies(-last, claim), part) for claim, part in following])
    world.round = c.increment(world.round)
    following = world.before(after, 0, inside=False, receives=False)
    show(o, [(c.implies(last, claim), f"last {part}") for claim, part in following])


def base(o: Obligation, world: World, program: Program) -> None:
    """The first states satisfy the hypothesis before step 0."""
    c, source = o.circuit, o.circuit.equals(world.distance[0], 0)
    o.assume(c.equals(world.round, 0), "before step 0")
    sides = ("side.outer", world.outer), ("side.inner", world.inner)
    first = {
        "colour": world.colour[0],
        "start": world.start,
        "informed": [source],
        "message": c.where(source, world.message),
    } | {path: [[bit] for bit in world.by_slot([FALSE, *ghosts])] for path, ghosts in sides}
    begin = first_state(o, program, state_of(program, first))
    show(o, world.before(fields(program, begin), 0, inside=False, receives=False))


def final(o: Obligation, world: World, program: Program) -> None:
    """Where the hypothesis holds and all finite distances are at most r, the answer is right."""
    c, node, finite = o.circuit, world.distance[0], world.finite
    at = satisfied(o, program, functools.partial(world.before, inside=False, receives=False))
    o.assume(c.implies(finite, c.at_most(node, world.round)), "d(v) <= r where it is finite")
    o.conclude(c.iff(at["informed"][0], finite), "informed")
    o.conclude(c.implies(finite, c.equal(at["message"], world.message)), "message")
    o.conclude(c.implies(finite, c.equal([*at["arrival"], FALSE, FALSE], node)), "arrival")
