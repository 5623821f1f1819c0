"""Costs of groups against execution row by row, and against sums by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.operator_graphs import graphs, grown, simulated_windows

from experiments.systems.op_fusion import cost as costs
from experiments.systems.op_fusion.cost import CostModel, windows
from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor, as_group, chain, members
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import random_plan, total_dram
from ntkexec.errors import ExperimentError


@settings(max_examples=60, deadline=None)
@given(graphs(whole=False))
def test_rows_on_chip_are_never_fewer_than_execution_row_by_row_needs(graph):
    """Nor more, in networks; here one branch may be executed before another lets go of its rows."""
    for v in range(len(graph)):
        group = graph.ancestors(v, graph.everything)
        formula, executed = windows(graph, group), simulated_windows(graph, group)
        assert formula.keys() == executed.keys()
        assert all(formula[t] >= executed[t] for t in formula)


@pytest.mark.parametrize(
    "name",
    [
        *("squeezenet", "resnet-18"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("mobilenet-v2", "efficientnet-b0")
        ),
    ],
)
def test_rows_on_chip_are_exact_on_groups_of_networks(name):
    graph, generator = network(name).graph, np.random.default_rng(0)
    compared = 0
    while compared < 25:
        group = grown(graph, 8, generator)
        if sum(not graph.successors[v] & group for v in members(group)) == 1:
            assert windows(graph, group) == simulated_windows(graph, group)
            compared += 1


def test_a_wrong_closed_form_is_noticed():
    graph = network("resnet-18").graph
    group = as_group(range(2, 8))  # a residual block: the skip waits for two 3x3 convolutions

    def kernels_only(graph, group):
        return {r.source: r.kernel for v in members(group) for r in graph.ops[v].reads}

    assert windows(graph, group) == simulated_windows(graph, group)
    assert kernels_only(graph, group) != simulated_windows(graph, group)


def test_costs_of_two_convolutions_are_those_computed_by_hand():
    ops = (
        Op("conv", Tensor(8, 24), (Read(-1, 3, 1, 1),), weights=100, filters=3),
        Op("conv", Tensor(8, 40), (Read(0, 3, 1, 1),), weights=200, filters=5),
    )
    graph = OpGraph(ops, (Tensor(8, 16),), frozenset({1}))
    lbdf = CostModel(graph, "lbdf", 1e9)
    assert lbdf(0b01) == costs.GroupCost(100 + 3 * 16 + 24, 100 + 8 * 16 + 8 * 24)
    assert lbdf(0b11) == costs.GroupCost(300 + 3 * 16 + 3 * 24 + 40, 300 + 8 * 16 + 8 * 40)
    # One band: 8 rows of each of two tensors at a time; all weights, as the buffer is large.
    brr = CostModel(graph, "brr", 1e9)(0b11)
    assert (brr.dram, brr.bands) == (300 + 8 * 16 + 8 * 40, 1)
    # Eight bands of one row: at the second operator 3 rows of 24, one of 40 and 200 / 5 weights;
    # at the first 5 rows of 16, 3 of 24 and ceil(100 / 3).
    assert brr.memory == max(3 * 24 + 40 + 40, 5 * 16 + 3 * 24 + 34)
    assert CostModel(graph, "lbdf", 1e9, element_bytes=2)(0b11).dram == 2 * lbdf(0b11).dram


def test_bands_are_paid_for_by_reading_weights_and_borders_again():
    ops = (Op("conv", Tensor(4, 10), (Read(-1, 3, 1, 1),), weights=100, filters=10),)
    graph = OpGraph(ops, (Tensor(4, 10),), frozenset({0}))
    # One band holds 40 + 40 + 10, two hold 30 + 20 + 10, four hold at most 30 + 10 + 10.
    found = {b: CostModel(graph, "brr", b)(1) for b in (91, 90, 61, 60, 51, 50)}
    assert [found[b].bands for b in (91, 90, 61, 60, 51)] == [1, 2, 2, 4, 4]
    assert found[91].dram == 100 + 40 + 40
    assert found[90].dram == 200 + (30 + 30) + 40
    assert found[51].dram == 400 + (20 + 30 + 30 + 20) + 40
    assert found[50].memory == 50
    assert not CostModel(graph, "brr", 50).is_valid(1)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_brr_never_moves_less_than_lbdf_and_equals_it_without_a_limit(graph):
    lbdf = CostModel(graph, "lbdf", float("inf"))
    free = CostModel(graph, "brr", float("inf"))
    previous = {}
    for buffer in (30, 60, 120, 240, 480, 960):
        tight = CostModel(graph, "brr", buffer)
        for v in range(len(graph)):
            group = graph.ancestors(v, graph.everything)
            assert free(group).dram == lbdf(group).dram
            if tight.is_valid(group):
                assert lbdf(group).dram <= tight(group).dram <= previous.get(group, 10**9)
                previous[group] = tight(group).dram


@settings(max_examples=40, deadline=None)
@given(graphs(), st.sampled_from(["lbdf", "brr"]))
def test_the_bound_for_pruning_holds_for_every_larger_group(graph, fusion):
    cost = CostModel(graph, fusion, float("inf"))
    for group in range(1, 1 << len(graph)):
        for v in members(group):
            if smaller := group & ~(1 << v):
                assert cost.least_memory(smaller) <= cost.least_memory(group)
        assert cost.least_memory(group) <= cost(group).memory


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 2**32 - 1))
def test_a_plan_s_dram_is_a_sum_over_weights_and_tensors_and_merging_never_raises_it(graph, seed):
    cost = CostModel(graph, "lbdf", 150)
    plan = random_plan(cost, np.random.default_rng(seed))
    owner = {v: group for group in plan for v in members(group)}
    expected = sum(graph.ops[v].weights for v in owner)
    for t in range(-len(graph.inputs), len(graph)):
        readers = {v for v, op in enumerate(graph.ops) for r in op.reads if r.source == t}
        elsewhere = {owner[v] for v in readers & set(owner)} - {owner.get(t)}
        is_needed = t in graph.outputs or any(owner.get(v) != owner.get(t) for v in readers)
        expected += graph.tensor(t).size * (len(elsewhere) + (t in owner and is_needed))
    assert total_dram(plan, cost) == expected
    for u, v in graph.edges:
        if u in owner and v in owner and owner[u] != owner[v]:
            apart = cost(owner[u]).dram + cost(owner[v]).dram
            assert cost(owner[u] | owner[v]).dram <= apart


def test_impossible_cost_models_are_refused():
    graph = chain([1], [1, 1])
    with pytest.raises(ExperimentError, match="fusion type 'row'"):
        CostModel(graph, "row", 10)
    with pytest.raises(ExperimentError, match="0 bytes"):
        CostModel(graph, "lbdf", 0)
    with pytest.raises(ExperimentError, match="0 bytes, but 1"):
        CostModel(graph, "lbdf", 10, element_bytes=0)
