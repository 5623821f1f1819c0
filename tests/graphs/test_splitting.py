"""Split graphs: degrees, the order of leaves, sizes, and that contracting the trees gives the graph back."""

import math

import jaxtyping
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.split_graphs import mirrored

from ntkexec import graphs
from ntkexec.errors import GraphError
from ntkexec.graphs import splitting
from ntkexec.graphs.colouring.greedy import check_colours
from ntkexec.graphs.tree_shapes import tree_shape
from ntkexec.program.fields import INVALID

WRONG_TYPE = (GraphError, jaxtyping.TypeCheckError)
NAMED = ("star:12", "karate", "complete:9", "path:5", "path:1", "les-miserables")


def drawn(seed, *, directed=False, weighted=False, shuffled=False):
    """A graph of up to 14 nodes, perhaps with hubs, with isolated nodes, or with ports in no order."""
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(
        int(rng.integers(1, 15)), rng.random(), seed=seed, directed=directed
    )
    for edge in graph.edges:
        graph.edges[edge]["weight"] = int(rng.integers(-3, 9))
    found = graphs.from_networkx(graph, weight="weight" if weighted else None)
    if shuffled:
        receivers = found.tuple.receivers
        order = np.lexsort((rng.random(len(receivers)), receivers))
        ports = np.empty_like(receivers)
        ports[order] = found.edge_ports
        found = graphs.with_ports(found, ports)
    return found


CASES = st.builds(
    drawn,
    st.integers(0, 10**6),
    directed=st.booleans(),
    weighted=st.booleans(),
    shuffled=st.booleans(),
)


def leaves(parts, node, heard):
    """The owners behind a node's outer ports and those of the nodes below it, in the order of a walk."""
    found = []
    for port, other in enumerate(heard[node].tolist()):
        if other < 0 or parts.upper[node, port]:
            continue
        found += (
            [int(parts.owner[other])] if parts.outer[node, port] else leaves(parts, other, heard)
        )
    return found


def arcs(graph):
    """All directed edges with their weights."""
    ends = zip(graph.tuple.senders.tolist(), graph.tuple.receivers.tolist(), strict=True)
    weights = [1] * len(graph.tuple.senders) if graph.tuple.edges is None else graph.tuple.edges
    return dict(zip(ends, map(int, weights), strict=True))


def contracted(parts):
    """The arcs between owners, each of which must be there once."""
    outer = {
        (int(parts.owner[u]), int(parts.owner[v])): weight
        for (u, v), weight in arcs(parts.graph).items()
        if parts.owner[u] != parts.owner[v]
    }
    assert len(outer) == int(parts.outer.sum())
    return outer


def undirected(graph):
    found = nx.Graph(list(arcs(graph)))
    found.add_nodes_from(range(graph.num_nodes))
    return found


def assert_split(graph, parts, degree):
    assert parts.original is graph
    assert parts.graph.degree <= parts.most <= degree
    assert parts.most == degree or parts.depth == 0
    plain, whole = undirected(graph), undirected(parts.graph)
    assert max(dict(whole.degree).values()) == parts.graph.degree <= degree
    check_colours(
        whole.number_of_nodes(),
        *np.array(list(whole.edges), int).reshape(-1, 2).T,
        parts.graph.colours,
    )
    # From each root the neighbours are met in the order of the original's ports.
    heard = graphs.in_neighbours(parts.graph, degree)
    before = graphs.in_neighbours(graph, max(1, graph.degree))
    for node, root in enumerate(parts.roots.tolist()):
        assert leaves(parts, root, heard) == [u for u in before[node].tolist() if u >= 0]
    assert contracted(parts) == arcs(graph)
    # Inner edges weigh nothing, and make a tree of every node: so deep, and so few.
    inner = {e: w for e, w in arcs(parts.graph).items() if parts.owner[e[0]] == parts.owner[e[1]]}
    assert set(inner.values()) <= {0}
    assert {(v, u) for u, v in inner} == set(inner)
    forest = nx.Graph(list(inner))
    forest.add_nodes_from(range(len(parts.owner)))
    depths = []
    for node, root in enumerate(parts.roots.tolist()):
        hops = nx.single_source_shortest_path_length(forest, root)
        assert sorted(hops) == np.flatnonzero(parts.owner == node).tolist()
        d = plain.degree(node)
        assert len(hops) == (1 if d <= degree else math.ceil((d - 2) / (degree - 2)))
        assert forest.subgraph(hops).number_of_edges() == len(hops) - 1
        if degree == 3:
            assert max(hops.values()) == (0 if d <= 3 else math.ceil(math.log2(d / 3)))
        depths.append(max(hops.values()))
        for below, port in zip(*np.nonzero(parts.upper), strict=True):
            if parts.owner[below] == node:
                assert hops[heard[below, port]] == hops[below] - 1
    assert parts.depth == max(depths)
    if degree == 3:
        alone = nx.number_of_isolates(plain)
        assert parts.graph.num_nodes <= 2 * plain.number_of_edges() + alone
        assert parts.graph.num_colours <= 10


@given(CASES, st.integers(3, 6))
def test_a_split_graph_is_the_graph_in_trees_of_a_degree(graph, degree):
    assert_split(graph, graphs.split(graph, degree), degree)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("degree", [3, 4])
def test_named_graphs_are_split(name, degree):
    graph = graphs.load(name)
    assert_split(graph, graphs.split(graph, degree), degree)


def test_leaves_from_right_to_left_are_in_another_order():
    # The control of what is tested above.
    parts = mirrored(graphs.split(graphs.load("complete:9")))
    with pytest.raises(AssertionError):
        assert_split(parts.original, parts, 3)
    heard = graphs.in_neighbours(parts.graph, 3)
    assert sorted(leaves(parts, 0, heard)) == [*range(1, 9)] != leaves(parts, 0, heard)


def test_a_batch_is_split_graph_by_graph():
    ones = [drawn(seed, weighted=True) for seed in (3, 8, 21)]
    together = graphs.batch(ones)
    parts = graphs.split(together)
    assert_split(together, parts, 3)
    starts = together.node_ranges()
    for one, place, old in zip(ones, parts.graph.node_ranges(), starts, strict=True):
        alone = graphs.split(one)
        assert np.array_equal(parts.owner[place] - old.start, alone.owner)
        assert np.array_equal(parts.roots[old] - place.start, alone.roots)
        assert parts.graph.names[place] == alone.graph.names
    assert parts.graph.tuple.n_edge.sum() == len(parts.graph.tuple.senders)
    sizes = [graphs.split(one).graph.tuple.n_edge[0] for one in ones]
    assert parts.graph.tuple.n_edge.tolist() == sizes


def test_nodes_of_trees_are_called_as_their_owners():
    parts = graphs.split(graphs.from_networkx(nx.star_graph([*"habcdef"])))
    assert parts.roots.tolist() == [*range(7)]
    assert parts.graph.names == (*"abcdefh", "h.1", "h.2", "h.3")
    assert parts.owner.tolist() == [*range(7), 6, 6, 6]


@pytest.mark.parametrize("size", [6, 7, 8, 13])
def test_a_loop_of_negative_weight_has_a_place_in_the_tree(size):
    graph = nx.star_graph(size)
    graph.add_edge(0, 0, weight=-2)
    graph.add_edge(1, 1, weight=4)
    nx.set_edge_attributes(graph, {(0, i): 1 for i in range(1, size + 1)}, "weight")
    parts = graphs.split(graphs.from_networkx(graph, weight="weight", self_loops="drop"))
    assert_degree_with_loops(parts)
    loops = parts.graph.loops
    assert sorted(zip(parts.owner[loops.nodes].tolist(), loops.weights.tolist(), strict=True)) == [
        (0, -2),
        (1, 4),
    ]
    assert loops.nodes.tolist() == sorted(loops.nodes.tolist())
    assert loops.nodes[loops.weights == 4].tolist() == [1]


def assert_degree_with_loops(parts):
    taken = (graphs.in_neighbours(parts.graph, 3) >= 0).sum(axis=1)
    taken[parts.graph.loops.negative.nodes] += 1
    assert taken.max() == 3


def test_parents_are_found_down_the_tree():
    parts = graphs.split(graphs.load("star:7"))
    heard = graphs.in_neighbours(parts.graph, 3)
    # Every node of the hub's tree chooses its first port; the leaves choose the hub.
    chosen = np.where(parts.owner == 0, 0, -1)
    assert splitting.project_parents(parts, chosen).tolist() == [1, *[-1] * 6]
    last = np.where(parts.owner == 0, (heard >= 0).sum(axis=1) - 1, 0)
    last[parts.owner == 0] -= parts.upper.any(axis=1)[parts.owner == 0]
    assert splitting.project_parents(parts, last).tolist() == [6, *[0] * 6]
    up = chosen.copy()
    below = heard[0, 0]
    up[below] = parts.upper[below].argmax()
    assert splitting.project_parents(parts, up)[0] == INVALID
    for nonsense in (3, 17, INVALID):
        assert splitting.project_parents(parts, np.full(len(chosen), nonsense))[0] == INVALID


@pytest.mark.parametrize("degree", [2, 0, -1, 3.0, True, "3", None])
def test_a_degree_that_makes_no_trees_is_refused(degree):
    with pytest.raises(WRONG_TYPE):
        graphs.split(graphs.load("path:3"), degree)
    if degree in (2, 0):
        with pytest.raises(
            GraphError, match=f"split degree is {degree}; a whole number of at least 3"
        ):
            graphs.split(graphs.load("path:3"), degree)


@pytest.mark.parametrize("degree", [3, 4, 7])
@pytest.mark.parametrize("size", [1, 3, 4, 5, 9, 50, 2390])
def test_a_shape_has_as_few_nodes_as_there_can_be(degree, size):
    shape = tree_shape(size, degree)
    used = np.bincount(shape.up[1:], minlength=len(shape.up)) + np.bincount(shape.home)
    used[1:] += 1
    assert used.max() <= degree
    assert len(shape.home) == size
    # One node less has too few places.
    fewer = len(shape.up) - 1
    assert fewer == 0 or fewer * (degree - 2) + 2 < size


@pytest.mark.parametrize("degree", [6, 10**9, 10**30, np.int64(7)])
def test_a_degree_that_nobody_exceeds_comes_down_to_who_has_most(degree):
    parts = graphs.split(graphs.load("star:7"), degree)
    assert (parts.most, parts.depth, parts.outer.shape) == (6, 0, (7, 6))
    assert type(parts.most) is int  # or --json could not print it
    assert graphs.split(graphs.load("path:2"), degree).most == splitting.LEAST_DEGREE
