"""Breadth-first search on split graphs: the original's distances, and its parents by their definition."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from support.instances import batch_of, from_every_source, is_right, run
from support.split_graphs import hubs, mirrored, random_cases

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs.graph import bfs, bfs_split
from ntkexec.programs.reference import bfs as reference

KARATE = nx.convert_node_labels_to_integers(nx.karate_club_graph())
# Every graph whose distances are below 64, of trees up to a depth of 31.
FOR_ALL = bfs_split.sizes(degree=3, word=6)


def expected(graph, sources):
    """Distance and parent by definition; nodes are 0 to n - 1, and their own identifiers."""
    distance = nx.multi_source_dijkstra_path_length(graph, set(sources), weight=lambda *_: 1)
    rows = np.full((len(graph), 2), -1)
    for node, hops in distance.items():
        before = [u for u in graph if graph.has_edge(u, node) and distance.get(u) == hops - 1]
        rows[node] = hops, min(before, default=-1)
    return rows


def assert_exact(cases, degree=3, *, engine="kernel", sizes=None):
    """Runs on all cases at once, pairs of a networkx graph and its sources."""
    batch, sources = batch_of(cases)
    parts = graphs.split(batch, degree)
    instance = bfs_split.instance(parts, sources=sources, sizes=sizes)
    found = testing.assert_exact(instance, engine=engine)
    answer = instance.decode(found.states)
    for place, (graph, own) in zip(batch.node_ranges(), cases, strict=True):
        rows = expected(graph, own if isinstance(own, list) else [own])
        assert np.array_equal(answer["distance"][place], rows[:, 0])
        parents = np.where(rows[:, 1] < 0, -1, rows[:, 1] + place.start)
        assert np.array_equal(answer["parent"][place], parents)
    rounds, depth = max(answer["distance"]), max(1, parts.depth)
    assert found.steps == 2 * (2 * depth + 1) * rounds + 1
    return instance


def test_the_karate_club_from_every_source():
    instance = assert_exact(from_every_source([KARATE]))
    assert (instance.split.depth, instance.sizes["degree"], instance.graph.degree) == (3, 3, 17)


# Each degree and each kind once; the other pairs on demand.
@pytest.mark.parametrize(
    ("degree", "directed"),
    [
        (3, False),
        (4, True),
        pytest.param(3, True, marks=pytest.mark.slow),
        pytest.param(4, False, marks=pytest.mark.slow),
    ],
)
def test_random_graphs_from_several_sources_some_nodes_unreached(degree, directed):
    cases = random_cases(number=60, seed=degree, directed=directed)
    instance = assert_exact(cases, degree)
    assert (instance.reference()["distance"] == -1).any()


def test_hubs_beside_hubs():
    assert_exact([(graph, source) for graph in hubs() for source in (0, 1, len(graph) - 1)])


def test_one_program_serves_every_depth():
    deepest = 0
    for size in (6, 200):
        star = graphs.split(graphs.load(f"star:{size}"))
        instance = bfs_split.instance(star, sources=[1], sizes=FOR_ALL)
        assert instance.program is bfs_split.program(**FOR_ALL)
        assert is_right(instance, run(instance))
        deepest = max(deepest, star.depth)
    assert deepest == 7


def test_the_program_for_all_graphs_is_certified_in_all_states():
    certificate = pipeline.certify(bfs_split.program(**FOR_ALL), num_decisions=10**9)
    assert certificate.certified
    assert certificate.bound.basis.startswith("all states")
    # The largest that there is, whatever the program.
    assert certificate.smallest_margin == pytest.approx(1)
    assert certificate.max_matches <= 7


def test_ports_of_another_order_give_the_parent_at_the_first_of_them():
    graph = nx.Graph(reversed(list(KARATE.edges)))
    plain = graphs.from_networkx(graph, port_order="adjacency")
    instance = bfs_split.instance(graphs.split(plain), sources=[plain.index(11)])
    assert is_right(instance, run(instance))
    # In the order of the identifiers the parents are others.
    by_identifier = dataclasses.replace(plain, ports=None)
    other = bfs_split.instance(graphs.split(by_identifier), sources=[plain.index(11)])
    assert not np.array_equal(instance.reference()["parent"], other.reference()["parent"])


def test_leaves_in_another_order_give_other_parents():
    parts = graphs.split(graphs.from_networkx(KARATE))
    instance = bfs_split.instance(mirrored(parts), sources=[16])
    found = run(instance)
    answer, right = instance.decode(found.states), instance.reference()
    assert np.array_equal(answer["distance"], right["distance"])
    assert (answer["parent"] != right["parent"]).any()


def test_a_level_less_is_too_few():
    instance = bfs_split.instance(graphs.split(graphs.from_networkx(KARATE)), sources=[16])
    assert is_right(instance, run(instance))
    early = instance.num_steps - 1
    assert not is_right(instance, run(instance, num_steps=early))


def test_bfs_is_split_where_it_is_asked_to():
    found = pipeline.run("bfs", "star:9", split_degree=3, engine="kernel", source=4)
    assert found.exact
    assert found.instance.program.name == "bfs-split"
    assert found.instance.split.most == 3
    assert found.instance.executed_graph is found.instance.split.graph
    assert found.instance.num_decisions == (
        found.instance.program.layout.num_bits * 14 * found.instance.num_steps
    )
    assert found.by_node()[8] == {"distance": 2, "parent": 0}
    plain = pipeline.run("bfs", "star:9", engine="kernel", source=4)
    assert plain.instance.split is None
    assert plain.by_node() == found.by_node()
    alone = pipeline.prepare("bfs-split", "star:9", sizes=bfs_split.sizes(degree=4, word=3))
    assert alone.split.most == 4


def test_what_does_not_fit_is_refused():
    parts = graphs.split(graphs.load("star:100"))
    sizes = FOR_ALL | {"depth_bits": 2}
    with pytest.raises(ProgramError, match="needs depth_bits of at least 3, the program has 2"):
        bfs_split.instance(parts, sources=[0], sizes=sizes)
    with pytest.raises(ProgramError, match="needs word of at least 2, the program has 1"):
        bfs_split.instance(parts, sources=[1], sizes=FOR_ALL | {"word": 1})
    with pytest.raises(GraphError, match="not all nodes 0 to 99"):
        bfs_split.instance(parts, sources=[100])
    with pytest.raises(ProgramError, match="bfs-split needs depth_bits of at least 1, got 0"):
        bfs_split.program(degree=3, slots=10, word=3, depth_bits=0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["kernel-packed", "ensemble"])
def test_a_graph_like_the_internet(engine):
    size = 20_000 if engine == "kernel-packed" else 60
    graph = nx.barabasi_albert_graph(size, 2, seed=5)
    parts = graphs.split(graphs.from_networkx(graph))
    instance = bfs_split.instance(parts, sources=[size - 1], sizes=FOR_ALL)
    result = pipeline.run(instance, engine=engine, verify=engine == "ensemble")
    assert result.exact
    answer = reference.expected(graph, [size - 1])
    assert result.answer["parent"].tolist() == [answer[node]["parent"] for node in range(size)]


def test_steps_are_those_of_the_plain_program_times_the_sweeps():
    instance = bfs.instance(graphs.load("path:9"), sources=[0])
    split = bfs_split.instance(graphs.split(graphs.load("path:9")), sources=[0])
    assert split.num_steps - 1 == 3 * (instance.num_steps - 1)
