"""`ntkexec prove`: what is proved is stored and verified, what is not is said, and exit statuses follow."""

import json
import sys

import pytest
from support.commands import one_object, refused

from ntkexec.cli import main
from ntkexec.prove import subject
from ntkexec.recheck.command import main as recheck

SMALL = ("bfs", "--degree", "1", "--word", "1")


def test_a_theorem_is_stored_verified_and_told_in_json(tmp_path, capsys):
    out, others = tmp_path / "theorem", tmp_path / "others"
    words = ["prove", *SMALL, "--out", str(out), "--dimacs", str(others), "--json"]
    assert main(words) == 0
    told = one_object(capsys.readouterr().out)
    assert told["about"] == "program"
    assert told["sizes"] == {"degree": 1, "slots": 2, "word": 1}
    assert recheck([str(out)]) == 0
    assert told["sentence"] in capsys.readouterr().out
    page = (out / "index.html").read_text()
    assert all(entry["formula"] in page for entry in told["obligations"])
    names = {f"{entry['name']}-{entry['part']}" for entry in told["obligations"]}
    assert {path.stem for path in others.glob("*.cnf")} == names
    assert {path.stem for path in others.glob("*.drat")} == names


def test_without_a_folder_it_is_proved_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["prove", *SMALL]) == 0
    assert capsys.readouterr().out.startswith("THEOREM about the program, bfs: degree 1")
    assert not list(tmp_path.iterdir())


def test_what_does_not_follow_is_not_stored(tmp_path, monkeypatch, capsys):
    honest = subject.asked_for

    def without_a_template(algorithm, **sizes):
        found = honest(algorithm, **sizes)
        fewer = type(found.program)(
            found.program.name, found.program.layout, found.program.templates[1:]
        )
        return found._replace(program=fewer)

    monkeypatch.setattr(subject, "asked_for", without_a_template)
    assert main(["prove", *SMALL, "--out", str(tmp_path / "theorem")]) == 1
    assert "does not follow; it fails where" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bfs", "--degree", "1", "--word", "1", "--slots", "0"], "slots"),
        (["bsf", "--degree", "2"], "no algorithm 'bsf'"),
        (
            ["mine.json", "--degree", "2"],
            "mine.json is a file of raw templates, and raw templates do not say",
        ),
        (["bfs"], "needs --degree and --word"),
        (["bfs", "--degree", "1", "--word", "1", "--out", "taken"], "letter.txt"),
        (["bfs", "--degree", "1", "--word", "1", "--arrival-bits", "2"], "no arrival bits"),
        (["bfs", "--ensemble", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("mine")
    assert main(["prove", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_ensemble_brings_its_sizes_and_no_others(tmp_path, capsys):
    folder = tmp_path / "ensemble"
    train = ["train", *SMALL, "--members", "2", "--width", "128", "--out", str(folder)]
    assert main(train) == 0
    out = tmp_path / "theorem"
    assert main(["prove", "bfs", "--word", "2", "--ensemble", str(folder)]) == 2
    assert "has word 1, not 2" in capsys.readouterr().err
    assert main(["prove", "bfs", "--ensemble", str(folder), "--out", str(folder)]) == 2
    assert main(["prove", "dfs", "--ensemble", str(folder)]) == 2
    assert main(["prove", *SMALL, "--ensemble", str(folder), "--out", str(out)]) == 0
    assert "THEOREM about these networks, bfs" in capsys.readouterr().out
    assert recheck([str(out), str(folder)]) == 0
    assert json.loads((out / "theorem.json").read_bytes())["ensemble"] is not None


OWN = """
from ntkexec.programs.local import Fold, Local, Range, Record

State = Record("State", far=Range(3))

def hear(state, message):
    return State(far=min(state.far, message + 1)) if message is not None and message < 2 else state

nearest = Local(
    name="nearest", state=State, message=Range(3), init=lambda node: State(far=0 if node.input else 2),
    send=lambda state: state.far, stages=(Fold(hear),), output=lambda state, node: {"far": state.far},
)

def silly(degree):
    raise KeyError("no such key")
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_to_prove.py").write_text(OWN)
    yield "mine_to_prove"
    sys.modules.pop("mine_to_prove", None)


def test_an_algorithm_of_ones_own_gets_the_same_theorem(mine, capsys):
    assert main(["prove", f"{mine}:nearest", "--degree", "2", "--out", "theorem"]) == 0
    assert "LOCAL algorithm 'nearest'" in capsys.readouterr().out
    assert recheck(["theorem"]) == 0


def test_an_error_of_ones_own_code_is_shown_as_that(mine, capsys):
    assert main(["prove", f"{mine}:silly", "--degree", "2"]) == 2
    assert "silly ended in KeyError" in capsys.readouterr().err


def test_a_local_algorithm_is_proved_from_its_functions(tmp_path, capsys):
    out = tmp_path / "theorem"
    assert main(["prove", "bipartite", "--degree", "1", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "the tables of the specification" in shown
    assert recheck([str(out)]) == 0
    data = json.loads((out / "theorem.json").read_bytes())
    assert data["statement"] == "local"
    data["specification"] = None
    (out / "theorem.json").write_text(json.dumps(data))
    assert recheck([str(out)]) != 0


@pytest.mark.slow
def test_an_ensemble_of_a_local_algorithm_is_proved_and_one_program_has_two_names(tmp_path):
    for algorithm, other in (("bipartite", None), ("dfs", "dfs-forest")):
        folder, out = tmp_path / algorithm, tmp_path / f"theorem-{algorithm}"
        sizes = ["--degree", "1"] if other is None else ["--degree", "1", "--word", "3"]
        train = ["train", algorithm, *sizes, "--members", "4", "--width", "256"]
        assert main([*train, "--out", str(folder)]) == 0
        words = ["prove", other or algorithm, "--ensemble", str(folder), "--out", str(out)]
        assert main(words) == 0
        assert recheck([str(out), str(folder)]) == 0


def test_raw_templates_have_nothing_to_prove(command):
    said = refused(command("prove", "mine.npz", "--degree", 2))
    assert "raw templates do not say what they are to compute" in said
