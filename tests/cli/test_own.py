"""A program of one's own on the command line: every command, what is missing, and whose error it is."""

import ast
import json
import re
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from support.commands import KERNEL, one_object, refused

from ntkexec.program import files
from ntkexec.program.program import Program
from ntkexec.recheck.command import main as recheck

ROWS = [[1, -1, -1], [0, -1, 1], [-1, 1, -1], [1, -1, -1], [-1, -1, 1]]
THEN = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
MODULE = """
import ntkexec
from ntkexec.program import files

PROGRAM = files.load("p.npz")

def ready(graph):
    return ntkexec.prepare(PROGRAM, graph, initial="start.npz", steps=2)

def sized(degree, slots):
    assert (degree, slots) == (3, 10)
    return PROGRAM

def fails(graph):
    return inner()

def inner():
    raise KeyError("no such key")

def leaves(graph):
    raise SystemExit(0)

def lies(graph):
    import dataclasses
    def reference():
        raise ZeroDivisionError("of mine")
    return dataclasses.replace(ready(graph), reference=reference, final=None)

def speaks(slots=1):
    print("constructing")
    return PROGRAM

def chatters(graph):
    import dataclasses
    made = ready(graph)
    def decode(states):
        print("decoding")
        return made.decode(states)
    return dataclasses.replace(made, decode=decode)

def stops(graph):
    raise BaseException("no ordinary error")

def closes(graph):
    raise GeneratorExit

def runs_out(graph):
    raise StopIteration

def interrupted(graph):
    raise KeyboardInterrupt

def explains(graph):
    raise ValueError("the reason\\nand more of it")

def malformed(graph):
    return ntkexec.Program.from_arrays([[2]], [[1]], message_start=1)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a program, states, a graph and a module, from which the commands are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    for name in ("of_mine", "mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    files.save(Program.from_arrays(ROWS, THEN, message_start=3, name="hold"), "p.npz")
    np.savez("start.npz", states=np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]]))
    nx.write_graphml(nx.path_graph(3), "g.graphml")
    (tmp_path / "of_mine.py").write_text(MODULE)
    (tmp_path / "damaged.py").write_text("def f(:\n")
    return tmp_path


ON_GRAPH = ("path:3", "--state", "start.npz", "--steps", 2)


@pytest.mark.parametrize(
    "words",
    [
        ("p.npz", *ON_GRAPH),
        ("p.npz", "g.graphml", "--state", "start.npz", "--steps", 9, "--until", "fixed-point"),
        ("of_mine:PROGRAM", *ON_GRAPH, "--ensemble-kind", "joint"),
        ("of_mine:ready", "path:3"),
    ],
    ids=lambda words: words[0],
)
def test_it_is_run_and_judged_by_itself(command, words):
    status, out, err = command("run", *words, *KERNEL, "--json")
    data = one_object(out)
    assert (status, err) == (0, "")
    assert (data["algorithm"], data["judged_by"], data["exact"]) == ("hold", "program", True)
    assert data["own_program"] is True
    assert data["steps"] == 2
    assert [fields["state"] for fields in data["answer"].values()] == ["100", "110", "000"]
    assert (data["program"]["idle"], data["program"]["repeated"]) == (2, 1)


def test_its_page_and_plot_are_written(command, folder):
    status, out, _ = command(
        *("run", "p.npz", *ON_GRAPH, *KERNEL, "--html", "run.html", "--plot", "margins.png")
    )
    assert status == 0
    assert "EXACT: all 3 nodes equal the program's own Boolean execution, bit by bit" in out
    assert "5 templates (2 write nothing, 1 repeats a condition; + 0 padding)" in out
    assert "the program's own Boolean execution" in (folder / "run.html").read_text()
    assert (folder / "margins.png").stat().st_size > 1000


def test_it_is_shown_and_certified(command):
    status, out, _ = command("show", "of_mine:sized", "--degree", 3, "--templates")
    assert status == 0
    assert "hold: your own, of of_mine:sized" in out
    assert "5, with 9 conditions and outputs; 2 write nothing, 1 repeats a condition" in out
    assert "at most 4 in one state" in out
    assert out.splitlines()[-2:] == ["3  state[0] -> nothing", "4  state[2] -> nothing"]
    status, out, _ = command("show", "p.npz", "--json")
    assert (status, one_object(out)["report"]["idle"]) == (0, 2)
    status, out, _ = command("certify", "p.npz", "--ensemble-kind", "joint", "--json")
    assert status == 0
    assert one_object(out)["certificate"]["max_matches"] == 4
    status, out, _ = command("certify", "p.npz", *ON_GRAPH, "--ensemble-kind", "joint", "--json")
    assert status == 0
    assert one_object(out)["certificate"]["max_matches"] == 3
    assert one_object(out)["certificate"]["basis"] == "measured on path:3, 2 steps"


def test_networks_are_counted_trained_proven_and_run(command, capsys):
    status, out, err = command("complexity", "p.npz", *ON_GRAPH, "--repeat", 4, "--json")
    assert status == 0, err
    assert one_object(out)["studies"][0]["num_inputs"] == 5
    status, out, err = command(
        *("train", "p.npz", "--ensemble-kind", "joint", "--members", 8, "--width", 256),
        *("--out", "trained", "--json"),
    )
    assert status == 0, err
    assert one_object(out)["parameters"] == {}
    status, out, err = command("certify", "p.npz", "--ensemble", "trained", "--out", "proof.json")
    assert status == 0, err
    # It has no messages that could meet.
    assert "EXACT on every graph, from all states: any number of nodes and steps\n" in out
    assert recheck(["proof.json", "trained"]) == 0
    status, out, err = command("certify", "p.npz", *ON_GRAPH, "--ensemble", "trained", "--json")
    assert status == 0, err
    assert one_object(out)["executions"] == ["path:3"]
    status, out, err = command("run", "p.npz", *ON_GRAPH, "--ensemble", "trained", "--json")
    assert status == 0, err
    assert one_object(out)["ensemble"]["members"] == 8
    # A name is no part of a program; another program of the same name is another.
    files.save(Program.from_arrays(ROWS, THEN, message_start=3, name="keep"), "p.npz")
    for words in (("certify", "p.npz"), ("run", "p.npz", *ON_GRAPH)):
        status, out, err = command(*words, "--ensemble", "trained", "--json")
        assert (status, one_object(out)["exact"]) == (0, True), err
    status, out, err = command(
        *("certify", "of_mine:ready", "path:3", "--ensemble", "trained", "--all-states")
    )
    assert status == 0, err
    assert "EXACT on every graph, from all states" in out
    other = Program.from_arrays(ROWS[:4], THEN[:4], message_start=3, name="other")
    files.save(other, "other.npz")
    told = refused(command("certify", "other.npz", "--ensemble", "trained"))
    assert "learned hold, not other" in told
    files.save(Program.from_arrays(ROWS[:4], THEN[:4], message_start=3, name="hold"), "p.npz")
    told = refused(command("run", "p.npz", *ON_GRAPH, "--ensemble", "trained"))
    assert "its templates have changed since" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "p.npz"), "hold needs a graph, such as 'karate'"),
        (("run", "p.npz", "path:3"), "hold needs a number of steps: steps=..., or --steps"),
        (("run", "p.npz", "path:3", "--steps", 2), "--state FILE.npz, zeros and ones of shape (3, 3)"),
        (("run", "p.npz", *ON_GRAPH, "--source", 0), "--source is for shipped algorithms; p.npz takes"),
        (("run", "p.npz", *ON_GRAPH[:-1], "two"), "Invalid value for '--steps'"),
        (("run", "p.npz", "path:4", *ON_GRAPH[1:]), "the states of start.npz have shape (3, 3), not (4, 3)"),
        (("run", "q.npz", *ON_GRAPH), "there is no file q.npz"),
        (("run", "of_mine:ready", *ON_GRAPH), "an instance of hold brings its own"),
        (("run", "of_mine:nothing", *ON_GRAPH), "module of_mine has no 'nothing'"),
        (("run", "nowhere:f", *ON_GRAPH), "there is no module 'nowhere', neither here nor installed"),
        (("run", "of_mine:sized", *ON_GRAPH, "--ties", "fifo"), "--ties is for shipped algorithms"),
        (("run", "of_mine:malformed", *ON_GRAPH), "row 0 of conditions has 2 in column 0"),
        (("run", "of_mine:leaves", *ON_GRAPH), "of_mine:leaves ended by itself: exit 0"),
        (("run", "bfs", "path:3", "--steps", 2), "--steps is for programs of your own, not for bfs"),
        (("run", "bfs"), "bfs needs a graph: ntkexec run bfs karate"),
        (("show", "of_mine:sized"), "of_mine:sized asks for degree; give --degree"),
        (("show", "p.npz", "--arrival-bits", 2), "--arrival-bits is for shipped algorithms"),
        (("show", "p.npz", "--depth-bits", 2), "--depth-bits is for shipped algorithms"),
        (("show", "bfs", "path:3", "--degree", 2, "--word", 2), "'path:3' is not needed"),
        (("certify", "p.npz", "path:3"), "p.npz is the same on every graph: leave path:3 out, or give"),
        (("show", "p.npz", "path:3"), "p.npz is the same on every graph"),
        (("certify", "p.npz", *ON_GRAPH, "--all-states"), "--all-states goes without --state and"),
        (("certify", "p.npz", "--bound", "graph"), "the bound 'graph' needs a graph"),
        (("certify", "bfs", "--state", "start.npz"), "--state and --steps are for programs of your own"),
        (("complexity", "p.npz", "path:3", "--word", "1..2"), "--word is one number for a program"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_missing_is_said_in_a_line(command, words, message):
    status, out, err = command(*words)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("source", "lines", "last"),
    [
        (
            "of_mine:fails",
            ["in fails", "in inner", "KeyError: 'no such key'"],
            "ntkexec: of_mine:fails ended in KeyError: 'no such key'",
        ),
        (
            "of_mine:lies",
            ["in reference", "ZeroDivisionError: of mine"],
            "ntkexec: of_mine:lies ended in ZeroDivisionError: of mine",
        ),
        (
            "of_mine:stops",
            ["in stops", "BaseException: no ordinary error"],
            "ntkexec: of_mine:stops ended in BaseException: no ordinary error",
        ),
        ("of_mine:closes", ["in closes"], "ntkexec: of_mine:closes ended in GeneratorExit"),
        ("of_mine:runs_out", ["in runs_out"], "ntkexec: of_mine:runs_out ended in StopIteration"),
        (
            "of_mine:explains",
            ["in explains", "and more of it"],
            "ntkexec: of_mine:explains ended in ValueError: the reason",
        ),
        (
            "damaged:f",
            ["damaged.py", "SyntaxError"],
            "ntkexec: damaged:f ended in SyntaxError: ",
        ),
    ],
)
def test_an_error_of_the_user_s_is_shown_with_the_user_s_lines(command, source, lines, last):
    status, out, err = command("run", source, "path:3", *KERNEL)
    assert (status, out) == (2, "")
    assert all(line in err for line in lines), err
    assert err.splitlines()[-1].startswith(last)
    for ours in ("cli/own.py", "sources.py", "importlib", "status.py"):
        assert ours not in err


def test_the_json_of_a_run_is_the_same_for_a_file_and_a_function(command):
    found = [
        json.loads(command("run", name, *ON_GRAPH, *KERNEL, "--json")[1])
        for name in ("p.npz", "of_mine:PROGRAM")
    ]
    for data in found:
        del data["seconds"]
    assert found[0] == found[1]


def test_what_the_user_s_code_prints_leaves_stdout_to_the_answer(command):
    status, out, err = command("show", "of_mine:speaks", "--json")
    assert (status, one_object(out)["report"]["idle"]) == (0, 2)
    assert err == "constructing\n"
    status, out, err = command("run", "of_mine:chatters", "path:3", *KERNEL, "--json")
    assert (status, one_object(out)["exact"]) == (0, True)
    assert set(err.splitlines()) == {"decoding"}


def test_the_functions_of_the_page_are_a_module_that_runs_on_another_tree(command, folder):
    page = (Path(__file__).parents[2] / "docs" / "raw-templates.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    functions = [ast.unparse(node) for node in ast.parse(code).body if isinstance(node, kept)]
    (folder / "mine.py").write_text("\n\n".join(functions))
    nx.write_graphml(nx.star_graph(["middle", "a", "b", "c"]), "tree.graphml")
    for graph in ("tree.graphml", "path:5"):
        status, out, err = command("run", "mine:colouring", graph, *KERNEL)
        assert status == 0, err
        assert out.rstrip().endswith("nodes equal the reference")
