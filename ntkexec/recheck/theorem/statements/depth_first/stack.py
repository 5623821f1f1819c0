"""The textbook's stack machine keeps `facts`, shown of any nodes of any graph, with no program in it.

A node's number is symbolic, so two names may be of one node. Before a round, u is the holder and p
the holder before it; w is to be the next. x, y and z are any nodes, and q is the parent of x where x
has one: from x's parent before the round follows its parent after it.

The stack is a ghost: nodes that were entered and are not finished, each at a height of its own, the
root at 0, a parent one below its children, the holder on top. That is what makes the holder's parent
the top of the stack when the holder leaves it.
"""

from itertools import product
from typing import NamedTuple

from ...circuit import FALSE, TRUE, Bits, Literal
from ...obligation import Obligation
from ..induction import Claim, show
from .facts import Other, Seen, always, somewhere

ROUNDS = {
    "stack-base": "before round 0",
    "stack-push": "the holder has a neighbour that is not discovered, w",
    "stack-pop": "it has none and is not the root; w is its parent",
    "stack-end": "it has none and is the root",
    "stack-rest": "there is no holder",
}
NAMES = ("u", "w", "p", "x", "y", "z", "q")
Pair = tuple[str, str]


class Search(NamedTuple):
    """The state of the stack machine at the named nodes, before a round.

    Args:
        machine: whose nodes they are.
        token: whether each is the holder.
        previous: whether it was the holder in the round before.
        visited: whether it was in an earlier round.
        finished: whether it was left for good in an earlier round.
        height: of each, where it is on the stack.
        parent: whether the second is the first's parent.
        ended: whether the root is finished.
        top: the holder's height.
    """

    machine: "Machine"
    token: dict[str, Literal]
    previous: dict[str, Literal]
    visited: dict[str, Literal]
    finished: dict[str, Literal]
    height: dict[str, Bits]
    parent: dict[Pair, Literal]
    ended: Literal
    top: Bits

    def on(self, node: str) -> Literal:
        """Whether it is on the stack."""
        entered = self.machine.circuit.any([self.visited[node], self.token[node]])
        return self.machine.circuit.all([entered, -self.finished[node]])

    def seen(self, node: str, others: tuple[str, ...]) -> Seen:
        """A node, and these others."""
        machine = self.machine
        near = [
            Other(
                machine.adjacent[node, other],
                self.visited[other],
                self.previous[other],
                self.parent[node, other],
                machine.number[other],
            )
            for other in others
        ]
        root = machine.root[node]
        mine = (self.token[node], self.visited[node], self.finished[node])
        return Seen(root, *mine, self.ended, near)

    def stacked(self, a: str, b: str) -> Claim:
        """What holds of the stack, at any two nodes."""
        machine, c, height = self.machine, self.machine.circuit, self.height
        both = c.all([self.on(a), self.on(b)])
        entered = c.any([self.visited[a], self.token[a]])
        below = c.all([self.parent[a, b], self.on(a)])
        new = c.all([self.token[a], -self.visited[a], self.previous[b]])
        under = c.all([self.on(b), self.under(b, a)])
        alike = c.all([both, c.equal(height[a], height[b])])
        out = [
            (c.implies(self.token[a], c.equal(height[a], self.top)), "the holder is on top"),
            (c.implies(self.on(a), c.at_most(height[a], self.top)), "the stack ends at its top"),
            (c.implies(below, under), "a parent is right below its child"),
            (c.implies(new, under), "who called is right below"),
            (c.implies(new, self.visited[b]), "who called is discovered"),
            (c.implies(self.on(a), c.iff(machine.root[a], c.equals(height[a], 0))), "root lowest"),
            (c.implies(machine.root[a], entered), "the root is entered first"),
            (c.implies(self.ended, -self.on(a)), "the stack is empty at the end"),
            (c.implies(c.all([self.token[a], self.token[b]]), machine.same(a, b)), "one holder"),
        ]
        if machine.apart:
            out.append((c.implies(alike, machine.same(a, b)), "one node at a height"))
        return out

    def under(self, low: str, high: str) -> Literal:
        """Whether a height is one less than another."""
        c, height = self.machine.circuit, self.height
        room = -c.all(height[low])
        return c.all([room, c.equal(c.increment(height[low]), height[high])])


class Machine:
    """Named nodes of any graph.

    Args:
        obligation: takes the inputs and the assumptions.
        word: bits of a height, which is below the number of nodes.
        apart: whether no two nodes of the stack have one height; without it is a control.
    """

    def __init__(self, obligation: Obligation, word: int, *, apart: bool = True) -> None:
        self.obligation, self.circuit, self.apart = obligation, obligation.circuit, apart
        self.word = word
        c, o = self.circuit, obligation
        self.number = {a: o.input(f"node-{a}", 3) for a in NAMES}
        self.pairs = list(product(NAMES, NAMES))
        self.adjacent = {(a, b): o.input(f"adjacent-{a}{b}", 1)[0] for a, b in self.pairs}
        flags = ("root", "token", "previous", "visited", "finished")
        self.root, token, previous, visited, finished = (
            {a: o.input(f"{name}-{a}", 1)[0] for a in NAMES} for name in flags
        )
        height = {a: o.input(f"height-{a}", word) for a in NAMES}
        parent = {(a, b): o.input(f"parent-{a}{b}", 1)[0] for a, b in self.pairs}
        ended, top = o.input("ended", 1)[0], o.input("top", word)
        self.now = Search(self, token, previous, visited, finished, height, parent, ended, top)
        for a, b in self.pairs:
            o.assume(c.iff(self.adjacent[a, b], self.adjacent[b, a]), "undirected")
            roots = c.all([self.root[a], self.root[b]])
            o.assume(c.implies(roots, self.same(a, b)), "one root")
            mine, its = (
                [self.root[n], token[n], previous[n], visited[n], finished[n], *height[n]]
                + [self.adjacent[n, k] for k in NAMES]
                + [bit for k in NAMES for bit in (parent[n, k], parent[k, n])]
                for n in (a, b)
            )
            one = c.equal(mine, its)
            o.assume(c.implies(self.same(a, b), one), "two names of one node agree")

    def same(self, a: str, b: str) -> Literal:
        """Whether two names are of one node."""
        return self.circuit.equal(self.number[a], self.number[b])

    def holds_before(self) -> None:
        """Assumes the facts before the round, of nodes whose witnesses have a name."""
        c, o, now = self.circuit, self.obligation, self.now
        for a in NAMES:
            for claim, why in always(c, now.seen(a, NAMES)):
                o.assume(claim, why)
            for b in NAMES:
                for claim, why in now.stacked(a, b):
                    o.assume(claim, why)
        came, has = somewhere(c, now.seen("u", ("p",)))[:1], somewhere(c, now.seen("x", ("q",)))[1:]
        for claim, why in came + has:
            o.assume(claim, why)

    def holds(self, then: Search, witnesses: tuple[str, ...]) -> None:
        """Concludes the facts of x, y and z in a state.

        Args:
            then: which.
            witnesses: among whom x finds who called it, and its parent.
        """
        c, o = self.circuit, self.obligation
        parts = {
            "run": always(c, then.seen("x", ("y", "z"))),
            "stack": then.stacked("x", "y"),
            "witnesses": somewhere(c, then.seen("x", witnesses)),
        }
        for part, claims in parts.items():
            show(o, [(claim, part) for claim, _ in claims])


def build(name: str, word: int, *, apart: bool = True) -> Obligation:
    """What a round of the stack machine keeps.

    Args:
        name: one of `ROUNDS`.
        word: bits of a height.
        apart: see `Machine`.
    """
    o = Obligation(name)
    machine = Machine(o, word, apart=apart)
    c, now = machine.circuit, machine.now
    if name == "stack-base":
        nothing, zero = dict.fromkeys(NAMES, FALSE), c.number(0, word)
        heights, none = dict.fromkeys(NAMES, zero), dict.fromkeys(machine.pairs, FALSE)
        states = (machine.root, nothing, nothing, nothing)
        machine.holds(Search(machine, *states, heights, none, FALSE, zero), ("y",))
        return o
    machine.holds_before()
    if name == "stack-rest":
        for a in NAMES:
            o.assume(-now.token[a], ROUNDS[name])
        machine.holds(now._replace(previous=now.token), ("q",))
        return o
    machine.holds(moved(machine, name), ("u", "p", "q"))
    return o


def moved(machine: Machine, name: str) -> Search:
    """The state after the holder's round, and what is known of that round."""
    c, o, now = machine.circuit, machine.obligation, machine.now
    is_u, is_w = ({a: machine.same(a, one) for a in NAMES} for one in ("u", "w"))
    o.assume(now.token["u"], "u is the holder")
    visited = {a: c.any([now.visited[a], now.token[a]]) for a in NAMES}
    parent = {}
    for a, b in machine.pairs:
        new = c.all([now.token[a], -now.visited[a]])
        came = c.all([new, machine.adjacent[a, b], now.previous[b]])
        parent[a, b] = c.any([now.parent[a, b], came])
    pushes = name == "stack-push"
    over = dict.fromkeys(NAMES, FALSE) if pushes else is_u
    finished = {a: c.any([now.finished[a], over[a]]) for a in NAMES}
    height, top, token, ended = now.height, now.top, is_w, now.ended
    if pushes:
        untried = c.all([machine.adjacent["u", "w"], -visited["w"]])
        o.assume(untried, ROUNDS[name])
        o.assume(-c.all(top), "the stack is lower than there are nodes")
        top = c.increment(top)
        height = {a: c.select(is_w[a], top, now.height[a]) for a in NAMES}
    else:
        for a in NAMES:
            seen = c.implies(machine.adjacent["u", a], visited[a])
            o.assume(seen, "all neighbours are discovered")
        o.assume(machine.root["u"] if name == "stack-end" else -machine.root["u"], ROUNDS[name])
    if name == "stack-pop":
        # One of the two is its parent: there is one if u was discovered before, else p called it.
        known = c.all([now.visited["u"], now.parent["u", "w"]])
        called = c.all([-now.visited["u"], machine.same("w", "p")])
        o.assume(c.any([known, called]), "w is the parent, or called u")
        o.conclude(parent["u", "w"], "witnesses")
        o.conclude(c.all([visited["w"], -finished["w"]]), "witnesses")
        top = now.height["w"]
    if name == "stack-end":
        token, ended = dict.fromkeys(NAMES, FALSE), TRUE
    return Search(machine, token, is_u, visited, finished, height, parent, ended, top)
