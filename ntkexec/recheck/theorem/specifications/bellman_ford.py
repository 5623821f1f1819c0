"""A round of Bellman-Ford at one node.

for each port, in order, if the in-neighbour there is reached:
    sum := its distance + the weight of the edge, modulo 2^word
    if not reached, or sum < distance:
        distance, parent := sum, the port
        reached, improved := true
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..circuit import FALSE, TRUE, Bits, Circuit, Literal


class Outcome(NamedTuple):
    """What a node knows before or after a round.

    reached: whether it has a distance.
    distance: as stored.
    parent: by port, whether it is the parent's.
    improved: whether the distance fell in the round.
    """

    reached: Literal
    distance: Bits
    parent: Bits
    improved: Literal


def relax(
    c: Circuit, node: Outcome, heard: Sequence[tuple[Literal, Bits]], edges: list[Bits]
) -> Outcome:
    """What a round makes of a node.

    Args:
        c: takes the gates.
        node: before the round.
        heard: by port, whether there is an in-neighbour that is reached, and its distance.
        edges: by port, the weight of the edge.
    """
    reached, best, parent, improved = node.reached, node.distance, node.parent, FALSE
    for port, ((live, distance), weight) in enumerate(zip(heard, edges, strict=True)):
        total = c.add(distance, weight)
        better = c.all([live, c.any([-reached, c.less(total, best)])])
        this = [TRUE if other == port else FALSE for other in range(len(edges))]
        best, parent = c.select(better, total, best), c.select(better, this, parent)
        reached, improved = c.any([reached, better]), c.any([improved, better])
    return Outcome(reached, best, parent, improved)
