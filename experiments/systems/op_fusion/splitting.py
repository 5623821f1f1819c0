"""Splitting a group that does not fit: greedily along chosen edges, or at random."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Cut, Group, edge_cuts
from experiments.systems.op_fusion.plan import Plan, random_halves, total_dram

Edges: TypeAlias = Sequence[tuple[int, int]]
Selector: TypeAlias = Callable[[CostModel, Group], Edges]
"""Names edges of an invalid group along which it should be cut: an explanation of why it does not
fit, or a baseline. Signature `(cost, group) -> edges inside the group`."""

TRIED_DEEP, TRIED, TRIED_HALF = 1, 6, 3
"""Cuts that are followed up where neither half fits, at depth 2 and more, before, and where one does."""


def all_edges(cost: CostModel, group: Group) -> Edges:
    """Every edge: the tree without an explanation."""
    return cost.graph.inner_edges(group)


def random_share(generator: np.random.Generator, share: float = 0.5) -> Selector:
    """Selects a random share of the edges, at least two: an explanation that explains nothing."""

    def select(cost: CostModel, group: Group) -> Edges:
        edges = cost.graph.inner_edges(group)
        kept = generator.permutation(len(edges))[: max(2, round(share * len(edges)))]
        return [edges[place] for place in kept]

    return select


def occlusion(share: float = 0.5) -> Selector:
    """Selects the edges whose best cut lowers the larger half's memory most, exactly measured."""

    def select(cost: CostModel, group: Group) -> Edges:
        def worst(edge: tuple[int, int]) -> float:
            cuts = edge_cuts(cost.graph, group, edge, most=1)
            return min((max(cost(h).memory for h in cut) for cut in cuts), default=float("inf"))

        edges = sorted(cost.graph.inner_edges(group), key=worst)
        return edges[: max(2, round(share * len(edges)))]

    return select


@dataclasses.dataclass
class RandomSplitter:
    """Splits groups along random cuts until all parts fit: what the paper compares itself with.

    Args:
        cost: of the network and buffer; operators must fit one by one.
        generator: draws the cuts.
        reasons: why a group is one of its own.
    """

    cost: CostModel
    generator: np.random.Generator
    reasons: dict[Group, str] = dataclasses.field(default_factory=dict)

    def __call__(self, group: Group) -> Plan:
        """The group as groups that fit."""
        if self.cost.is_valid(group):
            return (group,)
        halves = random_halves(self.cost.graph, group, self.generator)
        self.reasons |= dict.fromkeys(halves, "cut off at random")
        return tuple(part for half in halves for part in self(half))


class TreeSplitter:
    """Splits groups by the greedy tree over the cuts along selected edges, and remembers how.

    Args:
        cost: of the network and buffer; operators must fit one by one.
        select: names the edges.
        generator: for groups that the tree cannot split, which are split at random.

    Attributes:
        whole: for each group that was handed over and did not fit, its parts.
        by_chance: those among them that the tree could not split.
        reasons: why a group is one of its own.

    Source: algorithm 1 of arXiv:2501.00636; how many cuts are followed up is a reconstruction.
    """

    def __init__(self, cost: CostModel, select: Selector, generator: np.random.Generator) -> None:
        self.cost, self.select = cost, select
        self.whole: dict[Group, Plan] = {}
        self.by_chance: set[Group] = set()
        self.reasons: dict[Group, str] = {}
        self._chance = RandomSplitter(cost, generator, self.reasons)
        self._known: dict[tuple[Group, bool], Plan | None] = {}
        self._cuts: dict[Group, list[Cut]] = {}

    def __call__(self, group: Group) -> Plan:
        """The group as groups that fit."""
        if self.cost.is_valid(group):
            return (group,)
        if group not in self.whole:
            made = self._split(group, 0)
            if made is None:
                self.by_chance.add(group)
                made = self._chance(group)
            self.whole[group] = made
        return self.whole[group]

    def _split(self, group: Group, depth: int) -> Plan | None:
        if self.cost.is_valid(group):
            return (group,)
        key = (group, depth < 2)
        if key not in self._known:
            self._known[key] = self._search(group, depth)
        return self._known[key]

    def _search(self, group: Group, depth: int) -> Plan | None:
        if group & (group - 1) == 0:
            return None
        fitting: tuple[list[Cut], list[Cut], list[Cut]] = ([], [], [])
        for cut in self._cuts_of(group):
            fitting[sum(map(self.cost.is_valid, cut))].append(cut)
        none, one, both = fitting
        if both:
            reason = f"least DRAM of {len(both)} cuts whose halves both fit"
            return self._because(min(both, key=self._dram), reason)
        # The valid half that saves most operators first; then the smallest overflow.
        one.sort(key=lambda cut: -max(h.bit_count() for h in cut if self.cost.is_valid(h)))
        for cut in one[:TRIED_HALF]:
            valid, other = cut if self.cost.is_valid(cut[0]) else cut[::-1]
            if (rest := self._split(other, depth + 1)) is not None:
                self._because((valid,), f"the half that fits, of {len(one)} cuts with one such")
                return (valid, *rest)
        if one:
            return None
        none.sort(key=lambda cut: max(self.cost(half).memory for half in cut))
        plans = []
        for first, second in none[: TRIED if depth < 2 else TRIED_DEEP]:
            start = self._split(first, depth + 1)
            end = None if start is None else self._split(second, depth + 1)
            if start is not None and end is not None:
                plans.append((*start, *end))
        best = min(plans, key=self._dram, default=None)
        for part in best or ():
            reason = f"from the better of {len(plans)} cuts with no half that fits"
            self.reasons.setdefault(part, reason)
        return best

    def _because(self, parts: Plan, reason: str) -> Plan:
        self.reasons |= dict.fromkeys(parts, reason)
        return parts

    def _dram(self, plan: Plan) -> int:
        return total_dram(plan, self.cost)

    def _cuts_of(self, group: Group) -> list[Cut]:
        if group not in self._cuts:
            cuts = (edge_cuts(self.cost.graph, group, e) for e in self.select(self.cost, group))
            self._cuts[group] = list(dict.fromkeys(cut for found in cuts for cut in found))
        return self._cuts[group]
