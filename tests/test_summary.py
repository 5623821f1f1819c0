"""What a terminal shows of a run: the words of strangers on one line, without control characters."""

import networkx as nx
import pytest

import ntkexec
from ntkexec import graphs, pipeline
from ntkexec.errors import NtkexecError

NASTY = "a\x1b[31m\nb\u202e"


def test_names_of_nodes_are_escaped_in_words_and_kept_as_data():
    result = ntkexec.run("bfs", nx.Graph([("root", NASTY)]), source="root", engine="kernel")
    told = str(result)
    assert not {"\x1b", "\u202e"} & set(told)
    assert "a\\x1b[31m\\nb\\u202e" in told
    assert all(character.isprintable() or character == "\n" for character in told)
    assert set(result.by_node()) == {"root", NASTY}


def test_how_a_graph_is_read_can_be_said_where_it_is_run(tmp_path):
    file = tmp_path / "roads.csv"
    file.write_text("a,b,0.5\nb,c,0.25\n")
    asked = {"weights": "weight", "weight_scale": 4, "engine": "kernel", "source": "a"}
    forth = ntkexec.run("bellman-ford", file, directed=True, **asked)
    assert [row["distance"] for row in forth.by_node().values()] == [0, 2, 3]
    assert forth.instance.graph.directed
    assert not pipeline.prepare("bfs", file).graph.directed
    with pytest.raises(NtkexecError, match="this one is loaded already"):
        ntkexec.run("bfs", graphs.load("path:3"), directed=True)
