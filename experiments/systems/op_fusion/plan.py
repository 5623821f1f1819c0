"""Fusion plans: partitions of operators into connected groups that can be executed one by one."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.cuts import edge_cuts
from experiments.systems.op_fusion.graph import Group, OpGraph, members
from ntkexec.errors import ExperimentError

Plan: TypeAlias = tuple[Group, ...]
"""Groups in any order; operators that fit into no buffer belong to none."""


class PlanError(ExperimentError):
    """A plan does not cover, overlaps, falls apart, cannot be ordered, or does not fit."""


def check_plan(plan: Iterable[Group], cost: CostModel, *, fits: bool = True) -> None:
    """Raises unless groups are disjoint, connected, cover what is fusable, and can be executed.

    Args:
        plan: the groups.
        cost: of the network and buffer.
        fits: whether each group must also fit into the buffer.

    Raises:
        PlanError: names the group and what is wrong with it.
    """
    graph, seen = cost.graph, 0
    groups = list(plan)
    for group in groups:
        if group & seen:
            raise PlanError(f"operators {list(members(group & seen))} are in two groups")
        seen |= group
        if not graph.is_connected(group):
            raise PlanError(f"the group {list(members(group))} does not hang together")
        if fits and not cost.is_valid(group):
            raise PlanError(
                f"the group {list(members(group))} needs {cost(group).memory} bytes of {cost.buffer}"
            )
    if seen != cost.fusable():
        odd = list(members(seen ^ cost.fusable()))
        raise PlanError(f"operators {odd} are fusable and left out, or not and put in")
    if not Quotient(graph, groups).is_acyclic():
        raise PlanError("the groups wait for each other in a circle")


def total_dram(plan: Iterable[Group], cost: CostModel) -> int:
    """Bytes that a plan moves; operators outside of all groups are not counted."""
    return sum(cost(group).dram for group in plan)


def lower_bound(cost: CostModel) -> int:
    """Bytes that any plan under LBDF moves at least: all weights, and what must cross its border."""
    return CostModel(cost.graph, "lbdf", math.inf, element_bytes=cost.element_bytes)(
        cost.fusable()
    ).dram


class Quotient:
    """The graph between groups, in which operators of no group stand alone; groups can be merged.

    An order of execution is kept, and changed between two merged groups only, so that neither
    merging nor asking whether it closes a circle looks at the whole graph.
    Source: Pearce and Kelly, ACM JEA 11 (2007), for edges that are added instead.
    """

    def __init__(self, graph: OpGraph, groups: Iterable[Group]) -> None:
        self.graph = graph
        self.groups = list(groups)
        covered = 0
        for group in self.groups:
            covered |= group
        self.groups += [1 << v for v in members(graph.everything & ~covered)]
        self.owner = [0] * len(graph)
        for index, group in enumerate(self.groups):
            for v in members(group):
                self.owner[v] = index
        self.after = [0] * len(self.groups)
        self.before = [0] * len(self.groups)
        for u, v in graph.edges:
            first, second = self.owner[u], self.owner[v]
            if first != second:
                self.after[first] |= 1 << second
                self.before[second] |= 1 << first
        # Without the groups that are on a circle or after one.
        waiting = [before.bit_count() for before in self.before]
        self.order = [index for index, number in enumerate(waiting) if not number]
        for index in self.order:
            for other in members(self.after[index]):
                waiting[other] -= 1
                if not waiting[other]:
                    self.order.append(other)
        self.place = [0] * len(self.groups)
        for place, index in enumerate(self.order):
            self.place[index] = place

    def is_acyclic(self) -> bool:
        """Whether the groups can be executed one after another."""
        return len(self.order) == len(self.groups)

    def _between(self, first: int, second: int) -> list[int]:
        """What comes after the first group and, in order of execution, before the second."""
        end = self.place[second]
        seen, found = 1 << second, [first]
        for index in found:
            for other in members(self.after[index] & ~seen):
                seen |= 1 << other
                if self.place[other] < end:
                    found.append(other)
        return found[1:]

    def can_merge(self, first: int, second: int) -> bool:
        """Whether no third group lies on a path between two groups, of a graph without circles."""
        if self.place[first] > self.place[second]:
            first, second = second, first
        return not any(self.after[index] >> second & 1 for index in self._between(first, second))

    def merge(self, first: int, second: int) -> None:
        """Puts the second group into the first, which `can_merge` allows; its number stays, empty."""
        early, late = sorted((first, second), key=self.place.__getitem__)
        start, end = self.place[early], self.place[late]
        # What waits for the early one comes behind both; the late one waits for none of it.
        behind = self._between(early, late)
        moved = set(behind)
        ahead = [index for index in self.order[start + 1 : end] if index not in moved]
        behind.sort(key=self.place.__getitem__)
        self.order[start : end + 1] = [*ahead, first, second, *behind]
        for place in range(start, end + 1):
            self.place[self.order[place]] = place
        for v in members(self.groups[second]):
            self.owner[v] = first
        self.groups[first] |= self.groups[second]
        self.groups[second] = 0
        a, b = 1 << first, 1 << second
        for here, there in ((self.after, self.before), (self.before, self.after)):
            for other in members(here[second] & ~a):
                there[other] = (there[other] | a) & ~b
            here[first] = (here[first] | here[second]) & ~a & ~b
            here[second] = 0


def contract(cost: CostModel, edges: Iterable[tuple[int, int]]) -> Plan:
    """The plan in which these edges are fused one by one, each unless a circle would arise."""
    fusable = cost.fusable()
    quotient = Quotient(cost.graph, [1 << v for v in members(fusable)])
    for u, v in edges:
        first, second = quotient.owner[u], quotient.owner[v]
        if first != second and quotient.can_merge(first, second):
            quotient.merge(first, second)
    return tuple(group for group in quotient.groups if group & fusable)


def fusable_edges(cost: CostModel) -> list[tuple[int, int]]:
    """Edges of which both ends are fusable."""
    return cost.graph.inner_edges(cost.fusable())


def random_plan(cost: CostModel, generator: np.random.Generator) -> Plan:
    """A plan from fusing a random share of the edges in random order; groups may not fit.

    The edges left out are between 1/2 and 1/40 of all, log-uniformly, so groups of a few and of
    dozens of operators are equally common: the paper does not say how it draws plans.
    """
    edges = fusable_edges(cost)
    left_out = math.exp(generator.uniform(math.log(1 / 40), math.log(1 / 2)))
    order = [edges[i] for i in generator.permutation(len(edges))]
    return contract(cost, order[round(left_out * len(order)) :])


def edit(plan: Plan, cost: CostModel, generator: np.random.Generator) -> Plan:
    """A neighbouring plan: two groups merged, an operator shifted to another, or a group split.

    Groups of the result may not fit. The plan itself comes back where no try of ten is possible.
    """
    moves = (_merge, _shift, _split)
    for _ in range(10):
        made = moves[generator.integers(len(moves))](plan, cost, generator)
        if made is not None:
            return made
    return plan


def _crossing(
    plan: Plan, cost: CostModel, generator: np.random.Generator
) -> tuple[Quotient, int, int] | None:
    quotient = Quotient(cost.graph, plan)
    fusable = cost.fusable()
    edges = [
        (u, v)
        for u, v in cost.graph.edges
        if quotient.owner[u] != quotient.owner[v] and fusable >> u & fusable >> v & 1
    ]
    if not edges:
        return None
    u, v = edges[generator.integers(len(edges))]
    return quotient, u, v


def _merge(plan: Plan, cost: CostModel, generator: np.random.Generator) -> Plan | None:
    found = _crossing(plan, cost, generator)
    if found is None:
        return None
    quotient, u, v = found
    first, second = quotient.owner[u], quotient.owner[v]
    if not quotient.can_merge(first, second):
        return None
    quotient.merge(first, second)
    return tuple(group for group in quotient.groups[: len(plan)] if group)


def _shift(plan: Plan, cost: CostModel, generator: np.random.Generator) -> Plan | None:
    found = _crossing(plan, cost, generator)
    if found is None:
        return None
    quotient, u, v = found
    moved, to = (u, v) if generator.integers(2) else (v, u)
    source, target = quotient.owner[moved], quotient.owner[to]
    groups = list(plan)
    groups[source] &= ~(1 << moved)
    groups[target] |= 1 << moved
    rest = [group for group in groups if group]
    if groups[source] and not cost.graph.is_connected(groups[source]):
        return None
    return tuple(rest) if Quotient(cost.graph, rest).is_acyclic() else None


def _split(plan: Plan, cost: CostModel, generator: np.random.Generator) -> Plan | None:
    large = [place for place, group in enumerate(plan) if group & (group - 1)]
    if not large:
        return None
    place = large[generator.integers(len(large))]
    parts = random_halves(cost.graph, plan[place], generator)
    return (*plan[:place], *parts, *plan[place + 1 :])


def random_halves(
    graph: OpGraph, group: Group, generator: np.random.Generator
) -> tuple[Group, Group]:
    """Two connected halves of a group of which the first can be executed first.

    Edges are drawn until one has a cut, and one of its cuts is drawn. Every connected group of two
    or more operators has one: leaving out an extreme operator that is no cut vertex.
    """
    edges = graph.inner_edges(group)
    for place in generator.permutation(len(edges)):
        if cuts := edge_cuts(graph, group, edges[place]):
            return cuts[generator.integers(len(cuts))]
    raise PlanError(f"the group {list(members(group))} has no cut")


def to_data(
    plan: Plan, cost: CostModel, reasons: Mapping[Group, str] | None = None
) -> list[dict[str, Any]]:
    """The plan for JSON, in order of execution: operators, memory, DRAM and bands of each group.

    Args:
        plan: its groups.
        cost: of the network and buffer.
        reasons: why a group was cut off from others, as `TreeSplitter.reasons` has it; groups without
            one are as the search drew them.
    """
    rows = []
    for group in sorted(plan, key=lambda g: g & -g):
        ops = list(members(group))
        kinds = [cost.graph.ops[v].kind for v in ops]
        reason = (reasons or {}).get(group, "as the search drew it")
        row = {"operators": ops, "kinds": kinds, "reason": reason}
        rows.append({**row, **dataclasses.asdict(cost(group))})
    return rows
