"""A node and its in-neighbours, as far as every graph looks alike from there.

Index 0 is the node, index p + 1 the in-neighbour at port p.
"""

from ..circuit import FALSE, TRUE, Bits, Circuit, Literal
from ..obligation import Obligation

# What is assumed of ports, as a reader has to believe it.
PORTS = (
    "The ports of a node are its in-neighbours in the order of their identifiers, and free ports are last."
    " If a graph gives its ports another order, the smallest identifier is that of the first port.",
)


def bits_for(count: int) -> int:
    """Bits that tell so many things apart, at least one."""
    return max(1, (count - 1).bit_length())


def order_ports(obligation: Obligation, present: Bits, identifier: list[Bits]) -> None:
    """Assumes that a node's ports are in the order of identifiers, free ones last."""
    circuit = obligation.circuit
    for p in range(1, len(present)):
        both = circuit.all([present[p], present[p - 1]])
        ascending = circuit.less(identifier[p - 1], identifier[p])
        obligation.assume(circuit.implies(both, ascending), "ports by identifier")
        obligation.assume(circuit.implies(present[p], present[p - 1]), "free ports are last")


def smallest(circuit: Circuit, identifier: list[Bits], among: list[Literal]) -> list[Literal]:
    """For each port, whether it is one of these and none of them has a smaller identifier."""
    out = []
    for p, own in enumerate(among):
        others = [
            circuit.implies(other, circuit.at_most(identifier[p], identifier[q]))
            for q, other in enumerate(among)
            if q != p
        ]
        out.append(circuit.all([own, *others]))
    return out


class Neighbourhood:
    """Ghosts of a node and its in-neighbours, and what is true of them in any graph.

    Args:
        obligation: takes the inputs and the assumptions.
        degree: D, most in-neighbours.
        slots: most colours.
        coloured: whether to assume a two-hop colouring; without it is a control, which must fail.
        loops: whether one of its in-neighbours may be the node itself.

    Attributes:
        loop: by port, whether the in-neighbour there is the node itself.
        present: whether there is an in-neighbour at each port.
        colour: of the node and its in-neighbours, from 1 to `slots`.
        identifier: of the in-neighbours, by port, as their rank among them.
    """

    def __init__(
        self,
        obligation: Obligation,
        degree: int,
        slots: int,
        *,
        coloured: bool = True,
        loops: bool = False,
    ) -> None:
        circuit = obligation.circuit
        self.obligation, self.circuit = obligation, circuit
        self.degree, self.slots = degree, slots
        self.members = range(degree + 1)
        self.present = obligation.input("present", degree)
        self.loop = obligation.input("loop", degree) if loops else [FALSE] * degree
        width = slots.bit_length()
        self.colour = [obligation.input(f"colour{x}", width) for x in self.members]
        ranks = bits_for(degree)
        self.identifier = [obligation.input(f"identifier{p}", ranks) for p in range(degree)]
        for own in self.colour:
            first, last = circuit.number(1, width), circuit.number(slots, width)
            valid = circuit.all([circuit.at_most(first, own), circuit.at_most(own, last)])
            obligation.assume(valid, "colours are from 1 to the number of slots")
        for x in self.members:
            for y in range(x if coloured else 0):
                both = circuit.all([self.here(x), self.here(y)])
                same = circuit.equal(self.colour[x], self.colour[y])
                differ = circuit.iff(same, FALSE if y else self.loop[x - 1])
                obligation.assume(circuit.implies(both, differ), "two-hop colouring")
        order_ports(obligation, self.present, self.identifier)
        if loops:
            for loop, here in zip(self.loop, self.present, strict=True):
                obligation.assume(circuit.implies(loop, here), "a loop comes from the node")
            obligation.assume(circuit.at_most_one(self.loop), "one loop")

    def here(self, x: int) -> Literal:
        """Whether there is such a node."""
        return TRUE if x == 0 else self.present[x - 1]

    @property
    def others(self) -> list[Literal]:
        """By port, whether there is an in-neighbour other than the node."""
        pairs = zip(self.present, self.loop, strict=True)
        return [self.circuit.all([here, -loop]) for here, loop in pairs]

    def port_slots(self) -> list[Bits]:
        """The field `port.slot` of the node: the colour of each in-neighbour, 0 at a free port."""
        circuit = self.circuit
        return [
            circuit.where(here, own)
            for here, own in zip(self.present, self.colour[1:], strict=True)
        ]

    def smallest(self, among: list[Literal]) -> list[Literal]:
        """For each port, whether it is one of these and none of them has a smaller identifier."""
        return smallest(self.circuit, self.identifier, among)

    def by_slot(self, sends: list[Literal]) -> list[Literal]:
        """For each slot, whether the node or an in-neighbour with that colour sends.

        Args:
            sends: whether each of them does, the node first.
        """
        circuit = self.circuit
        return [
            circuit.any(
                circuit.all([self.here(x), circuit.equals(self.colour[x], slot + 1), sends[x]])
                for x in self.members
            )
            for slot in range(self.slots)
        ]
