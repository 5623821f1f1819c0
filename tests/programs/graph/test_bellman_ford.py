"""Bellman-Ford by learned networks is exact: distances, parents, and cycles of negative weight.

Every node of every graph is compared with a plain reference, every bit of every step with the
program, and the reference's distances with those of networkx.
"""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from support.instances import batch_of, connected_atlas, from_every_source
from support.weighted import (
    answered,
    connected_graphs,
    from_weighted,
    with_weights,
    without_negative_cycles,
)

from ntkexec import graphs, testing
from ntkexec.programs.graph import bellman_ford
from ntkexec.programs.reference import NONE
from ntkexec.programs.reference import bellman_ford as reference

# Enough for random graphs on at most 7 nodes, and for those that the trained ensemble runs on.
SMALL = {"degree": 3, "slots": 8, "word": 6}
TINY = {"degree": 3, "slots": 5, "word": 5}


FAMILIES = {
    "undirected, 0..7": lambda graph, rng: with_weights(graph, rng, 0, 7),
    "directed, no negative cycle": without_negative_cycles,
    "directed both ways, -3..7": lambda graph, rng: with_weights(graph.to_directed(), rng, -3, 7),
    "undirected, -3..7": lambda graph, rng: with_weights(graph, rng, -3, 7),
}


# With one direction the weights are of any kind; those without are those of both with one weight.
@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=() if family.split()[0] == "directed" else pytest.mark.slow)
        for family in FAMILIES
    ],
)
def test_bellman_ford_is_exact_on_all_connected_graphs_up_to_six_nodes_from_every_source(family):
    rng = np.random.default_rng(0)
    copies = [(FAMILIES[family](g, rng), v) for g, v in from_every_source(connected_atlas(6))]
    batch, sources = batch_of(copies, weight="weight")
    answer = answered(batch, sources)
    cycles = np.mean(answer["negative_cycle"])
    assert cycles == 0 if "-3" not in family else 0.3 < cycles < 1


# The default suite has all small graphs above, and random ones in pieces below.
@pytest.mark.slow
@pytest.mark.parametrize("family", ["undirected, 0..7", "directed, no negative cycle"])
def test_bellman_ford_is_exact_on_a_thousand_random_graphs(family):
    rng = np.random.default_rng(1)
    sample = [from_weighted(FAMILIES[family](g, rng)) for g in connected_graphs(1000, 3, seed=1)]
    batch = graphs.batch(sample)
    sources = [rng.integers(part.start, part.stop) for part in batch.node_ranges()]
    answer = answered(batch, sources)
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
    answered(batch, ends)


@pytest.mark.parametrize("kind", [pytest.param(nx.Graph, marks=pytest.mark.slow), nx.DiGraph])
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
        sample.append(from_weighted(graph))
        # Also none at all: then nothing of this graph is reached.
        sources += [start + v for v in graph if rng.random() < 0.25]
        start += len(graph)
    answered(graphs.batch(sample), sources, sizes=SMALL)


@pytest.mark.slow
def test_a_trained_ensemble_is_exact_on_fifty_random_graphs():
    rng = np.random.default_rng(2)
    weigh = [
        lambda graph: with_weights(graph, rng, 0, 2).to_directed(),
        lambda graph: without_negative_cycles(graph, rng, spread=3),
        lambda graph: with_weights(graph.to_directed(), rng, -1, 2),
    ]
    sample = connected_graphs(50, 3, seed=2, sizes=[4, 5])
    copies = [(weigh[index % 3](graph), 0) for index, graph in enumerate(sample)]
    answer = answered(*batch_of(copies, weight="weight"), sizes=TINY, engine="ensemble")
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
    for graph in map(lambda g: FAMILIES[family](g, rng), connected_graphs(300, 4, seed=3)):
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
    answer = answered(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, 1, 1, 2]
    assert answer["parent"].tolist() == [-1, 0, 0, 1]
    graph.add_weighted_edges_from([(0, 4, 0), (4, 5, 1), (5, 3, 0)])
    answer = answered(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, 1, 1, 1, 0, 1]
    assert answer["parent"].tolist() == [-1, 0, 0, 5, 0, 4]


def test_a_parent_that_came_first_stays_where_a_later_one_is_only_as_good():
    # Node 3 hears 2 from node 2 in the second round, and 2 from node 1 in the third.
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 2, 1), (2, 3, 1), (0, 4, 0), (4, 1, 0), (1, 3, 2)])
    answer = answered(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, 0, 1, 2, 0]
    assert answer["parent"].tolist() == [-1, 4, 0, 2, 0]


def test_a_negative_edge_without_direction_is_a_negative_cycle():
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, {(0, 1): 3, (1, 2): 2, (2, 3): -1}, "weight")
    answer = answered(from_weighted(graph), [0])
    assert answer["negative_cycle"].tolist() == [1] * 4
    assert set(answer["distance"]) == {NONE}
    assert set(answer["parent"]) == {-1}


def test_a_negative_cycle_out_of_reach_does_not_matter():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -2), (2, 3, -1), (3, 2, 0), (2, 1, -5)])
    answer = answered(from_weighted(graph), [0])
    assert answer["distance"].tolist() == [0, -2, NONE, NONE]
    assert not answer["negative_cycle"].any()
    answer = answered(from_weighted(graph), [3])
    assert answer["negative_cycle"].all()


def test_a_negative_cycle_does_not_touch_other_graphs_of_a_batch():
    good, bad = nx.DiGraph(), nx.DiGraph()
    good.add_weighted_edges_from([(0, 1, -1), (1, 2, 1), (2, 0, 0), (2, 3, 4), (3, 4, 1)])
    bad.add_weighted_edges_from([(0, 1, -1), (1, 0, 0)])
    answer = answered(*batch_of([(bad, 0), (good, 0), (bad, 0)], weight="weight"))
    assert answer["negative_cycle"].tolist() == [1, 1, 0, 0, 0, 0, 0, 1, 1]
    assert answer["distance"][2:7].tolist() == [0, -1, 0, 4, 5]


def test_graphs_come_to_rest_early_with_the_same_answer():
    rng = np.random.default_rng(4)
    copies = [(without_negative_cycles(g, rng), 0) for g in connected_graphs(50, 3, 4, [12])]
    batch, sources = batch_of(copies, weight="weight")
    early = bellman_ford.instance(batch, sources=sources)
    assert early.until == "fixed-point"
    rested = testing.assert_exact(early)
    whole = testing.assert_exact(dataclasses.replace(early, until="steps"))
    assert rested.stopped == "fixed-point"
    assert rested.steps < whole.steps == early.num_steps


def test_rest_comes_in_the_second_quiet_round():
    # Unit weights: the last node improves in round 3. The round after clears its flag.
    instance = bellman_ford.instance(graphs.load("grid:3x2"), sources=[0])
    word = instance.sizes["word"]
    found = testing.assert_exact(instance)
    assert found.steps == bellman_ford.num_steps(rounds=5, word=word)


def test_a_negative_cycle_never_comes_to_rest():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, -1), (1, 2, 0), (2, 0, 0)])
    instance = bellman_ford.instance(from_weighted(graph), sources=[0])
    found = testing.assert_exact(instance)
    assert found.stopped == "steps"
    assert instance.decode(found.states)["negative_cycle"].all()
