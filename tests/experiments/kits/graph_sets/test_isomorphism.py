import dataclasses
import functools
from collections import Counter

import networkx as nx
import numpy as np
import pytest

from experiments.kits.graph_sets import families
from experiments.kits.graph_sets.families import graph_of_networkx, networkx_of_graph
from experiments.kits.graph_sets.isomorphism import (
    colour_classes,
    fwl2_colours,
    same_colours,
    undistinguished_pairs,
    wl_colours,
)
from ntkexec.errors import ExperimentError

ATLAS = [graph_of_networkx(graph) for graph in nx.graph_atlas_g()[1:]]


def fwl2(graphs):
    return fwl2_colours(graphs, generator=np.random.default_rng(0))


def hashed(graph):
    """networkx's hash of the stable colours."""
    made = networkx_of_graph(graph)
    nx.set_node_attributes(made, dict(made.degree), "degree")
    return nx.weisfeiler_lehman_graph_hash(made, node_attr="degree", iterations=7)


def naive_fwl2(graphs):
    """Classes of graphs by dictionaries, round by round."""
    colours = []
    for graph in graphs:
        table, labels = nx.to_numpy_array(networkx_of_graph(graph), dtype=int), graph.node_labels
        nodes = range(graph.num_nodes)
        labels = [0] * graph.num_nodes if labels is None else labels.tolist()
        pairs = {(u, v): (u == v, table[u, v], labels[u], labels[v]) for u in nodes for v in nodes}
        colours.append(pairs)
    for _ in range(6):
        known = {}
        for each in colours:
            size = range(int(len(each) ** 0.5))
            old = dict(each)
            for u, v in old:
                around = sorted((old[u, w], old[w, v]) for w in size)
                each[u, v] = known.setdefault((old[u, v], tuple(around)), len(known))
    names = {}
    keys = [frozenset(Counter(each.values()).items()) for each in colours]
    return [names.setdefault(key, len(names)) for key in keys]


def test_the_atlas_has_22_pairs_that_1_wl_confuses_and_none_that_2_fwl_does():
    connected = [g for g in ATLAS if nx.is_connected(networkx_of_graph(g))]
    hashes = Counter(map(hashed, connected))
    expected = sum(n * (n - 1) // 2 for n in hashes.values())
    assert undistinguished_pairs(colour_classes(wl_colours(connected))) == expected
    assert undistinguished_pairs(colour_classes(fwl2(ATLAS))) == 0


def test_2_fwl_is_what_dictionaries_find_also_with_labels():
    generator = np.random.default_rng(1)
    graphs = [
        *families.rook_and_shrikhande(),
        *families.circular_skip_links(13, (2, 3, 5)),
        *families.cycle_and_halves(4),
    ]
    for graph in families.random_regular(3, 8, 6, generator=generator):
        labels = generator.permutation(np.arange(8) // 4)
        graphs += [graph, dataclasses.replace(graph, node_labels=labels)]
    assert colour_classes(fwl2(graphs)).tolist() == naive_fwl2(graphs)


@pytest.mark.parametrize("colours", [wl_colours, fwl2])
def test_colours_follow_nodes_when_these_are_renumbered(colours):
    generator = np.random.default_rng(2)
    graph = dataclasses.replace(
        ATLAS[900], node_labels=np.arange(7) % 2, edge_labels=np.arange(len(ATLAS[900].edges)) % 3
    )
    order = generator.permutation(7)
    moved = np.sort(order[graph.edges], axis=1)
    labels = np.empty(7, np.int64)
    labels[order] = graph.node_labels
    other = dataclasses.replace(graph, edges=moved, node_labels=labels)
    one, two = colours([graph, other])
    np.testing.assert_array_equal(one, two[order] if one.ndim == 1 else two[np.ix_(order, order)])
    # One edge's label changed is seen.
    changed = dataclasses.replace(other, edge_labels=np.array([2, *graph.edge_labels[1:]]))
    assert same_colours(graph, other, colours=colours)
    assert not same_colours(graph, changed, colours=colours)


def test_known_families_are_confused_as_is_known():
    sets = (
        families.circular_skip_links(),
        families.rook_and_shrikhande(),
        families.triangular_and_chang(),
        families.cycle_and_halves(3),
    )
    for graphs, pairs in zip(sets, (1, 1, 1, 1), strict=True):
        assert len(set(colour_classes(wl_colours(graphs)).tolist())) == pairs
    for graphs, classes in zip(sets, (10, 1, 1, 2), strict=True):
        assert len(set(colour_classes(fwl2(graphs)).tolist())) == classes


def test_the_strongly_regular_graphs_differ_once_a_node_is_marked():
    for graphs in (families.rook_and_shrikhande(), families.triangular_and_chang()):
        marks = np.eye(graphs[0].num_nodes, dtype=np.int64)
        marked = [dataclasses.replace(g, node_labels=mark) for g in graphs for mark in marks]
        classes = np.sort(colour_classes(fwl2(marked)).reshape(len(graphs), -1), axis=1)
        assert len(np.unique(classes, axis=0)) == len(graphs)


def test_strongly_regular_families_have_their_parameters():
    for graphs, (n, degree, joined, apart) in (
        (families.rook_and_shrikhande(), (16, 6, 2, 2)),
        (families.triangular_and_chang(), (28, 12, 6, 4)),
    ):
        for graph in graphs:
            table = nx.to_numpy_array(networkx_of_graph(graph), dtype=int)
            others = 1 - table - np.eye(n, dtype=int)
            wanted = degree * np.eye(n, dtype=int) + joined * table + apart * others
            np.testing.assert_array_equal(table @ table, wanted)


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_pairs_within_a_tolerance_are_counted_as_by_brute_force(tolerance):
    generator = np.random.default_rng(3)
    rows = np.concatenate([generator.random((150, 2)), np.full((7, 2), 0.5)])
    rows[20:40] = rows[:20]
    gaps = np.abs(rows[:, None] - rows[None]).max(-1)
    expected = int((gaps <= tolerance).sum() - len(rows)) // 2
    assert undistinguished_pairs(rows, tolerance=tolerance) == expected
    assert undistinguished_pairs(np.zeros((20_000, 3)), tolerance=tolerance) == 199_990_000


def test_whole_numbers_beyond_floats_are_told_apart():
    rows = np.array([[2**60], [2**60 + 1], [2**60]])
    assert undistinguished_pairs(rows) == 1
    with pytest.raises(ExperimentError, match="whole numbers need 0"):
        undistinguished_pairs(rows, tolerance=0.5)
    with pytest.raises(ExperimentError, match="finite"):
        undistinguished_pairs(np.array([np.nan, 0.0]))


@pytest.mark.parametrize("colours", [wl_colours, fwl2])
def test_no_graphs_have_no_colours(colours):
    assert colours([]) == ()
    assert undistinguished_pairs(colour_classes(colours([]))) == 0


def test_what_is_no_family_is_refused():
    for make, said in (
        (functools.partial(families.circular_skip_links, 8, (4,)), "skip of 4"),
        (functools.partial(families.cycle_and_halves, 2), "cycle of 2"),
        (
            functools.partial(families.random_regular, 3, 5, 1, generator=np.random.default_rng(0)),
            "degree 3",
        ),
    ):
        with pytest.raises(ExperimentError, match=said):
            make()


def test_random_regular_graphs_are_regular_and_differ():
    graphs = families.random_regular(3, 12, 5, generator=np.random.default_rng(4))
    for graph in graphs:
        assert (np.bincount(graph.edges.ravel(), minlength=12) == 3).all()
    assert len({graph.edges.tobytes() for graph in graphs}) == 5
