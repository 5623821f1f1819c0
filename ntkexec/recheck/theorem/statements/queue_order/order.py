"""The nodes follow the walk: what each holds before every step of a round, and that a step keeps it.

What `messages` shows of the same steps is assumed here: `token` is there the holder, here y, and both are
one by `called`, `claims` and `waits`.
"""

from collections.abc import Mapping
from typing import Any

from ....program import Program
from ...circuit import FALSE, TRUE, Bits, Literal
from ...obligation import Obligation
from ...step import Fields, after_step, fields, flat, state_of
from ..induction import Claim, advance, satisfied, show
from .branches import Branches, at_rest, below, came_back, claimed, closed, held, underway
from .messages import speak
from .walk import TURNS, Moment, Walk

OBLIGATIONS = ("order-base", "order-choose", "order-send", "order-listen", "final")


def visited_before(walk: Walk, at: Moment) -> Literal:
    """Whether the node has been visited before a round."""
    c = walk.circuit
    last = c.any(at.mode[mode] for mode in TURNS[1:])
    return c.any([c.less(walk.order[0], at.turns), c.all([at.token[0], last])])


def claimed_by(walk: Walk, at: Moment, *modes: str) -> Literal:
    """Whether the node's parent is y, in one of these modes."""
    c = walk.circuit
    parent = c.any(c.all(pair) for pair in zip(walk.parent, at.token[1:], strict=True))
    return c.all([c.any(at.mode[mode] for mode in modes), parent])


def answer(walk: Walk, at: Fields, moment: Moment, visited: Literal) -> Claim:
    """What a node knows of itself, but for the distance.

    Args:
        walk: which.
        at: its fields.
        moment: when.
        visited: whether it is.
    """
    c = walk.circuit
    pairs = zip(walk.parent, walk.order[1:], strict=True)
    earlier = [c.all([up, c.less(own, moment.turns)]) for up, own in pairs]
    reached = c.any([walk.root[0], *earlier, claimed_by(walk, moment, "claims", "waits")])
    return [
        (c.iff(at["root"][0], walk.root[0]), "answer"),
        (c.iff(at["reached"][0], reached), "answer"),
        (c.equal(at["parent"], c.where(reached, walk.parent)), "answer"),
        (c.iff(at["visited"][0], visited), "answer"),
        (c.equal(at["order"], c.where(visited, walk.order[0])), "answer"),
    ]


def before_choose(walk: Walk, at: Fields, moment: Moment) -> Claim:
    """What a node holds before step 3r."""
    c, mode, token = walk.circuit, moment.mode, moment.token[0]
    visited, newborn = visited_before(walk, moment), claimed_by(walk, moment, "claims")
    distance = c.where(c.all([at["reached"][0], -newborn]), walk.level[0])
    passes, waits = c.all([token, mode["walks"]]), c.all([token, mode["waits"]])
    back = came_back(walk, moment)
    cases = [
        *at_rest(walk, moment, visited),
        (passes, underway(walk, moment, back)),
        (waits, claimed(walk)),
    ]
    alive = c.any(c.all(pair) for pair in zip(back, below(walk, moment), strict=True))
    called = c.all([token, c.any([mode["walks"], mode["visits"]])])
    told = walk.by_slot([walk.told(moment, x) for x in walk.members])
    return [
        *answer(walk, at, moment, visited),
        (c.equal(at["distance"], distance), "answer"),
        (c.iff(at["newborn"][0], newborn), "claims"),
        (c.implies(newborn, c.equal(c.increment(at["count"]), walk.level[0])), "claims"),
        (c.implies(token, c.equal(at["count"], moment.turns)), "count"),
        (c.iff(at["called"][0], called), "claims"),
        (c.iff(at["claims"][0], c.all([token, mode["claims"]])), "claims"),
        (c.iff(at["waits"][0], waits), "claims"),
        (c.implies(passes, c.iff(at["was_alive"][0], alive)), "branches"),
        *held(walk, at, cases),
        (c.iff(at["done"][0], walk.told(moment, 0)), "done"),
        *((c.iff(*pair), "done") for pair in zip(flat(at["inbox.claim"]), told, strict=True)),
    ]


def chosen(walk: Walk, at: Fields) -> Claim:
    """What a node holds before the steps 3r + 1 and 3r + 2."""
    c, now = walk.circuit, walk.now
    token, mode = now.token[0], now.mode
    visited = c.any([visited_before(walk, now), c.all([token, mode["visits"]])])
    distance = c.where(at["reached"][0], walk.level[0])
    return [
        *answer(walk, at, now, visited),
        (c.equal(at["distance"], distance), "answer"),
        (c.implies(token, c.equal(at["count"], walk.then.turns)), "count"),
        (c.iff(at["claims"][0], c.all([token, mode["visits"]])), "claims"),
        (c.iff(at["waits"][0], c.all([token, mode["claims"]])), "claims"),
    ]


def passing(walk: Walk) -> Branches:
    """What is known at y once the walk has chosen a branch."""
    return underway(walk, walk.now, [walk.down(p) for p in range(walk.degree)])


def before_send(walk: Walk, at: Fields) -> Claim:
    """What a node holds before step 3r + 1."""
    c, now = walk.circuit, walk.now
    token, mode = now.token[0], now.mode
    newly = c.all([token, mode["claims"]])
    rest = [(c.all([-token, when]), known) for when, known in at_rest(walk, now, at["visited"][0])]
    cases = [
        *rest,
        (c.all([token, mode["walks"]]), passing(walk)),
        (c.all([token, mode["waits"]]), claimed(walk)),
    ]
    mine = zip(flat(at["inbox.mine"]), walk.by_slot([FALSE, *walk.child]), strict=True)
    return [
        *chosen(walk, at),
        (c.iff(at["returns"][0], walk.finished(0)), "claims"),
        *held(walk, at, cases),
        *((c.implies(newly, c.iff(*pair)), "children") for pair in mine),
        (c.iff(at["done"][0], c.all([mode["ended"], walk.told(walk.then, 0)])), "done"),
    ]


def before_listen(walk: Walk, at: Fields) -> Claim:
    """What a node holds before step 3r + 2."""
    c, now = walk.circuit, walk.now
    token, mode, over = now.token[0], now.mode, walk.finished(0)
    rest = [(c.all([-token, when]), known) for when, known in at_rest(walk, now, at["visited"][0])]
    cases = [
        *rest,
        (c.all([token, mode["walks"], -over]), passing(walk)),
        (over, closed(walk, below(walk, now))),
        (c.all([token, mode["claims"]]), claimed(walk)),
    ]
    again = c.all([over, walk.root[0], walk.more])
    return [
        *chosen(walk, at),
        (c.iff(at["again"][0], again), "claims"),
        *held(walk, at, cases),
        (c.iff(at["done"][0], walk.told(walk.then, 0)), "done"),
    ]


def says(walk: Walk, x: int) -> Claim:
    """What this member says in the round, and to whom, if it is y; of a neighbour, as the node hears it."""
    c, now, then = walk.circuit, walk.now, walk.then
    token, visits = now.token[x], now.mode["visits"]
    moves = c.any([now.mode["walks"], now.mode["waits"]])
    numbers = zip(c.where(visits, walk.level[x]), c.where(moves, then.turns), strict=True)
    alive = c.all([walk.leaves(x), now.deeper[x]])
    out = [
        c.iff(walk.stays[x], walk.stays_at(x)),
        c.equal(walk.number[x], [c.any(pair) for pair in numbers]),
        c.iff(walk.alive[x], alive),
        c.iff(walk.claims[x], visits),
    ]
    if x == 0:
        for p, up in enumerate(walk.parent):
            to = c.any([walk.down(p), c.all([walk.leaves(0), up])])
            out.append(c.iff(walk.follows[0][p], to))
    else:
        down = walk.enters(x, 0, walk.parent[x - 1])
        to = c.any([down, c.all([walk.leaves(x), walk.child[x - 1]])])
        for follows, back in zip(walk.follows[x], walk.back[x], strict=True):
            out.append(c.implies(back, c.iff(follows, to)))
    return [(c.implies(token, one), "says") for one in out]


def build(name: str, program: Program, sizes: Mapping[str, int], **controls: Any) -> Obligation:
    """One obligation.

    Args:
        name: one of `OBLIGATIONS`.
        program: what the nodes execute.
        sizes: of the program.
        controls: see `Walk`.
    """
    o = Obligation(name)
    walk = Walk(o, sizes, begins=name == "order-base", **controls)
    if name == "order-base":
        base(walk, program)
    elif name == "order-choose":
        choose(walk, program)
    elif name == "order-send":
        satisfied(o, program, lambda at, x: walk.before_send(at, x) + before_send(walk, at))
        after = after_step(walk.circuit, program, o.inputs["state0"])
        at = fields(program, after)
        show(o, before_listen(walk, at) + read(walk, at, walk.then))
    elif name == "order-listen":
        listen(walk, program)
    else:
        final(walk, program)
    return o


def base(walk: Walk, program: Program) -> None:
    """First states satisfy what is assumed before step 0, and so does the walk."""
    first = {
        "phase": [TRUE, FALSE, FALSE],
        "colour": walk.colour[0],
        "port.slot": walk.port_slots(),
        **{name: walk.root[:1] for name in ("root", "reached", "called")},
    }
    at = fields(program, state_of(program, first))
    show(walk.obligation, before_choose(walk, at, walk.now))
    show(walk.obligation, [(claim, "walk") for claim, _ in walk.walked(walk.now)])


def choose(walk: Walk, program: Program) -> None:
    """The node chooses as the walk does, and will say so."""
    c, o, now = walk.circuit, walk.obligation, walk.now
    newly = c.all([now.token[0], now.mode["claims"]])

    def hypothesis(at: Fields, x: int) -> Claim:
        out = walk.before_choose(at, x)
        if x == 0:
            return out + before_choose(walk, at, now)
        child = c.iff(at["newborn"][0], walk.child[x - 1])
        return [*out, (c.implies(newly, child), "children")]

    after = advance(o, walk, program, hypothesis)
    speak(walk, fields(program, o.inputs["state0"]))
    show(o, before_send(walk, after) + says(walk, 0) + read(walk, after, now))


def listen(walk: Walk, program: Program) -> None:
    """The node hears what it needs to be in the walk after the round, which goes on."""
    c, o, then = walk.circuit, walk.obligation, walk.then

    def hypothesis(at: Fields, x: int) -> Claim:
        out = walk.before_listen(at, x)
        if x == 0:
            return out + before_listen(walk, at)
        return [*out, (c.iff(at["done"][0], walk.told(then, x)), "done")]

    for claim, why in walk.every({x: says(walk, x) for x in walk.members}):
        o.assume(claim, f"the round: {why}")
    after = advance(o, walk, program, hypothesis)
    show(o, before_choose(walk, after, then))
    show(o, [(claim, "walk") for claim, _ in walk.walked(then) + walk.anywhere()])
    ways = walk.next_ones()
    o.conclude(c.implies(walk.now.token[0], c.any(ways)), "walk")
    o.conclude(c.at_most_one(ways), "walk")


def final(walk: Walk, program: Program) -> None:
    """What is read before a round is the textbook's answer, and `done` says that all have theirs."""
    o = walk.obligation
    at = satisfied(o, program, lambda at, x: before_choose(walk, at, walk.now))
    show(o, read(walk, at, walk.now))
    o.conclude(walk.circuit.iff(at["done"][0], walk.told(walk.now, 0)), "done")


def read(walk: Walk, at: Fields, moment: Moment) -> Claim:
    """That an answer is the textbook's, if there is one, and that there is one at the end.

    Args:
        walk: which.
        at: the node's fields.
        moment: when.
    """
    c, visited = walk.circuit, at["visited"][0]
    values: list[tuple[str, Bits]] = [
        ("distance", walk.level[0]),
        ("order", walk.order[0]),
        ("parent", walk.parent),
    ]
    return [
        (c.implies(at["done"][0], moment.mode["ended"]), "read"),
        (c.implies(moment.mode["ended"], visited), "read"),
        *((c.implies(visited, c.equal(at[path], value)), "read") for path, value in values),
    ]
