"""A round of breadth-first search in queue order at one node.

    choose: back := called and visited; over := waits, or back and no port is pending
            if called and not visited: order := count
            visited := visited or called
            claims, waits := called and not visited before, claims
            if waits before: count := count + 1
            if back: found := found or was_alive
                     a port that is current is no longer alive, unless was_alive
                     current := the first port that is pending, and it is so no longer
            moves := back or waits before; returns := over
            following := the ports that were made current so, and, if over, the parent's
            if newborn: distance := count + 1; mine in the slot of the own colour
            done := done, or some slot holds a claim
    send:   in the slot of the own colour: claims as a claim; the distance if claims, the count if moves;
                alive, if returns and found and no root
            call in the slots of the colours of the ports that are following
            again := returns and root and found; done := done, or returns and root and not found
            if waits: found := found, or some slot holds mine
                      a port is alive too if the slot of its colour holds mine
            else if returns: found := false; pending := alive before, for every port
    listen: called := a call in the slot of the own colour, or again
            was_alive := some slot holds alive
            if none of claims, waits and again: count := the union of the numbers in all slots
            newborn := not reached, and some slot holds a claim
            if newborn: reached := true; parent := the ports the slots of whose colours hold a claim
            in the slot of the own colour: done as a claim

Signals that a step does not name are false after it: called, newborn, was_alive, moves, returns, again,
following.
"""

from ..circuit import FALSE, TRUE, Bits, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, flat
from .node import at_slot, chosen

SIGNALS = ("called", "newborn", "was_alive", "moves", "returns", "again", "following")


def invariant(c: Circuit, at: Fields) -> list[Literal]:
    """The phase is `choose`; who is not reached has no parent, who is not visited no order."""
    return [
        *(bit if place == 0 else -bit for place, bit in enumerate(at["phase"])),
        c.implies(c.any(at["parent"]), at["reached"][0]),
        c.implies(c.any(at["order"]), at["visited"][0]),
    ]


def first(o: Obligation, slots: int, ports: int) -> Fields:
    """A first state, of any colour and ports, the source or not."""
    width, source = slots.bit_length(), o.input("source", 1)
    return {
        "phase": [TRUE, FALSE, FALSE],
        "colour": o.input("colour", width),
        "port.slot": [o.input(f"port{p}", width) for p in range(ports)],
        "done": o.input("elsewhere", 1),
        **{name: source for name in ("root", "reached", "called")},
    }


def _after(at: Fields, phase: int, changed: Fields) -> Fields:
    """What a step changes, with the next phase and without signals of the step before."""
    silent = {name: [FALSE] * len(at[name]) for name in SIGNALS}
    return {**silent, "phase": [TRUE if one == phase else FALSE for one in range(3)], **changed}


def _own_slot(c: Circuit, at: Fields, bit: Literal) -> list[Bits]:
    """A table of flags with a bit in the slot of the own colour."""
    return [[one] for one in at_slot(c, at["colour"], bit, len(at["inbox.claim"]))]


def choose(c: Circuit, at: Fields) -> Fields:
    """What the step `choose` leaves."""
    called, visited, claims, waits, found, done, newborn = (
        at[name][0] for name in ("called", "visited", "claims", "waits", "found", "done", "newborn")
    )
    alive, pending = flat(at["branch.alive"]), flat(at["branch.pending"])
    back, fresh = c.all([called, visited]), c.all([called, -visited])
    over = c.any([waits, c.all([back, -c.any(pending)])])
    firsts = [c.all([one, *(-before for before in pending[:p])]) for p, one in enumerate(pending)]
    lost = [c.all([back, here, -at["was_alive"][0]]) for here in at["current"]]
    onward = c.where(back, firsts)
    more = c.increment(at["count"])
    changed: Fields = {
        "visited": [c.any([visited, called])],
        "order": c.select(fresh, at["count"], at["order"]),
        "claims": [fresh],
        "waits": [claims],
        "count": c.select(waits, more, at["count"]),
        "found": [c.any([found, c.all([back, at["was_alive"][0]])])],
        "branch.alive": [[c.all([a, -b])] for a, b in zip(alive, lost, strict=True)],
        "branch.pending": [[c.all([a, -b])] for a, b in zip(pending, onward, strict=True)],
        "current": c.select(back, firsts, at["current"]),
        "moves": [c.any([back, waits])],
        "returns": [over],
        "distance": c.select(newborn, more, at["distance"]),
        "inbox.mine": _own_slot(c, at, newborn),
        "done": [c.any([done, *flat(at["inbox.claim"])])],
    }
    ports = zip(onward, at["parent"], strict=True)
    changed["following"] = [c.any([to, c.all([over, up])]) for to, up in ports]
    return _after(at, 1, changed)


def send(c: Circuit, at: Fields) -> Fields:
    """What the step `send` leaves."""
    root, claims, waits, found, moves, returns, done = (
        at[name][0] for name in ("root", "claims", "waits", "found", "moves", "returns", "done")
    )
    alive, mine = flat(at["branch.alive"]), flat(at["inbox.mine"])
    numbers = zip(c.where(claims, at["distance"]), c.where(moves, at["count"]), strict=True)
    number = [_own_slot(c, at, c.any(pair)) for pair in numbers]
    slots = range(len(mine))
    calls = [
        c.any(
            c.all([this, c.equals(port, slot + 1)])
            for this, port in zip(at["following"], at["port.slot"], strict=True)
        )
        for slot in slots
    ]
    born = [c.all([waits, chosen(c, slot, mine)]) for slot in at["port.slot"]]
    leaves = c.all([returns, -waits])
    heard = c.any([found, *mine])
    return _after(
        at,
        2,
        {
            "inbox.claim": _own_slot(c, at, claims),
            "inbox.number": [[bits[slot][0] for bits in number] for slot in slots],
            "inbox.alive": _own_slot(c, at, c.all([returns, found, -root])),
            "inbox.call": [[bit] for bit in calls],
            "again": [c.all([returns, root, found])],
            "done": [c.any([done, c.all([returns, root, -found])])],
            "found": [c.choose(waits, heard, c.all([found, -leaves]))],
            "branch.alive": [[c.any(pair)] for pair in zip(alive, born, strict=True)],
            "branch.pending": [
                [c.choose(leaves, *pair)]
                for pair in zip(alive, flat(at["branch.pending"]), strict=True)
            ],
        },
    )


def listen(c: Circuit, at: Fields) -> Fields:
    """What the step `listen` leaves."""
    reached, again = at["reached"][0], at["again"][0]
    claimed, calls = flat(at["inbox.claim"]), flat(at["inbox.call"])
    newborn = c.all([-reached, c.any(claimed)])
    keeps = c.any([at["claims"][0], at["waits"][0], again])
    number = [c.any(bits) for bits in zip(*at["inbox.number"], strict=True)]
    ports = [c.all([newborn, chosen(c, slot, claimed)]) for slot in at["port.slot"]]
    return _after(
        at,
        0,
        {
            "called": [c.any([chosen(c, at["colour"], calls), again])],
            "was_alive": [c.any(flat(at["inbox.alive"]))],
            "count": c.select(keeps, at["count"], number),
            "newborn": [newborn],
            "reached": [c.any([reached, newborn])],
            "parent": [c.any(pair) for pair in zip(at["parent"], ports, strict=True)],
            "inbox.claim": _own_slot(c, at, at["done"][0]),
        },
    )
