"""Breadth-first search in queue order by learned networks: its meaning, its sizes, its steps."""

import re

import networkx as nx
import numpy as np
import pytest
from support.instances import (
    batch_of,
    connected_atlas,
    from_every_source,
    is_right,
    kernel_engine_for,
    random_copies,
    run,
)
from support.tours import halting_step

import ntkexec
from ntkexec import executor, graphs, pipeline, testing
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs.graph import bfs, bfs_queue
from ntkexec.programs.reference import bfs_queue as reference

# Enough for every random graph below: degree up to 4, 12 colours, components of up to 12 nodes.
SIZES = {"degree": 4, "slots": 12, "word": 4}


def assert_exact(graph, sources, *, engine="kernel", sizes=None):
    """Runs until all know that it is over; the instance, and its exact execution."""
    instance = bfs_queue.instance(graph, sources=sources, sizes=sizes)
    found = testing.assert_exact(instance, engine=engine)
    assert found.stopped == "halt"
    return instance, found


NAMED = {
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 5)),
    "path": nx.path_graph(10),
    "star": nx.star_graph(9),
    "complete": nx.complete_graph(5),
    "cycle": nx.cycle_graph(9),
    "tree": nx.balanced_tree(2, 3),
    "lollipop": nx.lollipop_graph(5, 6),
    "karate": nx.convert_node_labels_to_integers(nx.karate_club_graph()),
    "node": nx.empty_graph(1),
}


# The reference.


def expected_of_networkx(graph, source):
    """Distance, parent and order, -1 where there is none, as networkx has them."""
    distance = nx.single_source_shortest_path_length(graph, source)
    parent = dict(nx.bfs_predecessors(graph, source, sort_neighbors=sorted))
    edges = nx.bfs_edges(graph, source, sort_neighbors=sorted)
    order = {node: place for place, node in enumerate([source, *(v for _, v in edges)])}
    fields = {"distance": distance, "parent": parent, "order": order}
    return {v: {field: found.get(v, -1) for field, found in fields.items()} for v in graph}


def test_the_reference_agrees_with_networkx():
    copies = [
        *from_every_source(connected_atlas(6)),
        *random_copies(300, max_nodes=14, degree=4, seed=0),
        *((graph, source) for graph in NAMED.values() for source in graph),
    ]
    for graph, source in copies:
        assert reference.expected(graph, [source]) == expected_of_networkx(graph, source)


def test_parents_are_not_those_of_the_smallest_identifier():
    # 1 and 2 are on the same level, and 2 is met first, by way of 3.
    graph = nx.Graph([(0, 3), (0, 4), (3, 2), (4, 1), (1, 5), (2, 5)])
    loaded = graphs.from_networkx(graph)
    instance, found = assert_exact(loaded, [0])
    nodes = sorted(graph)
    answer = {field: dict(zip(nodes, v)) for field, v in instance.decode(found.states).items()}
    assert answer["order"] == {0: 0, 3: 1, 4: 2, 2: 3, 1: 4, 5: 5}
    assert answer["parent"][5] == 2
    assert pipeline.run("bfs", loaded, engine="kernel", source=0).answer["parent"][5] == 1
    assert bfs.instance(loaded, sources=[0]).reference()["parent"][5] == 1


# Sizes.


@pytest.mark.parametrize(("name", "least"), [("degree", 2), ("slots", 3), ("word", 4)])
def test_a_size_that_is_too_small_is_refused_with_the_one_that_fits(name, least):
    graph = graphs.load("path:8")
    fitting = {"degree": 2, "slots": 3, "word": 4}
    assert dict(bfs_queue.instance(graph, sources=[3]).sizes) == fitting
    message = f"needs {name} of at least {least}, the program has {least - 1}"
    with pytest.raises(ProgramError, match=re.escape(message)):
        bfs_queue.instance(graph, sources=[3], sizes=fitting | {name: least - 1})


def test_the_word_counts_the_component_and_not_the_graph():
    # 7 visits fit in 3 bits, 8 do not.
    for copies, word in (([7, 7], 3), ([7, 8], 4)):
        graph = nx.disjoint_union_all(map(nx.path_graph, copies))
        instance, _ = assert_exact(graphs.from_networkx(graph), [0, 7])
        assert instance.sizes["word"] == word


# Exactness.


# Up to five nodes: tests/exactness.
@pytest.mark.slow
def test_it_is_exact_on_all_connected_graphs_up_to_six_nodes_from_every_source():
    assert_exact(*batch_of(from_every_source(connected_atlas(6))))


@pytest.mark.slow
def test_it_is_exact_on_all_connected_graphs_of_seven_nodes_from_every_source():
    copies = from_every_source([graph for graph in connected_atlas(7) if len(graph) == 7])
    assert_exact(*batch_of(copies))


@pytest.mark.parametrize(
    "number", [12, *(pytest.param(number, marks=pytest.mark.slow) for number in (55, 167))]
)
def test_it_is_exact_on_random_graphs_of_three_degrees(number):
    copies = [c for d in (2, 3, 4) for c in random_copies(number, max_nodes=12, degree=d, seed=d)]
    connected = sum(nx.is_connected(graph) for graph, _ in copies)
    assert 0.4 * len(copies) < connected < 0.95 * len(copies)
    assert_exact(*batch_of(copies), sizes=SIZES)


@pytest.mark.slow
def test_a_trained_ensemble_is_exact_on_twenty_random_graphs():
    copies = [c for d in (2, 3) for c in random_copies(10, max_nodes=7, degree=d, seed=10 + d)]
    instance, _ = assert_exact(*batch_of(copies), engine="ensemble")
    assert instance.sizes["degree"] == 3


def test_one_call_by_name():
    result = ntkexec.run("bfs-queue", nx.krackhardt_kite_graph(), engine="kernel", source=9)
    assert result.exact
    assert result.answer["order"][9] == 0
    assert sorted(result.answer["order"]) == [*range(10)]


# Steps.


# The default suite has small graphs by the hundred below.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("grid", "node") else pytest.mark.slow)
        for name in NAMED
    ],
)
def test_it_halts_at_the_stated_step_which_the_bound_allows(name):
    graph = NAMED[name]
    source = len(graph) // 2
    instance, found = assert_exact(graphs.from_networkx(graph), [source])
    assert found.steps == halting_step(graph, source) <= instance.num_steps
    assert instance.num_steps == bfs_queue.max_steps(len(graph), nx.eccentricity(graph, source))
    # It is not so that all know of the end before.
    early = run(instance, num_steps=found.steps - 1, until="halt")
    assert early.stopped == "steps"
    assert not early.states[:, instance.program.layout.bit(bfs_queue.HALT)].all()


def test_what_is_found_stays():
    instance = bfs_queue.instance(graphs.from_networkx(NAMED["grid"]), sources=[7])
    found = run(instance)
    assert found.steps == instance.num_steps > run(instance, until="halt").steps
    assert is_right(instance, found)


@pytest.mark.parametrize("num_nodes", [5, pytest.param(6, marks=pytest.mark.slow)])
def test_the_steps_are_those_of_the_search_tree_on_all_small_graphs(num_nodes):
    copies = from_every_source(connected_atlas(num_nodes))
    batch, sources = batch_of(copies)
    instance = bfs_queue.instance(batch, sources=sources)
    trace = executor.execute(
        kernel_engine_for(instance.program),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
        trace=True,
    ).trace[:, :, instance.program.layout.bit(bfs_queue.HALT)]
    for part, (graph, source) in zip(batch.node_ranges(), copies):
        all_done = trace[:, part.start : part.stop].all(axis=1)
        due = halting_step(graph, source)
        assert due <= bfs_queue.max_steps(len(graph), nx.eccentricity(graph, source))
        assert np.array_equal(all_done, np.arange(len(all_done)) >= due)


def test_the_bound_on_the_steps_is_reached_by_paths_only_from_their_ends():
    # Every tour but the last ends short of the far end of a path.
    for length in (1, 2):
        path = nx.path_graph(length)
        assert halting_step(path, 0) == bfs_queue.max_steps(length, length - 1)
    path = nx.path_graph(6)
    assert halting_step(path, 0) < bfs_queue.max_steps(6, 5)


# What is refused.


def test_directed_graphs_are_refused():
    graph = graphs.from_networkx(nx.DiGraph([(0, 1), (1, 2)]))
    with pytest.raises(GraphError, match="is directed"):
        bfs_queue.instance(graph, sources=[0])


def test_two_sources_in_one_component_are_refused_by_name():
    graph = graphs.from_networkx(nx.Graph([("a", "b"), ("c", "d"), ("d", "e")]))
    both, _ = assert_exact(graph, [graph.index("a"), graph.index("d")])
    assert both.inputs == {"sources": ["a", "d"]}
    with pytest.raises(GraphError, match="'c' and 'e' are connected"):
        bfs_queue.prepare(graph, sources=["c", "a", "e"])
    with pytest.raises(GraphError, match="at least one source"):
        bfs_queue.prepare(graph, sources=[])


def test_components_without_a_source_are_not_waited_for():
    graph = nx.disjoint_union(nx.path_graph(3), nx.path_graph(2))
    instance, found = assert_exact(graphs.from_networkx(graph), [1])
    assert found.steps == halting_step(nx.path_graph(3), 1)
    assert instance.decode(found.states)["order"].tolist() == [1, 0, 2, -1, -1]
