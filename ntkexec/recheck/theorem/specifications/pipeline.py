"""A step of Bellman-Ford at one node, number s of its round; L is the word.

    in the slot of the own colour: leaving
    leaving, early, late, own := bit s of the distance (or reached, if s = L), leaving, early, late
    for each port:
        heard := the slot of its neighbour's colour
        weight := bit s - 2 of the edge's weight
        sum, carry := heard + weight + carry
        if s >= 4: bit s - 4 of kept := sum
        if s = L + 3: live := heard
        if s = L + 4: lost := not live, or beaten by another candidate
    for each pair of candidates, the own distance and the sums:
        if their bits differ: smaller := the later one's is 0
        else if s = 0: smaller := false
    if s = L + 5 and some port has not lost: distance, parent := its kept, the port
        reached, improved := true

What is on the right is from before the step. Bits beyond a number are 0, and so are live, lost and
improved where nothing sets them. If several ports have not lost, which does not occur, distance and
parent are the union of theirs.
"""

from collections.abc import Mapping

from ...program import Program
from ..circuit import Bits, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, fields, flat, step
from .node import at_slot, chosen


def bit_in(c: Circuit, phase: Bits, number: Bits, late: int) -> Literal:
    """Bit s - late of a number, where s is the step that the phase says."""
    places = enumerate(number, late)
    return c.any(c.all([phase[s], bit]) for s, bit in places if s < len(phase))


def beaten(c: Circuit, at: Fields) -> Bits:
    """By port, whether the sum is none, or a candidate before it is as small, or one after it smaller."""
    live = [at["reached"][0], *flat(at["lane.live"])]
    members = range(len(live))
    pairs = [(a, b) for b in members for a in range(b)]
    smaller = dict(zip(pairs, flat(at["pair.smaller"]), strict=True))
    out = []
    for port in members[1:]:
        before = [c.all([live[a], -smaller[a, port]]) for a in range(port)]
        after = [c.all([live[b], smaller[port, b]]) for b in members[port + 1 :]]
        out.append(c.any([-live[port], *before, *after]))
    return out


def lanes(c: Circuit, at: Fields, word: int) -> Fields:
    """What a step leaves of the numbers at the ports."""
    phase, inbox = at["phase"], flat(at["inbox.bit"])
    stages = ("heard", "weight", "carry", "sum")
    heard, weight, carry, total = (flat(at[f"lane.{stage}"]) for stage in stages)
    triples = list(zip(heard, weight, carry, strict=True))
    odd = [c.xor(c.xor(x, y), z) for x, y, z in triples]
    two = [c.any([c.all([x, y]), c.all([x, z]), c.all([y, z])]) for x, y, z in triples]
    after = {
        "heard": [chosen(c, slot, inbox) for slot in at["port.slot"]],
        "weight": [bit_in(c, phase, weights, 2) for weights in at["edge.weight"]],
        "sum": odd,
        "carry": two,
        "live": c.where(phase[word + 3], heard),
        "lost": c.where(phase[word + 4], beaten(c, at)),
    }
    out: Fields = {f"lane.{stage}": [[bit] for bit in bits] for stage, bits in after.items()}
    out["sum.kept"] = [
        [c.choose(phase[place + 4], new, old) for place, old in enumerate(kept)]
        for kept, new in zip(at["sum.kept"], total, strict=True)
    ]
    return out


def ending(c: Circuit, at: Fields) -> Fields:
    """What the last step of a round makes of a node's distance, in any step."""
    won = [c.all([at["phase"][-1], -lost]) for lost in flat(at["lane.lost"])]
    some = c.any(won)
    rows = [c.where(one, kept) for one, kept in zip(won, at["sum.kept"], strict=True)]
    best = [c.any(column) for column in zip(*rows, strict=True)]
    return {
        "distance": c.select(some, best, at["distance"]),
        "parent": c.select(some, won, at["parent"]),
        "reached": [c.any([at["reached"][0], some])],
        "improved": [some],
    }


def specification(c: Circuit, at: Fields, word: int) -> Fields:
    """The fields after a step."""
    phase, own = at["phase"], at["own"]
    bits = [own[-1], *flat(at["lane.sum"])]
    pairs = [(a, b) for b in range(len(bits)) for a in range(b)]
    smaller = [
        c.choose(c.xor(bits[a], bits[b]), -bits[b], c.all([old, -phase[0]]))
        for (a, b), old in zip(pairs, flat(at["pair.smaller"]), strict=True)
    ]
    leaving = bit_in(c, phase, [*at["distance"], at["reached"][0]], 0)
    sent = at_slot(c, at["colour"], own[0], len(at["inbox.bit"]))
    return {
        **{path: at[path] for path in ("colour", "port.slot", "edge.weight")},
        "phase": [phase[-1], *phase[:-1]],
        "own": [leaving, *own[:-1]],
        "pair.smaller": [[bit] for bit in smaller],
        "inbox.bit": [[bit] for bit in sent],
        **lanes(c, at, word),
        **ending(c, at),
    }


def node_step(program: Program, sizes: Mapping[str, int]) -> Obligation:
    """A step of a node, from any state of exactly one phase, is that of the specification.

    Args:
        program: what the node executes.
        sizes: of the program.
    """
    o = Obligation("node-step")
    c, state = o.circuit, o.input("state0", program.num_bits)
    at = fields(program, state)
    o.assume(c.any(at["phase"]), "a phase")
    o.assume(c.at_most_one(at["phase"]), "one phase")
    expected = specification(c, at, sizes["word"])
    after = fields(program, step(c, program, state))
    for path, bits in after.items():
        o.conclude(c.equal(flat(bits), flat(expected[path])), "step")
    o.conclude(c.any(after["phase"]), "invariant")
    o.conclude(c.at_most_one(after["phase"]), "invariant")
    return o
