"""Breadth-first search by learned networks is exact: distances against networkx, parents against
their definition, on all small graphs, many random ones and the classical ones.
"""

import itertools

import networkx as nx
import numpy as np
import pytest
from support import instances
from support.instances import batch_of, connected_atlas

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs.graph import bfs


def expected(graph, sources):
    """Distance and parent by definition; nodes are 0 to n - 1, and their own identifiers."""
    distance = {}
    for source in sources:
        for node, hops in nx.single_source_shortest_path_length(graph, source).items():
            distance[node] = min(hops, distance.get(node, hops))
    parent = {}
    for node, hops in distance.items():
        # All edges, in the direction in which they are walked.
        before = [u for u in graph if graph.has_edge(u, node) and distance.get(u) == hops - 1]
        parent[node] = min(before, default=-1)
    return [(distance.get(node, -1), parent.get(node, -1)) for node in range(len(graph))]


def assert_exact(cases, *, engine="kernel", sizes=None):
    """Runs BFS on all cases at once, pairs of a networkx graph and its sources."""
    batch, sources = batch_of(cases)
    instance = bfs.instance(batch, sources=sources, sizes=sizes)
    found = testing.assert_exact(instance, engine=engine)
    answer = instance.decode(found.states)
    for place, (graph, its_sources) in zip(batch.node_ranges(), cases):
        rows = np.array(expected(graph, its_sources))
        part = slice(place.start, place.stop)
        assert np.array_equal(answer["distance"][part], rows[:, 0])
        parents = np.where(rows[:, 1] < 0, -1, rows[:, 1] + place.start)
        assert np.array_equal(answer["parent"][part], parents)
    # Two steps a round, and a round for every hop of the farthest node that is reached.
    assert found.steps == instance.num_steps == 2 * max(answer["distance"]) + 1
    return instance


def from_every_source(networkx_graphs):
    return [(graph, [source]) for graph, source in instances.from_every_source(networkx_graphs)]


# Graphs.


@pytest.mark.slow
def test_bfs_is_exact_on_all_connected_graphs_up_to_seven_nodes_from_every_source():
    assert_exact(from_every_source(connected_atlas(7)))


def test_bfs_is_exact_on_all_labelled_trees_with_six_nodes():
    # All labellings: the source 0 stands at every place of every tree.
    every = [nx.from_prufer_sequence(list(code)) for code in itertools.product(range(6), repeat=4)]
    assert len(every) == 6**4
    assert_exact([(tree, [0]) for tree in every])


def random_bounded(rng, degree, directed, max_nodes):
    """A random graph in which no node has more than `degree` neighbours; often disconnected."""
    graph = (nx.DiGraph if directed else nx.Graph)()
    graph.add_nodes_from(range(rng.integers(1, max_nodes + 1)))
    neighbours = {node: set() for node in graph}
    for u, v in rng.integers(len(graph), size=(rng.integers(3 * len(graph)), 2)).tolist():
        joined = neighbours[u] | {v}, neighbours[v] | {u}
        if u != v and max(map(len, joined)) <= degree:
            neighbours[u], neighbours[v] = joined
            graph.add_edge(u, v)
    return graph


def random_cases(
    seed, number, *, directed=False, max_sources=1, degrees=(1, 2, 3, 4, 5), max_nodes=15
):
    rng = np.random.default_rng(seed)
    for index in range(number):
        graph = random_bounded(rng, degrees[index % len(degrees)], directed, max_nodes)
        size = rng.integers(1, min(max_sources, len(graph)) + 1)
        yield graph, rng.choice(len(graph), size, replace=False).tolist()


def test_bfs_is_exact_on_a_thousand_random_graphs():
    cases = list(random_cases(0, 1000))
    disconnected = sum(not nx.is_connected(graph) for graph, _ in cases)
    assert 200 < disconnected < 900
    instance = assert_exact(cases)
    assert instance.sizes["degree"] == 5


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
def test_bfs_is_exact_from_several_sources(directed):
    cases = list(random_cases(1, 300, directed=directed, max_sources=4))
    assert {len(sources) for _, sources in cases} == {1, 2, 3, 4}
    assert_exact(cases)


def test_bfs_walks_edges_in_their_direction():
    cases = list(random_cases(2, 300, directed=True))
    against = [(graph.reverse(), sources) for graph, sources in cases]
    assert any(expected(*one) != expected(*other) for one, other in zip(cases, against))
    assert_exact(cases + against)


SLOW = pytest.mark.slow
GENERATED = ["grid:5x6", "star:9", "complete:8", "hypercube:4", "cycle:11", "path:20"]


@pytest.mark.parametrize(
    "spec",
    [GENERATED, *(pytest.param([s], marks=SLOW) for s in ("karate", "florentine", "davis"))],
    ids=str,
)
def test_bfs_is_exact_on_classical_graphs_from_every_source(spec):
    found = [graphs.load(one).to_networkx() for one in spec]
    # `expected` knows nodes by identifier.
    numbered = [nx.convert_node_labels_to_integers(graph) for graph in found]
    assert_exact(from_every_source(numbered))


@pytest.mark.slow
def test_bfs_is_exact_on_les_miserables():
    # 37 slots for degree 36: as many ports as there are neighbours of Valjean.
    graph = nx.convert_node_labels_to_integers(graphs.load("les-miserables").to_networkx())
    instance = assert_exact([(graph, [0]), (graph, [40]), (graph, [3, 76])])
    assert instance.sizes["degree"] == 36


@pytest.mark.slow
def test_a_trained_ensemble_is_exact_on_a_hundred_random_graphs():
    cases = list(random_cases(3, 100, degrees=(2, 3), max_nodes=10))
    instance = assert_exact(cases, engine="ensemble")
    assert instance.sizes["degree"] == 3


def test_a_program_that_is_larger_than_needed_is_exact():
    cases = from_every_source([nx.path_graph(4), nx.star_graph(3), nx.empty_graph(2)])
    assert_exact(cases, sizes={"degree": 5, "slots": 7, "word": 5})


def test_a_single_node_and_a_lonely_source_need_one_step():
    for graph in (nx.empty_graph(1), nx.empty_graph(3)):
        assert assert_exact([(graph, [0])]).num_steps == 1


# Names, and one call for everything.


def test_answers_speak_of_nodes_by_index_and_reports_by_name():
    graph = graphs.from_networkx(nx.Graph([("a", "b"), ("b", "c"), ("a", "d"), ("c", "d")]))
    result = pipeline.run("bfs", graph, engine="kernel", source="c")
    assert result.exact
    assert result.instance.inputs == {"sources": ["c"]}
    assert result.answer["distance"].tolist() == [2, 1, 0, 1]
    assert result.answer["parent"].tolist() == [1, 2, -1, 2]  # a hears b and d; b comes first
    assert result.instance.formats["parent"](1) == "b"


def test_the_source_is_the_first_node_unless_it_is_given():
    graph = graphs.load("path:4")
    first = bfs.prepare(graph)
    assert first.inputs == bfs.prepare(graph, source=0).inputs == {"sources": [0]}
    assert bfs.prepare(graph, sources=[3, 1]).inputs == {"sources": [3, 1]}


# Sizes.


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("word", [1, 2, 3, 4, 6])
def test_no_bit_has_more_writers_than_slots_or_a_word_and_two(degree, word):
    for slots in {degree + 1, degree**2 + 1}:
        program = bfs.program(degree=degree, slots=slots, word=word)
        assert program.num_writers.max() == max(slots, word + 2, 3)


def test_all_programs_of_the_usual_sizes_are_certified_without_padding():
    for degree in (1, 2, 3, 4):
        program = bfs.program(degree=degree, slots=degree**2 + 1, word=6)
        certificate = pipeline.certify(program, num_decisions=10**8)
        assert certificate.certified
        assert certificate.problem.padding == 0


GRID = graphs.load("grid:3x4")  # degree 4, 6 hops from a corner
FITTING = {"degree": 4, "slots": GRID.num_colours, "word": 3}


def test_the_least_sizes_are_taken_by_default():
    assert bfs.instance(GRID, sources=[0]).sizes == FITTING
    assert bfs.instance(GRID, sources=[0], sizes=FITTING).sizes == FITTING
    # From the middle it is not as far; from everywhere it is no way at all.
    assert bfs.instance(GRID, sources=[5]).sizes["word"] == 2
    assert bfs.instance(GRID, sources=range(12)).sizes["word"] == 1


@pytest.mark.parametrize("name", FITTING)
def test_a_program_that_is_too_small_is_refused_with_what_would_fit(name):
    least = FITTING[name]
    message = f"graph 'grid:3x4' needs {name} of at least {least}, the program has {least - 1}"
    with pytest.raises(ProgramError, match=message):
        bfs.instance(GRID, sources=[0], sizes=FITTING | {name: least - 1})


def test_unknown_sizes_are_refused():
    message = "the program's sizes are degree, slots, word, not degree, word"
    with pytest.raises(ProgramError, match=message):
        bfs.instance(GRID, sources=[0], sizes={"degree": 4, "word": 3})


def test_sources_must_be_nodes():
    with pytest.raises(GraphError, match="at least one source is needed"):
        bfs.instance(GRID, sources=[])
    for wrong in (-1, 12):
        with pytest.raises(GraphError, match=rf"sources \[0, {wrong}\] are not all nodes 0 to 11"):
            bfs.instance(GRID, sources=[0, wrong])
    with pytest.raises(GraphError, match="either source or sources"):
        bfs.prepare(GRID, source=0, sources=[0])
