"""Bellman-Ford on split graphs: the same program, and the unsplit graph's answer, ties included."""

import networkx as nx
import numpy as np
import pytest
from support.instances import exact_answer
from support.weighted import from_weighted, with_weights, without_negative_cycles

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import GraphError, ProgramError
from ntkexec.graphs.ports import in_neighbours
from ntkexec.graphs.splitting import project_parents, split
from ntkexec.programs.graph import bellman_ford, bellman_ford_split
from ntkexec.programs.graph.relaxing import relax, weights_of
from ntkexec.programs.reference import NONE

FAMILIES = {
    "undirected, 0..2": lambda graph, rng: with_weights(graph, rng, 0, 2),
    "directed, no negative cycle": lambda graph, rng: without_negative_cycles(graph, rng, 3),
    "directed, -3..9": lambda graph, rng: with_weights(one_way(graph, rng), rng, -3, 9),
}


def one_way(graph, rng):
    """Each edge in one direction or in both."""
    arcs = [arc for arc in graph.to_directed().edges if rng.random() < 0.6]
    directed = nx.DiGraph()
    directed.add_nodes_from(graph)
    directed.add_edges_from(arcs)
    return directed


def drawn(family, *, number=30, seed=0):
    """Random graphs of any degree, some in pieces: in networkx, as a batch, and a source of each."""
    rng = np.random.default_rng(seed)
    given, loaded = [], []
    for index in range(number):
        plain = nx.gnp_random_graph(int(rng.integers(2, 10)), 0.7, seed=seed + index)
        graph = FAMILIES[family](plain, rng)
        # Every second lists its neighbours in an order of its own.
        if index % 2:
            again = type(graph)()
            again.add_nodes_from(graph)
            edges = list(graph.edges(data="weight"))
            again.add_weighted_edges_from(edges[i] for i in rng.permutation(len(edges)))
            graph = again
        order = ("identifiers", "adjacency")[index % 2]
        given.append(graph)
        loaded.append(graphs.from_networkx(graph, weight="weight", port_order=order))
    batch = graphs.batch(loaded)
    sources = [int(rng.integers(part.start, part.stop)) for part in batch.node_ranges()]
    return given, batch, sources


@pytest.mark.parametrize(
    "family, degree",
    [
        *((family, 3) for family in FAMILIES),
        pytest.param("undirected, 0..2", 4, marks=pytest.mark.slow),
    ],
)
def test_the_answer_is_that_of_the_unsplit_graph(family, degree):
    given, batch, sources = drawn(family, seed=degree)
    whole = split(batch, degree)
    assert batch.degree > whole.graph.degree == degree
    instance = bellman_ford_split.instance(whole, sources=sources)
    answer = exact_answer(instance)
    # The reference knows of no trees. Distances are also networkx's.
    unsplit = bellman_ford.instance(batch, sources=sources).reference()
    for field, values in unsplit.items():
        np.testing.assert_array_equal(answer[field], values)
    for graph, part, source in zip(given, batch.node_ranges(), sources, strict=True):
        own = answer["distance"][part]
        try:
            wanted = nx.single_source_bellman_ford_path_length(graph, source - part.start)
        except nx.NetworkXUnbounded:
            wanted = {}
            assert answer["negative_cycle"][part].all()
        assert own.tolist() == [wanted.get(node, NONE) for node in range(len(own))]
    assert answer["negative_cycle"].any() == ("-3" in family)
    assert (answer["distance"] == NONE).any()
    # Whoever follows parents ends at a source.
    parent, at = answer["parent"], np.arange(batch.num_nodes)
    for _ in range(10):
        at = np.where(parent[at] < 0, at, parent[at])
    reached = answer["distance"] != NONE
    assert np.isin(at[reached], sources).all()


def test_the_trees_themselves_would_break_ties_otherwise():
    """Counter-cases: the program's own choices, and the leaves in another order."""
    _, batch, sources = drawn("undirected, 0..2")
    whole = split(batch)
    instance = bellman_ford_split.instance(whole, sources=sources)
    found = testing.assert_exact(instance)
    fields = instance.program.layout.unpack(found.states)
    own = project_parents(whole, fields["parent"])
    right = instance.reference()
    assert ((own >= 0) == (right["parent"] >= 0)).all()
    wrong = np.flatnonzero(own != right["parent"])
    assert len(wrong)
    # They are as near, though.
    assert (right["distance"][own[wrong]] <= right["distance"][wrong]).all()
    heard = in_neighbours(whole.graph, 3)
    tight = (heard >= 0) & whole.outer & (fields["sum.kept"] == fields["distance"][:, None])
    np.testing.assert_array_equal(
        bellman_ford_split.first_neighbours(whole, tight), right["parent"]
    )
    last = last_neighbours(whole, tight, heard)
    assert (last != right["parent"]).any()


def last_neighbours(whole, tight, heard):
    """The largest neighbour at a port that is marked."""
    nodes, ports = np.nonzero(tight)
    found = np.full(whole.original.num_nodes, -1)
    np.maximum.at(found, whole.owner[nodes], whole.owner[heard[nodes, ports]])
    return found


def test_fewest_hops_come_before_the_smallest_identifier():
    # As on the unsplit graph: node 3 hears 2 from node 2 by two hops, and from node 1 by three.
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 2, 1), (2, 3, 1), (0, 4, 0), (4, 1, 0), (1, 3, 2)])
    graph.add_weighted_edges_from([(0, 5, 9), (5, 3, 0), (0, 6, 9), (6, 3, 0)])
    instance = bellman_ford_split.instance(split(from_weighted(graph)), sources=[0])
    answer = exact_answer(instance)
    assert answer["parent"].tolist() == [-1, 4, 0, 2, 0, 0, 0]
    tight = [u for u in graph.pred[3] if answer["distance"][u] + graph.edges[u, 3]["weight"] == 2]
    assert sorted(tight) == [1, 2]  # by distances alone it were the smaller one


def caterpillar(length):
    """A path of hubs whose identifiers lie apart, each with five leaves between them."""
    graph = nx.path_graph(range(0, 6 * length, 6))
    for hub in list(graph):
        graph.add_edges_from((hub, hub + leaf) for leaf in range(1, 6))
    return graph


@pytest.mark.parametrize(
    "graph", [caterpillar(6), nx.star_graph(9), nx.complete_graph(9), nx.path_graph(5)], ids=str
)
def test_rounds_suffice(graph):
    original = graphs.from_networkx(graph)
    whole = split(original)
    weights = bellman_ford_split.with_hops(whole, whole.graph, 4)
    rounds, source = bellman_ford_split.num_rounds(whole), np.flatnonzero(whole.owner == 0)
    found = relax(whole.graph, weights, source.tolist(), rounds=rounds).rounds
    hops = relax(original, weights_of(original), [0], rounds=100).rounds
    assert found < rounds
    assert found <= hops * (2 * whole.depth + 1)


def test_rounds_of_the_unsplit_graph_do_not_suffice():
    hubs = split(graphs.from_networkx(caterpillar(30)))
    weights = bellman_ford_split.with_hops(hubs, hubs.graph, 6)
    assert relax(hubs.graph, weights, [0], rounds=1000).rounds > 30


def test_a_light_cycle_of_many_hops_is_still_negative():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(i, (i + 1) % 6, -1 if i == 0 else 0) for i in range(6)])
    graph.add_weighted_edges_from([(0, 6, 1), (0, 7, 1), (0, 8, 1)])
    whole = split(from_weighted(graph))
    instance = bellman_ford_split.instance(whole, sources=[0])
    assert exact_answer(instance)["negative_cycle"].all()
    # With too few bits for the hops it would weigh 2 * -1 + 6.
    rounds = bellman_ford_split.num_rounds(whole)
    few, enough = (bellman_ford_split.with_hops(whole, whole.graph, bits) for bits in (1, 4))
    assert relax(whole.graph, few, [0], rounds=rounds).rounds < rounds
    assert relax(whole.graph, enough, [0], rounds=rounds).rounds == rounds


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph])
def test_a_dropped_loop_of_negative_weight_is_a_negative_cycle(kind):
    graph = kind()
    graph.add_weighted_edges_from([(0, hub, 1) for hub in range(1, 6)] + [(0, 0, -2)])
    loaded = graphs.from_networkx(graph, weight="weight", self_loops="drop")
    instance = bellman_ford_split.instance(split(loaded), sources=[1 if kind is nx.Graph else 0])
    assert exact_answer(instance)["negative_cycle"].all()
    apart = bellman_ford_split.instance(split(loaded), sources=[1])
    assert exact_answer(apart)["negative_cycle"].any() == (kind is nx.Graph)


def test_sources_go_by_name_and_sizes_may_be_larger():
    star = nx.Graph([("hub", leaf) for leaf in "abcde"])
    whole = split(graphs.from_networkx(star))
    sizes = {"degree": 3, "slots": 10, "word": 9}
    instance = pipeline.prepare("bellman-ford", star, split_degree=3, sizes=sizes, source="a")
    assert instance.sizes == sizes
    assert instance.split is not None
    answer = exact_answer(instance)
    distance = dict(zip(whole.original.names, answer["distance"].tolist(), strict=True))
    assert distance == {"hub": 1, "a": 0, "b": 2, "c": 2, "d": 2, "e": 2}
    with pytest.raises(ProgramError, match="needs word of at least"):
        bellman_ford_split.prepare(whole, sizes=sizes | {"word": 2}, source="a")
    with pytest.raises(GraphError, match="either source or sources"):
        bellman_ford_split.prepare(whole, source="a", sources=["b"])


def test_sums_that_no_number_holds_are_refused():
    path = graphs.load("path:4")
    with pytest.raises(ProgramError, match="reach 4,611,686,018,427,387,904 in round 4; smaller"):
        relax(path, np.full(6, 1 << 60), [0], rounds=4)


@pytest.mark.slow
def test_karate_at_degree_three_with_weights():
    graph = with_weights(nx.karate_club_graph(), np.random.default_rng(0), 1, 9)
    whole = split(from_weighted(graph))
    for source in range(0, 34, 11):
        instance = bellman_ford_split.instance(whole, sources=[source])
        exact_answer(instance, engine="kernel-packed")


def test_a_round_takes_at_most_two_rounds_for_each_level_of_a_tree_and_one():
    beyond_one_way = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        given = with_weights(nx.gnp_random_graph(14, 0.6, seed=seed), rng, 0, 9)
        graph = graphs.from_networkx(given, weight="weight")
        parts = split(graph, 3)
        instance = bellman_ford_split.instance(parts, sources=[0])
        assert instance.slowdown_in == "rounds"
        whole = relax(graph, weights_of(graph), [0], rounds=99).rounds
        weights = bellman_ford_split.with_hops(parts, parts.graph, hop_bits=4)
        starts = np.flatnonzero(parts.owner == 0).tolist()
        on_trees = relax(parts.graph, weights, starts, rounds=999).rounds
        assert on_trees <= instance.slowdown * whole
        beyond_one_way.append(on_trees - (parts.depth + 1) * whole)
    # Twin: a smaller factor, of a single way through a tree, does not do.
    assert max(beyond_one_way) > 0
