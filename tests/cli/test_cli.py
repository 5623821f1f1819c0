"""The command line: exit statuses, one JSON object, one line for bad input, a light start."""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ntkexec
from ntkexec import pipeline
from ntkexec.cli import main
from ntkexec.cli.app import ALGORITHM_NAMES, compile_sooner
from ntkexec.ensemble import read_manifest
from ntkexec.errors import NtkexecError
from ntkexec.programs import ALGORITHMS
from ntkexec.programs.reference import flooding as reference
from ntkexec.runtime import compilation

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(ntkexec.__file__).parent.parent)}


@pytest.fixture
def command(capsys):
    """Runs the command line in this process: status, stdout, stderr."""

    def run(*argv):
        capsys.readouterr()
        status = main([str(a) for a in argv])
        return status, *capsys.readouterr()

    return run


def in_subprocess(*argv):
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, env=ENVIRONMENT, timeout=100
    )


def one_object(out):
    """Exactly one JSON object, and nothing else; NaN and Infinity are not JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert out.count("\n") == 1
    found = json.loads(out, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


KEYS = {
    "algorithm": (),
    "graph": ("name", "nodes", "edges", "max_degree", "colours", "components"),
    "program": (
        *("templates", "padding", "state_bits", "message_bits", "word_bits", "max_writers"),
    ),
    "certificate": (
        *("certified", "max_matches", "capacity", "threshold", "smallest_margin"),
        *("ensemble_size", "delta"),
    ),
    "engine": (),
    "ensemble": ("kind", "members", "width", "components", "train_seconds", "residual"),
    "steps": (),
    "exact": (),
    "mismatched_nodes": (),
    "mismatched_bits": (),
    "smallest_margin": (),
    "seconds": ("compile", "train", "run"),
    "answer": (),
}


# Executing.


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


KERNEL = ("--engine", "kernel")


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
            _, out, _ = command("run", algorithm, "petersen", "--ties", ties, *KERNEL, "--json")
            assert one_object(out)["algorithm"] == expected
    assert command("run", "dfs", "petersen", "--ties", "clrs", *KERNEL)[0] == 0


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
        "NOT EXACT: 1 of 5 nodes differ from the reference, first node 3"
    )


# Certifying.

CERTIFY = ("certify", "flooding", "--degree", 2, "--word", 3)


def test_a_factored_program_is_certified(command):
    status, out, err = command(*CERTIFY)
    assert (status, err) == (0, "")
    assert "certified at infinite width: smallest margin" in out
    assert "network(s) per learning problem, for 1,000,000 decisions" in out
    status, out, _ = command(*CERTIFY, "--json")
    data = one_object(out)
    assert status == 0
    assert data["parameters"] == {"degree": 2, "slots": 5, "message_bits": 3, "arrival_bits": 4}
    assert set(KEYS["program"]) <= set(data["program"])
    assert set(KEYS["certificate"]) <= set(data["certificate"])
    assert data["certificate"]["certified"] is True
    assert data["certificate"]["ensemble_size"] >= 1


def test_a_joint_program_without_padding_is_not_and_the_bit_is_named(command):
    shared = ("--ensemble-kind", "joint", "--threshold", "shared")
    status, out, err = command(*CERTIFY, *shared)
    assert (status, err) == (1, "")
    (verdict,) = [line for line in out.splitlines() if "not certified: bit " in line]
    names = pipeline.find_algorithm("flooding").program(
        degree=2, slots=5, message_bits=3, arrival_bits=4
    )
    assert verdict.split("not certified: bit ")[1].split(" has ")[0] in names.layout.bit_names
    padding = int(verdict.split("padding with ")[1].split()[0])
    status, out, _ = command(*CERTIFY, *shared, "--json")
    data = one_object(out)
    assert (status, data["certificate"]["certified"]) == (1, False)
    assert data["certificate"]["ensemble_size"] is None
    # The padding that it names is enough, and one less is not.
    joint = (*CERTIFY, *shared, "--padding")
    assert [command(*joint, p)[0] for p in (padding, padding - 1)] == [0, 1]
    assert command(*joint, "auto")[0] == 0
    # Thresholds for each bit need none, and the other conventions are told beside them.
    status, out, _ = command(*CERTIFY, "--ensemble-kind", "joint", "--json")
    data = one_object(out)["certificate"]
    assert (status, data["convention"]) == (0, "bit")
    assert {name: one["certified"] for name, one in data["conventions"].items()} == {
        "zero": False,
        "shared": False,
        "bit": True,
    }


def test_other_options_change_the_certificate(command):
    plain = one_object(command(*CERTIFY, "--json")[1])
    options = ("--slots", 3, "--arrival-bits", 2, "--bound", 2, "--delta", 0.5, "--decisions", 10)
    other = one_object(command(*CERTIFY, *options, "--json")[1])
    assert other["parameters"] == {"degree": 2, "slots": 3, "message_bits": 3, "arrival_bits": 2}
    assert other["certificate"]["delta"] == 0.5
    assert other["certificate"]["decisions"] == 10
    assert other["certificate"]["max_matches"] == 2 < plain["certificate"]["max_matches"]
    assert other["program"]["templates"] < plain["program"]["templates"]


# Training, and running what was trained.

TRAIN = ("train", "flooding", "--degree", 2, "--word", 2, "--slots", 3, "--arrival-bits", 2)
SMALL = ("--members", 3, "--width", 512)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with an ensemble, and what training printed."""
    folder = tmp_path_factory.mktemp("cli") / "flooding"
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = main([str(a) for a in (*TRAIN, "--out", folder, *SMALL, "--json")])
    assert status == 0
    return folder, out.getvalue()


def test_training_prints_what_it_stored(trained):
    folder, out = trained
    data = one_object(out)
    assert data["folder"] == str(folder)
    assert data["ensemble"]["members"] == 3
    assert data["ensemble"]["width"] == 512
    manifest = read_manifest(folder)
    assert manifest.parameters == data["parameters"]
    assert manifest.parameters["slots"] == 3
    assert manifest.config.members == 3


def test_a_trained_ensemble_runs_on_every_graph_that_fits(command, trained):
    folder, _ = trained
    for graph, nodes in (("path:4", 4), ("cycle:3", 3), ("path:2", 2)):
        status, out, err = command(
            *("run", "flooding", graph, "--message", "01", "--ensemble", folder, "--json")
        )
        data = one_object(out)
        assert (status, err) == (0, "")
        assert data["graph"]["nodes"] == nodes
        assert data["ensemble"]["members"] == 3
        assert data["ensemble"]["train_seconds"] == data["seconds"]["train"] == 0
        assert data["exact"] is True


def test_the_first_members_of_a_trained_ensemble_can_be_used(command, trained):
    run = ("run", "flooding", "path:3", "--message", "01", "--ensemble", trained[0], "--json")
    assert one_object(command(*run, "--members", 2)[1])["ensemble"]["members"] == 2
    assert command(*run, "--members", 4)[0] == 2


def test_training_again_loads_and_the_text_says_where_it_is(command, trained):
    status, out, err = command(*TRAIN, "--out", trained[0], *SMALL)
    assert (status, err) == (0, "")
    assert str(trained[0]) in out
    assert "of width 512" in out


def test_training_on_a_graph_takes_its_sizes(command, tmp_path):
    status, out, _ = command(
        *("train", "flooding", "path:2", "--message", "1", "--degree", 3, "--slots", 2),
        *("--out", tmp_path / "new", "--members", 1, "--width", 64, "--json"),
    )
    sizes = {"degree": 3, "slots": 2, "message_bits": 1, "arrival_bits": 1}
    assert (status, one_object(out)["parameters"]) == (0, sizes)


# Bad input.


def refused(found):
    """Status 2, nothing on stdout and one line on stderr, which is returned."""
    status, out, err = found
    assert status == 2
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert err.startswith("ntkexec: ")
    return err


RUN = ("run", "flooding", "path:5", *KERNEL)


@pytest.mark.parametrize(
    "argv, says",
    [
        (("run", "floding", "path:5"), "did you mean 'flooding'?"),
        (
            ("run", "bellman-ford", "random-bounded:n=6,d=2,weights=1..3", "--weights", "wieght"),
            "did you mean 'weight'?",
        ),
        (("certify", "nothing", "--degree", 2, "--word", 2), "no algorithm 'nothing'"),
        (("train", "nothing", "path:5", "--out", "unused"), "no algorithm 'nothing'"),
        (("show", "bfs", "--degree", 3), "bfs without a graph needs --degree and --word"),
        (("show", "life", "--degree", 3, "--word", 2), "life has no numbers"),
        (("certify", "life", "--slots", 3), "life without a graph needs --degree"),
        (("run", "flooding", "pth:5"), "'pth:5' is neither a graph file"),
        (("run", "flooding", "path:0"), "n is '0'"),
        (("run", "flooding", "nowhere.gml"), "there is no file nowhere.gml"),
        ((*RUN, "--source", 9), "has no node '9'"),
        ((*RUN, "--until", "halt"), "flooding has no halt flag"),
        ((*RUN, "--ties", "fifo"), "flooding breaks ties by identifier (clrs) only"),
        (("run", "dfs-forest", "path:3", "--source", 1), "dfs-forest takes no inputs"),
        ((*RUN, "--message", "12"), "a string of 0s and 1s such as 1011, got '12'"),
        ((*RUN, "--message", ""), "got ''"),
        ((*RUN, "--padding", "some"), "padding is a number of templates or 'auto', not 'some'"),
        ((*RUN, "--padding", "-1"), "padding is a number of templates or 'auto', not '-1'"),
        ((*RUN, "--bound", "most"), "states, graph or a number, not 'most'"),
        ((*RUN, "--delta", "-1"), "delta must lie between 0 and 1, got -1"),
        ((*RUN, "--delta", "2", "--json"), "delta must lie between 0 and 1, got 2"),
        (("run", "flooding", "path:5", "--members", 1, "--delta", 0), "delta must lie between"),
        (("run", "flooding", "path:2", "--members", 0), "members must be at least 1, got 0"),
        (("run", "flooding", "path:2", "--members", -1), "members must be at least 1, got -1"),
        (("run", "flooding", "path:2", "--width", 0), "width must be at least 1, got 0"),
        (("run", "flooding", "path:2", "--seed", -1), "seed must lie between"),
        (("run", "flooding", "path:2", "--members", 1, "--width", 1), "try width"),
        (("run", "flooding", "star:5", "--degree", 2), "has degree 4, above the bound 2"),
        (("run", "flooding", "path:5", "--ensemble", "nowhere"), "there is no folder nowhere"),
        (
            (*RUN, "--ensemble", "nowhere"),
            "goes with the engine 'ensemble' or 'ensemble-memo', not",
        ),
        ((*CERTIFY, "--delta", "-1"), "delta must lie between 0 and 1"),
        ((*CERTIFY, "--ensemble-kind", "joint", "--delta", "-1"), "delta must lie between 0 and 1"),
        ((*CERTIFY, "--decisions", 0), "at least one decision is needed, got 0"),
        ((*CERTIFY, "--bound", "graph"), "needs a graph"),
        (("certify", "flooding", "--degree", -1, "--word", 2), "degree of at least 0, got -1"),
        (("certify", "flooding", "--degree", 1, "--word", 0), "message_bits of at least 1"),
        (("train", "flooding", "--out", "unused"), "needs --degree and --word"),
        (("train", "flooding", "path:3", "--word", 4, "--out", "unused"), "follows from the mess"),
        ((*TRAIN, "--out", "unused", "--members", 0), "members must be at least 1, got 0"),
        ((*TRAIN, "--out", "unused", "--width", 0), "width must be at least 1, got 0"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_bad_input_gives_status_two_and_one_line(command, argv, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused(command(*argv))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("bad.gml", "garbage [", "is not valid .gml content"),
        ("bad.json", "{", "bad.json"),
        ("bad.csv", "a,b,c,d\n", "line 1 of"),
        ("empty.txt", "", "holds no edges"),
        ("loop.edges", "0 0\n0 1\n", "node 0 of graph 'loop.edges' has an edge to itself"),
        ("binary.npy", "\0\1\2", "binary.npy"),
    ],
)
def test_a_malformed_graph_file_gives_status_two_and_one_line(
    command, tmp_path, name, content, says
):
    (tmp_path / name).write_text(content)
    assert says in refused(command("run", "flooding", tmp_path / name))


@pytest.mark.parametrize(
    "argv, says",
    [
        (("star:5", "--message", "01"), "needs degree of at least 4, the program has 2"),
        (("path:9", "--message", "01"), "needs arrival_bits of at least 4, the program has 2"),
        (("path:3", "--message", "011"), "has 3 bits, the program takes 2"),
    ],
)
def test_an_ensemble_for_other_sizes_is_refused(command, trained, argv, says):
    assert says in refused(command("run", "flooding", *argv, "--ensemble", trained[0]))


def test_a_folder_with_another_ensemble_or_other_files_is_refused(command, trained, tmp_path):
    assert "holds another training" in refused(
        command(*TRAIN, "--out", trained[0], "--members", 2, "--width", 512)
    )
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "holds other files (thesis.tex)" in refused(command(*TRAIN, "--out", tmp_path, *SMALL))


def test_a_damaged_ensemble_is_refused(command, trained, tmp_path):
    for path in trained[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "ensemble.json").write_text("{")
    run = ("run", "flooding", "path:3", "--message", "01", "--ensemble", tmp_path)
    assert "ensemble.json is damaged" in refused(command(*run))


@pytest.mark.parametrize(
    "argv, says",
    [
        (("run", "flooding"), "graph"),
        (("run", "flooding", "path:5", "--engine", "guess"), "'guess'"),
        (("run", "flooding", "path:5", "--members", "many"), "--members"),
        (("run", "flooding", "path:5", "--fast"), "--fast"),
        (("certify", "flooding"), "--degree"),
        (("train", "flooding", "path:5"), "--out"),
        (("fly",), "fly"),
    ],
    ids=str,
)
def test_a_wrong_use_of_options_gives_status_two_and_no_traceback(command, argv, says):
    status, out, err = command(*argv)
    assert (status, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


def test_an_interrupt_gives_status_130(command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", interrupted)
    status, out, err = command("run", "flooding", "path:5")
    assert (status, out) == (130, "")
    assert "Traceback" not in err


# Streams.


def test_progress_is_on_stderr_and_the_result_on_stdout(command, monkeypatch, tmp_path):
    # What rich takes for a terminal.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    status, out, err = command(
        *("train", "flooding", "path:2", "--message", "1", "--out", tmp_path / "new"),
        *("--members", 1, "--width", 64, "--json"),
    )
    assert status == 0
    one_object(out)
    assert "networks" in err
    assert "Traceback" not in err


def test_as_a_program_of_its_own_it_does_the_same():
    found = in_subprocess("-m", "ntkexec", "run", "flooding", "path:3", *KERNEL, "--json")
    assert found.returncode == 0
    assert one_object(found.stdout)["exact"] is True
    assert found.stderr == ""
    found = in_subprocess("-m", "ntkexec", "run", "flooding", "nowhere.gml")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "ntkexec: there is no file nowhere.gml\n"


# What is imported.


def imported_by(code):
    """Top-level modules and packages that a fresh interpreter has loaded after `code`."""
    script = f"import sys\n{code}\nprint('|'.join(sorted(sys.modules)))"
    found = in_subprocess("-c", script)
    assert found.returncode == 0, found.stderr
    return set(found.stdout.splitlines()[-1].split("|"))


@pytest.mark.parametrize("command_name", ["", "run", "certify", "train"])
def test_help_loads_no_numerical_library(command_name):
    argv = [*([command_name] if command_name else []), "--help"]
    loaded = imported_by(f"from ntkexec.cli import main\nassert main({argv!r}) == 0")
    assert "ntkexec.cli.app" in loaded
    assert not loaded & {"jax", "jaxlib", "numpy", "networkx", "scipy", "flax", "optax", "jraph"}


HEAVY = {"tensorflow", "neural_tangents", "matplotlib", "pandas", "torch", "IPython"}


def test_importing_the_package_loads_no_numerical_library():
    loaded = imported_by("import ntkexec")
    assert not loaded & (HEAVY | {"jax", "numpy", "networkx", "scipy"})


def test_using_everything_but_the_oracle_loads_nothing_heavy():
    code = """
import ntkexec
for name in ntkexec.__all__:
    getattr(ntkexec, name)
import ntkexec.cli.actions
assert ntkexec.run("flooding", "path:2", engine="kernel", message="1").exact
"""
    loaded = imported_by(code)
    assert {"jax", "networkx", "ntkexec.pipeline"} <= loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("ru", ["run"]),
        ("run bell", ["bellman-ford"]),
        ("certify dfs", ["dfs", "dfs-forest"]),
        ("run bfs karate --engine kernel-", ["kernel-packed"]),
        ("run bfs karate --ensemble-k", ["--ensemble-kind"]),
    ],
)
def test_the_shell_completes_commands_algorithms_and_options(typed, offered, monkeypatch, capsys):
    words = f"ntkexec {typed}"
    monkeypatch.setenv("_NTKEXEC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert main([]) == 0
    assert capsys.readouterr().out.split() == offered


def test_completion_knows_every_algorithm():
    assert [*ALGORITHM_NAMES] == [*ALGORITHMS]


@pytest.mark.parametrize(
    "words",
    [
        *("run", "certify", "show", "train", "algorithms", "check", "complexity"),
        *("experiment", "experiment run", "experiment list", ""),
    ],
)
def test_every_help_has_an_example(words, capsys):
    assert main([*words.split(), "--help"]) == 0
    assert f"Example: ntkexec {words}".rstrip() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "plugin", "wanted"),
    [
        (None, False, "--xla_backend_optimization_level=2"),
        ("--xla_dump_to=x", False, "--xla_dump_to=x --xla_backend_optimization_level=2"),
        ("--xla_backend_optimization_level=3", False, "--xla_backend_optimization_level=3"),
        ("--xla_dump_to=x", True, "--xla_dump_to=x"),
    ],
)
def test_xla_compiles_sooner_unless_told_otherwise(given, plugin, wanted, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if plugin else None)
    environment = {} if given is None else {"XLA_FLAGS": given}
    compile_sooner(environment)
    assert environment["XLA_FLAGS"] == wanted


@pytest.mark.parametrize(
    "words",
    [
        "run flooding path:3",
        "train flooding --degree 2 --word 1 --out nowhere",
        *("check padding", "complexity flooding", "experiment run sgs"),
    ],
)
def test_every_long_command_keeps_compiled_code_where_asked(words, monkeypatch, capsys):
    def refuse(folder):
        raise NtkexecError(f"kept in {folder}")

    monkeypatch.setattr(compilation, "keep_on_disk", refuse)
    monkeypatch.setenv("NTKEXEC_CACHE", "/somewhere")
    assert main(words.split()) == 2
    assert "kept in /somewhere" in capsys.readouterr().err


def test_every_command_compiles_sooner(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=")
    assert main(["algorithms"]) == 0
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to= --xla_backend_optimization_level=2"
