"""A batch is the disjoint union of its graphs, and each stays itself within it."""

from collections import OrderedDict

import jaxtyping
import networkx as nx
import numpy as np
import pytest

from ntkexec.errors import GraphError
from ntkexec.graphs import batch, batch_from_networkx, from_networkx, load
from ntkexec.graphs.colouring.greedy import check_colours

# The test hook for array types refuses a wrong argument before we do.
WRONG_TYPE = (GraphError, jaxtyping.TypeCheckError)
PARTS = ["path:4", "star:6", "path:1", "cycle:5"]


def networkx_of(graph):
    """The arrays as a networkx graph on 0..n-1, by a route of its own."""
    union = nx.DiGraph()
    union.add_nodes_from(range(graph.num_nodes))
    edges = graph.tuple.edges
    weights = np.ones(len(graph.tuple.senders), int) if edges is None else edges
    union.add_weighted_edges_from(zip(graph.tuple.senders, graph.tuple.receivers, weights))
    return union


@pytest.mark.parametrize("options", ["", ",directed=1", ",weights=-5..5"])
def test_a_batch_is_the_disjoint_union(options):
    weight = "weight" if "weights" in options else None
    parts = [load(part + options, weight=weight) for part in PARTS]
    union = batch(parts)
    assert nx.utils.graphs_equal(
        networkx_of(union), nx.disjoint_union_all([networkx_of(part) for part in parts])
    )
    assert union.num_graphs == len(parts)
    assert union.num_nodes == sum(part.num_nodes for part in parts)
    assert union.num_edges == sum(part.num_edges for part in parts)
    assert union.num_components == sum(part.num_components for part in parts)
    assert union.degree == 5
    assert union.num_colours == 6
    assert union.directed == parts[0].directed
    assert (np.diff(union.tuple.receivers) >= 0).all()
    assert union.tuple.senders.dtype == union.tuple.receivers.dtype == np.int32
    for part, where in zip(parts, union.node_ranges(), strict=True):
        assert union.names[where] == part.names
        assert (union.colours[where] == part.colours).all()


def test_batches_nest():
    first, second, third = (load(part) for part in PARTS[:3])
    nested, flat = batch([batch([first, second]), third]), batch([first, second, third])
    assert nx.utils.graphs_equal(networkx_of(nested), networkx_of(flat))
    assert nested.node_ranges() == flat.node_ranges() == [slice(0, 4), slice(4, 10), slice(10, 11)]


def test_a_batch_of_one_is_still_a_single_graph():
    assert batch([load("path:3")]).index(2) == 2


def test_labels_and_representations_stay_short():
    union = batch([load("path:3")] * 5)
    assert union.label == "path:3 + path:3 + path:3 + 2 more"
    assert repr(load("path:3")) == "<Graph path:3: 3 nodes, 2 edges, degree 2, 3 colours>"
    assert "5 graphs" in repr(union)


def test_what_needs_one_graph_refuses_a_batch():
    union = batch([load("path:3"), load("path:2")])
    for method in (lambda: union.index(0), union.to_networkx):
        with pytest.raises(GraphError, match=r"needs a single graph; .* is a batch of 2"):
            method()


def test_graphs_that_disagree_are_refused_by_label():
    weighted = from_networkx(nx.Graph([(0, 1, {"w": 2})]), weight="w", label="heavy")
    plain, directed = load("path:2"), load("path:2,directed=1")
    with pytest.raises(GraphError, match="weighted as a whole or not at all: 'heavy' is and 'path"):
        batch([plain, weighted])
    with pytest.raises(
        GraphError, match=r"directed as a whole or not at all: .*directed=1' is and"
    ):
        batch([plain, directed])
    with pytest.raises(GraphError, match="at least one graph; got none"):
        batch([])
    with pytest.raises(WRONG_TYPE, match=r"takes ntkexec graphs .* not Graph|Type-check error"):
        batch([nx.path_graph(2)])


def named(kind):
    """Graphs whose nodes are called 0 to n - 1, inserted in any order, or something else."""
    rng = np.random.default_rng(0)
    for index in range(70):
        part = nx.gnm_random_graph(int(rng.integers(1, 9)), 8, seed=index)
        order = rng.permutation(len(part)).tolist()
        if kind in ("in order", "wide"):
            order = range(len(part))
        shuffled = nx.Graph()
        shuffled.add_nodes_from(order)
        shuffled.add_edges_from(part.edges)
        if kind == "long" and index == 3:
            shuffled = nx.star_graph(300)
        if kind == "wide" and index == 3:
            shuffled = nx.cycle_graph(300)
        if kind == "shifted" and index == 3:
            shuffled = nx.relabel_nodes(shuffled, {0: len(part)})
        if kind == "mixed" and index == 3:
            shuffled.add_edge(0, "a")
        if kind == "truth" and index == 3:
            shuffled = nx.Graph([(False, 1), (1.0, 2)])
        yield shuffled


@pytest.mark.parametrize(
    "kind", ["integers", "in order", "wide", "long", "shifted", "mixed", "truth"]
)
def test_a_batch_read_at_once_is_the_batch_of_each(kind):
    parts = list(named(kind))
    at_once, each = batch_from_networkx(parts), batch([from_networkx(part) for part in parts])
    for name in ("senders", "receivers", "n_node", "n_edge"):
        one, other = getattr(at_once.tuple, name), getattr(each.tuple, name)
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert at_once.names == each.names
    assert (at_once.degree, at_once.directed) == (each.degree, each.directed)
    check_colours(
        at_once.num_nodes, at_once.tuple.senders, at_once.tuple.receivers, at_once.colours
    )
    assert at_once.num_colours == at_once.colours.max() + 1 <= at_once.degree**2 + 1


def test_a_loop_in_a_batch_is_named():
    parts = [nx.path_graph(3), nx.Graph([(0, 1), (1, 1)])]
    with pytest.raises(GraphError, match="node 1 of graph 'batch' has an edge to itself"):
        batch_from_networkx(parts)


class _Own(nx.Graph):
    """A graph of somebody's own class, and another kind of dictionary."""

    adjlist_inner_dict_factory = OrderedDict


def _views():
    """Graphs whose neighbours are not in dictionaries of networkx's own, or not in order."""
    wheel = nx.wheel_graph(6)
    turned = nx.Graph()
    turned.add_nodes_from([3, 0, 2, 1])
    turned.add_edges_from([(3, 0), (2, 1), (0, 2), (3, 1)])
    return {
        "own class": _Own(wheel),
        "frozen": nx.freeze(wheel.copy()),
        "subgraph": wheel.subgraph([0, 1, 2, 3]),
        "without edges": nx.subgraph_view(wheel, filter_edge=lambda *_: False),
        "other order": turned,
        "hub": nx.star_graph(40),
        "undirected view": nx.DiGraph([(0, 1), (2, 1)]).to_undirected(as_view=True),
        "one": nx.empty_graph(1),
    }


@pytest.mark.parametrize("kind", list(_views()))
def test_any_kind_of_networkx_graph_is_read_as_it_is_alone(kind):
    parts = [nx.path_graph(3), _views()[kind], nx.cycle_graph(5)]
    at_once, each = batch_from_networkx(parts), batch([from_networkx(part) for part in parts])
    assert at_once.names == each.names
    assert [type(name) for name in at_once.names] == [type(name) for name in each.names]
    for field in ("senders", "receivers", "n_node", "n_edge"):
        ours, theirs = getattr(at_once.tuple, field), getattr(each.tuple, field)
        assert np.array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert at_once.degree == each.degree
    check_colours(
        at_once.num_nodes, at_once.tuple.senders, at_once.tuple.receivers, at_once.colours
    )


def test_names_that_only_equal_numbers_stay_what_they_are():
    parts = [nx.path_graph(2), nx.relabel_nodes(nx.path_graph(2), {0: np.int64(0), 1: True})]
    names = batch_from_networkx(parts).names
    assert [type(name) for name in names[2:]] == [np.int64, bool]


def test_colours_do_not_depend_on_the_order_in_which_nodes_and_edges_were_put_in():
    parts = list(named("integers"))
    sorted_parts = []
    for part in parts:
        again = nx.Graph()
        again.add_nodes_from(sorted(part))
        again.add_edges_from(reversed(list(part.edges)))
        sorted_parts.append(again)
    one, other = batch_from_networkx(parts), batch_from_networkx(sorted_parts)
    np.testing.assert_array_equal(one.colours, other.colours)
    np.testing.assert_array_equal(one.tuple.senders, other.tuple.senders)
