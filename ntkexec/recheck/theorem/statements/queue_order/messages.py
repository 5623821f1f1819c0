"""What is said and heard: there is one token, and it goes where the pseudo-code says.

This is about messages; `order` is about the order of visits. Ghosts: the holder u of the token in a
round, as `token(x)` for x = u; the port at which the next holder is, and what the holder says. The holder
is a function of the round, so at most one node is it. A call is written into the slot of the called node,
so what the in-neighbours see of their own neighbours is in it too.
"""

import functools
from collections.abc import Callable, Mapping

from ....program import Program
from ...circuit import FALSE, TRUE, Bits, Literal
from ...obligation import Obligation
from ...specifications import bfs_queue as specification
from ...specifications.node import node_round
from ...step import Fields, fields, first_state, flat, state_of
from ..induction import Claim, advance, show
from ..neighbourhood import Neighbourhood

OBLIGATIONS = ("base", "choose", "send", "listen", "node-round")


class World(Neighbourhood):
    """Ghosts of a round, and what the fields of nodes hold by them.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        coloured: see `Neighbourhood`; of the neighbours' neighbours too.
        single: whether one node at most holds the token; without it is a control.

    Attributes:
        token: of the node and its neighbours, whether they hold it.
        seen: of the same, the colour of the neighbour at each of their ports, 0 if it is free.
        back: of the neighbours, by port, whether it leads to the node.
        follows: of all, by port, whether the next holder is there.
        stays: of all, whether they are holder and the next one.
        number: what the holder says as a number.
        alive: whether the holder says that its branch is.
        claims: whether the holder claims.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        coloured: bool = True,
        single: bool = True,
    ) -> None:
        degree, slots = max(1, sizes["degree"]), sizes["slots"]
        super().__init__(obligation, degree, slots, coloured=coloured)
        c, o = self.circuit, obligation
        self.token = [o.input(f"token{x}", 1)[0] for x in self.members]
        if single:
            pairs = [c.all([self.here(x), self.token[x]]) for x in self.members]
            o.assume(c.at_most_one(pairs), "one token")
        self.seen, self.back = [self.port_slots()], [[FALSE] * degree]
        for x in self.members[1:]:
            self._second_hop(x, coloured)
        self.follows = [o.input(f"follows{x}", degree) for x in self.members]
        self.stays = [o.input(f"stays{x}", 1)[0] for x in self.members]
        self.number = [o.input(f"number{x}", sizes["word"]) for x in self.members]
        self.alive = [o.input(f"alive{x}", 1)[0] for x in self.members]
        self.claims = [o.input(f"claims{x}", 1)[0] for x in self.members]

    def _second_hop(self, x: int, coloured: bool) -> None:
        """What a neighbour sees at its ports, one of which leads back."""
        c, o = self.circuit, self.obligation
        width = len(self.colour[x])
        seen = [o.input(f"seen{x}.{q}", width) for q in range(self.degree)]
        back = o.input(f"back{x}", self.degree)
        self.seen.append(seen)
        self.back.append(back)
        o.assume(c.implies(self.here(x), c.any(back)), "undirected")
        o.assume(c.at_most_one(back), "one port leads back")
        for q, colour in enumerate(seen):
            o.assume(
                c.implies(back[q], c.equal(colour, self.colour[0])), "the port that leads back"
            )
            if coloured:
                others = [self.colour[x], *seen[:q]]
                apart = c.all(-c.equal(colour, other) for other in others)
                free = c.equals(colour, 0)
                o.assume(c.any([free, apart]), "two-hop colouring")

    def holder(self, what: list[Literal]) -> list[Literal]:
        """Of the node and its neighbours, whether they hold the token and this is so."""
        return [self.circuit.all(pair) for pair in zip(self.token, what, strict=True)]

    @property
    def follower(self) -> Literal:
        """Whether the next holder is the node."""
        c = self.circuit
        pairs = [
            c.all([self.here(x), to, back])
            for x in self.members[1:]
            for to, back in zip(self.holder_follows(x), self.back[x], strict=True)
        ]
        return c.any([c.all([self.token[0], self.stays[0]]), *pairs])

    def holder_follows(self, x: int) -> Bits:
        """By port of a node, whether the next holder is there."""
        return self.circuit.where(self.token[x], self.follows[x])

    def common(self, phase: int, at: Fields, x: int) -> Claim:
        """What holds before every step."""
        c = self.circuit
        out = [(bit if i == phase else -bit, "phase") for i, bit in enumerate(at["phase"])]
        out.append((c.equal(at["colour"], self.colour[x]), "ports"))
        pairs = zip(at["port.slot"], self.seen[x], strict=True)
        out += [(c.equal(*pair), "ports") for pair in pairs]
        out.append((c.at_most_one(at["parent"]), "parent"))
        stranger = c.any([at["root"][0], -at["reached"][0]])
        out.append((c.implies(stranger, -c.any(at["parent"])), "parent"))
        out.append((c.implies(at["root"][0], at["reached"][0]), "parent"))
        return out

    def before_choose(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 3r, as far as it speaks of the node x alone."""
        c = self.circuit
        modes = [at[name][0] for name in ("called", "claims", "waits")]
        out = self.common(0, at, x)
        out.append((c.iff(c.any(modes), self.token[x]), "token"))
        out.append((c.at_most_one(modes), "token"))
        return out

    def before_send(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 3r + 1: what the holder will say, and to whom."""
        c = self.circuit
        claims, waits, moves, returns, found, root = (
            at[name][0] for name in ("claims", "waits", "moves", "returns", "found", "root")
        )
        again = c.all([returns, root, found])
        exits = [claims, waits, again, *at["following"]]
        says = [
            (c.any([claims, waits, moves, returns, *at["following"]]), self.token[x], TRUE),
            (c.any([claims, waits, again]), self.stays[x], self.token[x]),
            (claims, self.claims[x], self.token[x]),
            (c.all([returns, found, -root]), self.alive[x], self.token[x]),
        ]
        says += [
            (one, to, self.token[x])
            for one, to in zip(at["following"], self.follows[x], strict=True)
        ]
        numbers = zip(c.where(claims, at["distance"]), c.where(moves, at["count"]), strict=True)
        says += [
            (c.any(pair), bit, self.token[x])
            for pair, bit in zip(numbers, self.number[x], strict=True)
        ]
        out = self.common(1, at, x)
        out += [(c.iff(field, c.all([ghost, own])), "token") for field, ghost, own in says[1:]]
        out.append((c.implies(says[0][0], self.token[x]), "token"))
        out.append((c.at_most_one(exits), "next"))
        return out

    def before_listen(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 3r + 2: what is heard."""
        c = self.circuit
        modes = [at[name][0] for name in ("claims", "waits", "again")]
        out = self.common(2, at, x)
        out.append((c.iff(c.any(modes), c.all([self.token[x], self.stays[x]])), "next"))
        out.append((c.at_most_one(modes), "next"))
        if x == 0:
            for path, what in (("claim", self.claims), ("alive", self.alive)):
                table = zip(flat(at[f"inbox.{path}"]), self.by_slot(self.holder(what)), strict=True)
                out += [(c.iff(*pair), "inbox") for pair in table]
            columns = zip(*at["inbox.number"], strict=True)
            for bits, said in zip(columns, zip(*self.number, strict=True), strict=True):
                table = zip(bits, self.by_slot(self.holder(list(said))), strict=True)
                out += [(c.iff(*pair), "inbox") for pair in table]
            out += [
                (c.iff(*pair), "inbox")
                for pair in zip(flat(at["inbox.call"]), self.calls(), strict=True)
            ]
        return out

    def calls(self) -> list[Literal]:
        """For each slot, whether it is that of a node that a holder nearby calls."""
        c = self.circuit
        return [
            c.any(
                c.all([self.here(x), to, c.equals(colour, slot + 1)])
                for x in self.members
                for to, colour in zip(self.holder_follows(x), self.seen[x], strict=True)
            )
            for slot in range(self.slots)
        ]


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
        ports = max(1, sizes["degree"])
        begin = functools.partial(specification.first, slots=sizes["slots"], ports=ports)
        steps = [(one.__name__, one) for one in (specification.choose, specification.send)]
        steps.append(("listen", specification.listen))
        return node_round(program, steps, specification.invariant, begin)
    o = Obligation(name)
    near = world(o, sizes, **controls)
    if name == "base":
        base(o, near, program)
    elif name == "choose":
        choose(o, near, program)
    elif name == "send":
        show(o, near.before_listen(advance(o, near, program, near.before_send), 0))
    else:
        listen(o, near, program)
    return o


def base(o: Obligation, near: World, program: Program) -> None:
    """The first states satisfy the hypothesis before step 0; the source holds the token."""
    first = {
        "phase": [TRUE, FALSE, FALSE],
        "colour": near.colour[0],
        "port.slot": near.port_slots(),
        "done": o.input("elsewhere", 1),
        **{name: near.token[:1] for name in ("root", "reached", "called")},
    }
    begin = first_state(o, program, state_of(program, first))
    show(o, near.before_choose(fields(program, begin), 0))


def choose(o: Obligation, near: World, program: Program) -> None:
    """What the holder will say is what the specification makes of its state: this defines the ghosts."""
    after = advance(o, near, program, near.before_choose)
    speak(near, fields(program, o.inputs["state0"]))
    show(o, near.before_send(after, 0))


def speak(near: World, before: Fields) -> None:
    """Sets the node's own ghosts to what the specification makes of its state before the round."""
    c = near.circuit
    kept = before | specification.choose(c, before)
    claims, moves, returns, found, root = (
        kept[name][0] for name in ("claims", "moves", "returns", "found", "root")
    )
    near.follows[0] = kept["following"]
    near.stays[0] = c.any([claims, kept["waits"][0], c.all([returns, root, found])])
    near.claims[0] = claims
    near.alive[0] = c.all([returns, found, -root])
    numbers = zip(c.where(claims, kept["distance"]), c.where(moves, kept["count"]), strict=True)
    near.number[0] = [c.any(pair) for pair in numbers]


def listen(o: Obligation, near: World, program: Program) -> None:
    """The next holder knows it, and has the holder's count."""
    c = o.circuit
    after = advance(o, near, program, near.before_listen)
    before = fields(program, o.inputs["state0"])
    heard = [c.all([near.here(x), near.token[x]]) for x in near.members]
    for bit, said in zip(after["count"], zip(*near.number, strict=True), strict=True):
        number = c.any(c.all(pair) for pair in zip(heard, said, strict=True))
        moved = c.all([near.follower, -c.all([near.token[0], near.stays[0]])])
        o.conclude(c.implies(moved, c.iff(bit, number)), "heard")
    alive = c.any(c.all(pair) for pair in zip(heard, near.alive, strict=True))
    o.conclude(c.iff(after["was_alive"][0], alive), "heard")
    for p, (new, old) in enumerate(zip(after["parent"], before["parent"], strict=True)):
        claimed = c.all([heard[p + 1], near.claims[p + 1], -before["reached"][0]])
        o.conclude(c.iff(new, c.any([old, claimed])), "heard")
    near.token[0] = near.follower
    show(o, near.before_choose(after, 0))
