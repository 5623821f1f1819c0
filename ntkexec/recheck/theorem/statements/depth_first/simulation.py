"""The nodes simulate the search: what each holds before every step, and that a step keeps it."""

import functools
from collections.abc import Mapping
from typing import Any

from ....program import Program
from ...circuit import Literal
from ...obligation import Obligation
from ...step import Fields, fields, first_state, flat, state_of
from ..induction import Claim, advance, satisfied, show
from .world import Moment, World

STEPS = ("base", "choose", "listen", "final")
ANSWER = ("visited", "finished", "done", "parent", "discovery", "finish")


def common(world: World, at: Fields, x: int) -> Claim:
    """What holds before every step."""
    c, ports = world.circuit, world.ports[x]
    slots = zip(at["port.slot"], ports.present, ports.colour, strict=True)
    return [
        (c.equal(at["colour"], world.colour[x]), "constants"),
        (c.iff(at["root"][0], world.root[x]), "constants"),
        *((c.equal(slot, c.where(here, own)), "constants") for slot, here, own in slots),
    ]


def told(
    world: World, at: Fields, moment: Moment, present: list[Literal], visited: list[Literal]
) -> Claim:
    """What a node knows of itself, and which of its neighbours it knows to be discovered."""
    c = world.circuit
    gone = zip(at["neighbour.gone"], present, visited, strict=True)
    return [
        (c.iff(at["visited"][0], moment.visited), "flags"),
        (c.iff(at["finished"][0], moment.finished), "flags"),
        (c.iff(at["done"][0], moment.done), "flags"),
        (c.implies(moment.done, moment.finished), "flags"),
        (c.equal(at["discovery"], c.where(moment.visited, moment.discovery)), "times"),
        (c.equal(at["finish"], c.select(moment.finished, moment.finish, moment.tick)), "times"),
        (c.equal(at["parent"], moment.parent), "parent"),
        *((c.iff(bit, c.any([-here, seen])), "called") for (bit,), here, seen in gone),
    ]


def announced(world: World, at: Fields, who: list[Literal]) -> Claim:
    """Which members have sent `here`, each in the slot of its own colour."""
    c, slots = world.circuit, world.by_slot(who)
    return [(c.iff(bit, one), "inbox") for (bit,), one in zip(at["inbox.here"], slots, strict=True)]


def before_choose(world: World, at: Fields, x: int) -> Claim:
    """The hypothesis before step 2r; of a neighbour, as far as it speaks of it alone."""
    previous = (world.token[x], world.near_previous[x])
    out = _before_choose(world, at, x, world.now[x], world.near_visited[x], *previous)
    return out + (announced(world, at, [now.done for now in world.now]) if x == 0 else [])


def after_listen(world: World, at: Fields) -> Claim:
    """The hypothesis before step 2(r + 1) at the node."""
    visited = [then.visited for then in world.then[1:]]
    previous = (world.called, world.token[1:])
    out = _before_choose(world, at, 0, world.then[0], visited, *previous)
    return out + announced(world, at, [then.done for then in world.then])


def _before_choose(
    world: World,
    at: Fields,
    x: int,
    moment: Moment,
    visited: list[Literal],
    token: Literal,
    previous: list[Literal],
) -> Claim:
    c, present = world.circuit, world.ports[x].present
    out = common(world, at, x) + told(world, at, moment, present, visited)
    out += [(-at["phase"][0], "constants"), (c.iff(at["called"][0], token), "called")]
    out += [(-bit, "inbox") for bit in flat(at["inbox.call"])]
    callers = zip(at["caller"], present, previous, strict=True)
    return out + [(c.iff(bit, c.all([here, one])), "called") for bit, here, one in callers]


def before_listen(world: World, at: Fields, x: int) -> Claim:
    """The hypothesis before step 2r + 1; of a neighbour, as far as it speaks of it alone."""
    c, present = world.circuit, world.ports[x].present
    out = common(world, at, x)
    out += told(world, at, world.then[x], present, world.near_visited[x])
    out.append((at["phase"][0], "constants"))
    if x == 0:
        out += announced(world, at, world.token)
        calls = [
            (c.all([world.here(y), one]), colour)
            for y in world.members
            for one, colour in zip(world.next[y], world.ports[y].colour, strict=True)
        ]
        for slot, (bit,) in enumerate(at["inbox.call"], 1):
            who = c.any(c.all([one, c.equals(colour, slot)]) for one, colour in calls)
            out.append((c.iff(bit, who), "inbox"))
    return out


def build(
    name: str,
    program: Program,
    sizes: Mapping[str, int],
    *,
    clock: int | None = 1,
    **controls: Any,
) -> Obligation:
    """One obligation of the induction.

    Args:
        name: one of `STEPS`.
        program: what the nodes execute.
        sizes: of the program.
        clock: the first tick of a component; None for any, which its nodes are told.
        controls: see `World`.
    """
    o = Obligation(name)
    world = World(o, sizes, **controls)
    if name == "base":
        base(world, program, clock)
    elif name == "final":
        final(world, program)
    else:
        induction(world, program)
    return o


def base(world: World, program: Program, clock: int | None) -> None:
    """The first states satisfy the hypothesis before step 0."""
    c, o = world.circuit, world.obligation
    if clock is not None:
        o.assume(c.equals(world.tick, clock), "the search begins at this tick")
    nothing = [world.ended[0]]
    for x in world.members:
        now = world.now[x]
        nothing += [now.visited, now.finished, world.previous[x]]
        nothing += [*now.parent, *world.near_visited[x], *world.near_previous[x]]
        o.assume(c.iff(world.token[x], world.root[x]), "the root is the first holder")
    for one in nothing:
        o.assume(-one, "nothing was before round 0")
    first = {
        "colour": world.colour[0],
        "port.slot": world.port_slots(),
        "root": [world.root[0]],
        "called": [world.root[0]],
        "finish": world.tick if clock is None else c.number(1, world.word),
        "neighbour.gone": [[-here] for here in world.present],
    }
    begin = first_state(o, program, state_of(program, first))
    show(o, before_choose(world, fields(program, begin), 0))


def induction(world: World, program: Program) -> None:
    """A step of a node and its neighbours keeps the hypothesis at the node."""
    c, o = world.circuit, world.obligation
    chooses = o.name == "choose"
    hypothesis = functools.partial(before_choose if chooses else before_listen, world)
    after = advance(o, world, program, hypothesis)
    show(o, before_listen(world, after, 0) if chooses else after_listen(world, after))
    before = fields(program, o.inputs["state0"])
    for path in ANSWER:
        stays = c.equal(before[path], after[path])
        o.conclude(c.implies(before["done"][0], stays), "kept")


def final(world: World, program: Program) -> None:
    """What is read where the hypothesis holds, and what `done` says."""
    c, o, then = world.circuit, world.obligation, world.then[0]
    at = satisfied(o, program, functools.partial(before_listen, world))
    visited, finished, done = (at[path][0] for path in ("visited", "finished", "done"))
    o.conclude(c.iff(visited, then.visited), "times")
    o.conclude(c.implies(visited, c.equal(at["discovery"], then.discovery)), "times")
    o.conclude(c.iff(finished, then.finished), "times")
    o.conclude(c.implies(finished, c.equal(at["finish"], then.finish)), "times")
    o.conclude(c.equal(at["parent"], then.parent), "parent")
    o.conclude(c.at_most_one(at["parent"]), "parent")
    o.conclude(c.iff(c.any(at["parent"]), c.all([visited, -world.root[0]])), "parent")
    o.conclude(c.iff(done, then.done), "flags")
    o.conclude(c.implies(done, c.all([visited, finished, world.ended[1]])), "flags")
