"""The run of the textbook's depth-first search, as a node and its neighbours see it.

u_r, the holder of round r, is the node on top of the stack; u_0 is the root. In round r it is
discovered, at tick r + 1, if it was not before. It passes to its smallest neighbour that is not
discovered; if there is none, it finishes at tick r + 2 and passes to its parent, and the root to nobody.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ...circuit import TRUE, Bits, Literal
from ...obligation import Obligation
from ..neighbourhood import Neighbourhood, bits_for, order_ports, smallest
from .facts import Other, Seen, always, somewhere


class Ports(NamedTuple):
    """The neighbours of one node, by its ports: whether there is one, its colour and identifier."""

    present: list[Literal]
    colour: list[Bits]
    identifier: list[Bits]


class Moment(NamedTuple):
    """What the run says of one node before a round, or after it.

    Args:
        tick: the time, of which a round takes one.
        visited: discovered, in an earlier round.
        finished: likewise.
        done: whether the end of the search, which spreads one hop a round, has reached it.
        discovery: its time.
        finish: its time.
        parent: by port.
    """

    tick: Bits
    visited: Literal
    finished: Literal
    done: Literal
    discovery: Bits
    finish: Bits
    parent: list[Literal]


class World(Neighbourhood):
    """Ghosts of a node and its neighbours, before round r and after it.

    A node's call goes to a slot of the *called* node's colour, so each neighbour has ghosts of its own
    neighbours. Times, ticks and distances are modulo 2^word.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        coloured: see `Neighbourhood`; without it, neighbours' ports are not coloured apart either.
        single: whether to assume that u_r is one node; without it is a control.
        first: whether the run prefers small identifiers; large ones are a control.
        without: a fact of the run that is not assumed, as a control.

    Attributes:
        ports: of each member.
        now: before the round, of each member.
        then: after it.
        token: whether each member is u_r.
        near_visited: whether each neighbour of each member is discovered before the round.
        near_previous: whether it is u_(r-1).
        next: whether it is u_(r+1).
        called: whether the node is u_(r+1).
        ended: whether the root is finished before the round, and after it.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        coloured: bool = True,
        single: bool = True,
        first: bool = True,
        without: str | None = None,
    ) -> None:
        super().__init__(obligation, max(1, sizes["degree"]), sizes["slots"], coloured=coloured)
        c, o = self.circuit, obligation
        self.word = sizes["word"]
        own = Ports(self.present, self.colour[1:], self.identifier)
        self.ports = [own, *(self._ports(x, coloured) for x in self.members[1:])]
        flags = ("root", "token", "previous", "visited", "finished")
        self.root, self.token, self.previous, visited, finished = (
            o.input(name, len(self.members)) for name in flags
        )
        degree = range(self.degree)
        self.near_visited, self.near_previous = (
            [own[1:], *(o.input(f"near-{name}{x}", self.degree) for x in self.members[1:])]
            for name, own in (("visited", visited), ("previous", self.previous))
        )
        self.back = [self._back(x, visited[0]) for x in self.members[1:]]
        self.ended = [o.input("ended", 1)[0], o.input("ended-next", 1)[0]]
        self.tick = o.input("tick", self.word)
        ages, near = self._ages(), self._distances()
        self.now = [
            Moment(
                self.tick,
                visited[x],
                finished[x],
                c.all([self.ended[0], c.at_most(near[x], ages[0])]),
                o.input(f"discovery{x}", self.word),
                o.input(f"finish{x}", self.word),
                o.input(f"parent{x}", self.degree),
            )
            for x in self.members
        ]
        self.then: list[Moment] = []
        self.next: list[list[Literal]] = []
        for x in self.members:
            done = c.all([self.ended[1], c.at_most(near[x], ages[1])])
            self._round(x, done, first=first)
        self.called = c.any(
            c.all([self.present[p], self.next[p + 1][q], self.back[p][q]])
            for p in degree
            for q in degree
        )
        self._facts(single, without)

    def _ports(self, x: int, coloured: bool) -> Ports:
        """A neighbour's own neighbours, coloured apart."""
        c, o, width = self.circuit, self.obligation, len(self.colour[0])
        present = o.input(f"present{x}", self.degree)
        colours = [o.input(f"colour{x}-{q}", width) for q in range(self.degree)]
        ranks = bits_for(self.degree)
        identifiers = [o.input(f"identifier{x}-{q}", ranks) for q in range(self.degree)]
        first, last = c.number(1, width), c.number(self.slots, width)
        for q, own in enumerate(colours):
            valid = c.all([c.at_most(first, own), c.at_most(own, last)])
            o.assume(c.implies(present[q], valid), "colours are from 1 to the number of slots")
            others = [(TRUE, self.colour[x]), *zip(present[:q], colours[:q], strict=True)]
            for here, other in others if coloured else []:
                both = c.all([present[q], here])
                o.assume(c.implies(both, -c.equal(own, other)), "two-hop colouring")
        order_ports(o, present, identifiers)
        return Ports(present, colours, identifiers)

    def _back(self, x: int, visited: Literal) -> list[Literal]:
        """Which port of a neighbour leads back to the node."""
        c, o, own = self.circuit, self.obligation, self.ports[x]
        back = o.input(f"back{x}", self.degree)
        o.assume(c.implies(self.here(x), c.any(back)), "undirected")
        o.assume(c.at_most_one(back), "one edge between two nodes")
        for q, one in enumerate(back):
            agree = c.all(
                [
                    own.present[q],
                    c.equal(own.colour[q], self.colour[0]),
                    c.iff(self.near_visited[x][q], visited),
                    c.iff(self.near_previous[x][q], self.previous[0]),
                ]
            )
            o.assume(c.implies(one, agree), "the port back leads to the node")
        return back

    def _ages(self) -> list[Bits]:
        """For how many rounds the search has been over, before the round and after it."""
        c, o = self.circuit, self.obligation
        o.assume(c.implies(self.ended[0], self.ended[1]), "the end is for good")
        before = o.input("age", self.word)
        # The largest number stands for all that are larger.
        counted = c.select(c.all(before), before, c.increment(before))
        return [before, c.where(self.ended[0], counted)]

    def _distances(self) -> list[Bits]:
        """Distances from the root, of which only what holds in any graph is assumed."""
        c, o, ended = self.circuit, self.obligation, self.ended[1]
        out = [o.input(f"distance{x}", self.word) for x in self.members]
        for x, own in enumerate(out):
            at_root = c.implies(self.here(x), c.iff(c.equals(own, 0), self.root[x]))
            o.assume(c.implies(ended, at_root), "e(v) = 0 at the root alone")
        node, nearer = out[0], []
        for here, other in zip(self.present, out[1:], strict=True):
            one_more = c.equal(c.increment(other), node)
            near = c.any([c.at_most(node, other), one_more])
            o.assume(c.implies(c.all([ended, here]), near), "e(v) <= e(u) + 1")
            nearer.append(c.all([here, one_more]))
        some = c.any([self.root[0], *nearer])
        o.assume(c.implies(ended, some), "e(v) = e(u) + 1 for some u")
        return out

    def _round(self, x: int, done: Literal, *, first: bool) -> None:
        """Round r at one node, as the textbook does it."""
        c, now, ports, token = self.circuit, self.now[x], self.ports[x], self.token[x]
        untried = [
            c.all([here, -seen])
            for here, seen in zip(ports.present, self.near_visited[x], strict=True)
        ]
        new, over = c.all([token, -now.visited]), c.all([token, -c.any(untried)])
        came = zip(now.parent, ports.present, self.near_previous[x], strict=True)
        parent = [c.any([own, c.all([new, here, before])]) for own, here, before in came]
        order = ports.identifier if first else [[-bit for bit in own] for own in ports.identifier]
        after = c.increment(self.tick)
        self.then.append(
            Moment(
                after,
                c.any([now.visited, token]),
                c.any([now.finished, over]),
                done,
                c.select(new, self.tick, now.discovery),
                c.select(over, after, now.finish),
                parent,
            )
        )
        up = c.all([over, -self.root[x]])
        down = zip(smallest(c, order, untried), parent, strict=True)
        self.next.append([c.any([c.all([token, one]), c.all([up, own])]) for one, own in down])

    def _facts(self, single: bool, without: str | None) -> None:
        """Assumes what holds of the run, and that the root's end is the end after the round too."""
        c, o = self.circuit, self.obligation
        for x in self.members:
            at = self.seen(x)
            for claim, why in always(c, at) + somewhere(c, at):
                if why != without:
                    o.assume(c.implies(self.here(x), claim), why)
            ends = c.implies(self.root[x], c.iff(self.then[x].finished, self.ended[1]))
            o.assume(c.implies(self.here(x), ends), "the search ends at its root")
        if single:
            held = [c.all([self.here(x), self.token[x]]) for x in self.members]
            o.assume(c.at_most_one(held), "one holder in a round")

    def seen(self, x: int) -> Seen:
        """A member before the round, and its neighbours."""
        now = self.now[x]
        near = zip(
            self.ports[x].present,
            self.near_visited[x],
            self.near_previous[x],
            now.parent,
            strict=True,
        )
        # Neighbours at different ports are different nodes.
        others = [Other(*one, []) for one in near]
        return Seen(self.root[x], self.token[x], now.visited, now.finished, self.ended[0], others)
