"""Names and identifiers: one order, and a way back from what a person types."""

import math

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkexec.errors import GraphError
from ntkexec.graphs import from_networkx
from ntkexec.graphs.nodes import ordered_nodes


def graph_on(*names):
    graph = nx.Graph()
    graph.add_nodes_from(names)
    return graph


@settings(deadline=None)
@given(st.lists(st.integers(), min_size=1, unique=True))
def test_comparable_names_are_in_ascending_order_however_inserted(names):
    assert ordered_nodes(graph_on(*names)) == sorted(names)


@pytest.mark.parametrize(
    "names",
    [
        ("b", 2, "a"),
        (frozenset("ab"), frozenset("a"), frozenset("c")),
        (3.0, 1.0, math.nan, 2.0),
        ((1, "x"), (1, 0)),
    ],
    ids=["mixed types", "sets", "nan", "mixed tuples"],
)
def test_names_without_a_total_order_keep_the_order_of_insertion(names):
    assert ordered_nodes(graph_on(*names)) == list(names)


def test_strings_are_ordered_as_strings():
    assert ordered_nodes(graph_on("2", "10")) == ["10", "2"]


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50) | st.text(max_size=3), min_size=1, unique=True))
def test_every_name_finds_its_own_identifier(names):
    graph = from_networkx(graph_on(*names))
    assert [graph.index(name) for name in graph.names] == list(range(len(names)))


def test_a_name_is_found_by_its_text_and_is_not_its_identifier():
    graph = from_networkx(nx.path_graph(range(1, 35)))
    assert graph.index("1") == graph.index(1) == 0
    assert graph.index("34") == 33


def test_the_very_name_goes_before_one_that_reads_like_it():
    graph = from_networkx(graph_on(3, "3"))
    assert (graph.index(3), graph.index("3")) == (0, 1)


def test_text_that_fits_two_names_is_refused_with_both():
    graph = from_networkx(graph_on((1, 2), "x", "(1, 2) "))
    assert graph.index("(1, 2)") == 0

    class Same:
        def __str__(self):
            return "same"

    ambiguous = from_networkx(graph_on(Same(), Same()))
    with pytest.raises(GraphError, match=r"'same' .* is ambiguous: 2 nodes fit: .*identifier 1"):
        ambiguous.index("same")


def test_an_unknown_name_is_refused_with_what_would_fit():
    numbered = from_networkx(nx.path_graph(range(1, 35)), label="club")
    with pytest.raises(GraphError, match=r"'club' has no node 0; its 34 nodes lie in 1\.\.34"):
        numbered.index(0)
    named = from_networkx(nx.florentine_families_graph())
    with pytest.raises(GraphError, match="no node 'Medic'; did you mean 'Medici'"):
        named.index("Medic")
    with pytest.raises(GraphError, match="no node 'zzzzz'; its nodes are 'Acciaiuoli', "):
        named.index("zzzzz")
