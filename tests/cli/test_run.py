"""`ntkexec run`: engines, inputs and graphs as they are asked for, the answer and its verdict."""

import importlib.util
import os

import pytest
from support.commands import KERNEL, KEYS, one_object, refused

from ntkexec import pipeline
from ntkexec.programs.reference import flooding as reference


@pytest.mark.parametrize("engine", ["ensemble", "kernel", "oracle", "boolean"])
def test_every_engine_executes_exactly_and_prints_one_object(command, engine):
    if engine == "oracle" and importlib.util.find_spec("neural_tangents") is None:
        pytest.skip("needs the extra 'oracle'")
    status, out, err = command(
        *("run", "flooding", "path:5", "--message", "10", "--engine", engine, "--json")
    )
    assert status == 0
    assert err == ""
    data = one_object(out)
    for key, parts in KEYS.items():
        assert key in data
        if parts and data[key] is not None:
            assert set(parts) <= set(data[key]), key
    assert (data["algorithm"], data["engine"]) == ("flooding", engine)
    assert (data["ensemble"] is not None) == (engine == "ensemble")
    assert data["graph"]["nodes"] == 5
    assert data["graph"]["edges"] == 4
    assert data["graph"]["max_degree"] == 2
    assert data["graph"]["components"] == 1
    assert data["program"]["word_bits"] == 2
    assert data["certificate"]["certified"] is True
    assert data["certificate"]["delta"] == 0.001
    assert data["exact"] is True
    assert data["mismatched_nodes"] == data["mismatched_bits"] == 0
    assert data["steps"] == 8  # two a round, four rounds from one end to the other
    assert data["answer"] == {
        str(v): {"informed": True, "message": "10", "arrival": v} for v in range(5)
    }
    assert 0 < data["smallest_margin"] <= 1
    if engine == "ensemble":
        assert data["ensemble"]["kind"] == "factored"
        assert data["ensemble"]["members"] == data["certificate"]["ensemble_size"]
        assert 0 < data["ensemble"]["residual"] <= 1e-4
        assert data["ensemble"]["train_seconds"] == data["seconds"]["train"] > 0


def test_an_ensemble_of_the_asked_size_kind_and_seed_is_trained(command):
    status, out, _ = command(
        *("run", "flooding", "path:2", "--message", "1", "--ensemble-kind", "joint"),
        *("--members", "2", "--width", "256", "--seed", "7", "--padding", "3", "--json"),
    )
    data = one_object(out)
    found = {key: data["ensemble"][key] for key in ("kind", "members", "width", "seed")}
    assert found == {"kind": "joint", "members": 2, "width": 256, "seed": 7}
    assert data["program"]["padding"] == 3
    assert data["ensemble"]["components"] == 1
    assert status == (0 if data["exact"] else 1)


def test_the_text_tells_graph_certificate_answer_and_verdict(command):
    status, out, err = command("run", "flooding", "path:5", *KERNEL)
    assert (status, err) == (0, "")
    assert "path:5: 5 nodes, 4 edges, degree 2, 3 colours" in out
    assert "certified at infinite width: smallest margin" in out
    assert "0 wrong bits" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["node", "informed", "message", "arrival"] in rows
    assert ["4", "yes", "1011", "4"] in rows
    assert out.splitlines()[-1] == "EXACT: all 5 nodes equal the reference"


def test_several_sources_are_several_starts(command):
    status, out, _ = command(
        *("run", "flooding", "path:5", "--source", 0, "--source", 4, *KERNEL, "--json")
    )
    data = one_object(out)
    assert status == 0
    assert data["inputs"]["sources"] == [0, 4]
    assert [data["answer"][str(v)]["arrival"] for v in range(5)] == [0, 1, 2, 1, 0]


def test_nodes_that_the_message_does_not_reach_have_no_message(command, tmp_path):
    path = tmp_path / "two.edges"
    path.write_text("a b\nc d\n")
    status, out, _ = command("run", "flooding", path, "--source", "c", *KERNEL, "--json")
    data = one_object(out)
    assert status == 0
    assert data["graph"]["components"] == 2
    assert data["answer"]["a"] == {"informed": False, "message": None, "arrival": None}
    assert data["answer"]["d"] == {"informed": True, "message": "1011", "arrival": 1}
    status, out, _ = command("run", "flooding", path, "--source", "c", *KERNEL)
    assert status == 0
    assert ["a", "no", "-", "-"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("message", ["0", "000"])
def test_a_message_of_zeros_arrives(command, message):
    status, out, _ = command("run", "flooding", "path:3", "--message", message, *KERNEL, "--json")
    assert status == 0
    assert one_object(out)["answer"]["2"] == {"informed": True, "message": message, "arrival": 2}


def test_self_loops_can_be_dropped(command, tmp_path):
    path = tmp_path / "loop.edges"
    path.write_text("0 0\n0 1\n")
    status, out, _ = command("run", "flooding", path, "--self-loops", "drop", *KERNEL, "--json")
    assert status == 0
    assert one_object(out)["graph"]["edges"] == 1


BELLMAN_FORD = ("run", "bellman-ford", "--engine", "kernel", "--json")


def test_edges_have_directions_if_they_are_asked_for(command, tmp_path):
    path = tmp_path / "web.txt"
    path.write_text("# Directed graph: web\n1\t2\n3\t2\n")
    status, out, err = command("run", "bfs", path, "--source", "1", *KERNEL, "--json")
    assert (status, one_object(out)["answer"]["3"]["distance"]) == (0, 2)
    assert "says 'Directed graph: web', but is read as undirected; --directed" in err
    for flag, distance in (("--directed", None), ("--undirected", 2)):
        status, out, err = command("run", "bfs", path, "--source", "1", flag, *KERNEL, "--json")
        assert (status, err) == (0, "")
        assert one_object(out)["answer"]["3"]["distance"] == distance
    status, _, err = command("run", "flooding", "karate", "--directed")
    assert (status, err.count("\n")) == (2, 1)


def test_weights_are_used_if_they_are_asked_for_and_else_a_word_is_said(command, tmp_path):
    path = tmp_path / "roads.csv"
    path.write_text('"A town",B,1.5\nB,C,2\n')
    status, out, err = command(*BELLMAN_FORD, path)
    assert (status, one_object(out)["answer"]["C"]["distance"]) == (0, 2)
    assert "every edge of roads.csv counts 1; its values of 'weight' are used" in err
    status, _, err = command(*BELLMAN_FORD, path, "--weights", "weight")
    assert status == 2
    assert "has 1.5 as its 'weight'" in err
    assert "--weight-scale 10" in err
    status, out, err = command(*BELLMAN_FORD, path, "--weights", "weight", "--weight-scale", "10")
    assert (status, err, one_object(out)["answer"]["C"]["distance"]) == (0, "", 35)
    status, _, err = command(*BELLMAN_FORD, path, "--weight-scale", "10")
    assert (status, err.count("\n")) == (2, 1)


def test_a_negative_loop_that_is_dropped_is_still_a_negative_cycle(command, tmp_path):
    path = tmp_path / "loop.csv"
    path.write_text("0,1,1\n1,1,-3\n")
    options = ("--directed", "--weights", "weight", "--self-loops", "drop")
    status, out, _ = command(*BELLMAN_FORD, path, *options)
    assert status == 0
    assert one_object(out)["answer"]["1"]["negative_cycle"] is True


@pytest.mark.parametrize(
    "algorithm", ["bipartite", "greedy-colouring", "independent-set", "life", "rule-110"]
)
def test_a_loop_on_which_the_answer_depends_is_not_dropped(command, tmp_path, algorithm):
    path = tmp_path / "loop.csv"
    path.write_text("0,1\n1,1\n")
    status, _, err = command("run", algorithm, path, "--self-loops", "drop")
    assert status == 2
    assert "node 1 has an edge to itself" in err


def test_a_pipe_is_no_graph(command, tmp_path):
    os.mkfifo(tmp_path / "g.txt")
    status, _, err = command("run", "bfs", tmp_path / "g.txt")
    assert (status, err.count("\n")) == (2, 1)
    assert "is not a regular file" in err


def test_without_verification_the_answer_is_still_judged(command):
    status, out, _ = command("run", "flooding", "path:3", *KERNEL, "--no-verify", "--json")
    data = one_object(out)
    assert (status, data["exact"]) == (0, True)
    assert data["mismatched_bits"] is None
    assert data["smallest_margin"] is None


def test_until_the_fixed_point_takes_no_more_steps(command):
    status, out, _ = command(
        *("run", "flooding", "path:3", "--until", "fixed-point", *KERNEL, "--json")
    )
    assert status == 0
    assert one_object(out)["steps"] <= 4


def test_every_algorithm_runs_until_it_suits_it(command):
    steps = {}
    # LOCAL algorithms and arithmetic always take all their steps, and have tests of their own.
    for algorithm in ("flooding", "bfs", "bfs-queue", "dfs", "dfs-forest", "bellman-ford"):
        status, out, _ = command("run", algorithm, "grid:3x3", *KERNEL, "--json")
        assert status == 0, algorithm
        steps[algorithm] = one_object(out)["steps"]
    status, out, _ = command(
        "run", "bellman-ford", "grid:3x3", "--until", "steps", *KERNEL, "--json"
    )
    assert status == 0
    assert steps["bellman-ford"] < one_object(out)["steps"]
    # The search with a queue stops of itself, long before the steps that are always enough.
    instance = pipeline.prepare("bfs-queue", "grid:3x3")
    assert steps["bfs-queue"] < instance.num_steps


def test_ties_choose_the_algorithm(command):
    for algorithm in ("bfs", "bfs-queue"):
        for ties, expected in (("clrs", "bfs"), ("fifo", "bfs-queue")):
            _, out, _ = command("run", algorithm, "path:3", "--ties", ties, *KERNEL, "--json")
            assert one_object(out)["algorithm"] == expected
    assert command("run", "dfs", "path:3", "--ties", "clrs", *KERNEL)[0] == 0


def test_a_wrong_answer_gives_status_one(command, monkeypatch):
    right = reference.expected

    def wrong(graph, sources, message):
        answer = right(graph, sources, message)
        answer[3]["arrival"] += 1
        return answer

    monkeypatch.setattr(reference, "expected", wrong)
    status, out, err = command("run", "flooding", "path:5", *KERNEL, "--json")
    data = one_object(out)
    assert (status, err) == (1, "")
    assert data["exact"] is False
    assert data["mismatched_nodes"] == 1
    assert data["mismatched_bits"] == 0
    status, out, _ = command("run", "flooding", "path:5", *KERNEL)
    assert status == 1
    assert out.splitlines()[-1] == (
        "NOT EXACT: 1 of 5 nodes differ from the reference, first node 3; every step was the "
        "program's: it is the program, its states, or the reference"
    )


def test_steps_of_a_packed_engine_are_compared_with_the_engine_or_the_program(command):
    run = ("run", "bfs", "path:4", "--engine", "kernel-packed", "--json")
    status, out, _ = command(*run, "--verify-with", "program")
    alone = one_object(out)
    assert (status, alone["compared_with"], alone["mismatched_bits"]) == (0, "program", 0)
    assert alone["smallest_margin"] is None
    for words in ((), ("--verify",), ("--verify", "--verify-with", "engine")):
        found = one_object(command(*run, *words)[1])
        assert found["compared_with"] == "plain engine and program"
        assert found["smallest_margin"] > 0
        assert found["answer"] == alone["answer"]
    found = one_object(command(*run, "--no-verify")[1])
    assert (found["compared_with"], found["mismatched_bits"]) == (None, None)


def test_a_plain_engine_is_compared_with_the_program_either_way(command):
    for words in ((), ("--verify-with", "program"), ("--verify-with", "engine")):
        found = one_object(command("run", "bfs", "path:3", *KERNEL, *words, "--json")[1])
        assert found["compared_with"] == "program"
        assert found["smallest_margin"] > 0


def test_a_comparison_that_cannot_be_is_refused(command, tmp_path):
    run, page = ("run", "bfs", "path:3", "--engine", "kernel-packed"), tmp_path / "page.html"
    with_program = ("--verify-with", "program")
    for words in (("--html", page), ("--plot", tmp_path / "margins.png")):
        assert "--verify-with engine does" in refused(command(*run, *words, *with_program))
    said = refused(command(*run, "--no-verify", *with_program))
    assert "--no-verify compares no step" in said
    assert not list(tmp_path.iterdir())
    said = refused(command("run", "bfs-queue", "path:3", *run[3:], *with_program))
    assert "ends at halt" in said
    assert "--until steps" in said
    status, out, _ = command("run", "bellman-ford", "path:3", *run[3:], *with_program, "--json")
    assert (status, one_object(out)["compared_with"]) == (0, "program")
