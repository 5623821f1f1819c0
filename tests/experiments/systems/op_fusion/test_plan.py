"""Plans, cuts and splitting against networkx and all down-sets."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.operator_graphs import broken_rules, graphs

from experiments.systems.op_fusion.cost import KB, CostModel
from experiments.systems.op_fusion.exact import optimal_plan
from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor, edge_cuts, members
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import (
    PlanError,
    Quotient,
    check_plan,
    contract,
    edit,
    fusable_edges,
    random_plan,
    total_dram,
)
from experiments.systems.op_fusion.splitting import (
    RandomSplitter,
    TreeSplitter,
    all_edges,
    occlusion,
    random_share,
)
from experiments.systems.op_fusion.study import COUNTEREXAMPLE


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 2**32 - 1))
def test_random_plans_and_their_edits_are_plans(graph, seed):
    generator = np.random.default_rng(seed)
    cost = CostModel(graph, "lbdf", 150)
    plan = random_plan(cost, generator)
    for _ in range(4):
        check_plan(plan, cost, fits=False)
        assert set(broken_rules(plan, cost)) <= {"fitting"}
        plan = edit(plan, cost, generator)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(graphs(most=9), st.data())
def test_groups_merge_where_no_third_one_lies_between_by_networkx(graph, data):
    quotient = Quotient(graph, [1 << v for v in range(len(graph))])
    for _ in range(data.draw(st.integers(1, 8))):
        named = [index for index, group in enumerate(quotient.groups) if group]
        if len(named) < 2:
            break
        first, second = data.draw(st.permutations(named))[:2]
        pairs = ((quotient.owner[u], quotient.owner[v]) for u, v in graph.edges)
        between = nx.DiGraph()
        between.add_nodes_from(named)
        between.add_edges_from((a, b) for a, b in pairs if a != b)
        merged = nx.contracted_nodes(between, first, second, self_loops=False)
        allowed = nx.is_directed_acyclic_graph(merged)
        assert quotient.can_merge(first, second) == allowed
        if allowed:
            together = quotient.groups[first] | quotient.groups[second]
            quotient.merge(first, second)
            assert (quotient.groups[first], quotient.groups[second]) == (together, 0)
            assert {quotient.owner[v] for v in members(together)} == {first}
            place = {index: at for at, index in enumerate(quotient.order())}
            assert all(place[quotient.owner[u]] <= place[quotient.owner[v]] for u, v in graph.edges)


@settings(max_examples=60, deadline=None)
@given(graphs(most=8), st.data())
def test_what_hangs_together_and_what_is_reached_is_so_by_networkx(graph, data):
    group = data.draw(st.integers(1, graph.everything))
    part = nx.DiGraph(graph.edges).subgraph(members(group)).copy()
    part.add_nodes_from(members(group))
    assert graph.is_connected(group) == nx.is_weakly_connected(part)
    for v in members(group):
        assert set(members(graph.ancestors(v, group))) == nx.ancestors(part, v) | {v}
        assert set(members(graph.descendants(v, group))) == nx.descendants(part, v) | {v}
    assert not graph.is_connected(0)


def test_a_plan_that_is_none_is_refused_with_the_reason():
    graph = diamond()
    cost = CostModel(graph, "lbdf", 1e6)
    for plan, reason, rule in (
        ((0b0011, 0b0110, 0b1000), "two groups", "disjoint"),
        ((0b0001, 0b0110), "left out", "covering"),
        ((0b0101, 0b1010), "does not hang together", "connected"),
        ((0b1001, 0b0110), "circle", "ordered"),
    ):
        with pytest.raises(PlanError, match=reason):
            check_plan(plan, cost)
        assert rule in broken_rules(plan, cost)
    tight = CostModel(graph, "lbdf", 20)
    with pytest.raises(PlanError, match=r"needs \d+ bytes of 20"):
        check_plan([0b1111], tight)
    assert "fitting" in broken_rules((0b1111,), tight)
    assert broken_rules((0b0111, 0b1000), cost) == []


def diamond():
    """Figure 2 of the paper: an add, a convolution, its activation, and the next add, with a skip."""
    t = Tensor(4, 2)
    ops = (
        Op("add", t, (Read(-1), Read(-2))),
        Op("conv", t, (Read(0, 3, 1, 1),), weights=9),
        Op("relu", t, (Read(1),)),
        Op("add", t, (Read(2), Read(0))),
    )
    return OpGraph(ops, (t, t), frozenset({3}))


def test_the_paper_s_diamond_has_three_cuts():
    graph = diamond()
    cuts = {(0b1, 0b1110), (0b11, 0b1100), (0b111, 0b1000)}
    assert {cut for edge in graph.edges for cut in edge_cuts(graph, 0b1111, edge)} == cuts
    assert len(edge_cuts(graph, 0b1111, (0, 3))) == 3


@settings(max_examples=60, deadline=None)
@given(graphs(6))
def test_cuts_are_all_connected_down_sets_that_cut_the_edge(graph):
    group = graph.everything
    if not graph.is_connected(group):
        return
    for u, v in graph.edges:
        expected = {
            (first, group & ~first)
            for first in range(1, group)
            if first >> u & 1
            and not first >> v & 1
            and all(not graph.predecessors[w] & ~first for w in members(first))
            and graph.is_connected(first)
            and graph.is_connected(group & ~first)
        }
        found = edge_cuts(graph, group, (u, v), most=1000)
        assert len(found) == len(set(found))
        assert set(found) == expected


@settings(max_examples=40, deadline=None)
@given(graphs(), st.integers(0, 2**32 - 1))
def test_every_splitter_gives_groups_that_fit(graph, seed):
    cost = CostModel(graph, "lbdf", 150)
    generator = np.random.default_rng(seed)
    plan = random_plan(cost, generator)
    for splitter in (
        RandomSplitter(cost, generator),
        TreeSplitter(cost, all_edges, generator),
        TreeSplitter(cost, random_share(generator), generator),
        TreeSplitter(cost, occlusion(), generator),
        TreeSplitter(cost, lambda cost, group: (), generator),
    ):
        parts = [part for group in plan for part in splitter(group)]
        check_plan(parts, cost)
        assert broken_rules(parts, cost) == []
        assert all(
            cost.is_valid(group) or set(splitter(group)) <= set(splitter.reasons) for group in plan
        )


def test_a_selector_that_names_nothing_falls_back_on_chance_and_is_counted():
    cost = CostModel(COUNTEREXAMPLE[0], "lbdf", COUNTEREXAMPLE[1])
    splitter = TreeSplitter(cost, lambda cost, group: (), np.random.default_rng(0))
    check_plan(splitter(0b1111), cost)
    assert splitter.by_chance == {0b1111} == set(splitter.whole)
    assert set(splitter.reasons.values()) == {"cut off at random"}


def test_the_tree_says_why_and_is_optimal_on_vgg_but_not_on_every_chain():
    cost = CostModel(COUNTEREXAMPLE[0], "lbdf", COUNTEREXAMPLE[1])
    splitter = TreeSplitter(cost, all_edges, np.random.default_rng(0))
    assert splitter(0b1111) == (0b0011, 0b1100)
    assert set(splitter.reasons.values()) == {"least DRAM of 1 cuts whose halves both fit"}
    assert total_dram(splitter(0b1111), cost) == 2702
    assert total_dram(optimal_plan(cost), cost) == 1906
    for buffer in (128, 256, 512):
        cost = CostModel(network("vgg16").graph, "lbdf", buffer * KB)
        splitter = TreeSplitter(cost, all_edges, np.random.default_rng(0))
        runs = contract(cost, fusable_edges(cost))
        greedy = [part for run in runs for part in splitter(run)]
        assert total_dram(greedy, cost) == total_dram(optimal_plan(cost), cost)
        assert not splitter.by_chance
