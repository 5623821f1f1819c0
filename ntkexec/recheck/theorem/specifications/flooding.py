"""A round of flooding at one node.

send:    in the slot of the own colour: whether informed, and the message
         if not informed: arrival := arrival + 1
receive: informed := informed, or some slot is full
         message := the union of the own one and those in all slots
"""

from ..circuit import FALSE, TRUE, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, flat
from .node import at_slot


def invariant(c: Circuit, at: Fields) -> list[Literal]:
    """The phase is `send`."""
    return [-at["phase"][0]]


def first(o: Obligation, slots: int, message_bits: int) -> Fields:
    """A first state, of any colour, with any message, a source or not."""
    source = o.input("source", 1)
    return {
        "colour": o.input("colour", slots.bit_length()),
        "informed": source,
        "message": o.circuit.where(source[0], o.input("message", message_bits)),
    }


def send(c: Circuit, at: Fields) -> Fields:
    """What the step `send` leaves."""
    informed, slots = at["informed"][0], len(at["inbox.full"])
    by_bit = [at_slot(c, at["colour"], bit, slots) for bit in at["message"]]
    return {
        "phase": [TRUE],
        "arrival": c.select(informed, at["arrival"], c.increment(at["arrival"])),
        "inbox.full": [[bit] for bit in at_slot(c, at["colour"], informed, slots)],
        "inbox.message": [list(row) for row in zip(*by_bit, strict=True)],
    }


def receive(c: Circuit, at: Fields) -> Fields:
    """What the step `receive` leaves."""
    words = zip(at["message"], *at["inbox.message"], strict=True)
    return {
        "phase": [FALSE],
        "informed": [c.any([at["informed"][0], *flat(at["inbox.full"])])],
        "message": [c.any(bits) for bits in words],
    }
