"""The shipped LOCAL algorithms are exact, by the closed form of the trained networks' mean, on all
small graphs and on random ones at once, against references that know nothing of rounds."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from support.instances import exact_answer
from support.simulated import simulated

from ntkexec import graphs, pipeline
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs import ALGORITHMS
from ntkexec.programs.local import simulate
from ntkexec.programs.local.examples import (
    FAMILIES,
    automata,
    bipartite,
    cole_vishkin,
    greedy,
    leader_election,
    neighbourhoods,
    spanning_tree,
)
from ntkexec.testing import assert_exact

SMALL = [graph for graph in nx.graph_atlas_g()[1:] if len(graph) <= 5]


def random_graphs(number, degree, seed):
    for index in range(number):
        spec = (
            f"random-bounded:n={6 + index % 6},d={degree},seed={seed + index},connected={index % 2}"
        )
        yield graphs.load(spec)


BATCH = graphs.batch([*map(graphs.from_networkx, SMALL), *random_graphs(40, 4, 0)])
# These two run on trees and rings only, and on rows of cells.
SPECIAL = (cole_vishkin.FAMILY, automata.RULE_110)
GENERAL = [family for family in FAMILIES if family not in SPECIAL]


@pytest.mark.parametrize("family", GENERAL, ids=lambda family: family.name)
def test_exact_on_all_graphs_up_to_five_nodes_and_on_random_ones(family):
    assert len(SMALL) == 1 + 2 + 4 + 11 + 34  # OEIS A000088
    assert_exact(family.prepare(BATCH))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_trained_networks_are_exact(family):
    # By the certificate's bound a wrong bit has a probability of at most 1e-3 for each family.
    result = pipeline.run(family.name, "cycle:9", engine="ensemble", delta=1e-3)
    assert result.exact
    assert result.execution.verification.exact


@pytest.mark.parametrize("family", GENERAL, ids=lambda family: family.name)
def test_the_functions_agree_with_the_reference_too(family):
    # So a body, which the program was compiled from, does what its function says.
    instance = family.prepare(BATCH)
    found, expected = simulated(family, BATCH, instance), instance.reference()
    assert all(np.array_equal(found[field], expected[field]) for field in expected)


def test_all_are_registered():
    for family in FAMILIES:
        assert ALGORITHMS[family.name].summary == family.summary


# Answers by their definition.


def test_greedy_answers_are_what_they_are_called():
    graph = graphs.batch(list(random_graphs(20, 5, 7)))
    edges = np.stack([graph.tuple.senders, graph.tuple.receivers])
    colours = simulated(greedy.COLOURING, graph, greedy.COLOURING.prepare(graph))["colour"]
    assert (colours[edges[0]] != colours[edges[1]]).all()
    assert 0 <= colours.min() <= colours.max() <= graph.degree
    chosen = simulated(greedy.INDEPENDENT_SET, graph, greedy.INDEPENDENT_SET.prepare(graph))
    member = chosen["member"].astype(bool)
    assert not (member[edges[0]] & member[edges[1]]).any()
    dominated = member.copy()
    np.logical_or.at(dominated, edges[1], member[edges[0]])
    assert dominated.all()


def trees_and_rings():
    trees = [graphs.load(f"tree:n={n},d=4,seed={n}") for n in (1, 2, 3, 7, 20, 40)]
    return graphs.batch([*trees, *(graphs.load(f"cycle:{n}") for n in (3, 4, 5, 8, 33))])


def test_three_colours_are_exact_and_proper_on_trees_and_rings():
    graph = trees_and_rings()
    answer = exact_answer(cole_vishkin.FAMILY.prepare(graph))
    colour = answer["colour"]
    assert set(colour.tolist()) <= {0, 1, 2}
    assert (colour[graph.tuple.senders] != colour[graph.tuple.receivers]).all()
    instance = cole_vishkin.FAMILY.prepare(graph)
    found = simulated(cole_vishkin.FAMILY, graph, instance)
    assert np.array_equal(found["colour"], colour)


def test_rounds_grow_like_the_iterated_logarithm():
    assert [cole_vishkin.num_reductions(word) for word in (2, 3, 4, 5, 8, 16, 32, 64, 1 << 16)] == [
        *(0, 1, 2, 3, 3, 4, 4, 4, 5),
    ]


def test_rule_110_draws_its_known_picture():
    # From a single cell at the right end: the first rows, as Wolfram prints them.
    graph = graphs.load("path:8")
    rows = ["00000001", "00000011", "00000111", "00001101", "00011111", "00110001"]
    for rounds, expected in enumerate(rows):
        instance = automata.RULE_110.prepare(graph, rounds=rounds)
        alive = instance.reference()["alive"]
        assert "".join(map(str, alive)) == expected


def test_rule_110_is_exact_on_paths_and_rings():
    rng = np.random.default_rng(0)
    parts = [graphs.load(f"{kind}:{n}") for kind in ("path", "cycle") for n in (3, 4, 9)]
    graph = graphs.batch([graphs.load("path:1"), graphs.load("path:2"), *parts])
    alive = np.flatnonzero(rng.random(graph.num_nodes) < 0.5)
    inputs = automata.row(graph)
    inputs = [(index in alive, left, right) for index, (_, left, right) in enumerate(inputs)]
    family = dataclasses.replace(automata.RULE_110, node_inputs=lambda graph: inputs)
    answer = exact_answer(family.prepare(graph, rounds=6))
    assert np.array_equal(answer["alive"], simulated_for(family, graph, inputs, 6))


def simulated_for(family, graph, inputs, rounds):
    local = family.compiled(degree=graph.degree, slots=graph.num_colours, word=1).algorithm
    return [int(s.alive) for s in simulate(local, graph, rounds=rounds, inputs=inputs)]


def king_torus(rows, columns):
    """The graph of a chess king on a board that wraps round: Life's own."""
    torus = nx.strong_product(nx.cycle_graph(rows), nx.cycle_graph(columns))
    return nx.relabel_nodes(torus, {(r, c): r * columns + c for r, c in torus})


def test_life_on_a_torus_is_life():
    # A glider moves one cell down and one to the right in four generations.
    graph = graphs.load(king_torus(7, 7))
    glider = [(0, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    sources = [7 * r + c for r, c in glider]
    answer = exact_answer(automata.LIFE.prepare(graph, sources=sources, rounds=4))
    assert np.flatnonzero(answer["alive"]).tolist() == sorted(
        7 * (r + 1) + c + 1 for r, c in glider
    )


# Twins that must fail.


def test_one_round_less_is_too_few():
    path = graphs.load("path:6")
    for family in (leader_election.FAMILY, leader_election.COMPONENTS, greedy.COLOURING):
        instance = family.prepare(path)
        local = family.compiled(**instance.sizes)
        rounds = instance.num_steps // local.steps_per_round - 1
        if family is greedy.COLOURING:
            with pytest.raises(ProgramError, match="has not halted"):
                simulate(local.algorithm, path, rounds=rounds)
        else:
            states = simulate(local.algorithm, path, rounds=rounds)
            assert states[-1].leader != 0


def test_another_rule_is_noticed():
    graph = graphs.load(king_torus(5, 5))
    instance = automata.LIFE.prepare(graph, rounds=3)
    broken = automata.LIFE.prepare(graph, rounds=3, sources=[0])
    assert not np.array_equal(instance.reference()["alive"], broken.reference()["alive"])
    with pytest.raises(AssertionError):
        assert_exact(dataclasses.replace(broken, reference=instance.reference))


# What is refused.


def test_graphs_and_inputs_that_do_not_fit_are_refused():
    petersen = graphs.load("petersen")
    with pytest.raises(GraphError, match="neither a tree nor a ring: 10 nodes, 15 edges"):
        cole_vishkin.FAMILY.prepare(petersen)
    with pytest.raises(GraphError, match="edge from 0 to 4"):
        automata.RULE_110.prepare(petersen)
    with pytest.raises(GraphError, match="takes one root"):
        bipartite.FAMILY.prepare(petersen, sources=[0, 3])
    with pytest.raises(GraphError, match="has no node 99"):
        automata.LIFE.prepare(petersen, sources=[99])
    sizes = {"degree": 3, "slots": 10, "word": 9}
    with pytest.raises(ProgramError, match="needs word of at least 10"):
        neighbourhoods.TRIANGLES.prepare(petersen, sizes=sizes)


def test_a_component_without_a_root_has_no_sides():
    graph = graphs.load(nx.disjoint_union(nx.path_graph(3), nx.path_graph(2)))
    answer = exact_answer(bipartite.FAMILY.prepare(graph, source=1))
    assert answer["bipartite"].tolist() == [1, 1, 1, -1, -1]
    assert answer["side"].tolist() == [1, 0, 1, -1, -1]


def test_larger_sizes_than_needed_do_as_well():
    graph = graphs.load("path:5")
    for family in (spanning_tree.FAMILY, cole_vishkin.FAMILY):
        least = family.prepare(graph).sizes
        larger = {"degree": 3, "slots": 5, "word": least["word"] + 1}
        assert_exact(family.prepare(graph, sizes=larger))
