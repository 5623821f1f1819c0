"""Distances of a node and its in-neighbours, as far as every graph looks alike from there."""

from ..circuit import Bits, Literal
from ..obligation import Obligation
from .neighbourhood import Neighbourhood

# What is assumed of d below, as a reader has to believe it.
DISTANCES = (
    "Distances in graphs satisfy d(v) = 0 exactly at sources, d(v) <= d(u) + 1 for in-neighbours"
    " u of v, with equality for one of them where 0 < d(v) is finite.",
)


class Distances(Neighbourhood):
    """Ghosts: the round r, and the distances of a node and its in-neighbours.

    Distances below 2^word are finite; all others are one number, above every round.

    Args:
        obligation: takes the inputs and the assumptions.
        degree: D, most in-neighbours.
        slots: most colours.
        word: bits of a finite distance.
        coloured: see `Neighbourhood`.
        distances: whether to assume of d what holds of distances; without it is a control.

    Attributes:
        round: r.
        distance: d of the node and its in-neighbours.
        source: whether the node is one.
    """

    def __init__(
        self,
        obligation: Obligation,
        degree: int,
        slots: int,
        word: int,
        *,
        coloured: bool = True,
        distances: bool = True,
    ) -> None:
        super().__init__(obligation, degree, slots, coloured=coloured)
        c, o = self.circuit, obligation
        self.word = word
        width = word + 2
        limit = c.number(1 << word, width)
        self.infinite = c.number(1 << word + 1, width)
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

    @property
    def finite(self) -> Literal:
        """Whether the node can be reached."""
        return -self.circuit.equal(self.distance[0], self.infinite)

    def above(self, distance: Bits) -> list[Literal]:
        """By port, whether there is an in-neighbour one level above this distance."""
        c = self.circuit
        return [
            c.all([here, c.equal(c.increment(other), distance)])
            for here, other in zip(self.present, self.distance[1:], strict=True)
        ]
