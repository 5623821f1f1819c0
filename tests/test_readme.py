"""What the README promises, a command keeps."""

import pathlib
import re
import shlex

import networkx as nx
import pytest

from ntkexec.cli import main

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()
TOUR = [c for c in re.findall(r"`(ntkexec [^`]+)`", README) if "GRAPH" not in c]
NOT_CERTIFIED = "ntkexec certify flooding --degree 3 --word 4 --ensemble-kind joint"


# What takes minutes is tried with less to do.
QUICKER = {
    "ntkexec check": "ntkexec check gram-spectrum",
    "ntkexec experiment run sgs --html sgs.html": "ntkexec experiment list",
    "ntkexec complexity flooding --degree 2 --word 1 --plot complexity.png": "ntkexec complexity "
    "flooding --degree 2 --word 1 --graphs 10 --nodes 4..6 --repeat 3 --plot complexity.png",
}


def test_the_tour_has_been_found():
    assert len(TOUR) >= 8
    assert NOT_CERTIFIED in TOUR
    assert QUICKER.keys() <= set(TOUR)


def test_every_command_of_the_tour_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nx.write_graphml(nx.Graph([("a", "b"), ("b", "c"), ("a", "d")]), "graph.graphml")
    for command in TOUR:
        status = main(shlex.split(QUICKER.get(command, command))[1:])
        assert status == (1 if command == NOT_CERTIFIED else 0), capsys.readouterr().err


def test_the_first_command_is_exact(capsys):
    (command,) = re.findall(r"&& (ntkexec run .*)", README)
    assert main(shlex.split(command)[1:]) == 0
    assert "EXACT: all 34 nodes equal the reference" in capsys.readouterr().out


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_python_of_the_readme_runs(block):
    names = {}
    exec(block, names)
    assert names["result"].by_node()[7] == {"informed": True, "message": "1011", "arrival": 2}
