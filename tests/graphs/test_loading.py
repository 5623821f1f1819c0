"""load: one entrance for files, generators and networkx graphs."""

from pathlib import Path

import jaxtyping
import networkx as nx
import pytest

from ntkexec.errors import GraphError
from ntkexec.graphs import load, parse


def test_a_generator_is_labelled_by_its_spec():
    graph = load("grid:2x3,weights=0..3", weight="weight")
    assert graph.label == "grid:2x3,weights=0..3"
    assert nx.utils.graphs_equal(graph.to_networkx(), parse("grid:2x3,weights=0..3"))


def test_a_file_is_labelled_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "roads.edges").write_text("1 2\n2 3\n")
    monkeypatch.chdir(tmp_path)
    for spec in ("roads.edges", "./roads.edges", Path("roads.edges"), tmp_path / "roads.edges"):
        graph = load(spec)
        assert graph.label == "roads.edges"
        assert list(graph.to_networkx().edges) == [(1, 2), (2, 3)]


def test_a_networkx_graph_is_labelled_by_its_name():
    assert load(nx.karate_club_graph()).label == "Zachary's Karate Club"
    assert load(nx.Graph([(0, 1)])).label == "graph"
    assert load(nx.Graph([(0, 1)]), label="edge").label == "edge"


def test_the_options_of_from_networkx_are_passed_on():
    with pytest.raises(GraphError, match="graph 'star:9' has degree 8, above the bound 4"):
        load("star:9", degree=4)
    loop = nx.Graph([(0, 0), (0, 1)])
    assert load(loop, self_loops="drop").num_edges == 1
    with pytest.raises(GraphError, match="strategy 'best' is unknown"):
        load("star:9", strategy="best")


def test_what_looks_like_a_path_is_a_path(tmp_path):
    for spec in ("missing.gml", "somewhere/missing.txt", str(tmp_path / "missing.mtx.gz")):
        with pytest.raises(GraphError, match=r"there is no file .*missing"):
            load(spec)
    with pytest.raises(GraphError, match="is a directory"):
        load(tmp_path)


def test_a_generator_goes_before_a_file_without_a_known_suffix(tmp_path, monkeypatch):
    (tmp_path / "karate").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("karate").num_nodes == 34


def test_what_is_neither_is_refused_with_both_possibilities():
    with pytest.raises(
        GraphError, match=r"'petersn' is neither a graph file \(.txt, .*\) nor"
    ) as e:
        load("petersn")
    assert "random-regular" in str(e.value)
    assert "did you mean 'petersen'" in str(e.value)
    # The test hook for array types refuses a wrong argument before we do.
    wrong_type = (GraphError, jaxtyping.TypeCheckError)
    with pytest.raises(wrong_type, match=r"cannot load a graph from int|Type-check error"):
        load(34)
