"""`--split-degree`: what is said of a split run, what decides, and what is refused."""

import pytest
from support.commands import KERNEL, one_object, refused

from ntkexec.cli import options
from ntkexec.errors import EnsembleError, NtkexecError
from ntkexec.programs import ALGORITHMS, split_choice


def test_a_split_run_says_so_and_answers_for_the_graph_that_was_asked_about(command):
    status, out, err = command("run", "bfs", "star:9", "--split-degree", "3", *KERNEL)
    assert (status, err) == (0, "")
    assert "star:9: 9 nodes, 8 edges, degree 8" in out
    assert "into 14 nodes of at most 3 neighbours, in trees of depth 2, 5 times the steps" in out
    assert "--split-degree none forbids it" in out
    assert out.splitlines()[-1] == "EXACT: all 9 nodes equal the reference"
    status, out, _ = command("run", "bfs", "star:9", "--split-degree", "none", *KERNEL)
    assert status == 0
    assert "split" not in out


def test_the_object_has_the_sizes_of_the_trees(command):
    _, out, _ = command("run", "bfs", "star:9", "--split-degree", "4", *KERNEL, "--json")
    data = one_object(out)
    assert data["split"] == {
        "degree": 4,
        "nodes": 11,
        "depth": 1,
        "steps_factor": 3,
        "rounds_factor": 3,
    }
    assert data["graph"]["nodes"] == len(data["answer"]) == 9
    _, out, _ = command("run", "bfs", "path:3", *KERNEL, "--json")
    assert one_object(out)["split"] is None


@pytest.mark.parametrize(
    ("algorithm", "says"),
    [
        ("bipartite", "5 hops for each round"),
        ("bellman-ford", "5 rounds at most for each round"),
    ],
)
def test_what_a_round_takes_is_said_where_steps_are_of_another_kind(command, algorithm, says):
    run = ("run", algorithm, "star:9", "--split-degree", "3", *KERNEL)
    assert f"in trees of depth 2, {says} (" in command(*run)[1]
    told = one_object(command(*run, "--json")[1])["split"]
    assert (told["steps_factor"], told["rounds_factor"]) == (None, 5)


def test_where_nothing_is_split_bellman_ford_has_the_weights_of_trees_alone(command):
    out = command("run", "bellman-ford", "path:3", "--split-degree", "3", *KERNEL)[1]
    assert "no node has more than 3 neighbours, but weights are those for trees (--split" in out


def test_a_hub_is_split_by_default_and_a_small_graph_is_not(command):
    status, out, _ = command("run", "bfs", "star:300", "--engine", "kernel", "--json")
    data = one_object(out)
    assert status == 0
    assert data["exact"]
    assert data["split"]["degree"] == 3
    _, out, _ = command("run", "bfs", "karate", "--engine", "kernel", "--json")
    assert one_object(out)["split"] is None


@pytest.mark.parametrize("text", ["2", "0", "-3", "3.0", "", "all", "9" * 30, "\x1b[31m"])
def test_other_words_are_refused_with_those_that_would_do(text):
    with pytest.raises(NtkexecError, match=r"auto, none, or a number of neighbours from 3 on"):
        options.parse_split_degree(text)


def test_words_that_do():
    parsed = [options.parse_split_degree(text) for text in ("auto", "none", "3", "17")]
    assert parsed == ["auto", None, 3, 17]


def test_what_has_no_trees_is_refused(command):
    for arguments in (
        ("run", "bfs-queue", "star:9"),
        ("run", "add", "3", "4"),
        ("train", "bfs-queue", "star:9", "--out", "unused"),
    ):
        status, out, err = command(*arguments, "--split-degree", "3")
        assert (status, out) == (2, "")
        assert "does not run on split graphs" in err
        assert "docs/any-graph.md" in err
    status, _, err = command(
        *("train", "bfs", "--degree", "3", "--word", "2", "--out", "unused", "--split-degree", "3")
    )
    assert status == 2
    assert "--degree goes without it" in err


def test_the_counter_of_depths_is_as_long_as_is_asked(command):
    argv = ("--degree", 3, "--word", 2, "--json")
    for given, bits in (((), 5), (("--depth-bits", 3), 3)):
        status, out, _ = command("show", "bfs-split", *argv, *given)
        assert status == 0
        assert one_object(out)["parameters"]["depth_bits"] == bits
    status, out, _ = command("certify", "flooding-split", *argv, "--depth-bits", 2)
    assert status == 0
    assert one_object(out)["parameters"]["depth_bits"] == 2
    for argv in (
        ("show", "bfs", "--degree", 3, "--word", 2),
        ("certify", "bfs", "--degree", 3, "--word", 2),
        ("prove", "bfs", "--degree", 3, "--word", 2),
        ("train", "bfs", "path:3", "--out", "unused"),
    ):
        status, out, err = command(*argv, "--depth-bits", 2)
        assert (status, out) == (2, "")
        assert "bfs has no depth bits; leave --depth-bits out" in err


@pytest.mark.slow
def test_networks_of_split_graphs_run_on_any_graph(command, tmp_path):
    folder = tmp_path / "any"
    status, out, _ = command(
        *("train", "flooding", "star:9", "--split-degree", "3", "--out", folder, "--json")
    )
    assert status == 0
    assert one_object(out)["algorithm"] == "flooding-split"
    for graph in ("star:9", "path:2"):
        status, out, err = command("run", "flooding", graph, "--ensemble", folder, "--json")
        assert status == 0, err
        assert one_object(out)["split"]["degree"] == 3
    status, out, _ = command(
        "certify", "flooding", "--ensemble", folder, "--graph", "star:9", "--json"
    )
    assert status == 0
    assert one_object(out)["exact"] is True
    asked = ("--ensemble", folder, "--split-degree", "none")
    said = refused(command("run", "flooding", "star:9", *asked))
    assert "learned flooding on split graphs" in said
    assert "leave it out" in said
    status, _, err = command("run", "bfs", "star:9", "--ensemble", folder)
    assert status == 2
    assert "learned flooding-split, not bfs" in err


@pytest.mark.parametrize(("asked", "sizes"), [(None, {"depth_bits": 2}), (3, {"degree": 5})])
def test_networks_run_the_program_that_they_learned(asked, sizes):
    refuse = split_choice.refuse_unlearned
    with pytest.raises(EnsembleError, match="another program runs"):
        refuse(ALGORITHMS["dfs"], asked, sizes)
    # Bellman-Ford has one for both.
    refuse(ALGORITHMS["bellman-ford"], asked, sizes)
    refuse(ALGORITHMS["dfs"], 3 if asked is None else None, sizes)
