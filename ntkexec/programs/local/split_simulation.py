"""LOCAL algorithms on split graphs, carried out hop by hop: what compiled programs must equal.

All nodes of a tree hold the state of the node that was split. A round of the algorithm is 2h + 1
*hops*, h being at least the depth of the deepest tree:

outer  1 hop: everyone sends the message of its state over outer edges, and combines what it hears;
up     h hops: everyone sends what it has, and combines what it hears from below with its own;
down   h hops: the root sends what it has, which is the combination for the whole tree, and the
       others take over what they hear from above. Then all compute the same next state.

**Theorem.** Let the algorithm's only stage be a `Gather`. After r (2h + 1) hops every node of a tree, the
root for one, has the state that the node which was split has after r rounds on the original graph.

Proof, by induction on r. Let all nodes of every tree have the state of their owner. The outer ports of
the nodes of a tree are, each once, the ports of its owner v, and what comes in at one was sent by a node
that has the state of v's neighbour there. After the outer hop a node x of the tree so has own(x), the
combination of what counts at its outer ports, and at the root v's own message too where that counts.
After t hops up it has that of own(y) over all y at a distance of at most t below it, itself included:
in hop t + 1 it combines own(x) with what its children had after t hops, and these are of different y.
After h hops the root has the combination of all own(y) of the tree. After t hops down everyone at a
depth of at most t has it, so after h hops all have. It is v's `total`: the same values, in another order
and in other groups, which changes nothing since the monoid is commutative and associative, and units
where there was nothing, which change nothing either. So all compute v's next state.

None of the laws can be left out. "What the last port says" is associative and not commutative, and the
nodes of a tree know no order of each other's ports; the mean of two numbers is commutative and not
associative, and a tree takes means of means.

Source: convergecast and broadcast in a tree, Peleg, Distributed Computing: A Locality-Sensitive
    Approach, 2000, chapter 3. Algorithms that see what they hear as a multiset, and send the same to
    all, are the class MB of Hella et al., Weak models of distributed computing, with connections to
    modal logic, 2015.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ntkexec.errors import ProgramError
from ntkexec.graphs.ports import in_neighbours
from ntkexec.graphs.splitting import SplitGraph
from ntkexec.programs import splits
from ntkexec.programs.local.algorithm import Gather, Local
from ntkexec.programs.local.simulation import nodes_of


class Ports(NamedTuple):
    """What the ports of all nodes of a split graph lead to.

    neighbours: the node there, or -1; shape (N, p).
    outer: whether it has another owner; shape (N, p).
    upper: whether it is the node above in the same tree; shape (N, p).
    lower: whether it is one below; shape (N, p).
    """

    neighbours: Int[np.ndarray, "N p"]
    outer: Bool[np.ndarray, "N p"]
    upper: Bool[np.ndarray, "N p"]
    lower: Bool[np.ndarray, "N p"]

    @classmethod
    def of(cls, split: SplitGraph, num_ports: int) -> "Ports":
        """The ports of the nodes, of which none has more than `num_ports`."""
        found = in_neighbours(split.graph, num_ports)
        kinds = splits.port_kinds(split, num_ports)
        return cls(found, **kinds, lower=(found >= 0) & ~kinds["outer"] & ~kinds["upper"])


SEES_PORTS = (
    "it sees at which port what came in, and the ports of a node that was split lie at different nodes; a "
    "Gather would run (docs/local.md)"
)


def gather_of(algorithm: Local) -> Gather:
    """The stage of an algorithm that can run on split graphs.

    Raises:
        ProgramError: it has others; says what they see that a split node does not.
    """
    if (gather := algorithm.gather) is None:
        kinds = ", ".join(type(stage).__name__ for stage in algorithm.stages)
        raise ProgramError(
            f"{algorithm.name} (stages: {kinds}) does not run on split graphs: {SEES_PORTS}"
        )
    return gather


def simulate_split(
    algorithm: Local, split: SplitGraph, *, rounds: int, inputs: Sequence[Any] | None = None
) -> list[Any]:
    """The state of every node of the split graph after so many rounds of the algorithm.

    Args:
        algorithm: what the nodes do; its only stage is a `Gather`.
        split: the graph and its trees.
        rounds: T.
        inputs: of every original node.

    Raises:
        ProgramError: another kind of stage; or what a function gives is not of its type.
    """
    gather, owner = gather_of(algorithm), split.owner.tolist()
    monoid, ports = gather.monoid, Ports.of(split, split.most)
    nodes = nodes_of(split.original, inputs)
    marks = [dict(zip(node.neighbours, gather.marks(node), strict=True)) for node in nodes]
    outer, lower, upper = (
        [ports.neighbours[index][kind[index]].tolist() for index in range(len(owner))]
        for kind in (ports.outer, ports.lower, ports.upper)
    )
    is_root = splits.is_root(split).tolist()
    states = [algorithm.start(nodes[one]) for one in owner]
    for _ in range(rounds):
        sent = [algorithm.send(state) for state in states]
        own = []
        for index, others in enumerate(outer):
            known = marks[owner[index]]
            counted = [
                gather.counted(sent[other], known[nodes[owner[other]].identifier])
                for other in others
            ]
            if gather.own and is_root[index] and sent[index] is not None:
                counted.append(sent[index])
            own.append(monoid.total(counted))
        carried = own
        for _ in range(split.depth):
            carried = [
                monoid.combine(mine, monoid.total(carried[other] for other in below))
                for mine, below in zip(own, lower, strict=True)
            ]
        for _ in range(split.depth):
            carried = [
                carried[above[0]] if above else mine
                for mine, above in zip(carried, upper, strict=True)
            ]
        states = [gather.function(*pair) for pair in zip(states, carried, strict=True)]
        for state in states:
            algorithm.state.encode(state)
    return states
