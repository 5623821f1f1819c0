"""The command `complexity`, run as a user would."""

import json

import pytest

from ntkexec.cli import main
from ntkexec.cli.commands.complexity import parse_numbers, parse_range
from ntkexec.errors import NtkexecError

SMALL = ["--graphs", "4", "--nodes", "3..5", "--repeat", "12"]


def test_it_prints_a_study_for_every_combination_and_the_trend(capsys):
    shared = ["--threshold", "shared"]
    assert main(["complexity", "flooding", *SMALL, *shared, "--padding", "0,24,64"]) == 0
    out, _ = capsys.readouterr()
    rows = [line for line in out.splitlines() if line.startswith("joint, gaussian, shared")]
    assert len(rows) == 3
    assert "N grows like n0^-" in out
    # Through two points runs every law.
    assert main(["complexity", "flooding", *SMALL, *shared, "--padding", "0,24"]) == 0
    assert "N grows like" not in capsys.readouterr().out


def test_an_interval_that_says_nothing_is_explained(capsys):
    note = "0 to inf: too few repetitions"
    for repeat, is_explained in (("5", True), ("6", False)):
        assert main(["complexity", "flooding", *SMALL[:-1], repeat]) == 0
        assert (note in capsys.readouterr().out) == is_explained


@pytest.mark.slow
def test_conventions_are_compared_and_one_that_never_is_exact_is_told(capsys):
    words = ["complexity", "bfs", "--degree", "4", "--word", "3", "--graphs", "2"]
    words += ["--nodes", "5..6", "--repeat", "4", "--threshold", "bit,shared"]
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [study["threshold"] for study in data["studies"]] in (["bit"], ["bit", "shared"])
    assert len(data["studies"]) + len(data["refused"]) == 2
    assert main([*words[:-1], "bit,half"]) == 2
    assert "zero, shared, bit, not 'half'" in capsys.readouterr().err


def test_json_holds_studies_and_trends_and_plots_are_written(capsys, tmp_path):
    plot, certainty = tmp_path / "n.png", tmp_path / "c.svg"
    options = ["--json", "--plot", str(plot), "--certainty", str(certainty)]
    kinds = ["--ensemble-kind", "joint,factored"]
    assert main(["complexity", "flooding", *SMALL, *kinds, *options]) == 0
    data = json.loads(capsys.readouterr().out)
    joint, factored = data["studies"]
    assert (joint["kind"], factored["kind"]) == ("joint", "factored")
    assert factored["smallest_margin"] > joint["smallest_margin"]
    assert factored["num_inputs"] < joint["num_inputs"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in certainty.read_bytes()


def test_trained_networks_can_be_studied(capsys):
    options = ["--draw", "trained", "--width", "512", "--members", "4"]
    assert main(["complexity", "flooding", *SMALL, "--repeat", "2", *options]) == 0
    assert "trained width 512" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (["--degree", "two"], "--degree is a number, a list 1,2,4 or a range 1..5, not 'two'"),
        (["--degree", "5..2"], "--degree: a range goes up, such as 2..5, not 5..2"),
        (["--degree", "2,5..3"], "--degree: a range goes up, such as 3..5, not 5..3"),
        (["--plot", "n.wrong"], "formats are"),
        (["--certainty", "nowhere/n.png"], "there is no folder nowhere"),
        (["--csv", "t", "--latex", "./t"], "--csv and --latex both write t"),
        (["--nodes", "a..b"], "--nodes is a range such as 5..20, not 'a..b'"),
        (["--degree", "1"], "need degree 2, got 1"),
        (["--threshold", "zero", "--draw", "trained"], "coin flips"),
        (["--ensemble-kind", "both"], "ensemble kind 'both'"),
        (["--repeat", "0"], "at least one repetition"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_bad_input_is_refused_with_what_would_fit(capsys, options, message):
    assert main(["complexity", "flooding", *SMALL, *options]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert message in err


def test_numbers_are_written_as_lists_and_ranges():
    assert parse_numbers("word", "3") == [3]
    assert parse_numbers("word", "1,4..6") == [1, 4, 5, 6]
    assert parse_range("weights", "-2..3") == (-2, 3)
    for wrong in ("", "1,,2", "5..", "9..3", "0..1000"):
        with pytest.raises(NtkexecError, match="--word"):
            parse_numbers("word", wrong)


@pytest.mark.slow
def test_gaussian_draws_and_the_descent_are_chosen_on_the_command_line(capsys):
    assert main(["run", "flooding", "path:4", "--draw", "gaussian", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["ensemble"]
    assert (found["draw"], found["width"], found["predicted_steps"]) == ("gaussian", None, None)
    assert main(["run", "flooding", "path:4", "--descent", "whitened", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["ensemble"]
    assert 0 < found["gradient_steps"] <= 2 * found["predicted_steps"]


def test_sweeps_write_tables_and_panels_with_a_bound_of_ones_own(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_bounds.py").write_text(
        "import math\n\ndef mine(n0, m, decisions, delta):\n"
        "    return 8 * m / n0 * math.log(decisions / delta)\n\ndef fails(n0):\n    return 1 / 0\n"
    )
    sizes = ["--degree", "2", "--word", "1..2", "--weight-std", "0.5,1", "--members", "1,2"]
    files = ["--panels", "--csv", "s.csv", "--latex", "s.tex"]
    few = ["--graphs", "2", "--nodes", "3..4", "--repeat", "2"]
    command = ["complexity", "flooding", *sizes, *few]
    assert main([*command, *files, "--bound", "my_bounds.py:mine"]) == 0
    out, _ = capsys.readouterr()
    assert "weight_std 0.5" in out
    assert all(head in out for head in ("mine", "exact at 1", "exact at 2"))
    assert (tmp_path / "complexity.png").read_bytes().startswith(b"\x89PNG")
    header, *rows = (tmp_path / "s.csv").read_text().splitlines()
    assert len(rows) == 4
    assert header.startswith("algorithm,degree,word,kind,draw")
    assert r"\toprule" in (tmp_path / "s.tex").read_text()
    for bound, message in (
        ("my_bounds.py:nine", "my_bounds.py has no 'nine'; did you mean 'mine'"),
        ("my_bounds.py", "is not of the form FILE.py:function or module:function"),
        ("none.py:mine", "there is no file none.py"),
        ("my_bounds.py:fails", "my_bounds.py:fails ended in ZeroDivisionError"),
        ("my_bounds.py:math", "is no function"),
    ):
        assert main([*command, "--bound", bound]) == 2
        assert message in capsys.readouterr().err


def test_absurd_sweeps_are_refused_at_once(capsys):
    assert main(["complexity", "flooding", "--degree", "2..40", "--word", "1..40"]) == 2
    assert "1,560 studies; 256 fit into one sweep" in capsys.readouterr().err
    for wrong in ("0", "-1", "a", "1,,2", "inf"):
        assert main(["complexity", "flooding", f"--weight-std={wrong}"]) == 2
        assert "--weight-std is a positive number" in capsys.readouterr().err
