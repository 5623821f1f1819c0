"""Splitting a group that does not fit: greedily along chosen edges, or at random."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.cuts import Cut, edge_cuts
from experiments.systems.op_fusion.graph import Group
from experiments.systems.op_fusion.plan import Plan, random_halves

Selector: TypeAlias = Callable[[CostModel, Group], Sequence[tuple[int, int]]]
"""Names edges of an invalid group along which it should be cut: an explanation of why it does not
fit, or a baseline. Signature `(cost, group) -> edges inside the group`."""

TRIED_DEEP, TRIED, TRIED_HALF = 1, 6, 3
"""Cuts that are followed up where neither half fits, at depth 2 and more, before, and where one does."""


def all_edges(cost: CostModel, group: Group) -> Sequence[tuple[int, int]]:
    """Every edge: the tree without an explanation."""
    return cost.graph.inner_edges(group)


@dataclasses.dataclass
class Tally:
    """What splitting cost so far.

    Args:
        groups: invalid groups that a search handed over, each once.
        rectified: of these, those that the tree split; the others were split at random.
        selected: groups that the selector was asked about.
        seconds: that it took for them.
        edges: that it named in all.
    """

    groups: int = 0
    rectified: int = 0
    selected: int = 0
    seconds: float = 0.0
    edges: int = 0


class TreeSplitter:
    """Splits groups by the greedy tree over the cuts along selected edges, and remembers how.

    Args:
        cost: of the network and buffer.
        select: names the edges.
        generator: for groups that the tree cannot split, which are split at random.
        remember: whether a group is split once only.

    Source: algorithm 1 of arXiv:2501.00636; how many cuts are followed up is a reconstruction.
    """

    def __init__(
        self,
        cost: CostModel,
        select: Selector,
        generator: np.random.Generator,
        *,
        remember: bool = True,
    ) -> None:
        self.cost, self.select, self.generator = cost, select, generator
        self.tally = Tally()
        self.remember = remember
        self._known: dict[tuple[Group, bool], Plan | None] = {}
        self._cuts: dict[Group, list[Cut]] = {}
        self._whole: dict[Group, Plan] = {}
        self.reasons: dict[Group, str] = {}
        """Why each half of a followed cut is a group of its own, for `plan.to_data`."""

    def __call__(self, group: Group) -> Plan:
        """The group as groups that fit; operators must fit one by one."""
        if self.cost.is_valid(group):
            return (group,)
        if group not in self._whole or not self.remember:
            self.tally.groups += 1
            made = self._split(group, 0)
            self.tally.rectified += made is not None
            if made is None:
                made = random_split(self.cost, group, self.generator)
                self.reasons |= dict.fromkeys(
                    made, "drawn at random: no cut tried could be completed"
                )
            self._whole[group] = made
        return self._whole[group]

    def _split(self, group: Group, depth: int) -> Plan | None:
        if self.cost.is_valid(group):
            return (group,)
        key = (group, depth < 2)
        if key not in self._known or not self.remember:
            self._known[key] = self._search(group, depth)
        return self._known[key]

    def _search(self, group: Group, depth: int) -> Plan | None:
        if group & (group - 1) == 0:
            return None
        both: list[Cut] = []
        one: list[Cut] = []
        none: list[Cut] = []
        for cut in self._cuts_of(group):
            fitting = sum(map(self.cost.is_valid, cut))
            (none, one, both)[fitting].append(cut)
        if both:
            return self._because(
                min(both, key=self._dram), f"least DRAM of {len(both)} cuts whose halves both fit"
            )
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
            self.reasons.setdefault(
                part, f"from the better of {len(plans)} cuts with no half that fits"
            )
        return best

    def _because(self, parts: Plan, reason: str) -> Plan:
        self.reasons |= dict.fromkeys(parts, reason)
        return parts

    def _dram(self, plan: Plan) -> int:
        return sum(self.cost(group).dram for group in plan)

    def _cuts_of(self, group: Group) -> list[Cut]:
        if group not in self._cuts or not self.remember:
            start = time.perf_counter()
            edges = list(self.select(self.cost, group))
            self.tally.seconds += time.perf_counter() - start
            self.tally.selected += 1
            self.tally.edges += len(edges)
            self._cuts[group] = list(
                dict.fromkeys(c for e in edges for c in edge_cuts(self.cost.graph, group, e))
            )
        return self._cuts[group]


class RandomSplitter:
    """Splits groups along random cuts until all parts fit: what the paper compares itself with."""

    def __init__(self, cost: CostModel, generator: np.random.Generator) -> None:
        self.cost, self.generator = cost, generator
        self.tally = Tally()

    def __call__(self, group: Group) -> Plan:
        """The group as groups that fit; operators must fit one by one."""
        if not self.cost.is_valid(group):
            self.tally.groups += 1
            self.tally.rectified += 1
        return random_split(self.cost, group, self.generator)


def random_split(cost: CostModel, group: Group, generator: np.random.Generator) -> Plan:
    """A group cut at random until all parts fit."""
    if cost.is_valid(group):
        return (group,)
    first, second = random_halves(cost.graph, group, generator)
    return (
        *random_split(cost, first, generator),
        *random_split(cost, second, generator),
    )


def random_share(generator: np.random.Generator, share: float = 0.5) -> Selector:
    """Selects a random share of the edges, at least two: an explanation that explains nothing."""

    def select(cost: CostModel, group: Group) -> Sequence[tuple[int, int]]:
        edges = cost.graph.inner_edges(group)
        kept = generator.permutation(len(edges))[: max(2, round(share * len(edges)))]
        return [edges[place] for place in kept]

    return select


def occlusion(share: float = 0.5) -> Selector:
    """Selects the edges whose best cut lowers the larger half's memory most, exactly measured."""

    def select(cost: CostModel, group: Group) -> Sequence[tuple[int, int]]:
        def worst(edge: tuple[int, int]) -> float:
            cuts = edge_cuts(cost.graph, group, edge, most=1)
            return min((max(cost(h).memory for h in cut) for cut in cuts), default=float("inf"))

        edges = sorted(cost.graph.inner_edges(group), key=worst)
        return edges[: max(2, round(share * len(edges)))]

    return select
