"""Flooding brings the message to every node that it can reach, and in time, on all graphs.

The induction is that of breadth-first search: local, over steps, with the ghosts r, the round, d(x),
the distance of a node from the sources, for a node and its in-neighbours, and M, the message.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, Bits, Literal
from ..obligation import Obligation
from ..specifications import flooding as specification
from ..specifications.node import node_round
from ..step import Fields, fields, first_state, flat, state_of
from ..theorem import COLOURING, SEMANTICS, Theorem
from .distances import DISTANCES, Distances
from .induction import INDUCTION, Claim, advance, satisfied, show

OBLIGATIONS = ("base", "send", "receive", "final", "node-round")


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Who has the message, and since when."""
    names = ("degree", "slots", "message_bits", "arrival_bits")
    degree, slots, message, arrival = (sizes[name] for name in names)

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes)

    return Theorem(
        name="flooding",
        sizes=dict(sizes),
        sentence=(
            f"After 2r steps, for any r from the largest finite distance from the sources to {2**arrival},"
            " every node v knows whether it is reachable and, if it is, holds the sources' message and"
            " d(v), its distance, as the round of its arrival. At one node, whatever it hears, a round"
            " does what the pseudo-code says."
        ),
        scope=(
            f"graphs of any number of nodes, directed or not, with at most {degree} in-neighbours of a node,"
            " itself not counted",
            f"any two-hop colouring with at most {slots} colours",
            f"any set of sources, finite distances up to {2**arrival - 1}",
            f"any one message of {message} bits, which all sources hold",
        ),
        prose=(
            *DISTANCES,
            *INDUCTION,
            "The first states are as `base` says, and an answer is read from the fields `informed`,"
            " `message` and `arrival`.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={name: obligation(name) for name in OBLIGATIONS},
    )


class World(Distances):
    """Ghosts of flooding, and what the fields of its program hold by them.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        controls: see `Distances`.
    """

    def __init__(self, obligation: Obligation, sizes: Mapping[str, int], **controls: bool) -> None:
        degree, slots = max(1, sizes["degree"]), sizes["slots"]
        super().__init__(obligation, degree, slots, sizes["arrival_bits"], **controls)
        self.message = obligation.input("message", sizes["message_bits"])

    def told(self, at: Fields, x: int, count: Bits) -> Claim:
        """What a node knows of itself, if it counted so far."""
        c, own = self.circuit, self.distance[x]
        informed = c.at_most(own, self.round)
        held = c.where(informed, self.message)
        return [
            (c.equal(at["colour"], self.colour[x]), "colour"),
            (c.iff(at["informed"][0], informed), "informed"),
            (c.equal(at["message"], held), "message"),
            (c.equal(at["arrival"], c.select(informed, own, count)[: self.word]), "arrival"),
        ]

    def before_send(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 2r, as far as it speaks of the node x alone."""
        out = [*self.told(at, x, self.round), (-at["phase"][0], "phase")]
        inbox = flat(at["inbox.full"]) + flat(at["inbox.message"])
        return out + [(-bit, "inbox") for bit in inbox]

    def before_receive(self, at: Fields, x: int) -> Claim:
        """The hypothesis before step 2r + 1, as far as it speaks of the node x alone."""
        c, r = self.circuit, self.round
        out = [*self.told(at, x, c.increment(r)), (at["phase"][0], "phase")]
        if x == 0:
            full = self.by_slot([c.at_most(own, r) for own in self.distance])
            out += self._inbox(at, full)
        return out

    def _inbox(self, at: Fields, full: list[Literal]) -> Claim:
        """Full slots hold the message, others nothing."""
        c = self.circuit
        out = [(c.iff(*pair), "inbox") for pair in zip(flat(at["inbox.full"]), full, strict=True)]
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
        controls: see `Distances`.
    """
    if name == "node-round":
        begin = functools.partial(
            specification.first, slots=sizes["slots"], message_bits=sizes["message_bits"]
        )
        steps = [("send", specification.send), ("receive", specification.receive)]
        return node_round(program, steps, specification.invariant, begin)
    o = Obligation(name)
    near = world(o, sizes, **controls)
    if name == "base":
        base(o, near, program)
    elif name == "send":
        show(o, near.before_receive(advance(o, near, program, near.before_send), 0))
    elif name == "receive":
        after = advance(o, near, program, near.before_receive)
        near.round = o.circuit.increment(near.round)
        show(o, near.before_send(after, 0))
    else:
        final(o, near, program)
    return o


def base(o: Obligation, world: World, program: Program) -> None:
    """The first states satisfy the hypothesis before step 0."""
    o.assume(o.circuit.equals(world.round, 0), "before step 0")
    first = {
        "colour": world.colour[0],
        "informed": [world.source],
        "message": o.circuit.where(world.source, world.message),
    }
    begin = first_state(o, program, state_of(program, first))
    show(o, world.before_send(fields(program, begin), 0))


def final(o: Obligation, world: World, program: Program) -> None:
    """Where the hypothesis holds and all finite distances are at most r, the answer is right."""
    c, node, finite = o.circuit, world.distance[0], world.finite
    at = satisfied(o, program, world.before_send)
    o.assume(c.implies(finite, c.at_most(node, world.round)), "d(v) <= r where it is finite")
    o.conclude(c.iff(at["informed"][0], finite), "informed")
    o.conclude(c.implies(finite, c.equal(at["message"], world.message)), "message")
    o.conclude(c.implies(finite, c.equal([*at["arrival"], FALSE, FALSE], node)), "arrival")
