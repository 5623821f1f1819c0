"""A packed run until rest is the run of the plain loop: states, steps, and what ended it."""

import networkx as nx
import numpy as np
import pytest
from support.weighted import connected_graphs, from_weighted, without_negative_cycles

from ntkexec import executor, graphs, pipeline
from ntkexec.engines.packed import engine as packed_engine
from ntkexec.programs.graph import bellman_ford, bfs


def both(instance, **options):
    """The executions of the plain kernel and of the packed one, until rest and unverified."""
    certificate = pipeline.certify(instance.program, num_decisions=1)
    options = {"num_steps": instance.num_steps, "until": "fixed-point", "verify": False} | options
    return [
        executor.execute(
            pipeline.make_engine(name, certificate), instance.program, instance.graphs, **options
        )
        for name in ("kernel", "kernel-packed")
    ]


def assert_same(plain, packed):
    assert (packed.steps, packed.stopped) == (plain.steps, plain.stopped)
    assert packed.collisions == plain.collisions == 0
    np.testing.assert_array_equal(packed.states, plain.states)


def never(*_):
    raise AssertionError("the loop on the host was not needed")


def test_bellman_ford_comes_to_rest(monkeypatch):
    monkeypatch.setattr(packed_engine, "step_by_step", never)
    rng = np.random.default_rng(0)
    sample = [without_negative_cycles(g, rng) for g in connected_graphs(20, 3, seed=0)]
    batch = graphs.batch([from_weighted(graph) for graph in sample])
    sources = [part.start for part in batch.node_ranges()]
    plain, packed = both(bellman_ford.instance(batch, sources=sources))
    assert packed.stopped == "fixed-point"
    assert_same(plain, packed)


@pytest.mark.parametrize("more", [0, 4])
def test_a_negative_cycle_runs_to_the_last_step(more):
    graph = nx.DiGraph([(0, 1, {"weight": -1}), (1, 2, {"weight": 0}), (2, 0, {"weight": 0})])
    instance = bellman_ford.instance(from_weighted(graph), sources=[0])
    plain, packed = both(instance, num_steps=instance.num_steps + more)
    assert packed.stopped == "steps"
    assert packed.steps == instance.num_steps + more
    assert_same(plain, packed)


@pytest.mark.parametrize("num_steps", [0, 1, 3, 60])
def test_breadth_first_search_rests_when_all_are_reached(num_steps):
    plain, packed = both(bfs.instance(graphs.load("path:9"), sources=[0]), num_steps=num_steps)
    assert packed.stopped == ("fixed-point" if num_steps == 60 else "steps")
    assert_same(plain, packed)


def test_masked_nodes_are_not_waited_for():
    instance = bfs.instance(graphs.load("path:9"), sources=[0])
    plain, packed = both(instance, num_steps=60, node_mask=np.arange(9) < 3)
    assert packed.steps < both(instance, num_steps=60)[1].steps
    assert_same(plain, packed)
