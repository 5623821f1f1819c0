"""Bellman-Ford by learned networks is exact: distances, parents, and cycles of negative weight.

Every node of every graph is compared with a plain reference, every bit of every step with the
program, and the reference's distances with those of networkx.
"""

import functools

import networkx as nx
import numpy as np
import pytest

from ntkexec import ensemble, executor, graphs, pipeline
from ntkexec.ensemble import EnsembleConfig
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs.graph import bellman_ford
from ntkexec.programs.reference import NONE
from ntkexec.programs.reference import bellman_ford as reference

DECISIONS = 10**8
# Enough for random graphs on at most 7 nodes, and for those that the trained ensemble runs on.
SMALL = {"degree": 3, "slots": 8, "word": 6}
TINY = {"degree": 3, "slots": 5, "word": 5}


@functools.cache
def engine_for(name, sizes):
    """An engine for the program of the given sizes; the ensemble as the certificate asks for."""
    certificate = pipeline.certify(bellman_ford.program(**dict(sizes)), num_decisions=DECISIONS)
    networks = None
    if name == "ensemble":
        config = EnsembleConfig(
            members=certificate.ensemble_size(delta=1e-3, num_decisions=DECISIONS),
            width=pipeline.default_width(certificate),
        )
        networks = ensemble.train(certificate.problem, config)
    return pipeline.make_engine(name, certificate, networks), certificate


def assert_exact(graph, sources, *, sizes=None, name="kernel", until="steps"):
    """Executes the program; compares every node with the reference, every bit with the program."""
    instance = bellman_ford.instance(graph, sources=sources, parameters=sizes)
    engine, certificate = engine_for(name, tuple(instance.parameters.items()))
    found = executor.execute(
        engine, instance.program, instance.graphs, num_steps=instance.num_steps, until=until
    )
    answer, expected = instance.decode(found.states), instance.reference()
    assert answer.keys() == expected.keys()
    for field, values in expected.items():
        assert np.array_equal(answer[field], values), field
    assert found.verification.wrong_bits == 0
    assert found.collisions == 0
    assert certificate.covers(found.verification.largest_matches)
    return found, answer


def with_weights(graph, rng, low, high):
    """A copy with integer weights, drawn uniformly from low to high."""
    copy = graph.copy()
    for _, _, data in copy.edges(data=True):
        data["weight"] = int(rng.integers(low, high + 1))
    return copy


def without_negative_cycles(graph, rng, spread=6):
    """A directed copy, each edge in one direction or both, whose cycles all weigh at least 0."""
    height = {node: int(rng.integers(0, spread)) for node in graph}
    copy = nx.DiGraph()
    copy.add_nodes_from(graph)
    for u, v in graph.to_directed().edges:
        if rng.random() < 0.7:
            # Around a cycle the heights cancel.
            copy.add_edge(u, v, weight=int(rng.integers(0, spread - 1)) + height[u] - height[v])
    return copy


def from_weighted(graph):
    return graphs.from_networkx(graph, weight="weight")


def batch_of(weighted):
    return graphs.batch([from_weighted(graph) for graph in weighted])


def random_graphs(number, degree, seed, sizes=range(4, 10)):
    """Connected random graphs of bounded degree, without weights."""
    rng = np.random.default_rng(seed)
    return [
        graphs.parse(f"random-bounded:n={rng.choice(sizes)},d={degree},seed={index}")
        for index in range(number)
    ]


def first_nodes(batch):
    return [part.start for part in batch.node_ranges()]


def atlas_from_every_source(weigh):
    """All connected graphs on one to six nodes, once for every source, as a batch and sources."""
    copies = [
        (weigh(graph), source)
        for graph in nx.graph_atlas_g()[1:209]
        if nx.is_connected(graph)
        for source in graph
    ]
    # Connected graphs: 1, 1, 2, 6, 21 and 112 on one to six nodes (OEIS A001349).
    assert len(copies) == 1 + 2 * 1 + 3 * 2 + 4 * 6 + 5 * 21 + 6 * 112
    batch = batch_of([graph for graph, _ in copies])
    starts = first_nodes(batch)
    return batch, [start + source for start, (_, source) in zip(starts, copies)]


FAMILIES = {
    "undirected, 0..7": lambda graph, rng: with_weights(graph, rng, 0, 7),
    "directed, no negative cycle": without_negative_cycles,
    "directed both ways, -3..7": lambda graph, rng: with_weights(graph.to_directed(), rng, -3, 7),
    "undirected, -3..7": lambda graph, rng: with_weights(graph, rng, -3, 7),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_bellman_ford_is_exact_on_all_connected_graphs_up_to_six_nodes_from_every_source(family):
    rng = np.random.default_rng(0)
    batch, sources = atlas_from_every_source(lambda graph: FAMILIES[family](graph, rng))
    _, answer = assert_exact(batch, sources)
    cycles = np.mean(answer["negative_cycle"])
    assert cycles == 0 if "-3" not in family else 0.3 < cycles < 1


@pytest.mark.parametrize("family", ["undirected, 0..7", "directed, no negative cycle"])
def test_bellman_ford_is_exact_on_a_thousand_random_graphs(family):
    rng = np.random.default_rng(1)
    batch = batch_of([FAMILIES[family](g, rng) for g in random_graphs(1000, 3, seed=1)])
    sources = [rng.integers(part.start, part.stop) for part in batch.node_ranges()]
    _, answer = assert_exact(batch, sources)
    if family == "directed, no negative cycle":
        assert (answer["distance"] == NONE).sum() > 500  # unreachable
        assert ((answer["distance"] < 0) & (answer["distance"] != NONE)).sum() > 200


SPECS = ["path:1", "path:2", "path:9", "star:10", "complete:5", "grid:4x4", "cycle:7"]


@pytest.mark.parametrize("option", ["", "weights=0..3", "directed=1,weights=-2..3"])
def test_bellman_ford_is_exact_on_special_graphs_from_both_ends(option):
    weight = "weight" if option else None
    specs = [f"{spec},{option}".rstrip(",") for spec in SPECS]
    batch = graphs.batch([graphs.load(spec, weight=weight) for spec in specs for _ in "ab"])
    ends = [(part.start, part.stop - 1)[i % 2] for i, part in enumerate(batch.node_ranges())]
    assert_exact(batch, ends)


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
def test_bellman_ford_is_exact_on_graphs_in_pieces_with_any_number_of_sources(kind):
    rng = np.random.default_rng(6)
    sample, sources, start = [], [], 0
    for _ in range(500):
        graph = kind()
        graph.add_nodes_from(range(rng.integers(1, 8)))
        for u, v in rng.integers(len(graph), size=(10, 2)).tolist():
            neighbours = [set(nx.all_neighbors(graph, x)) | {y} for x, y in [(u, v), (v, u)]]
            if u != v and max(map(len, neighbours)) <= 3:
                graph.add_edge(u, v, weight=int(rng.integers(-1 if kind is nx.DiGraph else 0, 4)))
        sample.append(graph)
        # Also none at all: then nothing of this graph is reached.
        sources += [start + v for v in graph if rng.random() < 0.25]
        start += len(graph)
    assert_exact(batch_of(sample), sources, sizes=SMALL)


def test_a_trained_ensemble_is_exact_on_fifty_random_graphs():
    rng = np.random.default_rng(2)
    weigh = [
        lambda graph: with_weights(graph, rng, 0, 2).to_directed(),
        lambda graph: without_negative_cycles(graph, rng, spread=3),
        lambda graph: with_weights(graph.to_directed(), rng, -1, 2),
    ]
    sample = random_graphs(50, 3, seed=2, sizes=[4, 5])
    batch = batch_of([weigh[index % 3](graph) for index, graph in enumerate(sample)])
    _, answer = assert_exact(batch, first_nodes(batch), sizes=TINY, name="ensemble")
    assert 0 < answer["negative_cycle"].mean() < 0.3


def networkx_distances(graph, source):
    """Distances by networkx, or None for a negative cycle."""
    try:
        return nx.single_source_bellman_ford_path_length(graph, source)
    except nx.NetworkXUnbounded:
        return None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_agrees_with_networkx(family):
    rng = np.random.default_rng(3)
    for graph in map(lambda g: FAMILIES[family](g, rng), random_graphs(300, 4, seed=3)):
        source = int(rng.integers(len(graph)))
        found, wanted = reference.expected(graph, [source]), networkx_distances(graph, source)
        assert {row["negative_cycle"] for row in found.values()} == {int(wanted is None)}
        distances = {v: row["distance"] for v, row in found.items() if row["distance"] != NONE}
        assert distances == (wanted or {})
        for v, row in found.items():
            if row["parent"] != -1:
                length = graph.edges[row["parent"], v]["weight"]
                assert distances[v] == distances[row["parent"]] + length


def test_parents_by_hand():
    # 3 hears 2 by way of 1 and of 2 in the same round: the smaller identifier. A shorter way with
    # more edges, 0-4-5-3, comes a round later and replaces it.
    graph = nx.Graph()
    graph.add_weighted_edges_from([(0, 1, 1), (0, 2, 1), (1, 3, 1), (2, 3, 1)])
    _, answer = assert_exact(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, 1, 1, 2]
    assert answer["parent"].tolist() == [-1, 0, 0, 1]
    graph.add_weighted_edges_from([(0, 4, 0), (4, 5, 1), (5, 3, 0)])
    _, answer = assert_exact(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, 1, 1, 1, 0, 1]
    assert answer["parent"].tolist() == [-1, 0, 0, 5, 0, 4]


def test_a_parent_that_came_first_stays_where_a_later_one_is_only_as_good():
    # Node 3 hears 2 from node 2 in the second round, and 2 from node 1 in the third.
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 2, 1), (2, 3, 1), (0, 4, 0), (4, 1, 0), (1, 3, 2)])
    _, answer = assert_exact(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, 0, 1, 2, 0]
    assert answer["parent"].tolist() == [-1, 4, 0, 2, 0]


def test_a_negative_edge_without_direction_is_a_negative_cycle():
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, {(0, 1): 3, (1, 2): 2, (2, 3): -1}, "weight")
    _, answer = assert_exact(from_weighted(graph), [0])
    assert answer["negative_cycle"].tolist() == [1] * 4
    assert set(answer["distance"]) == {NONE}
    assert set(answer["parent"]) == {-1}


def test_a_negative_cycle_out_of_reach_does_not_matter():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -2), (2, 3, -1), (3, 2, 0), (2, 1, -5)])
    _, answer = assert_exact(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, -2, NONE, NONE]
    assert not answer["negative_cycle"].any()
    _, answer = assert_exact(from_weighted(graph), [3])
    assert answer["negative_cycle"].all()


def test_a_negative_cycle_does_not_touch_other_graphs_of_a_batch():
    good, bad = nx.DiGraph(), nx.DiGraph()
    good.add_weighted_edges_from([(0, 1, -1), (1, 2, 1), (2, 0, 0), (2, 3, 4), (3, 4, 1)])
    bad.add_weighted_edges_from([(0, 1, -1), (1, 0, 0)])
    _, answer = assert_exact(batch_of([bad, good, bad]), [0, 2, 7])
    assert answer["negative_cycle"].tolist() == [1, 1, 0, 0, 0, 0, 0, 1, 1]
    assert answer["distance"][2:7].tolist() == [0, -1, 0, 4, 5]


def test_graphs_come_to_rest_early_with_the_same_answer():
    rng = np.random.default_rng(4)
    batch = batch_of([without_negative_cycles(g, rng) for g in random_graphs(50, 3, 4, [12])])
    whole, answer = assert_exact(batch, first_nodes(batch))
    early, same = assert_exact(batch, first_nodes(batch), until="fixed-point")
    assert all(np.array_equal(answer[field], same[field]) for field in answer)
    assert early.stopped == "fixed-point"
    assert early.steps < whole.steps


def test_rest_comes_in_the_second_quiet_round():
    # Unit weights: the last node improves in round 3. The round after clears its flag.
    graph = graphs.load("grid:3x2")
    found, _ = assert_exact(graph, [0], until="fixed-point")
    word = bellman_ford.instance(graph, sources=[0]).parameters["word"]
    assert found.steps == bellman_ford.num_steps(rounds=5, word=word)


def test_a_negative_cycle_never_comes_to_rest():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -1), (1, 2, 0), (2, 0, 0)])
    found, answer = assert_exact(from_weighted(graph), [0], until="fixed-point")
    assert found.stopped == "steps"
    assert answer["negative_cycle"].all()


@pytest.mark.parametrize("word", [1, 2, 5])
@pytest.mark.parametrize("slots", [1, 7])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_sizes_follow_their_formulas(degree, slots, word):
    sizes = {"degree": degree, "slots": slots, "word": word}
    program = bellman_ford.program(**sizes)
    assert program.num_templates == bellman_ford.num_templates(**sizes)
    assert program.layout.num_bits == bellman_ford.num_state_bits(**sizes)
    assert program.round_length == bellman_ford.steps_per_round(word=word)


def test_the_word_counts_from_the_smallest_number():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -5), (1, 2, 9)])
    loaded = from_weighted(graph)
    # -5 to 4 are ten numbers, as many as 0 to 9.
    assert bellman_ford.range_of_sums(loaded, [0], rounds=3) == (-5, 4)
    assert bellman_ford.instance(loaded, sources=[0]).parameters["word"] == 4
    _, answer = assert_exact(loaded, [0])
    assert answer["distance"].tolist() == [0, -5, 4]


def test_the_word_holds_sums_that_lose():
    # The edge from 2 back to 0 offers 0 a distance of 8, which needs 4 bits; distances need 2.
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, 1), (1, 2, 1), (2, 0, 6)])
    loaded = from_weighted(graph)
    assert bellman_ford.range_of_sums(loaded, [0], rounds=3) == (0, 8)
    assert bellman_ford.instance(loaded, sources=[0]).parameters["word"] == 4


def test_the_word_holds_what_a_negative_cycle_makes_of_distances():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -3), (1, 0, -3)])
    assert bellman_ford.range_of_sums(from_weighted(graph), [0], rounds=2) == (-6, 0)
    # A graph of eight nodes beside it makes it run for eight rounds.
    long = with_weights(nx.path_graph(8, nx.DiGraph), np.random.default_rng(0), 1, 1)
    assert bellman_ford.range_of_sums(batch_of([graph, long]), [0, 2], rounds=8) == (-24, 7)


@pytest.mark.parametrize("size, least", [("word", 3), ("degree", 3), ("slots", 4)])
def test_sizes_too_small_are_refused_with_the_number_that_fits(size, least):
    graph = graphs.load("complete:4,weights=2..2", weight="weight")
    # Distance 2 at most, and 4 as a sum on the way.
    sizes = {"degree": 3, "slots": 4, "word": 3}
    assert_exact(graph, [0], sizes=sizes)
    with pytest.raises(ProgramError, match=f"needs {size} of at least {least}, .* {least - 1}"):
        bellman_ford.instance(graph, sources=[0], parameters=sizes | {size: least - 1})


def test_more_room_than_needed_does_no_harm():
    graph = graphs.load("star:4,weights=0..3", weight="weight")
    assert_exact(graph, [1], sizes={"degree": 4, "slots": 6, "word": 6})


def test_inputs_that_make_no_sense_are_refused():
    graph = graphs.load("path:3")
    with pytest.raises(GraphError, match="at least one source"):
        bellman_ford.instance(graph, sources=[])
    with pytest.raises(GraphError, match="not all nodes"):
        bellman_ford.instance(graph, sources=[3])
    with pytest.raises(GraphError, match="either source or sources"):
        bellman_ford.prepare(graph, source=0, sources=[1])
    with pytest.raises(ProgramError, match="--degree and --word"):
        bellman_ford.sizes(degree=3, word=None)
    with pytest.raises(ProgramError, match="no arrival time"):
        bellman_ford.sizes(degree=3, word=4, arrival_bits=2)
    assert bellman_ford.sizes(degree=3, word=4) == {"degree": 3, "slots": 10, "word": 4}


def test_nodes_go_by_name():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([("a", "b", -1), ("b", "c", -2), ("a", "c", 0)])
    instance = bellman_ford.prepare(from_weighted(graph), source="a")
    assert instance.inputs == {"sources": ["a"]}
    assert instance.reference()["distance"].tolist() == [0, -1, -3]
    assert instance.formats["parent"](1) == "b"


# Edges from nodes to themselves.


def looped(arcs, *, kind=nx.DiGraph):
    graph = kind()
    graph.add_weighted_edges_from(arcs)
    return graphs.from_networkx(graph, weight="weight", self_loops="drop")


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph])
def test_a_dropped_loop_of_negative_weight_is_a_negative_cycle(kind):
    graph = looped([(0, 1, 1), (1, 1, -3), (1, 2, 1)], kind=kind)
    _, answer = assert_exact(graph, [0])
    assert answer["negative_cycle"].tolist() == [1, 1, 1]
    assert answer["distance"].tolist() == [NONE] * 3
    # A loop that adds is no way to anywhere.
    _, answer = assert_exact(looped([(0, 1, 1), (1, 1, 3), (1, 2, 1)], kind=kind), [0])
    assert answer["distance"].tolist() == [0, 1, 2]


def test_a_negative_loop_counts_where_a_source_reaches_it():
    graph = looped([(0, 1, 1), (1, 1, -3), (1, 2, 1), (2, 3, 4)])
    _, answer = assert_exact(graph, [2])
    assert answer["negative_cycle"].tolist() == [0] * 4
    assert answer["distance"].tolist() == [NONE, NONE, 0, 4]
    assert answer["parent"].tolist() == [-1, -1, -1, 2]


def test_random_graphs_with_loops_are_exact():
    rng = np.random.default_rng(5)
    given = []
    for plain in random_graphs(20, 3, seed=5, sizes=[6]):
        given.append(without_negative_cycles(plain, rng))
        for node in rng.integers(6, size=2).tolist():
            given[-1].add_edge(node, node, weight=int(rng.integers(-2, 4)))
    batch = graphs.batch(
        [graphs.from_networkx(graph, weight="weight", self_loops="drop") for graph in given]
    )
    starts = first_nodes(batch)
    _, answer = assert_exact(batch, starts)
    # networkx sees the graphs with their loops, and knows nothing of how they were dropped.
    reached = [graph.subgraph(nx.descendants(graph, 0) | {0}).copy() for graph in given]
    expected = [nx.negative_edge_cycle(graph) for graph in reached]
    assert answer["negative_cycle"][starts].tolist() == expected
    assert {True, False} == set(expected)


def test_loops_keep_their_graph_in_a_batch():
    batch = graphs.batch(
        [looped([(0, 1, 1), (1, 1, -3)]), looped([(0, 1, 1)]), looped([(0, 0, -1), (0, 1, 2)])]
    )
    assert batch.loops.nodes.tolist() == [1, 4]
    _, answer = assert_exact(batch, [0, 2, 5])
    assert answer["negative_cycle"].tolist() == [1, 1, 0, 0, 0, 0]


# Weights that nobody asked for.


def test_a_word_is_said_if_edges_have_weights_and_each_counts_one(caplog):
    graph = graphs.load(nx.Graph([("a", "b", {"weight": 3}), ("b", "c", {"weight": 3})]))
    assert bellman_ford.prepare(graph).reference()["distance"].tolist() == [0, 1, 2]
    (record,) = caplog.records
    assert "every edge of graph counts 1" in record.getMessage()
    assert "--weights weight" in record.getMessage()
    bellman_ford.prepare(graphs.load("path:3,weights=3..3", weight="weight"))
    bellman_ford.prepare(graphs.load("path:3,weights=1..1"))
    bellman_ford.prepare(graphs.load("petersen"))
    assert len(caplog.records) == 1
