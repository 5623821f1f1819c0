"""A round of Bellman-Ford at one node.

for each port, in order, if the in-neighbour there is reached:
    sum := its distance + the weight of the edge, modulo 2^word
    if not reached, or sum < distance:
        distance, parent := sum, the port
        reached, improved := true
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...program import Program
from ..circuit import FALSE, TRUE, Bits, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, after_step, fields, flat
from .node import at_slot, chosen


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


def _silent(at: Fields) -> list[Literal]:
    """The invariant: the round begins, and nothing is under way."""
    stages = ("heard", "weight", "carry", "sum", "live", "lost")
    empty = [at["own"], *(flat(at[f"lane.{stage}"]) for stage in stages), flat(at["inbox.bit"])]
    first, *others = at["phase"]
    return [first, *(-bit for bits in [others, *empty] for bit in bits)]


def _numbers(c: Circuit, at: Fields, heard: list[Bits], word: int) -> list[tuple[Literal, Bits]]:
    """By port, whether what comes there is a number, and which; a node hears itself as well."""
    bits = [*at["distance"], at["reached"][0]]
    own = zip(*(at_slot(c, at["colour"], bit, len(heard)) for bit in bits), strict=True)
    words = [
        [c.any(pair) for pair in zip(*both, strict=True)] for both in zip(own, heard, strict=True)
    ]
    ports = [
        [chosen(c, slot, [one[place] for one in words]) for place in range(word + 1)]
        for slot in at["port.slot"]
    ]
    return [(number[word], number[:word]) for number in ports]


def node_round(program: Program, sizes: Mapping[str, int]) -> Obligation:
    """A round of a node is that of the specification, from any state in which nothing is under way.

    In the steps in which nodes send a number, bit by bit and then that it is one, any bits at all arrive
    in all slots, besides the node's own; in other steps nodes are silent.

    Args:
        program: what the node executes.
        sizes: of the program.
    """
    o, word = Obligation("node-round"), sizes["word"]
    c, split = o.circuit, program.split
    state = o.input("state0", program.num_bits)
    silent = _silent(fields(program, state))
    for literal in silent:
        o.assume(literal, "the invariant")
    # It is put in too, so that most templates are seen not to match.
    known = {abs(one): TRUE if one > 0 else FALSE for one in silent}
    state = [known.get(bit, bit) for bit in state]
    at, now = fields(program, state), state
    heard = [o.input(f"heard{slot}", word + 1) for slot in range(sizes["slots"])]
    for number in range(len(at["phase"])):
        now = after_step(c, program, now)
        if 1 <= number <= word + 1:
            arrives = [bits[number - 1] for bits in heard]
            pairs = zip(now[split:], arrives, strict=True)
            now = now[:split] + [c.any(pair) for pair in pairs]
    node = Outcome(at["reached"][0], at["distance"], at["parent"], FALSE)
    new = relax(c, node, _numbers(c, at, heard, word), at["edge.weight"])
    after = fields(program, now)
    o.conclude(c.iff(after["reached"][0], new.reached), "reached")
    o.conclude(c.equal(after["distance"], new.distance), "distance")
    o.conclude(c.equal(after["parent"], new.parent), "parent")
    o.conclude(c.iff(after["improved"][0], new.improved), "improved")
    for path in ("colour", "port.slot", "edge.weight"):
        o.conclude(c.equal(flat(after[path]), flat(at[path])), "kept")
    for literal in _silent(after):
        o.conclude(literal, "kept")
    return o
