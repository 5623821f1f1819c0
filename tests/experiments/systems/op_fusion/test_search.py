"""Best plans against all partitions, and searches against best plans."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.operator_graphs import graphs

from experiments.systems.op_fusion.cost import KB, CostModel, windows
from experiments.systems.op_fusion.exact import OutOfReachError, optimal_plan
from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor, as_group, chain, members
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import (
    PlanError,
    check_plan,
    contract,
    fusable_edges,
    lower_bound,
    total_dram,
)
from experiments.systems.op_fusion.search import SEARCHES
from experiments.systems.op_fusion.splitting import TreeSplitter, all_edges


def partitions(items):
    """All partitions of a list."""
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in partitions(rest):
        yield [[first], *smaller]
        for place, part in enumerate(smaller):
            yield [*smaller[:place], [first, *part], *smaller[place + 1 :]]


def cheapest_by_enumeration(cost):
    """The least DRAM over every partition that the plan's own check accepts."""
    best = None
    for parts in partitions(list(members(cost.fusable()))):
        plan = [as_group(part) for part in parts]
        try:
            check_plan(plan, cost)
        except PlanError:
            continue
        dram = total_dram(plan, cost)
        best = dram if best is None else min(best, dram)
    return best


@settings(max_examples=50, deadline=None)
@given(graphs(6), st.sampled_from(["lbdf", "brr"]), st.sampled_from([60, 120, 200, 400]))
def test_the_optimum_is_that_over_all_partitions(graph, fusion, buffer):
    cost = CostModel(graph, fusion, buffer)
    plan = optimal_plan(cost)
    check_plan(plan, cost)
    expected = cheapest_by_enumeration(cost)
    assert total_dram(plan, cost) == (expected or 0)
    assert total_dram(plan, cost) >= lower_bound(cost)


def test_a_group_that_does_not_fit_may_be_part_of_one_that_does():
    """So the search may not stop where a group is invalid, only where its bound is."""
    row = Tensor(4, 1)
    ops = (
        Op("stem", Tensor(8, 1000), (Read(-1),)),
        Op("conv", row, (Read(0, 3, 2, 1),)),
        Op("conv", row, (Read(1, 3, 1, 1),)),  # makes the first convolution run a row ahead
        Op("projection", row, (Read(0, 1, 2, 0),)),
        Op("conv", row, (Read(3, 3, 1, 1),)),  # makes the projection run ahead as well
    )
    graph = OpGraph(ops, (Tensor(8, 1),), frozenset({2, 4}))
    every = CostModel(graph, "lbdf", 1e9)
    assert windows(graph, 0b01111)[0] == 4
    assert windows(graph, 0b11111)[0] == 3
    cost = CostModel(graph, "lbdf", every(0b11111).memory + 1)
    assert not cost.is_valid(0b01111)
    plan = optimal_plan(cost)
    assert plan == (0b11111,)
    assert total_dram(plan, cost) == cheapest_by_enumeration(cost)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 100), min_size=2, max_size=9),
    st.lists(st.integers(1, 100), min_size=10, max_size=10),
    st.integers(0, 300),
)
def test_the_optimum_of_a_chain_is_that_over_all_sets_of_cuts(weights, tensors, slack):
    num = len(weights)
    graph = chain(weights, tensors[: num + 1])
    every = CostModel(graph, "lbdf", float("inf"))
    buffer = max(every(1 << v).memory for v in range(num)) + 1 + slack

    def price(start, stop):
        memory = sum(weights[start:stop]) + sum(tensors[start:stop]) + tensors[stop]
        moved = sum(weights[start:stop]) + tensors[start] + tensors[stop]
        return moved if memory < buffer else float("inf")

    best = min(
        sum(price(a, b) for a, b in itertools.pairwise((0, *cuts, num)))
        for size in range(num)
        for cuts in itertools.combinations(range(1, num), size)
    )
    cost = CostModel(graph, "lbdf", buffer)
    assert total_dram(optimal_plan(cost), cost) == best


def test_too_many_parallel_branches_are_said_to_be_too_many():
    leaf = Op("op", Tensor(1, 1), (Read(-1),))
    join = Op("join", Tensor(1, 1), tuple(Read(v) for v in range(12)))
    graph = OpGraph((*(leaf,) * 12, join), (Tensor(1, 1),), frozenset({12}))
    with pytest.raises(OutOfReachError, match="more than 50 groups"):
        optimal_plan(CostModel(graph, "lbdf", 100), most_groups=50)


@pytest.mark.parametrize("search", SEARCHES)
def test_searches_find_plans_between_the_optimum_and_their_first(search):
    cost = CostModel(network("resnet-18").graph, "lbdf", 256 * KB)
    split = TreeSplitter(cost, all_edges, np.random.default_rng(0))
    found = SEARCHES[search](cost, split, 20, np.random.default_rng(1))
    check_plan(found.plan, cost)
    assert len(found.history) == 20
    assert list(found.history) == sorted(found.history, reverse=True)
    assert found.dram == found.history[-1] == total_dram(found.plan, cost)
    assert found.dram >= total_dram(optimal_plan(cost), cost) >= lower_bound(cost)
    again = SEARCHES[search](cost, split, 20, np.random.default_rng(1))
    assert again == found


def test_fusing_every_edge_gives_one_group_for_each_connected_part():
    cost = CostModel(network("squeezenet").graph, "lbdf", float("inf"))
    (group,) = contract(cost, fusable_edges(cost))
    assert group == cost.graph.everything
    assert cost(group).dram == lower_bound(cost)
