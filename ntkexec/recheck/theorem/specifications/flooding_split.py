"""Two steps of flooding on a split graph at one node.

send:    in the slot of the own colour: whether informed, and the message
         if not informed and not inside: arrival := arrival + 1
receive: a slot is open if inside and it is an inner neighbour's, or not inside and an outer one's
         informed := informed, or some open slot is full
         message := the union of the own one and those in all open slots
         inside := not inside, or the counter is not full
         counter := start if it was full or not inside, else counter + 1
"""

from ..circuit import FALSE, TRUE, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, flat
from .node import at_slot


def invariant(c: Circuit, at: Fields) -> list[Literal]:
    """The phase is `send`."""
    return [-at["phase"][0]]


def first(o: Obligation, slots: int, message_bits: int, depth_bits: int) -> Fields:
    """A first state, of any colour, of any neighbours, with any message, of a source or not."""
    source = o.input("source", 1)
    return {
        "colour": o.input("colour", slots.bit_length()),
        "side.outer": [o.input(f"outer{slot}", 1) for slot in range(slots)],
        "side.inner": [o.input(f"inner{slot}", 1) for slot in range(slots)],
        "start": o.input("start", depth_bits),
        "informed": source,
        "message": o.circuit.where(source[0], o.input("message", message_bits)),
    }


def send(c: Circuit, at: Fields) -> Fields:
    """What the step `send` leaves."""
    informed, slots = at["informed"][0], len(at["inbox.full"])
    by_bit = [at_slot(c, at["colour"], bit, slots) for bit in at["message"]]
    waits = c.all([-informed, -at["inside"][0]])
    return {
        "phase": [TRUE],
        "arrival": c.select(waits, c.increment(at["arrival"]), at["arrival"]),
        "inbox.full": [[bit] for bit in at_slot(c, at["colour"], informed, slots)],
        "inbox.message": [list(row) for row in zip(*by_bit, strict=True)],
    }


def receive(c: Circuit, at: Fields) -> Fields:
    """What the step `receive` leaves."""
    inside, last = at["inside"][0], c.all(at["counter"])
    sides = zip(flat(at["side.outer"]), flat(at["side.inner"]), strict=True)
    open_ = [c.choose(inside, inner, outer) for outer, inner in sides]
    full = [c.all(pair) for pair in zip(open_, flat(at["inbox.full"]), strict=True)]
    words = [c.where(one, word) for one, word in zip(open_, at["inbox.message"], strict=True)]
    return {
        "phase": [FALSE],
        "informed": [c.any([at["informed"][0], *full])],
        "message": [c.any(bits) for bits in zip(at["message"], *words, strict=True)],
        "inside": [c.any([-inside, -last])],
        "counter": c.select(c.any([-inside, last]), at["start"], c.increment(at["counter"])),
    }
