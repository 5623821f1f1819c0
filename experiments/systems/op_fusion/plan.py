"""Fusion plans: partitions of operators into connected groups that can be executed one by one."""

import graphlib
import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group, OpGraph, edge_cuts, members
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
    if graph.ops and not Quotient(graph, groups).order():
        raise PlanError("the groups wait for each other in a circle")


def total_dram(plan: Iterable[Group], cost: CostModel) -> int:
    """Bytes that a plan moves; operators outside of all groups are not counted."""
    return sum(cost(group).dram for group in plan)


def lower_bound(cost: CostModel) -> int:
    """Bytes that any plan under LBDF moves at least: all weights, and what must cross its border."""
    free = CostModel(cost.graph, "lbdf", math.inf, element_bytes=cost.element_bytes)
    return free(cost.fusable()).dram


class Quotient:
    """The graph between groups, in which operators of no group stand alone; groups can be merged.

    Attributes:
        groups: those given, then the operators that stand alone; one that was merged is empty.
        owner: for each operator, the index of its group.
        before, after: for each group, those that it reads from and that read from it.
    """

    def __init__(self, graph: OpGraph, groups: Iterable[Group]) -> None:
        self.groups = list(groups)
        alone = graph.everything
        for group in self.groups:
            alone &= ~group
        self.groups += [1 << v for v in members(alone)]
        self.owner = [0] * len(graph)
        for index, group in enumerate(self.groups):
            for v in members(group):
                self.owner[v] = index
        self.before, self.after = ([0] * len(self.groups) for _ in range(2))
        for u, v in graph.edges:
            first, second = self.owner[u], self.owner[v]
            if first != second:
                self.after[first] |= 1 << second
                self.before[second] |= 1 << first

    def order(self) -> list[int]:
        """An order in which the groups can be executed; empty if they wait for each other in a circle."""
        waits = {index: list(members(before)) for index, before in enumerate(self.before)}
        try:
            return list(graphlib.TopologicalSorter(waits).static_order())
        except graphlib.CycleError:
            return []

    def can_merge(self, first: int, second: int) -> bool:
        """Whether no third group lies on a path between two groups, of a graph without circles."""
        return not (self._passes(first, second) or self._passes(second, first))

    def _passes(self, start: int, end: int) -> bool:
        frontier = seen = self.after[start] & ~(1 << end)
        if not self.before[end] & ~(1 << start):
            return False
        while frontier:
            low = frontier & -frontier
            new = self.after[low.bit_length() - 1] & ~seen
            seen |= new
            frontier ^= low | new
        return bool(seen >> end & 1)

    def merge(self, first: int, second: int) -> None:
        """Puts the second group into the first, which `can_merge` allows; its number stays, empty."""
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


def random_groups(
    cost: CostModel, num_groups: int, generator: np.random.Generator, *, largest: int = 10**9
) -> list[Group]:
    """Distinct groups of two or more operators from random plans; fewer if 200 plans hold fewer."""
    found: dict[Group, None] = {}
    for _ in range(200):
        for group in random_plan(cost, generator):
            if 2 <= group.bit_count() <= largest:
                found[group] = None
        if len(found) >= num_groups:
            break
    groups = list(found)
    return [groups[i] for i in generator.permutation(len(groups))[:num_groups]]


def edit(plan: Plan, cost: CostModel, generator: np.random.Generator) -> Plan:
    """A neighbouring plan: two groups merged, an operator shifted to another, or a group split.

    Groups of the result may not fit. The plan itself comes back where no try of ten is possible.
    """
    for _ in range(10):
        move = generator.integers(3)
        made = (
            _split(plan, cost, generator) if move == 2 else _moved(plan, cost, generator, move == 0)
        )
        if made is not None:
            return made
    return plan


def _moved(
    plan: Plan, cost: CostModel, generator: np.random.Generator, merging: bool
) -> Plan | None:
    """The plan with two groups merged along an edge, or with one end of it shifted to the other's."""
    quotient = Quotient(cost.graph, plan)
    owner = quotient.owner
    edges = [(u, v) for u, v in fusable_edges(cost) if owner[u] != owner[v]]
    if not edges:
        return None
    u, v = edges[generator.integers(len(edges))]
    if merging:
        if not quotient.can_merge(owner[u], owner[v]):
            return None
        quotient.merge(owner[u], owner[v])
        return tuple(group for group in quotient.groups[: len(plan)] if group)
    moved, to = (u, v) if generator.integers(2) else (v, u)
    groups = list(plan)
    groups[owner[moved]] &= ~(1 << moved)
    groups[owner[to]] |= 1 << moved
    left = groups[owner[moved]]
    rest = [group for group in groups if group]
    if (left and not cost.graph.is_connected(left)) or not Quotient(cost.graph, rest).order():
        return None
    return tuple(rest)


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
