"""Two steps of breadth-first search on a split graph at one node.

send:   if not reached:
            if a port calls and (stage is up, or stage is down and the node a root), or
                if fresh and stage is not up: call in the slot of the own colour
            if stage is down, the node a root and a port calls: fresh := true
            if stage is outer:
                distance := distance + 1
                if fresh: reached := true; parent := the first port that calls, if one does
                calls := none
listen: a port calls if it did, or if the slot of its neighbour's colour holds a call and either stage is
            outer and the port leads to another tree, or stage is up and the port leads to a node below
        fresh := fresh, or stage is down and the slot of the node above holds a call
        stage := up after outer; with a full counter down after up, and outer after down
        counter := start if stage was outer or the counter full, else counter + 1
"""

from ..circuit import FALSE, TRUE, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, flat
from .node import at_slot, chosen


def invariant(c: Circuit, at: Fields) -> list[Literal]:
    """The phase is `send`, the stage one of three; who is not reached has no parent."""
    return [
        -at["phase"][0],
        c.at_most_one(at["stage"]),
        c.any(at["stage"]),
        c.any([at["reached"][0], -c.any(at["parent"])]),
    ]


def first(o: Obligation, slots: int, ports: int, word: int, depth_bits: int) -> Fields:
    """A first state, of any colour and ports, in any place of a tree, of a source or not."""
    width = slots.bit_length()
    return {
        "colour": o.input("colour", width),
        "port.slot": [o.input(f"port{p}", width) for p in range(ports)],
        "kind.outer": [o.input(f"outer{p}", 1) for p in range(ports)],
        "kind.upper": [o.input(f"upper{p}", 1) for p in range(ports)],
        "root": o.input("root", 1),
        "start": o.input("start", depth_bits),
        "stage": [TRUE, FALSE, FALSE],
        "fresh": o.input("source", 1),
        "distance": [TRUE] * word,
    }


def send(c: Circuit, at: Fields) -> Fields:
    """What the step `send` leaves."""
    searching, fresh = -at["reached"][0], at["fresh"][0]
    outer, up, down = at["stage"]
    calls = flat(at["calls.made"])
    some = c.any(calls)
    firsts = [c.all([call, *(-before for before in calls[:p])]) for p, call in enumerate(calls)]
    starts = c.all([searching, down, at["root"][0], some])
    new, counts = c.all([searching, outer, fresh]), c.all([searching, outer])
    speaks = c.any([c.all([searching, fresh, -up]), c.all([searching, up, some]), starts])
    slots = at_slot(c, at["colour"], speaks, len(at["inbox.call"]))
    parents = zip(at["parent"], firsts, strict=True)
    return {
        "phase": [TRUE],
        "distance": c.select(counts, c.increment(at["distance"]), at["distance"]),
        "parent": [c.any([own, c.all([new, one])]) for own, one in parents],
        "reached": [c.any([-searching, new])],
        "fresh": [c.any([fresh, starts])],
        "calls.made": [[c.all([call, -counts])] for call in calls],
        "inbox.call": [[bit] for bit in slots],
    }


def listen(c: Circuit, at: Fields) -> Fields:
    """What the step `listen` leaves."""
    outer, up, down = at["stage"]
    inbox = flat(at["inbox.call"])
    heard = [chosen(c, slot, inbox) for slot in at["port.slot"]]
    across, above = flat(at["kind.outer"]), flat(at["kind.upper"])
    last = c.all(at["counter"])
    calls = []
    for call, one, out, upper in zip(flat(at["calls.made"]), heard, across, above, strict=True):
        listens = c.any([c.all([outer, out]), c.all([up, -out, -upper])])
        calls.append([c.any([call, c.all([one, listens])])])
    told = [c.all([down, one, upper]) for one, upper in zip(heard, above, strict=True)]
    begins = c.any([outer, last])
    return {
        "phase": [FALSE],
        "calls.made": calls,
        "fresh": [c.any([at["fresh"][0], *told])],
        "stage": [
            c.all([down, last]),
            c.any([outer, c.all([up, -last])]),
            c.any([c.all([up, last]), c.all([down, -last])]),
        ],
        "counter": c.select(begins, at["start"], c.increment(at["counter"])),
    }
