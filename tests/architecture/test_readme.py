"""What the README promises, a command keeps."""

import itertools
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from benchmarks import tour
from ntkexec.cli import main

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MEASURED = ("...", "ensemble", "training", "execution", "verification")
# The commands of a line build on each other.
LINES = [
    re.findall(r"`((?:ntkexec|python -m ntkexec\.\w+) [^`]+)`", line)
    for line in README.splitlines()
]
TOUR = [found for line in LINES if (found := [c for c in line if "GRAPH" not in c])]
NOT_CERTIFIED = (
    "ntkexec certify flooding --degree 3 --word 4 --ensemble-kind joint --threshold shared"
)


# What takes long is tried with less to do; as it is written where slow tests are run.
QUICKER = {
    "ntkexec check": "ntkexec check gram-spectrum",
    "ntkexec experiment run sgs --html sgs.html": "ntkexec experiment list",
    "ntkexec run flooding grid:100x100 --engine kernel": "ntkexec run flooding grid:20x20 --engine kernel",
    "ntkexec complexity flooding --degree 2 --word 1 --plot complexity.png": "ntkexec complexity "
    "flooding --degree 2 --word 1 --graphs 10 --nodes 4..6 --repeat 3 --plot complexity.png",
}
# Commands that train many sizes of networks; that trained ones are exact is said by each algorithm's tests.
TRAINS = {"bfs", "dfs", "dfs-forest", "bellman-ford", "leader-election", "multiply", "sbn"}
# What takes minutes.
THE_LONGEST = {"ntkexec check", "ntkexec experiment run sgs --html sgs.html"}


def quicker(command):
    words = command.split()
    trains = words[:2] == ["ntkexec", "run"] and words[2] in TRAINS
    by_kernel = trains and "--engine" not in words and "--ensemble" not in words
    return f"{command} --engine kernel" if by_kernel else QUICKER.get(command, command)


def test_the_tour_has_been_found():
    commands = set(itertools.chain(*TOUR))
    assert len(TOUR) >= 15
    assert {NOT_CERTIFIED, "python -m ntkexec.recheck proof.json bfs-d2"} <= commands
    assert QUICKER.keys() <= commands


def carried_out(command):
    program, *words = shlex.split(command)
    if program == "python":
        return subprocess.run([sys.executable, *words], check=False).returncode
    return main(words)


@pytest.fixture
def keeps_its_promise(tmp_path, monkeypatch, capsys):
    """Carries commands out in an empty folder; what each stands for may be another one."""
    monkeypatch.chdir(tmp_path)

    def run(commands, instead):
        for command in commands:
            status = carried_out(instead(command))
            assert status == (1 if command == NOT_CERTIFIED else 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize("commands", TOUR, ids=" and ".join)
def test_every_command_of_the_tour_works(commands, keeps_its_promise):
    keeps_its_promise(commands, quicker)


@pytest.mark.slow
@pytest.mark.parametrize(
    "commands",
    [line for line in TOUR if [*map(quicker, line)] != line and THE_LONGEST.isdisjoint(line)],
    ids=" and ".join,
)
def test_every_long_command_of_the_tour_works_as_it_is_written(commands, keeps_its_promise):
    keeps_its_promise(commands, str)


def test_the_first_command_is_exact(capsys):
    (command,) = re.findall(r"&& (ntkexec run .*)", README)
    assert main(shlex.split(command)[1:]) == 0
    out = capsys.readouterr().out
    assert "EXACT: all 34 nodes equal the reference" in out
    # Times and the last digits of trained networks are the machine's.
    (shown,) = re.findall(r"sample: begin -->\n```text\n(.*?)```", README, re.DOTALL)
    fixed = [line for line in shown.splitlines() if not line.startswith(MEASURED)]
    assert len(fixed) > 12
    assert [line for line in fixed if line not in out.splitlines()] == []
    printed = tour.sample(out)
    assert [line[:14] for line in printed.splitlines()[1:-1]] == [
        line[:14] for line in shown.splitlines()
    ]


def test_the_tour_has_eight_rows_with_a_time_and_something_to_see():
    rows = README.partition(tour.TOUR[0])[2].partition(tour.TOUR[1])[0].splitlines()[2:]
    assert len(rows) == 8
    for row in rows:
        assert re.fullmatch(r"\| .+ \| .*`.+` \| (< )?\d+ s \| .+ \|", row), row
        (seen,) = {*re.findall(r'(?:href="|\]\()([^")]+)', row)}
        assert (ROOT / seen).is_file(), seen
    assert "ntkexec.recheck proof.json" in rows[1]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_python_of_the_readme_runs(block):
    names = {}
    exec(block, names)
    assert names["result"].by_node()[7] == {"informed": True, "message": "1011", "arrival": 2}
