"""The command that certifies stored ensembles."""

import json

import pytest

from ntkexec.cli import main
from ntkexec.recheck.command import main as recheck


def test_the_command_certifies_and_stores(stored, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["certify", "bfs", "--ensemble", str(stored), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "EXACT on every graph with degree at most 2" in shown
    assert recheck([str(out), str(stored)]) == 0
    assert main(["certify", "bfs", "--ensemble", str(stored), "--json"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dfs", "--ensemble", "FOLDER"], "learned bfs, not dfs"),
        (["bfs", "--ensemble", "FOLDER", "--degree", "3"], "has its sizes"),
        (["bfs", "--ensemble", "FOLDER", "--out", "FOLDER/c.json"], "beside it"),
        (["bfs", "--ensemble", "FOLDER", "--graph", "path:3", "--all-states"], "exclude"),
        (["bfs", "--degree", "2", "--word", "2", "--all-states"], "go with --ensemble"),
        (["bfs"], "needs --degree and --word"),
    ],
)
def test_bad_input_is_refused_in_one_line(stored, capsys, arguments, message):
    filled = [a.replace("FOLDER", str(stored)) for a in arguments]
    assert main(["certify", *filled]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"degree": 2, "slots": 4, "word": 1, "depth": 1}, "bfs does not have the sizes degree"),
        ({"degree": 2}, "bfs does not have the sizes degree"),
        (
            {"degree": 10**9, "slots": 4, "word": 1},
            "degree 1000000000 is none of this ensemble's size",
        ),
        ({"degree": -1, "slots": 4, "word": 1}, "degree -1 is none of this ensemble's size"),
        ({"degree": 2, "slots": 4, "word": 2}, "was trained for program"),
        ({"degree": "2", "slots": 4, "word": 1}, "parameters.degree is '2', not of type int"),
    ],
)
def test_sizes_that_are_not_the_ensembles_are_refused_at_once(stored, capsys, sizes, message):
    path = stored / "ensemble.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"parameters": sizes}))
    assert main(["certify", "bfs", "--ensemble", str(stored)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_joint_ensemble_is_certified_on_a_graph_with_its_own_message(tmp_path, capsys):
    folder = str(tmp_path / "joint")
    words = ["flooding", "path:3", "--message", "1", "--ensemble-kind", "joint"]
    assert main(["train", *words, "--members", "12", "--width", "1024", "--out", folder]) == 0
    judge = ["certify", "flooding", "--ensemble", folder, "--graph", "path:3"]
    capsys.readouterr()
    assert main([*judge, "--message", "1", "--source", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exact"] is True
    assert main(judge) == 2  # the default message has other bits
    assert main(["certify", "flooding", "--degree", "2", "--word", "1", "--message", "1"]) == 2
