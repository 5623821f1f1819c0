"""A round of depth-first search at one node.

choose: if not finished: finish := finish + 1
        if called:
            if not visited: visited := true; discovery := finish as it was; parent := caller
            if some port is not gone: call the first such
            else: finished := true; call the parent; if root: done := true
            send `here` in the slot of the own colour
        if some slot holds `here`: done := true
listen: called := the slot of the own colour holds a call
        if the slot of a port's neighbour holds `here`: caller := the port; the port is gone
        if done: send `here` in the slot of the own colour

A call is written into the slot of the neighbour's colour.
"""

from ..circuit import FALSE, TRUE, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, flat
from .node import at_slot, chosen


def invariant(c: Circuit, at: Fields) -> list[Literal]:
    """The phase is `choose`; who is not visited has no parent and no time of discovery."""
    nothing = -c.any([*at["parent"], *at["discovery"]])
    return [-at["phase"][0], c.any([at["visited"][0], nothing])]


def first(o: Obligation, slots: int, ports: int, word: int) -> Fields:
    """A first state, of any colour and ports, the root or not, by any clock."""
    width, root = slots.bit_length(), o.input("source", 1)
    return {
        "colour": o.input("colour", width),
        "port.slot": [o.input(f"port{p}", width) for p in range(ports)],
        "root": root,
        "called": root,
        "finish": o.input("clock", word),
        "neighbour.gone": [o.input(f"free{p}", 1) for p in range(ports)],
    }


def choose(c: Circuit, at: Fields) -> Fields:
    """What the step `choose` leaves."""
    called, visited, finished = (at[name][0] for name in ("called", "visited", "finished"))
    gone, slots = flat(at["neighbour.gone"]), len(at["inbox.call"])
    new, over = c.all([called, -visited]), c.all([called, *gone])
    parent = c.select(new, at["caller"], at["parent"])
    untried = [c.all([-own, *gone[:p]]) for p, own in enumerate(gone)]
    targets = c.where(called, c.select(over, parent, untried))
    calls = [
        at_slot(c, slot, target, slots)
        for slot, target in zip(at["port.slot"], targets, strict=True)
    ]
    told = c.any(flat(at["inbox.here"]))
    return {
        "phase": [TRUE],
        "finish": c.select(finished, at["finish"], c.increment(at["finish"])),
        "visited": [c.any([visited, called])],
        "discovery": c.select(new, at["finish"], at["discovery"]),
        "parent": parent,
        "finished": [c.any([finished, over])],
        "done": [c.any([at["done"][0], told, c.all([over, at["root"][0]])])],
        "called": [FALSE],
        "caller": [FALSE for _ in gone],
        "inbox.here": [[bit] for bit in at_slot(c, at["colour"], called, slots)],
        "inbox.call": [[c.any(column)] for column in zip(*calls, strict=True)],
    }


def listen(c: Circuit, at: Fields) -> Fields:
    """What the step `listen` leaves."""
    here, calls = flat(at["inbox.here"]), flat(at["inbox.call"])
    heard = [chosen(c, slot, here) for slot in at["port.slot"]]
    gone = zip(flat(at["neighbour.gone"]), heard, strict=True)
    return {
        "phase": [FALSE],
        "called": [chosen(c, at["colour"], calls)],
        "caller": heard,
        "neighbour.gone": [[c.any(pair)] for pair in gone],
        "inbox.here": [[bit] for bit in at_slot(c, at["colour"], at["done"][0], len(here))],
    }
