"""The walk of the token through the textbook's search tree.

In tour k the walk is for level k; it is at the node y, and c nodes have had their turn. At a node above
level k it goes to the child whose descendants of level k begin at place c, or, if all of y's have had
their turn, up. At a node of level k, which is then at place c, it claims, waits and goes up, and c grows.
At the source a tour that is over is followed by that for level k + 1, or by the end if there is none.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...circuit import Bits, Literal
from ...obligation import Obligation
from ..induction import Claim
from .tree import Tree

# What happens at y in a round: the walk passes through; it comes to a node for the first time; the
# node has claimed; it has the children's answer; nothing, at the end.
MODES = ("walks", "visits", "claims", "waits", "ended")
TURNS = ("visits", "claims", "waits")


class Moment(NamedTuple):
    """The walk before a round, or after it.

    Args:
        tour: k.
        turns: c.
        mode: of `MODES`, by name.
        age: rounds since the first of mode `ended`; the largest number stands for all that are larger.
        upto: nodes on level k and above.
        more: whether level k + 1 has nodes.
        token: by member, whether it is y; after the round, of neighbours only while y claims or waits.
        open: by member, whether it is y or an ancestor of y; after the round, of the node and its
            children only.
        low: by member, A_k.
        high: by member, B_k.
        deeper: by member, whether it has descendants on level k + 1.
    """

    tour: Bits
    turns: Bits
    mode: Mapping[str, Literal]
    age: Bits
    upto: Bits
    more: Literal
    token: list[Literal]
    open: list[Literal]
    low: list[Bits]
    high: list[Bits]
    deeper: list[Literal]


class Walk(Tree):
    """Ghosts of the walk before a round and after it, and what holds of them before it.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        begins: whether this is the first round, of which nothing is assumed but where it begins.
        controls: see `Tree`.

    Attributes:
        over: whether a tour ends with this round: y is the source, and all of level k had their turn.
        now: before the round.
        then: after it.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        begins: bool = False,
        **controls: Any,
    ) -> None:
        super().__init__(obligation, sizes, **controls)
        o, word = obligation, sizes["word"]
        mode = dict(zip(MODES, o.input("mode", len(MODES)), strict=True))
        opened, count = o.input("open", len(self.members)), o.input("count", word)
        age = o.input("age", word)
        self.over = o.input("over", 1)[0]
        self.now = Moment(
            self.tour,
            count,
            mode,
            age,
            self.upto,
            self.more,
            self.token,
            opened,
            self.low,
            self.high,
            self.deeper,
        )
        self.then = self._round()
        if begins:
            self.suppose(self._first())
        else:
            self.suppose(self.walked(self.now) + self._elsewhere())

    def some(self, at: Moment, x: int) -> Literal:
        """Whether a member has descendants on level k."""
        return self.circuit.less(at.low[x], at.high[x])

    def finished(self, x: int) -> Literal:
        """Whether y is this member, and all its descendants on level k had their turn."""
        c, now = self.circuit, self.now
        through = c.all([now.mode["walks"], c.equal(now.turns, now.high[x])])
        return c.all([now.token[x], c.any([now.mode["waits"], through])])

    def enters(self, x: int, y: int, child: Literal) -> Literal:
        """Whether the walk goes from a member down to another one."""
        c, now = self.circuit, self.now
        first = c.all([self.some(now, y), c.equal(now.low[y], now.turns)])
        return c.all([now.token[x], now.mode["walks"], child, first])

    def down(self, p: int) -> Literal:
        """Whether the walk goes from the node to the child at a port."""
        return self.enters(0, p + 1, self.child[p])

    def leaves(self, x: int) -> Literal:
        """Whether the walk goes up from a member."""
        return self.circuit.all([self.finished(x), -self.root[x]])

    def stays_at(self, x: int) -> Literal:
        """Whether y is this member before the round and after it."""
        c, mode = self.circuit, self.now.mode
        return c.all([self.now.token[x], c.any([mode["visits"], mode["claims"], self.restarts])])

    @property
    def restarts(self) -> Literal:
        """Whether the next tour begins after the round."""
        return self.circuit.all([self.over, self.more])

    @property
    def ends(self) -> Literal:
        """Whether the walk ends with the round."""
        return self.circuit.all([self.over, -self.more])

    def told(self, at: Moment, x: int) -> Literal:
        """Whether the end has come to a member, one hop a round from the source."""
        return self.circuit.all([at.mode["ended"], self.circuit.at_most(self.level[x], at.age)])

    def next_ones(self) -> list[Literal]:
        """All that may become of the walk if it is at the node."""
        c, ports = self.circuit, range(self.degree)
        up = [c.all([self.leaves(0), one]) for one in self.parent]
        end = c.all([self.now.token[0], self.ends])
        return [self.stays_at(0), end, *map(self.down, ports), *up]

    def _round(self) -> Moment:
        """The walk after the round."""
        c, o, now = self.circuit, self.obligation, self.now
        word, turn, mode = len(now.turns), self.restarts, now.mode
        ended = c.any([mode["ended"], self.ends])
        fresh = o.input("visits-next", 1)[0]
        moving = c.all([-ended, c.any([mode["walks"], mode["waits"]])])
        modes = {
            "walks": c.all([moving, -fresh]),
            "visits": c.all([moving, fresh]),
            "claims": mode["visits"],
            "waits": mode["claims"],
            "ended": ended,
        }
        entered = c.any(self.enters(x, 0, up) for x, up in enumerate(self.parent, 1))
        back = c.any(c.all([down, self.leaves(x)]) for x, down in enumerate(self.child, 1))
        token = [c.any([self.stays_at(0), entered, back])]
        token += [c.all([one, c.any([mode["visits"], mode["claims"]])]) for one in now.token[1:]]
        gone = [c.any([self.leaves(x), c.all([self.finished(x), self.ends])]) for x in self.members]
        came = [entered, *map(self.down, range(self.degree))]
        opened = [
            c.any([c.all([was, -left]), new])
            for was, left, new in zip(now.open, gone, came, strict=True)
        ]
        beyond = o.input("beyond", len(self.members))
        then = Moment(
            c.select(turn, c.increment(now.tour), now.tour),
            c.select(mode["waits"], c.increment(now.turns), now.turns),
            modes,
            c.where(mode["ended"], c.select(c.all(now.age), now.age, c.increment(now.age))),
            c.select(turn, o.input("next-upto", word), now.upto),
            c.choose(turn, o.input("next-more", 1)[0], now.more),
            token,
            opened,
            [c.select(turn, *pair) for pair in zip(self.next_low, now.low, strict=True)],
            [c.select(turn, *pair) for pair in zip(self.next_high, now.high, strict=True)],
            [c.choose(turn, *pair) for pair in zip(beyond, now.deeper, strict=True)],
        )
        first = c.iff(fresh, c.equal(self.level[0], then.tour))
        first = c.implies(c.all([token[0], moving]), first)
        self.suppose([(first, "a first visit is on level k")])
        return then

    def _first(self) -> Claim:
        """How the walk begins: with a first visit, at the source."""
        c, now = self.circuit, self.now
        numbers = c.all(c.equals(number, 0) for number in (now.tour, now.turns, self.above))
        modes = (one if name == "visits" else -one for name, one in now.mode.items())
        places = (
            c.iff(bits[x], self.root[x]) for x in self.members for bits in (now.token, now.open)
        )
        why = "where the walk begins"
        return [(numbers, why), *((one, why) for one in (*modes, *places))]

    def walked(self, at: Moment) -> Claim:
        """What holds of the walk before every round, of a node and its children."""
        c = self.circuit
        children = [c.all(pair) for pair in zip(self.child, at.open[1:], strict=True)]
        passed = c.all([at.open[0], -at.token[0]])
        return [
            *self.walked_at(at, 0),
            (c.at_most_one(children), "ancestors are a path"),
            (c.iff(c.any(children), passed), "ancestors are a path"),
        ]

    def walked_at(self, at: Moment, x: int) -> Claim:
        """What holds of the walk before every round, of one node."""
        c, mode = self.circuit, at.mode
        token, opened, low, high = at.token[x], at.open[x], at.low[x], at.high[x]
        level, upper = self.level[x], c.at_most(self.level[x], at.tour)
        within = c.all([self.some(at, x), c.at_most(low, at.turns), c.at_most(at.turns, high)])
        outside = c.any([c.at_most(at.turns, low), c.at_most(high, at.turns)])
        moves = c.any([mode["walks"], mode["visits"]])
        passes = c.all([token, mode["walks"]])
        turn = c.all([c.equal(level, at.tour), c.equal(self.order[x], at.turns)])
        whole = c.all([-at.more, c.equal(at.turns, at.upto)])
        return [
            (c.at_most_one(list(mode.values())), "one mode"),
            (c.any(mode.values()), "one mode"),
            (c.implies(token, opened), "ancestors are a path"),
            (c.implies(c.all([self.root[x], -mode["ended"]]), opened), "ancestors are a path"),
            (c.implies(mode["ended"], c.all([-token, -opened])), "nobody at the end"),
            (c.implies(mode["ended"], whole), "all at the end"),
            (c.implies(opened, upper), "the walk stays above level k"),
            (c.implies(passes, c.less(level, at.tour)), "the walk stays above level k"),
            (c.implies(c.all([token, -mode["walks"]]), turn), "the turn of the next"),
            (c.implies(c.all([moves, opened]), within), "count within the branch"),
            (c.implies(c.all([moves, upper, -opened]), outside), "count outside the branch"),
        ]

    def anywhere(self) -> Claim:
        """What holds of the round and is seen at y."""
        c, now = self.circuit, self.now
        moves = c.any([now.mode["walks"], now.mode["waits"]])
        through = c.all([moves, c.equal(self.then.turns, now.upto)])
        turn = c.any(now.mode[mode] for mode in TURNS)
        return [
            (c.implies(self.over, through), "all of level k at the end of a tour"),
            (c.implies(turn, -c.all(now.turns)), "fewer than 2^word nodes"),
        ]

    def _elsewhere(self) -> Claim:
        """What is shown at another node than this: at a neighbour, or at y."""
        c, now = self.circuit, self.now
        out = self.every({x: self.walked_at(now, x) for x in self.members[1:]})
        out += [(c.any([now.token[0], claim]), why) for claim, why in self.anywhere()]
        for x, up in enumerate(self.parent, 1):
            passed = c.all([now.open[x], -now.token[x]])
            out.append((c.implies(c.all([up, now.open[0]]), passed), "ancestors are a path"))
        turn = c.any(now.mode[mode] for mode in TURNS)
        last = c.any(now.mode[mode] for mode in TURNS[1:])
        about: dict[int, Claim] = {}
        for x in self.members:
            token, opened, root = now.token[x], now.open[x], self.root[x]
            among = c.all([c.at_most(now.low[x], now.turns), c.less(now.turns, now.high[x])])
            upper = c.all([last, c.at_most(self.level[x], now.tour)])
            own = c.all([turn, c.equal(self.order[x], now.turns)])
            stop = c.iff(self.over, c.all([root, self.finished(x)]))
            about[x] = [
                (c.implies(upper, c.iff(opened, among)), "y is among its ancestors' descendants"),
                (c.implies(own, token), "places differ"),
                (c.implies(token, stop), "tours end at the source"),
                (c.implies(c.all([self.over, root]), token), "tours end at the source"),
                (c.implies(c.all([self.over, opened]), root), "tours end at the source"),
            ]
        return out + self.every(about)
