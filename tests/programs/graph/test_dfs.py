"""Depth-first search by learned networks: its meaning, its sizes, what it refuses, its exactness."""

import dataclasses
import re

import networkx as nx
import numpy as np
import pytest
from support.instances import (
    batch_of,
    connected_atlas,
    from_every_source,
    is_right,
    random_copies,
    run,
)

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import GraphError, NtkexecError, ProgramError
from ntkexec.programs.graph import dfs
from ntkexec.programs.reference import dfs as reference

# Enough for every random graph below: degree up to 4, 12 colours, components of up to 15 nodes.
SIZES = {"degree": 4, "slots": 12, "word": 5}


def assert_exact(graph, sources, *, engine="kernel", sizes=None):
    """The instance of DFS, and its exact execution."""
    instance = dfs.instance(graph, sources=sources, sizes=sizes)
    return instance, testing.assert_exact(instance, engine=engine)


# The reference.


def test_the_reference_agrees_with_networkx():
    copies = [
        *from_every_source(connected_atlas(6)),
        *random_copies(300, max_nodes=14, degree=4, seed=0),
    ]
    for graph, source in copies:
        found = reference.expected(graph, [source])
        parents = nx.dfs_predecessors(graph, source, sort_neighbors=sorted)
        assert {v: f["parent"] for v, f in found.items() if f["parent"] != -1} == parents
        edges = nx.dfs_labeled_edges(graph, source, sort_neighbors=sorted)
        events = [(child, kind) for _, child, kind in edges if kind != "nontree"]
        ticks = {event: tick for tick, event in enumerate(events, start=1)}
        for node, fields in found.items():
            assert fields["discovery"] == ticks.get((node, "forward"), -1)
            assert fields["finish"] == ticks.get((node, "reverse"), -1)


def test_times_of_a_small_graph_that_can_be_checked_by_eye():
    #  3 - 0 - 1      4 alone
    #       \  |
    #          2
    graph = nx.Graph([(0, 1), (0, 2), (0, 3), (1, 2)])
    graph.add_node(4)
    expected = {
        "parent": [1, -1, 0, 0, -1],
        "discovery": [2, 1, 3, 5, -1],
        "finish": [7, 8, 4, 6, -1],
    }
    instance, found = assert_exact(graphs.from_networkx(graph), [1])
    answer = instance.decode(found.states)
    assert {field: values.tolist() for field, values in answer.items()} == expected


# Sizes.


@pytest.mark.parametrize(("name", "least"), [("degree", 2), ("slots", 3), ("word", 4)])
def test_a_size_that_is_too_small_is_refused_with_the_one_that_fits(name, least):
    graph = graphs.load("path:7")
    fitting = {"degree": 2, "slots": 3, "word": 4}
    assert dict(dfs.instance(graph, sources=[3]).sizes) == fitting
    message = f"needs {name} of at least {least}, the program has {least - 1}"
    with pytest.raises(ProgramError, match=re.escape(message)):
        dfs.instance(graph, sources=[3], sizes=fitting | {name: least - 1})


def test_the_word_counts_the_component_and_not_the_graph():
    # Times 1 to 2 * 7 = 14 fit in 4 bits, times up to 16 do not.
    for copies, word in (([7, 7], 4), ([7, 8], 5)):
        graph = nx.disjoint_union_all(map(nx.path_graph, copies))
        instance, _ = assert_exact(graphs.from_networkx(graph), [0, 7])
        assert instance.sizes["word"] == word


# All components.


def test_all_components_are_searched_with_one_clock():
    copies = [*random_copies(300, max_nodes=14, degree=4, seed=5), (nx.empty_graph(3), 0)]
    batch, _ = batch_of(copies)
    instance = dfs.forest_instance(batch)
    testing.assert_exact(instance)
    expected = instance.reference()
    for part, (graph, _) in zip(batch.node_ranges(), copies, strict=True):
        found = {f: expected[f][part.start : part.stop] for f in expected}
        assert sorted([*found["discovery"], *found["finish"]]) == [*range(1, 2 * len(graph) + 1)]
        # networkx restarts at the smallest node that is left, as Cormen et al. do.
        edges = nx.dfs_labeled_edges(graph, sort_neighbors=sorted)
        events = [(child, kind) for _, child, kind in edges if kind != "nontree"]
        for tick, (node, kind) in enumerate(events, start=1):
            assert found["discovery" if kind == "forward" else "finish"][node] == tick


def test_a_forest_takes_no_source_and_no_directed_graph():
    assert pipeline.run("dfs-forest", "florentine", engine="kernel").exact
    with pytest.raises(NtkexecError, match="takes"):
        pipeline.prepare("dfs-forest", "path:3", source=0)
    with pytest.raises(GraphError, match="dfs-forest passes a token back"):
        dfs.forest_instance(graphs.from_networkx(nx.path_graph(3, nx.DiGraph)))


# What is refused.


def test_directed_graphs_are_refused():
    graph = graphs.from_networkx(nx.DiGraph([(0, 1), (1, 2)]))
    with pytest.raises(GraphError, match="is directed"):
        dfs.instance(graph, sources=[0])


def test_two_sources_in_one_component_are_refused_by_name():
    graph = graphs.from_networkx(nx.Graph([("a", "b"), ("c", "d"), ("d", "e")]))
    assert dfs.prepare(graph, sources=["a", "d"]).num_steps == dfs.num_steps(3, 1)
    with pytest.raises(GraphError, match="'c' and 'e' are connected"):
        dfs.prepare(graph, sources=["c", "a", "e"])
    with pytest.raises(GraphError, match="at least one source"):
        dfs.prepare(graph, sources=[])


# Exactness.


# Up to five nodes: tests/exactness.
@pytest.mark.slow
def test_dfs_is_exact_on_all_connected_graphs_up_to_six_nodes_from_every_source():
    assert_exact(*batch_of(from_every_source(connected_atlas(6))))


@pytest.mark.parametrize("number", [55, pytest.param(334, marks=pytest.mark.slow)])
def test_dfs_is_exact_on_random_graphs_of_three_degrees(number):
    copies = [c for d in (2, 3, 4) for c in random_copies(number, max_nodes=15, degree=d, seed=d)]
    connected = sum(nx.is_connected(graph) for graph, _ in copies)
    assert 0.4 * len(copies) < connected < 0.9 * len(copies)
    assert_exact(*batch_of(copies), sizes=SIZES)


NAMED = {
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 5)),
    "path": nx.path_graph(10),
    "star": nx.star_graph(9),
    "complete": nx.complete_graph(5),
    "tree": nx.balanced_tree(2, 3),
    "lollipop": nx.lollipop_graph(5, 6),
    "node": nx.empty_graph(1),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("lollipop", "node") else pytest.mark.slow)
        for name in NAMED
    ],
)
def test_dfs_halts_at_the_stated_step_and_had_the_times_before(name):
    graph, source = NAMED[name], len(NAMED[name]) // 2
    loaded = graphs.from_networkx(graph)
    instance, found = assert_exact(loaded, [source])
    eccentricity = nx.eccentricity(graph, source)
    assert instance.num_steps == dfs.num_steps(len(graph), eccentricity)
    halted = run(instance, num_steps=10**4, until="halt")
    assert (halted.stopped, halted.steps) == ("halt", instance.num_steps)
    assert np.array_equal(halted.states, found.states)
    # All times stand before the flag travels, and not one step sooner.
    early = instance.num_steps - dfs.STEPS_PER_ROUND * eccentricity
    assert is_right(instance, run(instance, num_steps=early))
    assert not is_right(instance, run(instance, num_steps=early - 1))


def test_a_component_without_a_source_never_halts():
    graph = nx.disjoint_union(nx.path_graph(3), nx.path_graph(2))
    instance = dfs.instance(graphs.from_networkx(graph), sources=[1])
    found = testing.assert_exact(dataclasses.replace(instance, until="halt"))
    assert found.stopped == "steps"
    done = instance.program.layout.unpack(found.states)[dfs.HALT]
    assert done.tolist() == [True] * 3 + [False] * 2


@pytest.mark.slow
def test_a_trained_ensemble_is_exact_on_fifty_random_graphs():
    copies = [c for d in (2, 3) for c in random_copies(25, max_nodes=12, degree=d, seed=10 + d)]
    instance, _ = assert_exact(*batch_of(copies), engine="ensemble")
    assert dict(instance.sizes) == {"degree": 3, "slots": 6, "word": 5}
