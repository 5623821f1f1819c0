"""A round of breadth-first search at one node.

choose: if not reached:
            distance := distance + 1
            if some port calls: parent := the first that does
            if called: reached := true; call in the slot of the own colour
listen: called := some slot holds a call
        calls of a port := the slot of its neighbour's colour holds a call
"""

from ..circuit import FALSE, TRUE, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, flat
from .node import at_slot, chosen


def invariant(c: Circuit, at: Fields) -> list[Literal]:
    """The phase is `choose`; who is not reached has no parent, and is called if some port calls."""
    reached, calls = at["reached"][0], flat(at["calls.made"])
    return [
        -at["phase"][0],
        c.any([reached, -c.any(at["parent"])]),
        c.implies(c.any(calls), at["called"][0]),
    ]


def first(o: Obligation, slots: int, ports: int, word: int) -> Fields:
    """A first state, of any colour and ports, a source or not."""
    width = slots.bit_length()
    return {
        "colour": o.input("colour", width),
        "port.slot": [o.input(f"port{p}", width) for p in range(ports)],
        "called": o.input("source", 1),
        "distance": [TRUE] * word,
    }


def choose(c: Circuit, at: Fields) -> Fields:
    """What the step `choose` leaves."""
    searching = -at["reached"][0]
    calls = flat(at["calls.made"])
    firsts = [c.all([call, *(-before for before in calls[:p])]) for p, call in enumerate(calls)]
    new = c.all([searching, at["called"][0]])
    heard = c.all([searching, c.any(calls)])
    sent = at_slot(c, at["colour"], new, len(at["inbox.call"]))
    return {
        "phase": [TRUE],
        "distance": c.select(searching, c.increment(at["distance"]), at["distance"]),
        "parent": c.select(heard, firsts, at["parent"]),
        "reached": [c.any([at["reached"][0], new])],
        "called": [FALSE],
        "calls.made": [[FALSE] for _ in calls],
        "inbox.call": [[bit] for bit in sent],
    }


def listen(c: Circuit, at: Fields) -> Fields:
    """What the step `listen` leaves."""
    inbox = flat(at["inbox.call"])
    return {
        "phase": [FALSE],
        "called": [c.any(inbox)],
        "calls.made": [[chosen(c, slot, inbox)] for slot in at["port.slot"]],
    }
