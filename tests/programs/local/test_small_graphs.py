"""Every LOCAL example on every graph of up to four nodes that it accepts, edgeless ones too.

All labelled graphs, since the examples depend on identifiers. By the examples' own functions against
the references, which know nothing of them, and by the closed form of the networks' mean.
"""

import itertools

import networkx as nx
import numpy as np
import pytest
from support.simulated import simulated

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import NtkexecError
from ntkexec.programs.local.examples import FAMILIES, automata, cole_vishkin


def labelled(largest):
    """All undirected graphs of 1 to `largest` nodes, with every numbering of the nodes."""
    for size in range(1, largest + 1):
        pairs = list(itertools.combinations(range(size), 2))
        for chosen in itertools.product((False, True), repeat=len(pairs)):
            graph = nx.empty_graph(size)
            graph.add_edges_from(pair for pair, there in zip(pairs, chosen) if there)
            yield graphs.from_networkx(graph)


SMALL = list(labelled(4))


def accepted(family):
    for graph in SMALL:
        try:
            yield graph, family.prepare(graph)
        except NtkexecError:
            continue


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_functions_and_reference_agree(family):
    assert len(SMALL) == 1 + 2 + 8 + 64
    number = 0
    for graph, instance in accepted(family):
        number += 1
        found, expected = simulated(family, graph, instance), instance.reference()
        assert found.keys() == expected.keys()
        for field in found:
            assert np.array_equal(found[field], expected[field]), (graph.tuple.senders, field)
    # Rows: any of the n - 1 edges between followers, and the ring of three or of four.
    assert number == {"rule-110": 1 + 2 + (4 + 1) + (8 + 1), "cole-vishkin": 56}.get(
        family.name, len(SMALL)
    )


# The others are executed on all graphs up to five nodes in `test_examples`.
@pytest.mark.parametrize(
    "family", [automata.RULE_110, cole_vishkin.FAMILY], ids=lambda family: family.name
)
def test_learned_means_are_exact(family):
    batch = graphs.batch([graph for graph, _ in accepted(family)])
    testing.assert_exact(family.prepare(batch))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_directed_graphs_are_refused(family):
    arc = graphs.from_networkx(nx.DiGraph([(0, 1)]))
    with pytest.raises(NtkexecError, match="directed"):
        family.prepare(arc)


def test_cells_without_edges_are_rows_of_one():
    result = pipeline.run("rule-110", "gnp:n=5,p=0", engine="kernel", sources=[1, 4])
    assert result.exact
    # Alone a cell keeps its state: 110 has the bits 0 1 1 0 1 1 1 0, and 010 gives 1, 000 gives 0.
    assert result.answer["alive"].tolist() == [0, 1, 0, 0, 1]


def test_a_gap_ends_a_row():
    graph = graphs.from_networkx(nx.Graph([(0, 1), (2, 3)]))
    instance = automata.RULE_110.prepare(graph, sources=[2], rounds=3)
    assert instance.reference()["alive"].tolist() == [0, 0, 1, 0]


def test_an_edge_between_the_ends_needs_all_others():
    for edges in ([(0, 2)], [(0, 1), (0, 2)]):
        graph = nx.empty_graph(3)
        graph.add_edges_from(edges)
        with pytest.raises(NtkexecError, match="edge from 0 to 2"):
            automata.RULE_110.prepare(graphs.from_networkx(graph))


def test_the_trees_and_rings_of_four_nodes_are_counted():
    # Forests: 1, 2, 7, 38 (OEIS A001858); rings: one of three nodes, three of four, and four of three
    # beside a node of its own.
    assert sum(1 for _ in accepted(cole_vishkin.FAMILY)) == 1 + 2 + 7 + 38 + 1 + 3 + 4
