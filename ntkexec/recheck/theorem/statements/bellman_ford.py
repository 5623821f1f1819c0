"""Bellman-Ford finds least weights, and negative cycles, on all graphs.

The induction is over the steps of a round (`step-0` and so on), from what nodes know before it to what
they know after it; the last step is compared with the specification, which adds and compares whole
numbers. What they know first is in `base`. Numbers are stored modulo 2^word, as their excess over a
number `low` of the graph; `minimum` shows that a round takes the minimum of true numbers if the sums
that occur are in range, and what it means that a distance does not fall.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, TRUE, Bits, Circuit, Literal
from ..obligation import Obligation
from ..specifications.bellman_ford import Outcome, node_round, relax
from ..step import fields, first_state, state_of
from ..theorem import COLOURING, SEMANTICS, Theorem
from .induction import INDUCTION, advance, satisfied, show
from .neighbourhood import PORTS
from .relaxation import Relaxation


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """Distances by weight, parents, and whether there is a negative cycle."""
    degree, slots, word = (sizes[name] for name in ("degree", "slots", "word"))

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes)

    return Theorem(
        name="bellman-ford",
        sizes=dict(sizes),
        sentence=(
            "Let d_0 be 0 at sources and infinite elsewhere, and d_(t+1)(v) the least of d_t(v) and all"
            f" d_t(u) + w(u, v), u an in-neighbour of v. After {steps_per_round(word)} t steps, for any t,"
            " every node v knows whether d_t(v) is finite, and d_t(v) if it is; whether d(v) fell in round t;"
            " and as its parent the in-neighbour u of the smallest identifier that made d_(s-1)(u) + w(u, v)"
            " least in the last round s <= t in which d(v) fell, if there was one. If d falls at no node in"
            " round n, on n nodes, d_n are the least weights of walks from a source and no negative cycle"
            " can be reached; else one can. At one node, whatever numbers it hears, a round does what the"
            " pseudo-code says."
        ),
        scope=(
            f"graphs of any number of nodes, directed or not, with at most {degree} in-neighbours of a node;"
            " an edge from a node to itself is one of them if its weight is negative, and else plays no part",
            f"any two-hop colouring with at most {slots} colours",
            "any set of sources, and integer weights, negative ones too, such that 0 and all sums"
            f" d_t(u) + w(u, v) of the rounds that are run lie within {2**word} consecutive integers",
        ),
        prose=(
            "By its definition d_t(v) is the least weight of walks of at most t edges from a source to v.",
            "Where no negative cycle can be reached, a walk of least weight has at most n - 1 edges, so that"
            " d falls at no node in round n.",
            "Where d falls at no node, d(v) <= d(u) + w(u, v) for all edges from reached nodes (`minimum`,"
            " part `rest`); summed along a walk, no walk to v weighs less than d(v); summed along a cycle,"
            " none that can be reached is negative.",
            "The loader finds the range of the sums by doing the rounds, stores all numbers as excesses over"
            " the least of 0 and the sums, and refuses graphs on which an excess needs more bits.",
            *PORTS,
            *INDUCTION,
            "The first states are as `base` says, and an answer is read from the fields `reached`,"
            " `distance`, `parent` and `improved` (`final`); `improved` at any node after round n is read as"
            " a negative cycle.",
            "A round that leaves all nodes as they were, `improved` apart, leaves nothing to change: it may"
            " be the last.",
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={name: obligation(name) for name in names(word)},
    )


def steps_per_round(word: int) -> int:
    """Steps of a round: one for every bit, and six in which the last of them is dealt with."""
    return word + 6


def names(word: int) -> list[str]:
    """The obligations."""
    steps = [f"step-{step}" for step in range(steps_per_round(word))]
    return ["base", *steps, "minimum", "final", "node-round"]


def build(
    name: str,
    program: Program,
    sizes: Mapping[str, int],
    *,
    world: Callable[..., Relaxation] = Relaxation,
    bounded: bool = True,
    **controls: Any,
) -> Obligation:
    """One obligation.

    Args:
        name: one of `names`.
        program: what the nodes execute.
        sizes: of the program.
        world: the hypothesis; another one is a control.
        bounded: whether sums are in range; without it is a control.
        controls: see `Relaxation`.
    """
    o = Obligation(name)
    if name == "node-round":
        return node_round(program, sizes)
    if name == "minimum":
        minimum(o, max(1, sizes["degree"]), sizes["word"], bounded)
        return o
    near = world(o, sizes, **controls)
    if name == "base":
        base(o, near, program)
    elif name == "final":
        final(o, near, program)
    else:
        one_step(o, near, program, int(name.removeprefix("step-")))
    return o


def base(o: Obligation, near: Relaxation, program: Program) -> None:
    """The first states satisfy the hypothesis before step 0 of the first round.

    The ghost `reached` says who is a source, and `distance` is 0 less `low` there.
    """
    o.assume(-o.circuit.any([near.improved, *near.parent]), "before the first round")
    phases = [TRUE] + [FALSE] * (steps_per_round(near.word) - 1)
    first = {
        "colour": near.colour[0],
        "port.slot": near.port_slots(),
        "edge.weight": near.weight,
        "reached": near.reached[:1],
        "distance": near.distance[0],
        "phase": phases,
    }
    begin = first_state(o, program, state_of(program, first))
    show(o, near.before(0, fields(program, begin), 0))


def one_step(o: Obligation, near: Relaxation, program: Program, step: int) -> None:
    """A step of a node and its in-neighbours keeps the hypothesis at the node; the last ends a round."""
    after = advance(o, near, program, lambda at, x: near.before(step, at, x))
    if step < steps_per_round(near.word) - 1:
        return show(o, near.before(step + 1, after, 0))
    new = relax(o.circuit, near.node, near.heard, near.weight)
    near.reached[0], near.distance[0] = new.reached, new.distance
    near.parent, near.improved = new.parent, new.improved
    return show(o, near.before(0, after, 0))


def final(o: Obligation, near: Relaxation, program: Program) -> None:
    """Between rounds, fields that are read hold what the ghosts say."""
    c = o.circuit
    at = satisfied(o, program, lambda at, x: near.before(0, at, x))
    o.conclude(c.equal(at["reached"], near.reached[:1]), "answer")
    o.conclude(c.equal(at["distance"], near.distance[0]), "answer")
    o.conclude(c.equal(at["parent"], near.parent), "answer")
    o.conclude(c.equal(at["improved"], [near.improved]), "answer")


def minimum(o: Obligation, degree: int, word: int, bounded: bool = True) -> None:
    """A round of the specification takes the minimum of true numbers, the first of equal ones.

    True numbers have a sign, and no word: two more bits hold all that are compared here. Only the
    weights of edges from reached nodes matter, and if their sums are in range they are less than 2^word,
    either way.

    Args:
        o: takes inputs, assumptions and conclusions.
        degree: D.
        word: bits of stored numbers.
        bounded: see `build`.
    """
    c, width = o.circuit, word + 2
    reached = o.input("reached", 1)[0]
    node = Outcome(
        reached, c.where(reached, o.input("distance", word)), o.input("parent", degree), FALSE
    )
    live = o.input("live", degree)
    numbers = [o.input(f"distance{p}", word) for p in range(degree)]
    weights = [o.input(f"weight{p}", width) for p in range(degree)]
    sums = [c.add(_true(x, width), w) for x, w in zip(numbers, weights, strict=True)]
    for one, weight, total in zip(live, weights, sums, strict=True):
        small = c.iff(weight[-1], weight[-2])
        o.assume(c.implies(one, small), "a difference of numbers in range is less than 2^word")
        if bounded:
            inside = c.all([-total[-1], -total[-2]])
            o.assume(c.implies(one, inside), "sums that occur are in range")
    stored = [weight[:word] for weight in weights]
    new = relax(c, node, list(zip(live, numbers, strict=True)), stored)
    before, after = _true(node.distance, width), _true(new.distance, width)
    o.conclude(c.iff(new.reached, c.any([reached, *live])), "reached")
    candidates = [(reached, before), *zip(live, sums, strict=True)]
    for one, number in candidates:
        o.conclude(c.implies(one, -_below(c, number, after)), "least")
    is_least = [c.all([one, c.equal(number, after)]) for one, number in candidates]
    o.conclude(c.implies(new.reached, c.any(is_least)), "least")
    fell = c.all([new.reached, c.any([-reached, _below(c, after, before)])])
    o.conclude(c.iff(new.improved, fell), "improved")
    firsts = [
        c.all([one, *(-other for other in is_least[1 : p + 1])])
        for p, one in enumerate(is_least[1:])
    ]
    o.conclude(c.equal(new.parent, c.select(fell, firsts, node.parent)), "parent")
    for one, number in candidates[1:]:
        apart = c.all([reached, -_below(c, number, before)])
        o.conclude(c.any([new.improved, -one, apart]), "rest")


def _true(stored: Bits, width: int) -> Bits:
    """A stored number, as one with a sign."""
    return [*stored, *[FALSE] * (width - len(stored))]


def _below(c: Circuit, x: Bits, y: Bits) -> Literal:
    """x < y, both in two's complement."""
    return c.less([*x[:-1], -x[-1]], [*y[:-1], -y[-1]])
