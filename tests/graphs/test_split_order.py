"""A search's plain rule on a split graph: why depth-first search needs a program of its own there."""

import itertools

import networkx as nx
import pytest

from ntkexec.graphs import from_networkx, in_neighbours, split

OF_THE_PAGE = nx.Graph([(0, 4), (0, 5), (1, 2), (1, 4), (2, 4), (2, 5), (3, 4)])
SMALLEST = nx.star_graph(5)


def depth_first(neighbours, source):
    """Nodes in the order of discovery, on to the first neighbour that was not found yet."""
    found, path = [source], [source]
    while path:
        fresh = next((v for v in neighbours(path[-1]) if v not in found), None)
        if fresh is None:
            path.pop()
        else:
            found.append(fresh)
            path.append(fresh)
    return found


def reference(graph, source=0):
    return depth_first(lambda v: sorted(graph[v]), source)


def on_trees(graph, source=0):
    """The same rule on the nodes of the trees, port by port; owners as they are found."""
    trees = split(from_networkx(graph), 3)
    table = in_neighbours(trees.graph, 3)
    order = depth_first(lambda x: [int(y) for y in table[x] if y >= 0], int(trees.roots[source]))
    return list(dict.fromkeys(trees.owner[order].tolist()))


def connected(num_nodes, seeds):
    for seed in seeds:
        graph = nx.gnp_random_graph(num_nodes, 0.6, seed=seed)
        if nx.is_connected(graph):
            yield graph


def test_the_counterexample_of_the_page():
    assert reference(OF_THE_PAGE) == [0, 4, 1, 2, 5, 3]
    assert on_trees(OF_THE_PAGE) == [0, 4, 1, 2, 3, 5]


def test_the_smallest_counterexample_is_entered_by_a_leaf_of_a_tree():
    assert reference(SMALLEST, 3) == [3, 0, 1, 2, 4, 5]
    assert on_trees(SMALLEST, 3) == [3, 0, 4, 1, 2, 5]


def test_without_hubs_the_rule_is_the_rule():
    for graph in (nx.petersen_graph(), nx.path_graph(5), nx.complete_graph(4)):
        assert on_trees(graph) == reference(graph)


def test_it_is_no_rare_case():
    graphs = [g for g in connected(7, range(40)) if max(d for _, d in g.degree) > 3]
    wrong = [g for g in graphs if on_trees(g) != reference(g)]
    assert 0.2 < len(wrong) / len(graphs) < 0.7


@pytest.mark.slow
def test_no_counterexample_has_fewer_nodes():
    # Names matter, so all labelled graphs count, and all sources. A hub has four neighbours.
    pairs = list(itertools.combinations(range(5), 2))
    for size in range(4, len(pairs) + 1):
        for edges in itertools.combinations(pairs, size):
            graph = nx.Graph(edges)
            if len(graph) == 5 and nx.is_connected(graph):
                for source in graph:
                    assert on_trees(graph, source) == reference(graph, source)
