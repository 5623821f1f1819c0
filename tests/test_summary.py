"""What a terminal shows of a run: the words of strangers on one line, without control characters."""

import networkx as nx
import pytest

import ntkexec
from ntkexec import graphs, pipeline
from ntkexec.cli import text
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


def test_a_bound_that_somebody_gives_makes_what_is_said_conditional_or_void():
    asked = {"source": 0, "message": "1", "width": 512, "members": 1}
    unknown = ntkexec.run("flooding", "path:n=3", bound=1, verify=False, **asked)
    assert "given: m <= 1, not checked" in str(unknown)
    assert str(unknown).count("if the bound given is right: ") == 2
    exceeded = ntkexec.run("flooding", "path:n=3", bound=1, **asked)
    assert "given: m <= 1, which this run exceeded" in str(exceeded)
    assert "covered at width" not in str(exceeded)
    assert "with a probability of at most" not in str(exceeded)
    assert not exceeded.to_data()["finite_width"]["holds"]
    kept = ntkexec.run("flooding", "path:n=3", bound=99, **asked)
    assert "given: m <= 99, as it was in this run" in str(kept)
    assert "  covered at width" in str(kept)
    assert kept.to_data()["finite_width"]["holds"]


@pytest.mark.parametrize("delta", [1e-3, 1e-9, 1e-300])
def test_a_probability_of_success_is_never_rounded_to_a_certainty(delta):
    assert (
        text.probability(delta) == {1e-3: "0.999", 1e-9: "1 - 1e-09", 1e-300: "1 - 1e-300"}[delta]
    )


def test_an_alarm_of_training_is_told_and_is_data():
    graph = nx.complete_bipartite_graph(2, 20)
    loud = ntkexec.run("flooding", graph, message="1", descent="heavy-ball", width=4096)
    assert "ALARM" in str(loud)
    assert "overshot" in loud.to_data()["ensemble"]["alarm"]
    calm = ntkexec.run("flooding", graph, message="1")
    assert "ALARM" not in str(calm)
    assert calm.to_data()["ensemble"]["alarm"] is None


def test_a_linear_read_out_needs_no_certificate_of_networks():
    asked = {"message": "1", "kind": "joint", "threshold": "zero", "padding": 0, "bound": "states"}
    found = ntkexec.run("flooding", "path:4", engine="linear", **asked)
    assert found.exact
    assert found.execution.verification.wrong_bits == 0
    assert "a linear read-out is exact for any program (networks: not certified" in str(found)
    with pytest.raises(NtkexecError, match="not certified"):
        ntkexec.run("flooding", "path:4", engine="kernel", **asked)
