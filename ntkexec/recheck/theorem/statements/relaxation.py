"""The hypothesis of Bellman-Ford: what is in the pipeline of a node before each step of a round.

Ghosts are what a node and its in-neighbours know before the round. A number that arrives bit by bit is
that of the ghost: what a field holds is said by its place in the number and the step.
"""

from collections.abc import Mapping

from ..circuit import FALSE, Bits, Literal
from ..obligation import Obligation
from ..specifications.bellman_ford import Outcome
from ..step import Fields, flat
from .induction import Claim
from .neighbourhood import Neighbourhood


class Relaxation(Neighbourhood):
    """Ghosts: what nodes know before a round, and the weights of the edges.

    Args:
        obligation: takes the inputs and the assumptions.
        sizes: of the program.
        coloured: see `Neighbourhood`.
        ahead: steps by which the hypothesis is wrong; other than 0 it is a control.

    Attributes:
        reached: of the node and its in-neighbours.
        distance: the same, as stored; 0 where there is none.
        weight: by port, as stored.
        parent: by port, whether it is the node's parent's.
        improved: whether the node's distance fell in the round before.
    """

    def __init__(
        self,
        obligation: Obligation,
        sizes: Mapping[str, int],
        *,
        coloured: bool = True,
        ahead: int = 0,
    ) -> None:
        degree, slots = max(1, sizes["degree"]), sizes["slots"]
        super().__init__(obligation, degree, slots, coloured=coloured, loops=True)
        c, o = self.circuit, obligation
        self.word, self.ahead = sizes["word"], ahead
        self.reached = [o.input(f"reached{x}", 1)[0] for x in self.members]
        numbers = [o.input(f"distance{x}", self.word) for x in self.members]
        self.distance = [c.where(*pair) for pair in zip(self.reached, numbers, strict=True)]
        self.weight = [o.input(f"weight{p}", self.word) for p in range(degree)]
        self.parent = o.input("parent", degree)
        self.improved = o.input("improved", 1)[0]
        for p, loop in enumerate(self.loop):
            same = [c.iff(self.reached[0], self.reached[p + 1])]
            same.append(c.equal(self.distance[0], self.distance[p + 1]))
            o.assume(c.implies(loop, c.all(same)), "the node is itself")
        self.sums, self.carries = zip(*map(self._added, range(degree)), strict=True)
        self.candidates = [self.distance[0], *(bits[: self.word] for bits in self.sums)]
        self.pairs = [(a, b) for b in self.members for a in range(b)]

    @property
    def node(self) -> Outcome:
        """What the node knows."""
        return Outcome(self.reached[0], self.distance[0], self.parent, self.improved)

    @property
    def live(self) -> list[Literal]:
        """Whether the own distance, and the sum at each port, is one."""
        c = self.circuit
        there = zip(self.present, self.reached[1:], strict=True)
        return [self.reached[0], *(c.all(pair) for pair in there)]

    @property
    def heard(self) -> list[tuple[Literal, Bits]]:
        """By port, what the specification takes."""
        return list(zip(self.live[1:], self.distance[1:], strict=True))

    def sent(self, x: int, place: int) -> Literal:
        """What a node sends as its bit of that number: those of its distance, and then that it has one."""
        if place == self.word:
            return self.reached[x]
        return self.distance[x][place] if 0 <= place < self.word else FALSE

    def _added(self, p: int) -> tuple[Bits, Bits]:
        """The bits of the sum at a port, and the carries into them, the flag being added too."""
        c, total, carry = self.circuit, [], [FALSE]
        for place in range(self.word + 3):
            a = c.all([self.present[p], self.sent(p + 1, place)])
            b = self.weight[p][place] if place < self.word else FALSE
            total.append(c.xor(c.xor(a, b), carry[-1]))
            carry.append(c.any([c.all([a, b]), c.all([a, carry[-1]]), c.all([b, carry[-1]])]))
        return total, carry

    def before(self, step: int, at: Fields, x: int) -> Claim:
        """The hypothesis before a step of the round, as far as it speaks of the node x alone."""
        c = self.circuit
        out = [(bit if i == step else -bit, "known") for i, bit in enumerate(at["phase"])]
        out.append((c.equal(at["colour"], self.colour[x]), "known"))
        out.append((c.iff(at["reached"][0], self.reached[x]), "known"))
        out.append((c.equal(at["distance"], self.distance[x]), "known"))
        step += self.ahead
        stages = [self.sent(x, step - 1 - stage) for stage in range(len(at["own"]))]
        out.append((c.equal(at["own"], stages), "pipeline"))
        if x == 0:
            out += self._ports(step, at) + self._lanes(step, at) + self._compared(step, at)
        return out

    def _ports(self, step: int, at: Fields) -> Claim:
        """What a node knows of its edges, and what it hears."""
        c = self.circuit
        pairs = [
            *zip(at["port.slot"], self.port_slots(), strict=True),
            *zip(at["edge.weight"], self.weight, strict=True),
            (at["parent"], self.parent),
            (at["improved"], [self.improved if step == 0 else FALSE]),
        ]
        bits = self.by_slot([self.sent(x, step - 2) for x in self.members])
        inbox = (c.equal(flat(at["inbox.bit"]), bits), "pipeline")
        return [*((c.equal(*pair), "known") for pair in pairs), inbox]

    def _lanes(self, step: int, at: Fields) -> Claim:
        """What has come of the numbers at each port."""
        c, word, out = self.circuit, self.word, []
        for p, here in enumerate(self.present):
            holds = {
                "heard": c.all([here, self.sent(p + 1, step - 3)]),
                "weight": self.weight[p][step - 3] if 0 <= step - 3 < word else FALSE,
                "carry": self.carries[p][step - 3] if step >= 3 else FALSE,
                "sum": self.sums[p][step - 4] if step >= 4 else FALSE,
                "live": self.live[p + 1] if step == word + 4 else FALSE,
            }
            for stage, bit in holds.items():
                out.append((c.iff(at[f"lane.{stage}"][p][0], bit), "pipeline"))
            arrived = max(0, min(word, step - 4))
            kept = c.equal(at["sum.kept"][p][:arrived], self.sums[p][:arrived])
            out.append((kept, "pipeline"))
        return out

    def _compared(self, step: int, at: Fields) -> Claim:
        """Which candidates are smaller, as far as their bits have come, and which have lost."""
        c, word, out = self.circuit, self.word, []
        if 1 <= step <= word + 4:
            smaller = zip(flat(at["pair.smaller"]), self.smaller(step - 4), strict=True)
            out += [(c.iff(bit, less), "comparison") for bit, less in smaller]
        lost = self.lost() if step == word + 5 else [FALSE] * len(self.present)
        pairs = zip(flat(at["lane.lost"]), lost, strict=True)
        return out + [(c.iff(bit, one), "comparison") for bit, one in pairs]

    def smaller(self, places: int) -> list[Literal]:
        """For any two candidates, whether the later is smaller, by its lowest bits."""
        n, own = max(0, places), self.candidates
        return [self.circuit.less(own[b][:n], own[a][:n]) for a, b in self.pairs]

    def lost(self) -> list[Literal]:
        """By port, whether the sum is none, or another one or the own distance goes first."""
        c, live = self.circuit, self.live
        less = dict(zip(self.pairs, self.smaller(self.word), strict=True))
        out = []
        for i in self.members[1:]:
            before = [c.all([live[a], -less[a, i]]) for a in range(i)]
            after = [c.all([live[b], less[i, b]]) for b in self.members[i + 1 :]]
            out.append(c.any([-live[i], *before, *after]))
        return out
