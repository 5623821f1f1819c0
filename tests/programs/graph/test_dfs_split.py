"""Depth-first search on split graphs: the order, the parents and the times of the original graph."""

import dataclasses
import functools

import networkx as nx
import numpy as np
import pytest
from support.instances import batch_of, connected_atlas, from_every_source
from support.stepping import states_after

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs.graph import dfs, dfs_split

# Enough for all graphs below that are not named.
SIZES = {"degree": 3, "slots": 10, "word": 5, "depth_bits": 3}
# Unchanged, `dfs` finds another order on its split graph.
CROSSING = nx.Graph([(0, 4), (0, 5), (1, 2), (1, 4), (2, 4), (2, 5), (3, 4)])


def with_hubs(most):
    """All connected graphs of at most so many nodes with a node of more than three neighbours."""
    return [g for g in connected_atlas(most) if max((d for _, d in g.degree), default=0) > 3]


def random_graphs(number, *, seed):
    """Of nine nodes, connected or not, of degree up to eight."""
    return [nx.gnp_random_graph(9, 0.35 + 0.1 * (i % 4), seed=seed + i) for i in range(number)]


def split_batch(copies, degree=3):
    batch, sources = batch_of(copies)
    return graphs.split(batch, degree), sources


def assert_right(instance, num_steps=None):
    """The answer in NumPy, asserted to be the reference's on the original graph."""
    answer = instance.decode(states_after(instance, num_steps))
    expected = instance.reference()
    assert answer.keys() == expected.keys()
    for field, values in expected.items():
        np.testing.assert_array_equal(answer[field], values, err_msg=field)
    return answer


def order(discovery):
    return np.argsort(discovery).tolist()


# The order.


def test_the_order_is_that_of_the_original_graph_where_dfs_itself_finds_another():
    parts = graphs.split(graphs.from_networkx(CROSSING))
    found = assert_right(dfs_split.instance(parts, sources=[0]))
    by_networkx = list(nx.dfs_preorder_nodes(CROSSING, 0, sort_neighbors=sorted))
    assert order(found["discovery"]) == by_networkx == [0, 4, 1, 2, 5, 3]
    # The plain search visits a tree's nodes one by one, and each owner when it meets its first one.
    plain = dfs.instance(parts.graph, sources=[0])
    visits = order(plain.decode(states_after(plain))["discovery"])
    assert list(dict.fromkeys(parts.owner[visits].tolist())) == [0, 4, 1, 2, 3, 5]


def test_it_is_right_on_small_graphs_with_hubs():
    copies = from_every_source(with_hubs(6))[::11]
    copies += [(graph, 3 * i % 9) for i, graph in enumerate(random_graphs(10, seed=0))]
    parts, sources = split_batch(copies)
    assert parts.depth == 2
    assert_right(dfs_split.instance(parts, sources=sources, sizes=SIZES))


@pytest.mark.slow
@pytest.mark.parametrize("degree", [3, 4])
def test_it_is_right_on_all_connected_graphs_up_to_six_nodes_from_every_source(degree):
    parts, sources = split_batch(from_every_source(with_hubs(6)), degree)
    assert_right(dfs_split.instance(parts, sources=sources))


@pytest.mark.slow
def test_it_is_right_on_hundreds_of_random_graphs():
    copies = [(graph, i % 9) for i, graph in enumerate(random_graphs(300, seed=1000))]
    parts, sources = split_batch(copies)
    assert_right(dfs_split.instance(parts, sources=sources))


def test_ports_in_another_order_are_followed():
    graph = graphs.from_networkx(CROSSING)
    flipped = graphs.with_ports(graph, _turned_round(graph))
    found = assert_right(dfs_split.instance(graphs.split(flipped), sources=[0]))
    largest_first = nx.dfs_preorder_nodes(
        CROSSING, 0, sort_neighbors=functools.partial(sorted, reverse=True)
    )
    assert order(found["discovery"]) == list(largest_first)


def _turned_round(graph):
    receivers = np.asarray(graph.tuple.receivers)
    return np.bincount(receivers)[receivers] - 1 - graph.edge_ports


# Times and steps.


@pytest.mark.parametrize("graph", [nx.star_graph(13), nx.lollipop_graph(6, 3), nx.path_graph(4)])
def test_it_halts_at_the_stated_step_and_had_the_times_before(graph):
    parts, source = graphs.split(graphs.from_networkx(graph)), len(graph) - 1
    instance = dfs_split.instance(parts, sources=[source])
    layout = instance.program.layout
    hops = nx.eccentricity(parts.graph.to_networkx(), parts.graph.names[source])
    assert instance.num_steps == dfs_split.num_steps(len(graph), parts.depth, hops)
    for steps, all_halted in ((instance.num_steps, True), (instance.num_steps - 1, False)):
        assert layout.unpack(states_after(instance, steps))[dfs_split.HALT].all() == all_halted
    early = instance.num_steps - dfs_split.STEPS_PER_HOP * hops
    assert_right(instance, early)
    with pytest.raises(AssertionError):
        assert_right(instance, early - 1)


def test_a_tick_that_is_a_hop_too_short_is_too_short():
    # From a leaf of the deepest tree to one of another: every hop of the tick is needed.
    graph = nx.Graph([(0, leaf) for leaf in range(2, 8)] + [(1, leaf) for leaf in range(8, 14)])
    graph.add_edge(0, 1)
    instance = dfs_split.instance(graphs.split(graphs.from_networkx(graph)), sources=[0])
    assert_right(instance)
    layout = instance.program.layout
    fields = dict(layout.unpack(instance.initial))
    later = fields | {"start": fields["start"] + 1, "counter": fields["counter"] + 1}
    short = dataclasses.replace(instance, initial=layout.pack(len(instance.initial), later))
    with pytest.raises(AssertionError):
        assert_right(short)


def test_a_graph_that_needs_no_split_takes_as_many_steps_as_dfs():
    graph = graphs.load("grid:3x4")
    plain, split = dfs.instance(graph, sources=[5]), graphs.split(graph, 4)
    instance = dfs_split.instance(split, sources=[5])
    assert (split.depth, instance.num_steps) == (0, plain.num_steps)
    assert_right(instance)


# Many at once.


def test_components_without_a_source_have_no_answer_and_a_forest_has_one_clock():
    graph = nx.disjoint_union_all([nx.star_graph(5), CROSSING, nx.path_graph(2), nx.empty_graph(1)])
    parts = graphs.split(graphs.from_networkx(graph))
    found = assert_right(dfs_split.instance(parts, sources=[2, 13]))
    assert (found["discovery"] == -1).sum() == len(CROSSING) + 1
    batch = graphs.batch([graphs.from_networkx(g) for g in (graph, CROSSING)])
    forest = assert_right(dfs_split.forest_instance(graphs.split(batch)))
    times = np.concatenate([forest["discovery"], forest["finish"]])
    assert sorted(times.tolist()) == sorted(
        [*range(1, 2 * len(graph) + 1), *range(1, 2 * len(CROSSING) + 1)]
    )


# Refusals.


def test_what_does_not_fit_is_refused():
    parts = graphs.split(graphs.load("star:20"))
    least = dict(dfs_split.instance(parts, sources=[0]).sizes)
    assert least["depth_bits"] == 2
    with pytest.raises(ProgramError, match="needs depth_bits of at least 2, the program has 1"):
        dfs_split.instance(parts, sources=[0], sizes=least | {"depth_bits": 1})
    with pytest.raises(GraphError, match="are connected"):
        dfs_split.instance(parts, sources=[0, 1])
    directed = graphs.split(graphs.from_networkx(nx.DiGraph([(0, 1), (1, 2)])))
    for refused in (dfs_split.forest_instance, functools.partial(dfs_split.instance, sources=[0])):
        with pytest.raises(GraphError, match="is directed"):
            refused(directed)


# The program.


def test_the_certificate_speaks_of_all_states():
    program = dfs_split.program(degree=3, slots=10, word=6, depth_bits=5)
    certificate = pipeline.certify(program, num_decisions=10**9)
    assert certificate.certified
    assert certificate.bound.basis.startswith("all states")
    assert certificate.smallest_margin >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["kernel-packed", "kernel"])
def test_networks_search_the_karate_club(engine):
    parts = graphs.split(graphs.load("karate"))
    testing.assert_exact(dfs_split.instance(parts, sources=[0]), engine=engine)
