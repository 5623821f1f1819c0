"""The textbook's search tree, as a node and its neighbours see it."""

from collections.abc import Mapping

from ...circuit import Bits, Literal
from ...obligation import Obligation
from ..induction import Claim
from .messages import World


class Tree(World):
    """Ghosts of the tree that the textbook's queue makes, and what holds of them in any graph.

    For every node x the queue gives its level d(x), its place in the order of visits and its parent. A
    node's children are in the order of its ports. [A_k(x), B_k(x)) are the places of x's descendants of
    level k, x itself among them; where there are none, it is empty and, if x is on level k or above,
    where they would be.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        without: a reason of assumptions that are left out, as a control.
        first: whether children are in the order of ports; the reverse is a control.
        coloured: see `World`.
        single: see `World`.

    Attributes:
        root: by member, whether it is the source.
        level: by member, d.
        order: by member, its place in the textbook's order of visits.
        parent: by port, whether the neighbour is the node's parent.
        child: by port, whether the node is the neighbour's parent.
        tour: k.
        above: nodes above level k.
        upto: nodes on level k and above.
        more: whether level k + 1 has nodes.
        low: by member, A_k.
        high: by member, B_k.
        next_low: by member, A_(k + 1).
        next_high: by member, B_(k + 1).
        deeper: by member, whether it has descendants on level k + 1.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        without: str | None = None,
        first: bool = True,
        coloured: bool = True,
        single: bool = True,
    ) -> None:
        super().__init__(obligation, sizes, coloured=coloured, single=single)
        o, word = obligation, sizes["word"]
        self.without, self.first = without, first

        def each(name: str) -> list[Bits]:
            return [o.input(f"{name}{x}", word) for x in self.members]

        self.root = o.input("root", len(self.members))
        self.level, self.order = each("level"), each("order")
        self.parent, self.child = o.input("parent", self.degree), o.input("child", self.degree)
        self.tour, self.above, self.upto = (
            o.input(name, word) for name in ("tour", "above", "upto")
        )
        self.more = o.input("more", 1)[0]
        self.low, self.high = each("low"), each("high")
        self.next_low, self.next_high = each("next-low"), each("next-high")
        nexts = zip(self.next_low, self.next_high, strict=True)
        self.deeper = [self.circuit.less(*pair) for pair in nexts]
        self.suppose(self.parents() + self.levels() + self.siblings())

    def suppose(self, claims: Claim) -> None:
        """Assumes what is not left out."""
        for claim, why in claims:
            if why != self.without:
                self.obligation.assume(claim, why)

    def every(self, claims: Mapping[int, Claim]) -> Claim:
        """Claims about members, of those that are there."""
        c = self.circuit
        return [(c.implies(self.here(x), one), why) for x in claims for one, why in claims[x]]

    def one_apart(self, x: int) -> list[Literal]:
        """Whether a neighbour is one level above the node, and whether below."""
        c, node, other = self.circuit, self.level[0], self.level[x]
        return [c.equal(c.increment(other), node), c.equal(c.increment(node), other)]

    def parents(self) -> Claim:
        """What holds of levels, places and parents."""
        c, level, order = self.circuit, self.level, self.order
        about: dict[int, Claim] = {
            x: [
                (c.iff(self.root[x], c.equals(level[x], 0)), "the source alone is on level 0"),
                (-c.all(level[x]), "fewer than 2^word nodes"),
                (-c.all(order[x]), "fewer than 2^word nodes"),
            ]
            for x in self.members
        }
        out = self.every(about)
        out.append((c.iff(c.any(self.parent), -self.root[0]), "all but the source have a parent"))
        for x in self.members[1:]:
            near = [c.equal(level[0], level[x]), *self.one_apart(x)]
            out.append((c.implies(self.here(x), c.any(near)), "neighbours' levels"))
        for x, (up, down) in enumerate(zip(self.parent, self.child, strict=True), 1):
            above, under = self.one_apart(x)
            out += [
                (c.implies(c.any([up, down]), self.here(x)), "parents are neighbours"),
                (c.implies(up, above), "one level up"),
                (c.implies(down, under), "one level up"),
                (c.implies(up, c.less(order[x], order[0])), "parents before children"),
                (c.implies(down, c.less(order[0], order[x])), "parents before children"),
            ]
            for y in self.members[1:]:
                if y != x:
                    both = c.all([up, self.here(y)])
                    first = c.implies(both, c.less(order[x], order[y]))
                    out.append((first, "the parent is the first of the neighbours"))
        return out

    def levels(self) -> Claim:
        """What holds of the places of a node's descendants."""
        c = self.circuit
        below = c.increment(self.tour)
        out = [
            (-c.all(self.tour), "fewer than 2^word nodes"),
            (c.at_most(self.above, self.upto), "places by level"),
        ]
        about: dict[int, Claim] = {}
        for x in self.members:
            low, high, level, order = self.low[x], self.high[x], self.level[x], self.order[x]
            next_low, next_high = self.next_low[x], self.next_high[x]
            some = c.less(low, high)
            at, under = c.equal(level, self.tour), c.equal(level, below)
            upper, next_upper = c.at_most(level, self.tour), c.at_most(level, below)
            after = c.increment(order)
            own = c.all([c.equal(low, order), c.equal(high, after)])
            next_own = c.all([c.equal(next_low, order), c.equal(next_high, after)])
            inside = [c.at_most(self.above, low), c.at_most(low, high), c.at_most(high, self.upto)]
            next_inside = [c.at_most(self.upto, next_low), c.at_most(next_low, next_high)]
            whole = [c.equal(low, self.above), c.equal(high, self.upto)]
            root, more = self.root[x], c.iff(self.more, self.deeper[x])
            about[x] = [
                (c.implies(at, own), "on its own level a node is alone"),
                (c.implies(under, next_own), "on its own level a node is alone"),
                (c.any([upper, -some]), "no descendants above"),
                (c.any([next_upper, -self.deeper[x]]), "no descendants above"),
                (c.implies(upper, c.all(inside)), "descendants are on the level"),
                (c.implies(next_upper, c.all(next_inside)), "descendants are on the level"),
                (c.implies(c.all([upper, self.deeper[x]]), some), "paths pass all levels"),
                (c.any([upper, self.more]), "paths pass all levels"),
                (c.iff(c.less(order, self.above), c.less(level, self.tour)), "places by level"),
                (c.iff(c.less(order, self.upto), upper), "places by level"),
                (c.implies(root, c.all(whole)), "all descend from the source"),
                (c.implies(root, c.equal(next_low, self.upto)), "all descend from the source"),
                (c.implies(root, more), "all descend from the source"),
            ]
        return out + self.every(about)

    def siblings(self) -> Claim:
        """What holds of the places of the descendants of a node's children, and of its parent's."""
        c, node = self.circuit, self.level[0]
        out: Claim = []
        for when, low, high in (
            (c.less(node, self.tour), self.low, self.high),
            (c.at_most(node, self.tour), self.next_low, self.next_high),
        ):
            for x, up in enumerate(self.parent, 1):
                within = c.all([c.at_most(low[x], low[0]), c.at_most(high[0], high[x])])
                out.append((c.implies(c.all([when, up]), within), "branches within branches"))
            place = low[0]
            children = list(enumerate(self.child, 1))
            for x, down in children if self.first else reversed(children):
                next_one = c.implies(c.all([when, down]), c.equal(low[x], place))
                out.append((next_one, "children in the order of ports"))
                place = c.select(down, high[x], place)
            last = c.implies(when, c.equal(high[0], place))
            out.append((last, "children in the order of ports"))
        return out
