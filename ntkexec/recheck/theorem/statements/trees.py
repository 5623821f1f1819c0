"""A node and its in-neighbours in a graph of trees, as far as every such graph looks alike from there."""

from ..circuit import FALSE, Bits, Literal
from ..obligation import Obligation
from .neighbourhood import PORTS, Neighbourhood

# What is assumed below, as a reader has to believe it.
TREES = (
    "Where edges of trees have length 0 and all others length 1, distances are the same at all nodes of a"
    " tree, 0 exactly in sources' trees, and satisfy d(v) <= d(u) + 1 for in-neighbours u of v in other"
    " trees, with equality for some v and u of every other tree at a finite distance.",
    "A node of a tree is a root, or has one node above it; a node below lies one deeper. How high a node"
    " lies above the nearest node with such a u in what is below it, itself included, is 0 or one more than"
    " the least of those below; and together with its depth no more than the depth of its tree.",
    *PORTS,
)


class Trees(Neighbourhood):
    """Ghosts: the level r, the counter k, and distances and places in trees.

    Depths and heights are counted from `start` = 2^b - h, so a depth is at most 2^b; a height above no
    caller is one number beyond.

    Args:
        obligation: takes the inputs and the assumptions.
        degree: D, most in-neighbours.
        slots: most colours.
        word: bits of a finite distance.
        depth_bits: b.
        coloured: see `Neighbourhood`.
        distances: whether to assume what holds of distances; without it is a control.
        trees: whether to assume what holds of depths and heights; without it is a control.

    Attributes:
        round: r.
        start: where the counter starts.
        counter: k, from `start` on.
        distance: d of the node and its in-neighbours.
        depth: of each in its tree, from `start` on.
        height: of each above the nearest caller, from `start` on.
        outer: by port, whether it leads to another tree.
        upper: by port, whether it leads to the node above.
    """

    def __init__(
        self,
        obligation: Obligation,
        degree: int,
        slots: int,
        word: int,
        depth_bits: int,
        *,
        coloured: bool = True,
        distances: bool = True,
        trees: bool = True,
    ) -> None:
        super().__init__(obligation, degree, slots, coloured=coloured)
        c, o = self.circuit, obligation
        self.word, width, wide = word, word + 2, depth_bits + 2
        limit = c.number(1 << word, width)
        self.infinite = c.number(1 << word + 1, width)
        self.none = c.number(1 << depth_bits + 1, wide)
        self.round = o.input("round", width)
        o.assume(c.at_most(self.round, limit), "rounds up to 2^word")
        self.start, self.counter = o.input("start", depth_bits), o.input("counter", depth_bits)
        o.assume(c.any(self.start), "h is less than 2^b")
        o.assume(c.at_most(self.start, self.counter), "the counter starts there")
        self.distance = [o.input(f"distance{x}", width) for x in self.members]
        self.depth = [o.input(f"depth{x}", wide) for x in self.members]
        self.height = [o.input(f"height{x}", wide) for x in self.members]
        self.outer, self.upper = o.input("outer", degree), o.input("upper", degree)
        for here, out, up in zip(self.present, self.outer, self.upper, strict=True):
            o.assume(c.implies(c.any([out, up]), here), "ports lead somewhere")
            o.assume(-c.all([out, up]), "no port leads to another tree and up")
        o.assume(c.at_most_one(self.upper), "one node above")
        for own in self.distance:
            finite = c.less(own, limit)
            o.assume(c.any([finite, c.equal(own, self.infinite)]), "finite or infinite")
        if distances:
            self._assume_distances()
        if trees:
            self._assume_places(c.number(1 << depth_bits, wide))

    @property
    def lower(self) -> list[Literal]:
        """By port, whether it leads to a node below."""
        ports = zip(self.present, self.outer, self.upper, strict=True)
        return [self.circuit.all([here, -out, -up]) for here, out, up in ports]

    def finite(self, x: int) -> Literal:
        """Whether a node can be reached."""
        return -self.circuit.equal(self.distance[x], self.infinite)

    def is_root(self, x: int) -> Literal:
        """Whether a node is the root of its tree."""
        return self.circuit.equal(self.depth[x], self._wide(self.start))

    def rises(self, x: int) -> Literal:
        """Whether there is a caller at a node or below it."""
        return -self.circuit.equal(self.height[x], self.none)

    def risen(self, x: int) -> Literal:
        """Whether the nearest is so close that it was heard of by now."""
        return self.circuit.at_most(self.height[x], self._wide(self.counter))

    def due(self, x: int) -> Literal:
        """Whether the root is so close that it was heard by now."""
        return self.circuit.at_most(self.depth[x], self._wide(self.counter))

    def calling(self, distance: Bits, before: Bits | None = None) -> list[Literal]:
        """By port, whether it called, at a node of this distance.

        Args:
            distance: of the node.
            before: the counter, if only nodes below count that are closer to a caller.
        """
        c, out = self.circuit, []
        for p, (across, below) in enumerate(zip(self.outer, self.lower, strict=True)):
            other, height = self.distance[p + 1], self.height[p + 1]
            risen = self.rises(p + 1) if before is None else c.less(height, self._wide(before))
            outside = c.all([across, c.equal(c.increment(other), distance)])
            out.append(c.any([outside, c.all([below, c.equal(other, distance), risen])]))
        return out

    def callers(self) -> list[Literal]:
        """By port, whether it leads to the previous level, at once or down the tree."""
        return self.calling(self.distance[0])

    def _wide(self, number: Bits) -> Bits:
        """A number of b bits among depths."""
        return [*number, FALSE, FALSE]

    def _assume_distances(self) -> None:
        c, o, node = self.circuit, self.obligation, self.distance[0]
        for out, here, other in zip(self.outer, self.present, self.distance[1:], strict=True):
            near = c.at_most(node, c.increment(other))
            o.assume(c.implies(out, near), "d(v) <= d(u) + 1")
            same = c.all([here, -out])
            o.assume(c.implies(same, c.equal(node, other)), "one distance in a tree")

    def _assume_places(self, most: Bits) -> None:
        c, o, start = self.circuit, self.obligation, self._wide(self.start)
        for x in self.members:
            depth, height, own = self.depth[x], self.height[x], self.distance[x]
            far, source = c.equal(own, self.infinite), c.equals(own, 0)
            low = c.all([c.at_most(start, depth), c.at_most(depth, most)])
            o.assume(low, "depths from 0 to h")
            fits = c.at_most(c.add(height, depth), c.add(most, start))
            risen = c.all([c.at_most(start, height), c.at_most(height, most), fits, -far, -source])
            o.assume(c.any([risen, -self.rises(x)]), "depth and height make at most h")
            searched = c.all([self.is_root(x), -far, -source])
            o.assume(c.implies(searched, self.rises(x)), "a tree that is reached has a caller")
        o.assume(c.iff(self.is_root(0), -c.any(self.upper)), "only a root has no node above")
        hears, follows = [], []
        depth, height = self.depth[0], self.height[0]
        for p, (out, up, below) in enumerate(zip(self.outer, self.upper, self.lower, strict=True)):
            other = self.depth[p + 1]
            o.assume(c.implies(up, c.equal(depth, c.increment(other))), "one deeper")
            o.assume(c.implies(below, c.equal(other, c.increment(depth))), "one deeper")
            after = c.increment(self.height[p + 1])
            known = c.all([below, self.rises(p + 1)])
            o.assume(c.implies(known, c.at_most(height, after)), "at most one higher")
            follows.append(c.all([known, c.equal(height, after)]))
            hears.append(c.all([out, c.equal(c.increment(self.distance[p + 1]), self.distance[0])]))
        o.assume(c.iff(c.equal(height, start), c.any(hears)), "0 at callers alone")
        higher = c.all([self.rises(0), -c.equal(height, start)])
        o.assume(c.implies(higher, c.any(follows)), "one higher than some node below")
