"""Programs for graphs that are split, by their sizes alone: shown, certified, and what is refused."""

import pytest
from support.commands import one_object, refused

from ntkexec import pipeline
from ntkexec.cli.sized import of_sizes
from ntkexec.errors import NtkexecError


@pytest.mark.parametrize("name", ["flooding", "bfs", "dfs", "bellman-ford", "bipartite"])
def test_the_program_of_a_split_degree_is_the_one_that_runs_on_a_split_graph(name):
    word = {} if name == "bipartite" else {"word": 5}
    found = of_sizes(name, 3, **word)
    instance = pipeline.prepare(name, "star:9", split_degree=3, sizes=found.sizes)
    assert instance.split is not None
    assert instance.program == found.program
    assert instance.program.name == found.algorithm.name


def test_greedy_colouring_has_numbers_on_split_graphs_alone():
    found = of_sizes("greedy-colouring", 3, word=3)
    assert found.sizes == {"degree": 3, "slots": 10, "word": 3, "depth_bits": 5}
    with pytest.raises(NtkexecError, match="needs --degree and --word"):
        of_sizes("greedy-colouring", 3)
    with pytest.raises(NtkexecError, match="has no numbers"):
        of_sizes("greedy-colouring", degree=3, word=3)


@pytest.mark.parametrize(
    ("name", "degree", "given", "says"),
    [
        ("bfs", 2, {"word": 3}, "from 3 on"),
        ("bfs", -1, {"word": 3}, "from 3 on"),
        ("bfs", 3, {"word": 3, "degree": 3}, "--degree goes without it"),
        ("bfs-split", 3, {"word": 3}, "bfs-split is for split graphs by itself"),
        ("bfs-queue", 3, {"word": 3}, "has no program for split graphs"),
        ("rule-110", 3, {}, "has no program for split graphs"),
        ("add", 3, {"word": 3}, "computes on one node"),
    ],
)
def test_what_has_no_program_for_split_graphs_is_refused(name, degree, given, says):
    with pytest.raises(NtkexecError, match=says):
        of_sizes(name, degree, **given)


def test_show_and_certify_speak_of_the_program_for_split_graphs(command):
    sizes = ("--split-degree", "3", "--word", "3")
    for words in ("show", "certify"):
        _, out, _ = command(words, "bfs", *sizes, "--json")
        by_name = command(words, "bfs-split", "--degree", "3", "--word", "3", "--json")
        assert one_object(out) == one_object(by_name[1])
        assert one_object(out)["algorithm"] == "bfs-split"
        assert one_object(out)["parameters"]["degree"] == 3
    assert "bfs-split: " in command("show", "bfs", *sizes)[1]


def test_of_other_programs_no_split_degree_is_taken(command, tmp_path):
    for words in (("show", "mine.npz"), ("certify", "mine.npz")):
        assert "is for shipped algorithms" in refused(command(*words, "--split-degree", "3"))
    ensemble = ("--ensemble", tmp_path, "--split-degree", "3")
    assert "an ensemble has its sizes" in refused(command("certify", "bfs", *ensemble))


@pytest.mark.slow
def test_networks_for_all_split_graphs_are_trained_without_one(command, tmp_path):
    folder = tmp_path / "any"
    sizes = ("--split-degree", "3", "--word", "4", "--out", folder)
    status, out, err = command("train", "leader-election", *sizes, "--json")
    assert status == 0, err
    assert one_object(out)["parameters"]["depth_bits"] == 5
    for graph in ("star:9", "path:2"):
        words = ("run", "leader-election", graph, "--ensemble", folder, "--json")
        data = one_object(command(*words)[1])
        assert data["exact"]
        assert data["split"]["degree"] == 3


def test_the_counter_of_depths_can_be_as_long_as_is_asked():
    for name in ("bfs", "triangles"):
        assert of_sizes(name, 3, word=3, depth_bits=2).sizes["depth_bits"] == 2
    with pytest.raises(NtkexecError, match="has no depth bits"):
        of_sizes("bellman-ford", 3, word=3, depth_bits=2)
