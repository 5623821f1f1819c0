"""Sums, placements, numbers of aggregators, schedules and trees of tasks, without a process."""

import dataclasses
import itertools
import math
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.systems.lifl import study
from experiments.systems.lifl.aggregator import Task
from experiments.systems.lifl.placement import (
    fewest_nodes,
    place_best_fit,
    place_first_fit,
    place_round_robin,
)
from experiments.systems.lifl.plans import tree_of
from experiments.systems.lifl.scaling import scale
from experiments.systems.lifl.schedules import eager_end, lazy_end, tree_end
from experiments.systems.lifl.states import CHUNK, State, flat_average, fold
from experiments.systems.lifl.study_config import TINY
from experiments.systems.lifl.wire import Address
from ntkexec.errors import ExperimentError

ADDRESSES = [Address("127.0.0.1", port, "0" * 32) for port in range(1, 4)]


def every_tree(states):
    """The merged states of every binary tree over them, in every order."""
    if len(states) == 1:
        yield states[0]
    for size in range(1, len(states)):
        for left in itertools.combinations(range(len(states)), size):
            right = [states[i] for i in range(len(states)) if i not in left]
            for one in every_tree([states[i] for i in left]):
                for other in every_tree(right):
                    yield one.merged(other)


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-14), ("float32", 2e-6)])
def test_every_tree_is_the_flat_mean_and_nothing_merged_changes_nothing(dtype, rounding):
    generator = np.random.default_rng(0)
    updates = list(generator.normal(size=(4, 6)).astype(dtype))
    weights = [3.0, 0.0, 7.0, 1.0]
    states = [State.of(u, w) for u, w in zip(updates, weights)]
    flat = flat_average(updates, weights)
    exact = np.average(np.array(updates, float), axis=0, weights=weights)
    assert np.allclose(flat, exact, rtol=0, atol=rounding)
    assert flat.dtype == dtype
    for merged in every_tree(states):
        assert np.allclose(merged.mean(), exact, rtol=0, atol=rounding)
    same = State.nothing(6, dtype).merged(states[0])
    assert (same.total == states[0].total).all()
    assert same.weight == 3
    with pytest.raises(ExperimentError, match="weight above 0"):
        states[1].mean()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mean_that_would_be_infinite_or_nan_is_refused_in_words(dtype):
    limits = np.finfo(dtype)
    large = np.full(3, limits.max / 10, dtype)
    with pytest.raises(ExperimentError, match="weighted sum of models is beyond"):
        flat_average([large, large], [100.0, 100.0])
    assert (flat_average([large, large], [1.0, 3.0]) == large).all()
    for weight in (float(limits.tiny) / 100, float(limits.max) * 10, -1.0, math.nan):
        with pytest.raises(ExperimentError, match=f"a weight of {dtype} models is 0 or"):
            flat_average([large], [weight])
    half = State.of(large, float(limits.max) / 1.5)
    with pytest.raises(ExperimentError, match="a weight of"):
        half.merged(half).mean()


def test_folding_in_place_is_the_same_in_every_chunk():
    update = np.random.default_rng(0).normal(size=2 * CHUNK + 7)
    total = np.ones_like(update)
    fold(total, update, 3.0)
    assert (total == 1 + update * 3.0).all()


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 72))
def test_on_equal_nodes_best_fit_is_optimal(capacity, nodes, number):
    ones, equal = [1.0] * min(number, capacity * nodes), [float(capacity)] * nodes
    best = place_best_fit(equal, ones)
    assert len(set(best)) == math.ceil(len(ones) / capacity)
    assert max((best.count(node) for node in range(nodes)), default=0) <= capacity


def last_fit(residuals, sizes):
    """The rule that best fit must not be taken for: the last node with room, opened ones first."""
    where = place_first_fit(residuals[::-1], sizes)
    return tuple(len(residuals) - 1 - node for node in where)


def emptiest(residuals, sizes):
    """The node with the most room of those that are open."""
    left, found = list(residuals), []
    for size in sizes:
        fits = [n for n, free in enumerate(left) if size <= free]
        opened = [n for n in fits if left[n] < residuals[n]]
        found.append(max(opened, key=left.__getitem__) if opened else fits[0])
        left[found[-1]] -= size
    return tuple(found)


@pytest.mark.parametrize("rule", [place_best_fit, place_first_fit, last_fit, emptiest])
def test_the_study_tells_best_fit_from_other_rules_that_open_no_node_needlessly(rule, monkeypatch):
    monkeypatch.setattr(study, "place_best_fit", rule)
    trial = types.SimpleNamespace(generator=np.random.default_rng(0))
    found = study.placements(dataclasses.replace(TINY, mixed=5), trial)
    assert (found["mixed_best"] < found["mixed_first"]) == (rule is place_best_fit)


def test_on_unequal_nodes_best_fit_may_use_more_and_an_overload_goes_where_most_is_left():
    assert set(place_best_fit([2, 10], [1.0] * 10)) == {0, 1}
    assert fewest_nodes([2, 10], [1.0] * 10) == 1
    assert place_best_fit([1.0, 7.0], [8.0, 1.0]) == (1, 0)
    assert place_round_robin([2, 2, 2], [1.0] * 4) == (0, 1, 2, 0)
    assert place_first_fit([1, 3, 2], [1.0, 3.0, 1.0]) == (0, 1, 2)
    with pytest.raises(ExperimentError, match="need a node"):
        place_best_fit([], [1.0])
    with pytest.raises(ExperimentError, match="size is above 0, not 0"):
        place_best_fit([1], [0])


@given(st.lists(st.integers(1, 10), min_size=1, max_size=6), st.integers(10, 14))
def test_the_fewest_nodes_are_those_of_a_search_over_all_placements(sizes, capacity):
    nodes = [float(capacity)] * 3
    fits = [
        len(set(where))
        for where in itertools.product(range(3), repeat=len(sizes))
        if all(sum(s for s, w in zip(sizes, where) if w == n) <= capacity for n in range(3))
    ]
    if fits:
        assert fewest_nodes(nodes, sizes) == min(fits)
    else:
        with pytest.raises(ExperimentError, match="do not fit the 3 nodes"):
            fewest_nodes(nodes, sizes)


def test_a_constant_load_is_met_geometrically_and_gets_a_leaf_for_every_fan_in():
    queues = (10.0, 0.0)
    for period in range(1, 8):
        scaling = scale([4, 9], queues, fan_in=2)
        queues = scaling.queues
        assert queues == pytest.approx((4 + 6 * 0.3**period, 9 - 9 * 0.3**period), abs=1e-12)
    for _ in range(40):
        scaling = scale([4, 9], scaling.queues, fan_in=2)
    assert (scaling.leaves, scaling.middles, scaling.top) == ((2, 5), (1, 1), 1)
    alone = scale([0, 9], fan_in=9)
    assert (alone.leaves, alone.middles) == ((0, 1), (0, 0))
    for why, wrong in (
        ("fan_in was 0", {"fan_in": 0}),
        ("smoothing lies", {"smoothing": 0.0}),
        ("same nodes", {"before": [1.0]}),
        ("same nodes", {"before": [-1.0, 0.0]}),
    ):
        with pytest.raises(ExperimentError, match=why):
            scale([1, 2], **wrong)


def simulated(arrivals, fold, eager):
    """The end of all folds, step by step of a small clock."""
    waiting, clock, step = sorted(arrivals), 0, 1
    while waiting:
        come = [a for a in waiting if a <= clock]
        if come and (eager or len(come) == len(waiting)):
            if not eager:
                return clock + fold * len(waiting)
            waiting.remove(come[0])
            clock += fold
        else:
            clock += step
    return clock


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 5))
def test_schedules_are_those_of_a_clock_and_eager_is_never_later(arrivals, fold):
    arrivals = sorted(arrivals)
    assert eager_end(arrivals, fold) == simulated(arrivals, fold, True)
    assert lazy_end(arrivals, fold) == simulated(arrivals, fold, False)
    assert eager_end(arrivals, fold) <= lazy_end(arrivals, fold)
    assert tree_end([arrivals], fold) == eager_end(arrivals, fold)
    assert tree_end([arrivals, arrivals], fold) == eager_end(arrivals, fold) + fold


@pytest.mark.parametrize("leaves", [(1, 1, 1), (2, 1, 3), (3, 3, 3)])
def test_every_tree_of_tasks_folds_every_update_once_in_one_order(leaves):
    common = Task(1, 0, ())
    for placement in itertools.product(range(3), repeat=5):
        folded = []
        for promote in (True, False):
            tree = tree_of(placement, leaves, ADDRESSES, common, promote=promote)
            folded.append(evaluated(tree, placement))
            places = [(role.node, role.index) for role in tree.roles]
            assert len(set(places)) == len(places)
            if promote:
                assert len(tree.roles) == len(tree.members)
        assert folded[0] == folded[1]
        assert sorted(flat(folded[0])) == list(range(5))


def evaluated(tree, placement):
    """The nested folds that a tree of tasks comes to, each sum found where its task sends it."""
    tasks = {task.ident: (role, task) for role in tree.roles for task in role.tasks}
    before = {
        task.ident: last.ident
        for role in tree.roles
        for last, task in itertools.pairwise(role.tasks)
    }
    assert all(task.own == (task.ident in before) for _, task in tasks.values())

    def fold(ident, node, index):
        if ident < len(placement):
            assert (placement[ident], tree.targets[ident]) == (node, index)
            return ident
        role, task = tasks[ident]
        if task.target is not None:
            where = tree.top if task.address is not None else role.node
            assert task.address in (None, ADDRESSES[tree.top])
            assert (where, task.target) == (node, index)
        own = (before[ident],) if task.own else ()
        inputs = [fold(one, role.node, role.index) for one in (*own, *task.inputs)]
        return inputs[0] if len(inputs) == 1 and ident not in before else tuple(inputs)

    role, task = tasks[tree.result]
    assert task.last
    assert role.node == tree.top
    return fold(tree.result, role.node, role.index)


def flat(nested):
    return [nested] if isinstance(nested, int) else [i for part in nested for i in flat(part)]
